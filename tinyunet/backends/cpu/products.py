"""The matrix products of all kernels, in blocks that stay in registers.

Lesson: lessons/14-fast-on-a-cpu.md. A product needs two loads for each multiplication if it is
written as three loops. A block of six rows by sixteen columns keeps its 96 sums in registers and
takes six numbers and one vector for 96 multiplications, so the processor multiplies in nearly every
cycle. Rows may lie anywhere in an array, `step` numbers apart. A matrix that is multiplied from the
right comes in *panels* of sixteen columns: for each panel its rows, sixteen numbers each, in the
order in which they are read.

All of this is called from traced functions.
"""

from tinyunet.backends.cpu.tracing import cases, least, span, where
from tinyunet.backends.cpu.vector import VECTOR, Sums, load, number, store, zeros

ROWS, ROWS_OF_TRANSPOSED = 6, 8  # of a block of sums


def add_products(sums, A, a, a_row, a_next, B, b, b_next, n):
    """sums[r] += Σ A[a + r·a_row + i·a_next] · B[b + i·b_next …], over i = 0 … n - 1."""
    for i in span(n):
        row = load(B, b + i * b_next)
        for r in range(len(sums)):
            sums[r] += number(A, a + r * a_row + i * a_next) * row


def multiply(X, x, x_step, n, W, w, rows, columns, Y, y, y_step, bias=None):
    """n rows of Y, from `y` on, = n rows of X, from `x` on, times panels of W, from `w` on, + bias.

    W has `rows` rows and `columns` columns. Six rows and sixteen columns at a time; the last six
    rows end with the last, so some may be computed twice. Where there are fewer than six, each is
    computed six times.
    """
    few = n < ROWS
    at_a_time, x_next, y_next = where(few, 1, ROWS), where(few, 0, x_step), where(few, 0, y_step)
    for k in span(0, columns, VECTOR):
        start = zeros() if bias is None else load(bias, k)
        for row in span(0, n, at_a_time):
            row = least(row, n - at_a_time)
            sums = Sums([start] * ROWS)
            add_products(sums, X, x + row * x_step, x_next, 1, W, w + k * rows, VECTOR, rows)
            put_rows(sums, Y, y + row * y_step + k, y_next, columns - k)


def put_rows(vectors, Y, y, y_step, columns):
    """Store the vectors, or if there are fewer than sixteen `columns` as many of their numbers."""
    for few in cases(columns < VECTOR):
        for r, vector in enumerate(vectors):
            store(vector, Y, y + r * y_step, columns if few else None)


def multiply_transposed(X, x, x_step, rows, Y, y, y_step, columns, n, D, d, d_step, fresh):
    """D = Xᵀ · Y over n rows of X, from `x` on, and of Y, from `y` on; or D + Xᵀ·Y if not `fresh`.

    D has `rows` rows and `columns` columns, multiples of eight and of sixteen. What comes to D is
    summed apart: one sum over everything would add small numbers to large ones.
    """
    for r in span(0, rows, ROWS_OF_TRANSPOSED):
        for k in span(0, columns, VECTOR):
            sums = Sums([zeros()] * ROWS_OF_TRANSPOSED)
            add_products(sums, X, x + r, 1, x_step, Y, y + k, y_step, n)
            to = d + r * d_step + k
            for first in cases(fresh):
                for i, total in enumerate(sums):
                    store(total if first else load(D, to + i * d_step) + total, D, to + i * d_step)
