"""What every operation should give, computed on the CPU in float64: a file to take to the GPU.

    python benchmarks/gpu_references.py FILE.safetensors

The inputs come from a seed and are rounded to bf16, so that tf32 and bf16 multiply them exactly and
one tolerance fits all precisions. Shapes: tiles cut at every side, several slices, both block
sizes.
"""

import sys

import numpy as np
from safetensors.numpy import save_file

from tinyunet import nn
from tinyunet.nn.operation import plain

CASES = {  # name: (operation, shapes of its inputs)
    "conv, one image of one channel": ("conv2d_relu", [(1, 1, 60, 44), (64, 1, 3, 3), (64,)]),
    "conv, batch of odd maps": ("conv2d_relu", [(2, 6, 15, 11), (7, 6, 3, 3), (7,)]),
    "conv, wide": ("conv2d_relu", [(1, 70, 34, 66), (130, 70, 3, 3), (130,)]),
    "conv, slices": ("conv2d_relu", [(1, 64, 140, 136), (64, 64, 3, 3), (64,)]),
    "conv without ReLU": ("conv2d", [(1, 32, 22, 30), (96, 32, 3, 3), (96,)]),
    "conv 1x1": ("conv2d", [(2, 64, 20, 28), (2, 64, 1, 1), (2,)]),
    "up-conv, small": ("up_conv2d", [(2, 6, 5, 7), (6, 3, 2, 2), (3,)]),
    "up-conv": ("up_conv2d", [(1, 128, 28, 20), (128, 64, 2, 2), (64,)]),
    "pooling": ("max_pool2d", [(2, 3, 10, 6)]),
    "crop and concat": ("center_crop_concat", [(2, 3, 17, 9), (2, 2, 14, 6)]),
}


def rounded(x):
    """Return float32 x rounded to bf16."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    bits = (bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return bits.astype(np.uint32).view(np.float32)


def inputs(name):
    """Return the inputs of a case and a function that draws dy for a shape."""
    _, shapes = CASES[name]
    rng = np.random.default_rng(list(CASES).index(name))

    def draw(shape):
        return rounded(rng.standard_normal(shape, dtype=np.float32))

    return [draw(shape) for shape in shapes], draw


def compute(name, implementation, convert):
    """Return [y, gradients…] of a case: `convert` puts an array where `implementation` wants it."""
    operation, _ = CASES[name]
    arrays, draw = inputs(name)
    y, cache = getattr(implementation, operation)(*(convert(a) for a in arrays))
    dy = convert(draw(tuple(y.shape)))
    gradients = getattr(implementation, f"{operation}_backward")(dy, cache)
    return [y, *(gradients if isinstance(gradients, tuple) else (gradients,))]


def references():
    """Return {"case/number": array} of all cases."""
    found = {}
    with plain():
        for name in CASES:
            results = compute(name, nn, lambda a: a.astype(float))
            for number, result in enumerate(results):
                found[f"{name}/{number}"] = np.ascontiguousarray(result, np.float32)
    return found


if __name__ == "__main__":
    made = references()
    save_file(made, sys.argv[1])
    size = sum(a.nbytes for a in made.values()) / 1e6
    print(f"{len(made)} arrays of {len(CASES)} cases, {size:.1f} MB: {sys.argv[1]}")
