"""Winograd: the matrices in exact arithmetic, the tile arithmetic against the matrices."""

from fractions import Fraction

import numpy as np
import pytest

from tinyunet import _numba as jit
from tinyunet.backends.cpu import (
    cook_toom,
    threads,
    winograd,
    winograd_products,
    winograd_transforms,
)
from tinyunet.backends.cpu.tracing import kernel

pytestmark = pytest.mark.skipif(not jit.available(), reason="numba cannot compile here")


def multiply(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def fractions(rng, n):
    return [Fraction(int(a), int(b)) for a, b in rng.integers(1, 50, (n, 2))]


def exact_points():
    return [Fraction(p) for p in cook_toom.POINTS]


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
    transform = getattr(cook_toom, transform)
    for column, unit in zip(matrix.T, np.eye(matrix.shape[1], dtype=np.float32), strict=True):
        np.testing.assert_array_equal(transform(*unit), column)


@pytest.mark.parametrize(
    ("transform", "matrix"), [("filter_1d", cook_toom.G), ("filter_1d_adjoint", cook_toom.G.T)]
)
def test_one_dimensional_filter_transforms_are_the_matrices(transform, matrix):
    """Not exactly: the denominators of G are no binary fractions."""
    transform = getattr(cook_toom, transform)
    for column, unit in zip(matrix.T, np.eye(matrix.shape[1], dtype=np.float32), strict=True):
        np.testing.assert_allclose(transform(*unit), column, rtol=2e-7, atol=0)


@kernel
def multiply_positions(V, U, channels, out_channels, tiles, M):
    winograd_products.multiply_positions(V, U, channels, out_channels, tiles, M)


@kernel
def multiply_transposed(dM, V, tiles, first, last, fresh, dU, piece):
    winograd_products.add_position_products(dM, V, tiles, first, last, fresh > 0, dU, piece)


NOBODY = np.zeros((1, 36 * 64 + 16), np.float32)
NO_MAP = np.zeros((0, 1, 1, 1), np.float32)


def filters(weight, transposed, first=0, last=None):
    """U of some channels, (36, rows, channels rounded up), and void at its end cut off."""
    out_channels, channels = weight.shape[:2]
    rows = out_channels if transposed else channels
    last = (channels if transposed else out_channels) if last is None else last
    U = winograd.filter_buffer(rows, last - first)
    U[:] = np.nan
    if transposed:
        M = winograd.tile_buffer(6, last - first)
        winograd_products.input_gradient(NOBODY, weight, 0, first, last, U, 0, M, NO_MAP)
    else:
        V, M = winograd.tile_buffer(6, channels), winograd.tile_buffer(6, last - first)
        winograd_products.outputs(
            0, winograd_products.FILTERS, 0, 0, first, last, NO_MAP, weight, NOBODY, U, V, M,
            NO_MAP, NO_MAP,
        )  # fmt: skip
    assert np.isnan(U[:, -16:]).all()
    return unfolded(U, rows, last - first)


def unfolded(U, rows, channels):
    """U (36, rows, channels rounded up) from panels of sixteen; the last 16 are void."""
    panels = -(-channels // 16)
    assert U.shape == (36, rows * panels * 16 + 16)
    return U[:, :-16].reshape(36, panels, rows, 16).transpose(0, 2, 1, 3).reshape(36, rows, -1)


@pytest.mark.parametrize(("out_channels", "channels"), [(3, 5), (16, 17), (35, 1), (1, 32)])
def test_filter_transforms_and_their_adjoint(out_channels, channels):
    rng = np.random.default_rng(4)
    weight = rng.standard_normal((out_channels, channels, 3, 3), dtype=np.float32)
    wanted = np.einsum("pa,kcab,qb->pqck", cook_toom.G, weight, cook_toom.G)
    wanted = wanted.reshape(36, channels, out_channels)
    U = filters(weight, False)
    np.testing.assert_allclose(U[:, :, :out_channels], wanted, rtol=1e-5, atol=1e-6)
    assert not U[:, :, out_channels:].any()
    U = filters(weight, True)
    wanted = wanted.transpose(0, 2, 1)
    np.testing.assert_allclose(U[:, :, :channels], wanted, rtol=1e-5, atol=1e-6)
    assert not U[:, :, channels:].any()
    # the adjoint: <sum of dU, U> = <dweight, weight>
    dU = winograd.gradient_buffer(3, out_channels, channels)
    dU[:] = rng.standard_normal(dU.shape)
    dweight = np.full_like(weight, np.nan)
    winograd_products.weight_gradient(NOBODY, NOBODY, 0, 0, out_channels, dU, dweight)
    dU = dU.astype(float).sum(axis=0)[:, :-16].reshape(36, -1, -(-channels // 16) * 16)
    product = (dU[:, :out_channels, :channels] * wanted).sum()
    np.testing.assert_allclose((dweight.astype(float) * weight).sum(), product, rtol=1e-4)


def test_filter_transforms_of_some_channels_only():
    rng = np.random.default_rng(4)
    weight = rng.standard_normal((40, 37, 3, 3), dtype=np.float32)
    for transposed, last in ((False, 40), (True, 37)):
        some, whole = filters(weight, transposed, 16, last), filters(weight, transposed)
        np.testing.assert_array_equal(some, whole[:, :, 16:])
    dU = winograd.gradient_buffer(1, 40, 37)
    dU[:] = rng.standard_normal(dU.shape)
    dweight, part = np.zeros((2, *weight.shape), np.float32)
    winograd_products.weight_gradient(NOBODY, NOBODY, 0, 0, 40, dU, dweight)
    winograd_products.weight_gradient(NOBODY, NOBODY, 0, 21, 23, dU, part)
    np.testing.assert_array_equal(part[21:23], dweight[21:23])
    assert dweight.all()
    assert not part[:21].any()
    assert not part[23:].any()


@pytest.mark.parametrize(
    ("tiles", "channels", "out_channels"),
    [(6, 16, 16), (11, 5, 32), (1, 33, 16), (98, 16, 16), (200, 17, 32), (5, 1, 48)],
)
def test_products_at_all_36_positions(tiles, channels, out_channels):
    rng = np.random.default_rng(6)
    V, M = winograd.tile_buffer(tiles, channels), winograd.tile_buffer(tiles, out_channels)
    assert V.shape == (-(-tiles // 6) * 6, 36 * -(-channels // 16) * 16 + 16)
    V[:] = np.nan  # what lies beyond the tiles and the channels must not get into M
    v, m = (buffer[:tiles, :-16].reshape(tiles, 36, -1) for buffer in (V, M))
    assert np.shares_memory(v, V)
    assert np.shares_memory(m, M)
    v[:, :, :channels] = rng.standard_normal((tiles, 36, channels))
    U = winograd.filter_buffer(channels, out_channels)
    U[:] = rng.standard_normal(U.shape)
    multiply_positions(V, U, channels, out_channels, tiles, M)
    wanted = v[:, :, :channels].astype(float).transpose(1, 0, 2) @ unfolded(
        U, channels, out_channels
    )
    np.testing.assert_allclose(m.transpose(1, 0, 2), wanted, rtol=0, atol=3e-5)
    dU = winograd.gradient_buffer(2, 16, channels)
    dU[:] = rng.standard_normal(dU.shape)
    M[:] = rng.standard_normal(M.shape)
    products = m[:, :, -16:].astype(float).transpose(1, 2, 0) @ v[:, :, :channels].transpose(
        1, 0, 2
    )
    old = dU.copy()
    wanted = old[1, :, :-16].reshape(36, 16, -1)[:, :, :channels] + products
    multiply_transposed(M, V, tiles, out_channels - 16, out_channels, 0, dU, 1)
    got = dU[1, :, :-16].reshape(36, 16, -1)[:, :, :channels]
    bound = 2e-6 * np.abs(wanted).max()
    np.testing.assert_allclose(got, wanted, rtol=0, atol=bound)
    np.testing.assert_array_equal(dU[0], old[0])
    np.testing.assert_array_equal(dU[1, :, -16:], old[1, :, -16:])  # the void
    dU[:] = np.nan
    multiply_transposed(M, V, tiles, out_channels - 16, out_channels, 1, dU, 1)
    np.testing.assert_allclose(got, products, rtol=0, atol=bound)


def test_panels_are_small_where_v_is():
    limit = 2**23 // (4 * 36 * 64)
    assert winograd.panel_size(49, 1024) == 16
    assert winograd.panel_size(256, 512) == 64
    assert winograd.panel_size(limit, 64) == 16
    assert winograd.panel_size(limit + 1, 64) == 64


@pytest.mark.parametrize(("top", "bottom"), [(0, 22), (3, 12), (4, 5), (11, 22), (7, 7)])
def test_only_the_rows_asked_for_get_their_gradient(top, bottom):
    """The others are another thread's: touching them, even with what they hold, is a race."""
    rng = np.random.default_rng(9)
    shape = (2, 11, 9, 5)  # three rows of three tiles an image, the last ones over the edge
    dV = winograd.tile_buffer(18, 5)
    dV[:] = rng.standard_normal(dV.shape)
    wanted, dx = np.zeros((2, *shape), np.float32)
    scatter_gradients(dV, 18, 0, 22, wanted)
    scatter_gradients(dV, 18, top, bottom, dx)
    rows = slice(top, bottom)
    assert wanted.reshape(22, -1).all(axis=1).all()
    np.testing.assert_array_equal(dx.reshape(22, -1)[rows], wanted.reshape(22, -1)[rows])
    dx.reshape(22, -1)[rows] = 0
    assert not dx.any()


@kernel
def scatter_gradients(dV, tiles, top, bottom, dx):
    winograd_transforms.scatter_gradients(dV, 0, tiles, 0, dx.shape[3], top, bottom, dx)


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


def weights(out_channels, channels):
    return np.empty((out_channels, channels, 3, 3), np.float32)


def test_tiles_at_a_time_fill_the_cache_and_are_worth_reading_the_filters():
    assert winograd.tiles_at_a_time(weights(16, 16)) == 2**19 // (4 * 36 * 32) // 6 * 6 == 108
    assert winograd.tiles_at_a_time(weights(64, 64)) == 24  # the least: 28 would fit
    assert winograd.tiles_at_a_time(weights(256, 128)) == 256 * 128 // 384 // 6 * 6 == 84


def test_channels_are_shared_out_where_the_filters_outgrow_the_cache():
    shape = (1, 102, 102, 128)
    assert winograd.choose_algorithm(shape, weights(512, 128)) is winograd.BY_CHANNELS
    assert winograd.choose_algorithm(shape, weights(511, 128)) is winograd.BY_TILES


def test_channels_are_shared_out_where_the_filters_outgrow_the_tiles():
    weight = weights(96, 192)  # 64 times as many pairs as channels
    assert winograd.choose_algorithm((1, 34, 34, 192), weight) is winograd.BY_CHANNELS  # 64 tiles
    assert winograd.choose_algorithm((1, 34, 35, 192), weight) is winograd.BY_TILES  # 72
    assert winograd.choose_algorithm((2, 34, 34, 192), weight) is winograd.BY_TILES


@pytest.fixture
def any_number_of_threads(monkeypatch):
    """Work is shared out however little there is."""
    monkeypatch.setattr(threads, "LITTLE", 1)
    before = threads.get_threads()
    yield threads.set_threads
    threads.set_threads(before)


@pytest.mark.parametrize(
    ("algorithm", "tiles"),
    [("BY_TILES", 6), ("BY_TILES", 18), ("BY_CHANNELS", 0), ("BY_CHANNELS", 2**23)],
)
def test_both_algorithms_give_the_same_bits_for_any_number_of_threads(
    monkeypatch, any_number_of_threads, algorithm, tiles
):
    """Shares begin between neighbouring tile rows that add to the same rows of dx."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((2, 27, 14, 3), dtype=np.float32)
    weight = rng.standard_normal((70, 3, 3, 3), dtype=np.float32)
    bias = rng.standard_normal(70, dtype=np.float32)
    dy = rng.standard_normal((2, 25, 12, 70), dtype=np.float32)

    def compute(n, algorithm, need_dx=True):
        any_number_of_threads(n)
        chosen = getattr(winograd, algorithm)
        monkeypatch.setattr(winograd, "choose_algorithm", lambda shape, weight: chosen)
        y = winograd.conv3x3_relu(x, weight, bias)
        return y, *winograd.conv3x3_relu_backward(dy, x, weight, y, need_dx)

    monkeypatch.setattr(threads, "PIECES", {1: 0})
    monkeypatch.setattr(winograd, "tiles_at_a_time", lambda weight: 2**30)
    reference = compute(1, "BY_TILES")
    monkeypatch.setattr(threads, "PIECES", {1: 0, 4: 3, 12: 3})  # of 14 rows of 3 tiles
    monkeypatch.setattr(winograd, "tiles_at_a_time", lambda weight: tiles)
    monkeypatch.setattr(winograd, "LARGE", tiles)
    single = compute(1, algorithm)
    for got, wanted in zip(single, reference, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=3e-6 * np.abs(wanted).max())
    # Whoever adds to a row of dx does so in the same order.
    np.testing.assert_array_equal(single[1], reference[1])
    for n in (2, 3, 20, 20):
        for got, wanted in zip(compute(n, algorithm), single, strict=True):
            np.testing.assert_array_equal(got, wanted)
        y, none, *others = compute(n, algorithm, need_dx=False)
        assert none is None
        for got, wanted in zip((y, *others), (single[0], *single[2:]), strict=True):
            np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("shares", [1, 2])
def test_a_thread_is_woken_for_enough_multiplications_only(shares):
    rows = 20 * shares  # of 20 tiles, 16 → 16 channels: 184,320 multiplications each
    before = threads.get_threads()
    try:
        threads.set_threads(2)
        assert len(winograd.cut_rows(rows, 20, weights(16, 16))) == shares
    finally:
        threads.set_threads(before)


@pytest.mark.parametrize("size", [6, 7, 8, 9, 10, 13])
@pytest.mark.parametrize("pool", [False, True])
def test_nothing_is_written_beyond_the_map(monkeypatch, size, pool):
    """Tiles hang over the edge, sixteen channels over five: the memory behind stays what it is."""
    if pool and size % 2:
        pytest.skip("an odd map is not pooled")
    rng = np.random.default_rng(7)
    x = rng.standard_normal((1, size, size, 5), dtype=np.float32)
    weight = rng.standard_normal((5, 5, 3, 3), dtype=np.float32)
    blocks = []

    def between_marks(shape, dtype=np.float32):
        n = int(np.prod(shape))
        block = np.full(n + 128, 7, dtype)
        blocks.append((block, n))
        return block[64 : 64 + n].reshape(shape)

    monkeypatch.setattr(winograd, "empty", between_marks)
    bias = np.zeros(5, np.float32)
    y = winograd.conv3x3_relu_max_pool(x, weight, bias)[0] if pool else None
    y = winograd.conv3x3_relu(x, weight, bias) if y is None else y
    winograd.conv3x3_relu_backward(y, x, weight, y)
    for block, n in blocks:
        assert (block[:64] == 7).all()
        assert (block[64 + n :] == 7).all()
