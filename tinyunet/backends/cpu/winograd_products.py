"""Winograd's convolution, the share of a thread: transforms and 36 products at a time.

Lesson: lessons/14-fast-on-a-cpu.md. The stages and their names are in `winograd.py`.
"""

from tinyunet.backends.cpu.products import ROWS, multiply, multiply_transposed
from tinyunet.backends.cpu.tracing import kernel, least, round_up, span, when, where
from tinyunet.backends.cpu.vector import VECTOR, clear
from tinyunet.backends.cpu.winograd_transforms import (
    filter_gradient,
    gather_gradients,
    gather_inputs,
    scatter_gradients,
    scatter_outputs,
    transform_filters,
)

# What a thread is to do with its tiles and channels
FILTERS, INPUTS, OUTPUTS = 1, 2, 4
CHUNK = 96  # tiles whose products are summed before they go to memory


def multiply_positions(V, U, channels, out_channels, tiles, M):
    """M[:tiles, p] = V[:tiles, p] · U[p] at each position p, and more rows, to whole blocks."""
    tiles, columns = round_up(tiles, ROWS), round_up(out_channels, VECTOR)
    v_step, m_step = V.shape[1], M.shape[1]
    for p in span(36):
        v, u, m = p * (v_step // 36), p * U.shape[1], p * (m_step // 36)
        multiply(V, v, v_step, tiles, U, u, channels, columns, M, m, m_step)


def add_position_products(dM, V, tiles, first, last, fresh, dU, piece):
    """dU[piece, p] += dM[:tiles, p]ᵀ · V[:tiles, p], for dM's channels first … last - 1.

    If `fresh`, what stood in dU does not matter. So many tiles are worked on at a time that their
    rows of V, which meet all output channels, stay in the cache.
    """
    rows, channels = round_up(last - first, VECTOR), V.shape[1] // 36
    for p in span(36):
        d = (36 * piece + p) * dU.shape[2]
        for t in span(0, tiles, CHUNK):
            m, v = t * dM.shape[1] + p * (dM.shape[1] // 36) + first, t * V.shape[1] + p * channels
            multiply_transposed(
                dM, m, dM.shape[1], rows, V, v, V.shape[1], channels, least(tiles - t, CHUNK),
                dU, d, channels, fresh & (t < 1),
            )  # fmt: skip


def clear_rows(dx, first, last):
    """Zero rows first … last - 1, counted through the batch."""
    row = dx.shape[2] * dx.shape[3]
    clear(dx, first * row, (last - first) * row)


def first_row(row, x):
    """The first row of x, counted through the batch, that a row of tiles needs."""
    tile_rows = (x.shape[1] + 1) // 4
    return row // tile_rows * x.shape[1] + 4 * (row % tile_rows)


# Kernels ------------------------------------------------------------------------------------------
@kernel
def outputs(by_tiles, todo, first, last, k0, k1, x, weight, bias, U, V, M, y, pooled):
    """The stages `todo` for tiles first … last - 1 and output channels k0 … k1 - 1.

    By tiles U holds all filters and V some tiles, by channels U some filters and V all tiles.
    """
    panel, block, channels = M.shape[1] // 36, V.shape[0], weight.shape[1]
    for k in span(k0, k1, panel):
        end = least(k + panel, k1)
        with when(todo & FILTERS > 0):
            transform_filters(weight, False, k, end, U, by_tiles * k * channels)
        for start in span(first, last, block):
            stop = least(start + block, last)
            with when(todo & INPUTS > 0):
                gather_inputs(x, start, stop, by_tiles * start, V)
            with when(todo & OUTPUTS > 0):
                multiply_positions(V, U, channels, end - k, stop - start, M)
                scatter_outputs(M, bias, start, stop, k, end, y, pooled)


@kernel
def tile_gradients(dy, x, y, U, first_piece, last_piece, V, dM, dU, halo, dbias, dx):
    """dU, dbias and, unless it is empty, dx of some pieces of the rows of tiles.

    To the first two of these rows of dx the row of tiles before contributes as well. It is another
    thread's; its dV is made here once more (and `halo` gets its bias gradient).
    """
    pieces, rows, need_dx = dU.shape[0], dbias.shape[0], dx.size > 0
    tile_rows, tiles = (x.shape[1] + 1) // 4, (x.shape[2] + 1) // 4
    first, last = rows * first_piece // pieces, rows * last_piece // pieces
    top, bottom = first_row(first, x), first_row(last, x)
    shared = need_dx & (first % tile_rows > 0)  # its dx begins with rows of an image's middle
    very_first = where(shared, first - 1, first) * tiles

    def reached(tile):
        """The first row of dx to which no tile up to this one contributes, or another thread's."""
        return least(first_row(tile // tiles, x) + 6, bottom)

    for piece in span(where(shared, first_piece - 1, first_piece), last_piece):
        mine = piece >= first_piece
        begin = where(mine, rows * piece // pieces, first - 1) * tiles
        end = where(mine, rows * (piece + 1) // pieces, first) * tiles
        for start in span(begin, end, V.shape[0]):
            stop = least(start + V.shape[0], end)
            sums, row0 = where(mine, dbias, halo), where(mine, 0, first - 1)
            gather_gradients(dy, y, start, stop, start, dM, sums, row0)
            with when(mine):
                gather_inputs(x, start, stop, start, V)
                fresh = start <= begin
                add_position_products(dM, V, stop - start, 0, dy.shape[3], fresh, dU, piece)
            with when(need_dx):
                multiply_positions(dM, U, dy.shape[3], x.shape[3], stop - start, V)  # now it is dV
                clear_rows(
                    dx, where(start > very_first, reached(start - 1), top), reached(stop - 1)
                )
                scatter_gradients(V, start, stop, 0, x.shape[3], top, bottom, dx)


@kernel
def gather_rows(dy, x, y, first, last, V, dM, dbias, dx):
    """V, dM and dbias of rows first … last - 1 of tiles; their rows of dx are set to zero."""
    tiles = (x.shape[2] + 1) // 4
    gather_inputs(x, first * tiles, last * tiles, 0, V)
    gather_gradients(dy, y, first * tiles, last * tiles, 0, dM, dbias, 0)
    with when(dx.size > 0):
        clear_rows(dx, first_row(first, x), first_row(last, x))


@kernel
def weight_gradient(dM, V, tiles, first, last, dU, dweight):
    """dweight of output channels first … last - 1, as many at a time as dU has room for.

    Without tiles all of dU is there already.
    """
    panel = (dU.shape[2] - VECTOR) // (V.shape[1] // 36)
    for k in span(first, last, panel):
        end = least(k + panel, last)
        with when(tiles > 0):
            add_position_products(dM, V, tiles, k, end, tiles > 0, dU, 0)
        filter_gradient(dU, where(tiles > 0, k, 0), k, end, dweight)


@kernel
def input_gradient(dM, weight, tiles, first, last, U, u, dV, dx):
    """dx's channels first … last - 1, as many at a time as dV has room for; no tiles: U only."""
    panel = dV.shape[1] // 36
    for c in span(first, last, panel):
        end = least(c + panel, last)
        transform_filters(weight, True, c, end, U, u)
        with when(tiles > 0):
            multiply_positions(dM, U, weight.shape[0], end - c, tiles, dV)
            scatter_gradients(dV, 0, tiles, c, end, 0, dx.shape[0] * dx.shape[1], dx)
