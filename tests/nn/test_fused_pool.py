"""A convolution with its ReLU and the pooling behind it is the two operations in a row."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tinyunet import nn
from tinyunet.arrays import to_numpy
from tinyunet.nn import reference as naive


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("x_shape", "w_shape"),
    [
        ((2, 3, 6, 8), (4, 3, 3, 3)),
        ((1, 2, 4, 10), (2, 2, 1, 1)),
        ((2, 5, 12, 16), (19, 5, 3, 3)),  # outputs of 10×14: tiles over both edges
        ((3, 17, 4, 10), (32, 17, 3, 3)),
        ((1, 70, 10, 8), (133, 70, 3, 3)),  # many channels for the tiles
    ],
)
def test_it_is_the_operations_in_a_row(rng, to_device, x_shape, w_shape, dtype):
    x, weight, bias = (
        rng.standard_normal(shape).astype(dtype) for shape in (x_shape, w_shape, w_shape[:1])
    )
    on_device = [to_device(a) for a in (x, weight, bias)]
    (y, cache), (pooled, pool_cache) = nn.conv2d_relu_max_pool(*on_device)
    expected = naive.relu(naive.conv2d(*(a.astype(float) for a in (x, weight, bias))))
    assert y.dtype == pooled.dtype == dtype
    assert_allclose(to_numpy(y), expected, atol=2e-6 * expected.max())
    assert_array_equal(to_numpy(pooled), naive.max_pool2d(to_numpy(y)))
    dy, dpooled = (rng.standard_normal(a.shape).astype(dtype) for a in (y, pooled))
    again, cache_again = nn.conv2d_relu(*on_device)
    assert_array_equal(to_numpy(again), to_numpy(y))
    for g, e in zip(
        nn.conv2d_relu_backward(to_device(dy), cache),
        nn.conv2d_relu_backward(to_device(dy), cache_again),
        strict=True,
    ):
        assert_array_equal(to_numpy(g), to_numpy(e))
    got = nn.max_pool2d_backward(to_device(dpooled), pool_cache)
    assert_array_equal(to_numpy(got), naive.max_pool2d_backward(dpooled, to_numpy(y)))


def test_not_a_number_stays_one(rng, to_device):
    x = rng.standard_normal((1, 5, 14, 14), dtype="float32")
    x[0, 2, 7, 6] = np.nan
    weight = rng.standard_normal((16, 5, 3, 3), dtype="float32")
    parts = [to_device(a) for a in (x, weight, np.zeros(16, "float32"))]
    (y, _), (pooled, _) = nn.conv2d_relu_max_pool(*parts)
    assert np.isnan(to_numpy(pooled)).any()
    assert_array_equal(to_numpy(pooled), naive.max_pool2d(to_numpy(y)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("shape", "out"), [((1, 2, 7, 8), (5, 6)), ((1, 2, 8, 9), (6, 7))])
def test_it_refuses_what_the_two_operations_refuse(shape, out, dtype):
    weight, bias = np.zeros((3, 2, 3, 3), dtype), np.zeros(3, dtype)
    message = f"^max_pool2d needs (N, C, H, W) with even H and W: got {(1, 3, *out)}$"
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)")):
        nn.conv2d_relu_max_pool(np.zeros(shape, dtype), weight, bias)
    with pytest.raises(ValueError) as error:
        nn.conv2d(np.zeros((1, 3, 8, 8), dtype), weight, bias)
    with pytest.raises(ValueError, match=re.escape(str(error.value))):
        nn.conv2d_relu_max_pool(np.zeros((1, 3, 8, 8), dtype), weight, bias)


@pytest.mark.parametrize("skip", [(1, 2, 7, 10), (1, 2, 8, 9), (2, 2, 8, 10)])
def test_a_skip_that_is_too_small_for_the_doubled_map_is_refused(skip):
    x, weight = np.zeros((1, 4, 4, 5)), np.zeros((4, 3, 2, 2))  # up-convolved: (1, 3, 8, 10)
    message = re.escape(f"skip {skip} cannot be cropped to x (1, 3, 8, 10)")
    with pytest.raises(ValueError, match=f"^{message}$"):
        nn.up_conv2d_concat(x, weight, np.zeros(3), np.zeros(skip))
    y, *_ = nn.up_conv2d_concat(x, weight, np.zeros(3), np.zeros((1, 2, 8, 10)))
    assert y.shape == (1, 5, 8, 10)
