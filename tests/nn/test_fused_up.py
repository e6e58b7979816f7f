"""An up-convolution with the skip in front is the two operations in a row."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tinyunet import nn
from tinyunet.arrays import to_numpy
from tinyunet.nn import reference as naive


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("x_shape", "channels", "skip_shape"),
    [
        ((2, 6, 3, 4), 5, (2, 3, 9, 8)),
        ((1, 32, 7, 2), 16, (1, 16, 20, 11)),
        ((3, 17, 5, 8), 33, (3, 20, 10, 16)),  # nothing to crop
    ],
)
def test_it_is_the_operations_in_a_row(rng, to_device, x_shape, channels, skip_shape, dtype):
    w_shape = (x_shape[1], channels, 2, 2)
    x, weight, bias, skip = (
        rng.standard_normal(shape).astype(dtype)
        for shape in (x_shape, w_shape, w_shape[1:2], skip_shape)
    )
    on_device = [to_device(a) for a in (x, weight, bias, skip)]
    before = [a.copy() for a in on_device]
    y, up_cache, concat_cache = nn.up_conv2d_concat(*on_device)
    expected = naive.up_conv2d(*(a.astype(float) for a in (x, weight, bias)))
    expected = naive.center_crop_concat(skip.astype(float), expected)
    assert y.dtype == dtype
    assert_allclose(to_numpy(y), expected, atol=2e-6 * np.abs(expected).max())
    for a, b in zip(on_device, before, strict=True):
        assert_array_equal(to_numpy(a), to_numpy(b))
    up, other_up_cache = nn.up_conv2d(*on_device[:3])
    again, other_concat_cache = nn.center_crop_concat(on_device[3], up)
    assert_array_equal(to_numpy(again), to_numpy(y))
    dy = to_device(rng.standard_normal(y.shape).astype(dtype))
    for f, one, other in (
        (nn.center_crop_concat_backward, concat_cache, other_concat_cache),
        (
            lambda dy, cache: nn.up_conv2d_backward(dy[:, -channels:], cache),
            up_cache,
            other_up_cache,
        ),
    ):
        for g, e in zip(f(dy, one), f(dy, other), strict=True):
            assert_array_equal(to_numpy(g), to_numpy(e))


def test_it_refuses_what_the_two_operations_refuse():
    x, weight, bias = np.zeros((1, 4, 3, 3)), np.zeros((4, 2, 2, 2)), np.zeros(2)
    message = "skip (1, 2, 6, 5) cannot be cropped to x (1, 2, 6, 6)"
    with pytest.raises(ValueError, match=re.escape(message)):
        nn.up_conv2d_concat(x, weight, bias, np.zeros((1, 2, 6, 5)))
    with pytest.raises(ValueError, match="x has 3 channels, but weight expects 4"):
        nn.up_conv2d_concat(x[:, :3], weight, bias, np.zeros((1, 2, 6, 6)))
