"""What libraries raise on damaged files, as one ValueError that names the file."""

import logging
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tinyunet._text import first_line

# What tifffile, imagecodecs and Pillow raise on damaged files, beside errors of their own: the
# first row was seen (tests/images/test_images_fuzz.py), the second stands in their sources.
# LookupError is IndexError and KeyError, ArithmeticError OverflowError and ZeroDivisionError.
RAISED = (
    *(ValueError, TypeError, LookupError, ArithmeticError, OSError, SyntaxError, zlib.error),
    *(AttributeError, AssertionError, EOFError, RuntimeError),
)


class Truncated(ValueError):
    """The file ends before what it speaks of: what comes before may be whole."""


@contextmanager
def refusing(path: str, kind: str, *others: type[Exception]) -> Iterator[None]:
    """Turn what a library raises on a damaged file into one ValueError that names the file.

    `kind` is the format's name, `others` are exceptions beside `RAISED`. Our own refusals begin
    with the file's name already and pass as they are. What tifffile would only note in its log
    is kept quiet: where it matters, it is checked and refused here.
    """
    log = logging.getLogger("tifffile")
    log.addFilter(_quiet)
    try:
        with np.errstate(all="ignore"):
            yield
    except (FileNotFoundError, PermissionError):
        raise
    except struct.error:
        raise ValueError(f"{path}: truncated {kind}: it ends in the middle of its header") from None
    except RAISED + others as error:
        if str(error).startswith((f"{path}:", f"{path},")):
            raise
        raise ValueError(f"{path}: damaged {kind}: {first_line(error)}") from None
    finally:
        log.removeFilter(_quiet)


def _quiet(record: logging.LogRecord) -> bool:
    return False
