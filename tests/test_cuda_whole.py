"""The whole on a GPU: gradients, losses beside the CPU's, prediction, errors that say what to do.

Every test runs over the fake of CuPy, that is on the CPU with the package's own kernels, and once
more on a GPU where there is one. Operations, the golden file and the optimiser do so through the
fixture `device`; training and resuming do in tests/test_cuda_train.py.
"""

import numpy as np
import pytest
from cuda_shim.fake_cupy import FakeCupy, OutOfMemoryError
from numpy.testing import assert_allclose, assert_array_equal
from runs import tiny, tiny_dataset

from tinyunet import arrays, gradcheck, ops
from tinyunet import train as training
from tinyunet.arrays import gpu_problem, select_device, to_numpy
from tinyunet.model import UNet
from tinyunet.optim import SGD
from tinyunet.predict import predict_tiled
from tinyunet.train import train, training_gradients

PROBLEM = gpu_problem()


@pytest.fixture(
    params=[
        "fake",
        pytest.param("real", marks=pytest.mark.skipif(PROBLEM is not None, reason=f"{PROBLEM}")),
    ]
)
def xp(request, monkeypatch):
    """CuPy, or its fake in its place."""
    if request.param == "fake":
        monkeypatch.setattr(arrays, "cupy", FakeCupy())
    return arrays.cupy


def _batch(rng, size):
    x = rng.standard_normal((1, 1, size, size), dtype=np.float32)
    inner = x[:, 0, 8:-8, 8:-8]
    return x, (inner > 0).astype(np.int64), np.ones(inner.shape, np.float32)


def _losses(device, batches):
    net = UNet(depth=2, base=2, dropout=0.5, seed=1, device=device)
    sgd, losses = SGD(net.params, rate=0.01, momentum=0.9), []
    for batch in batches:
        loss, grads = training_gradients(net, *batch)
        losses.append(float(loss))
        sgd.step(grads)
    return losses, {name: to_numpy(p) for name, p in net.params.items()}


def test_fifty_steps_on_the_cpu_and_on_the_gpu(xp, rng):
    batches = [_batch(rng, 28) for _ in range(50)]
    on_cpu, _ = _losses("cpu", batches)
    on_gpu, params = _losses("gpu", batches)
    again, params_again = _losses("gpu", batches)
    assert on_cpu[-1] != on_cpu[0]
    assert_allclose(on_gpu, on_cpu, rtol=0, atol=1e-3)
    assert again == on_gpu  # the same seed on the same device: bit for bit
    for name, param in params.items():
        assert_array_equal(params_again[name], param)


def test_gradients_by_differences(xp, rng):
    net = UNet(depth=2, base=2, seed=4, dtype="float64", device="gpu")
    x, labels, weights = _batch(rng, 24)
    rows = gradcheck.check_network(net, x.astype(float), labels, weights.astype(float))
    assert max(row.error for row in rows) < 1e-7


def test_prediction_equals_the_cpus(xp, rng):
    image = rng.standard_normal((37, 50), dtype=np.float32)
    maps = [
        predict_tiled(UNet(depth=2, base=3, seed=5, device=device), image, tile=36, average=2)
        for device in ("cpu", "gpu")
    ]
    assert type(maps[1]) is np.ndarray
    assert_allclose(maps[1], maps[0], atol=1e-5)


def test_weights_do_not_tell_where_they_were_made(xp, rng):
    nets = [UNet(depth=2, base=2, seed=6, device=device) for device in ("cpu", "gpu")]
    for name, param in nets[0].params.items():
        assert_array_equal(to_numpy(nets[1].params[name]), param)
    nets[1].load({name: 2 * param for name, param in nets[0].params.items()})
    for name, param in nets[0].params.items():
        assert_array_equal(to_numpy(nets[1].params[name]), 2 * param)


def test_a_full_gpu_names_the_tile_that_would_fit(monkeypatch, tmp_path):
    fake = FakeCupy()
    fake.cuda.runtime.memGetInfo = lambda: (9 * 10**5, 10**9)
    monkeypatch.setattr(arrays, "cupy", fake)

    def full(*arguments):
        raise OutOfMemoryError

    monkeypatch.setattr(training.GraphStep, "step", full)
    with pytest.raises(MemoryError) as error:
        train(tiny_dataset(), tiny(depth=2, base=4, tile=60), tmp_path / "run", "gpu")
    message = str(error.value)
    assert message.startswith("out of GPU memory: tile 60, batch 1 takes about ")
    assert "a tile of " in message


@pytest.mark.parametrize(
    ("library", "error"),
    [("nvrtc", RuntimeError("no libnvrtc\nlong")), ("cublas", ImportError("no libcublas"))],
)
def test_a_toolkit_that_is_missing_is_named(monkeypatch, library, error):
    fake = FakeCupy()

    class Missing:
        """A library that fails when it is asked for, or for something of it."""

        def getVersion(self):
            raise error

    class Cuda:
        def __getattr__(self, name, there=fake.cuda):
            if name == library == "cublas":
                raise error
            return Missing() if name == library else getattr(there, name)

    fake.cuda = Cuda()
    monkeypatch.setattr(arrays, "cupy", fake)
    assert select_device("auto").name == "cpu"
    with pytest.raises(ValueError) as raised:
        select_device("gpu")
    first = str(error).splitlines()[0]
    assert str(raised.value) == (
        "device 'gpu' cannot be used: CuPy and a GPU are there, but not all of the CUDA toolkit "
        f"({first}); install it with `pip install 'cupy-cuda12x[ctk]'` or `'cupy-cuda13x[ctk]'`"
    )


@pytest.mark.parametrize(
    ("problem", "devices", "message"),
    [
        ("cudaErrorNoDevice", 1, "CuPy is installed but finds no working NVIDIA driver"),
        (None, 0, "CuPy is installed but the driver reports no GPU"),
    ],
)
def test_a_driver_that_is_missing_is_named(monkeypatch, problem, devices, message):
    fake = FakeCupy()
    fake.problem, fake.n_devices = problem, devices
    monkeypatch.setattr(arrays, "cupy", fake)
    with pytest.raises(ValueError, match=f"^device 'gpu:0' cannot be used: {message}"):
        train(tiny_dataset(), tiny(), "nowhere", "gpu:0")


def test_softmax_of_a_gpu_array(xp, rng):
    logits = rng.standard_normal((1, 3, 4, 5), dtype=np.float32)
    got = ops.softmax(select_device("gpu").asarray(logits))
    assert_allclose(to_numpy(got), ops.softmax(logits), atol=1e-6)
