"""Winograd's convolution for many channels: V whole, each thread takes panels of channels.

Lesson: lessons/14-fast-on-a-cpu.md. The stages and their names are in `winograd.py`. Each thread
transforms the filters of its own panels only, and reads all of V.
"""

import numpy as np

from tinyunet.kernels import threads
from tinyunet.kernels.vector import LANES
from tinyunet.kernels.winograd_buffers import (
    filter_buffer,
    filters,
    sixteens,
    tile_buffer,
    tile_grid,
)
from tinyunet.kernels.winograd_by_tiles import clear_rows, first_row
from tinyunet.kernels.winograd_filters import filter_gradient
from tinyunet.kernels.winograd_products import add_transposed, multiply
from tinyunet.kernels.winograd_tiles import (
    gather_gradients,
    gather_inputs,
    scatter_gradients,
    scatter_outputs,
)

PANEL = 64  # channels worked on at a time


def cut_channels(channels):
    """Cut `channels` into ranges of whole vectors, of at most PANEL."""
    return [
        (LANES * first, min(LANES * last, channels))
        for first, last in threads.cut(-(-channels // LANES), PANEL // LANES)
    ]


def forward(x, weight, bias, y):
    """y = max(0, x ⋆ weight + bias)."""
    rows, tiles = tile_grid(x.shape)
    V = tile_buffer(rows * tiles, x.shape[3])

    def gather(_, share):
        for first, last in share:
            gather_inputs(x, first * tiles, last * tiles, 0, V)

    def outputs(_, share):
        for k0, k1 in share:
            M = tile_buffer(rows * tiles, k1 - k0)
            multiply(V, filters(weight, False, k0, k1), rows * tiles, M)
            scatter_outputs(M, bias[k0 : k0 + sixteens(k1 - k0)], 0, rows * tiles, k0, y)

    threads.run(gather, threads.cut(rows))
    threads.run(outputs, cut_channels(len(weight)))


def backward(dy, x, weight, y, dx, dweight):
    """Write dx (unless None) and dweight, return dbias."""
    out_channels, channels = weight.shape[:2]
    rows, tiles = tile_grid(x.shape)
    V = tile_buffer(rows * tiles, channels)
    dM = tile_buffer(rows * tiles, out_channels)
    dbias = np.zeros((rows, sixteens(out_channels)), np.float32)

    def gather(_, share):
        for first, last in share:
            gather_inputs(x, first * tiles, last * tiles, 0, V)
            for row in range(first, last):
                place = row * tiles
                gather_gradients(dy, y, place, place + tiles, 0, dM, dbias[row])
            if dx is not None:
                clear_rows(dx, first_row(first, x), first_row(last, x))

    def products(_, share):
        for wanted, first, last in share:
            wanted(first, last)

    def filter_gradients(k0, k1):
        dU = filter_buffer(sixteens(k1 - k0), channels)
        dU[:] = 0
        add_transposed(dM, V, rows * tiles, k0, dU)
        filter_gradient(dU, 0, k1 - k0, k0, dweight)

    def inputs(c0, c1):
        dV = tile_buffer(rows * tiles, c1 - c0)
        multiply(dM, filters(weight, True, c0, c1), rows * tiles, dV)
        scatter_gradients(dV, 0, rows * tiles, c0, 0, len(x) * x.shape[1], dx)

    threads.run(gather, threads.cut(rows))
    panels = [(filter_gradients, *panel) for panel in cut_channels(out_channels)]
    if dx is not None:
        panels += [(inputs, *panel) for panel in cut_channels(channels)]
    threads.run(products, panels)
    return dbias.sum(axis=0)
