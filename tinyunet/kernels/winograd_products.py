"""The matrix products of Winograd's convolution, 36 at a time, in blocks that stay in registers.

Lesson: lessons/14-fast-on-a-cpu.md. A product needs two loads for each multiplication if it is
written as three loops. A block of six rows by sixteen columns keeps its 96 sums in registers and
takes six numbers and one vector for 96 multiplications, so the processor multiplies at nearly every
beat. For that one factor, U, is stored in panels of sixteen columns, in the order they are read.
"""

from tinyunet.kernels.jit import jit
from tinyunet.kernels.vector import LANES, load, multiply_add, store, zeros

ROWS = 6  # tiles in a block: buffers have room for a multiple of as many
CHUNK = 96  # tiles whose products are summed before they go to memory


@jit
def multiply(V, U, tiles, M):
    """M[:tiles, p] = V[:tiles, p] · U[p] at every position p.

    What V holds beyond U's channels does not matter; M is written up to a multiple of ROWS.
    """
    channels, out_channels = V.shape[1] // 36, M.shape[1] // 36
    panel = (U.shape[1] - LANES) // out_channels * LANES  # numbers in a panel of U
    for p in range(36):
        for k in range(0, out_channels, LANES):
            u = p * U.shape[1] + k // LANES * panel
            for t in range(0, tiles, ROWS):
                v, m = t * V.shape[1] + p * channels, t * M.shape[1] + p * out_channels + k
                multiply_block(V, v, V.shape[1], U, u, panel, M, m, M.shape[1])


@jit
def multiply_block(V, v, v_step, U, u, panel, M, m, m_step):
    """Six rows of V, from `v` on, times a panel of U: sixteen columns of six rows of M."""
    m0 = m1 = m2 = m3 = m4 = m5 = zeros()
    for c in range(panel // LANES):
        row = load(U, u + c * LANES)
        m0 = multiply_add(V, v + c, row, m0)
        m1 = multiply_add(V, v + v_step + c, row, m1)
        m2 = multiply_add(V, v + 2 * v_step + c, row, m2)
        m3 = multiply_add(V, v + 3 * v_step + c, row, m3)
        m4 = multiply_add(V, v + 4 * v_step + c, row, m4)
        m5 = multiply_add(V, v + 5 * v_step + c, row, m5)
    store(m0, M, m)
    store(m1, M, m + m_step)
    store(m2, M, m + 2 * m_step)
    store(m3, M, m + 3 * m_step)
    store(m4, M, m + 4 * m_step)
    store(m5, M, m + 5 * m_step)


@jit
def multiply_transposed(dM, V, tiles, first, fresh, dU):
    """dU[p] += dM[:tiles, p]ᵀ · V[:tiles, p], dU's output channels being dM's from `first` on.

    If `fresh`, what stood in dU does not matter. So many tiles are worked on at a time that their
    rows of V, which meet all output channels, stay in the cache.
    """
    channels, out_channels = V.shape[1] // 36, dM.shape[1] // 36
    for p in range(36):
        for start in range(0, tiles, CHUNK):
            n = min(CHUNK, tiles - start)
            m = start * dM.shape[1] + p * out_channels + first
            for k in range(0, (dU.shape[1] - LANES) // channels, 8):
                for c in range(0, channels, LANES):
                    v = start * V.shape[1] + p * channels + c
                    to = p * dU.shape[1] + k * channels + c
                    add = start > 0 or not fresh
                    add_block(dM, m + k, dM.shape[1], V, v, V.shape[1], n, add, dU, to, channels)


@jit
def add_block(dM, m, m_step, V, v, v_step, tiles, add, dU, to, step):
    """Eight rows by sixteen columns of the transposed product, summed over the tiles.

    They are added to what stands at `to` in dU if `add`, else written there.
    """
    u0 = u1 = u2 = u3 = u4 = u5 = u6 = u7 = zeros()
    if add:
        u0, u1 = load(dU, to), load(dU, to + step)
        u2, u3 = load(dU, to + 2 * step), load(dU, to + 3 * step)
        u4, u5 = load(dU, to + 4 * step), load(dU, to + 5 * step)
        u6, u7 = load(dU, to + 6 * step), load(dU, to + 7 * step)
    for t in range(tiles):
        row, at = load(V, v + t * v_step), m + t * m_step
        u0 = multiply_add(dM, at, row, u0)
        u1 = multiply_add(dM, at + 1, row, u1)
        u2 = multiply_add(dM, at + 2, row, u2)
        u3 = multiply_add(dM, at + 3, row, u3)
        u4 = multiply_add(dM, at + 4, row, u4)
        u5 = multiply_add(dM, at + 5, row, u5)
        u6 = multiply_add(dM, at + 6, row, u6)
        u7 = multiply_add(dM, at + 7, row, u7)
    store(u0, dU, to)
    store(u1, dU, to + step)
    store(u2, dU, to + 2 * step)
    store(u3, dU, to + 3 * step)
    store(u4, dU, to + 4 * step)
    store(u5, dU, to + 5 * step)
    store(u6, dU, to + 6 * step)
    store(u7, dU, to + 7 * step)
