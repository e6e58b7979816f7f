"""The kernels of the 1×1 convolution and the up-convolution.

Lesson: lessons/14-fast-on-a-cpu.md; `pointwise.py` has the formulas. The columns of Y are the
pixels of a patch in reading order and their channels, rounded up to whole vectors. W and Wᵀ come in
panels of sixteen columns, as the blocks read them. x and dx are (N, h, w, C). y and dy are flat,
with a layout (channels, numbers from pixel to pixel, side of a patch): they may be some channels of
a wider map. X is such a map as well, with patches of one pixel.
"""

from tinyunet.backends.cpu.products import multiply, multiply_transposed
from tinyunet.backends.cpu.tracing import kernel, least, most, round_up, span, when, where
from tinyunet.backends.cpu.vector import VECTOR, Sums, load, store, zeros


@kernel
def forward_rows(x, W, bias, first, last, y, out_channels, step, side):
    """The patches of rows first … last - 1 of x, counted through the batch."""
    _, _, width, channels = x.shape
    panels = bias.size * channels  # numbers in the panels of a pixel of the patch
    for row in span(first, last):
        at = row * width * channels
        for tap in span(side * side):
            to, w = place(row * width, tap, side, width) * step, tap * panels
            size = channels, out_channels
            multiply(x, at, channels, width, W, w, *size, y, to, side * step, bias)


@kernel
def backward_pixels(dy, out_channels, step, side, x, W, first, last, c0, c1, dY, X, dW, dbias, dx):
    """Channels c0 … c1 - 1 of dx, and of dW, for pieces first … last - 1 of the pixels.

    W (panels, columns of Y that are in use, 16), dW (pieces, C, columns of Y) and dbias (pieces,
    columns of Y). dY and X are scratch memory, (pixels at a time, numbers from row to row). Without
    it the rows of a patch would be read from afar for every block, and with many channels they are
    4 or 8 KB apart: memory at such distances competes for the same places in the cache. If X is
    empty, few channels are read where they are.
    """
    n, height, width, channels = x.shape
    (pieces, rows, columns), in_use = dW.shape, W.shape[1]
    wanted, pixels, copied = least(c1, channels) - c0, n * height * width, X.size > 0
    for piece in span(first, last):
        begin, end = pixels * piece // pieces, pixels * (piece + 1) // pieces
        for start in span(begin, end, dY.shape[0]):
            stop = least(end, start + dY.shape[0])
            n, at = stop - start, start * channels + c0
            gather(dy, 0, out_channels, step, side, width, start, stop, dY)
            with when(copied):
                gather(x, c0, wanted, channels, 1, width, start, stop, X)
            with when(c0 < 1):
                add_sums(dY, n, dbias, piece * columns)
            taken, taken_step = where(copied, X, x + at), where(copied, X.shape[1], channels)
            multiply_transposed(
                taken, 0, taken_step, c1 - c0, dY, 0, dY.shape[1], columns, n,
                dW, (piece * rows + c0) * columns, columns, start <= begin,
            )  # fmt: skip
            multiply(dY, 0, dY.shape[1], n, W, c0 * in_use, in_use, wanted, dx, at, channels)


def place(pixel, tap, side, width):
    """Which pixel of y, counted through the batch, is number `tap` of the patch of `pixel`."""
    row, column = pixel // width * side + tap // side, pixel % width * side + tap % side
    return row * width * side + column


def gather(y, start, channels, step, side, width, first, last, Y):
    """Copy the patches of pixels first … last - 1 to the rows of Y, filled up with zeros."""
    whole, filled = channels // VECTOR * VECTOR, round_up(channels, VECTOR)
    for row in span(first // width, (last - 1) // width + 1):
        begin, end = most(first, row * width), least(last, (row + 1) * width)
        for tap in span(side * side):
            at = start + place(begin, tap, side, width) * step
            to = (begin - first) * Y.shape[1] + tap * filled
            for p in span(end - begin):
                source, target = at + p * side * step, to + p * Y.shape[1]
                for k in span(0, whole, VECTOR):
                    store(load(y, source + k), Y, target + k)
                with when(whole < channels):
                    store(load(y, source + whole, channels - whole), Y, target + whole)


def add_sums(dY, n, dbias, at):
    """Add the sum of the first n rows to dbias, from `at` on."""
    step, even_rows = dY.shape[1], n // 2 * 2
    for k in span(0, dbias.shape[1], VECTOR):
        sums = Sums([load(dbias, at + k), zeros()])  # one sum would wait for each addition
        for p in span(0, even_rows, 2):
            for i in range(2):
                sums[i] += load(dY, (p + i) * step + k)
        with when(even_rows < n):
            sums[0] += load(dY, even_rows * step + k)
        store(sums[0] + sums[1], dbias, at + k)
