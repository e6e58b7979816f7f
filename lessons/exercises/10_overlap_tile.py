"""Exercise 10: mirrored indices and a plan of tiles.

Lesson: lessons/10-overlap-tile.md.

A tile of `tile` input pixels predicts `tinyunet.geometry.output_size(tile, depth)` of them, in its
middle. Lay tiles along one axis so that every pixel is predicted exactly once. Every tile begins at
a multiple of 2^(depth − 1): the phase of the pooling. So with 572 pixels at depth 5, which predict
388, tiles lie 384 apart.

Check: `tinyunet check 10`.
"""

from tinyunet.geometry import output_size


def mirror(index, size):
    """Return where an image of `size` ≥ 2 pixels is read for the position `index`: in 0 … size − 1.

    index: any whole number; −1 reads 1, and size reads size − 2.
    """


def tiles(size, tile, depth):
    """Return a list of (start, count): which of `size` pixels each tile predicts, in order."""
