"""The operations of the U beside its convolutions, on the GPU: one kernel each.

The mathematics, the shapes and the returns are those of tinyunet/nn (which the tests hold them
to); the kernels are in backends/cuda/layers.cu. Every function takes the `Gpu` it runs on first.
Lesson: lessons/15-fast-on-a-gpu.md.
"""

import numpy as np

from tinyunet.backends.cuda.pointwise import for_each
from tinyunet.backends.cuda.reductions import product_over_pixels, row_sums

LOSS_BLOCKS = 512  # each adds up its share of the pixels; a last block adds the blocks
PARAMETERS = 64  # in one launch of momentum_update: what its struct has room for
BLOCK_WORK = 4096  # numbers that one block of momentum_update updates
STRUCT = np.dtype(
    [
        ("p", np.uint64, PARAMETERS),
        ("v", np.uint64, PARAMETERS),
        ("g", np.uint64, PARAMETERS),
        ("size", np.int32, PARAMETERS),
        ("first_block", np.int32, PARAMETERS),
    ]
)


def max_pool2d(gpu, x):
    """Return y (N, C, H/2, W/2) and x as the kernel takes it."""
    n, channels, h, w = x.shape
    x, y = gpu.contiguous(x), gpu.empty(n, channels, h // 2, w // 2)
    gpu.launch_maps("max_pool_forward", n * channels, y.size // (n * channels), x, y, h, w)
    return y, x


def max_pool2d_backward(gpu, dy, x, onto):
    """Return dx (N, C, H, W): dy at each window's first maximum, added to `onto` if given."""
    n, channels, h, w = x.shape
    dx = gpu.empty(*x.shape) if onto is None else gpu.contiguous(onto)
    maps = n * channels
    arguments = (gpu.contiguous(dy), x, dx, h, w, int(onto is not None))
    gpu.launch_maps("max_pool_backward", maps, dy.size // maps, *arguments)
    return dx


def center_crop_concat(gpu, skip, x):
    """Return y (N, C1 + C2, h, w): the centre of skip (N, C1, H, W), then x (N, C2, h, w)."""
    sizes, place = _crop(skip.shape, x.shape)
    n, channels, h, w = x.shape[0], skip.shape[1] + x.shape[1], x.shape[2], x.shape[3]
    y = gpu.empty(n, channels, h, w)
    arrays = (gpu.contiguous(skip), gpu.contiguous(x), y)
    gpu.launch_maps("crop_concat", n * channels, h * w, *arrays, *sizes, *place)
    return y


def center_crop_concat_backward(gpu, dy, skip_shape, x_shape):
    """Return (dskip, dx); dx is a view of dy."""
    sizes, place = _crop(skip_shape, x_shape)
    n, channels, h, w = skip_shape
    dskip = gpu.empty(*skip_shape)
    gpu.launch_maps("crop_gradient", n * channels, h * w, gpu.contiguous(dy), dskip, *sizes, *place)
    return dskip, dy[:, skip_shape[1] :]


def _crop(skip_shape, x_shape):
    """Return (C1, C2, H, W, h, w) and the window's (top, left), as the kernels want them."""
    _, skip_channels, *large = skip_shape
    _, channels, *small = x_shape
    place = [(a - b) // 2 for a, b in zip(large, small, strict=True)]
    return (skip_channels, channels, *large, *small), place


def up_conv2d(gpu, x, weight, bias, precision):
    """Return y (N, O, 2h, 2w) for x (N, C, h, w) and weight (C, O, 2, 2): product, then placing."""
    n, channels, h, w = x.shape
    out_channels = weight.shape[1]
    x = gpu.contiguous(x).reshape(n, channels, h * w)
    matrix = for_each(gpu, weight.reshape(channels, -1), n)
    patches = gpu.product(matrix, x, True, False, precision)  # (N, O·2·2, h·w)
    y = gpu.empty(n, out_channels, 2 * h, 2 * w)
    arguments = (patches, gpu.contiguous(bias), y, out_channels, h, w)
    gpu.launch_maps("patches_to_image", n * out_channels, 4 * h * w, *arguments)
    return y


def up_conv2d_backward(gpu, dy, x, weight, precision):
    """Return (dx, dweight, dbias) for dy (N, O, 2h, 2w)."""
    n, channels, h, w = x.shape
    out_channels = weight.shape[1]
    patches = gpu.empty(n, 4 * out_channels, h, w)
    arguments = (gpu.contiguous(dy), patches, h, w)
    gpu.launch_maps("image_to_patches", n * out_channels, 4 * h * w, *arguments)
    x = gpu.contiguous(x)
    dweight = product_over_pixels(gpu, x, patches, precision).reshape(weight.shape)
    dbias = row_sums(gpu, patches.reshape(n, out_channels, 4 * h * w))
    matrix = for_each(gpu, weight.reshape(channels, -1), n)
    dx = gpu.product(matrix, patches.reshape(n, -1, h * w), False, False, precision)
    return dx.reshape(n, channels, h, w), dweight, dbias


def softmax_cross_entropy(gpu, logits, labels, weights):
    """Return the loss (a 0-d float64 on the device) and dlogits, both from one pass."""
    n, classes, h, w = logits.shape
    logits = gpu.contiguous(logits)
    labels = gpu.contiguous(labels.astype(np.int32, copy=False))
    if weights is not None:
        weights = gpu.contiguous(weights.astype(np.float32, copy=False))
    blocks = min(LOSS_BLOCKS, -(-labels.size // 256))
    partial, loss = gpu.empty(blocks, dtype=np.float64), gpu.empty(1, dtype=np.float64)
    dlogits = gpu.empty(*logits.shape)
    arrays = (logits, labels, weights, dlogits, partial)
    gpu.launch_blocks("softmax_loss", blocks, *arrays, n, classes, h * w)
    gpu.launch_blocks("sum_partials", 1, partial, loss, blocks, labels.size)
    return loss.reshape(()), dlogits


def momentum_update(gpu, params, velocity, grads, rate, momentum):
    """Do v ← momentum·v + g, p ← p − rate·v for three lists of arrays, in place, in one launch.

    `rate` and `momentum` are arrays of one float32 on the device, so that a captured graph sees
    them change.
    Raises ValueError unless the arrays of a parameter are float32, row-major and of one size.
    """
    for p, v, g in zip(params, velocity, grads, strict=True):
        if not all(a.dtype == np.float32 and a.flags.c_contiguous for a in (p, v, g)):
            raise ValueError("parameters, velocities and gradients must be row-major float32")
        if not p.shape == v.shape == g.shape:
            raise ValueError(f"parameter {p.shape}, velocity {v.shape}, gradient {g.shape} differ")
    for start in range(0, len(params), PARAMETERS):
        part = slice(start, start + PARAMETERS)
        table, blocks = _table(params[part], velocity[part], grads[part])
        count = len(params[part])
        gpu.launch_blocks("momentum_update", blocks, table, count, rate, momentum)


def _table(params, velocity, grads):
    """Return the kernel's struct `Parameters`, as an array of one, and the blocks it asks for."""
    table = np.zeros(1, STRUCT)
    blocks = 0
    for k, arrays in enumerate(zip(params, velocity, grads, strict=True)):
        for field, array in zip("pvg", arrays, strict=True):
            table[field][0, k] = pointer(array)
        table["size"][0, k] = arrays[0].size
        table["first_block"][0, k] = blocks
        blocks += -(-arrays[0].size // BLOCK_WORK)
    return table, blocks


def pointer(array):
    """Return the address of an array's memory: CuPy's on the device, NumPy's in the tests."""
    return array.data.ptr if hasattr(array.data, "ptr") else array.ctypes.data
