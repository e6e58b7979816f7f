"""The contestants of ladder_gpu.py: our rungs, each a step further, and PyTorch's step.

A contestant has a `name`, a `precision`, `step(x, labels, weights)`, which does one training step
from NumPy arrays without reading anything back, and `gradients(...)`, for validation.
"""

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import numpy as np
import torch
from torch_unet import torch_unet

from tinyunet.arrays import select_device, to_numpy
from tinyunet.kernels import gpu
from tinyunet.kernels.gpu_graph import GraphStep
from tinyunet.model import UNet
from tinyunet.ops import dispatch
from tinyunet.optim import SGD
from tinyunet.train import training_gradients

RATE, MOMENTUM = 1e-6, 0.99  # so small that a thousand steps leave the weights as they are


def _only(*operations):
    """Return what operations may hand over to: of the GPU's kernels those for `operations`."""
    found = SimpleNamespace(takes=gpu.takes, Saved=gpu.Saved)
    for name in operations:
        for kernel in (name, f"{name}_backward", f"takes_{name}"):
            if hasattr(gpu, kernel):
                setattr(found, kernel, getattr(gpu, kernel))
    return found


POOLING = ("conv2d", "conv2d_relu", "conv2d_relu_max_pool", "max_pool2d")
MOVES = ("up_conv2d", "center_crop_concat", "dropout")
RUNGS = {  # name: (kernels that operations hand over to, precision, recorded as a graph)
    "im2col": (_only(), "float32", False),
    "winograd": (_only("conv2d"), "float32", False),
    "bias, ReLU": (_only("conv2d", "conv2d_relu"), "float32", False),
    "pooling": (_only(*POOLING), "float32", False),
    "moves": (_only(*POOLING, *MOVES), "float32", False),
    "loss": (_only(*POOLING, *MOVES, "softmax_cross_entropy"), "float32", False),
    "update": (gpu, "float32", False),
    "graph": (gpu, "float32", True),
    "graph, tf32": (gpu, "tf32", True),
    "graph, bf16": (gpu, "bf16", True),
}


@contextmanager
def handing_over_to(kernels):
    """Within the block, operations on GPU arrays hand over to `kernels`."""
    before, dispatch.gpu = dispatch.gpu, kernels
    try:
        yield
    finally:
        dispatch.gpu = before


class Rung:
    """One rung of our ladder: a network of its own, from the same seed as all the others."""

    def __init__(self, name, base, shape):
        self.name = name
        self.kernels, self.precision, recorded = RUNGS[name]
        self.net = UNet(base=base, dropout=0, device=select_device("gpu"))
        self.sgd = SGD(self.net.params, RATE, MOMENTUM)
        with self.in_force():
            self.graph = GraphStep(self.net, self.sgd, shape) if recorded else None

    @contextmanager
    def in_force(self):
        """Within the block, operations run as this rung has them."""
        with handing_over_to(self.kernels), gpu.precision(self.precision):
            yield

    def step(self, *batch):
        with self.in_force():
            if self.graph is not None:
                self.graph.step(*batch)
                return
            _, grads = training_gradients(self.net, *batch)
            if self.kernels is gpu:  # all parameters in one launch
                self.sgd.step(grads)
                return
            for name, param in self.net.params.items():
                velocity = self.sgd.velocity[name]
                velocity *= MOMENTUM
                velocity += grads[name]
                param -= RATE * velocity

    def gradients(self, *batch):
        """Return (loss, {name: gradient}) as NumPy arrays."""
        with self.in_force():
            loss, grads = training_gradients(self.net, *batch)
        return float(loss), {name: to_numpy(g) for name, g in grads.items()}

    def is_recorded(self):
        """Return whether the graph, if there should be one, is there."""
        return self.graph is None or self.graph.replays > 0


class TorchStep:
    """PyTorch's step of the same network, in one precision and one memory format."""

    def __init__(self, params, base, precision, channels_last):
        self.precision, self.pinned = precision, None
        self.name = f"PyTorch, {precision}, {'channels last' if channels_last else 'contiguous'}"
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        model = torch_unet(base=base)
        model.load_state_dict({k: torch.from_numpy(to_numpy(p)) for k, p in params.items()})
        self.model = model.cuda().to(memory_format=self.format)
        self.optimiser = torch.optim.SGD(
            self.model.parameters(), lr=RATE, momentum=MOMENTUM, foreach=True
        )

    def in_force(self):
        """Set the precision of products, strictly float32 unless tf32 is asked for."""
        torch.backends.cudnn.benchmark = True
        tf32 = self.precision == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        if self.precision == "bf16":
            return torch.autocast("cuda", dtype=torch.bfloat16)
        return nullcontext()

    def loss(self, *batch):
        if self.pinned is None:  # once: a loader's thread would have done it beforehand
            self.pinned = [torch.from_numpy(array).pin_memory() for array in batch]
        x, labels, weights = (array.to("cuda", non_blocking=True) for array in self.pinned)
        with self.in_force():
            logits = self.model(x.to(memory_format=self.format))
            losses = torch.nn.functional.cross_entropy(logits.float(), labels, reduction="none")
        return (weights * losses).mean()

    def step(self, *batch):
        self.optimiser.zero_grad(set_to_none=True)
        self.loss(*batch).backward()
        self.optimiser.step()

    def gradients(self, *batch):
        """Return (loss, {name: gradient}) as NumPy arrays."""
        self.model.zero_grad(set_to_none=True)
        loss = self.loss(*batch)
        loss.backward()
        grads = {k: p.grad.float().cpu().numpy() for k, p in self.model.named_parameters()}
        return loss.item(), grads

    def is_recorded(self):
        return True


def relative_error(grads, expected):
    """Return ‖grads − expected‖ / ‖expected‖ over all parameters together."""
    off = sum(
        np.linalg.norm((grads[k] - e).ravel().astype(float)) ** 2 for k, e in expected.items()
    )
    size = sum(np.linalg.norm(e.ravel().astype(float)) ** 2 for e in expected.values())
    return float(np.sqrt(off / size))
