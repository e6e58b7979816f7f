"""Exercise 13: SEG, the score of table 2.

Lesson: lessons/13-touching-cells.md.

A true cell R is matched to the predicted cell S that holds *more than half* of R's pixels; it
scores |R ∩ S| / |R ∪ S|, or 0 if there is none. SEG is the mean over the true cells. Background (0)
is no cell, and a cell's number means nothing but which pixels belong together.

Check: `tinyunet check 13`.
"""


def seg(truth, prediction):
    """Return SEG.

    Parameters
    ----------
    truth, prediction : (H, W), integers. Numbers of cells may be missing; truth has a cell.

    Returns
    -------
    seg : one number in 0 … 1.
    """
