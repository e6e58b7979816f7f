"""3×3 convolution with bias and ReLU through Winograd F(4×4, 3×3), forward and whole backward.

Lesson: lessons/14-fast-on-a-cpu.md. Source: Lavin and Gray, arXiv 1509.09308; Cook and Toom's
construction. Arrays are channels last: x (N, H, W, C), y (N, Ho, Wo, K), weight (K, C, 3, 3).

Four outputs in a row need 12 multiplications directly and 6 here, so a 4×4 tile needs 36 instead
of 144:  y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A  for a 6×6 input tile d and a 3×3 filter g. With all tiles
and channels, the ⊙ becomes 36 matrix products, one a position:  M[p] = V[p] · U[p]  with
V (T, 36, C), U (36, C, K), M (T, 36, K). The backward is the adjoint of each linear step:

    dM = A dy Aᵀ     dU[p] = V[p]ᵀ · dM[p]     dweight = Gᵀ dU G
                     dV[p] = dM[p] · U[p]ᵀ     dx = overlapping sum of B dV Bᵀ

V is made again in the backward: keeping it would take 2.25 times the memory of x.
"""

import numpy as np

from tinyunet.kernels import threads
from tinyunet.kernels.jit import jit
from tinyunet.kernels.vector import LANES, NONE
from tinyunet.kernels.winograd_filters import filter_gradient, transform_filters
from tinyunet.kernels.winograd_products import ROWS, add_transposed, multiply
from tinyunet.kernels.winograd_tiles import (
    gather_gradients,
    gather_inputs,
    scatter_gradients,
    scatter_outputs,
)
from tinyunet.kernels.workspace import empty

# V and M of the tiles worked on at a time, 36·(C + K) floats each, should stay in the second-level
# cache with room to spare (1 MB a core where this was measured: 12 tiles or 192 at 16 channels take
# 1.1 and 1.3 times as long as 48 to 108). But U and dU pass by once for each block, so with many
# channels more tiles must share them: at 256→256 channels, 96 tiles take 0.8 of the time of 24.
BLOCK_BYTES = 2**19
LEAST_TILES = 24
PAIRS_PER_TILE = 384
MANY_PAIRS = 2**16  # of channels: from here on U is 9 MB or more
PANEL = 64  # channels worked on at a time there
FEW_PAIRS = 2**13  # of channels: less is not worth waking a thread for


def conv3x3_relu(x, weight, bias):
    """y (N, Ho, Wo, K) = max(0, x ⋆ weight + bias) for x (N, H, W, C), all float32, C-ordered."""
    n, height, width, _ = x.shape
    y = empty((n, height - 2, width - 2, len(weight)))
    padded = np.zeros(sixteens(len(weight)), np.float32)
    padded[: len(weight)] = bias
    forward = _forward_by_channels if many_channels(x.shape, weight) else _forward_by_tiles
    forward(x, weight, padded, y)
    return y


def conv3x3_relu_backward(dy, x, weight, y, need_dx=True):
    """(dx or None, dweight, dbias) for dy (N, Ho, Wo, K), given conv3x3_relu's x, weight and y."""
    dx = empty(x.shape) if need_dx else None
    dweight = np.empty_like(weight)
    backward = _backward_by_channels if many_channels(x.shape, weight) else _backward_by_tiles
    dbias = backward(dy, x, weight, y, dx, dweight)
    return dx, dweight, dbias[: len(weight)].astype(np.float32)


def tile_grid(shape):
    """(rows of tiles in the whole batch, tiles in a row) for an input of this shape."""
    n, height, width, _ = shape
    return n * ((height + 1) // 4), (width + 1) // 4


def many_channels(shape, weight):
    """Whether to share out the channels, and not the tiles, to the threads.

    Each thread then transforms the filters of its own panels of channels only, and reads all of V.
    That pays where U would not stay in the cache, and where there are so few tiles that U is larger
    than V and M together: at the bottom of the U, a map of 10×10 outputs has three rows of tiles.
    """
    out_channels, channels = weight.shape[:2]
    rows, tiles = tile_grid(shape)
    return channels * out_channels >= min(MANY_PAIRS, rows * tiles * (channels + out_channels))


def sixteens(channels):
    """`channels` filled up to whole vectors."""
    return -(-channels // LANES) * LANES


def tile_buffer(tiles, channels):
    """Memory for V, M or a gradient of theirs, of `tiles` filled up to whole blocks."""
    return empty((-(-tiles // ROWS) * ROWS, 36, sixteens(channels)))


def filters(weight, first, last):
    """U (36, panels, C, 16) of weight (3, 3, C, K), channels K from `first` to `last` - 1."""
    U = empty((36, sixteens(last - first) // LANES, weight.shape[2], LANES))
    transform_filters(weight, first, last, 0, weight.shape[2], U)
    return U


def all_filters(weight):
    """`filters` for all channels K, the work shared out to the threads."""
    channels, out_channels = weight.shape[2:]
    U = empty((36, sixteens(out_channels) // LANES, channels, LANES))

    def work(_, share):
        for c0, c1 in share:
            transform_filters(weight, 0, out_channels, c0, c1, U)

    threads.run(work, threads.cut(channels, at_least=FEW_PAIRS // out_channels))
    return U


def taps_first(weight):
    """weight (K, C, 3, 3) as (3, 3, C, K), the form for the forward."""
    return weight.transpose(2, 3, 1, 0)


def taps_first_transposed(weight):
    """weight (K, C, 3, 3) as (3, 3, K, C), the form for dx: Uᵀ."""
    return weight.transpose(2, 3, 0, 1)


def tiles_at_a_time(weight):
    """How many tiles go through all stages while they are in the cache."""
    out_channels, channels = weight.shape[:2]
    fitting = BLOCK_BYTES // (4 * 36 * (channels + out_channels))
    worth_it = channels * out_channels // PAIRS_PER_TILE
    return max(LEAST_TILES, fitting, worth_it) // ROWS * ROWS


# Few channels: each thread takes its tiles, some at a time, through all three stages --------------
@jit
def forward_tiles(x, U, bias, first, last, V, M, y):
    """y of tiles first … last - 1, as many at a time as V has room for."""
    for start in range(first, last, V.shape[0]):
        stop = min(start + V.shape[0], last)
        gather_inputs(x, start, stop, start, V)
        multiply(V, U, stop - start, M)
        scatter_outputs(M, bias, start, stop, NONE, y)


def _forward_by_tiles(x, weight, bias, y):
    rows, tiles = tile_grid(x.shape)
    U = all_filters(taps_first(weight))

    def work(_, share):
        for first, last in share:
            n = min(tiles_at_a_time(weight), (last - first) * tiles)
            V, M = tile_buffer(n, x.shape[3]), tile_buffer(n, len(weight))
            forward_tiles(x, U, bias, first * tiles, last * tiles, V, M, y)

    threads.run(work, threads.cut(rows))


@jit
def backward_tiles(dy, x, y, U, first, last, clear, V, dM, dU, dbias, dx):
    """Add what tiles first … last - 1 contribute to dU, dbias and (if U is not empty) dx.

    Rows of dx are cleared, counted through the batch, up to row `clear[1]` from `clear[0]` on.
    """
    height = x.shape[1]
    tile_rows, tiles = (height + 1) // 4, (x.shape[2] + 1) // 4
    sums = np.empty(dM.shape[2], np.float32)
    cleared = clear[0]
    for start in range(first, last, V.shape[0]):
        stop = min(start + V.shape[0], last)
        sums[:] = np.float32(0)
        gather_gradients(dy, y, start, stop, start, dM, sums)
        for k in range(sums.shape[0]):
            dbias[k] += sums[k]
        gather_inputs(x, start, stop, start, V)
        add_transposed(dM, V, stop - start, NONE, dM.shape[2], dU)
        if U.size:
            multiply(dM, U, stop - start, V)  # V is done with: now it is dV
            row = (stop - 1) // tiles
            reached = row // tile_rows * height + min(4 * (row % tile_rows) + 6, height)
            cleared = clear_rows(dx, cleared, min(reached, clear[1]))
            scatter_gradients(V, start, stop, NONE, dx)
    if U.size:
        clear_rows(dx, cleared, clear[1])


@jit
def clear_rows(dx, first, last):
    """Zero rows first … last - 1, counted through the batch; return the first not yet cleared."""
    row = dx.shape[2] * dx.shape[3]
    dx.reshape(-1)[first * row : last * row] = np.float32(0)
    return max(first, last)


def _backward_by_tiles(dy, x, weight, y, dx, dweight):
    out_channels, channels = weight.shape[:2]
    rows, tiles = tile_grid(x.shape)
    shares = threads.cut(rows, at_least=2)  # the last row of each is done apart, see below
    U = np.empty((36, 0, 1, LANES), np.float32)
    if dx is not None:
        U = all_filters(taps_first_transposed(weight))
    n = min(tiles_at_a_time(weight), max(last - first for first, last in shares) * tiles)
    V = [tile_buffer(n, channels) for _ in shares]
    dM = [tile_buffer(n, out_channels) for _ in shares]
    dU = [empty((36, dM[0].shape[2], V[0].shape[2])) for _ in shares]
    dbias = np.zeros((len(shares), dM[0].shape[2]))
    target = x if dx is None else dx

    def work(lane, first, last, clear):
        backward_tiles(
            dy,
            x,
            y,
            U,
            first * tiles,
            last * tiles,
            clear,
            V[lane],
            dM[lane],
            dU[lane],
            dbias[lane],
            target,
        )

    def start(row):
        """The first row of dx, counted through the batch, that a row of tiles needs."""
        per_image = rows // len(x)
        return row // per_image * x.shape[1] + 4 * (row % per_image)

    def all_but_last_row(lane, share):
        ((first, last),) = share
        dU[lane][:] = 0
        work(lane, first, last - 1, (start(first), start(last)))

    def last_row(lane, share):
        ((_, last),) = share
        work(lane, last - 1, last, (0, 0))

    def finish(_, share):
        for k0, k1 in share:
            total = dU[0][:, k0:k1]
            for other in dU[1:]:
                total += other[:, k0:k1]
            filter_gradient(dU[0], k0, k1, 0, dweight)

    # The last row of tiles of a share adds to two rows of dx that the next share adds to as well:
    # it waits until that is over.
    threads.run(all_but_last_row, shares)
    threads.run(last_row, shares)
    threads.run(finish, threads.cut(out_channels, at_least=FEW_PAIRS // channels))
    return dbias.sum(axis=0)


# Many channels: V whole, each thread takes panels of channels -------------------------------------
def _forward_by_channels(x, weight, bias, y):
    rows, tiles = tile_grid(x.shape)
    V = tile_buffer(rows * tiles, x.shape[3])

    def gather(_, share):
        for first, last in share:
            gather_inputs(x, first * tiles, last * tiles, 0, V)

    def outputs(_, share):
        for k0, k1 in share:
            M = tile_buffer(rows * tiles, k1 - k0)
            multiply(V, filters(taps_first(weight), k0, k1), len(V), M)
            scatter_outputs(M, bias[k0 : k0 + M.shape[2]], 0, rows * tiles, k0, y)

    threads.run(gather, threads.cut(rows))
    threads.run(outputs, cut_channels(len(weight)))


def cut_channels(channels):
    """Cut `channels` into ranges of whole vectors, of at most PANEL."""
    return [
        (LANES * first, min(LANES * last, channels))
        for first, last in threads.cut(-(-channels // LANES), PANEL // LANES)
    ]


def _backward_by_channels(dy, x, weight, y, dx, dweight):
    out_channels, channels = weight.shape[:2]
    rows, tiles = tile_grid(x.shape)
    V = tile_buffer(rows * tiles, channels)
    dM = tile_buffer(rows * tiles, out_channels)
    dbias = np.zeros((rows, dM.shape[2]), np.float32)

    def gather(_, share):
        for first, last in share:
            gather_inputs(x, first * tiles, last * tiles, 0, V)
            for row in range(first, last):
                place = row * tiles
                gather_gradients(dy, y, place, place + tiles, 0, dM, dbias[row])

    def filter_gradients(_, share):
        for k0, k1 in share:
            dU = empty((36, sixteens(k1 - k0), V.shape[2]))
            dU[:] = 0
            add_transposed(dM, V, rows * tiles, k0, k0 + dU.shape[1], dU)
            filter_gradient(dU, 0, k1 - k0, k0, dweight)

    def inputs(_, share):
        for c0, c1 in share:
            dV = tile_buffer(rows * tiles, c1 - c0)
            multiply(dM, filters(taps_first_transposed(weight), c0, c1), len(dM), dV)
            scatter_gradients(dV, 0, rows * tiles, c0, dx)

    threads.run(gather, threads.cut(rows))
    threads.run(filter_gradients, cut_channels(out_channels))
    if dx is not None:
        dx[:] = 0
        threads.run(inputs, cut_channels(channels))
    return dbias.sum(axis=0)
