"""Label maps that scores are tried on: small ones to count by hand, and random ones."""

import numpy as np

from tinyunet.arrays import Array

# Two cells, 0 is membrane; and what a method may make of them.
TRUTH = np.array([[1, 1, 0, 2, 2], [1, 1, 0, 2, 2], [1, 1, 0, 2, 2]])
MERGED = np.full((3, 5), 3)
SPLIT = np.array([[1, 1, 0, 2, 2], [0, 0, 0, 2, 2], [4, 4, 0, 2, 2]])
SHIFTED = np.array([[0, 1, 1, 0, 2], [0, 1, 1, 0, 2], [0, 1, 1, 0, 2]])
NOTHING = np.zeros((3, 5), np.int64)
PREDICTIONS = (
    ("the ground truth itself scores 1", TRUTH),
    ("two cells merged", MERGED),
    ("one cell split by a membrane", SPLIT),
    ("everything a pixel too far to the right", SHIFTED),
)


def random_maps() -> list[tuple[Array, Array]]:
    """Return pairs (ground truth, prediction): blocks of cells, numbered with gaps, and noise.

    Returns
    -------
    list of tuple of Array
        Integers of several shapes. The largest number of each ground truth is a cell that counts.
    """
    rng, pairs = np.random.default_rng(12), []
    for height, width, names in ((8, 9, (3, 1, 7)), (6, 11, (2, 9, 4)), (10, 7, (5, 6, 11))):
        truth = np.zeros((height, width), np.int64)
        truth[: height - 3, : width // 2] = names[0]
        truth[: height - 3, width // 2 + 1 :] = names[1]
        truth[height - 2 :, 1:] = names[2]
        prediction = np.roll(truth, 1, axis=1)
        prediction[: height // 2, width // 2 + 2 :] = 20
        noisy = rng.random(truth.shape) < 0.25
        prediction[noisy] = rng.integers(0, 8, np.count_nonzero(noisy))
        pairs.append((truth, prediction))
    return pairs
