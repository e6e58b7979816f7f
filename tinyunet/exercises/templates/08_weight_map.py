"""Exercise 08: the weight map, equation 2, by brute force.

Lesson: lessons/08-weight-map.md.

    w(x) = w_c(x) + w0 · exp(−(d1(x) + d2(x))² / (2 σ²))

w_c = n / (2 n_c) for n pixels of which n_c are of the pixel's class, cell or background (1 if there
is only one class). The second term stands on background pixels only, and only if there are two
cells or more. d1 and d2 are the distances, from pixel centre to pixel centre, to the nearest pixel
of the nearest cell and of the second nearest cell. The check's images are about 9 × 12 pixels, so
loops over pixels and cells are fast enough.

Check: `tinyunet check 08`.
"""


def weight_map(cells, w0, sigma):
    """Return the weight of each pixel.

    Parameters
    ----------
    cells : (H, W), integers: 0 is background, any other number is a cell. Numbers may be missing.
    w0, sigma : numbers.

    Returns
    -------
    weights : (H, W), floats.
    """
