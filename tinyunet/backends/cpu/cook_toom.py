"""Winograd's matrices: Cook's and Toom's way to multiply polynomials, and the same as arithmetic.

Lesson: lessons/14-fast-on-a-cpu.md. `cook_toom` makes the matrices. Nobody multiplies by them: more
than a third of their elements are zero, and the rows for a point p and for -p differ in the sign of
the odd powers only. So the kernels have each as a function that computes the even and the odd half
once for both; the tests hold these functions to the matrices.
"""

from math import prod

import numpy as np


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


# Four outputs, three taps: the six one-dimensional transforms -------------------------------------
# The usual points are 0, ±1, ±2; with ±5/8 and ±3/2 the values stay closer to one another and the
# rounding error is half as large.
A, B = 5 / 8, 3 / 2
POINTS = (0, A, -A, B, -B)
AT, G, BT = (np.array(matrix) for matrix in cook_toom(POINTS))

# In float32, for a bare Python float would turn arithmetic on float32 numbers into float64. All but
# Lagrange's denominators, Π (p - q) over the other points q, are exact.
_A, _B = np.float32(A), np.float32(B)
_AA, _BB = np.float32(A * A), np.float32(B * B)
_SUM, _PRODUCT = np.float32(A * A + B * B), np.float32(A * A * B * B)
_BY_0 = np.float32(1 / (A * A * B * B))
_BY_A = np.float32(1 / (2 * A * A * (A * A - B * B)))
_BY_B = np.float32(1 / (2 * B * B * (B * B - A * A)))


def input_1d(d0, d1, d2, d3, d4, d5):
    """Bᵀ d: six inputs to six positions."""
    even_a, odd_a = d4 - _BB * d2, _A * (d3 - _BB * d1)
    even_b, odd_b = d4 - _AA * d2, _B * (d3 - _AA * d1)
    first = d4 - _SUM * d2 + _PRODUCT * d0
    last = d5 - _SUM * d3 + _PRODUCT * d1
    return first, even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, last


def input_1d_adjoint(v0, v1, v2, v3, v4, v5):
    """B v: six positions back to the six inputs, for gradients."""
    even_a, odd_a = v1 + v2, _A * (v1 - v2)
    even_b, odd_b = v3 + v4, _B * (v3 - v4)
    d1 = _PRODUCT * v5 - _BB * odd_a - _AA * odd_b
    d2 = -_SUM * v0 - _BB * even_a - _AA * even_b
    d3 = odd_a + odd_b - _SUM * v5
    return _PRODUCT * v0, d1, d2, d3, v0 + even_a + even_b, v5


def output_1d(m0, m1, m2, m3, m4, m5):
    """Aᵀ m: six positions to four outputs."""
    even_a, odd_a = m1 + m2, _A * (m1 - m2)
    even_b, odd_b = m3 + m4, _B * (m3 - m4)
    y2 = _AA * even_a + _BB * even_b
    y3 = _AA * odd_a + _BB * odd_b + m5
    return m0 + even_a + even_b, odd_a + odd_b, y2, y3


def output_1d_adjoint(y0, y1, y2, y3):
    """A y: four outputs back to six positions, for gradients."""
    even_a, odd_a = y0 + _AA * y2, _A * (y1 + _AA * y3)
    even_b, odd_b = y0 + _BB * y2, _B * (y1 + _BB * y3)
    return y0, even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, y3


def filter_1d(g0, g1, g2):
    """G g: three taps to six positions."""
    even_a, odd_a = _BY_A * (g0 + _AA * g2), _BY_A * (_A * g1)
    even_b, odd_b = _BY_B * (g0 + _BB * g2), _BY_B * (_B * g1)
    return _BY_0 * g0, even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, g2


def filter_1d_adjoint(u0, u1, u2, u3, u4, u5):
    """Gᵀ u: six positions back to the three taps, for gradients."""
    even_a, odd_a = _BY_A * (u1 + u2), _BY_A * (u1 - u2)
    even_b, odd_b = _BY_B * (u3 + u4), _BY_B * (u3 - u4)
    return _BY_0 * u0 + even_a + even_b, _A * odd_a + _B * odd_b, _AA * even_a + _BB * even_b + u5
