"""Help says what a command is for and ends with examples; near misses get a suggestion."""

import argparse
import re

import pytest

from tinyunet.cli import build_parser, main, parser

COMMANDS = sorted(build_parser().commands.choices)


@pytest.fixture(scope="module")
def commands():
    return build_parser().commands.choices


def test_the_bare_command_prints_the_overview(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert out.startswith("The U-Net paper from scratch")
    for name in build_parser().commands.choices:
        assert re.search(rf"^  {name} +\S", out, re.M), name
    assert "first steps:\n  tinyunet demo" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_with_the_purpose_and_ends_with_two_examples(commands, name):
    text = commands[name].format_help()
    lines = text.splitlines()
    assert re.fullmatch(r"[A-Z].*\.", lines[0])
    assert lines.index(f"usage: {commands[name].usage}") > 1
    examples = text[text.index("examples:") :].splitlines()[1:]
    typed = [line for line in examples if line.startswith(f"  tinyunet {name}")]
    assert len(typed) == 2
    assert examples[-1] == typed[-1]
    assert max(map(len, lines)) <= parser.WIDTH


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_can_be_typed(commands, name):
    """Each parses; what they name need not exist."""
    text = commands[name].format_help()
    for line in text[text.index("examples:") :].splitlines():
        if line.startswith("  tinyunet"):
            assert build_parser().parse_args(line.split()[1:]).command == line.split()[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is_for(commands, name):
    for action in commands[name]._actions:
        assert action.help, f"{name} {action.option_strings or action.dest}"
        if action.type in (int, float) and action.help != argparse.SUPPRESS:
            assert action.metavar, f"{name} {action.option_strings}: of which unit or kind?"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_with_a_result_has_json(commands, name):
    assert ("--json" in commands[name].format_help()) == (name not in ("book", "completion"))


def test_options_stand_in_groups_with_their_defaults(commands):
    text = commands["train"].format_help()
    headings = re.findall(r"^(\S.*):$", text, re.M)
    assert headings == [
        *("options", "data", "network (figure 1)", "training (section 3)"),
        *("weight map (equation 2)", "augmentation beyond the paper"),
        "parts of the paper's recipe to leave out",
        *("validation and checkpoints", "machine and output", "examples"),
    ]
    flat = " ".join(text.split())
    assert "learning rate; a smaller one if the loss becomes NaN or flat (0.02)" in flat
    assert "--no-grey" not in text  # hidden, for command lines of version 1.0
    assert "leave the recipe's" not in text


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["trian"], "train"),
        (["segment"], "predict"),
        (["fit"], "train"),
        (["evalaute"], "evaluate"),
        (["help"], "--help"),
        (["train", "i", "l", "--out", "r", "--epochs", "3"], "--steps"),
        (["train", "i", "l", "--out", "r", "--learning-rate", "3"], "--lr"),
        (["train", "i", "l", "--out", "r", "--baes=3"], "--base"),
        (["train", "i", "l", "--out", "r", "--batch-size", "3"], "--tile (a step learns from"),
        (["info", "--deep", "3"], "--depth"),
        (["predict", "r", "i", "--colors", "d"], "--colours"),
        (["predict", "r", "i", "--mask", "d", "--tresh", "1"], "--threshold"),
        (["demo", "--second", "3", "--sedonds", "4"], "--seconds"),
    ],
)
def test_near_misses(capsys, typed, meant):
    assert main(typed) == 2
    assert f"; did you mean {meant}" in capsys.readouterr().err


@pytest.mark.parametrize("typed", [["xyz"], ["train", "i", "l", "--out", "r", "--qqqqqq"]])
def test_no_suggestion_is_better_than_a_far_one(capsys, typed):
    assert main(typed) == 2
    assert "did you mean" not in capsys.readouterr().err


def test_errors_name_the_help_of_the_command(capsys):
    assert main(["train", "i", "l", "--out", "r", "--epochs", "3"]) == 2
    assert capsys.readouterr().err.endswith("(see `tinyunet train --help`)\n")
    assert main(["trian"]) == 2
    assert capsys.readouterr().err.endswith("(see `tinyunet --help`)\n")
