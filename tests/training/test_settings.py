"""Settings: what is accepted, what is refused and in which words, what counts as a difference."""

import json

import numpy as np
import pytest
from runs import TINY, tiny

from tinyunet.training.settings import Settings


def test_the_defaults_are_the_papers_or_documented():
    assert Settings().to_dict() == {
        "depth": 5,
        "base_channels": 64,
        "dropout": 0.5,
        "tile": 572,
        "steps": 2000,
        "lr": 0.02,
        "momentum": 0.9,
        "momentum_warmup": 300,
        "decay": 0.0,
        "seed": 0,
        "val": None,
        "val_every": 100,
        "checkpoint_every": 100,
        "elastic": True,
        "rotation": True,
        "intensity": True,
        "weight_map": True,
        "max_zoom": 1.0,
        "balance": True,
        "w0": 10.0,
        "sigma": 5.0,
        "border": 2,
        "precision": "float32",
        "ranks": 1,
    }


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("tile", 570, "^tile 570 does not fit depth 5: the nearest sizes are 556 and 572$"),
        ("base_channels", 0, "^base_channels 0 is not at least 1$"),
        ("steps", 0, "^steps 0 is not at least 1$"),
        ("val_every", 0, "^val_every 0 is not at least 1$"),
        ("checkpoint_every", -1, "^checkpoint_every -1 is not at least 1$"),
        ("dropout", -0.1, r"^dropout -0.1 is not in \[0, 1\)$"),
        ("dropout", 1, r"^dropout 1 is not in \[0, 1\)$"),
        ("w0", -0.1, "^w0 -0.1 is not a number of at least 0$"),
        ("w0", float("inf"), "^w0 inf is not a number of at least 0$"),
        ("w0", float("nan"), "^w0 nan is not a number of at least 0$"),
        ("sigma", 0, "^sigma 0 is not a positive number$"),
        ("sigma", float("inf"), "^sigma inf is not a positive number$"),
        ("border", -1, "^border -1 is not at least 0$"),
        ("max_zoom", 0.5, "^max_zoom 0.5 is not a number of at least 1$"),
        ("max_zoom", float("inf"), "^max_zoom inf is not a number of at least 1$"),
        ("lr", 0, "^learning rate 0 is not a positive number$"),
        ("lr", float("inf"), "^learning rate inf is not a positive number$"),
        ("lr", float("nan"), "^learning rate nan is not a positive number$"),
        ("momentum", 1, r"^momentum 1 is not in \[0, 1\)$"),
        ("momentum", -1e-9, r"^momentum -1e-09 is not in \[0, 1\)$"),
        ("momentum_warmup", -1, "^momentum_warmup -1 is not at least 0 steps$"),
        ("momentum_warmup", 0.5, "^momentum_warmup 0.5 is not a whole number$"),
        ("decay", -0.1, r"^decay -0.1 is not in \[0, 1\]$"),
        ("decay", 1.1, r"^decay 1.1 is not in \[0, 1\]$"),
        ("decay", float("nan"), r"^decay nan is not in \[0, 1\]$"),
        ("seed", -1, "^seed -1 is negative: it must be a whole number of at least 0$"),
        ("val", (3, 3), r"^validation range \(3, 3\) is not FIRST:BEHIND_LAST, as in 20:24$"),
        ("val", (-1, 3), "FIRST:BEHIND_LAST"),
        ("val", (1, 2, 3), "FIRST:BEHIND_LAST"),
        ("val", (0.5, 2), "FIRST:BEHIND_LAST"),
        ("val", (0, float("inf")), "FIRST:BEHIND_LAST"),
        ("depth", float("inf"), "^depth inf is not a whole number$"),
        ("tile", 572.0, "^tile 572.0 is not a whole number$"),
        ("base_channels", 1.5, "^base_channels 1.5 is not a whole number$"),
        ("steps", float("nan"), "^steps nan is not a whole number$"),
        ("val_every", "5", "^val_every '5' is not a whole number$"),
        ("checkpoint_every", None, "^checkpoint_every None is not a whole number$"),
        ("seed", True, "^seed True is not a whole number$"),
        ("border", [2], r"^border \[2\] is not a whole number$"),
        ("lr", "0.1", "^lr '0.1' is not a number$"),
        ("lr", True, "^lr True is not a number$"),
        ("w0", 10**400, "^w0 10+ is not a number$"),
        ("sigma", None, "^sigma None is not a number$"),
        ("elastic", 1, "^elastic 1 is not True or False$"),
        ("weight_map", "no", "^weight_map 'no' is not True or False$"),
        ("precision", 32, "^precision 32 is not a word$"),
        ("precision", "float16", "^precision 'float16' is not one of float32, tf32, bf16$"),
    ],
)
def test_refused(name, value, message):
    with pytest.raises(ValueError, match=message):
        Settings(**{name: value})


@pytest.mark.parametrize(
    "values",
    [
        {"base_channels": 1, "steps": 1, "val_every": 1, "checkpoint_every": 1},
        {"dropout": 0, "momentum": 0, "w0": 0, "border": 0, "seed": 0},
        {"val": (0, 1)},
        {"tile": 188},
        {"steps": np.int64(7), "lr": np.float32(0.5), "sigma": 3, "w0": 1e308},
    ],
)
def test_the_least_that_is_accepted(values):
    settings = Settings(**values)
    assert {name: getattr(settings, name) for name in values} == values


def test_to_json_and_back():
    settings = tiny()
    assert settings.to_dict()["val"] == [3, 4]
    again = Settings(**json.loads(json.dumps(settings.to_dict())))
    assert again == settings
    assert again.val == (3, 4)


def test_differences():
    mine = tiny()
    assert mine.differences(tiny()) == []
    assert mine.differences(tiny(steps=99)) == []
    assert mine.differences(tiny(lr=0.5, val=None)) == [
        "lr: 0.01, not 0.5",
        "val: [3, 4], not None",
    ]


def test_with_a_decay_the_steps_count_too():
    assert tiny(decay=0.5).differences(tiny(decay=0.5, steps=99)) == [
        "steps: 12, not 99 (the learning rate falls at the end of a run, so its length belongs to "
        "it; only a run with decay 0 may become longer)"
    ]


def test_the_momentums_memory_grows_in_a_straight_line():
    growing = tiny(momentum=0.9, momentum_warmup=9)
    memory = [1 / (1 - growing.momentum_at(step)) for step in range(1, 12)]
    assert memory == pytest.approx([2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10])
    assert growing.momentum_at(10) == 0.9
    assert tiny(momentum=0.9, momentum_warmup=0).momentum_at(1) == 0.9
    assert tiny(momentum=0.0, momentum_warmup=5).momentum_at(1) == 0.0
    assert tiny(momentum=0.99, momentum_warmup=300).momentum_at(1) == pytest.approx(1 - 1 / 1.33)


def test_the_rate_falls_in_a_straight_line_over_the_last_steps():
    falling = tiny(lr=1.0, steps=10, decay=0.4)
    rates = [falling.lr_at(step) for step in range(1, 11)]
    assert rates == pytest.approx([1] * 7 + [0.75, 0.5, 0.25])
    assert [tiny(lr=1.0, steps=4, decay=1).lr_at(s) for s in (1, 2, 3, 4)] == [
        1,
        0.75,
        0.5,
        0.25,
    ]
    assert {tiny(lr=0.3, decay=0).lr_at(step) for step in (1, 12)} == {0.3}


@pytest.mark.parametrize("name", [name for name in Settings().to_dict() if name != "steps"])
def test_every_setting_but_the_steps_counts(name):
    other = {**TINY, "elastic": True, "rotation": True, "intensity": True, "weight_map": True}
    other |= {"w0": 10.0, "sigma": 5.0, "border": 2, "precision": "float32", "decay": 0.0}
    other |= {"max_zoom": 1.0, "balance": True, "ranks": 1, "momentum_warmup": 0}
    fraction = 1.125 if name == "max_zoom" else 0.125
    value = other[name]
    other[name] = {bool: False, int: value, float: fraction}.get(type(value))
    if name == "val":
        other[name] = (2, 4)
    elif name == "precision":
        other[name] = "tf32"
    elif type(value) is int:
        other[name] = value + 2 if name != "depth" else 1
    differences = tiny().differences(Settings(**other))
    assert [text.partition(":")[0] for text in differences] == [name]
