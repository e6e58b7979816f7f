"""Names and colours of classes, from a small file.

A CSV with the columns number, name and colour (the first line may say so), or JSON: a list of
{"number": 1, "name": "membrane", "colour": "#E69F00"}. Lesson: lessons/11-training.md.
"""

import csv
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

from tinyunet._files import printable
from tinyunet.images.names import FileName

COLUMNS = ("number", "name", "colour")
MOST = 256  # classes that 8 bits can number
LARGEST_FILE = 1 << 20

# Black, and the colours of Okabe and Ito, that people with any colour vision tell apart.
OKABE_ITO = (
    *("#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442"),
    *("#0072B2", "#D55E00", "#CC79A7"),
)


class Class(NamedTuple):
    """A class.

    Attributes
    ----------
    number : int
        As in the labels.
    name : str
        In words.
    colour : tuple of int
        Red, green and blue, 0 to 255.
    """

    number: int
    name: str
    colour: tuple[int, int, int]


def default_classes(n_classes: int) -> list[Class]:
    """Name and colour classes of which nobody said anything.

    Parameters
    ----------
    n_classes : int
        How many.

    Returns
    -------
    list of Class
        "class 1" and so on; after eight the colours come again, without black.
    """
    colours = [OKABE_ITO[k if k < 8 else (k - 1) % 7 + 1] for k in range(n_classes)]
    return [Class(k, f"class {k}", _colour(colour)) for k, colour in enumerate(colours)]


def read_classes(path: FileName, n_classes: int) -> list[Class]:
    """Read the names and colours of a network's classes.

    Parameters
    ----------
    path : str or Path
        A .csv or .json file.
    n_classes : int
        Of the network.

    Returns
    -------
    list of Class
        One a class; those that the file does not name are as `default_classes` has them.

    Raises
    ------
    ValueError
        With the line that does not fit.
    OSError
        If the file cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() not in (".csv", ".json"):
        raise ValueError(f"{path}: wanted a .csv or .json file of number, name, colour")
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError(f"{path}: is larger than a file of names and colours can be")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is no text ({error})") from error
    rows = _rows_of_json(path, text) if path.suffix.lower() == ".json" else _rows_of_csv(path, text)
    classes = default_classes(n_classes)
    seen = set()
    for place, row in enumerate(rows, 1):
        try:
            found = _class(row, n_classes)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: entry {place}: {printable(error)}") from None
        if found.number in seen:
            raise ValueError(f"{path}: entry {place}: class {found.number} is there twice")
        seen.add(found.number)
        classes[found.number] = found
    if not seen:
        raise ValueError(f"{path}: names no class: wanted lines such as 1,membrane,#E69F00")
    return classes


def _rows_of_csv(path: Path, text: str) -> list[list[Any]]:
    """The lines with something in them, without the heading; semicolons separate, too."""
    separator = ";" if ";" in text and "," not in text else ","
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=separator) if any(row)]
    except csv.Error as error:  # which is no ValueError: of a field beyond its limit
        raise ValueError(f"{path}: damaged ({printable(error)})") from None
    if rows and not rows[0][0].strip().isdecimal() and rows[0][0].strip().lower() == COLUMNS[0]:
        rows = rows[1:]
    return [[cell.strip() for cell in row] for row in rows]


def _rows_of_json(path: Path, text: str) -> list[list[Any]]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: damaged ({printable(error)})") from None
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise ValueError(f'{path}: wanted a list of {{"number": 1, "name": …, "colour": …}}')
    return [[e.get("number"), e.get("name"), e.get("colour", e.get("color"))] for e in content]


def _class(row: list[Any], n_classes: int) -> Class:
    """A class of [number, name, colour]; ValueError for what is none."""
    number, name, colour, *_ = [*row, None, None, None]
    if isinstance(number, bool) or not str(number).isdecimal() or int(number) >= n_classes:
        raise ValueError(
            f"number {number!r} is not one of the network's classes, 0 to {n_classes - 1}"
        )
    fallback = default_classes(n_classes)[int(number)]
    name = printable(name) if name not in (None, "") else fallback.name
    return Class(int(number), name, _colour(colour) if colour else fallback.colour)


def _colour(text: Any) -> tuple[int, int, int]:
    """Red, green and blue of "#E69F00" or "orange"; ValueError for what is no colour."""
    from PIL import ImageColor

    try:
        red, green, blue = ImageColor.getrgb(str(text))[:3]
    except ValueError:
        raise ValueError(f"{text!r} is no colour such as #E69F00 or orange") from None
    return red, green, blue
