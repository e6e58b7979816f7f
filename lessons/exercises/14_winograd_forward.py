"""Exercise 14: Winograd's convolution.

Lesson: lessons/14-fast-on-a-cpu.md.

First in one dimension, F(2, 3): two outputs y[i] = Σ_a g[a] · d[i + a] of four inputs take six
products directly and four here:

    u0 = g0    u1 = (g0 + g1 + g2) / 2    u2 = (g0 − g1 + g2) / 2    u3 = g2
    m0 = (d0 − d2) u0    m1 = (d1 + d2) u1    m2 = (d2 − d1) u2    m3 = (d1 − d3) u3
    y0 = m0 + m1 + m2    y1 = m1 − m2 − m3

Why? Put u into m and m into y. Then F(4×4, 3×3), whose matrices are handed to you:
Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A. Here at is Aᵀ (4, 6), gm is G (6, 3) and bt is Bᵀ (6, 6).

Check: `tinyunet check 14`.
"""

import numpy as np


def f23_filter(g):
    """Return u (4,) for the filter g (3,)."""


def f23(d, u):
    """Return y (2,) for the inputs d (4,) and u (4,) = f23_filter(g), with four products."""


def winograd_tile(d, g, at, gm, bt):
    """Return y (4, 4) for a tile d (6, 6) and a filter g (3, 3)."""
