"""The rows of `tinyunet gradcheck` for kernels: complete, passing, and able to fail."""

import numpy as np
import pytest

from tinyunet import _numba, nn
from tinyunet.backends.cpu import operations as cpu
from tinyunet.backends.dispatch import TABLE
from tinyunet.backends.equality import LIMIT, all_kernel_checks, kernel_checks
from tinyunet.nn import operation

needs_kernels = pytest.mark.skipif(not _numba.available(), reason="numba cannot compile here")


@needs_kernels
def test_every_row_passes_and_something_was_measured():
    rows = list(kernel_checks("cpu"))
    assert all(0 <= error < LIMIT for _, _, error in rows)
    assert all(error > 0 for _, _, error in rows)  # float32 against float64 always differs
    assert len(rows) == len({(what, name) for what, name, _ in rows}) == 50


@needs_kernels
def test_every_kernel_of_the_table_is_reached(monkeypatch):
    reached = set()

    def noting(function):
        def note(*args, **kwargs):
            reached.add(function.__name__)
            return function(*args, **kwargs)

        return note

    for op, function, supports in TABLE:
        if function.__module__ == cpu.__name__:
            row = operation.Implementation(op, noting(function), supports)
            monkeypatch.setitem(operation._implementations, op, [row])
    list(kernel_checks("cpu"))
    ours = {f.__name__ for _, f, _ in TABLE if f.__module__ == cpu.__name__}
    assert reached == ours


def test_without_kernels_there_are_no_rows():
    with nn.plain():
        assert all_kernel_checks("cpu") == []


@needs_kernels
@pytest.mark.parametrize(
    ("name", "bug", "caught"),
    [
        ("conv2d_relu", lambda y: (y[0] * np.float32(1.001), y[1]), "output"),
        (
            "conv2d_relu_backward",
            lambda g: (None if g[0] is None else g[0][:, :, ::-1], *g[1:]),
            "dx",
        ),
        ("conv2d_relu_backward", lambda g: (g[0], g[1][..., ::-1], g[2]), "dweight"),
        ("up_conv2d_backward", lambda g: (*g[:2], g[2] * 0), "dbias"),
        ("center_crop_concat", lambda y: (y[0][:, ::-1], y[1]), "output"),
        ("max_pool2d_backward", lambda dx: dx[..., ::-1], "dx"),
    ],
)
def test_a_bug_planted_in_a_kernel_fails_its_row(monkeypatch, name, bug, caught):
    op = getattr(nn, name)
    rows = [
        operation.Implementation(op, lambda *a, f=f, **k: bug(f(*a, **k)), supports)
        for _, f, supports in operation._implementations[op]
    ]
    monkeypatch.setitem(operation._implementations, op, rows)
    wrong = {(what.split()[0], row) for what, row, error in kernel_checks("cpu") if error > LIMIT}
    assert (name.removesuffix("_backward"), caught) in wrong
    # The others stand: a fused kernel is another one, and so is each other operation's. But a
    # fused forward has the backward pass of its parts.
    fused = {
        "conv2d_relu_backward": "conv2d_relu_max_pool",
        "up_conv2d_backward": "up_conv2d_concat",
    }
    assert {what for what, _ in wrong} - {fused.get(name)} == {name.removesuffix("_backward")}
