"""No launch of the largest training step goes beyond what a kernel counts with 32 bits.

Base 64, tiles up to 4096, four at a time, in every precision, and base 32 for the kernels of few
channels: the step is done on shapes alone.
"""

from math import prod

import numpy as np
import pytest

from tinyunet import geometry
from tinyunet.backends.cuda import counting
from tinyunet.backends.cuda.counting import CountingGpu, count_training_step
from tinyunet.backends.cuda.launch import LARGEST
from tinyunet.backends.cuda.sources import signatures

# The products of parameters that the kernels make with 32 bits, beside the number of threads.
PRODUCTS = {
    "transform_input": [("slices", "channels", "slice"), ("images", "channels")],
    "inverse_output": [("slices", "channels", "slice"), ("images", "channels")],
    "transform_gradient": [("slices", "channels", "slice"), ("images", "channels")],
    "input_gradient": [
        ("slices", "channels", "slice"),
        ("channels", "images", "block_rows", "block_columns"),
    ],
    "max_pool_forward": [("height", "width")],
    "max_pool_backward": [("height", "width")],
    "crop_concat": [("height", "width")],
    "crop_gradient": [("skip_height", "skip_width")],
    "patches_to_image": [(4, "height", "width")],
    "image_to_patches": [(4, "height", "width")],
    "direct_forward": [("height", "width"), (9, "channels", "out_channels")],
    "direct_filter_gradient": [("height", "width"), ("images", "channels")],
    "sum_filter_slices": [("out_channels", 9, "room")],
    "conv": [("images", "height", "width"), (3, "width", "words"), (9, "words")],
    "filters": [("images", "height", "width"), (3, "width", "words"), (32, "out_words")],
    "fused_filters": [("channels", "out_channels")],
    "fused_conv": [("images", "height", "width")],
    "fused_gradient": [("images", "height", "width"), (36, "channels", "out_channels")],
}
# These multiply nothing, or with 64 bits, or what their threads count anyway.
WITHOUT_PRODUCTS = {
    *("transform_filter", "filter_gradient", "add_bias", "relu_gradient", "row_sums"),
    *("softmax_loss", "sum_partials", "momentum_update", "sum_slices", "sum_outputs"),
    *("pack_tf32", "pack_filters_tf32", "pack_bf16", "pack_filters_bf16"),
}
WINOGRAD = {"transform_input", "inverse_output", "transform_gradient", "input_gradient"}
FUSED = {"fused_filters", "fused_conv", "fused_gradient"}  # of float32, of few channels
TENSOR_CORES = {"conv", "filters", "sum_filter_slices", "max_pool_forward"}  # no fused pooling
PADDING = 2**12  # pixels of a border, threads of a last block, places of a last tile


class NotingGpu(CountingGpu):
    """Keeps the numbers that each launch was given, by their names."""

    def __init__(self):
        super().__init__()
        self.given = []

    def _start(self, source, kernel, blocks, threads, arguments):
        names = [parameter.name for parameter in signatures()[kernel].parameters]
        numbers = {
            name: int(value)
            for name, value in zip(names, arguments, strict=True)
            if isinstance(value, np.integer)
        }
        self.given.append((kernel, blocks * threads, numbers))
        super()._start(source, kernel, blocks, threads, arguments)


SLOW = [pytest.param(name, 64, marks=pytest.mark.slow) for name in ("tf32", "bf16")]


@pytest.mark.parametrize(("precision", "base"), [("float32", 64), ("float32", 32), *SLOW])
def test_the_largest_step_stays_within_32_bits(precision, base, monkeypatch):
    made = []
    monkeypatch.setattr(counting, "CountingGpu", lambda: made.append(NotingGpu()) or made[0])
    size = max(geometry.legal_sizes(5, 4096))
    count_training_step(size, base_channels=base, batch=4, precision=precision)
    checked = set()
    for kernel, threads, numbers in made[0].given:
        name = _family(kernel)
        for factors in PRODUCTS.get(name, ()):
            product = prod(numbers[f] if isinstance(f, str) else f for f in factors)
            assert product + PADDING <= LARGEST, (kernel, factors, numbers)
            checked.add(name)
        if name in WINOGRAD:
            assert threads <= LARGEST, (kernel, threads)
    others = TENSOR_CORES if precision == "float32" else WINOGRAD
    assert checked == PRODUCTS.keys() - others - (FUSED if base == 64 else set())


def _family(kernel):
    """Return a kernel's name without what it is compiled for: "conv" for "conv_tf32_128"."""
    if kernel.startswith("fused_"):
        return kernel.removesuffix("_16").removesuffix("_32")
    return kernel.split("_")[0] if kernel.endswith(("_64", "_128")) else kernel


def test_every_kernel_is_looked_at():
    assert {_family(kernel) for kernel in signatures()} == PRODUCTS.keys() | WITHOUT_PRODUCTS
    assert not PRODUCTS.keys() & WITHOUT_PRODUCTS


def test_what_the_kernels_multiply_is_what_is_listed():
    for name, products in PRODUCTS.items():
        compiled = {"conv": "conv_tf32_64", "filters": "filters_bf16_128"}
        compiled |= {name: f"{name}_32" for name in ("fused_conv", "fused_gradient")}
        kernel = compiled.get(name, name)
        names = {parameter.name for parameter in signatures()[kernel].parameters}
        assert {f for factors in products for f in factors if isinstance(f, str)} <= names
