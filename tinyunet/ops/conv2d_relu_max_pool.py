"""A convolution, its ReLU and the pooling behind it: how each contracting level ends (section 2).

The convolution's map goes two ways, into the skip and halved to the next level, so both maps are
returned, each with the cache of its own operation; their backwards are those of `conv2d_relu` and
`max_pool2d`. It is an operation of its own because a kernel that has a whole 2×2 window of outputs
in its registers can write the maximum beside them, instead of reading the whole map again.
Lesson: lessons/15-fast-on-a-gpu.md.
"""

from tinyunet.ops.conv2d import check_conv_shapes
from tinyunet.ops.conv2d_relu import conv2d_relu
from tinyunet.ops.dispatch import faster
from tinyunet.ops.max_pool2d import check_pool_shape, max_pool2d


def conv2d_relu_max_pool(x, weight, bias):
    """Return (y, cache) of `conv2d_relu`, and (pooled, cache) of `max_pool2d` of that y.

    x (N, C, H, W), weight (O, C, kH, kW), bias (O,); y (N, O, H', W') as `conv2d`'s, pooled
    (N, O, H'/2, W'/2). Raises ValueError as the two operations do.
    """
    check_conv_shapes(x, weight, bias)
    height, width = (x.shape[i] - weight.shape[i] + 1 for i in (2, 3))
    check_pool_shape((len(x), len(weight), height, width))
    if kernels := faster("conv2d_relu_max_pool", x, weight):
        return kernels.conv2d_relu_max_pool(x, weight, bias)
    y, cache = conv2d_relu(x, weight, bias)
    return (y, cache), max_pool2d(y)
