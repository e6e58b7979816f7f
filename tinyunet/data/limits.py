"""How large a file may claim to be: checked on its header, before anything is decoded.

A picture file states its own size, and the statement may be false. A file of a hundred bytes can
claim 200,000 × 200,000 pixels (40 GB); a reader that allocates first and decodes later dies of it.
The rules here bound the memory by what is really on the disk:

- uncompressed pixels must all be present in the file, so they cost no more than the file;
- compressed pixels may be at most `MAX_RATIO` times their stored bytes (deflate cannot do better
  than 1032 : 1, so no honest file is refused), and at most `MAX_PAGE_BYTES` a page;
- a whole file of compressed pages read at once may decode to at most `MAX_READ_BYTES`;
- files that Pillow decodes (PNG, and TIFF with the rarer compressions) hold at most `MAX_PIXELS`
  a page, which is below the size at which Pillow itself begins to warn.

Lesson: lessons/11-training.md.
"""

MAX_RATIO = 1100
MAX_PAGE_BYTES = 2**30
MAX_READ_BYTES = 2**33
MAX_PIXELS = 2**26
SLACK_BYTES = 4096  # headers and tables of very small files


def check_ratio(name, height, width, decoded, stored):
    """Refuse a page whose claimed size its stored bytes cannot hold.

    Parameters: `name` for the message; `height`, `width` in pixels; `decoded` and `stored` in
    bytes. Raises ValueError, returns nothing.
    """
    if decoded > MAX_RATIO * stored + SLACK_BYTES:
        raise ValueError(
            f"{name}: claims {height}×{width} pixels ({decoded} bytes) but stores only {stored} "
            f"bytes: damaged, or made to exhaust the memory (at most {MAX_RATIO} to 1 is read)"
        )
    if decoded > MAX_PAGE_BYTES:
        raise ValueError(
            f"{name}: {height}×{width} pixels are {decoded} bytes, more than the "
            f"{MAX_PAGE_BYTES} that are read from a compressed page: save it as uncompressed TIFF"
        )


def check_pixels(name, height, width):
    """Refuse a page that is too large for Pillow's decoders (more than `MAX_PIXELS` pixels)."""
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"{name}: {height}×{width} pixels are more than the {MAX_PIXELS} that are read in "
            "this format: save it as uncompressed TIFF"
        )
