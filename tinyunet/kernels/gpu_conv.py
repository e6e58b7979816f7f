"""3×3 convolution on the GPU: Winograd F(4×4, 3×3) as transforms around 36 matrix products.

Legend: x (N, C, H, W), weight (O, C, 3, 3), y (N, O, H − 2, W − 2), T tiles of 4×4 outputs;
u (36, O, C), v (36, C, T), m (36, O, T), see kernels/cuda/winograd.cu for the transforms.

    forward     m = u · v
    backward    dm = A dy Aᵀ once;  du = dm · vᵀ  and  dv = uᵀ · dm;  dweight = Gᵀ du G;
                dx gathers B dv Bᵀ;  dbias is the sum of dm at the point (1, 1)

u and v are made again in the backward: keeping v would take 2.25 times the memory of x. An output
that is exactly 0 in the plain text, a bias of 0 under a patch of zeros, is 0 but for rounding here,
so its ReLU may pass a gradient on. The 1×1 convolution below is a plain matrix product. Every
function takes the `Gpu` it runs on first.
Lesson: lessons/15-fast-on-a-gpu.md. Tested equal to ops/conv2d.py.
"""

SUM_POSITION = 7  # the point 1 in both directions, 6 · 1 + 1: see transform_gradient


def tile_counts(height, width):
    """Return (rows, columns) of the 4×4 tiles that cover an output of height × width."""
    return -(-height // 4), -(-width // 4)


def conv3x3(gpu, x, weight, bias, relu):
    """Return y (N, O, H − 2, W − 2), clipped at zero if `relu`."""
    y = gpu.empty(len(x), len(weight), x.shape[2] - 2, x.shape[3] - 2)
    _forward(gpu, x, weight, bias, y, None, relu)
    return y


def conv3x3_max_pool(gpu, x, weight, bias):
    """Return y as `conv3x3` does, clipped at zero, and y's 2×2 maxima; H and W must be even."""
    n, _, h, w = x.shape
    y = gpu.empty(n, len(weight), h - 2, w - 2)
    pooled = gpu.empty(n, len(weight), h // 2 - 1, w // 2 - 1)
    _forward(gpu, x, weight, bias, y, pooled, True)
    return y, pooled


def _forward(gpu, x, weight, bias, y, pooled, relu):
    """Fill y (N, O, H − 2, W − 2) and, if it is not None, pooled, half as high and wide."""
    grid = tile_counts(*y.shape[2:])
    m = gpu.product(_filters(gpu, weight), _inputs(gpu, gpu.contiguous(x), grid))
    arrays = (m, gpu.contiguous(bias), y, pooled)
    gpu.launch("inverse_output", len(weight) * m.shape[2], *arrays, *y.shape, *grid, int(relu))


def conv3x3_backward(gpu, dy, x, weight, y, need_dx=True):
    """Return (dx or None, dweight, dbias) for dy (N, O, H − 2, W − 2).

    y is the output of `conv3x3` with ReLU, whose sign is the ReLU's mask, or None without ReLU.
    """
    n, channels, h, w = x.shape
    out_channels = len(weight)
    grid = tile_counts(h - 2, w - 2)
    tiles = n * grid[0] * grid[1]
    x, dy = gpu.contiguous(x), gpu.contiguous(dy)
    dm = gpu.empty(36, out_channels, tiles)
    shape = (n, out_channels, h - 2, w - 2)
    gpu.launch("transform_gradient", out_channels * tiles, dy, y, dm, *shape, *grid)
    dbias = row_sums(gpu, dm[SUM_POSITION].reshape(1, out_channels, tiles))
    du = gpu.product(dm, _inputs(gpu, x, grid), transpose_b=True)
    dweight = gpu.empty(*weight.shape)
    gpu.launch("filter_gradient", out_channels * channels, du, dweight, out_channels * channels)
    if not need_dx:
        return None, dweight, dbias
    del du
    dv = gpu.product(_filters(gpu, weight), dm, transpose_a=True)
    dx = gpu.empty(n, channels, h, w)
    blocks = tile_counts(h, w)
    threads = channels * n * blocks[0] * blocks[1]
    gpu.launch("input_gradient", threads, dv, dx, n, channels, h, w, *grid, *blocks)
    return dx, dweight, dbias


def _inputs(gpu, x, grid):
    """Return v (36, C, T), all tiles of x transformed."""
    n, channels, h, w = x.shape
    tiles = n * grid[0] * grid[1]
    v = gpu.empty(36, channels, tiles)
    gpu.launch("transform_input", channels * tiles, x, v, n, channels, h, w, *grid)
    return v


def _filters(gpu, weight):
    """Return u (36, O, C), all filters transformed."""
    out_channels, channels = weight.shape[:2]
    u = gpu.empty(36, out_channels, channels)
    filters = out_channels * channels
    gpu.launch("transform_filter", filters, gpu.contiguous(weight), u, filters)
    return u


def conv1x1(gpu, x, weight, bias, relu):
    """Return y (N, O, H, W) for weight (O, C, 1, 1): one matrix product an image."""
    n, channels, h, w = x.shape
    out_channels = len(weight)
    x = gpu.contiguous(x).reshape(n, channels, h * w)
    y = gpu.product(for_each(gpu, weight.reshape(out_channels, channels), n), x)
    gpu.launch("add_bias", y.size, y, gpu.contiguous(bias), n, out_channels, h * w, int(relu))
    return y.reshape(n, out_channels, h, w)


def conv1x1_backward(gpu, dy, x, weight, y, need_dx=True):
    """Return (dx or None, dweight, dbias) for dy (N, O, H, W); y as in `conv3x3_backward`."""
    n, channels, h, w = x.shape
    out_channels = len(weight)
    dy, x = gpu.contiguous(dy), gpu.contiguous(x).reshape(n, channels, h * w)
    if y is not None:
        dy = relu_gradient(gpu, dy, y)
    dy = dy.reshape(n, out_channels, h * w)
    dbias = row_sums(gpu, dy)
    dweight = over_images(gpu.product(dy, x, transpose_b=True)).reshape(weight.shape)
    if not need_dx:
        return None, dweight, dbias
    matrix = for_each(gpu, weight.reshape(out_channels, channels), n)
    return gpu.product(matrix, dy, transpose_a=True).reshape(n, channels, h, w), dweight, dbias


def for_each(gpu, matrix, n):
    """Return `matrix` (rows, columns) once for each of n images (a view where n is 1)."""
    matrix = gpu.contiguous(matrix)[None]
    return matrix if n == 1 else gpu.contiguous(gpu.xp.repeat(matrix, n, axis=0))


def over_images(x):
    """Return x (N, rows, columns) summed over the images."""
    return x[0] if len(x) == 1 else x.sum(axis=0)


def relu_gradient(gpu, dy, y):
    """Return dy where y > 0, else 0."""
    dx = gpu.empty(*dy.shape)
    gpu.launch("relu_gradient", dy.size, dy, y, dx, dy.size)
    return dx


def row_sums(gpu, x):
    """Return the sums (rows,) of x (N, rows, length) over images and length, in a fixed order."""
    n, rows, length = x.shape
    sums = gpu.empty(rows)
    gpu.launch_blocks("row_sums", rows, x, sums, n, rows, length)
    return sums
