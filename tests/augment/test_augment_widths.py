"""Resampling beyond 32 bits: windows far away, axes of more than 2³² pixels."""

import sys

import numpy as np
import pytest
from transforms import bodies, rng, still

from tinyunet.augment import Transform, apply_transform


@bodies
def test_a_window_farther_away_than_32_bits_reach_is_the_same_mirrored_image(body):
    """The image repeats every 12 rows and 16 columns, the grid of displacements every 8 pixels."""
    image, labels = rng().random((7, 9)), rng(1).integers(0, 9, (7, 9))
    bent = still((7, 9), displacement=rng(2).uniform(-1, 1, (2, 3, 3)), spacing=(2.0, 2.0))
    far = {"origin": (-24 * 2**28, 16 * 2**30), "size": (7, 9)}
    got = apply_transform(bent, image, labels, image, **far, **body)
    near = apply_transform(bent, image, labels, image, **body)
    np.testing.assert_allclose(got.image, near.image, atol=1e-4)  # points have 20 binary places
    np.testing.assert_allclose(got.weight_map, near.weight_map, atol=1e-4)
    np.testing.assert_array_equal(got.labels, near.labels)


@pytest.mark.skipif(sys.platform == "win32", reason="files are not sparse there")
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(
    ("argument", "dtype", "expected"),
    [
        ("image", "u1", [114, 118, 122]),
        ("labels", "u1", [116, 120, 124]),  # half way: the larger index
        ("weight_map", "f4", [114, 118, 122]),
    ],
)
def test_an_axis_may_have_more_pixels_than_32_bits_count(tmp_path, argument, dtype, expected, axis):
    """A ramp of eleven pixels, read half way between them, in a file that is sparse before it."""
    shape, centre, size = [1, 1], [0.0, 0.0], [1, 1]
    shape[axis], centre[axis], size[axis] = 2**32 + 12, 2**32 + 5.5, 3
    long = np.memmap(tmp_path / "long", dtype, "w+", shape=tuple(shape))
    long.reshape(-1)[2**32 + 1 :] = 100 + 4 * np.arange(11)
    got = apply_transform(Transform(tuple(size), tuple(centre)), **{argument: long})
    assert getattr(got, argument).ravel().tolist() == expected
