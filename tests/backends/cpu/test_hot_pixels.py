"""One pixel of 65535 among others: what Winograd makes of it, and why images do not suffer."""

import numpy as np
import pytest

from tinyunet import UNet, nn, predict_tiled
from tinyunet.backends.cpu import operations
from tinyunet.images import normalise
from tinyunet.nn.operation import plain

PLACE = 18  # of the hot pixel, in both directions
REACHED = np.s_[..., PLACE - 2 : PLACE + 1, PLACE - 2 : PLACE + 1]  # outputs


def layer(rng, hot):
    """(x, weight, bias) of 16 channels, with `hot` in one place of one channel."""
    x = rng.standard_normal((1, 16, 38, 38), dtype=np.float32)
    x[0, 3, PLACE, PLACE] = hot
    weight = rng.standard_normal((16, 16, 3, 3), dtype=np.float32) / 12
    return x, weight, np.zeros(16, np.float32)


def error_beyond_reach(convolve, arrays):
    exact, _ = nn.conv2d_relu(*(a.astype(np.float64) for a in arrays))
    off = np.abs(convolve(*arrays)[0] - exact)
    off[REACHED] = 0
    return off.max()


def test_a_hot_pixel_disturbs_its_tile_in_winograd_and_nothing_in_the_direct_sum(rng):
    """What lesson 14 says: numbers that a pixel does not reach cancel up to its own rounding."""
    arrays = layer(rng, 65535)
    assert error_beyond_reach(operations.conv2d_relu, arrays) > 1e-3
    with plain():
        assert error_beyond_reach(nn.conv2d_relu, arrays) < 1e-5
    arrays = layer(rng, 60)  # what normalising leaves of it
    assert error_beyond_reach(operations.conv2d_relu, arrays) < 2e-5


def test_a_nan_fills_its_tile_and_no_other(rng):
    y, _ = operations.conv2d_relu(*layer(rng, np.nan))
    spoiled = np.isnan(y[0]).any(axis=0)
    assert spoiled[REACHED].all()
    spoiled[16:20, 16:20] = False
    assert not spoiled.any()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_never_meet_winograd(rng, channels):
    weight = np.zeros((16, channels, 3, 3), np.float32)
    assert operations.direct_is_best(weight)
    x = rng.standard_normal((1, channels, 38, 38), dtype=np.float32)
    x[0, 0, PLACE, PLACE] = 65535
    weight = rng.standard_normal(weight.shape, dtype=np.float32)
    arrays = x, weight, np.zeros(16, np.float32)
    assert error_beyond_reach(operations.conv2d_relu, arrays) < 1e-5


def test_a_prediction_of_16_bits_with_hot_pixels_keeps_its_digits(rng):
    image = rng.poisson(1000, (140, 132)).astype(np.uint16)
    image[tuple(rng.integers(0, 132, (2, 5)))] = 65535
    x = normalise(image)
    assert x.max() > 50
    exact, fast = (
        predict_tiled(UNet(depth=3, base_channels=16, seed=1, dtype=dtype, device="cpu"), x, 92)
        for dtype in ("float64", "float32")
    )
    assert np.ptp(exact) > 0.1
    np.testing.assert_allclose(fast, exact, rtol=0, atol=5e-5)
