"""Winograd F(4×4, 3×3): tiles and filters into the 36 positions and back, and the adjoints.

Lesson: lessons/14-fast-on-a-cpu.md. The matrices are in `cook_toom.py`.

    x   (N, H, W, C)    input, channels last       V  (T, 36·C + 16)    Bᵀ d B  of each 6×6 tile
    y   (N, Ho, Wo, K)  output, channels last      M  (T, 36·K + 16)    V·U, position by position
    weight (K, C, 3, 3)                            U  (36, C·K + 16)    G g Gᵀ  of each filter

A tile is 4×4 outputs and the 6×6 inputs they need, so neighbouring input tiles share two rows or
columns. The functions work through tiles first … last - 1, numbered row by row through the batch.
Where Ho or Wo is no multiple of 4 the last tiles hang over the edge: what they would read there is
zero and what they would write there is thrown away.

A two-dimensional transform is a one-dimensional one down the columns, then one along the rows. The
channels of a pixel lie side by side in memory, and all arithmetic is done on sixteen of them at a
time. V, M and U have their channels rounded up to a multiple of sixteen, and end with a vector that
nobody uses: winograd.py says why.
"""

from tinyunet.backends.cpu.cook_toom import (
    filter_1d,
    filter_1d_adjoint,
    input_1d,
    input_1d_adjoint,
    output_1d,
    output_1d_adjoint,
)
from tinyunet.backends.cpu.tracing import cases, least, most, round_up, span, when, where
from tinyunet.backends.cpu.vector import (
    VECTOR,
    Rounded,
    Sums,
    add_to,
    copy,
    larger,
    load,
    relu,
    relu_gradient,
    scratch,
    store,
    zeros,
)

LINE = 6 * VECTOR  # of a square of 6×6 vectors


# Sixteen channels of a tile -----------------------------------------------------------------------
def load_line(a, at, step, size=6):
    """The vectors at `at`, `at + step` …"""
    return [load(a, at + i * step) for i in range(size)]


def store_line(vectors, a, at, step):
    """Store the vectors at `at`, `at + step` …"""
    for i, vector in enumerate(vectors):
        store(vector, a, at + i * step)


class Square:
    """`size`² pixels of sixteen channels of a tile, in an image of the batch."""

    def __init__(self, image, tile, channel, size):
        _, height, width, channels = image.shape
        overlap = size - 4  # of an input tile
        tiles, tile_rows = (width - overlap + 3) // 4, (height - overlap + 3) // 4
        row = tile // tiles
        n, i, j = row // tile_rows, row % tile_rows * 4, tile % tiles * 4
        self.image, self.size, self.tile_row = image, size, row
        self.at = ((n * height + i) * width + j) * channels + channel
        self.row, self.column = width * channels, channels  # to the next ones
        self.rows, self.columns, self.channels = height - i, width - j, channels - channel
        self.first_row, self.first_column = n * height + i, j  # the rows of the whole batch
        self.whole = (self.rows >= size) & (self.columns >= size) & (self.channels >= VECTOR)

    def place(self, a, b):
        """Where the pixel in row a and column b is."""
        return self.at + a * self.row + b * self.column

    def inside(self, a, b):
        """How many channels of that pixel there are: none where it is not in the image."""
        return where((self.rows > a) & (self.columns > b), self.channels, 0)

    def read(self):
        """(numbers, row, column) of the square, or if it is not whole, of a copy with zeros."""
        patch, size = scratch(self.size * self.size), self.size
        for whole in cases(self.whole):
            for a in span(0 if whole else size):
                for b in span(size):
                    pixel = load(self.image, self.place(a, b), self.inside(a, b))
                    store(pixel, patch, (size * a + b) * VECTOR)
        row = where(self.whole, self.row, size * VECTOR)
        column = where(self.whole, self.column, VECTOR)
        return where(self.whole, self.image + self.at, patch), row, column


# Forward ------------------------------------------------------------------------------------------
def gather_inputs(x, first, last, start, V):
    """Rows first - start … of V = Bᵀ d B of tiles first … last - 1: V begins with tile `start`."""
    half, step = scratch(36), V.shape[1] // 36  # from one position to the next
    for tile in span(first, last):
        for c in span(0, x.shape[3], VECTOR):
            d, row, column = Square(x, tile, c, 6).read()
            for b in span(6):
                store_line(input_1d(*load_line(d, b * column, row)), half, b * VECTOR, LINE)
            v = (tile - start) * V.shape[1] + c
            for a in span(6):
                positions = input_1d(*load_line(half, a * LINE, VECTOR))
                store_line(positions, V, v + 6 * a * step, step)


def scatter_outputs(M, bias, first, last, channel, end, y, pooled):
    """y = max(0, Aᵀ M A + bias) of tiles first … last - 1, channels channel … end - 1.

    M begins with that tile and channel; `bias` has as many channels as y, rounded up. If `pooled`
    (N, Ho/2, Wo/2, K) is not empty, it gets the largest of each 2×2 window: a tile has four.
    """
    half, step = scratch(36), M.shape[1] // 36
    for tile in span(first, last):
        for k in span(channel, end, VECTOR):
            m = (tile - first) * M.shape[1] + k - channel
            for q in span(6):
                store_line(output_1d(*load_line(M, m + q * step, 6 * step)), half, q * VECTOR, LINE)
            square = Square(y, tile, k, 4)
            for a in span(4):
                values = output_1d(*load_line(half, a * LINE, VECTOR))
                values = [relu(value + load(bias, k)) for value in values]
                for whole in cases(square.whole):
                    for b, value in enumerate(values):
                        store(value, y, square.place(a, b), None if whole else square.inside(a, b))
            with when(pooled.size > 0):
                pool_windows(square, pooled, k)


def pool_windows(square, pooled, k):
    """The largest of each window of a square, just made and still in the nearest cache."""
    y, channels = square.image, square.column
    row = square.row // channels // 2 * channels  # of pooled
    place = square.first_row // 2 * row + square.first_column // 2 * channels + k
    for whole in cases(square.whole):
        for a in span(0, 4, 2):
            for b in range(0, 4, 2):
                n = None if whole else square.inside(a, b)
                corners = [load(y, square.place(a + i, b + j), n) for i in (0, 1) for j in (0, 1)]
                largest = larger(larger(*corners[:2]), larger(*corners[2:]))
                store(largest, pooled, place + a // 2 * row + b // 2 * channels, n)


# Backward -----------------------------------------------------------------------------------------
def gather_gradients(dy, y, first, last, start, dM, dbias, row0):
    """Rows first - start … of dM = A g Aᵀ, g being dy where the ReLU is open.

    dbias (rows of tiles, K rounded up): the sum of g is added to its tile's row; the first row of
    dbias is row `row0` of the batch.
    """
    half, step = scratch(36), dM.shape[1] // 36
    for tile in span(first, last):
        for k in span(0, dy.shape[3], VECTOR):
            square = Square(dy, tile, k, 4)
            (upstream, row, column), (output, _, _) = square.read(), Square(y, tile, k, 4).read()
            at = (square.tile_row - row0) * step + k
            total = Sums([load(dbias, at)])
            for b in span(4):
                g, z = (load_line(numbers, b * column, row, 4) for numbers in (upstream, output))
                g = [relu_gradient(*pair) for pair in zip(g, z, strict=True)]
                total[0] += (g[0] + g[1]) + (g[2] + g[3])
                store_line(output_1d_adjoint(*g), half, b * VECTOR, LINE)
            store(total[0], dbias, at)
            m = (tile - start) * dM.shape[1] + k
            for a in span(6):
                positions = output_1d_adjoint(*load_line(half, a * LINE, VECTOR, 4))
                store_line(positions, dM, m + 6 * a * step, step)


def scatter_gradients(dV, first, last, channel, end, top, bottom, dx):
    """dx += B dV Bᵀ of tiles first … last - 1, channels channel … end - 1: tiles overlap.

    dV begins with that tile and channel. Only rows top … bottom - 1 of dx, counted through the
    batch, are touched: the others are another thread's.
    """
    half, step = scratch(36), dV.shape[1] // 36
    for tile in span(first, last):
        for c in span(channel, end, VECTOR):
            v = (tile - first) * dV.shape[1] + c - channel
            for q in span(6):
                line = input_1d_adjoint(*load_line(dV, v + q * step, 6 * step))
                store_line(line, half, q * VECTOR, LINE)
            square = Square(dx, tile, c, 6)
            whole = (square.columns >= 6) & (square.channels >= VECTOR)
            last_row = least(least(square.rows, 6), bottom - square.first_row)
            for a in span(most(top - square.first_row, 0), last_row):
                values = input_1d_adjoint(*load_line(half, a * LINE, VECTOR))
                for all_of_it in cases(whole):
                    for b, value in enumerate(values):
                        at, n = square.place(a, b), None if all_of_it else square.inside(a, b)
                        add_to(dx, at, value, n)


# Filters ------------------------------------------------------------------------------------------
def transform_filters(weight, transposed, first, last, U, u):
    """U = G g Gᵀ of weight (K, C, 3, 3) for output channels first … last - 1, from U[p, u] on.

    Sixteen output channels lie side by side, in rows of input channels, as the products read them;
    `transposed` the other way round, as the gradient of the input needs them. What the last panel
    has beyond `last` is zero.
    """
    half, taps = scratch(36), scratch(9 * VECTOR)  # (row of U, tap, column of U) of sixteen rows
    out_channels, channels = weight.shape[:2]
    rows, step = out_channels if transposed else channels, U.shape[1]
    for column in span(first, last, VECTOR):
        for row in span(0, rows, VECTOR):
            size, place = (least(last - column, VECTOR), least(rows - row, VECTOR)), (1, 9 * VECTOR)
            k, c = (row, column) if transposed else (column, row)
            (ks, cs), (k_place, c_place) = (p[::-1] if transposed else p for p in (size, place))
            for i in span(9 * VECTOR):
                store(zeros(), taps, i * VECTOR)
            # The weights are read in the order in which they lie, 16×16 filters at a time.
            for i in span(ks):
                for j in span(cs):
                    at, to = ((k + i) * channels + c + j) * 9, i * k_place + j * c_place
                    for tap in range(9):
                        copy(weight, at + tap, taps, to + tap * VECTOR)
            to = u + (column - first) * rows + row * VECTOR
            for r in span(size[1]):
                for b in span(3):
                    line = load_line(taps, (9 * r + b) * VECTOR, 3 * VECTOR, 3)
                    store_line(filter_1d(*line), half, b * VECTOR, LINE)
                for a in span(6):
                    positions = filter_1d(*load_line(half, a * LINE, VECTOR, 3))
                    store_line(positions, U, to + r * VECTOR + 6 * a * step, step)


def rounded_adjoint(line):
    """Gᵀ of a line, with the same digits whatever LLVM would fuse."""
    return filter_1d_adjoint(*(Rounded(vector.value) for vector in line))


def filter_gradient(dU, start, first, last, dweight):
    """dweight = Gᵀ dU G of output channels first … last - 1, dU being the sum of all pieces.

    dU (pieces, 36, K·C + 16), a row of C for each of the K, both rounded up, begins with channel
    `start` of K.
    """
    half, taps = scratch(36), scratch(9)
    channels, step = dweight.shape[1], dU.shape[2]
    for k in span(first, last):
        for c in span(0, channels, VECTOR):
            at = (k - start) * round_up(channels, VECTOR) + c
            for q in span(6):
                sums = Sums([zeros()] * 6)
                for piece in span(dU.shape[0]):
                    for p in range(6):
                        sums[p] += load(dU, at + (36 * piece + 6 * p + q) * step)
                store_line(rounded_adjoint(sums), half, q * VECTOR, LINE)
            for a in span(3):
                line = rounded_adjoint(load_line(half, a * LINE, VECTOR))
                store_line(line, taps, 3 * a * VECTOR, VECTOR)
            for i in span(least(channels - c, VECTOR)):
                for tap in range(9):
                    copy(taps, tap * VECTOR + i, dweight, ((k * channels) + c + i) * 9 + tap)
