"""The elastic field: its spline, where its control points lie, and its statistics."""

import numpy as np
import pytest
from scipy import ndimage

from tinyunet.augment import apply_transform, draw_transform, elastic_deform, source_coordinates

ONLY_ELASTIC = {"rotation": False, "flips": False, "shift": False, "intensity": False}


def rng(seed=0):
    """A generator in a known state."""
    return np.random.default_rng(seed)


def displacement_of(transform, origin=(0, 0), size=None):
    """The elastic part alone, in pixels, of a transform without rotation, flip and shift."""
    size = transform.size if size is None else size
    here = np.indices(size) + np.reshape(origin, (2, 1, 1))
    return source_coordinates(transform, origin, size) - here


@pytest.mark.parametrize("shape", [(41, 57), (2, 3)])
@pytest.mark.parametrize("grid", [(3, 3), (2, 5), (4, 2), (7, 6)])
def test_displacement_is_scipys_cubic_spline_of_the_grid(grid, shape):
    """Corner control points on corner pixels; mode="mirror" says what lies beyond."""
    transform = draw_transform(rng(2), shape, grid=grid, **ONLY_ELASTIC)
    drawn = np.array(transform.displacement)
    assert drawn.shape == (2, *grid)
    at = np.indices((61, 90)) - 10.0  # a window that begins outside of the frame and ends there
    for k in (0, 1):
        at[k] *= (grid[k] - 1) / (transform.size[k] - 1)
    oracle = [ndimage.map_coordinates(part, at, order=3, mode="mirror") for part in drawn]
    got = displacement_of(transform, (-10, -10), (61, 90))
    np.testing.assert_allclose(got, oracle, rtol=0, atol=1e-10)


def test_displacement_at_control_points_is_what_was_drawn():
    """A 3×3 grid over 513×257 pixels has its points 256 and 128 pixels apart."""
    transform = draw_transform(rng(1), (513, 257), **ONLY_ELASTIC)
    field = displacement_of(transform)
    np.testing.assert_allclose(field[:, ::256, ::128], transform.displacement, rtol=0, atol=1e-10)
    assert np.shape(transform.displacement) == (2, 3, 3)


def test_spacing_places_the_grid_about_the_middle_of_the_frame():
    """16 rows and 10 columns apart, centred; the first of three points is one spacing before."""
    transform = draw_transform(rng(1), (101, 81), spacing=(16, 10), **ONLY_ELASTIC)
    assert transform.spacing == (16.0, 10.0)
    field = displacement_of(transform)
    np.testing.assert_allclose(
        field[:, 50 - 16 : 50 + 17 : 16, 40 - 10 : 40 + 11 : 10],
        transform.displacement,
        rtol=0,
        atol=1e-10,
    )
    # Beyond the outer points the field is mirrored about them.
    np.testing.assert_allclose(field[:, 66 - 9, 40], field[:, 66 + 9, 40], atol=1e-10)


def test_field_has_the_standard_deviation_asked_for():
    """Over 600 draws, at control points: 10 pixels by default, mean zero, down and right alike."""
    draw = rng(7)
    drawn = np.array([draw_transform(draw, (64, 64)).displacement for _ in range(600)])
    assert drawn.std(axis=(0, 2, 3)) == pytest.approx([10.0, 10.0], rel=0.05)
    assert np.abs(drawn.mean(axis=0)).max() < 4 * 10 / np.sqrt(600)
    assert np.abs(np.corrcoef(drawn.reshape(600, 18).T) - np.eye(18)).max() < 0.2
    wide = [draw_transform(draw, (64, 64), sigma=3.5).displacement for _ in range(300)]
    assert np.std(wide) == pytest.approx(3.5, rel=0.05)


def test_the_field_is_smooth():
    """No kinks: second differences stay as small as a cubic through such a grid can have them."""
    transform = draw_transform(rng(3), (512, 512), **ONLY_ELASTIC)
    field = displacement_of(transform)
    assert np.abs(np.diff(field, 2, axis=1)).max() < 0.01
    assert np.abs(np.diff(field, 2, axis=2)).max() < 0.01


def test_no_sigma_is_no_deformation():
    """sigma=0 gives the image back exactly."""
    image = rng().random((17, 23))
    np.testing.assert_array_equal(elastic_deform(image, rng=rng(1), sigma=0), image)


def test_elastic_deform_passes_its_grid_on():
    """grid, sigma and spacing reach the transform; a bright row follows the field."""
    image = rng().random((40, 60))
    transform = draw_transform(rng(4), (40, 60), grid=4, sigma=2.0, spacing=9, **ONLY_ELASTIC)
    expected = apply_transform(transform, image).image
    got = elastic_deform(image, rng=rng(4), grid=4, sigma=2.0, spacing=9)
    np.testing.assert_array_equal(got, expected)
    default = apply_transform(draw_transform(rng(4), (40, 60), **ONLY_ELASTIC), image).image
    np.testing.assert_array_equal(elastic_deform(image, rng=rng(4)), default)
    ramp = np.broadcast_to(np.arange(60.0), (40, 60))
    field = displacement_of(transform)
    inner = (slice(8, 32), slice(10, 50))
    moved = elastic_deform(ramp, rng=rng(4), grid=4, sigma=2.0, spacing=9)
    np.testing.assert_allclose(moved[inner], (ramp + field[1])[inner], atol=1e-10)
