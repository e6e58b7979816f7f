"""3×3 convolution of an image of few channels on the GPU, by its definition.

Legend: x (N, C, H, W), weight (O, C, 3, 3), y (N, O, H − 2, W − 2). The kernels are in
backends/cuda/direct.cu. Every function takes the `Gpu` it runs on first. Float32 in every
precision: it waits for memory anyway. Lesson: lessons/15-fast-on-a-gpu.md.
"""

from tinyunet.backends.cuda import winograd
from tinyunet.backends.cuda.reductions import ENOUGH_BLOCKS, SLICE_NUMBERS, sum_slices

CHANNELS = 4  # at most
GROUP = 16  # output channels a thread


def conv3x3(gpu, x, weight, bias, relu):
    """Return y (N, O, H − 2, W − 2), clipped at zero if `relu`, and x, which is kept."""
    n, channels, h, w = x.shape
    out_channels = len(weight)
    y = gpu.empty(n, out_channels, h - 2, w - 2)
    arrays = (gpu.contiguous(a) for a in (x, weight, bias))
    maps = (n * -(-out_channels // GROUP), (h - 2) * (w - 2))
    gpu.launch_maps("direct_forward", *maps, *arrays, y, channels, h, w, out_channels, int(relu))
    return y, x


def conv3x3_backward(gpu, dy, weight, y, x, need_dx=True):
    """Return (dx or None, dweight, dbias) for dy (N, O, H − 2, W − 2).

    The gradient of an image is a rare wish: where it is asked for, Winograd does it all.
    """
    if need_dx:
        return winograd.conv3x3_backward(gpu, dy, weight, y, (x, None))
    n, channels, h, w = x.shape
    out_channels = len(weight)
    blocks, pixels = out_channels * channels, (h - 2) * (w - 2)
    slices = max(1, min(ENOUGH_BLOCKS // blocks, pixels // SLICE_NUMBERS))
    partial, partial_bias = gpu.empty(slices, *weight.shape), gpu.empty(slices, out_channels)
    arrays = (gpu.contiguous(dy), y, gpu.contiguous(x), partial, partial_bias)
    sizes = (n, channels, h, w, out_channels, slices)
    gpu.launch_blocks("direct_filter_gradient", blocks * slices, *arrays, *sizes)
    return None, sum_slices(gpu, partial), sum_slices(gpu, partial_bias)
