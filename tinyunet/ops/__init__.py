"""The mathematics of the U-Net, one operation a file, each with its backward beside it.

Every operation is a pure function `y, cache = f(x, …)`; its backward takes the gradient of the
loss with respect to y and returns those with respect to f's inputs. Arrays are (N, C, H, W),
float32 or float64, NumPy or CuPy, with any strides.
Lessons: lessons/01-valid-convolution.md to lessons/06-cross-entropy.md.
"""

from tinyunet.ops.concat import (
    center_crop_concat,
    center_crop_concat_backward,
    concat_backward,
)
from tinyunet.ops.conv2d import conv2d, conv2d_backward
from tinyunet.ops.conv2d_relu import conv2d_relu, conv2d_relu_backward
from tinyunet.ops.conv2d_relu_max_pool import conv2d_relu_max_pool
from tinyunet.ops.cross_entropy import (
    softmax,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
)
from tinyunet.ops.dropout import dropout, dropout_backward
from tinyunet.ops.max_pool2d import max_pool2d, max_pool2d_backward
from tinyunet.ops.max_pool2d_skip import max_pool2d_skip_backward
from tinyunet.ops.relu import relu, relu_backward
from tinyunet.ops.up_conv2d import up_conv2d, up_conv2d_backward
from tinyunet.ops.up_conv2d_concat import up_conv2d_concat

__all__ = [
    "center_crop_concat",
    "center_crop_concat_backward",
    "concat_backward",
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
    "relu",
    "relu_backward",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "up_conv2d",
    "up_conv2d_backward",
    "up_conv2d_concat",
]
