"""Exercise 09: an image, displaced.

Lesson: lessons/09-elastic-deformation.md.

Output pixel (i, j) shows the source at row i + displacement[0, i, j] and column
j + displacement[1, i, j]. Between pixels interpolate linearly (the package's images are bicubic:
the same with four taps instead of two). Beyond the border the image is mirrored and the edge pixel
not repeated, however far: …, 2, 1, 0, 1, 2, …, n − 1, n − 2, …

Check: `tinyunet check 09`.
"""


def displaced(image, displacement):
    """Return the displaced image.

    Parameters
    ----------
    image : (H, W), float64; H and W are at least 2.
    displacement : (2, H, W), float64, in pixels.

    Returns
    -------
    image : (H, W), floats.
    """
