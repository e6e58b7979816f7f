"""Winograd's convolution for few channels: each thread takes its tiles, some at a time, through all
stages, so that V and M never leave the cache.

Lesson: lessons/14-fast-on-a-cpu.md. The stages and their names are in `winograd.py`.
"""

import numpy as np

from tinyunet.kernels import threads
from tinyunet.kernels.jit import jit
from tinyunet.kernels.vector import NONE
from tinyunet.kernels.winograd_buffers import (
    FEW_PAIRS,
    all_filters,
    cut_rows,
    filter_buffer,
    sixteens,
    tile_buffer,
    tile_grid,
)
from tinyunet.kernels.winograd_filters import filter_gradient
from tinyunet.kernels.winograd_products import ROWS, multiply, multiply_transposed
from tinyunet.kernels.winograd_tiles import (
    gather_gradients,
    gather_inputs,
    scatter_gradients,
    scatter_outputs,
)

# V and M of the tiles worked on at a time, 36·(C + K) floats each, should stay in the second-level
# cache with room to spare (1 MB a core where this was measured: 12 tiles or 192 at 16 channels take
# 1.1 and 1.3 times as long as 48 to 108). But U and dU pass by once for each block, so with many
# channels more tiles must share them: at 256→256 channels, 96 tiles take 0.8 of the time of 24.
BLOCK_BYTES = 2**19
LEAST_TILES = 24
PAIRS_PER_TILE = 384


def tiles_at_a_time(weight):
    """How many tiles go through all stages while they are in the cache."""
    out_channels, channels = weight.shape[:2]
    fitting = BLOCK_BYTES // (4 * 36 * (channels + out_channels))
    worth_it = channels * out_channels // PAIRS_PER_TILE
    return max(LEAST_TILES, fitting, worth_it) // ROWS * ROWS


def tiles_in_block(weight, shares, tiles):
    """`tiles_at_a_time`, or less where the largest share of rows has less."""
    return min(tiles_at_a_time(weight), max(last - first for first, last in shares) * tiles)


@jit
def forward_tiles(x, U, bias, first, last, V, M, y, pooled):
    """y and pooled of tiles first … last - 1, as many at a time as V has room for."""
    block = V.shape[0]
    for start in range(first, last, block):
        stop = min(start + block, last)
        gather_inputs(x, start, stop, start, V)
        multiply(V, U, stop - start, M)
        scatter_outputs(M, bias, start, stop, NONE, y, pooled)


def forward(x, weight, bias, y, pooled):
    """y = max(0, x ⋆ weight + bias); pooled, unless it is empty, the largest of each 2×2 window."""
    shares, tiles = cut_rows(x.shape, weight), tile_grid(x.shape)[1]
    n = tiles_in_block(weight, shares, tiles)
    U = all_filters(weight, False)
    V = tile_buffer(n, x.shape[3], lanes=[len(shares)])
    M = tile_buffer(n, len(weight), lanes=[len(shares)])

    def work(lane, share):
        ((first, last),) = share
        forward_tiles(x, U, bias, first * tiles, last * tiles, V[lane], M[lane], y, pooled)

    threads.run(work, shares)


@jit
def first_row(row, x):
    """The first row of x, counted through the batch, that a row of tiles needs."""
    height = x.shape[1]
    tile_rows = (height + 1) // 4
    return row // tile_rows * height + 4 * (row % tile_rows)


@jit
def clear_rows(dx, first, last):
    """Zero rows first … last - 1, counted through the batch; return the first not yet cleared."""
    row = dx.shape[2] * dx.shape[3]
    dx.reshape(-1)[first * row : last * row] = np.float32(0)
    return max(first, last)


@jit
def backward_tiles(dy, x, y, U, first, last, V, dM, dU, dbias, dx):
    """Make dU and dbias of the rows first … last - 1 of tiles, and their rows of dx.

    dx only if U is not empty. To the first two of these the row of tiles
    before contributes as well. It is another thread's; its dV is made here once more.
    """
    tile_rows, tiles, block = (x.shape[1] + 1) // 4, (x.shape[2] + 1) // 4, V.shape[0]
    top, bottom = first_row(first, x), first_row(last, x)
    sums = np.empty(dbias.shape[0], np.float32)
    cleared, own, end = top, first * tiles, last * tiles
    start = own - tiles if U.size and first % tile_rows else own
    while start < end:
        stop = min(start + block, own if start < own else end)
        sums[:] = np.float32(0)
        gather_gradients(dy, y, start, stop, start, dM, sums)
        if start >= own:
            for k in range(sums.shape[0]):
                dbias[k] += sums[k]
            gather_inputs(x, start, stop, start, V)
            multiply_transposed(dM, V, stop - start, NONE, start == own, dU)
        if U.size:
            multiply(dM, U, stop - start, V)  # V is done with: now it is dV
            reached = min(first_row((stop - 1) // tiles, x) + 6, bottom)
            cleared = clear_rows(dx, cleared, reached)
            scatter_gradients(V, start, stop, NONE, top, bottom, dx)
        start = stop
    if U.size:
        clear_rows(dx, cleared, bottom)


def backward(dy, x, weight, y, dx, dweight):
    """Write dx (unless None) and dweight, return dbias."""
    out_channels, channels = weight.shape[:2]
    tiles = tile_grid(x.shape)[1]
    shares = cut_rows(x.shape, weight, products=2)
    n = tiles_in_block(weight, shares, tiles)
    U = np.empty((36, 0), np.float32) if dx is None else all_filters(weight, True)
    V = tile_buffer(n, channels, lanes=[len(shares)])
    dM = tile_buffer(n, out_channels, lanes=[len(shares)])
    dU = [filter_buffer(sixteens(out_channels), channels) for _ in shares]
    dbias = np.zeros((len(shares), sixteens(out_channels)))
    target = x if dx is None else dx

    def work(lane, share):
        ((first, last),) = share
        mine = V[lane], dM[lane], dU[lane], dbias[lane]
        backward_tiles(dy, x, y, U, first, last, *mine, target)

    def finish(_, share):
        for k0, k1 in share:
            rows = slice(k0 * sixteens(channels), k1 * sixteens(channels))
            for other in dU[1:]:
                dU[0][:, rows] += other[:, rows]
            filter_gradient(dU[0], k0, k1, 0, dweight)

    threads.run(work, shares)
    threads.run(finish, threads.cut(out_channels, at_least=FEW_PAIRS // channels))
    return dbias.sum(axis=0)
