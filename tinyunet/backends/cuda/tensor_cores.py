"""3×3 convolution on tensor cores: one matrix product whose columns are never written down.

The direct algorithm, not Winograd: tf32 and bf16 round every factor to 10 and 7 bits, and Winograd
would enlarge that rounding about sevenfold. Legend: x (N, C, H, W), weight (O, C, 3, 3); packed x
(N, H, W, words) of uint32, a word being one channel in tf32 and two in bf16. A map is packed once,
for the forward pass, and kept for the backward pass; dy is packed for both its gradients. The
kernels are in backends/cuda/tensor.cuh and pack.cuh. Lesson: lessons/15-fast-on-a-gpu.md. Tested
equal to nn/conv2d.py on factors that are rounded beforehand.
"""

import numpy as np

from tinyunet.backends.cuda.reductions import ENOUGH_BLOCKS, row_sums

PER_WORD = {"tf32": 1, "bf16": 2}
CHUNK = 4  # words that are copied at once: a pixel has a multiple of them
COLUMNS = 128  # of a block's tile: pixels, or words of filters
PACK_PIXELS = 256  # of one block of pack_…
SLICE_PIXELS = 2048  # that a slice of the filters' gradient should have at least
DEPTH = 16  # words of k at a stage
SLICE_STAGES = 16  # that a slice of k should have at least
MOST_SLICES = 8
AT_ONCE = 264  # blocks that run at the same time: two on each of the 132 multiprocessors of an H100


def words_of(channels, precision):
    """Return how many words a pixel of `channels` takes, packed."""
    return -(-channels // (PER_WORD[precision] * CHUNK)) * CHUNK


def conv3x3(gpu, x, weight, bias, relu, precision):
    """Return y (N, O, H − 2, W − 2), clipped at zero if `relu`, and x packed, which is kept."""
    packed, _ = _packed(gpu, gpu.contiguous(x), None, precision, with_sums=False)
    filters = _packed_filters(gpu, weight, False, precision)
    bias = gpu.contiguous(bias)
    return _convolve(gpu, packed, filters, bias, 0, relu, precision), packed


def conv3x3_backward(gpu, dy, weight, y, packed, need_dx, precision):
    """Return (dx or None, dweight, dbias) for dy (N, O, H − 2, W − 2)."""
    dy, sums = _packed(gpu, gpu.contiguous(dy), y, precision, with_sums=True)
    dbias = row_sums(gpu, sums)
    dweight = _filter_gradient(gpu, dy, packed, weight.shape, precision)
    if not need_dx:
        return None, dweight, dbias
    # dx[i] = Σ w[a] · dy[i − a]: a convolution of dy, with 2 zeros around it, by the turned filter
    filters = _packed_filters(gpu, weight, True, precision)
    return _convolve(gpu, dy, filters, None, 2, False, precision), dweight, dbias


def _packed(gpu, x, y, precision, with_sums):
    """Return x packed, where y > 0 if there is a y, and (N, C, blocks) partial sums or None."""
    n, channels, h, w = x.shape
    words, blocks = words_of(channels, precision), -(-(h * w) // PACK_PIXELS)
    packed = gpu.empty(n, h, w, words, dtype=np.uint32)
    sums = gpu.empty(n, channels, blocks) if with_sums else None
    arguments = (x, y, packed, sums, channels, h * w, words)
    gpu.launch_blocks(f"pack_{precision}", n * blocks * -(-words // 32), *arguments)
    return packed, sums


def _packed_filters(gpu, weight, turned, precision):
    """Return the filters as (O, 9, words), or (C, 9, words) with each turned by half a turn."""
    out_channels, channels = weight.shape[:2]
    rows, depth = (channels, out_channels) if turned else (out_channels, channels)
    words = words_of(depth, precision)
    filters = gpu.empty(rows, 9, words, dtype=np.uint32)
    arguments = (gpu.contiguous(weight), filters, out_channels, channels, words, int(turned))
    gpu.launch(f"pack_filters_{precision}", filters.size, *arguments)
    return filters


def _convolve(gpu, x, filters, bias, pad, relu, precision):
    n, h, w, words = x.shape
    out_channels = len(filters)
    out_h, out_w = h + 2 * pad - 2, w + 2 * pad - 2
    y = gpu.empty(n, out_channels, out_h, out_w)
    rows, pixels = _rows(out_channels), n * out_h * out_w
    blocks = -(-out_channels // rows) * -(-pixels // COLUMNS)
    slices = _slices(blocks, -(-9 * words // DEPTH))
    name, sizes = f"conv_{precision}_{rows}", (n, words, h, w, out_channels, pad)
    if slices == 1:
        gpu.launch_blocks(name, blocks, x, filters, bias, y, *sizes, int(relu), 1)
        return y
    partial = gpu.empty(slices, n, out_channels, out_h, out_w)
    gpu.launch_blocks(name, blocks * slices, x, filters, None, partial, *sizes, 0, slices)
    maps = (n * out_channels, out_h * out_w)
    sizes = (maps[0], out_channels, maps[1], int(relu), slices)
    gpu.launch_maps("sum_outputs", *maps, partial, bias, y, *sizes)
    return y


def _slices(blocks, stages):
    """Return into how many slices of k the blocks of a small map are cut, to fill a GPU with them.

    The last blocks of a launch leave multiprocessors idle, all the more where there are few: the
    fewest slices are taken that leave less than a fifth idle, or else that leave least. A map with
    many blocks stays whole, since the slices would have to be written and read.
    """
    most = min(MOST_SLICES, stages // SLICE_STAGES, 2 * AT_ONCE // blocks + 1)
    idle = {s: 1 - blocks * s / (-(-blocks * s // AT_ONCE) * AT_ONCE) for s in range(1, most + 1)}
    good = [s for s, share in idle.items() if share < 0.2]
    return good[0] if good else min(idle, key=idle.get, default=1)


def _filter_gradient(gpu, dy, x, shape, precision):
    """Return dweight (O, C, 3, 3): slices of the pixels side by side, then their sum in order."""
    n, h, w, words = x.shape
    out_channels, channels = shape[:2]
    room, rows = words * PER_WORD[precision], _rows(out_channels)
    tiles = -(-out_channels // rows) * -(-9 * room // COLUMNS)
    pixels = n * (h - 2) * (w - 2)
    slices = max(1, min(ENOUGH_BLOCKS // tiles, pixels // SLICE_PIXELS))
    partial = gpu.empty(slices, out_channels, 9 * room)
    arguments = (dy, x, partial, n, words, h, w, out_channels, dy.shape[3], slices)
    gpu.launch_blocks(f"filters_{precision}_{rows}", tiles * slices, *arguments)
    dweight = gpu.empty(*shape)
    sizes = (slices, out_channels, channels, room)
    gpu.launch("sum_filter_slices", partial.size // slices, partial, dweight, *sizes)
    return dweight


def _rows(out_channels):
    """Return the rows of a block's tile: the smaller one where half of the larger was empty."""
    return 64 if out_channels <= 64 else 128
