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
from numpy.typing import DTypeLike

from tinyunet.nn.architecture import Layer


def he_parameters(
    layers: list[Layer], rng: np.random.Generator, dtype: DTypeLike = np.float32
) -> dict[str, np.ndarray]:
    """Draw the first parameters of a network.

    Parameters
    ----------
    layers : list of Layer
        What `architecture.unet_layers` returned.
    rng : numpy.random.Generator
        The draw is in float64 and then rounded, so that float32 and float64 networks of one seed
        agree.
    dtype : dtype, optional
        Of the parameters.

    Returns
    -------
    dict of str to numpy.ndarray
        Weights from N(0, 2/N), biases zero, under the names of `architecture.parameter_shapes`.
    """
    params = {}
    for layer in layers:
        if layer.weight_shape is not None:
            deviation = math.sqrt(2 / layer.incoming_nodes)
            weight = rng.normal(0.0, deviation, layer.weight_shape)
            params[f"{layer.name}.weight"] = weight.astype(dtype)
            params[f"{layer.name}.bias"] = np.zeros(layer.out_channels, dtype)
    return params
