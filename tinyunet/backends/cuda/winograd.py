"""3×3 convolution on the GPU: Winograd F(4×4, 3×3) as transforms around 36 matrix products.

Legend: x (N, C, H, W), weight (O, C, 3, 3), y (N, O, H − 2, W − 2), T tiles of 4×4 outputs;
u (36, O, C), v (36, C, T), m (36, O, T), see backends/cuda/winograd.cu for the transforms.

    forward     m = u · v
    backward    dm = A dy Aᵀ once;  du = dm · vᵀ  and  dv = uᵀ · dm;  dweight = Gᵀ du G;
                dx gathers B dv Bᵀ;  dbias is the sum of dm at the point (1, 1)

u is kept for the backward pass; v is made again, since it would take 2.25 times the memory of x.
T is rounded up to 32, so that every row begins on 128 bytes. Where du is small it has too few
blocks to fill a GPU, and its sums over T are long: there T is cut into slices, whose products are
made side by side. An output that is exactly 0 in the plain text, a bias of 0 under a patch of
zeros, is 0 but for rounding here, so its ReLU may pass a gradient on. Every function takes the
`Gpu` it runs on first. Lesson: lessons/15-fast-on-a-gpu.md. Tested equal to nn/conv2d.py.
"""

from tinyunet.backends.cuda.reductions import ENOUGH_BLOCKS, row_sums

SUM_POSITION = 7  # the point 1 in both directions, 6 · 1 + 1: see transform_gradient
ALIGNED = 32  # tiles: 128 bytes
SLICE_TILES = 512  # that a slice of du's sums should have at least


def tile_counts(height, width):
    """Return (rows, columns) of the 4×4 tiles that cover an output of height × width."""
    return -(-height // 4), -(-width // 4)


def slices_of(tiles, out_channels=None, channels=None):
    """Return (slices, tiles in each) for du of out_channels × channels; one slice without them."""
    slices = 1
    if channels is not None:
        blocks = 36 * -(-out_channels // 64) * -(-channels // 64)
        slices = max(1, min(ENOUGH_BLOCKS // blocks, tiles // SLICE_TILES))
    length = _round_up(-(-tiles // slices), ALIGNED)
    return -(-tiles // length), length


def _round_up(number, multiple):
    return -(-number // multiple) * multiple


def conv3x3(gpu, x, weight, bias, relu):
    """Return y (N, O, H − 2, W − 2), clipped at zero if `relu`, and (x, u), which are kept."""
    y = gpu.empty(len(x), len(weight), x.shape[2] - 2, x.shape[3] - 2)
    return y, (x, _forward(gpu, x, weight, bias, y, None, relu))


def conv3x3_max_pool(gpu, x, weight, bias):
    """Return y, clipped at zero, its 2×2 maxima, and what is kept; y must be of even size."""
    n, _, h, w = x.shape
    y = gpu.empty(n, len(weight), h - 2, w - 2)
    pooled = gpu.empty(n, len(weight), h // 2 - 1, w // 2 - 1)
    u = _forward(gpu, x, weight, bias, y, pooled, True)
    return y, pooled, (x, u)


def _forward(gpu, x, weight, bias, y, pooled, relu):
    """Fill y (N, O, H − 2, W − 2) and, if it is not None, pooled, half as high and wide."""
    grid = tile_counts(*y.shape[2:])
    slices = slices_of(len(x) * grid[0] * grid[1])
    u = _filters(gpu, weight)
    m = gpu.product(u, _inputs(gpu, gpu.contiguous(x), grid, slices))
    arrays = (m, gpu.contiguous(bias), y, pooled)
    gpu.launch("inverse_output", m.size // 36, *arrays, *y.shape, *grid, *slices, int(relu))
    return u


def conv3x3_backward(gpu, dy, weight, y, kept, need_dx=True):
    """Return (dx or None, dweight, dbias) for dy (N, O, H − 2, W − 2); u is made if it is None."""
    x, u = kept
    n, channels, h, w = x.shape
    out_channels = len(weight)
    grid = tile_counts(h - 2, w - 2)
    slices, length = slices_of(n * grid[0] * grid[1], out_channels, channels)
    x, dy = gpu.contiguous(x), gpu.contiguous(dy)
    dm = gpu.empty(36 * slices, out_channels, length)
    shape = (n, out_channels, h - 2, w - 2)
    gpu.launch("transform_gradient", dm.size // 36, dy, y, dm, *shape, *grid, slices, length)
    dbias = row_sums(gpu, dm[SUM_POSITION * slices : (SUM_POSITION + 1) * slices])
    du = gpu.product(dm, _inputs(gpu, x, grid, (slices, length)), transpose_b=True)
    dweight = gpu.empty(*weight.shape)
    filters = out_channels * channels
    gpu.launch("filter_gradient", filters, du, dweight, filters, slices)
    if not need_dx:
        return None, dweight, dbias
    del du
    u = _filters(gpu, weight) if u is None else u
    dv = gpu.empty(36 * slices, channels, length)
    for s in range(slices):  # u is the same for all: a product's batch has a single stride
        gpu.product(u, dm[s::slices], transpose_a=True, out=dv[s::slices])
    dx = gpu.empty(n, channels, h, w)
    blocks = tile_counts(h, w)
    threads = channels * n * blocks[0] * blocks[1]
    sizes = (n, channels, h, w, *grid, *blocks, slices, length)
    gpu.launch("input_gradient", threads, dv, dx, *sizes)
    return dx, dweight, dbias


def _inputs(gpu, x, grid, slices):
    """Return v (36 · S, C, T′), all tiles of x transformed, in S slices of T′."""
    n, channels, h, w = x.shape
    v = gpu.empty(36 * slices[0], channels, slices[1])
    gpu.launch("transform_input", v.size // 36, x, v, n, channels, h, w, *grid, *slices)
    return v


def _filters(gpu, weight):
    """Return u (36, O, C), all filters transformed."""
    out_channels, channels = weight.shape[:2]
    u = gpu.empty(36, out_channels, channels)
    filters = out_channels * channels
    gpu.launch("transform_filter", filters, gpu.contiguous(weight), u, filters)
    return u
