"""LZW, the compression that ImageJ, MATLAB and most of microscopy's TIFF files use.

The stream is a row of codes of 9 to 12 bits. Codes below 256 are bytes; each later code stands
for the string before it plus one byte, and the decoder rebuilds that dictionary as it goes. The
idea that keeps it short: every string of the dictionary has just been written to the output, so an
entry is no string but a place in the output and a length.

Source: TIFF revision 6.0, section 13 (T. Welch, A technique for high-performance data compression,
IEEE Computer 17(6), 1984). Lesson: lessons/11-training.md.
"""

import numpy as np

from tinyunet.kernels.jit import jit

CLEAR, END, FIRST, TABLE = 256, 257, 258, 4096


@jit
def lzw_decode(stored, out):
    """Decode uint8 `stored` into uint8 `out`; returns how many bytes were written.

    Stops at the end code, at the end of either array, or at a code that cannot be: fewer bytes
    than `out` holds mean a damaged stream. Memory is that of `out` and a table of 4096 entries.
    """
    start = np.zeros(TABLE, np.int64)
    length = np.zeros(TABLE, np.int64)
    written, following, bits, size = 0, FIRST, 9, len(out)
    old_start, old_length = 0, 0  # the string of the code before; none after a clear code
    buffer, held = 0, 0
    for byte in stored:
        buffer = (buffer << 8 | np.int64(byte)) & 0xFFFFFF
        held += 8
        if held < bits:
            continue
        held -= bits
        code = buffer >> held & ((1 << bits) - 1)
        if code == CLEAR:
            following, bits, old_length = FIRST, 9, 0
            continue
        if code == END or written == size:
            break
        begin = written
        if code < 256:
            out[written] = code
            written += 1
        else:
            # `following` is the entry made just now: the old string and the byte after it, which
            # is the first byte of this very string and already stands in the output
            if old_length == 0 or code > following or code < FIRST:
                break
            if code == following:
                source, count = old_start, old_length + 1
            else:
                source, count = start[code], length[code]
            for i in range(min(count, size - written)):
                out[written] = out[source + i]
                written += 1
        if old_length > 0 and following < TABLE:
            start[following], length[following] = old_start, old_length + 1
            following += 1
        # widths change one code early, as TIFF's first writer did by mistake
        if following == (1 << bits) - 1 and bits < 12:
            bits += 1
        old_start, old_length = begin, written - begin
    return written
