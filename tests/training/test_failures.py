"""A network that has collapsed is told of, and one that begins to learn is not."""

import numpy as np
import pytest
from runs import tiny, tiny_dataset

from tinyunet.training.failures import PATIENCE, CollapseWatch
from tinyunet.training.held_out import Share, held_out_range
from tinyunet.training.loop import train
from tinyunet.training.tiles import TrainingSlice
from tinyunet.training.validation import Validation

ZEROS = np.zeros((2, 2), np.uint8)
PLAIN = [TrainingSlice(None, ZEROS, None, "")]
WEIGHTED = [TrainingSlice(None, ZEROS, np.full((2, 2), 4.0, np.float32), "")]


def found(*predicted, rate=0.2):
    return Validation(7, 1.0, rate, predicted)


def test_what_a_collapse_is():
    assert found(0.0, 1.0).collapsed
    assert found(1.0, 0.0, 0.0).collapsed
    assert not found(0.001, 0.999).collapsed
    assert not found(0.0, 1.0, rate=0.0).collapsed  # rightly so
    assert not Validation(7, 1.0, 0.5).collapsed  # of version 1.0, which did not count


def test_it_is_told_after_some_validations_in_a_row_and_once():
    watch = CollapseWatch(PLAIN, 0.01)
    for _ in range(PATIENCE - 1):
        assert watch.look(found(0, 1)) is None
    assert watch.look(found(0.5, 0.5)) is None
    told = [watch.look(found(0, 1)) for _ in range(PATIENCE + 2)]
    assert [bool(text) for text in told] == [False] * (PATIENCE - 1) + [True, False, False]
    text = told[PATIENCE - 1]
    assert "every pixel is taken for class 1" in text
    assert "such as 0.002" in text
    assert "weight map" not in text


def test_at_the_end_once_is_enough():
    watch = CollapseWatch(WEIGHTED, 0.01)
    assert watch.look(found(0, 1)) is None
    text = watch.look(found(0, 1), last=True)
    assert "such as 0.001, or no weight map (its mean is 4.0: it multiplies the rate)" in text
    assert CollapseWatch(PLAIN, 0.01).look(found(0.4, 0.6), last=True) is None


def test_a_run_that_learns_nothing_warns(tmp_path):
    settings = tiny(lr=1e-9, steps=3, val_every=1)
    with pytest.warns(UserWarning, match="^at step 3 every pixel is taken for class [01], as by"):
        train(tiny_dataset(), settings, tmp_path / "run", "cpu")


def test_a_share_of_the_slices_is_a_block_at_the_end():
    dataset = tiny_dataset(count=10)
    assert held_out_range(dataset, Share(0.2)) == (8, 10)
    assert held_out_range(dataset, Share(0.01)) == (9, 10)  # one at least
    assert held_out_range(dataset, Share(0.25)) == (7, 10)
    for index in (1, 3, 5, 8):
        dataset.labels[index] = None
    assert held_out_range(dataset, Share(0.3)) == (7, 10)  # two that have labels: 7 and 9


def test_shares_that_are_none():
    for share in (0.0, 1.0, -0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="% is not between 0 and 100 %$"):
            Share(share)
    with pytest.raises(ValueError, match="^95 % of 4 labelled slices leave none to train on$"):
        held_out_range(tiny_dataset(), Share(0.95))
