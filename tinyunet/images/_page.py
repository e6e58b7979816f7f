"""What a page shows: one rule for TIFF, PNG and JPEG.

The numbers in a file are not always the picture. White may be stored as 0, a number may be a place
in a table of colours, a grey picture may be stored as three equal channels, a picture may lie on
its side. What a viewer shows is what is read. Labels are the exception where a picture cannot say
what is meant: a place in a table of *colours* is a class or object number as it stands.

Shapes: stored pixels are (H, W) or (H, W, samples); a page is (H, W), or (C, H, W) with channels.
Lesson: lessons/11-training.md.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tinyunet._text import plural
from tinyunet.arrays import Array


@dataclass(frozen=True)
class Page:
    """What a header says about one page, checked; `height` and `width` in pixels as stored."""

    height: int
    width: int
    samples: int  # numbers a pixel, alpha included
    bits: int  # of a number
    dtype: np.dtype
    alpha: bool = False  # the last sample says how opaque the pixel is
    inverted: bool = False  # 0 is white
    palette: bytes | None = None  # red, green, blue of each place in the table
    orientation: int = 1  # EXIF's and TIFF's number: 1 is upright
    lossy: bool = False  # JPEG

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns as shown."""
        upright = self.height, self.width
        return upright if self.orientation < 5 else upright[::-1]

    @cached_property
    def colours(self) -> Array | None:
        """The table of colours, (n, 3) uint8, or None."""
        return (
            None if self.palette is None else np.frombuffer(self.palette, np.uint8).reshape(-1, 3)
        )

    @property
    def grey_table(self) -> bool:
        """True for a palette whose colours are all shades of grey."""
        table = self.colours
        return table is not None and bool((table == table[:, :1]).all())

    @property
    def shades_differ(self) -> bool:
        """True for a table of greys in which a place and its shade are not the same number."""
        table = self.colours
        if table is None or not self.grey_table:
            return False
        return table[:, 0].tolist() != list(range(len(table)))

    @property
    def channels(self) -> int:
        """Channels as shown: without alpha, a palette's colours counted as three."""
        if self.palette is not None:
            return 1 if self.grey_table else 3
        return self.samples - self.alpha

    def perhaps_grey(self, in_channels: int) -> bool:
        """True where only the pixels can say whether three channels are one and the same."""
        return in_channels == 1 and self.channels == 3


def check_kind(where: str, page: Page, in_channels: int, labels: bool, one_bit: bool) -> None:
    """Refuse, by its header, a page that cannot be what was asked for; `where` for the message."""
    if labels:
        if page.lossy:
            raise ValueError(
                f"{where}: is a JPEG, which changes the numbers: wanted labels as PNG or as TIFF "
                "without JPEG compression"
            )
        if page.palette is None and page.channels not in (1, 3):
            raise ValueError(
                f"{where}: has {page.channels} channels: wanted labels as one number a pixel"
            )
        return
    if page.bits == 1 and not one_bit and page.palette is None:
        raise ValueError(
            f"{where}: has 1 bit a pixel, a mask: wanted an image of 8 or 16 bits or floats"
        )
    fits = in_channels == page.channels or (in_channels == page.samples and page.palette is None)
    if not fits and not page.perhaps_grey(in_channels):
        raise _wrong_channels(where, page, in_channels)


def _wrong_channels(where: str, page: Page, wanted: int) -> ValueError:
    kind = "grey" if page.channels == 1 else f"an image of {page.channels} channels"
    if page.palette is not None:
        kind = "an image whose palette has colours" if page.channels == 3 else "grey by its palette"
    want = "grey" if wanted == 1 else f"{wanted} channels"
    return ValueError(
        f"{where}: is {kind}: wanted {want}; convert it, or train with --channels {page.channels}"
    )


def shown(pixels: Array, page: Page, in_channels: int, labels: bool, where: str) -> Array:
    """The picture that stored pixels (H, W) or (H, W, samples) show, upright, (H, W) or (C, H, W).

    A view where nothing had to be changed. ValueError if its channels differ where grey is wanted,
    if it is not opaque, or if the numbers are labels that cannot be told from their inverse.
    """
    pixels = _upright(pixels, page.orientation)
    if page.colours is not None and not (labels and not page.grey_table):
        table = page.colours[:, 0] if page.grey_table else page.colours
        pixels = _look_up(pixels, table, where)
    if page.inverted:
        pixels = _white_is_most(pixels, page, labels, where)
    if pixels.ndim == 3 and page.alpha and in_channels != pixels.shape[2]:
        opaque = np.iinfo(page.dtype).max if page.dtype.kind in "ui" else 1
        if (pixels[..., -1] != opaque).any():
            raise ValueError(
                f"{where}: is transparent in places: wanted an opaque picture; what lies behind it "
                "is not known: flatten it"
            )
        pixels = pixels[..., :-1]
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == in_channels != 1:
        return np.moveaxis(pixels, -1, 0)
    if (pixels != pixels[..., :1]).any():
        if labels:
            raise ValueError(
                f"{where}: has {pixels.shape[2]} channels that differ: wanted labels as one number "
                "a pixel"
            )
        raise _wrong_channels(where, page, in_channels)
    return pixels[..., 0]


def _upright(pixels: Array, orientation: int) -> Array:
    """Turned and mirrored as EXIF's number says."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _look_up(pixels: Array, table: Array, where: str) -> Array:
    """The colours, or the shades of grey, at the places that are stored."""
    if int(pixels.max()) >= len(table):
        raise ValueError(
            f"{where}: damaged: place {pixels.max()} of a palette of {len(table)} colours"
        )
    return table[pixels.astype(np.intp)]


def _white_is_most(pixels: Array, page: Page, labels: bool, where: str) -> Array:
    """Pixels stored with 0 as white, turned so that white is the largest number."""
    if page.dtype.kind not in "ub":
        if labels:
            raise ValueError(
                f"{where}: stores labels min-is-white in {page.dtype}: save them min-is-black"
            )
        return -pixels if page.dtype.kind == "f" else ~pixels
    most = 2**page.bits - 1
    if labels and not np.isin(pixels, (0, most)).all():
        raise ValueError(
            f"{where}: stores min-is-white numbers other than 0 and {most}: class or object "
            "numbers cannot be told from their inverse: save them min-is-black"
        )
    return ~pixels if page.dtype.kind == "b" else (most - pixels).astype(page.dtype)


def say_what_is_taken(path: str, names: Sequence[str], pages: Sequence[Page], labels: bool) -> None:
    """Warn, once for a stack, where the numbers of files could be read in two ways."""
    places = [labels and page.palette is not None and not page.grey_table for page in pages]
    shades = [labels and page.shades_differ for page in pages]
    for chosen, what in (
        ([labels and p.inverted for p in pages], "stored min-is-white: read as shown, black is 0"),
        (shades, "with a palette of greys: its shades are the numbers, black is 0"),
        (places, "with a palette of colours: the places in its table are the numbers"),
        ([page.orientation != 1 for page in pages], "stored turned: read upright, as shown"),
    ):
        if any(chosen):
            first, count = names[chosen.index(True)], plural(sum(chosen), "slice")
            warnings.warn(f"{path}: {count} (the first is {first}) {what}", stacklevel=3)


def check_finite(pixels: Array, where: str) -> None:
    """Raise ValueError for NaN and infinity among the pixels."""
    if pixels.dtype.kind == "f":
        bad = pixels.size - int(np.isfinite(pixels).sum())
        if bad:
            raise ValueError(
                f"{where}: {bad} of {pixels.size} pixels are NaN or infinite: wanted finite numbers"
            )
