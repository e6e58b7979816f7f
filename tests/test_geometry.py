"""The arithmetic of sizes against the paper's figure and against the network itself."""

import numpy as np
import pytest

from tinyunet import UNet, geometry


def test_the_papers_figure():
    assert geometry.output_size(572, 5) == 388
    assert geometry.margin(5) == 92
    assert geometry.input_size(388, 5) == 572
    assert geometry.level_sizes(572, 5) == [
        ("down1", [572, 570, 568]),
        ("down2", [284, 282, 280]),
        ("down3", [140, 138, 136]),
        ("down4", [68, 66, 64]),
        ("down5", [32, 30, 28]),
        ("up4", [56, 54, 52]),
        ("up3", [104, 102, 100]),
        ("up2", [200, 198, 196]),
        ("up1", [392, 390, 388]),
    ]


def _walk(size, depth):
    """The output size by walking through the layers, or None where one does not fit."""
    for _ in range(depth - 1):
        size -= 4
        if size <= 0 or size % 2:
            return None
        size //= 2
    size -= 4
    for _ in range(depth - 1):
        if size <= 0:
            return None
        size = 2 * size - 4
    return size if size > 0 else None


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 6])
def test_the_formulas_equal_a_walk_through_the_layers(depth):
    fitting = []
    for size in range(1, 700):
        output = _walk(size, depth)
        assert geometry.fits(size, depth) == (output is not None)
        if output is not None:
            fitting.append(size)
            assert geometry.output_size(size, depth) == output
            assert size - output == 2 * geometry.margin(depth)
    assert geometry.legal_sizes(depth, 699) == fitting
    assert geometry.smallest_size(depth) == fitting[0]
    for output in range(1, 200):
        enough = [s for s in fitting if s - 2 * geometry.margin(depth) >= output]
        assert geometry.input_size(output, depth) == enough[0]
    for size in range(1, 699 - 2**depth):
        below = [s for s in fitting if s <= size][-1:]
        above = [s for s in fitting if s >= size][:1]
        assert geometry.nearest_sizes(size, depth) == sorted({*below, *above})


def test_misfits_are_refused_with_the_nearest_sizes():
    with pytest.raises(ValueError, match=r"size 570 does not fit depth 5: .* are 556 and 572"):
        geometry.output_size(570, 5)
    with pytest.raises(ValueError, match=r"tile 187 does not fit depth 5: .* are 188$"):
        geometry.check_size(187, 5, "tile")
    with pytest.raises(ValueError, match="depth 0"):
        geometry.margin(0)
    with pytest.raises(ValueError, match=r"depth 2\.5"):
        geometry.margin(2.5)
    with pytest.raises(ValueError, match="output 0"):
        geometry.input_size(0, 5)
    with pytest.raises(ValueError, match="571"):
        geometry.level_sizes(571, 5)


@pytest.mark.parametrize(("depth", "height", "width"), [(1, 5, 9), (2, 18, 22), (3, 44, 52)])
def test_the_network_agrees(depth, height, width):
    net = UNet(depth=depth, base=1, dropout=0, device="cpu")
    logits, _ = net.forward(np.zeros((1, 1, height, width)))
    expected = geometry.output_size(height, depth), geometry.output_size(width, depth)
    assert logits.shape == (1, 2, *expected)
