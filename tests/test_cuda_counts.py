"""Operations, bytes and memory of a step, against counts by hand."""

import math

import pytest

from tinyunet import geometry
from tinyunet.init import parameter_shapes
from tinyunet.kernels import counts, gpu_memory
from tinyunet.kernels.counts import Counts, Layer, count_step, layers


def test_layers_are_those_of_figure_1():
    walk = layers(572)
    assert len(walk) == 23
    assert walk[0] == Layer("down1.conv1", "conv3x3", 1, 64, 572, 570)
    assert walk[10] == Layer("up4.upconv", "upconv", 1024, 512, 28, 56, False)
    assert walk[11] == Layer("up4.conv1", "conv3x3", 1024, 512, 56, 54)
    assert walk[-1] == Layer("out", "conv1x1", 64, 2, 388, 388, False)
    assert sum(layer.weights + layer.out_channels for layer in walk) == 31_030_658
    shapes = parameter_shapes(3, 4, 3, 5)
    for layer in layers(44, 3, 5, 3, 4):
        assert layer.weights == math.prod(shapes[f"{layer.name}.weight"])


def test_operations_of_a_layer_by_hand():
    layer = Layer("", "conv3x3", 3, 5, 12, 10)
    assert layer.product() == 2 * 9 * 3 * 5 * 100
    assert layer.product(winograd=True) == 2 * 36 * 3 * 5 * 9  # 3×3 tiles cover 10×10
    assert layer.tiles == (36 * 9 * 3, 36 * 9 * 5, 36 * 15)
    assert (layer.inputs, layer.outputs) == (3 * 144, 5 * 100)
    assert Layer("", "upconv", 6, 3, 4, 8).product(winograd=True) == 2 * 6 * 3 * 4 * 16
    assert Layer("", "conv1x1", 6, 2, 4, 4).product(winograd=True) == 2 * 6 * 2 * 16


def test_a_step_of_the_smallest_network_by_hand():
    # depth 1, base 1: two 3×3 convolutions of one channel and the 1×1, on a 6×6 tile
    step = count_step(6, depth=1, base=1, n_classes=2)
    convs = (2 * 9 * 16, 2 * 9 * 4, 2 * 2 * 4)
    assert step.direct == 2 * convs[0] + 3 * convs[1] + 3 * convs[2]
    assert step.winograd == 2 * 72 + 3 * 72 + 3 * convs[2]  # each one tile of 36 products
    numbers = (36 + 16) + (36 + 2 * 16) + 3 * 9  # down1.conv1, which makes no dx
    numbers += (16 + 4) + (16 + 2 * 4 + 16) + 3 * 9  # down1.conv2
    numbers += (4 + 8) + (4 + 8 + 4) + 3 * 2  # out: no ReLU
    numbers += 5 * (9 + 1 + 9 + 1 + 2 + 2)  # the update
    assert step.bytes == 4 * numbers
    v = m = u = 36
    first = 2 * (v + m) + 2 * u + (2 * v + 2 * m) + 2 * u
    second = 2 * (v + m) + 2 * u + (2 * v + 3 * m) + 2 * u + 2 * v + 2 * u
    assert step.winograd_bytes == 4 * (first + second)


def test_pooling_and_skips_are_counted_by_hand():
    # depth 2 on 20×20: down1 ends with 16×16 of 3 channels, up1 begins with 8×8 of 3 and 3
    full, half = 3 * 256, 3 * 64
    expected = full // 4 + (2 * full + full // 4) + 4 * half + (half + full + 3 * full)
    assert geometry.level_sizes(20, 2)[0] == ("down1", [20, 18, 16])
    assert counts._copied_numbers(20, 2, 3) == expected


def test_operations_and_maps_grow_with_the_batch_and_weights_do_not():
    one, two = count_step(188, base=2), count_step(188, base=2, batch=2)
    assert two.direct == 2 * one.direct
    assert two.winograd == 2 * one.winograd
    assert one.bytes < two.bytes < 2 * one.bytes
    assert one.winograd_bytes < two.winograd_bytes < 2 * one.winograd_bytes


def test_floors_are_milliseconds():
    step = Counts(direct=8_000, winograd=2_000, bytes=300, winograd_bytes=700)
    assert step.floors(1e6, 1e5) == (2.0, 10.0)
    assert step.floors(1e6, 1e5, winograd=False) == (8.0, 3.0)


def test_the_paper_step_by_known_numbers():
    step = count_step(572)
    # 300.9 GFLOP forward (twice the multiplications), three times that but for the first dx
    assert step.direct == pytest.approx(0.9022e12, rel=1e-3)
    assert step.winograd < 0.3 * step.direct


def test_memory_of_a_step_by_hand():
    # depth 1, base 1, tile 6: parameters 24 three times; maps 36 + 16 + 4 + 8; two gradients of
    # the largest, 36; transforms 2 v + m + 2 u of one tile each
    assert gpu_memory.step_bytes(6, 1, 1) == 4 * (3 * 24 + 64 + 2 * 36 + 5 * 36)
    assert gpu_memory.step_bytes(6, 1, 1, batch=2) == 4 * (72 + 2 * (64 + 72) + 2 * 3 * 36 + 72)
    # depth 2 adds the pooled map and the skip's half of the concatenation
    walk = layers(20, 2, 1)
    maps = 400 + sum(layer.outputs for layer in walk) + 64 + 64
    learned = 3 * sum(layer.weights + layer.out_channels for layer in walk)
    tiles = [layer.tiles for layer in walk if layer.kind == "conv3x3"]
    largest = max(2 * v + m + 2 * u for v, m, u in tiles)
    assert gpu_memory.step_bytes(20, 2, 1) == 4 * (learned + maps + 2 * 400 + largest)


def test_the_largest_tile_that_fits():
    needed = gpu_memory.step_bytes(572)
    free = math.ceil(needed / 0.9)
    assert gpu_memory.largest_tile(free) == 572
    assert gpu_memory.largest_tile(free - 2) == 556
    assert gpu_memory.largest_tile(free, batch=2) < 572
    assert gpu_memory.largest_tile(free, at_most=571) == 556
    assert gpu_memory.largest_tile(1000) is None
    assert gpu_memory.largest_tile(1e15, depth=2, base=1) == 4096


def test_the_message_names_the_tile():
    assert gpu_memory.out_of_memory_message(572, 1.2e9, base=32) == (
        "out of GPU memory: tile 572, batch 1 takes about 0.8 GB and 1.2 GB are free; "
        "a tile of 556 would fit"
    )
    assert gpu_memory.out_of_memory_message(572, 1e6).endswith(
        "and 0.0 GB are free; no tile fits: use a smaller base or depth"
    )
