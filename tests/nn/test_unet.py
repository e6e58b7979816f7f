"""The network: its shape, its parameters, and its judgement from outside by PyTorch."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import load_file

from tinyunet import UNet, nn
from tinyunet.arrays import to_numpy
from tinyunet.nn.gradcheck import relative_error

GOLDEN = Path(__file__).parents[1] / "golden" / "unet.safetensors"


def test_the_papers_network_has_31_030_658_parameters_in_23_convolutions():
    net = UNet(device="cpu")
    assert sum(p.size for p in net.params.values()) == 31_030_658
    weights = [name for name in net.params if name.endswith(".weight")]
    assert len(weights) == 23
    assert list(net.params)[:4] == [
        "down1.conv1.weight",
        "down1.conv1.bias",
        "down1.conv2.weight",
        "down1.conv2.bias",
    ]
    assert net.params["down1.conv1.weight"].shape == (64, 1, 3, 3)
    assert net.params["down5.conv2.weight"].shape == (1024, 1024, 3, 3)
    assert net.params["up4.upconv.weight"].shape == (1024, 512, 2, 2)
    assert net.params["up4.upconv.bias"].shape == (512,)
    assert net.params["up4.conv1.weight"].shape == (512, 1024, 3, 3)
    assert net.params["up1.conv2.bias"].shape == (64,)
    assert net.params["out.weight"].shape == (2, 64, 1, 1)
    assert net.params["out.bias"].shape == (2,)
    assert all(p.dtype == "float32" for p in net.params.values())


def _golden_net(golden, dtype, device):
    net = UNet(2, 3, depth=4, base_channels=2, dropout=0, dtype=dtype, device=device)
    prefix = "params/"
    net.load({k.removeprefix(prefix): v for k, v in golden.items() if k.startswith(prefix)})
    return net


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_golden_file_of_pytorch(dtype, device):
    golden = load_file(GOLDEN)
    net = _golden_net(golden, dtype, device)
    logits, cache = net.forward(golden["x"])
    loss, loss_cache = nn.softmax_cross_entropy(
        logits, net.device.asarray(golden["labels"]), net.device.asarray(golden["weights"])
    )
    grads = net.backward(nn.softmax_cross_entropy_backward(loss_cache), cache)
    # Float32 gradients of a whole network differ between any two right implementations: a rounding
    # error flips a few ReLU and pooling decisions. Hence 1e-2 there, and 1e-10 in float64.
    forward, backward = {"float64": (1e-10, 1e-10), "float32": (1e-5, 1e-2)}[dtype]
    assert logits.dtype == dtype
    assert relative_error(logits, golden[f"{dtype}/logits"]) < forward
    assert float(loss) == pytest.approx(golden[f"{dtype}/loss"].item(), rel=forward)
    assert list(grads) == list(net.params)
    for name, gradient in grads.items():
        assert gradient.dtype == dtype
        assert relative_error(gradient, golden[f"{dtype}/grad/{name}"]) < backward, name


def test_float32_forward_stays_near_float64(device):
    golden = load_file(GOLDEN)
    logits, _ = _golden_net(golden, "float32", device).forward(golden["x"])
    assert relative_error(logits, golden["float64/logits"]) < 1e-5


def test_twenty_training_steps_beside_pytorch(rng, device):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    import sys

    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    from torch_unet import torch_unet

    from tinyunet.nn.sgd import SGD

    net = UNet(1, 2, depth=3, base_channels=4, dropout=0, seed=1, device=device)
    peer = torch_unet(1, 2, 3, 4)
    peer.load_state_dict({k: torch.tensor(to_numpy(p)) for k, p in net.params.items()})
    optimiser = torch.optim.SGD(peer.parameters(), lr=0.01, momentum=0.9)
    sgd = SGD(net.params, 0.01, momentum=0.9)
    ours, theirs = [], []
    for _ in range(20):
        x = rng.standard_normal((1, 1, 60, 52)).astype("float32")
        labels = (x[:, 0, 20:-20, 20:-20] > 0.3).astype(int)
        weights = rng.random(labels.shape).astype("float32")
        logits, cache = net.forward(x, train=True)
        loss, loss_cache = nn.softmax_cross_entropy(
            logits, net.device.asarray(labels), net.device.asarray(weights)
        )
        sgd.step(net.backward(nn.softmax_cross_entropy_backward(loss_cache), cache))
        ours.append(float(loss))
        optimiser.zero_grad()
        each = torch.nn.functional.cross_entropy(
            peer(torch.tensor(x)), torch.tensor(labels), reduction="none"
        )
        loss = (each * torch.tensor(weights)).mean()
        loss.backward()
        optimiser.step()
        theirs.append(loss.item())
    assert_allclose(ours, theirs, rtol=1e-3)
    assert ours[-1] < 0.95 * ours[0]


def test_one_seed_is_one_network_in_both_precisions():
    one, two, other = (
        UNet(base_channels=2, seed=3),
        UNet(base_channels=2, seed=3, dtype="float64"),
        UNet(base_channels=2),
    )
    for name in one.params:
        assert_array_equal(one.params[name], two.params[name].astype("float32"))
    assert (one.params["out.weight"] != other.params["out.weight"]).all()


def test_dropout_acts_in_training_only_and_is_drawn_from_the_networks_generator(rng):
    x = rng.standard_normal((1, 1, 44, 44))
    net = UNet(depth=3, base_channels=4, dropout=0.5, seed=2, device="cpu")
    calm, _ = net.forward(x)
    assert_array_equal(calm, net.forward(x)[0])
    state = net.rng.bit_generator.state
    noisy, _ = net.forward(x, train=True)
    assert (noisy != calm).any()
    assert (net.forward(x, train=True)[0] != noisy).any()
    net.rng.bit_generator.state = state
    assert_array_equal(net.forward(x, train=True)[0], noisy)
    sober = UNet(depth=3, base_channels=4, dropout=0, seed=2, device="cpu")
    assert_array_equal(sober.forward(x, train=True)[0], calm)


def test_backward_with_dropout_is_the_gradient_of_that_very_draw(rng):
    net = UNet(depth=2, base_channels=3, dropout=0.4, dtype="float64", device="cpu")
    x = rng.standard_normal((2, 1, 18, 20))
    state = net.rng.bit_generator.state

    def forward():
        net.rng.bit_generator.state = state
        return net.forward(x, train=True)

    logits, cache = forward()
    dlogits = rng.standard_normal(logits.shape)
    grads = net.backward(dlogits, cache)
    bias = net.params["down2.conv2.bias"]  # the last thing before the drop-out
    for k in range(len(bias)):
        kept = bias[k]
        bias[k] = kept + 1e-6
        above = np.vdot(dlogits, forward()[0])
        bias[k] = kept - 1e-6
        below = np.vdot(dlogits, forward()[0])
        bias[k] = kept
        assert grads["down2.conv2.bias"][k] == pytest.approx(
            (above - below) / 2e-6, rel=1e-5, abs=1e-8
        )


def test_backward_is_linear_and_leaves_its_cache_alone(rng):
    net = UNet(depth=3, base_channels=2, dtype="float64", device="cpu")
    x = rng.standard_normal((2, 1, 44, 48))
    logits, cache = net.forward(x)
    a, b = rng.standard_normal(logits.shape), rng.standard_normal(logits.shape)
    one, two, both = (net.backward(d, cache) for d in (a, b, 2 * a - b))
    for name in both:
        assert_allclose(both[name], 2 * one[name] - two[name], atol=1e-9)


def test_two_forwards_before_a_backward_do_not_disturb_each_other(rng, device):
    net = UNet(depth=3, base_channels=2, device=device)
    x, other = rng.standard_normal((2, 1, 1, 44, 48)).astype("float32")
    logits, cache = net.forward(x)
    dlogits = net.device.asarray(rng.standard_normal(logits.shape).astype("float32"))
    expected = net.backward(dlogits, net.forward(x)[1])
    net.backward(dlogits, net.forward(other)[1])
    for name, gradient in net.backward(dlogits, cache).items():
        assert_array_equal(to_numpy(gradient), to_numpy(expected[name]))


def test_predict_proba(rng, device):
    net = UNet(1, 3, depth=2, base_channels=2, device=device)
    x = rng.standard_normal((2, 1, 18, 22)).astype("float32")
    p = net.predict_proba(x)
    assert isinstance(p, np.ndarray)
    assert p.shape == (2, 3, 2, 6)
    assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    assert_allclose(p, to_numpy(nn.softmax(net.forward(x)[0])), rtol=1e-5)


def test_load_copies_and_refuses_other_architectures():
    net, other = (
        UNet(depth=2, base_channels=2, device="cpu"),
        UNet(depth=2, base_channels=2, seed=1, device="cpu"),
    )
    net.load(other.params)
    assert_array_equal(net.params["out.weight"], other.params["out.weight"])
    net.params["out.weight"] += 1
    assert (net.params["out.weight"] != other.params["out.weight"]).all()
    before = net.params["down1.conv1.weight"].copy()
    with pytest.raises(ValueError, match=r"down1.conv1.weight is \(3, 1, 3, 3\), this network has"):
        net.load(UNet(depth=2, base_channels=3, device="cpu").params)
    with pytest.raises(ValueError, match="down3.conv1.weight is .* this network has no such"):
        net.load(UNet(depth=3, base_channels=2, device="cpu").params)
    with pytest.raises(ValueError, match="out.bias is no such parameter"):
        net.load({k: p for k, p in other.params.items() if k != "out.bias"})
    assert_array_equal(net.params["down1.conv1.weight"], before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_channels": 0}, "in_channels 0"),
        ({"n_classes": 1}, "n_classes 1 is not a whole number of at least 2"),
        ({"depth": 0}, "depth 0"),
        ({"depth": 2.5}, r"depth 2\.5"),
        ({"depth": 2.0}, r"^depth 2\.0 is not a whole number of at least 1$"),
        ({"depth": np.inf}, "^depth inf is not a whole number of at least 1$"),
        ({"depth": "5"}, "^depth 5 is not a whole number of at least 1$"),
        ({"in_channels": 1.0}, r"^in_channels 1\.0 is not a whole number of at least 1$"),
        ({"n_classes": np.nan}, "^n_classes nan is not a whole number of at least 2$"),
        ({"base_channels": 2.0}, r"^base_channels 2\.0 is not a whole number of at least 1$"),
        ({"base_channels": 0}, "base_channels 0"),
        ({"dropout": 1}, "dropout 1"),
        ({"dropout": -0.1}, "dropout -0.1"),
        ({"dtype": "float16"}, "float16"),
        ({"dtype": "int32"}, "int32"),
        ({"device": "tpu"}, "device 'tpu' is not one of"),
        ({"device": "gpu:x"}, "device 'gpu:x' is not one of"),
        ({"device": "cpu:0"}, "device 'cpu:0' is not one of"),
    ],
)
def test_unet_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        UNet(**arguments)


def test_whole_numbers_may_be_numpys():
    net = UNet(np.int64(2), np.uint8(3), np.int32(2), np.int64(4), device="cpu")
    assert net.params["down2.conv1.weight"].shape == (8, 4, 3, 3)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 572, 572), r"must be \(N, 1, H, W\)"),
        ((1, 2, 572, 572), r"must be \(N, 1, H, W\)"),
        ((1, 1, 570, 572), "height 570 does not fit depth 5: the nearest sizes are 556 and 572"),
        ((1, 1, 572, 573), "width 573 does not fit depth 5: the nearest sizes are 572 and 588"),
        ((1, 1, 100, 572), "height 100 does not fit depth 5: the nearest size is 188"),
    ],
)
def test_forward_refuses(shape, message):
    net = UNet(base_channels=1, device="cpu")
    with pytest.raises(ValueError, match=message):
        net.forward(np.zeros(shape, "float32"))


def test_defaults_are_the_papers():
    import inspect

    defaults = {
        name: parameter.default for name, parameter in inspect.signature(UNet).parameters.items()
    }
    assert defaults == {
        "in_channels": 1,
        "n_classes": 2,
        "depth": 5,
        "base_channels": 64,
        "dropout": 0.5,
        "seed": 0,
        "dtype": "float32",
        "device": "auto",
    }


def test_the_smallest_network_there_is(rng):
    """Depth 1 has no pooling, no up-convolution and no skip; 5×7 pixels leave 1×3."""
    net = UNet(1, 2, depth=1, base_channels=1, dropout=0, dtype="float64", device="cpu")
    assert list(net.params) == [
        f"{name}.{part}"
        for name in ("down1.conv1", "down1.conv2", "out")
        for part in ("weight", "bias")
    ]
    assert (net.in_channels, net.n_classes, net.depth, net.base_channels) == (1, 2, 1, 1)
    assert sum(p.size for p in net.params.values()) == 10 + 10 + 4
    logits, cache = net.forward(rng.standard_normal((1, 1, 5, 7)))
    assert logits.shape == (1, 2, 1, 3)
    grads, dx = net.backward(rng.standard_normal(logits.shape), cache, input_gradient=True)
    assert list(grads) == list(net.params)
    assert dx.shape == (1, 1, 5, 7)


def test_consuming_the_cache_changes_no_gradient(rng):
    net = UNet(2, 3, depth=3, base_channels=2, dtype="float64", device="cpu")
    x = rng.standard_normal((2, 2, 44, 48))
    logits, cache = net.forward(x, train=True)
    dlogits, kept = rng.standard_normal(logits.shape), dict(cache)
    expected, dx = net.backward(dlogits, cache, input_gradient=True)
    assert cache.keys() == kept.keys()
    got, dx_too = net.backward(dlogits, cache, input_gradient=True, consume=True)
    assert cache == {}  # every map is let go
    assert_array_equal(dx_too, dx)
    for name, gradient in expected.items():
        assert_array_equal(got[name], gradient)
    again = net.backward(dlogits, kept)  # without the image's gradient: the dictionary alone
    assert again.keys() == net.params.keys()
    with pytest.raises(ValueError, match="cache is empty: an earlier backward pass consumed it"):
        net.backward(dlogits, cache)


def test_a_gradient_of_another_batch_is_refused(rng):
    net = UNet(depth=2, base_channels=2, device="cpu")
    logits, cache = net.forward(rng.standard_normal((1, 1, 22, 26)))
    for shape in ((2, *logits.shape[1:]), logits.shape[1:], (*logits.shape[:3], 1)):
        with pytest.raises(ValueError, match="made logits of shape"):
            net.backward(rng.standard_normal(shape, np.float32), cache)


def test_a_refused_gradient_consumes_nothing(rng):
    net = UNet(depth=2, base_channels=2, dropout=0, device="cpu")
    logits, cache = net.forward(rng.standard_normal((1, 1, 22, 26)))
    dlogits = rng.standard_normal(logits.shape, np.float32)
    expected = net.backward(dlogits, cache)
    with pytest.raises(ValueError, match="made logits of shape"):
        net.backward(dlogits[:, :1], cache, consume=True)
    got = net.backward(dlogits, cache, consume=True)
    for name, gradient in expected.items():
        assert_array_equal(got[name], gradient)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_empty_batch_goes_forward_and_backward(dtype):
    net = UNet(depth=2, base_channels=2, dtype=dtype, device="cpu")
    logits, cache = net.forward(np.zeros((0, 1, 22, 26)), train=True)
    assert logits.shape == (0, 2, 6, 10)
    grads, dx = net.backward(logits, cache, input_gradient=True)
    assert dx.shape == (0, 1, 22, 26)
    assert all((gradient == 0).all() for gradient in grads.values())


def test_a_network_is_called_like_a_function(rng):
    net = UNet(2, 3, depth=3, base_channels=2, device="cpu")
    x = rng.standard_normal((2, 2, 44, 48))
    assert_array_equal(net(x), net.forward(x)[0])
    with pytest.raises(ValueError, match="height 45 does not fit depth 3"):
        net(x[:, :, :1].repeat(45, axis=2))


def test_a_network_says_what_it_is():
    assert repr(UNet(device="cpu")) == (
        "UNet(in_channels=1, n_classes=2, depth=5, base_channels=64, dropout=0.5): "
        "31,030,658 parameters, float32 on cpu"
    )


def test_dropout_is_off_unless_asked_for(rng):
    net = UNet(depth=2, base_channels=2, dropout=0.9, device="cpu")
    x = rng.standard_normal((1, 1, 18, 18)).astype("float32")
    state = net.rng.bit_generator.state
    calm, cache = net.forward(x)
    assert net.rng.bit_generator.state == state
    assert_allclose(net.predict_proba(x), nn.softmax(calm), rtol=1e-6)
    assert cache["dropout"] is None
    net.forward(x, train=True)
    assert net.rng.bit_generator.state != state


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_channels": 0}, "^in_channels 0 is not a whole number of at least 1$"),
        ({"in_channels": 1.5}, "^in_channels 1.5 is not a whole number of at least 1$"),
        ({"n_classes": 2.5}, "^n_classes 2.5 is not a whole number of at least 2$"),
        ({"depth": 0}, "^depth 0 is not a whole number of at least 1$"),
        ({"base_channels": 0.5}, "^base_channels 0.5 is not a whole number of at least 1$"),
        ({"dropout": 1.0}, r"^dropout 1.0 is not in \[0, 1\)$"),
        ({"dropout": float("nan")}, r"^dropout nan is not in \[0, 1\)$"),
        ({"dtype": "float16"}, "^dtype float16 is not 'float32' or 'float64'$"),
    ],
)
def test_unet_says_what_it_takes(arguments, message):
    with pytest.raises(ValueError, match=message):
        UNet(**{"depth": 2, "base_channels": 2, "device": "cpu", **arguments})


def test_load_takes_another_dtype_and_any_order(rng):
    net = UNet(depth=2, base_channels=2, seed=3, device="cpu")
    arrays = dict(net.params)
    given = {name: rng.standard_normal(p.shape) for name, p in reversed(net.params.items())}
    net.load(given)
    for name, array in net.params.items():
        assert array is arrays[name]  # in place: an optimiser goes on with the same arrays
        assert array.dtype == np.float32
        assert_array_equal(array, given[name].astype("float32"))
