"""3×3 convolution of few channels on the GPU: Winograd F(4×4, 3×3) in one kernel a pass.

Legend: x (N, C, H, W), weight (O, C, 3, 3), y (N, O, H − 2, W − 2), T tiles of 4×4 outputs. The
kernels are in backends/cuda/fused.cu; the numbers of winograd.py's v and m stay inside them.

    forward     y = Aᵀ (u · v) A;  the 2×2 maxima of a pooling come with it
    backward    dx is the forward kernel on dy, padded by 2, with turned filters;
                dweight and dbias are sums over tiles, in slices that are added up in order

Every function takes the `Gpu` it runs on first. Lesson: lessons/15-fast-on-a-gpu.md. Tested equal
to nn/conv2d.py.
"""

from tinyunet.backends.cuda.reductions import sum_slices
from tinyunet.backends.cuda.winograd import tile_counts

MOST_FILTERS = 32 * 64  # O · C, and
FEWEST_TILES = 4096  # where this is faster than winograd.py: see is_faster
DEPTH = 4  # channels of a chunk
IN = 16  # channels of x that a block of the filters' gradient takes
AT_ONCE = 264  # blocks that run at the same time: two on each of the 132 multiprocessors of an H100
SLICE_TILES = 32  # that a slice of the filters' gradient should have at least
ROUND = 16  # slices that are added up at once


def is_faster(x, weight):
    """Return whether this way is faster than winograd.py, by counts and not measured.

    The 36 numbers of a tile and channel that are not written and read are most of winograd.py's
    time where channels are few. With many, its products by cuBLAS take longer than that, and here
    patches would be transformed again for every group of output channels. A block's sums take as
    long whatever there is to do beside it: a small map has too few blocks to fill a GPU.
    benchmarks/README.md has the counts.
    """
    n, _, h, w = x.shape
    rows, columns = tile_counts(h - 2, w - 2)
    return weight.shape[0] * weight.shape[1] <= MOST_FILTERS and n * rows * columns >= FEWEST_TILES


def conv3x3(gpu, x, weight, bias, relu):
    """Return y (N, O, H − 2, W − 2), clipped at zero if `relu`, and x, which is kept."""
    y = gpu.empty(len(x), len(weight), x.shape[2] - 2, x.shape[3] - 2)
    x = gpu.contiguous(x)
    _convolve(gpu, x, weight, gpu.contiguous(bias), y, None, relu)
    return y, x


def conv3x3_max_pool(gpu, x, weight, bias):
    """Return y, clipped at zero, its 2×2 maxima, and x; y must be of even size."""
    n, _, h, w = x.shape
    y = gpu.empty(n, len(weight), h - 2, w - 2)
    pooled = gpu.empty(n, len(weight), h // 2 - 1, w // 2 - 1)
    x = gpu.contiguous(x)
    _convolve(gpu, x, weight, gpu.contiguous(bias), y, pooled, True)
    return y, pooled, x


def conv3x3_backward(gpu, dy, weight, y, x, need_dx=True):
    """Return (dx or None, dweight, dbias) for dy (N, O, H − 2, W − 2)."""
    dy = gpu.contiguous(dy)
    masked = gpu.empty(*dy.shape) if need_dx and y is not None else None
    dweight, dbias = _filter_gradient(gpu, dy, weight.shape, y, x, masked)
    if not need_dx:
        return None, dweight, dbias
    # dx[i] = Σ w[a] · dy[i − a]: a convolution of dy, with 2 zeros around it, by the turned filter
    dx = gpu.empty(*x.shape)
    _convolve(gpu, dy if masked is None else masked, weight, None, dx, None, False)
    return dx, dweight, dbias


def block_of(out_channels):
    """Return the output channels of a block: the smaller one where half of the larger was empty."""
    return 16 if out_channels <= 16 else 32


def _convolve(gpu, x, weight, bias, y, pooled, relu):
    """Fill y, and pooled if it is not None; with turned filters if y is higher than x."""
    n, channels, h, w = x.shape
    out_channels, out_h, out_w = y.shape[1:]
    pad = (out_h + 2 - h) // 2
    block = block_of(out_channels)
    u = _filters(gpu, weight, out_channels, channels, block, turned=pad > 0)
    rows, columns = tile_counts(out_h, out_w)
    blocks = -(-out_channels // block) * -(-(n * rows * columns) // (512 // block))
    sizes = (n, channels, h, w, out_channels, pad, int(relu))
    gpu.launch_blocks(f"fused_conv_{block}", blocks, x, u, bias, y, pooled, *sizes)


def _filters(gpu, weight, out_channels, channels, block, turned):
    """Return u, a row for each chunk of channels and each block's output channels."""
    chunks = -(-out_channels // block) * -(-channels // DEPTH)
    u = gpu.empty(chunks, 36, DEPTH, block)
    size = u.size // 36
    sizes = (out_channels, channels, block, int(turned), size)
    gpu.launch("fused_filters", size, gpu.contiguous(weight), u, *sizes)
    return u


def _filter_gradient(gpu, dy, shape, y, x, masked):
    """Return dweight (O, C, 3, 3) and dbias (O,): slices of the tiles, then their sum in order.

    Where y > 0 is a mask, `masked`, if it is not None, gets dy with it applied: dx needs it too.
    """
    n, channels, h, w = x.shape
    out_channels, filters = shape[0], shape[0] * shape[1]
    rows, columns = tile_counts(h - 2, w - 2)
    block = block_of(out_channels)
    blocks = -(-out_channels // block) * -(-channels // IN)
    slices = slices_of(n * rows * columns, blocks)
    partial = gpu.empty(slices, 36 * filters + out_channels)
    sizes = (n, channels, h, w, out_channels, slices)
    arrays = (dy, y, x, partial, masked)
    gpu.launch_blocks(f"fused_gradient_{block}", blocks * slices, *arrays, *sizes)
    if slices > ROUND:  # in two rounds: a thread's loads, one after another, are as many as slices
        partial = sum_slices(gpu, partial.reshape(ROUND, slices // ROUND, -1))
    sums = sum_slices(gpu, partial)
    dweight = gpu.empty(*shape)
    gpu.launch("filter_gradient", filters, sums[: 36 * filters], dweight, filters, 1)
    return dweight, sums[36 * filters :]


def slices_of(tiles, blocks):
    """Return into how many slices `tiles` are cut where one takes `blocks` blocks.

    More than `ROUND` are a multiple of it.
    """
    slices = max(1, min(AT_ONCE // blocks, tiles // SLICE_TILES))
    return slices if slices <= ROUND else slices // ROUND * ROUND
