"""Exercise 10: mirrored indices and a plan of tiles.

Lesson: lessons/10-overlap-tile.md.

A tile of `tile` input pixels predicts `tinyunet.geometry.output_size(tile, depth)` of them, in its
middle. Lay tiles along one axis so that every pixel is predicted exactly once, by as few tiles as
possible. Every tile begins at a multiple of s = 2^(depth − 1): the phase of the pooling. So with
572 pixels at depth 5, which predict 388, tiles lie 384 apart. Behind the last tile none begins: it
predicts what is left, and may use all that it can predict.

Check: `tinyunet check 10`.
"""


def mirror(index, size):
    """Return where an image of `size` pixels is read for the position `index`.

    Parameters
    ----------
    index : int, any; −1 reads 1, and size reads size − 2.
    size : int, at least 2.

    Returns
    -------
    index : int in 0 … size − 1.
    """


def tiles(size, tile, depth):
    """Return which pixels each tile predicts.

    Parameters
    ----------
    size : int, pixels of the image along the axis.
    tile : int, pixels that a tile reads; of a size that fits the depth.
    depth : int, levels of the network.

    Returns
    -------
    plan : list of (start, count), integers, in order. The first start is 0.
    """
