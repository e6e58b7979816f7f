"""What stands before a launch: checks of every argument, numbers of blocks, matrices that fit."""

import numpy as np
import pytest

from tinyunet.backends.cuda.launch import KEPT_SCALARS, LARGEST, CupyGpu, Gpu


class RecordingGpu(Gpu):
    """A `Gpu` on NumPy that only notes what it is asked to start."""

    def __init__(self):
        super().__init__(np)
        self.started = []

    def _start(self, *arguments):
        self.started.append(arguments)


X = np.ones((2, 3, 4), np.float32)


def test_a_launch_has_enough_blocks_and_converted_arguments():
    gpu = RecordingGpu()
    sums = gpu.empty(3)
    assert (sums.shape, sums.dtype, sums.flags.c_contiguous) == ((3,), np.float32, True)
    gpu.launch_blocks("row_sums", 3, X, sums, 2, 3, 4, 1)
    name, kernel, blocks, threads, arguments = gpu.started.pop()
    assert (name, kernel, blocks, threads) == ("layers.cu", "row_sums", 3, 256)
    assert arguments[0] is X
    assert arguments[1] is sums
    assert [(type(a), int(a)) for a in arguments[2:]] == [(np.int32, n) for n in (2, 3, 4, 1)]
    for threads, blocks in ((1, 1), (256, 1), (257, 2), (512, 2)):
        gpu.launch("relu_gradient", threads, X, X, X, X.size)
        assert gpu.started.pop()[2] == blocks
    gpu.launch("transform_filter", 129, X, X, 1)
    assert gpu.started.pop()[2:4] == (2, 128)
    gpu.launch_maps("add_bias", 6, 257, X, X, 3, 4, 0)
    assert gpu.started.pop()[2:4] == (12, 256)  # two blocks for each of six maps
    partial = gpu.empty(5, dtype=np.float64)
    gpu.launch_blocks("sum_partials", 1, partial, partial, 5, 2)
    assert type(gpu.started.pop()[4][3]) is np.float64
    gpu.launch("transform_gradient", 1, X, None, X, *range(8))
    assert gpu.started.pop()[4][1] is None


def test_no_array_is_a_null_pointer():
    # CuPy 13 would pass the address of Python's None, which a kernel takes for an array
    gpu, passed = CupyGpu(np, 0), []
    gpu._kernels["transform_gradient"] = lambda *arguments: passed.append(arguments)
    gpu.launch("transform_gradient", 1, X, None, X, *range(8))
    ((_, _, (first, null, *_)),) = passed
    assert first is X
    assert (type(null), int(null)) == (np.uintp, 0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X, X, 2, 3, 4), TypeError, r"^row_sums takes 6 arguments: got 5$"),
        (
            (X.astype(float), X, 2, 3, 4, 1),
            TypeError,
            r"^x of kernel row_sums must be an array of float32 on the device: got float64$",
        ),
        (
            (None, X, 2, 3, 4, 1),
            TypeError,
            r"^x of kernel row_sums must be an array of float32 on the device: got NoneType$",
        ),
        (([1.0], X, 2, 3, 4, 1), TypeError, "x of kernel row_sums must be .* got list$"),
        ((X[..., ::2], X, 2, 3, 2, 1), ValueError, r"^x of kernel row_sums must be row-major: got"),
        ((X, X.T, 2, 3, 2, 1), ValueError, r"^sums of kernel row_sums must be row-major: got"),
        (
            (X, X, 2, 3, LARGEST + 1, 1),
            ValueError,
            "^length of kernel row_sums must fit 32 bits: got 2147483648$",
        ),
    ],
)
def test_a_wrong_argument_is_named(arguments, error, message):
    gpu = RecordingGpu()
    with pytest.raises(error, match=message):
        gpu.launch_blocks("row_sums", 1, *arguments)
    assert gpu.started == []


@pytest.mark.parametrize("blocks", [0, -1, LARGEST + 1])
def test_a_launch_needs_a_number_of_blocks(blocks):
    with pytest.raises(ValueError, match=f"row_sums cannot be launched with {blocks} blocks"):
        RecordingGpu().launch_blocks("row_sums", blocks, X, X, 2, 3, 4, 1)


def test_threads_are_counted_with_32_bits():
    message = f"transform_filter counts its threads with 32 bits: {LARGEST} are too many"
    with pytest.raises(ValueError, match=message):
        RecordingGpu().launch("transform_filter", LARGEST, X, X, 1)


def test_a_scalar_is_kept_until_it_changes():
    gpu = RecordingGpu()
    first = gpu.scalar(0.5)
    assert (first.shape, first.dtype, float(first[0])) == ((1,), np.float32, 0.5)
    assert gpu.scalar(0.5) is first
    assert float(gpu.scalar(0.25)[0]) == 0.25
    for value in range(1, KEPT_SCALARS):
        gpu.scalar(value)
    assert gpu.scalar(0.25) is not gpu.scalar(0.5)
    assert gpu.scalar(0.5) is not first  # it was the oldest
    assert len(gpu._scalars) == KEPT_SCALARS


def test_a_scalar_is_returned_though_another_thread_asked_for_others_meanwhile():
    gpu = RecordingGpu()

    class Interrupted(float):
        """A number: whenever it is looked up, another thread is faster and asks for its own."""

        def __hash__(self):
            for value in range(KEPT_SCALARS):
                gpu.scalar(value)
            return super().__hash__()

    assert float(gpu.scalar(Interrupted(0.5))[0]) == 0.5
    assert len(gpu._scalars) == KEPT_SCALARS


def test_products_check_their_matrices():
    a, b = np.ones((2, 3, 4), np.float32), np.ones((2, 4, 5), np.float32)
    gpu = RecordingGpu()
    message = r"^matrices \(2, 3, 4\) and \(2, 3, 4\) cannot be multiplied$"
    with pytest.raises(ValueError, match=message):
        gpu.product(a, a)
    with pytest.raises(ValueError, match="cannot be multiplied"):
        gpu.product(a, b[:1])
    with pytest.raises(ValueError, match="^a must be row-major float32: got float64, strides"):
        gpu.product(a.astype(float), b)
    with pytest.raises(ValueError, match="^b must be row-major float32: got float32, strides"):
        gpu.product(a, np.asfortranarray(b))
    with pytest.raises(ValueError, match="^b must be row-major"):  # rows that lie in each other
        gpu.product(a, np.lib.stride_tricks.as_strided(b, (2, 4, 5), (80, 8, 4)))
    with pytest.raises(ValueError, match=r"^out has shape \(2, 3, 4\), not \(2, 3, 5\)$"):
        gpu.product(a, b, out=a)


def test_products_take_matrices_that_lie_apart_or_are_one():
    gpu = RecordingGpu()
    gpu._multiply = lambda a, b, out, *_: np.matmul(a, b, out=out)
    a, b = np.ones((4, 3, 4), np.float32), np.ones((2, 4, 7), np.float32)
    one = np.broadcast_to(np.ones((3, 4), np.float32), (2, 3, 4))
    for left, right in ((a[::2], b), (one, b), (a[1::2], b[:, :, 1:6])):
        assert (gpu.product(left, right) == 4).all()
