"""Touching cells: how many neighbours does a segmentation keep apart?

Lesson: `lessons/13-touching-cells.md`. The border term of the weight map (section 3, equation 2)
is there for these pairs only, and SEG shows them diluted by all the cells that stand alone.
"""

import numpy as np

from tinyunet.metrics.regions import frame_pairs, match_objects

# The neighbours of a pixel that come after it: with these four, each pair is looked at once.
_AFTER = ((0, 1), (1, 0), (1, 1), (1, -1))


def touching_pairs(labels):
    """The pairs of objects that touch: a set of (smaller number, larger number).

    labels: a label map (H, W) of whole numbers, 0 background. Two objects touch if a pixel of one
    is among the eight neighbours of a pixel of the other.
    """
    labels = np.asarray(labels)
    height, width = labels.shape
    pairs = set()
    for down, right in _AFTER:
        here = labels[: height - down, max(0, -right) : width - max(0, right)]
        there = labels[down:, max(0, right) : width + min(0, right)]
        met = (here > 0) & (there > 0) & (here != there)
        both = np.stack([here[met], there[met]], axis=1)
        pairs |= {(int(a), int(b)) for a, b in np.unique(np.sort(both, axis=1), axis=0)}
    return pairs


def parted_pairs(result, truth):
    """(parted, touching): of the pairs that touch in the truth, how many the result keeps apart.

    A pair is parted if each of the two is matched, as SEG matches (an object of the result holds
    more than half of its pixels), and by different objects. Merged and missed cells both fail.
    result, truth: label maps (H, W), (T, H, W), or lists of (H, W), a frame without truth None.
    Raises ValueError as `seg` does for frames that do not go together.
    """
    parted = touching = 0
    for ours, theirs in frame_pairs(result, truth):
        matched = match_objects(ours, theirs)
        for a, b in touching_pairs(theirs):
            touching += 1
            parted += 0 not in (matched[a], matched[b]) and matched[a] != matched[b]
    return parted, touching
