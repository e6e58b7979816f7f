"""The contestants of ladder_gpu.py: our rungs, each a step further, and PyTorch's step.

A contestant has a `name`, a `precision`, `step(x, labels, weight_map)`, which does one training
step from NumPy arrays without reading anything back, and `gradients(...)`, for validation. A
PyTorch that has no GPU is no peer; below the stand-in its step runs on the CPU, for rehearsals.
"""

import os
from contextlib import contextmanager, nullcontext

import numpy as np

from tinyunet.arrays import select_device, to_numpy
from tinyunet.backends.cuda.graph_step import GraphStep
from tinyunet.nn import operation
from tinyunet.nn.precision import precision as use_precision
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet
from tinyunet.training.step import training_gradients

try:
    import torch
    from torch_unet import torch_unet

    TORCH_DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
    if TORCH_DEVICE == "cpu" and "STAND_IN_CACHE" not in os.environ:
        torch = None
except ImportError:
    torch, TORCH_DEVICE = None, None  # our rungs are worth measuring without it

RATE, MOMENTUM = 1e-6, 0.99  # so small that a thousand steps leave the weights as they are

CONVOLUTIONS = ("conv2d", "conv2d_relu", "conv2d_relu_max_pool", "max_pool2d")
MOVES = ("up_conv2d", "up_conv2d_concat", "center_crop_concat", "max_pool2d_skip")
LOSS = ("softmax_cross_entropy",)
ALL = (*CONVOLUTIONS, *MOVES, *LOSS, "momentum_update")
RUNGS = {  # name: (operations that have kernels, precision, recorded as a graph)
    "im2col": ((), "float32", False),
    "convolution": (("conv2d",), "float32", False),
    "bias, ReLU": (("conv2d", "conv2d_relu"), "float32", False),
    "pooling": (CONVOLUTIONS, "float32", False),
    "moves": ((*CONVOLUTIONS, *MOVES), "float32", False),
    "loss": ((*CONVOLUTIONS, *MOVES, *LOSS), "float32", False),
    "update": (ALL, "float32", False),
    "graph": (ALL, "float32", True),
    "graph, tf32": (ALL, "tf32", True),
    "graph, bf16": (ALL, "bf16", True),
}


@contextmanager
def with_kernels_for(names):
    """Within the block, only the operations in `names` and their backward passes have kernels."""
    table = operation._implementations
    kept = {function: list(rows) for function, rows in table.items()}
    for function in table:
        if function.__name__.removesuffix("_backward") not in names:
            table[function] = []
    try:
        yield
    finally:
        table.update(kept)


class Rung:
    """One rung of our ladder: a network of its own, from the same seed as all the others."""

    def __init__(self, name, base, shape):
        self.name = name
        self.kernels, self.precision, recorded = RUNGS[name]
        self.net = UNet(base_channels=base, dropout=0, device=select_device("gpu"))
        self.sgd = SGD(self.net.params, RATE, MOMENTUM)
        self.graph = GraphStep(self.net, self.sgd, shape) if recorded else None

    @contextmanager
    def in_force(self):
        """Within the block, operations run as this rung has them."""
        with with_kernels_for(self.kernels), use_precision(self.precision):
            yield

    def step(self, *batch):
        """Do one training step."""
        with self.in_force():
            if self.graph is not None:
                self.graph.step(*batch)
                return
            _, grads = training_gradients(self.net, *batch)
            self.sgd.step(grads)

    def gradients(self, *batch):
        """Return (loss, {name: gradient}) as NumPy arrays."""
        with self.in_force():
            loss, grads = training_gradients(self.net, *batch)
        return float(loss), {name: to_numpy(g) for name, g in grads.items()}

    def check(self):
        """Raise RuntimeError if the step should have been recorded and was not."""
        if self.graph is not None and self.graph.replays == 0:
            raise RuntimeError("the step was not recorded as a graph")


class TorchStep:
    """PyTorch's step of the same network, in one precision and one memory format.

    `recorded`: as a CUDA graph, from tensors that stay, which PyTorch can do as well as we.
    """

    def __init__(self, params, base, precision, channels_last, recorded=False):
        self.precision, self.pinned, self.fixed = precision, None, None
        layout = "channels last" if channels_last else "contiguous"
        self.name = f"PyTorch, {precision}, {layout}{', graph' if recorded else ''}"
        self.recorded, self.replay = recorded and TORCH_DEVICE == "cuda", None
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        model = torch_unet(base=base)
        model.load_state_dict({k: torch.from_numpy(to_numpy(p)) for k, p in params.items()})
        self.model = model.to(TORCH_DEVICE).to(memory_format=self.format)
        self.optimiser = torch.optim.SGD(
            self.model.parameters(), lr=RATE, momentum=MOMENTUM, foreach=True
        )

    def in_force(self):
        """Set the precision of products, strictly float32 unless tf32 is asked for."""
        torch.backends.cudnn.benchmark = True
        tf32 = self.precision == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        if self.precision == "bf16":
            return torch.autocast(TORCH_DEVICE, torch.bfloat16, cache_enabled=not self.recorded)
        return nullcontext()

    def sent(self, *batch):
        """Return the batch on the device, from pinned memory; a graph's in tensors that stay."""
        if self.pinned is None:  # once: a loader's thread would have done it beforehand
            tensors = [torch.from_numpy(array) for array in batch]
            self.pinned = [t.pin_memory() if TORCH_DEVICE == "cuda" else t for t in tensors]
        there = [tensor.to(TORCH_DEVICE, non_blocking=True) for tensor in self.pinned]
        if not self.recorded:
            return there
        if self.fixed is None:
            self.fixed = [tensor.clone() for tensor in there]
        for fixed, tensor in zip(self.fixed, there, strict=True):
            fixed.copy_(tensor)
        return self.fixed

    def loss(self, x, labels, weight_map):
        """Return the loss of tensors on the device."""
        with self.in_force():
            logits = self.model(x.to(memory_format=self.format))
            losses = torch.nn.functional.cross_entropy(logits.float(), labels, reduction="none")
        return (weight_map * losses).mean()

    def work(self, tensors):
        """Do a step with tensors on the device."""
        self.optimiser.zero_grad(set_to_none=True)
        self.loss(*tensors).backward()
        self.optimiser.step()

    def step(self, *batch):
        """Do one training step."""
        tensors = self.sent(*batch)
        if self.recorded and self.replay is None:
            self.record(tensors)
        if self.replay is not None:
            self.replay()
        else:
            self.work(tensors)

    def record(self, tensors):
        """Record a step, as PyTorch's manual has it: some on a side stream first."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.work(tensors)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.work(tensors)
        self.replay = graph.replay

    def gradients(self, *batch):
        """Return (loss, {name: gradient}) as NumPy arrays."""
        self.model.zero_grad(set_to_none=True)
        loss = self.loss(*self.sent(*batch))
        loss.backward()
        grads = {k: p.grad.float().cpu().numpy() for k, p in self.model.named_parameters()}
        return loss.item(), grads

    def check(self):
        """Nothing to check: PyTorch raises by itself."""


def relative_error(grads, expected):
    """Return ‖grads − expected‖ / ‖expected‖ over all parameters together."""
    off = sum(
        np.linalg.norm((grads[k] - e).ravel().astype(float)) ** 2 for k, e in expected.items()
    )
    size = sum(np.linalg.norm(e.ravel().astype(float)) ** 2 for e in expected.values())
    return float(np.sqrt(off / size))
