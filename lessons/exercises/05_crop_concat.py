"""Exercise 05: crop and concatenate.

Lesson: lessons/05-the-u.md.

The skip's map is larger than the one that comes up, for the convolutions have eaten its border.
Cut out its centre, put it in front of x, and find out what that means for gradients. An odd rest
rounds down: top = (H − h) // 2 and left = (W − w) // 2.

Check: `tinyunet check 05`.
"""

import numpy as np


def center_crop_concat(skip, x):
    """Return y (N, C1 + C2, h, w) for skip (N, C1, H, W) and x (N, C2, h, w), H ≥ h, W ≥ w."""


def center_crop_concat_backward(dy, skip, x):
    """Return (dskip, dx), in the shapes of skip and x, for dy (N, C1 + C2, h, w)."""
