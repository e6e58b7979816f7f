"""A folder of one file a slice, TIFF or PNG, which appears when all of them are written.

Lesson: lessons/11-training.md.
"""

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from tinyunet._files import atomic_folder
from tinyunet.arrays import Array
from tinyunet.images.names import FileName
from tinyunet.images.write import write_stack


class FolderWriter:
    """A folder of files of one slice each, which appears when all of them are written.

    A context manager: on an error nothing is left.

    Parameters
    ----------
    folder : str or Path
        New, or an empty folder; in any other, files of the same names are replaced at the end.
    dtype : dtype, optional
        What the slices of TIFF files are stored as (the default: that of each).
    """

    def __init__(self, folder: FileName, dtype: Any = None) -> None:
        self.folder, self.dtype, self.count = Path(folder), dtype, 0
        self._atomic = atomic_folder(self.folder.resolve())
        self._hidden = self._atomic.__enter__()

    def append(self, name: str, page: Array) -> None:
        """Write one slice as a TIFF file.

        Parameters
        ----------
        name : str
            Of the file, without suffix.
        page : Array
            (H, W).

        Raises
        ------
        ValueError
            For numbers that the dtype cannot hold.
        """
        write_stack(self._hidden / f"{name}.tif", [page], self.dtype)
        self.count += 1

    def append_png(self, name: str, page: Array, palette: Array | None = None) -> None:
        """Write one slice as a PNG file.

        Parameters
        ----------
        name : str
            Of the file, without suffix.
        page : array, shape (H, W) or (H, W, 3), uint8
            The picture.
        palette : array, shape (K, 3), uint8, optional
            Of (H, W) class numbers: the colours that they are shown in. The file holds the numbers.
        """
        from PIL import Image

        picture = Image.fromarray(np.ascontiguousarray(page))
        if palette is not None:
            picture.putpalette(np.ascontiguousarray(palette, np.uint8).tobytes())
        picture.save(self._hidden / f"{name}.png", format="PNG")
        self.count += 1

    def __enter__(self) -> "FolderWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._atomic.__exit__(kind, error, trace)
