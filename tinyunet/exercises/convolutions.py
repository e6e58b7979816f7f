"""Checks of exercises 01, 02 and 04: the convolution, its backward, the up-convolution.

Lessons: `lessons/01-valid-convolution.md`, `lessons/02-convolution-backward.md`,
`lessons/04-up-convolution.md`. Each check is a generator: it yields the title of a step and then
does it, raising `Wrong` if the answer is not right.
"""

import numpy as np

from tinyunet.exercises.diagnose import TOLERANCE_FLOAT32, compare
from tinyunet.exercises.learner import results
from tinyunet.gradcheck import numerical_gradient
from tinyunet.ops import naive

# (images, channels in, channels out, height, width, kernel): all axes differ, then awkward ones.
SIZES = ((2, 3, 4, 6, 7, (3, 3)), (3, 1, 2, 3, 3, (3, 3)), (1, 2, 3, 5, 4, (1, 1)))
ODD_KERNELS = (2, 3, 2, 7, 5, (2, 3))
GRADIENTS = ("dx", "dweight", "dbias")


def draw(sizes, dtype=np.float64, seed=0):
    """Return random (x, weight, bias, dy) of a convolution of `sizes`."""
    n, channels, out, height, width, (kh, kw) = sizes
    rng = np.random.default_rng(seed)
    shapes = (
        (n, channels, height, width),
        (out, channels, kh, kw),
        (out,),
        (n, out, height - kh + 1, width - kw + 1),
    )
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def check_conv2d(learner):
    """Exercise 01: `conv2d(x, weight, bias)` against the loops."""
    conv2d = learner.function("conv2d")
    yield "one 3×3 window, by hand"
    x, bias = np.arange(9.0).reshape(1, 1, 3, 3), np.array([0.5])
    weight = np.array([[[[1.0, 2, 0], [0, -1, 0], [5, 0, 3]]]])  # 2 − 4 + 30 + 24 + ½ = 52½
    _compare_conv2d(conv2d(x, weight, bias), x, weight, bias)
    yield "random images and kernels against the loops, all axes of different length"
    for sizes in SIZES[:1]:
        x, weight, bias, _ = draw(sizes)
        _compare_conv2d(conv2d(x, weight, bias), x, weight, bias)
    yield "float32 in, float32 out"
    x, weight, bias, _ = draw(SIZES[0], np.float32)
    want = naive.conv2d(x, weight, bias)
    got = conv2d(x, weight, bias)
    compare("y", got, want, tolerance=TOLERANCE_FLOAT32, dtype=np.float32)
    yield "awkward sizes: an image as small as the kernel, 1×1 and 2×3 kernels"
    for sizes in (*SIZES[1:], ODD_KERNELS):
        x, weight, bias, _ = draw(sizes)
        _compare_conv2d(conv2d(x, weight, bias), x, weight, bias)


def _compare_conv2d(got, x, weight, bias):
    want = naive.conv2d(x, weight, bias)
    kh, kw = weight.shape[2:]
    by_bias = bias[:, None, None]
    taps = weight[0].size
    padded = np.pad(x, ((0, 0), (0, 0), (kh // 2, kh // 2), (kw // 2, kw // 2)))
    last = x[:, -1:], weight[:, -1:]
    typical = (
        (lambda: naive.conv2d(x, weight[:, :, ::-1, ::-1], bias),
         "your kernel is flipped: y[i, j] takes weight[a, b] · x[i + a, j + b], both running the "
         "same way (lesson 01, \"the formula\")"),
        (lambda: naive.conv2d(x, weight.swapaxes(2, 3), bias),
         "your kernel is transposed: weight[o, c, a, b] goes with row i + a and column j + b"),
        (lambda: _backwards(x, weight, bias),
         "your kernel walks backwards: x[i - a, j - b] has negative indices, which read from the "
         "other end. The formula has x[i + a, j + b]"),
        (lambda: _columns_unsorted(x, weight, bias),
         "your patches' axes are in the wrong order: reshape moves no number, so transpose to "
         "(N, C, kh, kw, H', W') first (lesson 01, \"the trap\")"),
        (want - by_bias, "your y has a missing bias: each output starts from bias[o]"),
        (want + by_bias * (taps - 1), _many_biases("tap")),
        (want + by_bias * taps, _many_biases("tap")),
        (want + by_bias * (x.shape[1] - 1), _many_biases("channel")),
        (lambda: naive.conv2d(x[:, -1:, kh - 1 :, kw - 1 :], weight[:, -1:, -1:, -1:], 0 * bias),
         "only the last tap counts: is there `=` where `+=` should be?"),
        (lambda: naive.conv2d(padded, weight, bias),
         f"your output is {kh - 1} larger: zero padding. A valid convolution reads no pixel that "
         "is not there, so the image shrinks (lesson 01)"),
        (lambda: naive.conv2d(*last, bias),
         "only the last input channel counts: is there `=` where `+=` should be?"),
        (lambda: naive.conv2d(x[:, :1], weight[:, :1], bias),
         "only the first input channel counts: the sum runs over channels as well"),
        (want[:, :, :-1, :-1],
         "your y misses its last row and column: H' = H − kh + 1, not H − kh"),
        (np.maximum(want, 0), "your y is cut at 0: the ReLU is an operation of its own"),
    )  # fmt: skip
    compare("y", got, want, typical)


def _backwards(x, weight, bias):
    """y with x[i − a, j − b], which wraps around to the image's other end."""
    kh, kw = weight.shape[2:]
    wrapped = np.pad(x, ((0, 0), (0, 0), (kh - 1, 0), (kw - 1, 0)), mode="wrap")
    whole = naive.conv2d(wrapped, weight[:, :, ::-1, ::-1], bias)
    return whole[:, :, : x.shape[2] - kh + 1, : x.shape[3] - kw + 1]


def _columns_unsorted(x, weight, bias):
    """y from an im2col without its transpose: lesson 01's trap."""
    patches = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(2, 3))
    n, _, out_h, out_w = patches.shape[:4]
    columns = patches.reshape(n, weight[0].size, out_h * out_w)
    y = weight.reshape(len(weight), -1) @ columns + bias[:, None]
    return y.reshape(n, len(weight), out_h, out_w)


def _many_biases(what):
    return f"your bias is added once a {what}: add it once for each output pixel"


def check_conv2d_backward(learner):
    """Exercise 02: `conv2d_backward(dy, x, weight)` → dx, dweight, dbias."""
    backward = learner.function("conv2d_backward")
    yield "shapes, and dweight, dbias and dx against the loops, for a random upstream gradient"
    _compare_conv2d_backward(backward, SIZES[0])
    yield "float32 in, float32 out"
    x, weight, _, dy = draw(SIZES[0], np.float32)
    wants = naive.conv2d_backward(dy, x, weight)
    gots = results("conv2d_backward", backward(dy, x, weight), GRADIENTS)
    for name, got, want in zip(GRADIENTS, gots, wants, strict=True):
        compare(name, got, want, tolerance=TOLERANCE_FLOAT32, dtype=np.float32)
    yield "awkward sizes: an image as small as the kernel, 1×1 and 2×3 kernels"
    for sizes in (*SIZES[1:], ODD_KERNELS):
        _compare_conv2d_backward(backward, sizes)
    yield "gradient check: central differences of ⟨dy, conv2d(x, weight, bias)⟩"
    x, weight, bias, dy = draw((2, 2, 3, 4, 5, (3, 3)), seed=1)
    inputs = [x, weight, bias]
    gots = results("conv2d_backward", backward(dy, x, weight), GRADIENTS)
    _check_differences(naive.conv2d, inputs, dy, gots)


def _check_differences(forward, inputs, dy, gradients):
    """Compare gradients with differences of the forward: no other backward is trusted here."""
    for position, (name, got) in enumerate(zip(GRADIENTS, gradients, strict=True)):

        def scalar(value, position=position):
            varied = [*inputs[:position], value, *inputs[position + 1 :]]
            return (dy * forward(*varied)).sum()

        compare(name, got, numerical_gradient(scalar, inputs[position], 1e-4), tolerance=1e-6)


def _compare_conv2d_backward(backward, sizes):
    x, weight, _, dy = draw(sizes)
    gots = results("conv2d_backward", backward(dy, x, weight), GRADIENTS)
    dx, dweight, dbias = naive.conv2d_backward(dy, x, weight)
    ones = naive.conv2d_backward(np.ones_like(dy), x, weight)
    flipped = naive.conv2d_backward(dy, x, weight[:, :, ::-1, ::-1])[0]
    last_image = naive.conv2d_backward(dy[-1:], x[-1:], weight)
    n, _, height, width = dy.shape
    factors = {
        n: f"the batch of {n}",
        height * width: f"the {height * width} pixels",
        n * height * width: f"the batch and its {height * width} pixels",
    }
    factors.pop(1, None)
    compare("dweight", gots[1], dweight, (
        (ones[1], _upstream("dweight")),
        (last_image[1], _one_image("dweight")),
    ), factors)  # fmt: skip
    compare("dbias", gots[2], dbias, (
        (ones[2], _upstream("dbias")),
        (last_image[2], _one_image("dbias")),
        (dy.sum(axis=(2, 3)), "your dbias is not summed over the batch: all images share one bias"),
        (dy.sum(axis=0), "your dbias is not summed over pixels: bias[o] went into every one"),
        (dy.sum(), "your dbias is summed over output channels too: each has a bias of its own"),
    ), factors)  # fmt: skip
    compare("dx", gots[0], dx, (
        (ones[0], _upstream("dx")),
        (flipped,
         "your dx has a flipped kernel: as a convolution over the padded dy, dx takes the kernel "
         "turned by 180°; as a loop, it takes weight[o, c, a, b] as it stands (lesson 02)"),
        (lambda: _overwritten_dx(dy, weight, dx.shape),
         "your dx keeps only the last window's share: a pixel is in many windows, so `+=`"),
    ), factors)  # fmt: skip


def _overwritten_dx(dy, weight, shape):
    dx = np.zeros(shape)
    for n, o, i, j in np.ndindex(dy.shape):
        for c, a, b in np.ndindex(*weight.shape[1:]):
            dx[n, c, i + a, j + b] = dy[n, o, i, j] * weight[o, c, a, b]
    return dx


def _upstream(name):
    return (
        f"your {name} is right only for an all-ones upstream gradient: each term is multiplied by "
        "its dy[n, o, i, j]"
    )


def _one_image(name):
    return f"only the last image of the batch counts in your {name}: `+=` over the batch, not `=`"


def draw_up(n, channels, out, height, width, dtype=np.float64):
    """Return random (x, weight, bias, dy) of an up-convolution."""
    rng = np.random.default_rng(4)
    shapes = (
        (n, channels, height, width),
        (channels, out, 2, 2),
        (out,),
        (n, out, 2 * height, 2 * width),
    )
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def check_up_conv2d(learner):
    """Exercise 04: `up_conv2d(x, weight, bias)` and its backward."""
    forward, backward = learner.function("up_conv2d"), learner.function("up_conv2d_backward")
    sizes = ((2, 3, 4, 3, 5), (1, 2, 1, 1, 1), (3, 1, 2, 4, 1))
    yield "forward against the loops, random images and kernels"
    _compare_up(forward, sizes[0])
    yield "backward against the loops, for a random upstream gradient"
    _compare_up_backward(backward, sizes[0])
    yield "float32 in, float32 out"
    x, weight, bias, dy = draw_up(*sizes[0], dtype=np.float32)
    want = naive.up_conv2d(x, weight, bias)
    compare("y", forward(x, weight, bias), want, (), None, TOLERANCE_FLOAT32, np.float32)
    gots = results("up_conv2d_backward", backward(dy, x, weight), GRADIENTS)
    wants = naive.up_conv2d_backward(dy, x, weight)
    for name, got, want in zip(GRADIENTS, gots, wants, strict=True):
        compare(name, got, want, (), None, TOLERANCE_FLOAT32, np.float32)
    yield "awkward sizes: one pixel, one channel, one column"
    for size in sizes[1:]:
        _compare_up(forward, size)
        _compare_up_backward(backward, size)
    yield "gradient check: central differences of ⟨dy, up_conv2d(x, weight, bias)⟩"
    x, weight, bias, dy = draw_up(2, 2, 3, 3, 2)
    gots = results("up_conv2d_backward", backward(dy, x, weight), GRADIENTS)
    _check_differences(naive.up_conv2d, [x, weight, bias], dy, gots)


def _compare_up(forward, sizes):
    x, weight, bias, _ = draw_up(*sizes)
    want = naive.up_conv2d(x, weight, bias)
    by_bias, channels = bias[:, None, None], x.shape[1]
    n, out, height, width = want.shape
    blocks = want.reshape(n, out, height // 2, 2, width // 2, 2)
    compare("y", forward(x, weight, bias), want, (
        (lambda: naive.up_conv2d(x, weight[:, :, ::-1, ::-1], bias),
         "your kernel is flipped: tap (a, b) writes pixel (2i + a, 2j + b) (lesson 04)"),
        (lambda: naive.up_conv2d(x, weight.swapaxes(2, 3), bias),
         "your kernel is transposed: tap (a, b) writes row 2i + a and column 2j + b"),
        (want - by_bias, "your y has a missing bias: each output starts from bias[o]"),
        (want + by_bias * (channels - 1),
         _many_biases("channel")),
        (lambda: naive.up_conv2d(x[:, -1:], weight[-1:], bias),
         "only the last input channel counts: `+=` over channels, not `=`"),
        (blocks.transpose(0, 1, 3, 2, 5, 4).reshape(want.shape),
         "your blocks lie side by side, not interleaved: pixel (i, j) becomes the 2×2 block at "
         "(2i, 2j), so tap (a, b) is written to rows a::2 and columns b::2"),
    ))  # fmt: skip


def _compare_up_backward(backward, sizes):
    x, weight, _, dy = draw_up(*sizes)
    gots = results("up_conv2d_backward", backward(dy, x, weight), GRADIENTS)
    dx, dweight, dbias = naive.up_conv2d_backward(dy, x, weight)
    ones = naive.up_conv2d_backward(np.ones_like(dy), x, weight)
    flipped = naive.up_conv2d_backward(dy, x, weight[:, :, ::-1, ::-1])[0]
    last_image = naive.up_conv2d_backward(dy[-1:], x[-1:], weight)
    n, _, height, width = dy.shape
    factors = {
        n: f"the batch of {n}",
        4: "the 4 taps",
        height * width: f"the {height * width} output pixels",
        n * height * width: f"the batch and its {height * width} output pixels",
    }
    factors.pop(1, None)
    last_tap = np.einsum("nohw,co->nchw", dy[:, :, 1::2, 1::2], weight[:, :, 1, 1])
    compare("dx", gots[0], dx, (
        (ones[0], _upstream("dx")),
        (flipped, "your dx has a flipped kernel: tap (a, b) belongs to pixel (2i + a, 2j + b)"),
        (last_tap, "only the last tap counts in your dx: x[i, j] went into four pixels, so `+=`"),
    ), factors)  # fmt: skip
    compare("dweight", gots[1], dweight, (
        (ones[1], _upstream("dweight")),
        (last_image[1], _one_image("dweight")),
    ), factors)  # fmt: skip
    compare("dbias", gots[2], dbias, (
        (ones[2], _upstream("dbias")),
        (last_image[2], _one_image("dbias")),
        (dy.sum(axis=(2, 3)), "your dbias is not summed over the batch: all images share one bias"),
        (dy[:, :, ::2, ::2].sum(axis=(0, 2, 3)),
         "your dbias sums every second pixel: the bias went into all four of a block"),
    ), factors)  # fmt: skip
