"""Where Winograd's matrices come from: Cook's and Toom's way to multiply polynomials.

Lesson: lessons/14-fast-on-a-cpu.md. The kernels have the matrices as arithmetic (`input_1d` and so
on in `winograd_tiles.py`); the tests hold that arithmetic to the ones made here.
"""

from math import prod

import numpy as np

from tinyunet.kernels.winograd_tiles import POINTS


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
# rounding error is half as large. `winograd_tiles` and `winograd_filters` have these as arithmetic.
AT, G, BT = (np.array(matrix) for matrix in cook_toom(POINTS))
