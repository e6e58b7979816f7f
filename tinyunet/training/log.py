"""A run's log.csv: a line a step with its loss, and the scores where the step was validated.

It holds no times: a run that was killed and resumed ends with the very same log as one that never
was. Lesson: lessons/11-training.md.
"""

import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tinyunet._files import check_regular, open_regular
from tinyunet.training.validation import Validation

COLUMNS = ("step", "loss", "val_loss", "val_pixel_error_rate")
HEADER = ",".join(COLUMNS) + "\n"
_FORMER_HEADER = "step,loss,val_loss,val_wrong\n"  # in version 1.0
HEADERS = (HEADER, _FORMER_HEADER)


class Log:
    """The log of a run, open for adding lines; use `close` at the end.

    Parameters
    ----------
    path : Path
        The file.
    size : int
        It is cut back to so many bytes; 0 begins a new log. Lines behind were written after the
        checkpoint that the run goes on from; the same steps will write the same lines again.

    Raises
    ------
    ValueError
        If the log is shorter than that.
    OSError
        If it cannot be opened, or is a link or no regular file.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        mode = "r+" if check_regular(path) or size else "w+"  # never make a lost log anew
        self._file = open_regular(path, mode, encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        if self._file.seek(0, os.SEEK_END) < size:
            self._file.close()
            raise ValueError(f"{path}: shorter than when the checkpoint was written")
        self._file.truncate(size)
        self._file.seek(size)
        if size == 0:
            self._writer.writerow(COLUMNS)

    def add(self, step: int, loss: float, validation: Validation | None = None) -> None:
        """Add a line. Numbers are written so that reading them gives the same float again.

        Parameters
        ----------
        step : int
            The step.
        loss : float
            Its loss.
        validation : Validation, optional
            What was found after it.
        """
        scores = ("", "") if validation is None else (validation.loss, validation.pixel_error_rate)
        with self._naming_the_file():
            self._writer.writerow((step, loss, *scores))

    def flush(self) -> int:
        """Bring all lines to the disk.

        Returns
        -------
        int
            The size of the log in bytes.
        """
        with self._naming_the_file():
            self._file.flush()
            os.fsync(self._file.fileno())
            return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Write what is left and close the file."""
        with self._naming_the_file():
            self._file.close()

    @contextmanager
    def _naming_the_file(self) -> Iterator[None]:
        """An error while writing knows no file name; whoever reads it wants one."""
        try:
            yield
        except OSError as error:
            raise OSError(f"{self.path}: could not be written: {error}") from error


def read_log(path: str | os.PathLike[str]) -> dict[str, list[Any]]:
    """Read a log.

    Parameters
    ----------
    path : path
        A log.csv of this version, or of version 1.0.

    Returns
    -------
    dict
        The columns "step", "loss", "val_loss" and "val_pixel_error_rate" as lists, None where a
        step was not validated.

    Raises
    ------
    ValueError
        For another file, and for a damaged line, which the message numbers.
    OSError
        For a missing file, a link, or what is no regular file.
    """
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    with open_regular(path, encoding="utf-8", errors="replace", newline="") as file:
        if file.readline() not in HEADERS:
            raise ValueError(
                f"{path}: not a log of a run: its first line is not {HEADER.strip()!r}"
            )
        rows = csv.reader(file, quoting=csv.QUOTE_NONE)  # a quote in a log is a damaged byte
        try:
            for values in rows:
                if len(values) != len(COLUMNS):
                    raise ValueError("wrong number of columns")
                row = [int(values[0]), *(float(v) if v else None for v in values[1:])]
                for name, value in zip(COLUMNS, row, strict=True):
                    columns[name].append(value)
        except (ValueError, csv.Error) as error:  # csv.Error is none: of a line beyond its limit
            number = 1 + rows.line_num
            raise ValueError(f"{path}: line {number} is damaged ({error})") from error
    return columns
