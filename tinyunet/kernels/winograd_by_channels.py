"""Winograd's convolution for many channels: V whole, each thread takes panels of channels.

Lesson: lessons/14-fast-on-a-cpu.md. The stages and their names are in `winograd.py`. Each thread
transforms the filters of its own panels only, and reads all of V.
"""

import numpy as np

from tinyunet.kernels import threads
from tinyunet.kernels.jit import jit
from tinyunet.kernels.vector import LANES, NONE
from tinyunet.kernels.winograd_buffers import (
    filter_buffer,
    sixteens,
    tile_buffer,
    tile_grid,
)
from tinyunet.kernels.winograd_by_tiles import clear_rows, first_row
from tinyunet.kernels.winograd_filters import filter_gradient, transform_filters
from tinyunet.kernels.winograd_products import multiply, multiply_transposed
from tinyunet.kernels.winograd_tiles import (
    gather_gradients,
    gather_inputs,
    scatter_gradients,
    scatter_outputs,
)

# Channels worked on at a time, by one thread. Their filters, 36·C numbers each, had best stay in
# the cache until they are used; but each panel reads all of V, so where that is large fewer panels
# are better: 16 instead of 64 takes 0.8 of the time for 1024 channels and 49 tiles, and 1.3 for 512
# channels and 256 tiles.
PANEL = 64
SMALL_PANEL = 16
LARGE = 2**23  # bytes of V


def panel_size(tiles, channels, wanted):
    """How many of the `wanted` channels, a multiple of 16, to work on at a time."""
    panel = SMALL_PANEL if tiles * 36 * channels * 4 <= LARGE else PANEL
    while wanted % panel:
        panel //= 2
    return panel


def cut_channels(channels):
    """Cut `channels`, filled up to whole vectors, into a range for each thread."""
    return [
        (LANES * first, LANES * last) for first, last in threads.cut(sixteens(channels) // LANES)
    ]


@jit
def output_panels(V, weight, bias, tiles, first, last, U, M, y, pooled):
    """Channels first … last - 1, of y and pooled, as many at a time as M has room for."""
    panel = M.shape[1] // 36
    for k in range(first, last, panel):
        stop = min(k + panel, weight.shape[0])
        transform_filters(weight, False, k, stop, NONE, weight.shape[1], U)
        multiply(V, U, tiles, M)
        scatter_outputs(M, bias[k : k + panel], NONE, tiles, k, y, pooled)


def forward(x, weight, bias, y, pooled):
    """y = max(0, x ⋆ weight + bias); pooled, unless it is empty, the largest of each 2×2 window."""
    rows, tiles = tile_grid(x.shape)
    V = tile_buffer(rows * tiles, x.shape[3])

    def gather(_, share):
        for first, last in share:
            gather_inputs(x, first * tiles, last * tiles, 0, V)

    def outputs(_, share):
        for first, last in share:
            panel = panel_size(rows * tiles, x.shape[3], last - first)
            U, M = filter_buffer(x.shape[3], panel), tile_buffer(rows * tiles, panel)
            output_panels(V, weight, bias, rows * tiles, first, last, U, M, y, pooled)

    threads.run(gather, threads.cut(rows))
    threads.run(outputs, cut_channels(len(weight)))


@jit
def gather_rows(dy, x, y, first, last, V, dM, dbias):
    """V and dM of the rows first … last - 1 of tiles, the bias gradient of each row apart."""
    tiles = (x.shape[2] + 1) // 4
    gather_inputs(x, first * tiles, last * tiles, NONE, V)
    for row in range(first, last):
        gather_gradients(dy, y, row * tiles, (row + 1) * tiles, NONE, dM, dbias[row])


@jit
def filter_gradient_panels(dM, V, tiles, first, last, dU, dweight):
    """The gradient of output channels first … last - 1, as many at a time as dU has room for."""
    panel = (dU.shape[1] - LANES) // (V.shape[1] // 36)
    for k in range(first, last, panel):
        multiply_transposed(dM, V, tiles, k, True, dU)
        filter_gradient(dU, NONE, min(panel, dweight.shape[0] - k), k, dweight)


@jit
def input_gradient_panels(dM, weight, tiles, first, last, U, dV, dx):
    """dx's channels first … last - 1, as many at a time as dV has room for."""
    panel = dV.shape[1] // 36
    for c in range(first, last, panel):
        stop = min(c + panel, weight.shape[1])
        transform_filters(weight, True, c, stop, NONE, weight.shape[0], U)
        multiply(dM, U, tiles, dV)
        scatter_gradients(dV, NONE, tiles, c, NONE, dx.shape[0] * dx.shape[1], dx)


def backward(dy, x, weight, y, dx, dweight):
    """Write dx (unless None) and dweight, return dbias."""
    out_channels, channels = weight.shape[:2]
    rows, tiles = tile_grid(x.shape)
    V, dM = tile_buffer(rows * tiles, channels), tile_buffer(rows * tiles, out_channels)
    dbias = np.zeros((rows, sixteens(out_channels)), np.float32)

    def gather(_, share):
        for first, last in share:
            gather_rows(dy, x, y, first, last, V, dM, dbias)
            if dx is not None:
                clear_rows(dx, first_row(first, x), first_row(last, x))

    def products(_, share):
        for lane in share:
            for first, last in by_outputs[lane : lane + 1]:
                panel = panel_size(rows * tiles, channels, last - first)
                dU = filter_buffer(panel, channels)
                filter_gradient_panels(dM, V, rows * tiles, first, last, dU, dweight)
            for first, last in by_inputs[lane : lane + 1]:
                panel = panel_size(rows * tiles, out_channels, last - first)
                U, dV = filter_buffer(out_channels, panel), tile_buffer(rows * tiles, panel)
                input_gradient_panels(dM, weight, rows * tiles, first, last, U, dV, dx)

    by_outputs, by_inputs = cut_channels(out_channels), [] if dx is None else cut_channels(channels)
    threads.run(gather, threads.cut(rows))
    threads.run(products, range(max(len(by_outputs), len(by_inputs))))
    return dbias.sum(axis=0)
