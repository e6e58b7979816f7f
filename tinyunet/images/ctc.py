"""Folders as the Cell Tracking Challenge lays them out.

A sequence `01/` holds frames `t000.tif`, `t001.tif` …; its ground truth lies in `01_GT/SEG/` (gold,
by hand) or `01_ST/SEG/` (silver, from earlier winners) as `man_seg000.tif`, 16 bit, one number an
object. Most frames have no gold truth: only those that do enter the loss and the score. Results
are written as `mask000.tif`, with the digits of their frame.

Only man_seg files make a folder ground truth of the challenge: `mask1.tif` is a name that anybody
may give to a mask.

Source: the challenge's "Naming and file content conventions". Lesson: lessons/11-training.md.
"""

import re
from pathlib import Path

from tinyunet.images.names import FileName

FRAME, TRUTH, RESULT = "t", "man_seg", "mask"
SUFFIX = r"(?:\.ome)?\.tiff?"  # upper case, too: some systems write it so


def numbered_files(folder: FileName, prefix: str) -> dict[int, Path]:
    """The files `prefix`NNN.tif of a folder.

    Parameters
    ----------
    folder : str or Path
        The folder.
    prefix : str
        `FRAME`, `TRUTH` or `RESULT`.

    Returns
    -------
    dict
        {number: file} in order; empty if there are none.

    Raises
    ------
    ValueError
        For a number that occurs twice, and for the ground truth of 3-D frames.
    """
    found: dict[int, Path] = {}
    for file in sorted(Path(folder).iterdir()):
        number = re.fullmatch(rf"{prefix}(\d+){SUFFIX}", file.name, re.IGNORECASE)
        if number and int(number[1]) in found:
            raise ValueError(
                f"{folder}: both {found[int(number[1])].name} and {file.name} are frame "
                f"{int(number[1])}"
            )
        if number:
            found[int(number[1])] = file
        elif re.fullmatch(rf"{TRUTH}_?\d+_\d+{SUFFIX}", file.name, re.IGNORECASE):
            raise ValueError(f"{file}: truth of one slice of a 3-D frame: wanted 2-D sequences")
    return dict(sorted(found.items()))


def result_name(frame: str) -> str:
    """The name of a frame's result.

    Parameters
    ----------
    frame : str
        Of a frame, such as `t0007`.

    Returns
    -------
    str
        `mask0007`; other names stay as they are.
    """
    return re.sub(rf"^{FRAME}(?=\d+$)", RESULT, frame, flags=re.IGNORECASE)


def truth_folder(path: FileName) -> Path | None:
    """The folder with the man_seg files that a path means.

    Parameters
    ----------
    path : str or Path
        That folder, or the one with SEG in it.

    Returns
    -------
    Path or None
        None where there are no such files.
    """
    for folder in (Path(path), Path(path) / "SEG"):
        if folder.is_dir() and numbered_files(folder, TRUTH):
            return folder
    return None


def find_truth(images: FileName) -> Path:
    """The truth that lies beside a sequence folder: gold if there is any, else silver.

    Parameters
    ----------
    images : str or Path
        The sequence's folder.

    Returns
    -------
    Path
        The folder with the man_seg files.

    Raises
    ------
    ValueError
        Where there is neither.
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


def sequences(path: FileName) -> list[Path]:
    """The sequences of a data set.

    Parameters
    ----------
    path : str or Path
        Its folder.

    Returns
    -------
    list of Path
        Folders 01, 02 …; empty if it is no such data set.
    """
    folders = sorted(f for f in Path(path).iterdir() if re.fullmatch(r"\d\d", f.name))
    return [f for f in folders if f.is_dir() and numbered_files(f, FRAME)]
