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

from tinyunet.kernels import winograd_by_channels, winograd_by_tiles
from tinyunet.kernels.winograd_buffers import padded, tile_grid
from tinyunet.kernels.workspace import empty

MANY_PAIRS = 2**16  # of channels: from here on U is 9 MB or more


def conv3x3_relu(x, weight, bias):
    """y (N, Ho, Wo, K) = max(0, x ⋆ weight + bias) for x (N, H, W, C), all float32, C-ordered."""
    return _forward(x, weight, bias, pool=False)[0]


def conv3x3_relu_max_pool(x, weight, bias):
    """(y, pooled) with pooled (N, Ho/2, Wo/2, K), the largest of each 2×2 window of y.

    A tile has four windows, just made and still in the nearest cache.
    """
    return _forward(x, weight, bias, pool=True)


def _forward(x, weight, bias, pool):
    n, height, width, _ = x.shape
    y = empty((n, height - 2, width - 2, len(weight)))
    pooled = empty((n if pool else 0, y.shape[1] // 2, y.shape[2] // 2, len(weight)))
    way(x.shape, weight).forward(x, weight, padded(bias), y, pooled)
    return y, pooled


def conv3x3_relu_backward(dy, x, weight, y, need_dx=True):
    """(dx or None, dweight, dbias) for dy (N, Ho, Wo, K), given conv3x3_relu's x, weight and y."""
    dx = empty(x.shape) if need_dx else None
    dweight = empty(weight.shape)
    dbias = way(x.shape, weight).backward(dy, x, weight, y, dx, dweight)
    return dx, dweight, dbias[: len(weight)].astype(np.float32)


def way(shape, weight):
    """Which of the two ways to share the work out to the threads is best: by tiles or by channels.

    By channels, each thread transforms the filters of its own panels of channels only, and reads
    all of V. That pays where U would not stay in the cache, and where there are so few tiles that U
    is larger than V and M together: at the bottom of the U, a map of 10×10 outputs has three rows
    of tiles.
    """
    out_channels, channels = weight.shape[:2]
    rows, tiles = tile_grid(shape)
    many = channels * out_channels >= min(MANY_PAIRS, rows * tiles * (channels + out_channels))
    return winograd_by_channels if many else winograd_by_tiles
