"""Exercise 14: Winograd's convolution.

Lesson: lessons/14-fast-on-a-cpu.md.

First in one dimension, F(2, 3): two outputs y[i] = Σ_a g[a] · d[i + a] of four inputs take six
products directly and four here:

    u0 = g0    u1 = (g0 + g1 + g2) / 2    u2 = (g0 − g1 + g2) / 2    u3 = g2
    m0 = (d0 − d2) u0    m1 = (d1 + d2) u1    m2 = (d2 − d1) u2    m3 = (d1 − d3) u3
    y0 = m0 + m1 + m2    y1 = m1 − m2 − m3

Why? Put u into m and m into y. Then F(4×4, 3×3), whose matrices are handed to you:
Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A. Here at is Aᵀ, gm is G and bt is Bᵀ.

Check: `tinyunet check 14`.
"""


def f23_filter(g):
    """Return the transformed filter.

    Parameters
    ----------
    g : (3,), floats.

    Returns
    -------
    u : (4,).
    """


def f23(d, u):
    """Return two outputs with four products of data and filter.

    Parameters
    ----------
    d : (4,), the inputs.
    u : (4,), what f23_filter made of the filter.

    Returns
    -------
    y : (2,), an array. (The check counts products, so make it of the elements of d and u.)
    """


def winograd_tile(d, g, at, gm, bt):
    """Return the 4×4 outputs of a tile.

    Parameters
    ----------
    d : (6, 6), the tile.
    g : (3, 3), the filter.
    at, gm, bt : (4, 6), (6, 3), (6, 6).

    Returns
    -------
    y : (4, 4).
    """
