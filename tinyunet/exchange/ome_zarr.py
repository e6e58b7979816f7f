"""OME-Zarr volumes: which axis is which, and the file that a prediction goes into.

An OME-Zarr image is a group with a description of its axes (versions 0.4 and 0.5 of the format);
only its level of full resolution is read. The axes may be any of t, c, z, y, x, in this order.
Planes are predicted as lessons/10-overlap-tile.md says.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from tinyunet._files import printable
from tinyunet.exchange._libraries import needs

ORDER = "tczyx"


@dataclass(frozen=True)
class Volume:
    """An open volume: `array` with its `axes`, a string such as "zyx"; one 2-D image a plane."""

    array: Any
    axes: str
    path: Path
    scales: tuple[float, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a plane in pixels."""
        return self.array.shape[-2], self.array.shape[-1]

    @property
    def channels(self) -> int:
        """Channels of a plane."""
        return self.array.shape[self.axes.index("c")] if "c" in self.axes else 1

    def planes(self) -> Iterator[tuple[int, ...]]:
        """Yield the place of every plane: its indices along t and z, as far as they exist."""
        return product(*(range(self.array.shape[self.axes.index(a)]) for a in self.stacked))

    @property
    def stacked(self) -> str:
        """The axes along which planes lie: "", "t", "z" or "tz"."""
        return "".join(axis for axis in self.axes if axis in "tz")

    def plane(self, place: tuple[int, ...]) -> "Plane":
        """Return a plane that reads itself window by window.

        Parameters
        ----------
        place : tuple of int
            One of those that `planes` yields.

        Returns
        -------
        Plane
            Like an array (C, H, W) of which only what is asked for is read.
        """
        return Plane(self, place)


class Plane:
    """A plane (C, H, W) of a volume: slicing reads just that window from the file."""

    def __init__(self, volume: Volume, place: tuple[int, ...]) -> None:
        self._volume, self._place = volume, dict(zip(volume.stacked, place, strict=True))
        self.shape = (volume.channels, *volume.size)
        self.dtype, self.ndim = volume.array.dtype, 3

    def __getitem__(self, key: Any) -> np.ndarray:
        asked = dict(zip("cyx", (*key, slice(None))[:3], strict=True))
        index = [asked.get(axis, self._place.get(axis)) for axis in self._volume.axes]
        try:
            window = np.asarray(self._volume.array[tuple(index)])
        except (RuntimeError, ValueError, OSError) as error:  # of the codecs, and of the disk
            raise ValueError(
                f"{self._volume.path}: a chunk of plane {tuple(self._place.values())} cannot be "
                f"read: {printable(error)}"
            ) from error
        return window if "c" in self._volume.axes else window[None]


def open_volume(path: str | Path, warn: bool = True) -> Volume:
    """Open an OME-Zarr image, or a plain Zarr array of two or three axes.

    Parameters
    ----------
    path : str or Path
        The folder of the group or array.
    warn : bool, optional
        Whether to tell of chunks that were never written.

    Returns
    -------
    Volume
        Its level of full resolution.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        For a folder that is no Zarr, a group without the description of its axes, axes in another
        order than t, c, z, y, x, and values that are not real numbers.
    """
    zarr = needs("zarr")
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such volume")
    try:
        node = zarr.open(path, mode="r")
    except (FileNotFoundError, KeyError, ValueError) as error:
        raise ValueError(f"{path}: not a Zarr array or group") from error
    if hasattr(node, "shape"):
        axes, array, scales = "zyx"[-node.ndim :], node, (1.0,) * node.ndim
        if node.ndim not in (2, 3):
            raise ValueError(
                f"{path}: an array of {node.ndim} axes without a description of them: wanted an "
                "OME-Zarr image, or an array (y, x) or (z, y, x)"
            )
    else:
        axes, array, scales = _full_resolution(path, node)
    if array.dtype.kind not in "buif" or 0 in array.shape:
        raise ValueError(f"{path}: holds {array.dtype} {array.shape}: wanted real numbers")
    if warn:
        _warn_of_missing_chunks(path, array)
    return Volume(array, axes, path, scales)


def _full_resolution(path: Path, group: Any) -> tuple[str, Any, tuple[float, ...]]:
    attributes = dict(group.attrs)
    image = attributes.get("ome", attributes).get("multiscales")
    if not image:
        raise ValueError(f"{path}: a Zarr group without OME-Zarr's description (multiscales)")
    names = [axis["name"] if isinstance(axis, dict) else axis for axis in image[0].get("axes", [])]
    axes = "".join(str(name).lower() for name in names)
    in_order = axes == "".join(a for a in ORDER if a in axes)
    if not in_order or not axes.endswith("yx") or any(len(str(n)) != 1 for n in names):
        raise ValueError(f"{path}: axes {', '.join(map(str, names))}: wanted some of t, c, z, y, x")
    level = image[0]["datasets"][0]
    if level["path"] not in group:
        raise ValueError(f"{path}: level {level['path']!r} of its description is missing")
    array = group[level["path"]]
    if array.ndim != len(axes):
        raise ValueError(f"{path}: axes {axes} for an array of {array.ndim} axes")
    found = [t["scale"] for t in level.get("coordinateTransformations", []) if t["type"] == "scale"]
    return axes, array, tuple(found[0]) if found else (1.0,) * len(axes)


def _warn_of_missing_chunks(path: Path, array: Any) -> None:
    """A chunk that was never written reads as the fill value: legal where all is background."""
    there, all_chunks = array.nchunks_initialized, array.nchunks
    if there < all_chunks:
        warnings.warn(
            f"{path}: {all_chunks - there} of {all_chunks} chunks were never written and read as "
            f"{array.fill_value}"
        )


def create_volume(
    path: str | Path, like: Volume, dtype: str, chunk: tuple[int, int], notes: dict[str, Any]
) -> Any:
    """Create the OME-Zarr image that a prediction is written into.

    Parameters
    ----------
    path : str or Path
        The folder of the new group.
    like : Volume
        Gives the size, the axes (without c) and the scales.
    dtype : str
        Of the pixels.
    chunk : tuple of int
        Height and width of a chunk; along the other axes it holds one plane.
    notes : dict
        What JSON can hold, stored as the attribute "tinyunet".

    Returns
    -------
    zarr.Array
        The array of full resolution.
    """
    zarr = needs("zarr")
    kept = [k for k, axis in enumerate(like.axes) if axis != "c"]
    shape = tuple(like.array.shape[k] for k in kept)
    kinds = {"t": "time", "z": "space", "y": "space", "x": "space"}
    group = zarr.open_group(path, mode="w", zarr_format=3)
    scale = {"type": "scale", "scale": [float(like.scales[k]) for k in kept]}
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [
            {
                "name": Path(path).stem,
                "axes": [{"name": like.axes[k], "type": kinds[like.axes[k]]} for k in kept],
                "datasets": [{"path": "0", "coordinateTransformations": [scale]}],
            }
        ],
    }
    group.attrs["tinyunet"] = notes
    chunks = (*[1] * (len(shape) - 2), *(min(c, s) for c, s in zip(chunk, shape[-2:], strict=True)))
    return group.create_array("0", shape=shape, chunks=chunks, dtype=dtype)
