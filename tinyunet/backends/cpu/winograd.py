"""3×3 convolution with bias and ReLU through Winograd F(4×4, 3×3), forward and whole backward.

Lesson: lessons/14-fast-on-a-cpu.md. Source: Lavin and Gray, arXiv 1509.09308; Cook and Toom's
construction. Arrays are channels last: x (N, H, W, C), y (N, Ho, Wo, K), weight (K, C, 3, 3).

Four outputs in a row need 12 multiplications directly and 6 here, so a 4×4 tile needs 36 instead
of 144:  y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A  for a 6×6 input tile d and a 3×3 filter g. With all tiles
and channels, the ⊙ becomes 36 matrix products, one a position:  M[p] = V[p] · U[p]  with
V (T, 36, C), U (36, C, K), M (T, 36, K). The backward pass is the adjoint of each linear step:

    dM = A dy Aᵀ     dU[p] = V[p]ᵀ · dM[p]     dweight = Gᵀ dU G
                     dV[p] = dM[p] · U[p]ᵀ     dx = overlapping sum of B dV Bᵀ

V is made again in the backward pass: keeping it would take 2.25 times the memory of x. The stages
are in `winograd_transforms.py` and `products.py`. Here they are put together, in two ways:

    by tiles     U at once; then each thread takes its tiles, some at a time, through all stages, so
                 that V and M never leave the cache
    by channels  V at once; then each thread takes its output channels, some at a time, through all
                 stages: the transform of the filters, the products, the transform of the outputs

    V, M    (T, 36·C + 16)     a row for each tile: all channels of the first position, the next …
    U       (36, C·K + 16)     panels of sixteen of the K channels, in each a row for each of the C
    dU      (pieces, 36, K·C + 16)     a row of C for each of the K

C and K are rounded up to sixteen. The sixteen numbers at the end nobody uses. Without them the rows
would lie a multiple of 4096 bytes apart for most numbers of channels, and a cache has eight places
only for numbers as far apart as that: what goes to or comes from 36 rows or many tiles, one after
the other, would fall out of it. Where this was measured the products over the tiles took twice as
long.
"""

from itertools import zip_longest

import numpy as np

from tinyunet._workspace import empty
from tinyunet.backends.cpu import threads
from tinyunet.backends.cpu.products import ROWS
from tinyunet.backends.cpu.tracing import round_up
from tinyunet.backends.cpu.vector import VECTOR
from tinyunet.backends.cpu.winograd_products import (
    FILTERS,
    INPUTS,
    OUTPUTS,
    gather_rows,
    input_gradient,
    outputs,
    tile_gradients,
    weight_gradient,
)

MANY_PAIRS = 2**16  # of channels: from here on U is 9 MB or more
FEW_PAIRS = 2**13  # of channels: transforming less is not worth waking a thread for

# V and M of the tiles worked on at a time, 36·(C + K) floats each, should stay in the second-level
# cache with room to spare (1 MB a core where this was measured: 12 tiles or 192 at 16 channels take
# 1.1 and 1.3 times as long as 48 to 108). But U and dU pass by once for each block, so with many
# channels more tiles must share them: at 256→256 channels, 96 tiles take 0.8 of the time of 24.
BLOCK_BYTES = 2**19
LEAST_TILES = 24
PAIRS_PER_TILE = 384

# By channels, so many at a time. Their filters, 36·C numbers each, had best stay in the cache until
# they are used; but each panel reads all of V, so where that is large fewer panels are better: 16
# instead of 64 takes 0.8 of the time for 1024 channels and 49 tiles, and 1.3 for 512 channels and
# 256 tiles.
PANEL = 64
SMALL_PANEL = 16
LARGE = 2**23  # bytes of V


def conv3x3_relu(x, weight, bias):
    """y (N, Ho, Wo, K) = max(0, x ⋆ weight + bias) for x (N, H, W, C), all float32, C-ordered."""
    return _forward(x, weight, bias, pool=False)[0]


def conv3x3_relu_max_pool(x, weight, bias):
    """(y, pooled) with pooled (N, Ho/2, Wo/2, K), the largest of each 2×2 window of y."""
    return _forward(x, weight, bias, pool=True)


def _forward(x, weight, bias, pool):
    n, height, width, _ = x.shape
    y = empty((n, height - 2, width - 2, len(weight)))
    pooled = empty((n if pool else 0, y.shape[1] // 2, y.shape[2] // 2, len(weight)))
    filled = np.zeros(round_up(len(weight), VECTOR), np.float32)
    filled[: len(weight)] = bias
    forward, _ = choose_algorithm(x.shape, weight)
    forward(x, weight, filled, y, pooled)
    return y, pooled


def conv3x3_relu_backward(dy, x, weight, y, need_dx=True):
    """(dx or None, dweight, dbias) for dy (N, Ho, Wo, K), given conv3x3_relu's x, weight and y."""
    out_channels = len(weight)
    dx = empty(x.shape if need_dx else (0, *x.shape[1:]))
    dweight = empty(weight.shape)
    # a sum for each row of tiles, then their sum: the same in whatever way the work is shared out
    dbias = np.zeros((tile_grid(x.shape)[0], round_up(out_channels, VECTOR)), np.float32)
    _, backward = choose_algorithm(x.shape, weight)
    backward(dy, x, weight, y, dx, dweight, dbias)
    dbias = dbias.sum(axis=0, dtype=np.float64)[:out_channels].astype(np.float32)
    return (dx if need_dx else None), dweight, dbias


def choose_algorithm(shape, weight):
    """BY_TILES or BY_CHANNELS, whichever is faster for x of this shape.

    By channels pays where U would not stay in the cache, and where there are so few tiles that U is
    larger than V and M together: at the bottom of the U, a map of 10×10 outputs has three rows of
    tiles.
    """
    out_channels, channels = weight.shape[:2]
    rows, tiles = tile_grid(shape)
    pairs, few_tiles = channels * out_channels, rows * tiles * (channels + out_channels)
    return BY_TILES if pairs < min(MANY_PAIRS, few_tiles) else BY_CHANNELS


# Forward ------------------------------------------------------------------------------------------
def forward_by_tiles(x, weight, bias, y, pooled):
    """y = max(0, x ⋆ weight + bias); pooled, unless it is empty, the largest of each 2×2 window."""
    out_channels, channels = weight.shape[:2]
    rows, tiles = tile_grid(x.shape)
    shares = cut_rows(rows, tiles, weight)
    n = min(tiles_at_a_time(weight), tiles * max(last - first for first, last in shares))
    U = filter_buffer(channels, out_channels)
    V, M = tile_buffer(n, channels, len(shares)), tile_buffer(n, out_channels, len(shares))

    def run(thread, todo, part, k):
        outputs(1, todo, *part, *k, x, weight, bias, U, V[thread], M[thread], y, pooled)

    def transform(_, share):
        for k in share:
            run(0, FILTERS, (0, 0), k)  # V and M are not touched

    def compute(thread, share):
        for first, last in share:
            run(thread, INPUTS | OUTPUTS, (first * tiles, last * tiles), (0, out_channels))

    threads.run(transform, cut_channels(out_channels, FEW_PAIRS // channels))
    threads.run(compute, shares)


def forward_by_channels(x, weight, bias, y, pooled):
    """The same, by channels."""
    out_channels, channels = weight.shape[:2]
    rows, tiles = tile_grid(x.shape)
    shares, panel = cut_channels(out_channels), panel_size(rows * tiles, channels)
    U = [filter_buffer(channels, panel) for _ in shares]
    V, M = tile_buffer(rows * tiles, channels), tile_buffer(rows * tiles, panel, len(shares))

    def run(thread, todo, part, k):
        outputs(0, todo, *part, *k, x, weight, bias, U[thread], V, M[thread], y, pooled)

    def transform(_, share):
        for first, last in share:
            run(0, INPUTS, (first * tiles, last * tiles), (0, 1))

    def compute(thread, share):
        for k in share:
            run(thread, FILTERS | OUTPUTS, (0, rows * tiles), k)

    threads.run(transform, threads.cut(rows))
    threads.run(compute, shares)


# Backward -----------------------------------------------------------------------------------------
def backward_by_tiles(dy, x, weight, y, dx, dweight, dbias):
    """Write dx (unless it is empty), dweight and the bias gradient of each row of tiles.

    The rows of tiles are cut into pieces, as many with any number of threads, and each piece has a
    dU of its own: so the sum of all dU does not depend on the threads.
    """
    out_channels, channels = weight.shape[:2]
    rows, tiles = tile_grid(x.shape)
    work = 2 * 36 * rows * tiles * weight.size // 9
    n_pieces = threads.pieces(rows * tiles, min(rows, work // threads.LITTLE))
    shares = threads.cut(n_pieces)
    n = min(tiles_at_a_time(weight), tiles * -(-rows // n_pieces))
    V, dM = tile_buffer(n, channels, len(shares)), tile_buffer(n, out_channels, len(shares))
    U, dU = filter_buffer(out_channels, channels), gradient_buffer(n_pieces, out_channels, channels)
    halo = np.empty((len(shares), 1, dbias.shape[1]), np.float32)

    def transform(_, share):
        for first, last in share:
            input_gradient(dM[0], weight, 0, first, last, U, first * out_channels, V[0], dx)

    def compute(thread, share):
        for first, last in share:
            buffers = V[thread], dM[thread], dU, halo[thread], dbias
            tile_gradients(dy, x, y, U, first, last, *buffers, dx)

    def finish(_, share):
        for first, last in share:
            weight_gradient(dM[0], V[0], 0, first, last, dU, dweight)

    if dx.size:
        threads.run(transform, cut_channels(channels, FEW_PAIRS // out_channels))
    threads.run(compute, shares)
    threads.run(finish, threads.cut(out_channels, at_least=FEW_PAIRS // channels))


def backward_by_channels(dy, x, weight, y, dx, dweight, dbias):
    """The same, by channels: each sum over the tiles is made by one thread."""
    out_channels, channels = weight.shape[:2]
    rows, tiles = tile_grid(x.shape)
    n = rows * tiles
    by_outputs, by_inputs = cut_channels(out_channels), cut_channels(channels) if dx.size else []
    panels = [panel_size(n, c) for c in (channels, out_channels)]
    V, dM = tile_buffer(n, channels), tile_buffer(n, out_channels)
    dU = [gradient_buffer(1, panels[0], channels) for _ in by_outputs]
    U = [filter_buffer(out_channels, panels[1]) for _ in by_inputs]
    dV = tile_buffer(n, panels[1], len(by_inputs))

    def transform(_, share):
        for first, last in share:
            gather_rows(dy, x, y, first, last, V, dM, dbias, dx)

    def compute(thread, share):
        for ks, cs in share:
            if ks:
                weight_gradient(dM, V, n, *ks, dU[thread], dweight)
            if cs:
                input_gradient(dM, weight, n, *cs, U[thread], 0, dV[thread], dx)

    threads.run(transform, threads.cut(rows))
    threads.run(compute, list(zip_longest(by_outputs, by_inputs)))


BY_TILES = forward_by_tiles, backward_by_tiles
BY_CHANNELS = forward_by_channels, backward_by_channels


# Shapes and buffers -------------------------------------------------------------------------------
def tile_grid(shape):
    """(rows of tiles in the whole batch, tiles in a row) for an input of this shape."""
    n, height, width, _ = shape
    return n * ((height + 1) // 4), (width + 1) // 4


def tiles_at_a_time(weight):
    """How many tiles go through all stages while they are in the cache."""
    out_channels, channels = weight.shape[:2]
    fitting = BLOCK_BYTES // (4 * 36 * (channels + out_channels))
    worth_it = channels * out_channels // PAIRS_PER_TILE
    return max(LEAST_TILES, fitting, worth_it) // ROWS * ROWS


def panel_size(tiles, channels):
    """How many channels to work on at a time, by channels."""
    return SMALL_PANEL if tiles * 36 * channels * 4 <= LARGE else PANEL


def cut_rows(rows, tiles, weight):
    """Cut the rows of tiles into a share for each thread, but no share of too little work."""
    return threads.cut(rows, at_least=-(-threads.LITTLE // (36 * tiles * weight.size // 9)))


def cut_channels(channels, at_least=1):
    """Cut the channels into a range of whole vectors for each thread."""
    shares = threads.cut(-(-channels // VECTOR), at_least=-(-at_least // VECTOR))
    return [(VECTOR * first, min(VECTOR * last, channels)) for first, last in shares]


def tile_buffer(tiles, channels, n_threads=None):
    """Memory for V, M or a gradient of theirs; with a number of threads, for each of them."""
    shape = (round_up(tiles, ROWS), 36 * round_up(channels, VECTOR) + VECTOR)
    return empty(shape if n_threads is None else (n_threads, *shape))


def filter_buffer(rows, channels):
    """Memory for U: `channels` in panels, a row for each of `rows` in each."""
    return empty((36, rows * round_up(channels, VECTOR) + VECTOR))


def gradient_buffer(n_pieces, rows, channels):
    """Memory for dU."""
    return empty((n_pieces, 36, round_up(rows, VECTOR) * round_up(channels, VECTOR) + VECTOR))
