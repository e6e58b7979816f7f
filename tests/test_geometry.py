"""The arithmetic of sizes against the paper's figure and against the network itself."""

import numpy as np
import pytest

from tinyunet import UNet, geometry
from tinyunet.nn import architecture, memory


def test_the_papers_figure():
    assert geometry.output_size(572, 5) == 388
    assert geometry.margin(5) == 92
    assert geometry.input_size(388, 5) == 572
    assert architecture.level_sizes(572, 5) == [
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
    with pytest.raises(ValueError, match=r"tile 187 does not fit depth 5: .* is 188$"):
        geometry.check_size(187, 5, "tile")
    with pytest.raises(ValueError, match="depth 0"):
        geometry.margin(0)
    with pytest.raises(ValueError, match=r"depth 2\.5"):
        geometry.margin(2.5)
    with pytest.raises(ValueError, match="output 0"):
        geometry.input_size(0, 5)
    with pytest.raises(ValueError, match="571"):
        architecture.level_sizes(571, 5)


@pytest.mark.parametrize(("depth", "height", "width"), [(1, 5, 9), (2, 18, 22), (3, 44, 52)])
def test_the_network_agrees(depth, height, width):
    net = UNet(depth=depth, base_channels=1, dropout=0, device="cpu")
    logits, _ = net.forward(np.zeros((1, 1, height, width)))
    expected = geometry.output_size(height, depth), geometry.output_size(width, depth)
    assert logits.shape == (1, 2, *expected)


def test_depths_end_somewhere():
    assert geometry.DEEPEST == 30
    assert geometry.scale(30) == 2**29
    assert geometry.scale(np.int64(3)) == 4
    with pytest.raises(ValueError, match=r"^depth 31 is more than 30$"):
        geometry.scale(31)
    with pytest.raises(ValueError, match=r"^depth 0 is not a whole number of at least 1$"):
        geometry.scale(0)


@pytest.mark.parametrize("depth", [3.0, float("inf"), float("nan"), "3", None])
def test_a_depth_is_a_whole_number(depth):
    with pytest.raises(ValueError, match=f"^depth {depth} is not a whole number of at least 1$"):
        geometry.scale(depth)


def test_one_pixel_is_the_least_that_can_be_asked_for():
    assert geometry.input_size(1, 1) == 5
    assert geometry.input_size(1, 5) == 188
    with pytest.raises(ValueError, match=r"^output 0 is not at least 1 pixel$"):
        geometry.input_size(0, 1)
    with pytest.raises(ValueError, match=r"^size 4 does not fit depth 1: the nearest size is 5$"):
        geometry.check_size(4, 1)


def test_legal_sizes_end_at_1024_unless_told():
    assert geometry.legal_sizes(5)[0] == 188
    assert geometry.legal_sizes(5)[-1] == 1020
    assert geometry.legal_sizes(1)[-1] == 1024
    assert geometry.legal_sizes(5, 204) == [188, 204]
    assert geometry.legal_sizes(5, 203.9) == [188]
    assert geometry.legal_sizes(5, 187) == []


def test_layers_of_a_small_u_by_hand():
    """Depth 2, base 3, two input channels, four classes, a tile of 18: every row written out."""
    rows = [  # name, channels, side, parameters, operations for one value
        ("down1.conv1", 3, 16, 3 * (2 * 9 + 1), 2 * 2 * 9),
        ("down1.conv2", 3, 14, 3 * (3 * 9 + 1), 2 * 3 * 9),
        ("down2.pool", 3, 7, 0, 0),
        ("down2.conv1", 6, 5, 6 * (3 * 9 + 1), 2 * 3 * 9),
        ("down2.conv2", 6, 3, 6 * (6 * 9 + 1), 2 * 6 * 9),
        ("up1.upconv", 3, 6, 3 * (4 * 6 + 1), 2 * 6),
        ("up1.concat", 6, 6, 0, 0),
        ("up1.conv1", 3, 4, 3 * (6 * 9 + 1), 2 * 6 * 9),
        ("up1.conv2", 3, 2, 3 * (3 * 9 + 1), 2 * 3 * 9),
        ("out", 4, 2, 4 * (3 + 1), 2 * 3),
    ]
    expected = [
        {
            "name": name,
            "shape": [channels, side, side],
            "parameters": parameters,
            "flops": channels * side * side * each,
            "bytes": 4 * channels * side * side,
        }
        for name, channels, side, parameters, each in rows
    ]
    assert architecture.layer_table(18, 2, 4, 2, 3) == expected
    assert (
        architecture.layer_table(18, in_channels=2, n_classes=4, depth=2, base_channels=3)
        == expected
    )


def test_layers_by_default_are_the_papers():
    table = architecture.layer_table(572)
    assert sum(layer["parameters"] for layer in table) == 31_030_658
    assert table[0]["shape"] == [64, 570, 570]
    assert table[-1]["shape"] == [2, 388, 388]
    assert [layer["shape"][0] for layer in table if layer["name"].endswith("conv2")] == [
        *(64, 128, 256, 512, 1024),
        *(512, 256, 128, 64),
    ]
    shapes = {layer["name"]: layer["shape"] for layer in table}
    assert shapes["down2.pool"] == [64, 284, 284]
    assert shapes["up4.upconv"] == [512, 56, 56]
    assert shapes["up1.concat"] == [128, 392, 392]
    with pytest.raises(ValueError, match="size 570 does not fit depth 5"):
        architecture.layer_table(570)


def test_training_memory_by_hand():
    """The tile of 18 again: all maps but the up-convolved one, two of the largest, the rest."""
    values = [3 * 16**2, 3 * 14**2, 3 * 7**2, 6 * 5**2, 6 * 3**2]
    values += [6 * 6**2, 3 * 4**2, 3 * 2**2, 4 * 2**2]
    parameters = 57 + 84 + 168 + 330 + 75 + 165 + 84 + 16
    filters = 4 * 36 * 6 * 6
    expected = 4 * sum(values) + 2 * 4 * values[0] + 3 * 4 * parameters + filters + 165_000_000
    assert memory.training_memory(18, 2, 4, 2, 3) == expected
    paper = memory.training_memory(572)
    assert paper == memory.training_memory(572, 1, 2, 5, 64)
    assert paper > memory.training_memory(556)


def test_mirror_runs_to_and_fro():
    assert geometry.mirror(np.arange(-4, 8), 3).tolist() == [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]
    assert geometry.mirror(np.array([-7, 0, 9]), 1).tolist() == [0, 0, 0]
    assert geometry.mirror(np.array([-1, 0, 1, 2]), 2).tolist() == [1, 0, 1, 0]
