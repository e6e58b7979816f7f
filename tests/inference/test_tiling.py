"""The arithmetic of tiles: `tinyunet/inference/tiling.py` (lesson 10)."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyunet import geometry
from tinyunet.inference import tiling
from tinyunet.nn.architecture import unet_layers
from tinyunet.nn.memory import prediction_memory
from tinyunet.nn.unet import UNet


@given(st.integers(1, 9), st.integers(0, 40), st.integers(0, 40))
@settings(deadline=None)
def test_mirror_is_numpys_reflect(size, before, after):
    """Written out: NumPy 1.26 itself is wrong where a border is wider than the array."""
    there_and_back = [*range(size), *range(size - 2, 0, -1)]
    expected = np.resize(there_and_back, 41 * len(there_and_back) + size + after)
    expected = expected[40 * len(there_and_back) - before :][: before + size + after]
    if max(before, after) < size:
        reflected = np.pad(np.arange(size), (before, after), mode="reflect")
        np.testing.assert_array_equal(expected, reflected)
    got = tiling.mirror(np.arange(-before, size + after), size)
    np.testing.assert_array_equal(got, expected)


@given(st.integers(1, 12), st.integers(1, 12), st.data())
@settings(deadline=None)
def test_window_is_a_cut_of_the_mirrored_image(height, width, data):
    image = np.random.default_rng(0).integers(0, 99, (2, height, width)).astype(np.uint8)
    top, left = data.draw(st.integers(-20, 20)), data.draw(st.integers(-20, 20))
    tall, wide = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    padded = np.pad(image, ((0, 0), (80, 80), (80, 80)), mode="reflect")
    expected = padded[:, 80 + top : 80 + top + tall, 80 + left : 80 + left + wide]
    got = tiling.read_window(image, top, left, tall, wide)
    np.testing.assert_array_equal(got, expected, strict=True)
    assert not np.shares_memory(got, image)


def test_window_reads_no_more_than_it_covers():
    class Spy:
        shape, read = (1, 1000, 1000), None

        def __getitem__(self, key):
            self.read = key
            return np.zeros((1, key[1].stop - key[1].start, key[2].stop - key[2].start))

    spy = Spy()
    assert tiling.read_window(spy, 500, -10, 30, 50).shape == (1, 30, 50)
    assert (spy.read[1], spy.read[2]) == (slice(500, 530), slice(0, 40))


@given(st.integers(1, 5), st.integers(1, 700), st.integers(0, 30))
@settings(deadline=None)
def test_plan_covers_every_pixel_once_in_phase(depth, size, larger):
    s = geometry.scale(depth)
    tile = geometry.input_size(s, depth) + larger * s
    covered = 0
    for start, count, window in tiling.plan_axis(size, tile, depth):
        assert start == covered
        assert start % s == 0
        assert 1 <= count <= geometry.output_size(window, depth)
        assert window <= tile
        covered += count
    assert covered == size


def test_plan_of_the_papers_tile():
    # 388 predicted, tiles 384 apart: 512 is 384 + 128, and 128 pixels need a window of 316.
    assert tiling.plan_axis(512, 572, 5) == [(0, 384, 572), (384, 128, 316)]
    assert tiling.plan_axis(388, 572, 5) == [(0, 388, 572)]
    assert tiling.plan_axis(772, 572, 5) == [(0, 384, 572), (384, 388, 572)]
    assert tiling.plan_axis(773, 572, 5) == [(0, 384, 572), (384, 384, 572), (768, 5, 204)]
    assert tiling.plan_axis(3, 572, 5) == [(0, 3, 188)]


def test_smallest_tiles():
    assert tiling.plan_axis(4, 188, 5) == [(0, 4, 188)]  # one tile needs no neighbour
    with pytest.raises(ValueError, match=r"tile 188 at depth 5 predicts 4 pixels.*can is 204"):
        tiling.plan_axis(5, 188, 5)
    assert len(tiling.plan_axis(40, 204, 5)) == 3
    with pytest.raises(ValueError, match=r"tile 570 does not fit depth 5.* 556 and 572"):
        tiling.plan_axis(512, 570, 5)


def _needed(net, height, width):
    return prediction_memory(net.layers, height, width, net.dtype.itemsize)


@pytest.mark.parametrize(("depth", "base", "size"), [(2, 8, (124, 84)), (4, 4, (204, 156))])
def test_memory_of_a_tile_is_told_beforehand(depth, base, size):
    """Never less than what a pass of the plain operations takes, and not absurdly more."""
    net = UNet(depth=depth, base_channels=base, device="cpu", dtype="float64")
    x = np.zeros((1, 1, *size))
    net.predict_proba(x)
    tracemalloc.start()
    net.predict_proba(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= _needed(net, *size) <= 2 * peak


def test_bytes_by_hand():
    """Depth 1: one level, the input 1·7·9, two maps of 3 channels each twice, 27·25 patches."""
    net = SimpleNamespace(layers=unet_layers(1, 2, 1, 3), dtype=np.dtype(np.float64))
    maps = 7 * 9 + 2 * 3 * (5 * 7 + 3 * 5)
    patches = max((9 * 1 + 3) * 5 * 7, (9 * 3 + 3) * 3 * 5)
    assert _needed(net, 7, 9) == 8 * (maps + patches)


def test_bytes_of_a_two_level_u_by_hand():
    """Depth 2, 22×26 → 6×10: figure 1 in small, written out map by map."""
    net = SimpleNamespace(layers=unet_layers(2, 2, 2, 5), dtype=np.dtype(np.float32))
    down1 = 2 * 22 * 26 + 2 * 5 * (20 * 24 + 18 * 22)
    down2 = 5 * 9 * 11 + 2 * 10 * (7 * 9 + 5 * 7)
    up1 = (5 + 10) * 10 * 14 + 2 * 5 * (8 * 12 + 6 * 10)
    patches = (9 * 5 + 5) * 18 * 22  # the second convolution, from 5 channels, is the largest here
    assert _needed(net, 22, 26) == 4 * (down1 + down2 + up1 + patches)
    # 30 input channels make the first convolution the largest.
    net.layers = unet_layers(30, 2, 2, 5)
    more = 28 * 22 * 26 + (9 * 30 + 5) * 20 * 24 - patches
    assert _needed(net, 22, 26) == 4 * (down1 + down2 + up1 + patches + more)


def test_tile_is_chosen_from_the_budget():
    net = UNet(base_channels=4, device="cpu")
    need = _needed(net, 572, 572)
    assert tiling.choose_tile(net, 5000, 5000, budget=need) == (572, 572)
    assert tiling.choose_tile(net, 5000, 5000, budget=need - 1) == (556, 556)
    # never larger than the image needs: 100 pixels take 284 (they predict 100), 30 take 220
    assert tiling.choose_tile(net, 100, 30, budget=need) == (284, 220)
    assert tiling.choose_tile(net, 10**5, 10**5, budget=2**60) == (2044, 2044)
    assert tiling.LARGEST_TILE == 2048


def test_no_memory_is_said():
    net = UNet(base_channels=4, device="cpu")
    need = _needed(net, 204, 204) / 2**20
    message = (
        f"smallest tile, 204×204 pixels, needs about {need:.0f} MiB and 3 MiB may be used: give"
    )
    with pytest.raises(MemoryError, match=message):
        tiling.choose_tile(net, 5000, 5000, budget=3 * 2**20)


def test_half_of_the_free_memory_is_the_budget(monkeypatch):
    net = UNet(base_channels=4, device="cpu")
    need = _needed(net, 572, 572)
    monkeypatch.setattr(tiling, "free_memory", lambda device: 2 * need)
    assert tiling.choose_tile(net, 5000, 5000) == (572, 572)
    monkeypatch.setattr(tiling, "free_memory", lambda device: 2 * need - 2)
    assert tiling.choose_tile(net, 5000, 5000) == (556, 556)


def test_a_network_too_deep_for_the_largest_tile_gets_its_smallest():
    layers = unet_layers(1, 2, 9, 1)
    net = SimpleNamespace(depth=9, layers=layers, dtype=np.dtype(np.float32), device=None)
    smallest = geometry.input_size(256, 9)
    assert smallest > tiling.LARGEST_TILE
    need = _needed(net, smallest, smallest)
    assert tiling.choose_tile(net, 9000, 9000, budget=need) == (smallest, smallest)
    with pytest.raises(MemoryError, match=f"^the smallest tile, {smallest}×{smallest} pixels"):
        tiling.choose_tile(net, 9000, 9000, budget=need - 1)


def test_the_smallest_tile_can_be_laid_side_by_side():
    """188 predicts 4 pixels at depth 5, and tiles lie 16 apart: 204 is the least."""
    net = UNet(base_channels=1, device="cpu")
    need = _needed(net, 204, 204)
    assert tiling.choose_tile(net, 5000, 5000, budget=need) == (204, 204)
    with pytest.raises(MemoryError):
        tiling.choose_tile(net, 5000, 5000, budget=need - 1)
    assert tiling.choose_tile(net, 3, 4, budget=need) == (188, 188)  # one tile and no neighbour
