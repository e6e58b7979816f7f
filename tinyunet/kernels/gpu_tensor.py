"""3×3 convolution on tensor cores: one matrix product whose columns are never written down.

The direct algorithm, not Winograd: tf32 and bf16 round every factor to 10 and 7 bits, and Winograd
would enlarge that rounding about sevenfold. Legend: x (N, C, H, W), weight (O, C, 3, 3). The
kernels are in kernels/cuda/tensor.cuh. Lesson: lessons/15-fast-on-a-gpu.md. Tested equal to
ops/conv2d.py on factors that are rounded beforehand.
"""

from functools import partial

from tinyunet.kernels.gpu_conv import relu_gradient, row_sums

BLOCK_PIXELS = 128  # one block makes 64 or 128 channels of 128 pixels
FILTER_CHANNELS = 64  # and, of the filters' gradient, 64 × 128
SLICE_PIXELS = 2048  # pixels a slice of the filters' gradient should have at least
ENOUGH_BLOCKS = 528  # four for each of an H200's 132 multiprocessors


def convolutions(precision):
    """Return (forward, backward) in "tf32" or "bf16"; arguments as in gpu_conv."""
    return partial(conv3x3, precision=precision), partial(conv3x3_backward, precision=precision)


def conv3x3(gpu, x, weight, bias, relu, *, precision):
    """Return y (N, O, H − 2, W − 2), clipped at zero if `relu`."""
    filters = _arranged(gpu, weight, turned=False)
    return _convolve(gpu, x, filters, gpu.contiguous(bias), len(weight), 0, relu, precision)


def conv3x3_backward(gpu, dy, x, weight, y, need_dx=True, *, precision):
    """Return (dx or None, dweight, dbias) for dy (N, O, H − 2, W − 2); y as in gpu_conv."""
    n, out_channels, h, w = dy.shape
    x, dy = gpu.contiguous(x), gpu.contiguous(dy)
    if y is not None:
        dy = relu_gradient(gpu, dy, y)
    dbias = row_sums(gpu, dy.reshape(n, out_channels, h * w))
    dweight = _filter_gradient(gpu, dy, x, weight.shape, precision)
    if not need_dx:
        return None, dweight, dbias
    # dx[i] = Σ w[a] · dy[i − a]: a convolution of dy, with 2 zeros around it, by the turned filter
    filters = _arranged(gpu, weight, turned=True)
    dx = _convolve(gpu, dy, filters, None, weight.shape[1], 2, False, precision)
    return dx, dweight, dbias


def _arranged(gpu, weight, turned):
    """Return the filters as a matrix (9·C, O), or (9·O, C) with each turned by half a turn."""
    out_channels, channels = weight.shape[:2]
    rows, columns = (out_channels, channels) if turned else (channels, out_channels)
    filters = gpu.empty(9 * rows, columns)
    arguments = (gpu.contiguous(weight), filters, out_channels, channels, int(turned))
    gpu.launch("arrange_filters", filters.size, *arguments)
    return filters


def _convolve(gpu, x, filters, bias, out_channels, pad, relu, precision):
    n, channels, h, w = x.shape
    x = gpu.contiguous(x)
    y = gpu.empty(n, out_channels, h + 2 * pad - 2, w + 2 * pad - 2)
    size = 64 if out_channels <= 64 else 128
    blocks = -(-out_channels // size) * -(-(y.size // out_channels) // BLOCK_PIXELS)
    arguments = (x, filters, bias, y, n, channels, h, w, out_channels, pad, int(relu))
    gpu.launch_blocks(f"conv_{precision}_{size}", blocks, *arguments)
    return y


def _filter_gradient(gpu, dy, x, shape, precision):
    """Return dweight (O, C, 3, 3): slices of the pixels side by side, then their sum in order."""
    n, channels, h, w = x.shape
    out_channels = shape[0]
    tiles = -(-out_channels // FILTER_CHANNELS) * -(-9 * channels // BLOCK_PIXELS)
    pixels = n * (h - 2) * (w - 2)
    slices = max(1, min(ENOUGH_BLOCKS // tiles, pixels // SLICE_PIXELS))
    partial_sums = gpu.empty(slices, out_channels, 9 * channels)
    arguments = (dy, x, partial_sums, n, channels, h, w, out_channels, slices)
    gpu.launch_blocks(f"filters_{precision}", tiles * slices, *arguments)
    dweight = gpu.empty(*shape)
    gpu.launch("sum_slices", dweight.size, partial_sums, dweight, slices, dweight.size)
    return dweight
