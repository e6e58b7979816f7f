"""What the writing program noted in a TIFF's description about the axes of its stack.

TIFF knows pages, not axes: a film of 5 frames with 2 channels is ten pages. Programs note the
meaning in the free-text description, each in its own manner. It is read here for one purpose, to
refuse a stack that is more than slices; no file name in it is ever used.

Lesson: lessons/11-training.md.
"""

import json
import re


def described_axes(description, height, width):
    """The axes noted, as {name: length}, those longer than 1, without rows and columns.

    ImageJ writes `channels=`, `slices=`, `frames=`; OME writes SizeC, SizeZ, SizeT; tifffile
    writes a JSON shape, whose axes have no names. An empty dictionary means: nothing said.
    """
    sizes = {}
    if description.startswith("ImageJ="):
        found = re.findall(r"^(channels|slices|frames)=(\d{1,9})\s*$", description, re.MULTILINE)
        sizes = {key: int(value) for key, value in found}
    elif "<OME" in description:
        for key, axis in (("C", "channels"), ("Z", "slices"), ("T", "frames")):
            found = re.search(rf'\bSize{key}="(\d{{1,9}})"', description)
            sizes[axis] = int(found.group(1)) if found else 1
    else:
        shape = noted_shape(description)
        if shape[-3:-1] == [height, width]:  # colours come last
            shape = shape[:-1]
        leading = shape[:-2] if shape[-2:] == [height, width] else []
        sizes = {f"axis {i}": n for i, n in enumerate(leading)}
    return {key: value for key, value in sizes.items() if value > 1}


def imagej_images(description):
    """The number of slices that ImageJ noted, 1 where it noted none."""
    found = re.search(r"^images=(\d{1,9})\s*$", description, re.MULTILINE)
    return int(found.group(1)) if found and description.startswith("ImageJ=") else 1


def noted_shape(description):
    """The shape that tifffile noted as JSON, a list of int; empty where it noted none."""
    if not description.startswith("{"):
        return []
    try:
        noted = json.loads(description.rstrip("\0 \n"))
    except (ValueError, RecursionError):
        return []  # a description is free text: a brace alone does not make it tifffile's
    shape = noted.get("shape", []) if isinstance(noted, dict) else []
    return shape if isinstance(shape, list) and all(type(n) is int for n in shape) else []
