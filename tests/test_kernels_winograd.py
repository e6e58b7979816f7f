"""Winograd: the matrices in exact arithmetic, the tile arithmetic against the matrices."""

from fractions import Fraction

import numpy as np
import pytest

from tinyunet.kernels import (
    cook_toom,
    jit,
    threads,
    winograd,
    winograd_buffers,
    winograd_by_channels,
    winograd_by_tiles,
    winograd_filters,
    winograd_products,
    winograd_tiles,
)

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
    U = unfolded_filters(winograd_buffers.all_filters(weight, False), channels, out_channels)
    np.testing.assert_allclose(U[:, :, :out_channels], wanted, rtol=1e-5, atol=1e-6)
    assert not U[:, :, out_channels:].any()
    U = unfolded_filters(winograd_buffers.all_filters(weight, True), out_channels, channels)
    wanted = wanted.transpose(0, 2, 1)
    np.testing.assert_allclose(U[:, :, :channels], wanted, rtol=1e-5, atol=1e-6)
    assert not U[:, :, channels:].any()
    # the adjoint: <dU, U> = <dweight, weight>
    dU = winograd_buffers.filter_buffer(out_channels, channels)
    dU[:] = rng.standard_normal(dU.shape)
    dweight = np.full_like(weight, np.nan)
    winograd_filters.filter_gradient(dU, 0, out_channels, 0, dweight)
    dU = dU[:, :-16].reshape(36, out_channels, -1)[:, :, :channels]
    product = (dU.astype(float) * wanted).sum()
    np.testing.assert_allclose((dweight.astype(float) * weight).sum(), product, rtol=1e-4)


def unfolded_filters(U, rows, lanes):
    """U (36, rows, lanes filled up to sixteens) from panels of sixteen; the last 16 are void."""
    panels = -(-lanes // 16)
    assert U.shape == (36, rows * panels * 16 + 16)
    return U[:, :-16].reshape(36, panels, rows, 16).transpose(0, 2, 1, 3).reshape(36, rows, -1)


def test_filter_transforms_of_some_channels_only():
    rng = np.random.default_rng(4)
    weight = rng.standard_normal((40, 37, 3, 3), dtype=np.float32)
    for transposed, last, rows in ((False, 40, 37), (True, 37, 40)):
        U = winograd_buffers.filter_buffer(rows, last - 16)
        winograd_filters.transform_filters(weight, transposed, 16, last, 0, rows, U)
        some = unfolded_filters(U, rows, last - 16)
        whole = unfolded_filters(winograd_buffers.all_filters(weight, transposed), rows, last)
        np.testing.assert_array_equal(some, whole[:, :, 16:])
    dU = winograd_buffers.filter_buffer(24, 37)
    dU[:] = rng.standard_normal(dU.shape)
    dweight, part = np.zeros((2, *weight.shape), np.float32)
    winograd_filters.filter_gradient(dU, 0, 24, 16, dweight)
    winograd_filters.filter_gradient(dU, 5, 7, 16, part)
    np.testing.assert_array_equal(part[21:23], dweight[21:23])
    assert dweight[16:40].all()
    assert not dweight[:16].any()
    assert not part[:21].any()
    assert not part[23:].any()


def test_filters_are_shared_out_to_the_threads_and_come_out_the_same():
    rng = np.random.default_rng(8)
    weight = rng.standard_normal((130, 141, 3, 3), dtype=np.float32)  # rows to 16 do not divide
    before = threads.get_threads()
    try:
        for transposed, lanes, rows in ((False, 130, 141), (True, 141, 130)):
            threads.set_threads(1)
            wanted = unfolded_filters(
                winograd_buffers.all_filters(weight, transposed), rows, lanes
            ).copy()
            threads.set_threads(2)
            got = unfolded_filters(winograd_buffers.all_filters(weight, transposed), rows, lanes)
            np.testing.assert_array_equal(got, wanted)
    finally:
        threads.set_threads(before)


@pytest.mark.parametrize(
    ("tiles", "channels", "out_channels"),
    [(6, 16, 16), (11, 5, 32), (1, 33, 16), (98, 16, 16), (200, 17, 32)],
)
def test_products_at_all_36_positions(tiles, channels, out_channels):
    rng = np.random.default_rng(6)
    V = winograd_buffers.tile_buffer(tiles, channels)
    M = winograd_buffers.tile_buffer(tiles, out_channels)
    assert V.shape == (-(-tiles // 6) * 6, 36 * -(-channels // 16) * 16 + 16)
    V[:] = np.nan  # what lies beyond the tiles and the channels must not get into M
    v, m = (
        buffer[:tiles, :-16].reshape(tiles, 36, -1, order="A") for buffer in (V, M)
    )  # views of the tiles, without the void at the end
    assert np.shares_memory(v, V)
    v[:, :, :channels] = rng.standard_normal((tiles, 36, channels))
    U = winograd_buffers.filter_buffer(channels, out_channels)
    U[:] = rng.standard_normal(U.shape)
    winograd_products.multiply(V, U, tiles, M)
    wanted = v[:, :, :channels].astype(float).transpose(1, 0, 2) @ unfolded_filters(
        U, channels, out_channels
    )
    np.testing.assert_allclose(m.transpose(1, 0, 2), wanted, rtol=0, atol=3e-5)
    dU = winograd_buffers.filter_buffer(16, channels)
    dU[:] = rng.standard_normal(dU.shape)
    M[:] = rng.standard_normal(M.shape)
    products = m[:, :, -16:].astype(float).transpose(1, 2, 0) @ v[:, :, :channels].transpose(
        1, 0, 2
    )
    wanted = dU[:, :-16].reshape(36, 16, -1)[:, :, :channels] + products
    old = dU.copy()
    winograd_products.multiply_transposed(M, V, tiles, np.intp(out_channels - 16), False, dU)
    got = dU[:, :-16].reshape(36, 16, -1)[:, :, :channels]
    bound = 2e-6 * np.abs(wanted).max()
    np.testing.assert_allclose(got, wanted, rtol=0, atol=bound)
    np.testing.assert_array_equal(dU[:, -16:], old[:, -16:])  # the void
    dU[:] = np.nan
    winograd_products.multiply_transposed(M, V, tiles, np.intp(out_channels - 16), True, dU)
    np.testing.assert_allclose(got, products, rtol=0, atol=bound)


@pytest.mark.parametrize(
    ("tiles", "channels", "wanted", "panel"),
    [
        (49, 1024, 512, 16),
        (256, 512, 256, 64),
        (256, 512, 96, 32),
        (256, 512, 80, 16),
        (9, 256, 16, 16),
        (2**23 // (4 * 36 * 64), 64, 128, 16),
        (2**23 // (4 * 36 * 64) + 1, 64, 128, 64),
    ],
)
def test_panels_are_small_where_v_is_and_divide_the_channels(tiles, channels, wanted, panel):
    assert winograd_by_channels.panel_size(tiles, channels, wanted) == panel


@pytest.mark.parametrize(("top", "bottom"), [(0, 22), (3, 12), (4, 5), (11, 22), (7, 7)])
def test_only_the_rows_asked_for_get_their_gradient(top, bottom):
    """The others are another thread's: touching them, even with what they hold, is a race."""
    rng = np.random.default_rng(9)
    shape = (2, 11, 9, 5)  # three rows of three tiles an image, the last ones over the edge
    dV = winograd_buffers.tile_buffer(18, 5)
    dV[:] = rng.standard_normal(dV.shape)
    wanted, dx = np.zeros((2, *shape), np.float32)
    winograd_tiles.scatter_gradients(dV, 0, 18, 0, 0, 22, wanted)
    winograd_tiles.scatter_gradients(dV, 0, 18, 0, top, bottom, dx)
    rows = slice(top, bottom)
    assert wanted.reshape(22, -1).all(axis=1).all()
    np.testing.assert_array_equal(dx.reshape(22, -1)[rows], wanted.reshape(22, -1)[rows])
    dx.reshape(22, -1)[rows] = 0
    assert not dx.any()


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
    assert winograd_buffers.tile_grid(shape) == grid


def test_tiles_at_a_time_fill_the_cache_and_are_worth_reading_the_filters():
    def tiles(out_channels, channels):
        return winograd_by_tiles.tiles_at_a_time(
            np.empty((out_channels, channels, 3, 3), np.float32)
        )

    assert tiles(16, 16) == 2**19 // (4 * 36 * 32) // 6 * 6 == 108
    assert tiles(64, 64) == 24  # the least: 28 would fit
    assert tiles(256, 128) == 256 * 128 // 384 // 6 * 6 == 84


def test_the_way_by_channels_begins_where_the_filters_outgrow_the_cache():
    shape = (1, 102, 102, 128)
    assert winograd.way(shape, np.empty((512, 128, 3, 3), np.float32)) is winograd_by_channels
    assert winograd.way(shape, np.empty((511, 128, 3, 3), np.float32)) is winograd_by_tiles


def test_the_way_by_channels_begins_where_the_filters_outgrow_the_tiles():
    weight = np.empty((96, 192, 3, 3), np.float32)  # 64 times as many pairs as channels
    assert winograd.way((1, 34, 34, 192), weight) is winograd_by_channels  # 64 tiles
    assert winograd.way((1, 34, 35, 192), weight) is winograd_by_tiles  # 72
    assert winograd.way((2, 34, 34, 192), weight) is winograd_by_tiles


@pytest.mark.parametrize(
    ("by_channels", "tiles"), [(False, 6), (False, 18), (True, 0), (True, 2**23)]
)
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
        monkeypatch.setattr(threads, "LITTLE", 1)  # else a layer as small stays in one thread
        monkeypatch.setattr(winograd_by_tiles, "tiles_at_a_time", lambda weight: 2**40)
        monkeypatch.setattr(winograd, "way", lambda shape, weight: winograd_by_tiles)
        y = winograd.conv3x3_relu(x, weight, bias)
        reference = winograd.conv3x3_relu_backward(dy, x, weight, y)
        monkeypatch.setattr(winograd_by_tiles, "tiles_at_a_time", lambda weight: tiles)
        monkeypatch.setattr(winograd_by_channels, "LARGE", tiles)
        way = winograd_by_channels if by_channels else winograd_by_tiles
        monkeypatch.setattr(winograd, "way", lambda shape, weight: way)
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
    # whoever adds to a row of dx does so in the same order
    np.testing.assert_array_equal(gradients[0], reference[0])
    for got, wanted in zip(without_dx[1:], gradients[1:], strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(("products", "shares"), [(1, 1), (2, 2)])
def test_a_thread_is_woken_for_enough_multiplications_only(products, shares):
    weight = np.empty((16, 16, 3, 3), np.float32)
    shape = (1, 4 * 20 + 2, 4 * 20 + 2, 16)  # 20 rows of 20 tiles: 3.7 million multiplications
    before = threads.get_threads()
    try:
        threads.set_threads(2)
        assert len(winograd_buffers.cut_rows(shape, weight, products)) == shares
    finally:
        threads.set_threads(before)
