"""Lesson 11's theory of the threshold, where it is exact, and the program that measures it."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # `lessons` is a folder of the project

from lessons.runs.thresholds import (
    best_threshold,
    by_output,
    local_threshold,
    mean_threshold,
    weighted_share,
)

CELL, NARROW, WIDE = 0.6, 12.0, 2.2  # weights: of a cell, of membrane in a narrow and a wide gap


def pixels(q, membrane_weight, n):
    """n pixels that are cell with probability q: (output of the best network, is cell, weight)."""
    cells = round(n * q)
    cell = np.arange(n) < cells
    odds = CELL * cells / (membrane_weight * (n - cells))
    return np.full(n, odds / (1 + odds)), cell, np.where(cell, CELL, membrane_weight)


def example():
    """Narrow gaps, of which the network is nearly sure, and pixels of all doubts in wide ones."""
    parts = [pixels(0.02, NARROW, 3000)]
    parts += [pixels(q, WIDE, 500) for q in np.arange(0.05, 0.96, 0.01)]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def test_a_network_at_the_minimum_has_the_output_as_weighted_share_of_cell():
    p, cell, weights = example()
    for t in np.unique(p):
        at = p == t
        share = weights[at & cell].sum() / weights[at].sum()
        assert share == pytest.approx(t, abs=1e-12)


def test_the_weights_where_the_output_is_the_threshold_predict_it():
    p, cell, weights = example()
    exact = CELL / (CELL + WIDE)
    assert local_threshold(p, cell, weights) == pytest.approx(exact, abs=1e-6)
    best, rate = best_threshold(p, cell)
    assert best == pytest.approx(exact, abs=0.01)
    assert rate == pytest.approx(np.mean((p > exact) != cell), abs=1e-3)


def test_the_mean_over_all_membrane_pixels_predicts_too_low_a_threshold():
    p, cell, weights = example()
    mean = mean_threshold(p, cell, weights)
    w_m = weights[~cell].mean()
    assert mean == pytest.approx(CELL / (CELL + w_m))
    assert mean < 0.75 * best_threshold(p, cell)[0]
    assert np.mean((p > mean) != cell) > 1.02 * best_threshold(p, cell)[1]


def test_with_one_weight_a_class_both_predictions_are_one():
    parts = [pixels(q, WIDE, 300) for q in np.arange(0.02, 0.99, 0.01)]
    p, cell, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
    assert local_threshold(p, cell, weights) == pytest.approx(mean_threshold(p, cell, weights))


def test_by_output_counts_by_hand():
    p = np.array([[0.0, 0.04, 0.5], [0.51, 0.99, 1.0]])
    cell = np.array([[False, True, False], [True, True, True]])
    weights = np.array([[2.0, 1, 3], [0.5, 0.5, 1]])
    cells, membranes, cell_weight, membrane_weight = by_output(p, cell, weights)
    assert (cells[0], cells[10], cells[19]) == (1, 1, 2)
    assert (membranes[0], membranes[10], membranes.sum()) == (1, 1, 2)
    assert (cell_weight[0], cell_weight[19], membrane_weight[10]) == (1, 1.5, 3)
    assert weighted_share(p, cell, weights)[10] == pytest.approx(0.5 / 3.5)


def test_without_a_crossing_there_is_no_number():
    p, cell = np.array([0.4, 0.45]), np.array([True, True])
    assert np.isnan(local_threshold(p, cell, np.ones(2)))
