"""Lesson 12's parts of the Rand error add up to it, and are those that one counts by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # `lessons` is a folder of the project

from lessons.runs.limits import distance_to_border, rand_parts
from tinyunet.metrics import isbi2012_details


def row(text):
    return np.array([[[float(c) for c in text]]], np.float32)


def parts_of(truth, prediction, threshold=0.5):
    return rand_parts(truth > 0, prediction, threshold)


def test_a_row_by_hand():
    truth = row("111101111")
    shares, merged = parts_of(truth, row("110101111"))
    assert shares == pytest.approx({"called membrane": 6 / 54, "split": 4 / 54, "merged": 0})
    assert merged == []
    shares, merged = parts_of(truth, row("111111111"))
    assert shares == pytest.approx({"called membrane": 0, "split": 0, "merged": 32 / 96})
    assert merged == pytest.approx([32 / 96])


@pytest.mark.parametrize("seed", range(4))
def test_the_parts_add_up_to_the_rand_error(seed):
    rng = np.random.default_rng(seed)
    truth = rng.random((2, 17, 23)) < 0.7
    prediction = rng.random((2, 17, 23), np.float32)
    report = isbi2012_details(truth, prediction)
    for threshold, v_rand in zip(report.thresholds, report.tables["v_rand"], strict=True):
        shares, merged = parts_of(truth, prediction, threshold)
        assert sum(shares.values()) == pytest.approx(1 - v_rand)
        assert sum(merged) == pytest.approx(shares["merged"])
        if threshold == report.thresholds[3]:
            assert all(share > 0 for share in shares.values())


def test_the_distance_is_to_the_nearest_pixel_of_the_other_kind():
    assert distance_to_border(row("11100")[0] > 0).tolist() == [[3, 2, 1, 1, 2]]
