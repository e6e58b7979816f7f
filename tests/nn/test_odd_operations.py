"""Odd arrays for the operations of the network: the right numbers, or one documented error.

As tests/test_odd_inputs.py, for maps (N, C, H, W) of whole numbers, so that every dtype that holds
them computes the same, with the texts and with the kernels. An operation says what comes of NaN and
infinity: that of the text in float64. Labels and weights of the loss have tests of their own.
"""

import numpy as np
import pytest
from odd_arrays import Door, findings

from tinyunet import nn
from tinyunet.nn.operation import plain

NUMBERS = frozenset({"NaN", "infinity", "negative", "fraction", "beyond float32"})
SHAPES = frozenset(
    ("no rows", "no columns", "a number", "an axis too few", "axes too many", "an empty list"),
)
EMPTY = frozenset({"no rows", "no columns"})
NO_ARRAYS = {
    *("SGD", "momentum_update", "plain"),  # dictionaries of arrays, a context
    "softmax_cross_entropy_backward",  # takes a cache alone
    *("max_pool2d_skip_backward", "split_concat_gradient"),  # hand a gradient on as a pair
}


def maps(size):
    """Whole numbers 0 to 6, (2, 3, 4, 6), whatever the size asked for."""
    return np.arange(2.0 * 3 * 4 * 6).reshape(2, 3, 4, 6) * 5 % 7


def filters(size):
    """3×3 filters of 3 channels to 2."""
    return np.arange(2.0 * 3 * 9).reshape(2, 3, 3, 3) % 3


def biases(size):
    """Of two channels."""
    return np.array([1.0, 2.0])


def up_filters(size):
    """2×2 filters of 3 channels to 2."""
    return np.arange(3.0 * 2 * 4).reshape(3, 2, 2, 2) % 3


def tiles(size):
    """Images for a network of depth 2."""
    return np.arange(18.0 * 22).reshape(1, 1, 18, 22) % 5


def large(size):
    """A skip, larger than what `up_filters` makes of `maps`."""
    return np.arange(2.0 * 2 * 10 * 14).reshape(2, 2, 10, 14) * 3 % 7


def classes(size):
    """Labels of three classes."""
    return np.arange(2 * 4 * 6).reshape(2, 4, 6) % 3


def costs(size):
    """A weight map."""
    return np.arange(2.0 * 4 * 6).reshape(2, 4, 6) % 4


def doors_of(operation, plains, **options):
    """Yield a door for every array of an operation; its result is the first of what it returns."""
    for name in plains:

        def call(array, name=name):
            given = [array if other == name else plains[other](None) for other in plains]
            found = operation(*given)
            return found[0] if isinstance(found, tuple) else found

        yield Door(f"nn.{operation.__name__}", name, call, plains[name], **options)


def pairs_of(operation, plains, **options):
    """The same for two operations in a row, which return (y, cache) twice: both results."""

    def both(*given):
        (first, _), (second, _) = operation(*given)
        return ([first, second],)

    both.__name__ = operation.__name__
    return doors_of(both, plains, **options)


def loss_doors():
    """The loss: class numbers are never fractions, and a weight map may be left out."""
    logits, numbers, weights = maps(None), classes(None), costs(None)
    options = {"without": EMPTY | {"infinity", "beyond float32"}, "tolerance": 2e-3}
    for name, call, plain_array, accepts, refuses in (
        ("logits", lambda a: nn.softmax_cross_entropy(a, numbers)[0], maps, NUMBERS, ""),
        ("labels", lambda a: nn.softmax_cross_entropy(logits, a, weights)[0], classes, (), "f"),
        (
            "weight_map",
            lambda a: nn.softmax_cross_entropy(logits, numbers, a)[0],
            costs,
            NUMBERS | {"None"},
            "",
        ),
    ):
        yield Door(
            "nn.softmax_cross_entropy", name, call, plain_array, refuses, accepts=accepts, **options
        )


def backward_door(operation, forward):
    """The door of a backward pass: dy, for the cache that `forward` returned.

    Its shape is left to the network's backward pass, which compares it with the logits.
    """
    y, cache = forward

    def gradients(size):
        return np.arange(float(y.size)).reshape(y.shape) % 5

    def call(dy):
        return operation(dy, cache)

    name = f"nn.{operation.__name__}"
    return Door(name, "dy", call, gradients, accepts=NUMBERS, without=SHAPES | {"infinity"})


def dropped(x):
    """Half of x, always the same half."""
    return nn.dropout(x, 0.5, np.random.default_rng(1))


dropped.__name__ = "dropout"
X, W, B, UP_W = maps(None), filters(None), biases(None), up_filters(None)
PLAIN = {"x": maps, "weight": filters, "bias": biases}
UP = {"x": maps, "weight": up_filters, "bias": biases}
CONV = [
    *doors_of(nn.conv2d, PLAIN, accepts=NUMBERS, without=EMPTY | {"infinity"}),
    *doors_of(nn.conv2d_relu, PLAIN, accepts=NUMBERS, without=EMPTY | {"infinity"}),
    *pairs_of(nn.conv2d_relu_max_pool, PLAIN, accepts=NUMBERS, without=EMPTY | {"infinity"}),
    *doors_of(nn.up_conv2d, UP, accepts=NUMBERS, without=EMPTY | {"infinity"}),
]
DOORS = [
    *CONV,
    *doors_of(nn.relu, {"x": maps}, accepts=NUMBERS | SHAPES),
    *doors_of(nn.max_pool2d, {"x": maps}, accepts=NUMBERS | EMPTY),
    *doors_of(nn.center_crop_concat, {"skip": maps, "x": maps}, accepts=NUMBERS, without=EMPTY),
    *doors_of(
        nn.up_conv2d_concat, UP | {"skip": large}, accepts=NUMBERS, without=EMPTY | {"infinity"}
    ),
    *doors_of(
        nn.softmax, {"logits": maps}, accepts=NUMBERS, without=SHAPES | {"infinity"}, tolerance=2e-3
    ),
    *doors_of(dropped, {"x": maps}, accepts=NUMBERS, without=SHAPES | {"infinity"}),
    *loss_doors(),
    backward_door(nn.conv2d_backward, nn.conv2d(X, W, B)),
    backward_door(nn.conv2d_relu_backward, nn.conv2d_relu(X, W, B)),
    backward_door(nn.max_pool2d_backward, nn.max_pool2d(X)),
    backward_door(nn.up_conv2d_backward, nn.up_conv2d(X, UP_W, B)),
    backward_door(nn.relu_backward, nn.relu(X)),
    backward_door(nn.center_crop_concat_backward, nn.center_crop_concat(X, X)),
    backward_door(nn.dropout_backward, dropped(X)),
    Door(
        "nn.UNet",
        "x",
        nn.UNet(1, 2, 2, 2, seed=1, dtype="float64", device="cpu"),
        tiles,
        accepts=NUMBERS,
        without=EMPTY | {"infinity"},
    ),
]


@pytest.mark.parametrize("door", DOORS, ids=str)
def test_operations_take_every_array_of_real_numbers(door):
    wrong = [found for found in findings(door) if found]
    assert not wrong, "\n".join(wrong)


def test_every_operation_has_a_door():
    known = {door.name for door in DOORS}
    assert {name for name in nn.__all__ if f"nn.{name}" not in known} == NO_ARRAYS


@pytest.mark.parametrize("door", DOORS[:3], ids=str)
def test_the_texts_take_them_too(door):
    with plain():
        wrong = [found for found in findings(door) if found]
    assert not wrong, "\n".join(wrong)


def test_names_of_arguments_are_looked_at_and_one_too_many_is_an_error():
    with pytest.raises(ValueError, match="^weight must hold real numbers, got dtype complex128$"):
        nn.conv2d(X, bias=B, weight=W + 0j)
    with pytest.raises(TypeError, match="positional argument"):
        nn.relu(X, X)
    with pytest.raises(TypeError, match="unexpected keyword argument 'slope'"):
        nn.relu(X, slope=0.1)


if __name__ == "__main__":
    total = [found for door in DOORS for found in findings(door)]
    names = len({door.name for door in DOORS})
    print(
        f"{names} names, {len(DOORS)} doors, {len(total)} calls, {sum(map(bool, total))} findings"
    )
