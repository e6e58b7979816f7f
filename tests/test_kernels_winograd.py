"""Winograd: the matrices in exact arithmetic, the tile arithmetic against the matrices."""

from fractions import Fraction

import numpy as np
import pytest

from tinyunet.kernels import cook_toom, jit, threads, winograd, winograd_filters, winograd_tiles

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
    AT, G, BT = cook_toom.cook_toom(points, outputs, taps)
    for _ in range(5):
        g, d = fractions(rng, taps), fractions(rng, outputs + taps - 1)
        products = [u * v for u, v in zip(multiply(G, g), multiply(BT, d), strict=True)]
        correlation = [sum(g[k] * d[i + k] for k in range(taps)) for i in range(outputs)]
        assert multiply(AT, products) == correlation


def test_usual_points_give_the_published_input_matrix():
    """Lavin and Gray print Bᵀ for 0, ±1, ±2; the sign of a row may move into G."""
    BT = cook_toom.cook_toom([Fraction(p) for p in (0, 1, -1, 2, -2)])[2]
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
    AT, G, BT = cook_toom.cook_toom(exact_points())
    np.testing.assert_array_equal(cook_toom.AT, np.array(AT, float))
    np.testing.assert_array_equal(cook_toom.BT, np.array(BT, float))
    np.testing.assert_allclose(cook_toom.G, np.array(G, float), rtol=1e-15)
    for matrix in (cook_toom.AT, cook_toom.BT):
        np.testing.assert_array_equal(matrix.astype(np.float32), matrix)


@pytest.mark.parametrize(
    ("transform", "matrix"),
    [
        ("input_1d", cook_toom.BT),
        ("input_1d_adjoint", cook_toom.BT.T),
        ("output_1d", cook_toom.AT),
        ("output_1d_adjoint", cook_toom.AT.T),
    ],
)
def test_one_dimensional_transforms_are_the_matrices(transform, matrix):
    """Every column, so every coefficient, and exactly: the constants are short binary fractions."""
    transform = getattr(winograd_tiles, transform)
    for column, unit in zip(matrix.T, np.eye(matrix.shape[1], dtype=np.float32), strict=True):
        np.testing.assert_array_equal(transform(*unit), column)


@pytest.mark.parametrize(
    ("transform", "matrix"), [("filter_1d", cook_toom.G), ("filter_1d_adjoint", cook_toom.G.T)]
)
def test_one_dimensional_filter_transforms_are_the_matrices(transform, matrix):
    """Not exactly: the denominators of G are no binary fractions."""
    transform = getattr(winograd_filters, transform)
    for column, unit in zip(matrix.T, np.eye(matrix.shape[1], dtype=np.float32), strict=True):
        np.testing.assert_allclose(transform(*unit), column, rtol=2e-7, atol=0)


@pytest.mark.parametrize(("out_channels", "channels"), [(3, 5), (16, 17), (35, 1), (1, 32)])
def test_filter_transforms_and_their_adjoint(out_channels, channels):
    rng = np.random.default_rng(4)
    weight = rng.standard_normal((out_channels, channels, 3, 3), dtype=np.float32)
    wanted = np.einsum("pa,kcab,qb->pqck", cook_toom.G, weight, cook_toom.G)
    wanted = wanted.reshape(36, channels, out_channels)
    U, transposed = (
        winograd.all_filters(winograd.taps_first(weight)),
        winograd.all_filters(winograd.taps_first_transposed(weight)),
    )
    assert U.shape == (36, -(-out_channels // 16), channels, 16)
    assert transposed.shape == (36, -(-channels // 16), out_channels, 16)
    unfolded = U.transpose(0, 2, 1, 3).reshape(36, channels, -1)
    np.testing.assert_allclose(unfolded[:, :, :out_channels], wanted, rtol=1e-5, atol=1e-6)
    assert not unfolded[:, :, out_channels:].any()
    unfolded = transposed.transpose(0, 2, 1, 3).reshape(36, out_channels, -1)
    wanted = wanted.transpose(0, 2, 1)
    np.testing.assert_allclose(unfolded[:, :, :channels], wanted, rtol=1e-5, atol=1e-6)
    assert not unfolded[:, :, channels:].any()
    # the adjoint: <dU, U> = <dweight, weight>
    shape = (36, winograd.sixteens(out_channels), winograd.sixteens(channels))
    dU = rng.standard_normal(shape, dtype=np.float32)
    dweight = np.full_like(weight, np.nan)
    winograd.filter_gradient(dU, 0, out_channels, 0, dweight)
    product = (dU[:, :out_channels, :channels].astype(float) * wanted).sum()
    np.testing.assert_allclose((dweight.astype(float) * weight).sum(), product, rtol=1e-4)


def test_filter_transforms_of_some_channels_only():
    rng = np.random.default_rng(4)
    weight = rng.standard_normal((40, 37, 3, 3), dtype=np.float32)
    some, whole = (
        winograd.filters(winograd.taps_first(weight), 16, 40),
        winograd.all_filters(winograd.taps_first(weight)),
    )
    np.testing.assert_array_equal(some, whole[:, 1:])
    dU = rng.standard_normal((36, 32, 48), dtype=np.float32)
    dweight, part = np.zeros((2, *weight.shape), np.float32)
    winograd.filter_gradient(dU, 0, 24, 16, dweight)
    winograd.filter_gradient(dU, 5, 7, 16, part)
    np.testing.assert_array_equal(part[21:23], dweight[21:23])
    assert dweight[16:40].all()
    assert not dweight[:16].any()
    assert not part[:21].any()
    assert not part[23:].any()


@pytest.mark.parametrize(
    ("tiles", "channels", "out_channels"), [(6, 16, 16), (11, 5, 32), (1, 33, 16)]
)
def test_products_at_all_36_positions(tiles, channels, out_channels):
    rng = np.random.default_rng(6)
    V, M = winograd.tile_buffer(tiles, channels), winograd.tile_buffer(tiles, out_channels)
    assert V.shape == (-(-tiles // 6) * 6, 36, -(-channels // 16) * 16)
    V[:] = np.nan  # what lies beyond the tiles and the channels must not get into M
    V[:tiles, :, :channels] = rng.standard_normal((tiles, 36, channels))
    U = rng.standard_normal((36, out_channels // 16, channels, 16), dtype=np.float32)
    winograd.multiply(V, U, tiles, M)
    wanted = np.einsum("tpc,pkcl->tpkl", V[:tiles, :, :channels].astype(float), U)
    np.testing.assert_allclose(
        M[:tiles], wanted.reshape(tiles, 36, out_channels), rtol=0, atol=3e-5
    )
    dU = rng.standard_normal((36, 16, V.shape[2]), dtype=np.float32)
    M[:] = rng.standard_normal(M.shape)
    wanted = dU[:, :, :channels] + np.einsum(
        "tpk,tpc->pkc", M[:tiles, :, -16:].astype(float), V[:tiles, :, :channels]
    )
    winograd.add_transposed(M, V, tiles, out_channels - 16, out_channels, dU)
    np.testing.assert_allclose(dU[:, :, :channels], wanted, rtol=0, atol=3e-5)


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


def test_tiles_at_a_time_fill_the_cache_and_are_worth_reading_the_filters():
    def tiles(out_channels, channels):
        return winograd.tiles_at_a_time(np.empty((out_channels, channels, 3, 3), np.float32))

    assert tiles(16, 16) == 2**19 // (4 * 36 * 32) // 6 * 6 == 108
    assert tiles(64, 64) == 24  # the least: 28 would fit
    assert tiles(256, 128) == 256 * 128 // 384 // 6 * 6 == 84


def test_many_channels_begins_where_the_filters_outgrow_the_cache():
    shape = (1, 102, 102, 128)
    assert winograd.many_channels(shape, np.empty((512, 128, 3, 3), np.float32))
    assert not winograd.many_channels(shape, np.empty((511, 128, 3, 3), np.float32))


def test_many_channels_begins_where_the_filters_outgrow_the_tiles():
    weight = np.empty((96, 192, 3, 3), np.float32)  # 64 times as many pairs as channels
    assert winograd.many_channels((1, 34, 34, 192), weight)  # 64 tiles
    assert not winograd.many_channels((1, 34, 35, 192), weight)  # 72
    assert not winograd.many_channels((2, 34, 34, 192), weight)


@pytest.mark.parametrize(("by_channels", "tiles"), [(False, 6), (False, 18), (True, 0)])
@pytest.mark.parametrize("n_threads", [1, 2, 3, 20])
def test_both_ways_of_sharing_work_give_the_same_for_any_number_of_threads(
    monkeypatch, by_channels, tiles, n_threads
):
    """Shares begin between neighbouring tile rows that add to the same rows of dx."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((2, 27, 14, 3), dtype=np.float32)
    weight = rng.standard_normal((70, 3, 3, 3), dtype=np.float32)
    bias = rng.standard_normal(70, dtype=np.float32)
    dy = rng.standard_normal((2, 25, 12, 70), dtype=np.float32)
    before = threads.get_threads()
    try:
        threads.set_threads(1)
        monkeypatch.setattr(winograd, "tiles_at_a_time", lambda weight: 2**40)
        monkeypatch.setattr(winograd, "many_channels", lambda shape, weight: False)
        y = winograd.conv3x3_relu(x, weight, bias)
        reference = winograd.conv3x3_relu_backward(dy, x, weight, y)
        monkeypatch.setattr(winograd, "tiles_at_a_time", lambda weight: tiles)
        monkeypatch.setattr(winograd, "many_channels", lambda shape, weight: by_channels)
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
