"""Make tests/golden/unet.safetensors with PyTorch, the independent judge.

    pip install torch==2.13.0 safetensors numpy
    python tests/golden/make_golden.py

Weights, inputs, logits, loss and every gradient of a U-Net of depth 4 and base 2, in float64 and
float32, as PyTorch's autograd computes them. tinyunet is not imported: only the parameters' names
and layouts are shared, and those travel in the file itself.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "benchmarks"))
from torch_unet import torch_unet  # noqa: E402

IN_CHANNELS, N_CLASSES, DEPTH, BASE = 2, 3, 4, 2
BATCH, HEIGHT, WIDTH = 2, 92, 100  # → 4 × 12


def run(model, x, labels, weights, dtype):
    """Return {name: array} of PyTorch's logits, loss and gradients in `dtype`."""
    model = model.to(dtype)
    model.zero_grad()
    logits = model(torch.tensor(x, dtype=dtype))
    each = torch.nn.functional.cross_entropy(logits, torch.tensor(labels), reduction="none")
    loss = (torch.tensor(weights, dtype=dtype) * each).mean()
    loss.backward()
    tag = str(dtype).removeprefix("torch.")
    results = {f"{tag}/logits": logits.detach().numpy(), f"{tag}/loss": loss.detach().numpy()}
    for name, param in model.named_parameters():
        results[f"{tag}/grad/{name}"] = param.grad.numpy().copy()
    return results


def main():
    rng = np.random.default_rng(1505)
    model = torch_unet(IN_CHANNELS, N_CLASSES, DEPTH, BASE).double()
    params = {}
    with torch.no_grad():
        for name, param in model.named_parameters():
            fan_in = param[0].numel() if param.ndim > 1 else 100
            value = rng.normal(0, np.sqrt(2 / fan_in), tuple(param.shape)).astype(np.float32)
            param.copy_(torch.tensor(value))  # float32 numbers, so both precisions start equal
            params[f"params/{name}"] = value
    x = rng.standard_normal((BATCH, IN_CHANNELS, HEIGHT, WIDTH)).astype(np.float32)
    labels = rng.integers(0, N_CLASSES, (BATCH, HEIGHT - 88, WIDTH - 88))
    weights = (10 * rng.random(labels.shape) * (rng.random(labels.shape) > 0.2)).astype(np.float32)
    tensors = {"x": x, "labels": labels, "weights": weights, **params}
    for dtype in (torch.float64, torch.float32):
        tensors |= run(model, x, labels, weights, dtype)
    tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    save_file(tensors, HERE / "unet.safetensors", {"torch": torch.__version__})
    (HERE / "unet.safetensors").chmod(0o644)
    print(f"{len(tensors)} tensors, loss {tensors['float64/loss'].item():.12f}")


if __name__ == "__main__":
    main()
