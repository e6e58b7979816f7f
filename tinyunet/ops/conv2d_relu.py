"""A convolution followed by its ReLU: the step that the U repeats 18 times (section 2).

To the mathematics it is just the two operations in a row, and that is how it is written here. It
is an operation of its own because a fast kernel can add the bias and clip at zero while the output
is still in its registers, instead of walking through the whole map twice more.
Lessons: lessons/03-relu-and-pool.md, lessons/14-fast-on-a-cpu.md.
"""

from tinyunet.ops.conv2d import check_conv_shapes, conv2d, conv2d_backward
from tinyunet.ops.dispatch import faster, maker
from tinyunet.ops.relu import relu, relu_backward


def conv2d_relu(x, weight, bias):
    """Return y = max(conv2d(x, weight, bias), 0) and the cache. Shapes and errors as `conv2d`."""
    check_conv_shapes(x, weight, bias)
    if kernels := faster("conv2d_relu", x, weight):
        return kernels.conv2d_relu(x, weight, bias)
    y, conv_cache = conv2d(x, weight, bias)
    y, relu_cache = relu(y)
    return y, (conv_cache, relu_cache)


def conv2d_relu_backward(dy, cache, need_dx=True):
    """Return (dx, dweight, dbias) for dy (N, O, H', W').

    dx is None if `need_dx` is False: nobody asks the first layer for the gradient of the image.
    """
    if kernels := maker(cache):
        return kernels.conv2d_relu_backward(dy, cache, need_dx)
    conv_cache, relu_cache = cache
    dx, dweight, dbias = conv2d_backward(relu_backward(dy, relu_cache), conv_cache)
    return (dx if need_dx else None), dweight, dbias
