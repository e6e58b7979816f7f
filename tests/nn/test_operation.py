"""Faster implementations stand in for an operation where they support its arguments only."""

import subprocess
import sys
from threading import Thread

import numpy as np
import pytest

from tinyunet import _numba, nn
from tinyunet.backends.cpu import operations as cpu
from tinyunet.backends.dispatch import TABLE
from tinyunet.nn.operation import Implementation, find_implementation, operation, plain, register


def _refuse_negative(x):
    if x < 0:
        raise ValueError(f"x {x} is negative")


def _doubled():
    """A fresh operation: its text doubles."""

    @operation(check=_refuse_negative)
    def double(x):
        """Return twice x."""
        return 2 * x

    return double


def test_the_text_runs_where_nothing_is_registered():
    double = _doubled()
    assert double(3) == double(x=3) == 6
    assert double.__doc__ == "Return twice x."
    assert double.__wrapped__(-1) == -2  # the text itself, unchecked


def test_the_first_implementation_that_supports_the_arguments_computes():
    double, asked = _doubled(), []

    def row(name, supports):
        def function(x):
            return name, x

        register(Implementation(double, function, lambda x: asked.append(name) or supports(x)))
        return function

    row("small", lambda x: x < 10)
    even = row("even", lambda x: x % 2 == 0)
    assert double(4) == ("small", 4)
    assert asked == ["small"]
    assert double(12) == ("even", 12)
    assert double(13) == 26
    assert asked == ["small", "small", "even", "small", "even"]
    assert find_implementation(double, 12) is even
    assert find_implementation(double, 13) is None


def test_checks_come_before_everything():
    double, called = _doubled(), []
    register(Implementation(double, called.append, lambda x: called.append(x) or True))
    with pytest.raises(ValueError, match="x -1 is negative"):
        double(-1)
    assert called == []


def test_only_operations_have_implementations():
    with pytest.raises(ValueError, match="_refuse_negative is not decorated by @operation"):
        register(Implementation(_refuse_negative, abs, bool))


def test_plain_ends_with_its_block_and_stays_in_its_thread():
    double, elsewhere = _doubled(), []
    register(Implementation(double, lambda x: "fast", lambda x: True))
    with plain():
        assert double(1) == 2
        with plain():
            assert double(1) == 2
        assert double(1) == 2  # the inner block gives back what it found
        other = Thread(target=lambda: elsewhere.append(double(1)))
        other.start()
        other.join()
    assert elsewhere == ["fast"]
    assert double(1) == "fast"
    with pytest.raises(ZeroDivisionError), plain():
        raise ZeroDivisionError
    assert double(1) == "fast"


def test_the_environment_can_ask_for_the_texts():
    program = (
        "import numpy as np; from tinyunet import nn; from tinyunet.nn.operation import *; "
        "print(find_implementation(nn.max_pool2d, np.ones((1, 1, 2, 2), 'f4')))"
    )
    for value, expected in (("plain", "None"), ("", "function max_pool2d")):
        answer = subprocess.run(
            [sys.executable, "-c", program],
            env={"TINYUNET_BACKEND": value, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        )
        if value or _numba.available():
            assert expected in answer.stdout


def _arguments(rng):
    """Arguments of every operation of the table in float32, as the network calls it."""

    def normal(*shape):
        return rng.standard_normal(shape, dtype=np.float32)

    conv3 = normal(2, 16, 8, 6), normal(32, 16, 3, 3), normal(32)
    conv1 = normal(2, 3, 6, 5), normal(4, 3, 1, 1), normal(4)
    up = normal(2, 3, 3, 4), normal(3, 2, 2, 2), normal(2)
    crop = normal(2, 3, 8, 9), normal(2, 2, 5, 3)
    arrays = {"w": normal(3, 4)}, {"w": normal(3, 4)}, {"w": normal(3, 4)}
    return {
        nn.conv2d: conv1,
        nn.conv2d_relu: conv3,
        nn.conv2d_relu_max_pool: conv3,
        nn.max_pool2d: (normal(2, 3, 4, 6),),
        nn.up_conv2d: up,
        nn.up_conv2d_concat: (*up, normal(2, 3, 8, 9)),
        nn.center_crop_concat: crop,
        nn.softmax_cross_entropy: (normal(2, 3, 4, 5), np.zeros((2, 4, 5), int)),
        nn.momentum_update: (*arrays, 0.1, 0.9),
    }


@pytest.mark.skipif(not _numba.available(), reason="numba cannot compile here")
def test_the_cpus_rows_of_the_table_are_reached_in_float32_and_only_there(rng):
    rows = {op: function for op, function, _ in TABLE if function.__module__ == cpu.__name__}
    forward = _arguments(rng)
    for op, arguments in forward.items():
        assert find_implementation(op, *arguments) is rows[op], op.__name__
        if op is not nn.momentum_update:
            wide = [a.astype("float64") if a.dtype == "float32" else a for a in arguments]
            assert find_implementation(op, *wide) is None, op.__name__
    backward = [op for op in rows if op not in forward]
    assert {op.__name__ for op in backward} == {
        "conv2d_backward",
        "conv2d_relu_backward",
        "max_pool2d_backward",
        "max_pool2d_skip_backward",
        "up_conv2d_backward",
        "softmax_cross_entropy_backward",
    }
    for op in backward:
        made, other = ((cpu.Saved(),), ((),))
        if op is not nn.softmax_cross_entropy_backward:
            made, other = (None, *made), (None, *other)
        assert find_implementation(op, *made) is rows[op], op.__name__
        assert find_implementation(op, *other) is None, op.__name__


def test_every_row_names_an_operation_and_a_function_of_the_same_name():
    for op, function, supports in TABLE:
        assert op.__name__ == function.__name__
        assert callable(supports)
        assert op.__wrapped__.__module__.startswith("tinyunet.nn.")


def test_what_does_not_fit_never_reaches_a_kernel(monkeypatch):
    """A raw kernel checks nothing."""
    reached = []
    monkeypatch.setattr(
        sys.modules["tinyunet.nn.operation"],
        "find_implementation",
        lambda *arguments: reached.append(arguments) or (lambda *_: None),
    )
    image, labels = np.zeros((1, 2, 4, 4), "f4"), np.zeros((1, 4, 4), int)
    for op, arguments in (
        (nn.conv2d, (image, np.zeros((3, 1, 3, 3), "f4"), np.zeros(3))),
        (nn.conv2d_relu, (image, np.zeros((3, 1, 3, 3), "f4"), np.zeros(3))),
        (nn.conv2d_relu_max_pool, (image, np.zeros((3, 2, 2, 3), "f4"), np.zeros(3))),
        (nn.up_conv2d, (image, np.zeros((1, 3, 2, 2), "f4"), np.zeros(3))),
        (nn.up_conv2d_concat, (image, np.zeros((2, 3, 2, 2), "f4"), np.zeros(3), image)),
        (nn.max_pool2d, (image[:, :, :3],)),
        (nn.center_crop_concat, (image[:, :, :3], image)),
        (nn.softmax_cross_entropy, (image, labels + 2)),
    ):
        with pytest.raises(ValueError):
            op(*arguments)
    assert reached == []
