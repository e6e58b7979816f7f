"""Facts about wrong arrays: right for several examples at once, or not said."""

import numpy as np
import pytest

from tinyunet.exercises import diagnose
from tinyunet.exercises.diagnose import Pair, alike, same


@pytest.fixture
def wants():
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape) for shape in ((2, 3, 4, 5), (3, 7, 6, 2))]


def pairs(wants, change, sizes=({}, {})):
    return [Pair(change(w), w, s) for w, s in zip(wants, sizes, strict=True)]


def test_same_accepts_what_is_equal_within_the_tolerance():
    want = np.array([1.0, -2.0])
    assert same(want + 1.9e-9, want)
    assert not same(want + 2.1e-9, want)
    assert same(np.zeros(0), np.zeros(0))
    assert same(np.full(2, 0.9e-9), np.zeros(2))
    assert not same(np.full(2, 1.1e-9), np.zeros(2))
    assert not same(np.array([1e-3, 1e-3 + 5e-10]), np.array([1e-3, 1e-3]))
    assert not same(np.zeros(2), np.zeros(3))
    assert not same(np.array([np.nan]), np.array([np.nan]))


def test_alike_compares_what_is_not_finite_too():
    got = np.array([1.0, np.nan, np.inf])
    assert alike(got, got)
    assert not alike(got, np.array([1.0, np.nan, -np.inf]))
    assert not alike(got, np.array([2.0, np.nan, np.inf]))
    assert not alike(np.nan, 1.0)
    assert alike(np.inf, np.inf)
    assert not alike(np.zeros(2), np.zeros(3))


def test_axes_are_named_if_one_order_fits_all(wants):
    say = diagnose.find_axes
    assert say("y", pairs(wants, lambda w: w.swapaxes(1, 3))) == (
        "your y looks transposed: it matches after swapping axes 1 and 3"
    )
    assert say("y", pairs(wants, lambda w: w.transpose(1, 2, 3, 0))) == (
        "your y looks transposed: it matches after swapping axes as (1, 2, 3, 0)"
    )
    assert say("y", pairs(wants, lambda w: w[:, ::-1])) == (
        "your y is flipped: it matches after reversing axis 1"
    )
    assert say("y", pairs(wants, lambda w: w[::-1, ::-1, ::-1])).endswith("axes 0 and 1 and 2")
    mixed = [pairs(wants, lambda w: w[:, ::-1])[0], pairs(wants, lambda w: w[::-1])[1]]
    assert say("y", mixed) is None
    assert say("y", pairs(wants, lambda w: w[0])) is None
    assert say("y", [Pair(np.array(1.0), np.array(2.0))]) is None


def test_shapes_are_told_with_what_is_sure():
    def say(got, want, axes=""):
        return diagnose.find_shape("y", np.zeros(got), np.zeros(want), axes)

    assert say((2, 3), (2, 3)) is None
    assert say((4, 4, 5, 6), (4, 4, 3, 4)).endswith("(4, 4, 3, 4): yours is 2 larger along both")
    assert say((2, 3), (3, 4)).endswith("it should be (3, 4): yours is 1 smaller along both")
    assert say((4, 3, 5), (3, 4, 5)).endswith("(3, 4, 5): the same lengths in another order")
    # One channel less is no size that is "1 smaller".
    assert say((2, 3, 8, 8), (2, 4, 8, 8)).endswith("it should be (2, 4, 8, 8)")
    assert say((4, 3, 5, 5), (4, 2, 4, 4)).endswith("it should be (4, 2, 4, 4)")
    assert say((2, 3), (2, 3, 4), "(N, C, W)").endswith("it should be (N, C, W) = (2, 3, 4)")


def test_what_is_not_finite_is_counted():
    say = diagnose.find_not_finite
    assert say("y", np.array([1.0, np.nan, np.inf])) == (
        "your y holds 2 NaN or infinite values, of 3"
    )
    assert say("y", np.array(np.inf)) == "your y is inf"
    assert say("y", np.ones(2)) is None


@pytest.mark.parametrize("axes", [1, 2, 3, 4])
def test_a_return_in_the_loop_is_seen_by_what_is_0_behind_it(wants, axes):
    def cut(want):
        got = np.zeros_like(want)
        got[(0,) * axes] = want[(0,) * axes]
        return got

    first = ", ".join(["0"] * axes + [":"] * (4 - axes))
    said = diagnose.find_early_return("y", pairs(wants, cut))
    assert said.startswith(
        f"your y is right in [{first}] and 0 everywhere else: is there a `return`"
    )


def test_what_is_0_elsewhere_is_no_return_in_the_loop(wants):
    def without_last_row(want):
        got = want.copy()
        got[:, :, -1] = 0
        return got

    assert diagnose.find_early_return("y", pairs(wants, without_last_row)) is None
    assert diagnose.find_early_return("y", pairs(wants, np.zeros_like)) is None
    assert diagnose.find_early_return("y", [Pair(np.array(1.0), np.array(2.0))]) is None


def test_factors_have_a_name_only_if_it_fits_every_example(wants):
    say, sizes = diagnose.find_factor, ({"images": 2, "taps": 9}, {"images": 3, "taps": 4})
    assert say("y", pairs(wants, lambda w: -w)) == "your y has the wrong sign"
    assert say("y", pairs(wants, lambda w: 0 * w)).startswith("your y is zero everywhere")
    assert say("y", pairs(wants, lambda w: 7 * w)) == "your y is off by a factor 7 everywhere"
    means = [Pair(w / s["images"], w, s) for w, s in zip(wants, sizes, strict=True)]
    assert say("y", means) == (
        "your y is 3 times too small, 3 being the number of images: a mean over them where it "
        "should be a sum?"
    )
    sums = [Pair(w * s["taps"], w, s) for w, s in zip(wants, sizes, strict=True)]
    assert say("y", sums) == (
        "your y is 4 times too large, 4 being the number of taps: added once for each of them?"
    )
    mixed = [Pair(wants[0] / 2, wants[0], sizes[0]), Pair(wants[1] / 4, wants[1], sizes[1])]
    assert say("y", mixed) is None
    assert say("y", pairs(wants, lambda w: w + 1)) is None
    assert say("y", pairs(wants, lambda w: w[0])) is None


def test_a_single_number_is_no_factor():
    """Each number is some times another: only several examples say something."""
    assert diagnose.find_factor("loss", [Pair(np.array(3.0), np.array(1.5))]) is None
    two = [Pair(np.array(3.0), np.array(1.5)), Pair(np.array(5.0), np.array(2.5))]
    assert diagnose.find_factor("loss", two) == "your loss is off by a factor 2 everywhere"
    n_is_1 = [Pair(np.array(2.0), np.array(1.0), {"images": 1})] * 2
    assert "images" not in diagnose.find_factor("loss", n_is_1)


def test_two_numbers_are_shown_with_the_digits_that_differ():
    say = diagnose.describe_numbers
    assert say("loss", Pair(np.array(2.5), np.array(0.0))) == "your loss is 2.5, it should be 0"
    assert say("loss", Pair(np.array(2.1055012), np.array(2.1055013))) == (
        "your loss is 2.1055012, it should be 2.1055013"
    )
    want = np.arange(24.0).reshape(2, 3, 4)
    got = want.copy()
    got[1, 0, 2] = 5
    assert say("y", Pair(got, want)) == (
        "your y is wrong in 1 of 24 places, first at [1, 0, 2]: 5, it should be 14"
    )
