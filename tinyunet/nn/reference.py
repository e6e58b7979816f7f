"""The same operations as plain loops over the paper's formulas: slow, and hard to get wrong.

The lessons start from these; every faster version is tested against them. They take NumPy arrays
of any float dtype in the shapes of the operations, return plain results without a cache, and the
backward pass of an operation takes its inputs again. Each backward pass is its forward's loop with
the assignment turned around: wherever the forward pass says `y += w · x`, the backward pass says
`dx += w · dy` and `dw += x · dy`.
Lessons: lessons/01-valid-convolution.md to lessons/06-cross-entropy.md.
"""

import math

import numpy as np


def conv2d(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Valid convolution: x (N, C, H, W), weight (O, C, kh, kw), bias (O,) → y (N, O, H', W')."""
    n_images, channels, height, width = x.shape
    out_channels, _, kh, kw = weight.shape
    y = np.zeros((n_images, out_channels, height - kh + 1, width - kw + 1), x.dtype)
    for n, o, i, j in np.ndindex(y.shape):
        total = bias[o]
        for c, a, b in np.ndindex(channels, kh, kw):
            total += weight[o, c, a, b] * x[n, c, i + a, j + b]
        y[n, o, i, j] = total
    return y


def conv2d_backward(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (dx, dweight, dbias) of `conv2d` for dy (N, O, H', W')."""
    _, channels, kh, kw = weight.shape
    dx, dweight = np.zeros_like(x), np.zeros_like(weight)
    dbias = np.zeros(len(weight), weight.dtype)
    for n, o, i, j in np.ndindex(dy.shape):
        dbias[o] += dy[n, o, i, j]
        for c, a, b in np.ndindex(channels, kh, kw):
            dweight[o, c, a, b] += dy[n, o, i, j] * x[n, c, i + a, j + b]
            dx[n, c, i + a, j + b] += dy[n, o, i, j] * weight[o, c, a, b]
    return dx, dweight, dbias


def relu(x: np.ndarray) -> np.ndarray:
    """Return max(x, 0) element by element."""
    y = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        if x[index] > 0:
            y[index] = x[index]
    return y


def relu_backward(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return dx of `relu`: dy where x > 0."""
    dx = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        if x[index] > 0:
            dx[index] = dy[index]
    return dx


def _first_maximum(x: np.ndarray, n: int, c: int, i: int, j: int) -> tuple[int, int]:
    """Return (row, column) of the first largest pixel in window (i, j), in reading order."""
    best = (2 * i, 2 * j)
    for a, b in ((0, 1), (1, 0), (1, 1)):
        if x[n, c, 2 * i + a, 2 * j + b] > x[n, c, best[0], best[1]]:
            best = (2 * i + a, 2 * j + b)
    return best


def max_pool2d(x: np.ndarray) -> np.ndarray:
    """2×2 max-pooling, stride 2: x (N, C, H, W) → y (N, C, H/2, W/2)."""
    n_images, channels, height, width = x.shape
    y = np.zeros((n_images, channels, height // 2, width // 2), x.dtype)
    for n, c, i, j in np.ndindex(y.shape):
        row, column = _first_maximum(x, n, c, i, j)
        y[n, c, i, j] = x[n, c, row, column]
    return y


def max_pool2d_backward(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return dx of `max_pool2d`: dy at the first maximum of each window, 0 elsewhere."""
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(dy.shape):
        row, column = _first_maximum(x, n, c, i, j)
        dx[n, c, row, column] = dy[n, c, i, j]
    return dx


def up_conv2d(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """2×2 up-convolution: x (N, C, h, w), weight (C, O, 2, 2), bias (O,) → y (N, O, 2h, 2w)."""
    n_images, channels, height, width = x.shape
    out_channels = weight.shape[1]
    y = np.zeros((n_images, out_channels, 2 * height, 2 * width), x.dtype)
    for n, o, i, j, a, b in np.ndindex(n_images, out_channels, height, width, 2, 2):
        total = bias[o]
        for c in range(channels):
            total += x[n, c, i, j] * weight[c, o, a, b]
        y[n, o, 2 * i + a, 2 * j + b] = total
    return y


def up_conv2d_backward(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (dx, dweight, dbias) of `up_conv2d` for dy (N, O, 2h, 2w)."""
    n_images, channels, height, width = x.shape
    out_channels = weight.shape[1]
    dx, dweight = np.zeros_like(x), np.zeros_like(weight)
    dbias = np.zeros(out_channels, weight.dtype)
    for n, o, i, j, a, b in np.ndindex(n_images, out_channels, height, width, 2, 2):
        gradient = dy[n, o, 2 * i + a, 2 * j + b]
        dbias[o] += gradient
        for c in range(channels):
            dx[n, c, i, j] += gradient * weight[c, o, a, b]
            dweight[c, o, a, b] += gradient * x[n, c, i, j]
    return dx, dweight, dbias


def center_crop_concat(skip: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return y (N, C1 + C2, h, w): the centre of skip (N, C1, H, W), then x (N, C2, h, w)."""
    n_images, skip_channels, skip_height, skip_width = skip.shape
    _, channels, height, width = x.shape
    top, left = (skip_height - height) // 2, (skip_width - width) // 2
    y = np.zeros((n_images, skip_channels + channels, height, width), x.dtype)
    for n, c, i, j in np.ndindex(y.shape):
        if c < skip_channels:
            y[n, c, i, j] = skip[n, c, i + top, j + left]
        else:
            y[n, c, i, j] = x[n, c - skip_channels, i, j]
    return y


def center_crop_concat_backward(
    dy: np.ndarray, skip: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (dskip, dx) of `center_crop_concat`."""
    skip_channels = skip.shape[1]
    top, left = (skip.shape[2] - x.shape[2]) // 2, (skip.shape[3] - x.shape[3]) // 2
    dskip, dx = np.zeros_like(skip), np.zeros_like(x)
    for n, c, i, j in np.ndindex(dy.shape):
        if c < skip_channels:
            dskip[n, c, i + top, j + left] = dy[n, c, i, j]
        else:
            dx[n, c - skip_channels, i, j] = dy[n, c, i, j]
    return dskip, dx


def softmax_cross_entropy(logits: np.ndarray, labels: np.ndarray, weight_map: np.ndarray) -> float:
    """Return −(1/n) Σ_x w(x) · log p_label(x), over the n pixels of logits (N, K, H, W)."""
    total = 0.0
    for n, i, j in np.ndindex(labels.shape):
        p = _softmax_of_pixel(logits[n, :, i, j])
        total -= float(weight_map[n, i, j]) * math.log(p[labels[n, i, j]])
    return total / labels.size


def softmax_cross_entropy_backward(
    logits: np.ndarray, labels: np.ndarray, weight_map: np.ndarray
) -> np.ndarray:
    """Return dlogits: w/n · (p_k − [k is the label]) for every pixel and class."""
    dlogits = np.zeros_like(logits)
    for n, i, j in np.ndindex(labels.shape):
        p = _softmax_of_pixel(logits[n, :, i, j])
        for k in range(len(p)):
            is_label = 1.0 if k == labels[n, i, j] else 0.0
            dlogits[n, k, i, j] = weight_map[n, i, j] * (p[k] - is_label) / labels.size
    return dlogits


def _softmax_of_pixel(z: np.ndarray) -> list[float]:
    largest = max(float(v) for v in z)
    powers = [math.exp(float(v) - largest) for v in z]
    return [power / sum(powers) for power in powers]
