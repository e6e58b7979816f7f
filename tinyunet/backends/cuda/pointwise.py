"""The 1×1 convolution on the GPU: one matrix product an image.

Legend: x (N, C, H, W), weight (O, C, 1, 1), y (N, O, H, W). Every function takes the `Gpu` it runs
on first. Lesson: lessons/15-fast-on-a-gpu.md. Tested equal to nn/conv2d.py.
"""

from tinyunet.backends.cuda.reductions import product_over_pixels, row_sums


def conv1x1(gpu, x, weight, bias, relu):
    """Return y (N, O, H, W), clipped at zero if `relu`, and x, which is kept."""
    n, channels, h, w = x.shape
    out_channels = len(weight)
    x = gpu.contiguous(x)
    matrix = for_each(gpu, weight.reshape(out_channels, channels), n)
    y = gpu.product(matrix, x.reshape(n, channels, h * w))
    maps = (n * out_channels, h * w)
    gpu.launch_maps("add_bias", *maps, y, gpu.contiguous(bias), out_channels, h * w, int(relu))
    return y.reshape(n, out_channels, h, w), x


def conv1x1_backward(gpu, dy, weight, y, x, need_dx=True):
    """Return (dx or None, dweight, dbias) for dy (N, O, H, W); y None if there was no ReLU."""
    n, channels, h, w = x.shape
    out_channels = len(weight)
    dy = gpu.contiguous(dy)
    if y is not None:
        dy = relu_gradient(gpu, dy, y)
    dweight = product_over_pixels(gpu, dy, x).reshape(weight.shape)
    dy = dy.reshape(n, out_channels, h * w)
    dbias = row_sums(gpu, dy)
    if not need_dx:
        return None, dweight, dbias
    matrix = for_each(gpu, weight.reshape(out_channels, channels), n)
    return gpu.product(matrix, dy, transpose_a=True).reshape(n, channels, h, w), dweight, dbias


def for_each(gpu, matrix, n):
    """Return a view of `matrix` (rows, columns) that has it once for each of n images."""
    return gpu.xp.broadcast_to(gpu.contiguous(matrix), (n, *matrix.shape))


def relu_gradient(gpu, dy, y):
    """Return dy where y > 0, else 0."""
    dx = gpu.empty(*dy.shape)
    gpu.launch("relu_gradient", dy.size, dy, y, dx, dy.size)
    return dx
