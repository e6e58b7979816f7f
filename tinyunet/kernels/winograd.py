"""3×3 convolution with bias and ReLU through Winograd F(4×4, 3×3), forward and whole backward.

Lesson: lessons/14-fast-on-a-cpu.md. Source: Lavin and Gray, arXiv 1509.09308; Cook and Toom's
construction. Arrays are channels last: x (N, H, W, C), y (N, Ho, Wo, K), weight (K, C, 3, 3).

Four outputs in a row need 12 multiplications directly and 6 here, so a 4×4 tile needs 36 instead
of 144:  y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A  for a 6×6 input tile d and a 3×3 filter g. With all tiles
and channels, the ⊙ becomes 36 matrix products, one a position:  M[p] = V[p] · U[p]  with
V (36, T, C), U (36, C, K), M (36, T, K). The backward is the adjoint of each linear step:

    dM = A dy Aᵀ     dU[p] = V[p]ᵀ · dM[p]     dweight = Gᵀ dU G
                     dV[p] = dM[p] · U[p]ᵀ     dx = overlapping sum of B dV Bᵀ

V is made again in the backward: keeping it would take 2.25 times the memory of x.
"""

from math import prod

import numpy as np

from tinyunet.kernels import threads, winograd_tiles
from tinyunet.kernels.workspace import empty


def cook_toom(points, outputs=4, taps=3):
    """Aᵀ, G, Bᵀ (lists of rows) of F(outputs, taps) with `points` and the point at infinity.

    Two polynomials of degree `outputs - 1` and `taps - 1` are multiplied by multiplying their
    values at n = outputs + taps - 1 points (at infinity: the leading coefficients), for n values
    determine the product. Correlation is the transpose of that: its input takes the part of the
    product. So A and G hold the powers of the points, and Bᵀ holds Lagrange's polynomials, that
    interpolate; their denominators are put into G. Exact if the points are fractions.
    """
    rows_a = [[p**k for k in range(outputs)] for p in points] + [[0] * (outputs - 1) + [1]]
    rows_g, rows_b = [], []
    for p in points:
        others = [q for q in points if q != p]
        denominator = prod(p - q for q in others)
        rows_g.append([p**k / denominator for k in range(taps)])
        rows_b.append([*polynomial(others), 0])
    rows_g.append([0] * (taps - 1) + [1])
    rows_b.append(polynomial(points))
    return [list(column) for column in zip(*rows_a, strict=True)], rows_g, rows_b


def polynomial(roots):
    """Coefficients of Π (x - root), the lowest power first."""
    coefficients = [1]
    for root in roots:
        shifted, scaled = [0, *coefficients], [*(-root * c for c in coefficients), 0]
        coefficients = [a + b for a, b in zip(shifted, scaled, strict=True)]
    return coefficients


# The usual points are 0, ±1, ±2; with ±5/8 and ±3/2 the values stay closer to one another and the
# rounding error is half as large. `winograd_tiles` has Aᵀ and Bᵀ as arithmetic.
AT, G, BT = (np.array(matrix) for matrix in cook_toom(winograd_tiles.POINTS))
# G g Gᵀ as one product over the nine taps: 36×9, float32 rounded once.
GG = np.kron(G, G).astype(np.float32)

# Measured on a machine with 1 MB of second-level cache a core (benchmarks/ladder.py). V and M of
# the tiles worked on at a time, 36·(C + K) floats each, do best at about 1 MB: at 16 channels,
# 8 MB take 1.9 times as long. But they should not be smaller than twice U, which every block reads
# from end to end. From 2¹⁶ pairs of channels on, U is 9 MB, and sharing out the channels is
# best: 0.8 of the time at 256→256 channels, 0.6 at 512→512.
BLOCK_BYTES = 2**20
MANY_PAIRS = 2**16
PANEL = 128  # channels worked on at a time there; 64 take 1.1 times as long


def conv3x3_relu(x, weight, bias):
    """y (N, Ho, Wo, K) = max(0, x ⋆ weight + bias) for x (N, H, W, C), all float32, C-ordered."""
    n, height, width, _ = x.shape
    y = empty((n, height - 2, width - 2, len(weight)))
    if many_channels(weight):
        _forward_by_channels(x, weight, bias, y)
    else:
        _forward_by_tiles(x, weight, bias, y)
    return y


def conv3x3_relu_backward(dy, x, weight, y, need_dx=True):
    """(dx or None, dweight, dbias) for dy (N, Ho, Wo, K), given conv3x3_relu's x, weight and y."""
    dx = empty(x.shape) if need_dx else None
    if many_channels(weight):
        return _backward_by_channels(dy, x, weight, y, dx)
    return _backward_by_tiles(dy, x, weight, y, dx)


def tile_grid(shape):
    """(rows of tiles in the whole batch, tiles in a row) for an input of this shape."""
    n, height, width, _ = shape
    return n * ((height + 1) // 4), (width + 1) // 4


def many_channels(weight):
    """Whether to share out the channels, and not the tiles, to the threads.

    Each thread then transforms the filters of its own panels of channels only. All of U at once
    would be 151 MB at 1024 channels, written to main memory and read back.
    """
    return weight.shape[0] * weight.shape[1] >= MANY_PAIRS


def transform_filters(weight):
    """U (36, C, K) = G g Gᵀ for weight (K, C, 3, 3)."""
    out_channels, channels = weight.shape[:2]
    taps = weight.transpose(1, 0, 2, 3).reshape(channels * out_channels, 9)
    U = empty((36, channels * out_channels))
    return np.matmul(GG, taps.T, out=U).reshape(36, channels, out_channels)


def transform_filters_transposed(weight):
    """Uᵀ (36, K, C), the form that the backward multiplies with."""
    out_channels, channels = weight.shape[:2]
    U = empty((36, out_channels * channels))
    np.matmul(GG, weight.reshape(out_channels * channels, 9).T, out=U)
    return U.reshape(36, out_channels, channels)


def filter_gradient(dU):
    """dweight (K, C, 3, 3) = Gᵀ dU G for dU (36, K, C)."""
    _, out_channels, channels = dU.shape
    return (dU.reshape(36, -1).T @ GG).reshape(out_channels, channels, 3, 3)


def blocks_of_rows(shape, out_channels):
    """Cut the rows of tiles into blocks [(first, last), …] that fit into the cache."""
    rows, tiles = tile_grid(shape)
    row_bytes = 4 * 36 * tiles * (shape[3] + out_channels)
    filter_bytes = 4 * 36 * shape[3] * out_channels
    return threads.cut(rows, max(BLOCK_BYTES, 2 * filter_bytes) // row_bytes)


# Few channels: each thread takes blocks of tile rows through all three stages ---------------------
def _forward_by_tiles(x, weight, bias, y):
    blocks = blocks_of_rows(x.shape, len(weight))
    U = transform_filters(weight)
    V_all, M_all = _block_buffers(x.shape, len(weight), blocks)

    def work(lane, share):
        for first, last in share:
            V, M = V_all[lane][last - first], M_all[lane][last - first]
            winograd_tiles.gather_inputs(x, first, last, 0, V)
            np.matmul(V, U, out=M)
            winograd_tiles.scatter_outputs(M, bias, first, last, 0, y)

    threads.run(work, blocks)


def _backward_by_tiles(dy, x, weight, y, dx):
    out_channels, channels = weight.shape[:2]
    blocks = blocks_of_rows(x.shape, out_channels)
    UT = transform_filters_transposed(weight) if dx is not None else None
    V_all, dM_all = _block_buffers(x.shape, out_channels, blocks)
    lanes = len(V_all)
    dU = [np.zeros((36, out_channels, channels), np.float32) for _ in range(lanes)]
    dbias = np.zeros((tile_grid(x.shape)[0], out_channels), np.float32)
    product = [empty((36, out_channels, channels)) for _ in range(lanes)]

    def work(lane, share, odd):
        for first, last in share:
            V, dM = V_all[lane][last - first], dM_all[lane][last - first]
            winograd_tiles.gather_gradients(dy, y, first, last, 0, dM, dbias)
            winograd_tiles.gather_inputs(x, first, last, 0, V)
            np.matmul(dM.transpose(0, 2, 1), V, out=product[lane])
            dU[lane] += product[lane]
            if dx is not None:
                np.matmul(dM, UT, out=V)  # V is done with: now it is dV
                winograd_tiles.scatter_gradients(V, first, last, 0, odd, odd, dx)

    # Neighbouring blocks add to the same two rows of dx, so they never run at the same time.
    threads.run(lambda lane, share: work(lane, share, False), blocks[0::2])
    threads.run(lambda lane, share: work(lane, share, True), blocks[1::2])
    for lane in range(1, lanes):
        dU[0] += dU[lane]
    return dx, filter_gradient(dU[0]), dbias.sum(axis=0)


def _block_buffers(shape, out_channels, blocks):
    """For each thread, {rows in the block: array} for V and M, over the same memory."""
    tiles = tile_grid(shape)[1]
    heights = {last - first for first, last in blocks}
    result = []
    for channels in (shape[3], out_channels):
        lanes = []
        for _ in range(min(threads.get_threads(), len(blocks))):
            memory = empty(36 * max(heights) * tiles * channels)
            lanes.append(
                {h: memory[: 36 * h * tiles * channels].reshape(36, -1, channels) for h in heights}
            )
        result.append(lanes)
    return result


# Many channels: V whole, each thread takes panels of channels -------------------------------------
def _forward_by_channels(x, weight, bias, y):
    V = _gather_all(x)

    def work(_, share):
        for k0, k1 in share:
            M = empty((36, V.shape[1], k1 - k0))
            np.matmul(V, transform_filters(weight[k0:k1]), out=M)
            winograd_tiles.scatter_outputs(M, bias, 0, tile_grid(x.shape)[0], k0, y)

    threads.run(work, threads.cut(len(weight), PANEL))


def _backward_by_channels(dy, x, weight, y, dx):
    out_channels, channels = weight.shape[:2]
    rows, tiles = tile_grid(x.shape)
    V = _gather_all(x)
    dM = empty((36, rows * tiles, out_channels))
    dbias = np.zeros((rows, out_channels), np.float32)
    dweight = np.empty_like(weight)

    def gather(_, share):
        for row in share:
            winograd_tiles.gather_gradients(dy, y, row, row + 1, row * tiles, dM, dbias)

    def filters(_, share):
        for k0, k1 in share:
            dU = empty((36, k1 - k0, channels))
            np.matmul(dM[:, :, k0:k1].transpose(0, 2, 1), V, out=dU)
            dweight[k0:k1] = filter_gradient(dU)

    def inputs(_, share):
        for c0, c1 in share:
            UT = transform_filters_transposed(np.ascontiguousarray(weight[:, c0:c1]))
            dV = np.matmul(dM, UT, out=empty((36, rows * tiles, c1 - c0)))
            winograd_tiles.scatter_gradients(dV, 0, rows, c0, False, False, dx)

    threads.run(gather, range(rows))
    threads.run(filters, threads.cut(out_channels, PANEL))
    if dx is not None:
        threads.run(inputs, threads.cut(channels, PANEL))
    return dx, dweight, dbias.sum(axis=0)


def _gather_all(x):
    """V (36, T, C) of the whole batch, the tile rows shared out to the threads."""
    rows, tiles = tile_grid(x.shape)
    V = empty((36, rows * tiles, x.shape[3]))

    def gather(_, share):
        for row in share:
            winograd_tiles.gather_inputs(x, row, row + 1, row * tiles, V)

    threads.run(gather, range(rows))
    return V
