"""Operations, bytes and memory of a step, against counts by hand."""

import json
import math
from pathlib import Path

import pytest

from tinyunet.backends import counts
from tinyunet.backends.counts import Counts, Layer, count_step, layers
from tinyunet.backends.cuda import memory as gpu_memory
from tinyunet.backends.cuda.counting import count_training_step
from tinyunet.backends.cuda.cublas import WORKSPACE
from tinyunet.nn.architecture import level_sizes, parameter_shapes
from tinyunet.nn.operation import plain


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
    step = count_step(6, depth=1, base_channels=1, n_classes=2)
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
    assert level_sizes(20, 2)[0] == ("down1", [20, 18, 16])
    assert counts._copied_numbers(20, 2, 3) == expected


def test_operations_and_maps_grow_with_the_batch_and_weights_do_not():
    one, two = count_step(188, base_channels=2), count_step(188, base_channels=2, batch=2)
    assert two.direct == 2 * one.direct
    assert two.winograd == 2 * one.winograd
    assert one.bytes < two.bytes < 2 * one.bytes
    assert one.winograd_bytes < two.winograd_bytes < 2 * one.winograd_bytes


def test_floors_are_milliseconds():
    step = Counts(direct=8_000, winograd=2_000, bytes=300, winograd_bytes=700)
    assert step.lower_bounds(1e6, 1e5) == (2.0, 10.0)
    assert step.lower_bounds(1e6, 1e5, winograd=False) == (8.0, 3.0)


def test_bounds_are_those_of_the_card_that_was_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[3] / "benchmarks"))
    from ladder_gpu import print_bounds

    monkeypatch.setenv("GPU_LOGS", str(tmp_path))
    print_bounds(4, 188)
    assert "bounds on" not in capsys.readouterr().out  # nobody has measured this card
    rates = {"copy": 1e12, "float32": 1e13, "tf32": 2e13, "bf16": 4e13}
    facts = {"card": "Some Card 9000", "multiprocessors": 7, "rates": rates}
    (tmp_path / "machine.json").write_text(json.dumps(facts), encoding="utf-8")
    print_bounds(4, 188)
    said = capsys.readouterr().out
    step = count_step(188, base_channels=4)
    assert said.count("  bounds on Some Card 9000, ") == 4
    assert f"tf32, direct       {step.direct / 2e10:6.2f} ms arithmetic" in said
    assert "H100" not in said
    assert "H200" not in said


def test_the_paper_step_by_known_numbers():
    step = count_step(572)
    # 300.9 GFLOP forward (twice the multiplications), three times that but for the first dx
    assert step.direct == pytest.approx(0.9022e12, rel=1e-3)
    assert step.winograd < 0.3 * step.direct


def test_memory_of_a_step_by_hand():
    # depth 1, base 1, tile 6: parameters 24, velocities 24. Image, both maps and the logits, with
    # the loss's labels, weights and gradient; then dm, v and u of a layer's backward pass, 36 each
    # on 32 tiles, of which one is there.
    step = count_training_step(6, 1, 1)
    assert gpu_memory.step_bytes(6, 1, 1) == 2 * 4 * 24 + WORKSPACE + step.reserved
    assert step.reserved >= step.peak
    assert step.peak > 4 * (36 + 16 + 4 + 2 * 4 + 4 + 4 + 2 * 4 + 2 * 36 * 32)
    assert step.live == 0  # nothing is kept by the path itself once the step is over


def test_memory_grows_with_the_batch_and_shrinks_with_the_precision():
    one, two = (count_training_step(284, base_channels=8, batch=n).peak for n in (1, 2))
    assert 1.5 * one < two < 2 * one  # the filters do not grow
    short = [count_training_step(284, 5, 8, precision=name).peak for name in ("tf32", "bf16")]
    assert one > short[0] > short[1]


def test_what_is_counted_is_what_is_launched():
    one = count_training_step(188, base_channels=8)
    counts = one.counts()
    assert counts["direct_forward"] == 1
    assert counts["inverse_output"] == counts["transform_gradient"] == 17
    assert counts["input_gradient"] == 17
    assert counts["momentum_update"] == 1
    tf32 = count_training_step(188, base_channels=8, precision="tf32").counts()
    assert tf32["conv_tf32_64"] + tf32["conv_tf32_128"] == 34
    assert tf32["filters_tf32_64"] + tf32["filters_tf32_128"] == 17
    assert "transform_input" not in tf32


def test_operations_and_bytes_of_single_launches():
    step = count_training_step(188, base_channels=8, precision="bf16")
    conv = next(launch for launch in step.launches if launch.kernel.startswith("conv_bf16"))
    # down1.conv2, 8 → 8 channels on 186×186: 4 words a pixel, 9·8 products a number
    assert conv.shape == (1, 8, 184**2, 72)
    assert conv.operations == 2 * 8 * 184**2 * 72
    assert conv.bytes == 4 * (186**2 * 4 + 8 * 9 * 4 + 8 + 8 * 184**2)
    update = step.launches[-1]
    assert update.kernel == "momentum_update"
    learned = sum(p.weights + p.out_channels for p in layers(188, base_channels=8))
    assert update.bytes == 4 + 4 + 20 * learned


def test_the_largest_tile_that_fits():
    needed = gpu_memory.step_bytes(284, 5, 8)
    free = math.ceil(needed / 0.9)
    assert gpu_memory.largest_tile(free, 5, 8) == 284
    assert gpu_memory.largest_tile(free - 2, 5, 8) == 268
    assert gpu_memory.largest_tile(free, 5, 8, 1, 2, 2) < 284
    assert gpu_memory.largest_tile(free, 5, 8, at_most=283) == 268
    assert gpu_memory.largest_tile(1000, 5, 8) is None
    assert gpu_memory.largest_tile(1e15, 2, 1) == 4096


def test_the_message_names_the_tile():
    free = 1.001 * gpu_memory.step_bytes(268, 5, 32) / gpu_memory.SPARE
    message = gpu_memory.out_of_memory_message(284, free, 5, 32)
    needed = gpu_memory.step_bytes(284, 5, 32) / 1e9
    assert message.startswith(
        f"out of GPU memory: tile 284, batch 1 takes about {needed:.1f} GB and "
        f"{free / 1e9:.1f} GB are free; a tile of 268 "
    )
    assert gpu_memory.out_of_memory_message(284, 1e6, 5, 16).endswith(
        "and 0.0 GB are free; no tile fits: use a smaller base or depth"
    )
    with plain():
        assert gpu_memory.out_of_memory_message(284, 1e8, 5, 16).endswith(
            "(0.1 GB are free): the plain operations take much more than the kernels"
        )
