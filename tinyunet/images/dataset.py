"""Images and labels ready for training, and what was found in the files.

Shapes: an image is (C, H, W) float32, normalised; labels are (H, W) int32; `valid` is (H, W) bool.
Slices may differ in size, so a data set is a list, not one big array.

Lesson: lessons/11-training.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinyunet._text import plural
from tinyunet.arrays import Array
from tinyunet.images._text import few, sizes_text


@dataclass(repr=False)
class Dataset:
    """Slices with their labels.

    Attributes
    ----------
    images : list of Array
        (C, H, W) float32, zero mean and unit standard deviation each.
    labels : list of Array or None
        (H, W) int32, class numbers or object numbers; None for a frame without ground truth.
    valid : list of Array or None
        (H, W) bool, False at pixels without ground truth; None where all pixels have it (or the
        frame has none).
    names : list of str
        A name a slice.
    kind : str
        "classes" or "instances".
    n_classes : int
        Number of classes; 2 for instances.
    dtype : str
        Of the numbers in the files.
    """

    images: list[Array]
    labels: list[Array | None]
    valid: list[Array | None]
    names: list[str]
    kind: str = "classes"
    n_classes: int = 2
    dtype: str = "float32"

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        if not self.images:
            return "Dataset(0 slices)"
        what = "objects" if self.kind == "instances" else f"{self.n_classes} classes"
        without = len(self) - len(self.labelled())
        return f"Dataset({self._slices()}: {few(self.names)}; {what}" + (
            f", {without} without labels)" if without else ")"
        )

    def _slices(self) -> str:
        sizes = sizes_text(image.shape[1:] for image in self.images)
        channels = plural(self.images[0].shape[0], "channel")
        return f"{plural(len(self), 'slice')} of {sizes}, {self.dtype}, {channels}"

    def labelled(self) -> list[int]:
        """Numbers of the slices that have labels.

        Returns
        -------
        list of int
            In order.
        """
        return [i for i, labels in enumerate(self.labels) if labels is not None]

    def classes(self, index: int) -> Array:
        """Class numbers of a slice: every object is class 1 where kind is "instances".

        Parameters
        ----------
        index : int
            Number of the slice.

        Returns
        -------
        Array
            (H, W) int32.

        Raises
        ------
        ValueError
            For a slice without labels.
        """
        labels = self._of(index)
        return (labels > 0).astype(np.int32) if self.kind == "instances" else labels

    def _of(self, index: int) -> Array:
        labels = self.labels[index]
        if labels is None:
            raise ValueError(f"slice {self.names[index]} has no labels")
        return labels

    def subset(self, indices: Iterable[int]) -> "Dataset":
        """Some of the slices.

        Parameters
        ----------
        indices : iterable of int
            Their numbers, in the order wanted.

        Returns
        -------
        Dataset
            Of the same arrays.

        Raises
        ------
        ValueError
            For a number outside the data set.
        """
        indices = list(indices)
        for i in indices:
            if not 0 <= i < len(self):
                raise ValueError(f"slice {i} asked, the data set has 0 to {len(self) - 1}")
        parts: dict[str, Any] = {n: [getattr(self, n)[i] for i in indices] for n in _LISTS}
        return replace(self, **parts)

    def shares(self) -> list[float]:
        """Fraction of the labelled pixels in each class.

        Returns
        -------
        list of float
            `n_classes` numbers.
        """
        counts = np.zeros(self.n_classes)
        for i in self.labelled():
            classes, valid = self.classes(i), self.valid[i]
            chosen = classes.ravel() if valid is None else classes[valid]
            counts += np.bincount(chosen, minlength=self.n_classes)
        return (counts / max(counts.sum(), 1)).tolist()

    def describe(self) -> str:
        """What was found, to show before training.

        Returns
        -------
        str
            Lines of text.
        """
        lines = [f"images: {self._slices()}"]
        pages = [self._of(i) for i in self.labelled()]
        objects = [len(np.unique(page[page > 0])) for page in pages]
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
