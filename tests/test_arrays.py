"""Choosing a device, and arrays that travel."""

import numpy as np
import pytest

from tinyunet import arrays


def test_auto_takes_a_gpu_where_there_is_one():
    device = arrays.select_device("auto")
    assert device.is_gpu == (arrays.gpu_problem() is None)
    assert arrays.select_device(device) is device


def test_cpu():
    device = arrays.select_device("cpu")
    assert (device.name, device.xp, device.is_gpu) == ("cpu", np, False)
    x = device.asarray([1, 2], dtype="float32")
    assert isinstance(x, np.ndarray)
    assert x.dtype == np.float32
    assert arrays.array_module(x) is np
    assert arrays.to_numpy(x) is x


@pytest.mark.parametrize("name", ["tpu", "cpu:0", "auto:1", "gpu:x", "gpu:-1", "", None])
def test_unknown_devices_are_refused(name):
    with pytest.raises(ValueError, match="is not one of 'auto', 'cpu', 'gpu', 'gpu:<index>'"):
        arrays.select_device(name)


def test_a_gpu_that_is_not_there_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(arrays, "cupy", None)
    monkeypatch.setattr(arrays, "_WHY_NO_CUPY", "No module named 'cupy'")
    assert not arrays.select_device("auto").is_gpu
    with pytest.raises(ValueError, match=r"'gpu' cannot be used: CuPy .*tinyunet\[cuda12\]"):
        arrays.select_device("gpu")


class _FakeCupy:
    """Just enough of CuPy to play a machine with a driver that fails, or with `count` GPUs."""

    def __init__(self, count):
        class CUDARuntimeError(RuntimeError):
            pass

        def get_device_count():
            if count is None:
                raise CUDARuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")
            return count

        class Runtime:
            pass

        used = self.used = []  # the devices made current

        class Device:
            def __init__(self, index):
                self.index = index

            def use(self):
                used.append(self.index)

        class Cuda:
            pass

        Cuda.Device = Device
        Runtime.CUDARuntimeError = CUDARuntimeError
        Runtime.getDeviceCount = staticmethod(get_device_count)
        Cuda.runtime = Runtime
        self.cuda = Cuda


@pytest.mark.parametrize(
    ("count", "message"),
    [(None, "no working NVIDIA driver .*cudaErrorNoDevice"), (0, "the driver reports no GPU")],
)
def test_cupy_without_a_gpu_says_so(monkeypatch, count, message):
    monkeypatch.setattr(arrays, "cupy", _FakeCupy(count))
    assert not arrays.select_device("auto").is_gpu
    with pytest.raises(ValueError, match=message):
        arrays.select_device("gpu:0")


def test_a_gpu_is_chosen_by_its_index(monkeypatch):
    fake = _FakeCupy(2)
    monkeypatch.setattr(arrays, "cupy", fake)
    assert arrays.select_device("auto").name == "gpu:0"
    assert arrays.select_device("gpu").name == "gpu:0"
    assert arrays.select_device("gpu:1").index == 1
    assert fake.used == []  # choosing one leaves CUDA's current device alone
    with pytest.raises(ValueError, match=r"'gpu:2' does not exist: this machine has 2 GPU"):
        arrays.select_device("gpu:2")


@pytest.mark.parametrize(
    ("library", "error", "told"),
    [
        ("nvrtc", RuntimeError("no libnvrtc\nlong"), "no libnvrtc"),
        ("cublas", ImportError("no libcublas"), "no libcublas"),
        ("nvrtc", RuntimeError(), "RuntimeError"),
    ],
)
def test_a_toolkit_that_is_missing_is_named(monkeypatch, library, error, told):
    fake = _FakeCupy(1)

    class Compiler:
        @staticmethod
        def getVersion():
            if library == "nvrtc":
                raise error

    class Cuda:
        """A module whose parts are loaded when they are asked for."""

        def __getattr__(self, name, there=fake.cuda):
            if name == library == "cublas":
                raise error
            return Compiler if name == "nvrtc" else getattr(there, name, None)

    fake.cuda = Cuda()
    monkeypatch.setattr(arrays, "cupy", fake)
    assert arrays.select_device("auto").name == "cpu"
    with pytest.raises(ValueError) as raised:
        arrays.select_device("gpu")
    assert str(raised.value) == (
        "device 'gpu' cannot be used: CuPy and a GPU are there, but not all of the CUDA toolkit "
        f"({told}); install it with `pip install 'cupy-cuda12x[ctk]'` or `'cupy-cuda13x[ctk]'`"
    )
