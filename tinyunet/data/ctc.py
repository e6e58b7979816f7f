"""Folders as the Cell Tracking Challenge lays them out.

A sequence `01/` holds frames `t000.tif`, `t001.tif` …; its truth lies in `01_GT/SEG/` (gold, by
hand) or `01_ST/SEG/` (silver, from earlier winners) as `man_seg000.tif`, 16 bit, one number an
object. Most frames have no gold truth: only those that do enter the loss and the score. Results
are written as `mask000.tif`.

Source: the challenge's "Naming and file content conventions". Lesson: lessons/11-training.md.
"""

import re
from pathlib import Path

FRAME, TRUTH, RESULT = "t", "man_seg", "mask"


def numbered_files(folder, prefix):
    """{number: file} of `prefix`NNN.tif in a folder, in order; empty if there are none."""
    found = {}
    for file in sorted(Path(folder).iterdir()):
        match = re.fullmatch(rf"{prefix}(\d+)\.tiff?", file.name)
        if match and int(match.group(1)) in found:
            raise ValueError(
                f"{folder}: both {found[int(match.group(1))].name} and {file.name} are frame "
                f"{int(match.group(1))}"
            )
        if match:
            found[int(match.group(1))] = file
        elif re.fullmatch(rf"{prefix}_?\d+_\d+\.tiff?", file.name):
            raise ValueError(f"{file}: truth of one slice of a 3-D frame: wanted 2-D sequences")
    return dict(sorted(found.items()))


def truth_folder(path):
    """The folder with the man_seg files that `path` means (itself or its SEG), None if none."""
    for folder in (Path(path), Path(path) / "SEG"):
        if folder.is_dir() and numbered_files(folder, TRUTH):
            return folder
    return None


def find_truth(images):
    """The truth that lies beside a sequence folder: gold if there is any, else silver.

    Raises ValueError where there is neither.
    """
    images = Path(images)
    for suffix in ("_GT", "_ST"):
        folder = truth_folder(images.with_name(images.name + suffix))
        if folder is not None:
            return folder
    raise ValueError(
        f"{images}: no labels given, and neither {images.name}_GT/SEG nor {images.name}_ST/SEG "
        "beside it holds man_seg files"
    )


def sequences(path):
    """The sequence folders 01, 02 … under a data set's folder, [] if it is none."""
    folders = sorted(f for f in Path(path).iterdir() if re.fullmatch(r"\d\d", f.name))
    return [f for f in folders if f.is_dir() and numbered_files(f, FRAME)]
