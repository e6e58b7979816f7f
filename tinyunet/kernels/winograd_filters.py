"""Winograd F(4×4, 3×3), the filters: into the 36 positions, and the gradient back.

Lesson: lessons/14-fast-on-a-cpu.md; the matrices are in `cook_toom.py`. U = G g Gᵀ is made in the
order in which the products read it: panels of sixteen channels that a vector holds, and for each
the channels that are summed over (see winograd_buffers.py). The forward needs panels of output
channels, the gradient of the input needs the transpose, panels of input channels.
"""

import numpy as np

from tinyunet.kernels.jit import jit
from tinyunet.kernels.vector import LANES, NONE, load, store
from tinyunet.kernels.winograd_tiles import INPUTS, ZERO, A, B, load_six, new_patch, store_six

TAPS = np.intp(12)  # a square of so many vectors holds the nine taps of sixteen filters
_A, _B, _AA, _BB = np.float32(A), np.float32(B), np.float32(A * A), np.float32(B * B)
# Lagrange's denominators Π (p - q) over the other points q, for the points 0, ±A and ±B
_BY_0 = np.float32(1 / (A * A * B * B))
_BY_A = np.float32(1 / (2 * A * A * (A * A - B * B)))
_BY_B = np.float32(1 / (2 * B * B * (B * B - A * A)))


@jit
def filter_1d(g0, g1, g2):
    """G g: three taps to six positions."""
    even_a, odd_a = _BY_A * (g0 + _AA * g2), _BY_A * (_A * g1)
    even_b, odd_b = _BY_B * (g0 + _BB * g2), _BY_B * (_B * g1)
    return _BY_0 * g0, even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, g2


@jit
def filter_1d_adjoint(u0, u1, u2, u3, u4, u5):
    """Gᵀ u: six positions back to the three taps, for gradients."""
    even_a, odd_a = _BY_A * (u1 + u2), _BY_A * (u1 - u2)
    even_b, odd_b = _BY_B * (u3 + u4), _BY_B * (u3 - u4)
    return _BY_0 * u0 + even_a + even_b, _A * odd_a + _B * odd_b, _AA * even_a + _BB * even_b + u5


@jit
def load_three(a, at, step):
    """The vectors at `at`, `at + step` and `at + 2·step`."""
    return load(a, at), load(a, at + step), load(a, at + 2 * step)


@jit
def store_three(values, a, at, step):
    """Store the three `values` at `at`, `at + step` and `at + 2·step`."""
    store(values[0], a, at)
    store(values[1], a, at + step)
    store(values[2], a, at + 2 * step)


@jit
def transform_filters(weight, transposed, first, last, row0, row1, U):
    """U = G g Gᵀ of weight (K, C, 3, 3), rows row0 … row1 - 1 of each panel.

    Sixteen output channels lie side by side, in rows of input channels; `transposed` the other way
    round. The first panel begins with channel `first`; what panels have beyond `last` is zero.
    """
    taps, half = new_patch(TAPS), new_patch(INPUTS)
    rows = weight.shape[0] if transposed else weight.shape[1]
    for panel in range((last - first + LANES - 1) // LANES):
        for row in range(row0, row1, LANES):
            stop = min(row + LANES, row1)
            pack_taps(weight, transposed, first + panel * LANES, last, row, stop, taps)
            for r in range(row, stop):
                to = (panel * rows + r) * LANES
                transform_taps(taps, (r - row) * 9 * LANES, half, U, to, U.shape[1])


@jit
def pack_taps(weight, transposed, first, last, row0, row1, taps):
    """taps[row, tap, lane], for lanes from channel `first` on and rows from row0 on.

    The weights are read in the order in which they lie, a square of 16×16 filters at a time.
    """
    source, target = weight.reshape(-1), taps.reshape(-1)
    lanes = min(LANES, last - first)
    if lanes < LANES:
        target[:] = ZERO
    k0, c0, ks, cs, k_step, c_step = first, row0, lanes, row1 - row0, NONE + 1, 9 * LANES
    if transposed:
        k0, c0, ks, cs, k_step, c_step = row0, first, row1 - row0, lanes, 9 * LANES, NONE + 1
    for k in range(ks):
        for c in range(cs):
            at, to = ((k0 + k) * weight.shape[1] + c0 + c) * 9, k * k_step + c * c_step
            for tap in range(9):
                target[to + tap * LANES] = source[at + tap]


@jit
def transform_taps(taps, at, half, U, to, step):
    """U[to + p·step] = (G g Gᵀ)[p] for the nine taps of sixteen filters, from `at` on."""
    row = INPUTS * LANES  # of `half`
    for b in range(3):
        g = load_three(taps, at + b * LANES, 3 * LANES)
        store_six(filter_1d(*g), half, b * LANES, row)
    for a in range(6):
        g = load_three(half, a * row, LANES)
        store_six(filter_1d(*g), U, to + 6 * a * step, step)


@jit
def filter_gradient(dU, first, last, start, dweight):
    """dweight[start + k] = Gᵀ dU[:, k] G for rows k = first … last - 1 of dU."""
    taps, half = new_patch(INPUTS), new_patch(INPUTS)
    channels, row, step = dweight.shape[1], INPUTS * LANES, dU.shape[1]
    filled = (channels + LANES - 1) // LANES * LANES
    for k in range(first, last):
        for c0 in range(0, channels, LANES):
            for q in range(6):
                u = load_six(dU, k * filled + c0 + q * step, 6 * step)
                store_three(filter_1d_adjoint(*u), half, q * LANES, row)
            for a in range(3):
                u = load_six(half, a * row, LANES)
                store_three(filter_1d_adjoint(*u), taps, a * row, LANES)
            for c in range(min(LANES, channels - c0)):
                for tap in range(9):
                    dweight[start + k, c0 + c, tap // 3, tap % 3] = taps[0, tap // 3, tap % 3, c]
