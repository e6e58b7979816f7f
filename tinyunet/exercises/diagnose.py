"""What is wrong with these arrays? Facts that hold for any array, of whatever exercise.

A wrong answer is seldom random: two axes are swapped, a sum was a mean, a loop ended too early.
Each function here is given pairs (answer, right result) of several inputs and returns a sentence,
or None. The sentence holds for *all* pairs: one small example cannot tell one mistake from another.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations, permutations
from typing import NamedTuple

import numpy as np

from tinyunet.arrays import Array

TOLERANCE = 1e-9  # relative to the largest value; float64
TOLERANCE_FLOAT32 = 1e-4


class Pair(NamedTuple):
    """An answer beside the right result, and how many there are of what in this example."""

    got: Array
    want: Array
    sizes: Mapping[str, int] = {}  # {"images": 2, "taps": 9, …}
    tolerance: float = TOLERANCE


def same(got: object, want: object, tolerance: float = TOLERANCE) -> bool:
    """Tell whether two arrays have one shape and agree within a tolerance.

    Parameters
    ----------
    got, want : array_like
        Numbers of any shape.
    tolerance : float
        Allowed difference, relative to the largest value of `want`.

    Returns
    -------
    bool
        False as well where either holds a NaN or an infinity.
    """
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape or not np.isfinite(got).all() or not np.isfinite(want).all():
        return False
    if want.size == 0:
        return True
    largest = float(np.abs(want).max())
    allowed = tolerance * largest if largest > 0 else tolerance
    return bool(np.abs(got - want.astype(np.float64)).max() <= allowed)


def alike(got: object, made: object, tolerance: float = TOLERANCE) -> bool:
    """Tell whether an answer is what a mistake makes, NaN and infinities included.

    Parameters
    ----------
    got, made : array_like
        Numbers of any shape.
    tolerance : float
        Allowed difference, relative to the largest finite value of `made`.

    Returns
    -------
    bool
        True if both have one shape, agree, and are NaN or infinite in the same places.
    """
    got, made = np.asarray(got), np.asarray(made)
    if got.shape != made.shape:
        return False
    finite = np.isfinite(made)
    if not np.array_equal(got[~finite], made[~finite], equal_nan=True):
        return False
    return same(got[finite], made[finite], tolerance)


def find_axes(name: str, pairs: Sequence[Pair]) -> str | None:
    """Say which axes of the answers are swapped or reversed.

    Parameters
    ----------
    name : str
        What the learner calls the result: "dweight".
    pairs : sequence of Pair
        Answers and right results of several inputs.

    Returns
    -------
    str or None
        The sentence, or None if no one order of axes makes all answers right.
    """
    ndims = {pair.want.ndim for pair in pairs}
    if len(ndims) != 1 or any(pair.got.ndim not in ndims for pair in pairs):
        return None
    axes = range(ndims.pop())
    for order in permutations(axes):
        moved = [axis for axis in axes if order[axis] != axis]
        if moved and all(same(p.got, p.want.transpose(order), p.tolerance) for p in pairs):
            listed = " and ".join(map(str, moved)) if len(moved) == 2 else f"as {order}"
            return f"your {name} looks transposed: it matches after swapping axes {listed}"
    for count in range(1, len(axes) + 1):
        for flipped in combinations(axes, count):
            if all(same(p.got, np.flip(p.want, flipped), p.tolerance) for p in pairs):
                listed = " and ".join(map(str, flipped))
                word = "axis" if count == 1 else "axes"
                return f"your {name} is flipped: it matches after reversing {word} {listed}"
    return None


def find_shape(name: str, got: Array, want: Array, axes: str = "") -> str | None:
    """Say how the shape of an answer differs.

    Parameters
    ----------
    name : str
        What the learner calls the result.
    got, want : Array
        The answer and the right result.
    axes : str
        What the axes are, as in "(N, O, H', W')"; empty if that says nothing.

    Returns
    -------
    str or None
        The sentence, or None if the shapes are equal.
    """
    if got.shape == want.shape:
        return None
    hint = ""
    if sorted(got.shape) == sorted(want.shape):
        hint = ": the same lengths in another order"
    elif got.ndim == want.ndim >= 2 and got.shape[:-2] == want.shape[:-2]:
        more = [g - w for g, w in zip(got.shape[-2:], want.shape[-2:], strict=True)]
        if more[0] == more[1]:
            word = "larger" if more[0] > 0 else "smaller"
            hint = f": yours is {abs(more[0])} {word} along both"
    shape = f"{axes} = {want.shape}" if axes else f"{want.shape}"
    return f"your {name} has shape {got.shape}, it should be {shape}{hint}"


def find_not_finite(name: str, got: Array) -> str | None:
    """Say how many values of an answer are NaN or infinite.

    Parameters
    ----------
    name : str
        What the learner calls the result.
    got : Array
        The answer.

    Returns
    -------
    str or None
        The sentence, or None if all are finite.
    """
    bad = np.count_nonzero(~np.isfinite(got))
    if not bad:
        return None
    if got.ndim == 0:
        return f"your {name} is {float(got)}"
    return f"your {name} holds {bad} NaN or infinite values, of {got.size}"


def find_early_return(name: str, pairs: Sequence[Pair]) -> str | None:
    """Say that answers are right in their first part and 0 behind it.

    Parameters
    ----------
    name : str
        What the learner calls the result.
    pairs : sequence of Pair
        Answers and right results of several inputs.

    Returns
    -------
    str or None
        The sentence, or None if the answers do not all end after as many axes.
    """
    if any(p.got.shape != p.want.shape or p.want.ndim < 2 for p in pairs):
        return None
    for axis in range(pairs[0].want.ndim, 0, -1):
        if all(p.want.ndim >= axis and _ends_after(p, axis) for p in pairs):
            first = ", ".join(["0"] * axis + [":"] * (pairs[0].want.ndim - axis))
            return (
                f"your {name} is right in [{first}] and 0 everywhere else: is there a `return` "
                "inside the loop?"
            )
    return None


def _ends_after(pair: Pair, axis: int) -> bool:
    """Whether the part at index 0 of the first `axis` axes is right and the others are 0."""
    first = (0,) * axis
    kept = np.zeros_like(pair.want)
    kept[first] = pair.want[first]
    return same(pair.got, kept, pair.tolerance) and bool(np.any(kept))


def find_factor(name: str, pairs: Sequence[Pair]) -> str | None:
    """Say that answers are 0, have the wrong sign or are off by a factor.

    Parameters
    ----------
    name : str
        What the learner calls the result.
    pairs : sequence of Pair
        Answers and right results of several inputs, with what there is how many of.

    Returns
    -------
    str or None
        The sentence, or None if some answer is not a multiple of the right result.
    """
    if any(p.got.shape != p.want.shape for p in pairs):
        return None
    if pairs[0].want.ndim and not any(np.any(p.got) for p in pairs):
        return f"your {name} is zero everywhere: is anything ever added to it?"
    if any(not np.any(p.got) for p in pairs):
        return None
    ratios = [_ratio(pair) for pair in pairs]
    known = [ratio for ratio in ratios if ratio is not None]
    if len(known) != len(pairs):
        return None
    if _close(known, [-1.0] * len(known)):
        return f"your {name} has the wrong sign"
    counted = [k for k, pair in enumerate(pairs) if pair.sizes]
    for what in pairs[counted[0]].sizes if len(counted) > 1 else ():
        counts = [float(pairs[k].sizes.get(what, 0)) for k in counted]
        if min(counts) < 1 or max(counts) == 1:
            continue
        last, known_there = int(counts[-1]), [known[k] for k in counted]
        if _close(known_there, [1 / c for c in counts]):
            return (
                f"your {name} is {last} times too small, {last} being the number of {what}: "
                "a mean over them where it should be a sum?"
            )
        if _close(known_there, counts):
            return (
                f"your {name} is {last} times too large, {last} being the number of {what}: "
                "added once for each of them?"
            )
    if len(pairs) < 2 and pairs[0].want.size == 1:
        return None  # a single number is always some factor off: that says nothing
    if _close(known, [known[0]] * len(known)):
        return f"your {name} is off by a factor {known[0]:.6g} everywhere"
    return None


def _ratio(pair: Pair) -> float | None:
    """How many times the right result an answer is; None if it is no multiple."""
    if pair.want.size == 0:
        return None
    largest = np.unravel_index(np.argmax(np.abs(pair.want)), pair.want.shape)
    if pair.want[largest] == 0:
        return None
    ratio = float(pair.got[largest]) / float(pair.want[largest])
    return ratio if same(pair.got, ratio * pair.want, pair.tolerance) else None


def _close(ratios: Sequence[float], expected: Sequence[float]) -> bool:
    return all(abs(r / e - 1) < 1e-6 for r, e in zip(ratios, expected, strict=True))


def describe_numbers(name: str, pair: Pair) -> str:
    """Say how much of an answer is wrong, where it begins, and both numbers there.

    Parameters
    ----------
    name : str
        What the learner calls the result.
    pair : Pair
        The answer and the right result, of one shape.

    Returns
    -------
    str
        The sentence.
    """
    got, want = pair.got, pair.want
    if want.size == 1:
        return f"your {name} is {_unlike(got.item(), want.item())}"
    largest = max(float(np.abs(want).max()), 1e-300)
    wrong = np.abs(got - want.astype(np.float64)) > pair.tolerance * largest
    first = tuple(int(k) for k in np.argwhere(wrong)[0])
    place = ", ".join(map(str, first))
    return (
        f"your {name} is wrong in {np.count_nonzero(wrong)} of {want.size} places, first at "
        f"[{place}]: {_unlike(float(got[first]), float(want[first]))}"
    )


def _unlike(got: float, want: float) -> str:
    """Both numbers, with as many digits as it takes to tell them apart."""
    for digits in range(6, 18):
        shown = f"{got:.{digits}g}", f"{want:.{digits}g}"
        if shown[0] != shown[1]:
            break
    return f"{shown[0]}, it should be {shown[1]}"
