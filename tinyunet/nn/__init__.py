"""The mathematics of the U-Net, one operation a file, each with its backward pass beside it.

Every operation is a pure function `y, cache = f(x, …)`; its backward pass takes the gradient of the
loss with respect to y and returns those with respect to f's inputs. Arrays are (N, C, H, W),
float32 or float64, NumPy or CuPy, with any strides.

| file | what it holds |
| --- | --- |
| `conv2d.py`, `im2col.py`, `relu.py`, `max_pool2d.py`, `up_conv2d.py`, `crop_concat.py`, |  |
| `dropout.py`, `cross_entropy.py` | the operations |
| `reference.py` | the same as plain loops, which everything is tested against |
| `fused.py` | operations in a row under one name, for kernels that do them at once |
| `operation.py`, `precision.py` | how a faster implementation stands in for an operation |
| `architecture.py`, `unet.py`, `init.py`, `memory.py`, `null_cache.py` | the U |
| `sgd.py` | stochastic gradient descent with momentum |
| `gradcheck.py`, `gradcheck_table.py`, `fixed_decisions.py` | is the gradient right? |

Lessons: lessons/01-valid-convolution.md to lessons/07-initialisation-and-momentum.md.
"""

from tinyunet.nn.conv2d import conv2d, conv2d_backward
from tinyunet.nn.crop_concat import center_crop_concat, center_crop_concat_backward
from tinyunet.nn.cross_entropy import (
    softmax,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
)
from tinyunet.nn.dropout import dropout, dropout_backward
from tinyunet.nn.fused import (
    conv2d_relu,
    conv2d_relu_backward,
    conv2d_relu_max_pool,
    max_pool2d_skip_backward,
    split_concat_gradient,
    up_conv2d_concat,
)
from tinyunet.nn.max_pool2d import max_pool2d, max_pool2d_backward
from tinyunet.nn.operation import plain
from tinyunet.nn.relu import relu, relu_backward
from tinyunet.nn.sgd import SGD, momentum_update
from tinyunet.nn.unet import UNet
from tinyunet.nn.up_conv2d import up_conv2d, up_conv2d_backward

__all__ = [
    "SGD",
    "UNet",
    "center_crop_concat",
    "center_crop_concat_backward",
    "conv2d",
    "conv2d_backward",
    "conv2d_relu",
    "conv2d_relu_backward",
    "conv2d_relu_max_pool",
    "dropout",
    "dropout_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "max_pool2d_skip_backward",
    "momentum_update",
    "plain",
    "relu",
    "relu_backward",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "split_concat_gradient",
    "up_conv2d",
    "up_conv2d_backward",
    "up_conv2d_concat",
]
