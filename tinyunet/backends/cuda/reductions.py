"""Sums over all pixels, in a fixed order, with enough blocks side by side to fill a GPU.

A gradient of a parameter is a sum over every pixel. Made in one go by the few blocks that its
result has room for, such a sum takes longer than all the work beside it: so it is cut into slices,
and a last kernel adds the slices up in order. Lesson: lessons/15-fast-on-a-gpu.md.
"""

ENOUGH_BLOCKS = 528  # four for each of the 132 multiprocessors of an H100
SLICE_NUMBERS = 4096  # of a sum: fewer are not worth a block
TILE = 128  # rows and columns of a product that one block of cuBLAS makes, at most


def row_sums(gpu, x):
    """Return the sums (rows,) of x (N, rows, length) over images and length, in a fixed order."""
    n, rows, length = x.shape
    slices = max(1, min(ENOUGH_BLOCKS // rows, length // SLICE_NUMBERS))
    sums = gpu.empty(slices, rows)
    gpu.launch_blocks("row_sums", rows * slices, x, sums, n, rows, length, slices)
    return sum_slices(gpu, sums)


def sum_slices(gpu, partial):
    """Return partial (slices, …) summed over the slices, in order."""
    if len(partial) == 1:
        return partial[0]
    out = gpu.empty(*partial.shape[1:])
    gpu.launch("sum_slices", out.size, partial, out, len(partial), out.size)
    return out


def product_over_pixels(gpu, a, b, precision="float32"):
    """Return Σ a · bᵀ (rows, columns) over images and pixels, for a (N, rows, h, w) and b alike.

    Each image's rows of pixels are cut into groups, whose products are made side by side.
    """
    n, rows, h, w = a.shape
    columns = b.shape[1]
    blocks = -(-rows // TILE) * -(-columns // TILE)
    groups = next(g for g in range(1, h + 1) if h % g == 0 and (g * blocks * n >= 264 or g == h))
    partial = gpu.empty(n * groups, rows, columns)
    for image in range(n):
        factors = [x[image].reshape(-1, groups, h // groups * w).transpose(1, 0, 2) for x in (a, b)]
        out = partial[image * groups : (image + 1) * groups]
        gpu.product(*factors, False, True, precision, out=out)
    return sum_slices(gpu, partial)
