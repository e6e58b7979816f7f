"""The whole on a GPU: gradients, losses beside the CPU's, prediction, errors that say what to do.

On a GPU or the stand-in below a real CuPy. Operations, the golden file and the optimiser are tested
there through the fixture `device`; training and resuming in test_cuda_train.py.
"""

import numpy as np
import pytest
from gpu import on_gpu
from numpy.testing import assert_allclose, assert_array_equal
from runs import tiny, tiny_dataset

from tinyunet import nn
from tinyunet.arrays import select_device, to_numpy
from tinyunet.backends.cuda.graph_step import GraphStep
from tinyunet.inference.predict import predict_tiled
from tinyunet.nn import gradcheck
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet
from tinyunet.training.loop import train
from tinyunet.training.step import training_gradients

pytestmark = on_gpu


def _batch(rng, size):
    x = rng.standard_normal((1, 1, size, size), dtype=np.float32)
    inner = x[:, 0, 8:-8, 8:-8]
    return x, (inner > 0).astype(np.int64), np.ones(inner.shape, np.float32)


def _losses(device, batches):
    net = UNet(depth=2, base_channels=2, dropout=0.5, seed=1, device=device)
    sgd, losses = SGD(net.params, lr=0.01, momentum=0.9), []
    for batch in batches:
        loss, grads = training_gradients(net, *batch)
        losses.append(float(loss))
        sgd.step(grads)
    return losses, {name: to_numpy(p) for name, p in net.params.items()}


def test_fifty_steps_on_the_cpu_and_on_the_gpu(rng):
    batches = [_batch(rng, 28) for _ in range(50)]
    on_cpu, _ = _losses("cpu", batches)
    on_gpu, params = _losses("gpu", batches)
    again, params_again = _losses("gpu", batches)
    assert on_cpu[-1] != on_cpu[0]
    assert_allclose(on_gpu, on_cpu, rtol=0, atol=1e-3)
    assert again == on_gpu  # the same seed on the same device: bit for bit
    for name, param in params.items():
        assert_array_equal(params_again[name], param)


def test_gradients_by_differences(rng):
    net = UNet(depth=2, base_channels=2, seed=4, dtype="float64", device="gpu")
    x, labels, weights = _batch(rng, 24)
    rows = gradcheck.check_network(net, x.astype(float), labels, weights.astype(float))
    assert max(row.error for row in rows) < 1e-7


def test_prediction_equals_the_cpus(rng):
    image = rng.standard_normal((37, 50), dtype=np.float32)
    maps = [
        predict_tiled(
            UNet(depth=2, base_channels=3, seed=5, device=device), image, tile=36, average=2
        )
        for device in ("cpu", "gpu")
    ]
    assert type(maps[1]) is np.ndarray
    assert_allclose(maps[1], maps[0], atol=1e-5)


def test_weights_do_not_tell_where_they_were_made(rng):
    nets = [UNet(depth=2, base_channels=2, seed=6, device=device) for device in ("cpu", "gpu")]
    for name, param in nets[0].params.items():
        assert_array_equal(to_numpy(nets[1].params[name]), param)
    nets[1].load({name: 2 * param for name, param in nets[0].params.items()})
    for name, param in nets[0].params.items():
        assert_array_equal(to_numpy(nets[1].params[name]), 2 * param)


def test_a_full_gpu_names_the_tile_that_would_fit(monkeypatch, tmp_path):
    full_error = select_device("gpu").xp.cuda.memory.OutOfMemoryError

    def full(*arguments):
        raise full_error(1, 1)

    monkeypatch.setattr(GraphStep, "step", full)
    monkeypatch.setattr("tinyunet.training.step.free_memory", lambda device: 35e6)
    with pytest.raises(MemoryError) as error:
        train(tiny_dataset(), tiny(depth=2, base_channels=4, tile=60), tmp_path / "run", "gpu")
    message = str(error.value)
    assert message.startswith("out of GPU memory: tile 60, batch 1 takes about ")
    assert "0.0 GB are free; no tile fits" in message


def test_softmax_of_a_gpu_array(rng):
    logits = rng.standard_normal((1, 3, 4, 5), dtype=np.float32)
    got = nn.softmax(select_device("gpu").asarray(logits))
    assert_allclose(to_numpy(got), nn.softmax(logits), atol=1e-6)
