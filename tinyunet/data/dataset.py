"""Images and labels ready for training, and what was found in the files.

Shapes: an image is (C, H, W) float32, normalised; labels are (H, W) int32; `valid` is (H, W) bool.
Slices may differ in size, so a data set is a list, not one big array.

Lesson: lessons/11-training.md.
"""

from dataclasses import dataclass

import numpy as np


@dataclass
class Dataset:
    """Slices with their truth.

    images: list of (C, H, W) float32, zero mean and unit standard deviation each.
    labels: list of (H, W) int32, class numbers or object numbers; None for a frame without truth.
    valid: list of (H, W) bool, False at pixels without truth; None where all pixels have truth
        (or the frame has none).
    names: list of str. kind: "classes" or "instances". n_classes: int. dtype: as stored.
    """

    images: list
    labels: list
    valid: list
    names: list
    kind: str = "classes"
    n_classes: int = 2
    dtype: str = "float32"

    def __len__(self):
        return len(self.images)

    def labelled(self):
        """Numbers of the slices that have truth."""
        return [i for i, labels in enumerate(self.labels) if labels is not None]

    def classes(self, index):
        """Class numbers (H, W) int32 of a slice: every object is class 1 where kind is instances.

        Raises ValueError for a slice without truth.
        """
        labels = self.labels[index]
        if labels is None:
            raise ValueError(f"slice {self.names[index]} has no labels")
        return (labels > 0).astype(np.int32) if self.kind == "instances" else labels

    def subset(self, indices):
        """The slices `indices`, in that order, as a `Dataset` sharing the same arrays.

        Raises ValueError for a number outside the data set.
        """
        indices = list(indices)
        for i in indices:
            if not 0 <= i < len(self):
                raise ValueError(f"slice {i} asked, the data set has 0 to {len(self) - 1}")
        parts = [[getattr(self, name)[i] for i in indices] for name in _LISTS]
        return Dataset(*parts, self.kind, self.n_classes, self.dtype)

    def shares(self):
        """Fraction of the labelled pixels in each class, a list of n_classes floats."""
        counts = np.zeros(self.n_classes)
        for i in self.labelled():
            classes, valid = self.classes(i), self.valid[i]
            chosen = classes.ravel() if valid is None else classes[valid]
            counts += np.bincount(chosen, minlength=self.n_classes)
        return (counts / max(counts.sum(), 1)).tolist()

    def describe(self):
        """What was found, as lines of text to show before training."""
        sizes = sorted({image.shape[1:] for image in self.images})
        text = " to ".join(f"{h}×{w}" for h, w in ([sizes[0], sizes[-1]] if sizes[1:] else sizes))
        channels = plural(self.images[0].shape[0], "channel")
        lines = [f"images: {plural(len(self), 'slice')} of {text}, {self.dtype}, {channels}"]
        objects = [len(np.unique(self.labels[i][self.labels[i] > 0])) for i in self.labelled()]
        what = f"{self.n_classes} classes"
        if self.kind == "instances":
            what = f"{plural(sum(objects), 'object')} in {plural(len(objects), 'frame')}"
        shares = ", ".join(f"class {c} {100 * s:.1f} %" for c, s in enumerate(self.shares()))
        lines.append(f"labels: {what} ({shares} of the pixels)")
        without = len(self) - len(objects)
        if without:
            lines.append(f"without truth: {plural(without, 'frame')}, left out of loss and score")
        ignored = sum(int((~valid).sum()) for valid in self.valid if valid is not None)
        if ignored:
            lines.append(f"ignored: {plural(ignored, 'pixel')} without truth")
        return "\n".join(lines)


_LISTS = ("images", "labels", "valid", "names")


def plural(count, noun):
    """ "1 frame", "2 frames"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def normalise(image, name="image"):
    """An image with zero mean and unit standard deviation over all of its pixels and channels.

    Each slice by itself: sections of one block differ in thickness and stain, and the network
    should not have to learn that. Parameters: `image`, (H, W) or (C, H, W), any real dtype;
    `name`, for the message. Returns float32 of the same shape; computed in float64, so that
    16 bit sums and large floats stay exact enough.
    Raises ValueError for NaN, infinity and constant images, which carry nothing to learn from.
    """
    values = np.asarray(image, dtype=np.float64)
    if values.size == 0:
        raise ValueError(f"{name}: has no pixels (shape {values.shape})")
    low, high = values.min(), values.max()
    if not np.isfinite(high - low):
        raise ValueError(f"{name}: holds NaN, infinite or too large values: wanted finite numbers")
    if low == high:
        raise ValueError(
            f"{name}: every pixel is {low:g}: a constant image cannot be normalised; leave it out"
        )
    # first to 0 … 1: the square of a very large or very small number would leave float64
    values = (values - low) / (high - low)
    return ((values - values.mean()) / values.std()).astype(np.float32)
