"""What is wrong with this array? It is compared with typical distortions of the right one.

A wrong answer is seldom random: a kernel is flipped, two axes are swapped, a sum was a mean. So
the right result is distorted in all the ways that are usual, and where the learner's equals one
of them, the mistake is found. First come the exercise's own (`typical`), then those that any array
can suffer: axes swapped or reversed, the sign, a constant factor.
"""

from itertools import combinations, permutations

import numpy as np

from tinyunet.exercises.learner import Wrong

TOLERANCE = 1e-9  # relative to the largest value; float64
TOLERANCE_FLOAT32 = 1e-4


def same(got, want, tolerance=TOLERANCE):
    """Whether two arrays have one shape and agree within `tolerance` of the largest value."""
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape or not np.isfinite(got).all() or not np.isfinite(want).all():
        return False
    if want.size == 0:
        return True
    largest = float(np.abs(want).max())
    allowed = tolerance * largest if largest > 0 else tolerance
    return bool(np.abs(got - want.astype(np.float64)).max() <= allowed)


def compare(name, got, want, typical=(), factors=None, tolerance=TOLERANCE, dtype=None):
    """Raise `Wrong` unless `got` is `want`, with the best explanation that can be found.

    name : what the learner calls it ("dweight").
    typical : pairs (distortion, explanation); a distortion is an array, or a function without
        arguments that makes one, of any shape.
    factors : {number: what has so many}, for results that are that many times too large or small.
    dtype : the dtype that `got` must have; None for any.
    """
    got, want = _array(name, got), np.asarray(want)
    if same(got, want, tolerance):
        if dtype is not None and got.dtype != dtype:
            raise Wrong(
                f"your {name} is {got.dtype} for {np.dtype(dtype)} input: make it in the input's "
                "dtype, as in np.zeros(shape, x.dtype)"
            )
        return
    for distortion, explanation in typical:
        distorted = distortion() if callable(distortion) else distortion
        if same(got, distorted, tolerance):
            raise Wrong(explanation)
    explanation = (
        _axes(name, got, want, tolerance)
        or _shape(name, got, want)
        or _not_finite(name, got)
        or _sign_or_factor(name, got, want, factors or {}, tolerance)
        or _where(name, got, want, tolerance)
    )
    raise Wrong(explanation)


def _array(name, got):
    """The learner's result as an array of numbers."""
    array = np.asarray(got) if isinstance(got, np.ndarray | np.generic | float | int) else None
    if array is None or array.dtype.kind not in "buif":
        kind = type(got).__name__ if array is None else f"an array of {array.dtype}"
        raise Wrong(f"your {name} is no array of numbers: it is {kind}")
    return array


def _axes(name, got, want, tolerance):
    """Transposed or reversed axes."""
    axes = range(want.ndim)
    for order in permutations(axes):
        moved = [axis for axis in axes if order[axis] != axis]
        if moved and same(got, want.transpose(order), tolerance):
            listed = " and ".join(map(str, moved)) if len(moved) == 2 else f"as {order}"
            return f"your {name} looks transposed: it matches after swapping axes {listed}"
    for count in range(1, want.ndim + 1):
        for flipped in combinations(axes, count):
            if same(got, np.flip(want, flipped), tolerance):
                listed = " and ".join(map(str, flipped))
                word = "axis" if count == 1 else "axes"
                return f"your {name} is flipped: it matches after reversing {word} {listed}"
    return None


def _shape(name, got, want):
    if got.shape == want.shape:
        return None
    hint = ""
    if got.ndim == want.ndim:
        more = {g - w for g, w in zip(got.shape, want.shape, strict=True)} - {0}
        if len(more) == 1:
            difference = more.pop()
            word = "larger" if difference > 0 else "smaller"
            hint = f" (yours is {abs(difference)} {word})"
    return f"your {name} has shape {got.shape}, it should be {want.shape}{hint}"


def _not_finite(name, got):
    bad = np.count_nonzero(~np.isfinite(got))
    return f"your {name} holds {bad} NaN or infinite values" if bad else None


def _sign_or_factor(name, got, want, factors, tolerance):
    """A result that is a constant times the right one."""
    if not np.any(got):
        return f"your {name} is zero everywhere: is it ever added to?"
    largest = np.unravel_index(np.argmax(np.abs(want)), want.shape)
    if want[largest] == 0:
        return None
    ratio = float(got[largest]) / float(want[largest])
    if not same(got, ratio * want, tolerance):
        return None
    if abs(ratio + 1) < 1e-6:
        return f"your {name} has the wrong sign"
    for number, what in factors.items():
        if abs(ratio * number - 1) < 1e-6:
            return (
                f"your {name} is off by a factor 1/{number}: averaged over {what}? "
                "It is a sum (or was divided already)"
            )
        if abs(ratio / number - 1) < 1e-6:
            return (
                f"your {name} is off by a factor {number}: "
                f"summed over {what} where it should be a mean, or counted {number} times?"
            )
    if want.size == 1:  # a single number is always some factor off: that says nothing
        return None
    return f"your {name} is off by a factor {ratio:.6g} everywhere"


def _where(name, got, want, tolerance):
    """No distortion fits: say how much is wrong and where it begins."""
    if want.ndim == 0:
        return f"your {name} is {float(got):.6g}, it should be {float(want):.6g}"
    wrong = np.abs(got - want.astype(np.float64)) > tolerance * max(np.abs(want).max(), 1e-300)
    first = tuple(int(k) for k in np.argwhere(wrong)[0])
    place = ", ".join(map(str, first))
    return (
        f"your {name} is wrong in {np.count_nonzero(wrong)} of {want.size} places, first at "
        f"[{place}]: {float(got[first]):.6g}, it should be {float(want[first]):.6g}"
    )
