"""Exercise 05: crop and concatenate any number of maps.

Lesson: lessons/05-the-u.md.

In the U two maps meet: the skip and the map that comes up. In later networks (U-Net++) three or
more do. So take any number: `center_crop_concat(skip, x)`, `center_crop_concat(a, b, x)`, … The
last map is the smallest. Cut the centre of its size out of each of the others, and put the channels
one behind the other, in the order in which the maps are given. Where a remainder H − h is odd, the
crop lies half a pixel to the top left: it begins at row (H − h) // 2. Each map and each axis has a
remainder of its own, which may be 0.

The backward pass finds out what that means for gradients: there is one for each map.

Check: `tinyunet check 05`.
"""


def center_crop_concat(*maps):
    """Return the maps, cropped and one behind the other.

    Parameters
    ----------
    *maps : two or more, (N, C1, H1, W1), (N, C2, H2, W2), …, (N, Ck, h, w), float64 or float32.

    Returns
    -------
    y : (N, C1 + C2 + … + Ck, h, w), in their dtype.
    """


def center_crop_concat_backward(dy, *maps):
    """Return the gradient of each map.

    Parameters
    ----------
    dy : (N, C1 + C2 + … + Ck, h, w), float64 or float32.
    *maps : as above.

    Returns
    -------
    tuple : as many gradients as maps, each in the shape of its map and in dy's dtype.
    """
