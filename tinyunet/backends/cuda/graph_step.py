"""One training step, recorded once as a CUDA graph and replayed: one launch in place of hundreds.

A step of a small network is hundreds of launches of a few microseconds each, and Python needs
longer than that to ask for one. A graph is asked for once a step. It replays the very addresses it
recorded, so everything that changes from step to step lies in fixed places: the tile, its labels
and weights, the numbers that drop-out draws, learning rate and momentum are copied there before it,
and the memory in between belongs to a pool that nobody else uses.

    first step      run as usual: compiles the kernels and fills the pool
    second step     recorded, then replayed
    from then on    replayed

Copies start from pinned memory, so that they run beside the GPU's work and the CPU goes on; the
loss stays on the GPU until somebody asks for its value. Lesson: lessons/15-fast-on-a-gpu.md.
"""

import sys
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from tinyunet import geometry, nn
from tinyunet.arrays import Array
from tinyunet.backends.cuda import operations as gpu
from tinyunet.backends.cuda.cublas import WORKSPACE
from tinyunet.backends.cuda.drawn import DrawnAhead, drawing_from
from tinyunet.backends.cuda.errors import KernelError
from tinyunet.nn.architecture import level_sizes
from tinyunet.nn.operation import is_plain
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet

_Shapes: TypeAlias = dict[str, tuple[tuple[int, ...], type[np.generic]]]  # {input: (shape, dtype)}


class Loss:
    """The loss of one step, still on the GPU: `float(loss)` waits for it and reads it back.

    It waits for its own step only (the event `done`) and copies on a stream of its own, so that
    steps asked for since go on meanwhile.
    """

    def __init__(self, array: Any, done: Any, stream: Any) -> None:  # all three CuPy's
        self._array, self._done, self._stream = array, done, stream

    def __float__(self) -> float:
        with self._array.device:
            self._stream.wait_event(self._done)
            with self._stream:
                return float(self._array.item())


class GraphStep:
    """Training steps of `net` with `optimiser` (an `SGD`) on images of one shape.

    `step(x, labels, weights, drawn)` does the forward, the loss, the backward and the update;
    where recording is not supported it does them one by one, after one warning. `replays` tells
    how many steps came from the graph. Learning rate and momentum may change between steps; what
    else was true when the step was recorded stays: the precision, and which arrays hold the
    parameters and velocities (copy into them, do not replace them). Raises ValueError for a
    network that is not float32 on a GPU.
    """

    def __init__(self, net: UNet, optimiser: SGD, shape: Sequence[int]) -> None:
        if not net.device.is_gpu or net.dtype != np.float32:
            raise ValueError(
                f"a graph needs a float32 network on a GPU: got {net.dtype} on {net.device.name}"
            )
        self.net, self.optimiser = net, optimiser
        self.replays = 0
        self._xp = xp = net.device.xp
        self._shapes = _input_shapes(net, shape)
        drawn = self._shapes.get("drawn")
        self._numbers = None if drawn is None else DrawnAhead(net, drawn[0])
        with net.device.current():
            self._stream, self._reading = (xp.cuda.Stream(non_blocking=True) for _ in range(2))
            self._pool = xp.cuda.MemoryPool()
            self._workspace = self._pool.malloc(WORKSPACE)
            with xp.cuda.using_allocator(self._pool.malloc):
                self._inputs = {k: xp.zeros(s, d) for k, (s, d) in self._shapes.items()}
                self._rates = xp.zeros(2, np.float32)  # learning rate, momentum
            self._stages = [_Stage(xp, self._shapes) for _ in range(2)]
        self._last_rates: tuple[float, float] | None = None
        self._graph: Any = None
        self._loss: Any = None
        self._steps, self._can_record = 0, not is_plain()

    def __del__(self) -> None:
        """Give all memory back: with a pool CuPy frees neither its blocks nor what outlives it."""
        if hasattr(self, "_loss") and not sys.is_finalizing():
            del self._graph, self._loss, self._inputs, self._rates, self._workspace
            with self.net.device.current():
                self._pool.free_all_blocks()

    @property
    def memory(self) -> int:
        """Bytes of the GPU's memory that its steps take, beside the parameters and velocities."""
        return self._pool.total_bytes()

    def step(
        self, x: Array, labels: Array, weights: Array | None = None, drawn: Array | None = None
    ) -> Loss:
        """Train on one batch of NumPy arrays and return its `Loss`, without waiting for the GPU.

        x: (N, C, H, W) of the shape given before; labels, weights: (N, H', W'), weights None for
        all ones; drawn: numbers in [0, 1) for the drop-out, as `net.rng.random` draws them, which
        is what None does. Raises ValueError for other shapes.
        """
        if drawn is None and self._numbers is not None:
            drawn = self._numbers.take()
        if weights is None:
            weights = np.ones(self._shapes["weights"][0], np.float32)
        given: dict[str, Any] = {"x": x, "labels": labels, "weights": weights, "drawn": drawn}
        given = {name: given[name] for name in self._shapes}
        for name, (shape, _) in self._shapes.items():
            if given[name].shape != shape:
                raise ValueError(f"{name} has shape {given[name].shape}, not {shape} as recorded")
        with self.net.device.current():
            outside = self._xp.cuda.get_current_stream()
            self._stream.wait_event(outside.record())
            with self._stream:
                self._send(given)
                loss = self._run().copy()
            done = self._stream.record()
            outside.wait_event(done)
        self._steps += 1
        return Loss(loss, done, self._reading)

    def _send(self, given: dict[str, Array]) -> None:
        """Start the copies into the fixed inputs, through the stage used two steps ago."""
        self._stages[self._steps % 2].send(given, self._inputs, self._stream)
        rates = self.optimiser.lr, self.optimiser.momentum
        if rates != self._last_rates:
            self._last_rates = rates
            for place, rate in enumerate(rates):
                self._rates[place : place + 1].fill(rate)

    def _run(self) -> Array:
        """Do the step, from the graph if there is one, and return the loss's array."""
        is_time = self._can_record and self._steps > 0 and self._graph is None
        if is_time and gpu.runs_kernels(self._inputs["x"]):  # CuPy's own cuBLAS is not recordable
            self._record()
        if self._graph is None:
            return self._work()
        self._graph.launch(stream=self._stream)
        self.replays += 1
        return self._loss

    def _record(self) -> None:
        """Record the step without running it, or warn and go on without a graph."""
        try:
            self._stream.begin_capture()
            try:
                loss = self._work()
            finally:
                graph = self._stream.end_capture()  # also after an error: the stream must go on
        except RuntimeError as error:  # CUDA's and cuBLAS's errors are RuntimeErrors
            self._can_record = False
            self._check_device(error)
            warnings.warn(
                f"the step cannot be recorded as a CUDA graph and runs launch by launch: {error}"
            )
        else:
            self._graph, self._loss = graph, loss

    def _check_device(self, error: RuntimeError) -> None:
        """Raise KernelError if an earlier kernel stopped the device: no fault of recording."""
        try:
            self._xp.cuda.Device().synchronize()
        except RuntimeError as broken:
            raise KernelError(
                f"the GPU stopped in a kernel of an earlier step ({broken}); to see in which one, "
                "run again with CUDA_LAUNCH_BLOCKING=1, or without kernels: TINYUNET_BACKEND=plain"
            ) from error

    def _work(self) -> Array:
        """One step from and to fixed places, without reading anything back."""
        net, inputs = self.net, self._inputs
        with (
            self._xp.cuda.using_allocator(self._pool.malloc),
            gpu.gpu_of(inputs["x"]).working_in(self._workspace),
            drawing_from(net, inputs.get("drawn")),
        ):
            logits, cache = net.forward(inputs["x"], train=True)
            loss, loss_cache = nn.softmax_cross_entropy(logits, inputs["labels"], inputs["weights"])
            dlogits = nn.softmax_cross_entropy_backward(loss_cache)
            grads = net.backward(dlogits, cache, consume=True)
            sgd = self.optimiser
            lr, momentum = self._rates[:1], self._rates[1:]
            nn.momentum_update(sgd.params, sgd.velocity, grads, lr, momentum)
        return loss


class _Stage:
    """Pinned copies of the inputs: where the GPU fetches them from while the CPU goes on."""

    def __init__(self, xp: ModuleType, shapes: _Shapes) -> None:
        self._host = {name: _pinned(xp, *spec) for name, spec in shapes.items()}
        self._sent: Any = None  # the event after which the GPU has fetched everything

    def send(self, given: dict[str, Array], inputs: dict[str, Any], stream: Any) -> None:
        """Copy `given` into pinned memory and start the copies to `inputs` on `stream`."""
        if self._sent is not None:
            self._sent.synchronize()
        for name, host in self._host.items():
            np.copyto(
                host, given[name], casting="same_kind" if host.dtype.kind == "f" else "unsafe"
            )
            inputs[name].set(host, stream=stream)
        self._sent = stream.record()


def _pinned(xp: ModuleType, shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
    """Return an uninitialised NumPy array in page-locked memory."""
    size = int(np.prod(shape))
    memory = xp.cuda.alloc_pinned_memory(size * np.dtype(dtype).itemsize)
    return np.frombuffer(memory, dtype, size).reshape(shape)


def _input_shapes(net: UNet, shape: Sequence[int]) -> _Shapes:
    """Return {input: (shape, dtype)} of a step on images of `shape` (N, C, H, W)."""
    n, channels, *sizes = shape
    if channels != net.in_channels:
        raise ValueError(f"images of {channels} channels: the network takes {net.in_channels}")
    out = tuple(geometry.output_size(size, net.depth) for size in sizes)
    shapes: _Shapes = {
        "x": (tuple(shape), np.float32),
        "labels": ((n, *out), np.int32),
        "weights": ((n, *out), np.float32),
    }
    if net.dropout > 0:
        walks = [dict(level_sizes(size, net.depth)) for size in sizes]
        bottom = tuple(walk[f"down{net.depth}"][-1] for walk in walks)
        width = net.base_channels * geometry.scale(net.depth)
        shapes["drawn"] = ((n, width, *bottom), np.float32)
    return shapes
