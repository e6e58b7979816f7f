"""What the axes of a file mean here: which pages make a slice."""

import warnings
from math import prod

import numpy as np

from tinyunet._text import plural
from tinyunet.images._formats import Source
from tinyunet.images._notes import NAMES, PERHAPS_CHANNELS
from tinyunet.images._text import sizes_text

Plane = tuple[int, int | None]  # number of a page, and of a sample where it is one of several


def planes_of_slices(
    source: Source, in_channels: int, labels: bool, alone: bool
) -> list[list[Plane]]:
    """The planes of each slice of a source: what its axes mean here.

    One axis of frames or slices is the stack. An axis of channels is no axis of slices: its pages
    are the channels of one slice, where so many are wanted. More axes are refused.
    """
    first, several = source.pages[0], len(source.pages) > 1
    for axes in source.series if several else ():
        channels = axes.get("C", 1)
        others = {axis: n for axis, n in axes.items() if axis != "C"}
        if len(others) > 1 or (others and channels not in (1, in_channels)):
            told = ", ".join(f"{_axis_name(axis)} {n}" for axis, n in axes.items())
            raise ValueError(
                f"{source.path}: is a stack of {len(axes) + 2} dimensions ({told}): wanted slices "
                "of rows and columns; save one channel and one time point"
            )
        if channels > 1 and (labels or channels != in_channels or first.samples > 1):
            wanted = "one number a pixel" if labels else plural(in_channels, "channel")
            raise ValueError(
                f"{source.path}: holds {channels} channels, not slices: wanted {wanted}; save the "
                f"channel that is meant, or train with --channels {channels}"
            )
    if several and len(source.series) == 1 and ({"C", PERHAPS_CHANNELS} & set(source.series[0])):
        (axes,) = source.series
        if axes.get(PERHAPS_CHANNELS) not in (None, in_channels):
            warnings.warn(
                f"{source.path}: its header speaks of {axes[PERHAPS_CHANNELS]} channels: each is "
                "taken as a slice, for tifffile calls slices so unless told otherwise; train "
                f"--channels {axes[PERHAPS_CHANNELS]} takes them as channels",
                stacklevel=3,
            )
        else:
            return _channel_groups(source, axes)
    if alone and source.perhaps_slices and in_channels == 1:
        warnings.warn(
            f"{source.path}: stores {first.samples} planes of colour: each is taken as a grey "
            "slice, as older versions of tifffile stored stacks; train --channels "
            f"{first.samples} takes them as colour",
            stacklevel=3,
        )
        return [[(0, sample)] for sample in range(first.samples)]
    return [[(i, None)] for i in range(len(source.pages))]


def _axis_name(axis: str) -> str:
    return NAMES.get(axis, f"axis {axis[1:]}")


def _channel_groups(source: Source, axes: dict[str, int]) -> list[list[Plane]]:
    """The pages of each slice, one a channel; a last slice that lacks channels is left out."""
    place, channels = next((i, n) for i, (a, n) in enumerate(axes.items()) if a.startswith("C"))
    order = np.arange(prod(axes.values())).reshape(tuple(axes.values()))
    rows = np.moveaxis(order, place, -1).reshape(-1, channels).tolist()
    groups = [row for row in rows if max(row) < len(source.pages)]
    sizes = {page.size for page in source.pages}
    if not groups or len(sizes) > 1:
        raise ValueError(
            f"{source.path}: its header speaks of slices of {channels} channels, but it holds "
            f"{plural(len(source.pages), 'page')} of {sizes_text(sizes)}"
        )
    return [[(i, None) for i in group] for group in groups]
