"""Checks of exercises 03 and 05: ReLU and pooling, crop and concatenate.

Lessons: `lessons/03-relu-and-pool.md`, `lessons/05-the-u.md`.
"""

import numpy as np

from tinyunet.exercises.diagnose import TOLERANCE_FLOAT32, compare
from tinyunet.exercises.learner import results
from tinyunet.ops import naive


def check_relu_and_pool(learner):
    """Exercise 03: `relu`, `relu_backward`, `max_pool2d`, `max_pool2d_backward`."""
    relu, relu_backward = learner.function("relu"), learner.function("relu_backward")
    pool, pool_backward = learner.function("max_pool2d"), learner.function("max_pool2d_backward")
    rng = np.random.default_rng(3)
    x = rng.standard_normal((2, 3, 4, 6))
    x[0, 0] = np.round(x[0, 0])  # ones with exact zeros among them
    dy, small = rng.standard_normal(x.shape), rng.standard_normal((2, 3, 2, 3))
    yield "relu against the loops"
    compare("y", relu(x), naive.relu(x), (
        (np.abs(x), "your relu mirrors what is negative: it must become 0, not |x|"),
        (np.minimum(x, 0), "your relu keeps the negative side: y = max(x, 0)"),
        ((x > 0) * 1.0, "your relu returns where x > 0, not x there"),
    ))  # fmt: skip
    yield "relu_backward, for a random upstream gradient, with zeros in x"
    compare("dx", relu_backward(dy, x), naive.relu_backward(dy, x), (
        ((x > 0) * 1.0, "your dx is right only for an all-ones upstream gradient: multiply by dy"),
        (dy * (x >= 0), "your dx lets the gradient through where x is exactly 0: lesson 03 takes "
         "0 there, x > 0 and not x >= 0"),
        (dy * (dy > 0), "your dx asks for the sign of dy: it is x that decides"),
        (dy * np.maximum(x, 0), "your dx is dy times relu(x): the slope is 1 or 0"),
        (dy * (x < 0), "your dx passes where x < 0: it is the other way round"),
    ))  # fmt: skip
    yield "max_pool2d against the loops"
    windows = x.reshape(2, 3, 2, 2, 3, 2)
    compare("y", pool(x), naive.max_pool2d(x), (
        (windows.mean(axis=(3, 5)), "your y is the mean of each window: it should be the maximum"),
        (windows.sum(axis=(3, 5)), "your y is the sum of each window: it should be the maximum"),
        (x[:, :, ::2, ::2], "your y is the first pixel of each window, not the largest"),
        (np.maximum(windows.max(axis=(3, 5)), 0), "your y is never negative: start from the "
         "window's first pixel, not from 0"),
    ))  # fmt: skip
    yield "max_pool2d_backward, for a random upstream gradient"
    _compare_pool_backward(pool_backward, rng.standard_normal(x.shape), small)
    yield "ties: who gets the gradient where maxima are equal?"
    _compare_pool_backward(pool_backward, np.zeros_like(x), small)
    _compare_pool_backward(pool_backward, np.round(x), small)
    yield "awkward sizes: one window, one column of windows"
    for shape in ((1, 1, 2, 2), (3, 2, 6, 2)):
        x = rng.standard_normal(shape)
        compare("y", pool(x), naive.max_pool2d(x))
        dy = rng.standard_normal((*shape[:2], shape[2] // 2, shape[3] // 2))
        _compare_pool_backward(pool_backward, x, dy)
    yield "float32 in, float32 out"
    x, dy = x.astype(np.float32), dy.astype(np.float32)
    full = rng.standard_normal(x.shape).astype(np.float32)
    for name, got, want in (
        ("y of relu", relu(x), naive.relu(x)),
        ("dx of relu", relu_backward(full, x), naive.relu_backward(full, x)),
        ("y of max_pool2d", pool(x), naive.max_pool2d(x)),
        ("dx of max_pool2d", pool_backward(dy, x), naive.max_pool2d_backward(dy, x)),
    ):
        compare(name, got, want, tolerance=TOLERANCE_FLOAT32, dtype=np.float32)


def _compare_pool_backward(backward, x, dy):
    n, c, height, width = dy.shape
    blocks = x.reshape(n, c, height, 2, width, 2).transpose(0, 1, 2, 4, 3, 5).reshape(-1, 4)
    every = blocks == blocks.max(axis=1, keepdims=True)
    last = np.zeros_like(blocks)
    last[np.arange(len(blocks)), 3 - np.argmax(blocks[:, ::-1], axis=1)] = 1
    down = np.zeros_like(blocks)  # the order (0, 0), (1, 0), (0, 1), (1, 1)
    order = np.array([0, 2, 1, 3])
    down[np.arange(len(blocks)), order[np.argmax(blocks[:, order], axis=1)]] = 1
    least = np.zeros_like(blocks)
    least[np.arange(len(blocks)), np.argmin(blocks, axis=1)] = 1

    def spread(shares):
        terms = (shares * dy.reshape(-1, 1)).reshape(n, c, height, width, 2, 2)
        return terms.transpose(0, 1, 2, 4, 3, 5).reshape(x.shape)

    want = naive.max_pool2d_backward(dy, x)
    compare("dx", backward(dy, x), want, (
        (spread(every), "your gradient goes to every maximum on ties: the lesson gives it to the "
         "first in reading order, so that what flows back is what came"),
        (spread(every / every.sum(axis=1, keepdims=True)),
         "your gradient is shared among equal maxima: the first in reading order gets all of it"),
        (spread(last), "your gradient goes to the last of equal maxima: the first in reading order "
         "gets it (is there >= where > should be?)"),
        (spread(down), "your equal maxima are visited column by column: reading order goes along "
         "the rows, (0, 0), (0, 1), (1, 0), (1, 1)"),
        (spread(np.ones_like(blocks)),
         "your gradient goes to all four pixels of a window: only the largest went through"),
        (spread(np.full_like(blocks, 0.25)),
         "your gradient is spread as for a mean: only the largest pixel went through"),
        (naive.max_pool2d_backward(np.ones_like(dy), x),
         "your dx is right only for an all-ones upstream gradient: put dy there, not 1"),
        (spread(least), "your gradient goes to the smallest pixel of each window"),
        (want * x, "your dx is multiplied by x: the slope of a maximum is 1 or 0"),
    ))  # fmt: skip


def check_crop_concat(learner):
    """Exercise 05: `center_crop_concat(skip, x)` and its backward."""
    forward = learner.function("center_crop_concat")
    backward = learner.function("center_crop_concat_backward")
    sizes = (((2, 3, 9, 10), (2, 2, 3, 6)), ((1, 2, 5, 4), (1, 1, 4, 3)), ((1, 1, 3, 3),) * 2)
    titles = (
        "a 9×10 skip and a 3×6 map, against the loops",
        "awkward sizes: an odd rest, where the crop lies half a pixel to the top left",
        "awkward sizes: nothing to crop",
    )
    for title, (skip_shape, x_shape) in zip(titles, sizes, strict=True):
        yield title
        rng = np.random.default_rng(5)
        skip, x = rng.standard_normal(skip_shape), rng.standard_normal(x_shape)
        dy = rng.standard_normal((x_shape[0], skip_shape[1] + x_shape[1], *x_shape[2:]))
        _compare_concat(forward(skip, x), skip, x)
        gots = results("center_crop_concat_backward", backward(dy, skip, x), ("dskip", "dx"))
        _compare_concat_backward(gots, dy, skip, x)
    yield "float32 in, float32 out"
    skip, x, dy = (a.astype(np.float32) for a in (skip, x, dy))
    compare("y", forward(skip, x), naive.center_crop_concat(skip, x), dtype=np.float32)
    gots = results("center_crop_concat_backward", backward(dy, skip, x), ("dskip", "dx"))
    wants = naive.center_crop_concat_backward(dy, skip, x)
    for name, got, want in zip(("dskip", "dx"), gots, wants, strict=True):
        compare(name, got, want, dtype=np.float32)


def _compare_concat(got, skip, x):
    height, width = x.shape[2:]
    want = naive.center_crop_concat(skip, x)
    crop = want[:, : skip.shape[1]]
    corner, end = skip[:, :, :height, :width], skip[:, :, -height:, -width:]
    top, left = -(-(skip.shape[2] - height) // 2), -(-(skip.shape[3] - width) // 2)
    ceil = skip[:, :, top : top + height, left : left + width]
    compare("y", got, want, (
        (np.concatenate([x, crop], 1), "your channels are in the other order: the skip first, "
         "then the up-convolved map"),
        (np.concatenate([corner, x], 1), "you crop the top left corner: the skip's centre is what "
         "lies over x (lesson 05)"),
        (np.concatenate([ceil, x], 1), "your crop is one pixel too far to the bottom right: an odd "
         "rest rounds down, (H − h) // 2"),
        (np.concatenate([end, x], 1), "you crop the bottom right corner: take the centre"),
        (crop, "your y is only the crop: x is missing behind it"),
    ))  # fmt: skip


def _compare_concat_backward(gots, dy, skip, x):
    dskip, dx = naive.center_crop_concat_backward(dy, skip, x)
    channels, (height, width) = skip.shape[1], x.shape[2:]
    swapped = dy[:, : x.shape[1]]
    corner = np.zeros_like(dskip)
    corner[:, :, :height, :width] = dy[:, :channels]
    ones = naive.center_crop_concat_backward(np.ones_like(dy), skip, x)
    compare("dx", gots[1], dx, (
        (swapped, "your dx takes the skip's channels: the skip's are the first "
         f"{channels}, x's come after them"),
        (ones[1], "your dx is right only for an all-ones upstream gradient: copy dy"),
    ))  # fmt: skip
    compare("dskip", gots[0], dskip, (
        (dy[:, :channels], "your dskip is as large as the crop: the skip was larger, and the "
         "pixels that were cut away get a gradient of 0"),
        (corner, "your dskip lies in the top left corner: the crop was the centre"),
        (ones[0], "your dskip is right only for an all-ones upstream gradient: copy dy"),
    ))  # fmt: skip
