"""Winograd: the matrices in exact arithmetic, the tile arithmetic against the matrices."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from tinyunet.kernels import jit, threads, winograd, winograd_tiles

pytestmark = pytest.mark.skipif(not jit.available(), reason="numba cannot compile here")


def multiply(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def fractions(rng, n):
    return [Fraction(int(a), int(b)) for a, b in rng.integers(1, 50, (n, 2))]


def exact_points():
    return [Fraction(p) for p in winograd_tiles.POINTS]


@pytest.mark.parametrize(
    ("points", "outputs", "taps"),
    [
        (exact_points(), 4, 3),
        ([Fraction(p) for p in (0, 1, -1, 2, -2)], 4, 3),
        ([Fraction(p) for p in (0, 1, -1)], 2, 3),
        ([Fraction(p) for p in (0, 1, -1)], 3, 2),
    ],
)
def test_cook_toom_is_exactly_the_valid_correlation(points, outputs, taps):
    rng = np.random.default_rng(3)
    AT, G, BT = winograd.cook_toom(points, outputs, taps)
    for _ in range(5):
        g, d = fractions(rng, taps), fractions(rng, outputs + taps - 1)
        products = [u * v for u, v in zip(multiply(G, g), multiply(BT, d), strict=True)]
        correlation = [sum(g[k] * d[i + k] for k in range(taps)) for i in range(outputs)]
        assert multiply(AT, products) == correlation


def test_usual_points_give_the_published_input_matrix():
    """Lavin and Gray print Bᵀ for 0, ±1, ±2; the sign of a row may move into G."""
    BT = winograd.cook_toom([Fraction(p) for p in (0, 1, -1, 2, -2)])[2]
    published = [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
    assert published == BT


def test_constants_are_the_construction_and_exact_in_float32():
    AT, G, BT = winograd.cook_toom(exact_points())
    np.testing.assert_array_equal(winograd.AT, np.array(AT, float))
    np.testing.assert_array_equal(winograd.BT, np.array(BT, float))
    np.testing.assert_allclose(winograd.G, np.array(G, float), rtol=1e-15)
    for matrix in (winograd.AT, winograd.BT):
        np.testing.assert_array_equal(matrix.astype(np.float32), matrix)


@pytest.mark.parametrize(
    ("transform", "matrix"),
    [
        ("input_1d", winograd.BT),
        ("input_1d_adjoint", winograd.BT.T),
        ("output_1d", winograd.AT),
        ("output_1d_adjoint", winograd.AT.T),
    ],
)
def test_one_dimensional_transforms_are_the_matrices(transform, matrix):
    """Every column, so every coefficient, and exactly: the constants are short binary fractions."""
    transform = getattr(winograd_tiles, transform)
    for column, unit in zip(matrix.T, np.eye(matrix.shape[1], dtype=np.float32), strict=True):
        np.testing.assert_array_equal(transform(*unit), column)


def test_filter_transforms_and_their_adjoint():
    rng = np.random.default_rng(4)
    weight = rng.standard_normal((3, 5, 3, 3), dtype=np.float32)
    U = winograd.transform_filters(weight)
    expected = np.einsum("pa,kcab,qb->pqck", winograd.G, weight, winograd.G).reshape(36, 5, 3)
    np.testing.assert_allclose(U, expected, rtol=1e-5, atol=1e-6)
    transposed = winograd.transform_filters_transposed(weight)
    np.testing.assert_array_equal(transposed, U.transpose(0, 2, 1))
    dU = rng.standard_normal((36, 3, 5), dtype=np.float32)
    dweight = winograd.filter_gradient(dU)
    assert dweight.shape == weight.shape
    np.testing.assert_allclose((dU * transposed).sum(), (dweight * weight).sum(), rtol=1e-4)


@pytest.mark.parametrize(
    ("shape", "grid"),
    [
        ((1, 6, 6, 1), (1, 1)),
        ((1, 7, 6, 1), (2, 1)),
        ((3, 3, 10, 2), (3, 2)),
        ((2, 11, 3, 2), (6, 1)),
    ],
)
def test_tile_grid_counts_the_tiles_that_the_output_needs(shape, grid):
    assert winograd.tile_grid(shape) == grid


def test_blocks_follow_each_other_and_fit_the_cache():
    blocks = winograd.blocks_of_rows((1, 570, 570, 16), 16)
    assert blocks[0][0] == 0
    assert blocks[-1][1] == 142
    assert all(a[1] == b[0] for a, b in pairwise(blocks))
    row_bytes = 4 * 36 * 142 * 32
    largest = max(last - first for first, last in blocks)
    assert largest == winograd.BLOCK_BYTES // row_bytes == 1
    # 256 → 128 channels: two readings of the filters are 9.4 MB, a row of 50 tiles 2.8 MB
    assert winograd.blocks_of_rows((1, 198, 198, 256), 128)[0] == (0, 2)
    assert len(winograd.blocks_of_rows((1, 198, 198, 256), 128)) == -(-50 // 3)


def test_many_channels_begins_where_the_filters_outgrow_the_cache():
    assert winograd.many_channels(np.empty((512, 128, 3, 3), np.float32))
    assert not winograd.many_channels(np.empty((511, 128, 3, 3), np.float32))


@pytest.mark.parametrize("by_channels", [False, True])
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_both_ways_of_sharing_work_give_the_same_for_any_number_of_threads(
    monkeypatch, by_channels, n_threads
):
    """Block edges fall between neighbouring tile rows that add to the same rows of dx."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((2, 27, 14, 3), dtype=np.float32)
    weight = rng.standard_normal((70, 3, 3, 3), dtype=np.float32)
    bias = rng.standard_normal(70, dtype=np.float32)
    dy = rng.standard_normal((2, 25, 12, 70), dtype=np.float32)
    before = threads.get_threads()
    try:
        threads.set_threads(1)
        monkeypatch.setattr(winograd, "BLOCK_BYTES", 2**40)
        monkeypatch.setattr(winograd, "many_channels", lambda weight: False)
        y = winograd.conv3x3_relu(x, weight, bias)
        reference = winograd.conv3x3_relu_backward(dy, x, weight, y)
        monkeypatch.setattr(winograd, "BLOCK_BYTES", 1)
        monkeypatch.setattr(winograd, "many_channels", lambda weight: by_channels)
        threads.set_threads(n_threads)
        np.testing.assert_allclose(winograd.conv3x3_relu(x, weight, bias), y, rtol=0, atol=2e-5)
        gradients = winograd.conv3x3_relu_backward(dy, x, weight, y)
        again = winograd.conv3x3_relu_backward(dy, x, weight, y)
        without_dx = winograd.conv3x3_relu_backward(dy, x, weight, y, need_dx=False)
    finally:
        threads.set_threads(before)
    assert without_dx[0] is None
    for got, repeated, wanted in zip(gradients, again, reference, strict=True):
        np.testing.assert_array_equal(got, repeated)  # bit for bit from run to run
        np.testing.assert_allclose(got, wanted, rtol=0, atol=3e-6 * np.abs(wanted).max())
    for got, wanted in zip(without_dx[1:], gradients[1:], strict=True):
        np.testing.assert_array_equal(got, wanted)
