"""How much memory a file may ask for: decided on its header, before anything is decoded.

A file states its own size, and the statement may be false: a hundred bytes can claim 200,000 ×
200,000 pixels (40 GB). A blank page, on the other hand, honestly compresses a hundred thousand
times. So what counts is what would be allocated:

- uncompressed pixels are mapped into memory and cost nothing, but must be in the file;
- any other page may decode to at most `PAGE_BYTES`;
- all pages that are read at once may decode to at most `READ_BYTES`.

A ratio is used only where the format itself sets one: no deflate stream (PNG is one) unpacks to
more than 1032 times its bytes, and PackBits makes at most 128 bytes of 2. A page that claims more
is damaged, which is known before a byte of it is allocated.

Lesson: lessons/11-training.md.
"""

PAGE_BYTES = 2**30
READ_BYTES = 2**33
NONE, DEFLATE, PACKBITS = 1, (8, 32946), 32773  # TIFF's numbers of compressions
MOST_UNPACKED = {NONE: 1, **dict.fromkeys(DEFLATE, 1032), PACKBITS: 64}


def check_page(
    name: str, size: tuple[int, int], allocated: int, packed: int, stored: int, codec: int
) -> None:
    """Refuse a page that would take too much memory, or whose stored bytes cannot hold it.

    Parameters
    ----------
    name : str
        File and page, for the message.
    size : tuple of int
        Rows and columns that the header claims.
    allocated : int
        Bytes that decoding would allocate.
    packed : int
        Bytes of the pixels once unpacked: fewer than `allocated` for pixels of less than a byte.
    stored : int
        Bytes of the page in the file.
    codec : int
        TIFF's number of the compression.

    Raises
    ------
    ValueError
        If either bound is passed.
    """
    what = f"{name}: claims {size[0]}×{size[1]} pixels"
    most = MOST_UNPACKED.get(codec)
    if most is not None and packed > most * stored:
        raise ValueError(
            f"{what} ({packed} bytes) but stores only {stored} bytes, which cannot unpack to more "
            f"than {most * stored}: damaged, or made to exhaust the memory"
        )
    if allocated > PAGE_BYTES:
        raise ValueError(
            f"{what}, {allocated} bytes once decoded, more than the {PAGE_BYTES} that are read "
            "from a page: save it as uncompressed TIFF of 8 bits or more, which is read in parts"
        )


def check_read(path: str, slices: int, allocated: int) -> None:
    """Refuse a stack whose slices would be too many to be in memory together.

    Parameters
    ----------
    path : str
        Of the stack, for the message.
    slices : int
        How many there are.
    allocated : int
        Bytes of all of them once decoded.

    Raises
    ------
    ValueError
        Beyond `READ_BYTES`.
    """
    if allocated > READ_BYTES:
        raise ValueError(
            f"{path}: {slices} slices are {allocated} bytes, more than the {READ_BYTES} that are "
            "read at once: train on a part of the stack"
        )
