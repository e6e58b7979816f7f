"""What `tinyunet predict` writes: probabilities, masks, cells, overlays, colours.

Lesson: lessons/10-overlap-tile.md.
"""

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tinyunet._text import plural
from tinyunet.arrays import Array
from tinyunet.cli import common
from tinyunet.images import FolderWriter, Stack, StackWriter
from tinyunet.images.classes import Class, default_classes, read_classes
from tinyunet.images.ctc import result_name
from tinyunet.images.names import stem
from tinyunet.inference.recipe import PLAIN, Recipe
from tinyunet.networks import Model
from tinyunet.plot.overlay import colour_labels, colour_table, draw_contours, table_of

Write: TypeAlias = Callable[[str, Array], None]

TIFF = (".tif", ".tiff")
PLACE, FOLDER = "FILE.tif|DIR", "DIR"
KINDS = {  # option: metavar, words
    "out": (PLACE, "the probability of class 1, as float32 (of more than 2 classes the class "
            "numbers; of a network of the package its cells)"),
    "probabilities": (PLACE, "the same, for a network of the package too"),
    "masks": (PLACE, "classes: 0 and 255, or class numbers; in a folder as PNG"),
    "cells": (PLACE, "cells, one number each, 16 bit (32 where more may be needed); frames t000 "
              "become mask000"),
    "overlays": (FOLDER, "contours of cells or classes on the images, as PNG"),
    "colours": (FOLDER, "cells or classes, each in a colour of its own, as PNG"),
}  # fmt: skip
PICTURES = ("overlays", "colours")


class Places:
    """Where the results go; says all that is wrong with it when it is made."""

    def __init__(self, arguments: argparse.Namespace, model: Model) -> None:
        self._arguments = arguments
        asked = {name: getattr(arguments, name) for name in KINDS}
        given = {name: place for name, place in asked.items() if place is not None}
        if not given:
            raise ValueError("nothing to write: give --out, or one of --masks, --cells, --overlays")
        if "out" in given:
            kind = "probabilities" if model.card is None else "cells"
            if kind in given:
                raise ValueError(f"--out and --{kind} are the same here: give one")
        self.given = {name: self._check(name, place) for name, place in given.items()}
        seen: dict[Path, str] = {}
        for name, path in self.given.items():
            other = seen.setdefault(path.resolve(), name)
            if other != name:
                raise ValueError(f"--{other} and --{name} are both {path}: name two places")
        if "out" in self.given:
            self.given = {kind if n == "out" else n: path for n, path in self.given.items()}

    def _check(self, name: str, place: str) -> Path:
        """The place, if it can become what is asked for."""
        inputs = self._arguments.run_folder, self._arguments.images
        path, overwrite = Path(place), self._arguments.overwrite
        if path.suffix.lower() in TIFF and name not in PICTURES:
            return common.check_output(path, TIFF, inputs, overwrite)
        if path.suffix and not path.is_dir():
            kinds = "be a folder" if name in PICTURES else "end in .tif or .tiff, or be a folder"
            raise ValueError(f"{path}: must {kinds}, without an ending")
        return common.check_folder(place, inputs, overwrite)

    @property
    def probabilities(self) -> Path | None:
        """Where the probabilities go."""
        return self.given.get("probabilities")

    def classes(self, n_classes: int) -> list[Class] | None:
        """Names and colours of --classes-file, None without it."""
        if self._arguments.classes_file is None:
            return None
        return read_classes(self._arguments.classes_file, n_classes)


class Results:
    """Makes the results of one slice after the other, and writes them."""

    def __init__(
        self,
        places: Places,
        recipe: Recipe,
        classes: list[Class] | None,
        stack: Stack,
        chosen: range,
    ) -> None:
        self.places, self.recipe, self.stack, self.chosen = places, recipe, stack, chosen
        self.named_classes = classes
        self.image_names = [stack.names[i] for i in chosen]
        self.show_cells = recipe.objects or "cells" in places.given
        # What is only there to part the cells, as rims are, is no class that anybody asked for.
        self.only_cells = recipe.objects and recipe.function != PLAIN
        self.counts: dict[str, int] = {}
        self._writers: dict[str, Write] = {}
        self._pixels = np.zeros(0, np.int64)

    def open(self, writers: ExitStack, n_classes: int) -> None:
        """Open all places; `writers` closes them."""
        n_classes = 2 if self.only_cells else n_classes
        self.all_classes = self.named_classes or default_classes(n_classes)
        self._pixels = np.zeros(n_classes, np.int64)
        for name, path in self.places.given.items():
            self._writers[name] = self._open(writers, name, path)

    def _open(self, writers: ExitStack, name: str, path: Path) -> Write:
        """Open a place; return a function of the slice's name and its page."""
        dtype = self._cells_dtype() if name == "cells" else None
        if path.suffix.lower() not in TIFF:
            folder = writers.enter_context(FolderWriter(path, dtype))
            if name in PICTURES:
                return folder.append_png
            if name == "masks":
                palette = self._palette()
                return lambda file, page: folder.append_png(file, page, palette)
            return folder.append
        sizes = {self.stack.sizes[i] for i in self.chosen}
        if len(sizes) > 1:
            common.note(
                f"{path}: its pages will differ in size, as the images do; some programs show only "
                f"the first: a folder as --{name} takes one file a slice"
            )
        names = self.image_names if self.stack.named else None
        one_size = len(sizes) == 1
        writer = writers.enter_context(StackWriter(path, dtype, names=names, one_size=one_size))
        return lambda _, page: writer.append(page)

    def _cells_dtype(self) -> Any:
        """16 bits, as the Cell Tracking Challenge has it, unless so many cells may not fit."""
        largest = max(prod(self.stack.sizes[i]) for i in self.chosen)
        smallest = max(1, int(self.recipe.settings.get("min_size", 1)))
        return np.uint16 if largest // smallest < 1 << 16 else np.uint32

    def _palette(self) -> Array | None:
        """Of masks: none for two classes that nobody coloured, which are 0 and 255."""
        if len(self._pixels) == 2 and self.named_classes is None:
            return None
        return table_of([one.colour for one in self.all_classes])

    def write(self, place: int, image: Array, probabilities: Array) -> None:
        """Make and write all results of a slice; `image` is (H, W) or (C, H, W), as it was read."""
        name, wanted = self._name(place), self._writers
        if "probabilities" in wanted:
            wanted["probabilities"](self.image_names[place], self._probabilities(probabilities))
        pictures = any(kind in wanted for kind in PICTURES)
        labels: Array | None = None
        table: Array | None = None
        if "masks" in wanted or (pictures and not self.show_cells):
            labels = self._classes_of(probabilities)
            self._pixels += np.bincount(labels.ravel(), minlength=len(self._pixels))
            table = self._picture_table()
            if "masks" in wanted:
                wanted["masks"](name, labels if self._palette() is not None else _scaled(labels))
        if "cells" in wanted or (pictures and self.show_cells):
            labels, table = self.recipe.cells(probabilities), colour_table()
            self.counts[self.image_names[place]] = int(labels.max())
            if "cells" in wanted:
                wanted["cells"](self._cells_name(place), labels)
        if labels is None:
            return
        if "overlays" in wanted:
            width = max(1, round(min(labels.shape) / 500))
            wanted["overlays"](name, draw_contours(image, labels, table, width))
        if "colours" in wanted:
            wanted["colours"](name, colour_labels(labels, table))

    def _probabilities(self, probabilities: Array) -> Array:
        """The probability of class 1, or of cells; of several classes the most probable."""
        if self.only_cells:
            return 1 - probabilities[0]
        return probabilities[1] if len(probabilities) == 2 else self._classes_of(probabilities)

    def _classes_of(self, probabilities: Array) -> Array:
        """The class of each pixel, uint8: of two by the threshold, of more the most probable."""
        if self.only_cells:
            return (self.recipe.cells(probabilities) > 0).astype(np.uint8)
        if len(probabilities) == 2:
            return (probabilities[1].astype(np.float64) > self.recipe.threshold).astype(np.uint8)
        return probabilities.argmax(axis=0).astype(np.uint8)

    def _picture_table(self) -> Array:
        return table_of([one.colour for one in self.all_classes])

    def _name(self, place: int) -> str:
        """The image's; of a picture's only page the file's, of a stack's page its number."""
        if not self.stack.named and len(self.stack) == 1:
            return stem(self.stack.path)
        return self.image_names[place]

    def _cells_name(self, place: int) -> str:
        """mask0007 for frame t0007 and mask007 for page 7; all other files keep their names."""
        name = self._name(place)
        number = not self.stack.named and len(self.stack) > 1
        return f"mask{int(name):03d}" if number else result_name(name)

    @property
    def thresholded(self) -> bool:
        """Whether anything was made with a threshold."""
        return bool(self.counts) or (len(self._pixels) == 2 and bool(self._pixels.any()))

    def shares(self) -> list[dict[str, Any]]:
        """How much of all pixels each class has; empty where no masks were made."""
        total = int(self._pixels.sum())
        if not total:
            return []
        return [
            {"number": one.number, "name": one.name, "share": int(self._pixels[one.number]) / total}
            for one in self.all_classes
        ]

    def summary(self) -> dict[str, Any]:
        """What --json tells."""
        written = {name: str(path) for name, path in self.places.given.items()}
        return {"written": written, "cells": self.counts or None, "classes": self.shares() or None}

    def lines(self, named: str) -> list[str]:
        """What is printed: a line a place, and a line of the classes."""
        slices = plural(len(self.chosen), "slice")
        lines = []
        for kind, path in self.places.given.items():
            if kind == "cells":
                count = plural(sum(self.counts.values()), "cell")
                lines.append(f"{path}: {count} in {plural(len(self.chosen), 'frame')}")
            elif kind in PICTURES:
                lines.append(f"{path}: {plural(len(self.chosen), 'picture')}")
            else:
                lines.append(f"{path}: {slices}{named}")
        if shares := self.shares():
            told = [f"{one['name']} {100 * one['share']:.1f} %" for one in shares]
            lines.append(f"of all pixels: {', '.join(told)}")
        return lines


def _scaled(mask: Array) -> Array:
    """A mask of 0 and 1 as 0 and 255, which programs show."""
    return mask * np.uint8(255)
