"""He initialisation: every layer passes on the variance that it receives.

Weights are drawn from a Gaussian with standard deviation √(2/N), "where N denotes the number of
incoming nodes of one neuron" (section 3). What arrives at one output pixel counts:

    3×3 convolution over C channels    N = 9·C
    1×1 convolution                    N = C
    2×2 up-convolution, stride 2       N = C    (its patches do not overlap: one tap a channel)

Biases start at zero. Lesson: lessons/07-initialisation-and-momentum.md.
"""

import math

import numpy as np


def parameter_shapes(in_channels, n_classes, depth, base):
    """Return {name: shape} of all parameters in the order of figure 1, left to right.

    Convolutions are (out, in, k, k), up-convolutions (in, out, 2, 2), biases (out,).
    """
    shapes = {}

    def conv(name, out, in_, kernel):
        shapes[f"{name}.weight"] = (out, in_, kernel, kernel)
        shapes[f"{name}.bias"] = (out,)

    channels = in_channels
    for level in range(1, depth + 1):
        width = base * 2 ** (level - 1)  # 64, 128, 256, 512, 1024
        conv(f"down{level}.conv1", width, channels, 3)
        conv(f"down{level}.conv2", width, width, 3)
        channels = width
    for level in range(depth - 1, 0, -1):
        width = base * 2 ** (level - 1)
        shapes[f"up{level}.upconv.weight"] = (2 * width, width, 2, 2)
        shapes[f"up{level}.upconv.bias"] = (width,)
        conv(f"up{level}.conv1", width, 2 * width, 3)  # the skip and the up-convolved map
        conv(f"up{level}.conv2", width, width, 3)
    conv("out", n_classes, base, 1)
    return shapes


def incoming_nodes(name, shape):
    """Return N for a weight tensor: how many input values one output pixel adds up."""
    if name.endswith("upconv.weight"):
        return shape[0]
    return math.prod(shape[1:])


def he_parameters(shapes, rng, dtype=np.float32):
    """Return {name: array} for `shapes`: weights from N(0, 2/N), biases zero (NumPy, `dtype`).

    The draw is in float64 and then rounded, so float32 and float64 networks of one seed agree.
    """
    params = {}
    for name, shape in shapes.items():
        if name.endswith(".bias"):
            params[name] = np.zeros(shape, dtype)
        else:
            deviation = math.sqrt(2 / incoming_nodes(name, shape))
            params[name] = rng.normal(0.0, deviation, shape).astype(dtype)
    return params


def count_parameters(in_channels, n_classes, depth, base):
    """Return how many numbers a network of this architecture learns (31,030,658 the paper's)."""
    return sum(math.prod(s) for s in parameter_shapes(in_channels, n_classes, depth, base).values())
