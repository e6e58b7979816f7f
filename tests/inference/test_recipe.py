"""How probabilities become cells, as a file holds it."""

import numpy as np
import pytest

from tinyunet.inference.cores import cores_to_cells
from tinyunet.inference.postprocess import probabilities_to_cells
from tinyunet.inference.recipe import DEFAULTS, Recipe


@pytest.fixture
def probabilities(rng):
    p = np.kron(rng.random((4, 6)), np.ones((7, 5))).astype(np.float32)
    return np.stack([1 - p, p])


def test_the_defaults_are_those_of_the_command(probabilities):
    recipe = Recipe()
    assert recipe.settings == DEFAULTS
    expected = probabilities_to_cells(1 - probabilities[0], **DEFAULTS)
    assert expected.max() > 1
    assert np.array_equal(recipe.cells(probabilities), expected)


def test_settings_reach_the_function_and_changes_leave_the_rest(probabilities):
    recipe = Recipe.from_dict({"settings": {"threshold": 0.7}, "chosen": "by hand"})
    assert (recipe.threshold, recipe.settings["min_size"]) == (0.7, 20)
    other = recipe.changed(min_size=0, border=0)
    expected = probabilities_to_cells(1 - probabilities[0], threshold=0.7)
    assert np.array_equal(other.cells(probabilities), expected)
    assert other.chosen == "by hand"
    assert recipe.settings["min_size"] == 20


def test_a_round_trip():
    recipe = Recipe(settings={"threshold": 0.3}, objects=True, chosen="x")
    again = Recipe.from_dict(recipe.to_dict())
    assert again == Recipe(settings={**DEFAULTS, "threshold": 0.3}, objects=True, chosen="x")


def test_other_functions_get_all_classes(probabilities):
    p = np.concatenate([probabilities / 2, 0.5 - probabilities[:1] / 4])
    p /= p.sum(axis=0)
    recipe = Recipe.from_dict({"function": "cores_to_cells", "settings": {"core": 0.4}})
    assert recipe.settings == {"core": 0.4}
    expected = cores_to_cells(p, core=0.4)
    assert expected.max() > 1
    assert np.array_equal(recipe.cells(p), expected)
    assert recipe.threshold == 0.5
    with pytest.raises(ValueError, match="cores_to_cells takes no grow: threshold, core"):
        recipe.changed(grow=1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no settings"),
        ({}, "no settings"),
        ({"settings": {"treshold": 1}}, "takes no treshold"),
        ({"settings": {}, "function": "math"}, "no function 'math' that makes cells"),
        ({"settings": {}, "function": "gone_to_cells"}, "no function 'gone_to_cells'"),
        ({"settings": {}, "function": 3}, "no function 3"),
        ({"settings": {"threshold": "0.6"}}, "^threshold must be a number, got '0.6'$"),
        ({"settings": {"threshold": None}}, "^threshold must be a number, got None$"),
        ({"settings": {"threshold": True}}, "^threshold must be a number, got True$"),
        ({"settings": {"grow": [1]}}, r"^grow must be a number, got \[1\]$"),
        ({"settings": {"min_size": 2.5}}, "^min_size must be a whole number, got 2.5$"),
        ({"settings": {"fill_holes": 1}}, "^fill_holes must be true or false, got 1$"),
        (
            {"settings": {"min_core": 2.0}, "function": "cores_to_cells"},
            "^min_core must be a whole number, got 2.0$",
        ),
    ],
)
def test_what_is_no_recipe(content, message):
    with pytest.raises(ValueError, match=message):
        Recipe.from_dict(content)


def test_settings_may_be_numbers_of_numpy_and_switches(probabilities):
    settings = {"threshold": np.float32(0.5), "min_size": np.int64(3), "fill_holes": False}
    expected = probabilities_to_cells(
        1 - probabilities[0], threshold=0.5, min_size=3, fill_holes=False
    )
    assert np.array_equal(Recipe(settings=settings).cells(probabilities), expected)
