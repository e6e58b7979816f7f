"""How the command line is read: argparse, with help that has examples and errors that suggest.

Lesson: lessons/11-training.md.
"""

import argparse
import difflib
import re
import textwrap
from collections.abc import Sequence
from typing import Any, NoReturn

WIDTH = 80

# What others call our options and commands; near misses of spelling are found without this.
SYNONYMS = {
    "--epochs": "--steps",
    "--iterations": "--steps",
    "--learning-rate": "--lr",
    "--learning_rate": "--lr",
    "--rate": "--lr",
    "--output": "--out",
    "-o": "--out",
    "--validation": "--val",
    "--val-split": "--val",
    "--patch-size": "--tile",
    "--crop": "--tile",
    "--channels-base": "--base",
    "--base-channels": "--base",
    "--colors": "--colours",
    "--labels": "--cells",
    "--force": "--overwrite",
    "--gpu": "--device gpu",
    "--cpu": "--device cpu",
    "--workers": "--threads",
    "--num-workers": "--threads",
    "--batch-size": "--tile (a step learns from one large tile)",
    "segment": "predict",
    "infer": "predict",
    "test": "evaluate",
    "score": "evaluate",
    "eval": "evaluate",
    "fit": "train",
    "show": "info",
    "help": "--help",
}


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help of 80 columns; descriptions and examples keep their lines."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=WIDTH)

    def _format_action(self, action: argparse.Action) -> str:
        """Commands stand under their heading, without a line that only says COMMAND."""
        if isinstance(action, argparse._SubParsersAction):
            return "".join(map(self._format_action, action._get_subactions()))
        return super()._format_action(action)


class Parser(argparse.ArgumentParser):
    """argparse, with its errors in one line like all others, and with suggestions."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("formatter_class", Formatter)
        super().__init__(*args, **options)
        self.commands: argparse._SubParsersAction[Parser] | None = None

    def format_help(self) -> str:
        """Format the help: what it is for comes first, then how it is called.

        Returns
        -------
        str
            The help.
        """
        description, self.description = self.description, None
        try:
            return f"{description}\n\n{super().format_help()}"
        finally:
            self.description = description

    def error(self, message: str) -> NoReturn:
        """Raise ValueError with argparse's message, and with what may have been meant.

        Parameters
        ----------
        message : str
            The message.

        Raises
        ------
        ValueError
            Always.
        """
        raise ValueError(f"{message}{self._suggestion(message)} (see `{self.prog} --help`)")

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse a command line; what is left over is an error of the command that was given.

        Parameters
        ----------
        args : sequence of str, optional
            The words; None takes those that the program was started with.
        namespace : argparse.Namespace, optional
            Gets the values.

        Returns
        -------
        argparse.Namespace
            The values.

        Raises
        ------
        ValueError
            For what is not accepted.
        """
        found, extras = self.parse_known_args(args, namespace)
        if extras:
            parser = self
            if self.commands is not None:
                parser = self.commands.choices.get(str(getattr(found, "command", "")), self)
            parser.error(f"unrecognized arguments: {' '.join(extras)}")
        return found

    def _suggestion(self, message: str) -> str:
        """ "; did you mean --steps?" where something of a similar name exists."""
        if match := re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message):
            choices = re.findall(r"[\w.-]+", match[2])
            words = [match[1]]
        elif match := re.match(r"unrecognized arguments: (.*)", message):
            choices = [name for action in self._actions for name in action.option_strings]
            words = [word.partition("=")[0] for word in match[1].split() if word.startswith("-")]
        else:
            return ""
        meant = [found for found in (_nearest(word, choices) for word in words) if found]
        return f"; did you mean {' and '.join(meant)}?" if meant else ""


def _nearest(word: str, choices: Sequence[str]) -> str | None:
    """The choice that `word` probably means, or None."""
    known = SYNONYMS.get(word.lower())
    if known is not None and (known.split()[0] in choices or known.startswith("--")):
        return known
    close = difflib.get_close_matches(word.lower(), [*choices, *SYNONYMS], 1, 0.6)
    return SYNONYMS.get(close[0], close[0]) if close else None


def add_command(
    commands: "argparse._SubParsersAction[Parser]",
    name: str,
    usage: str,
    purpose: str,
    text: str,
    examples: Sequence[tuple[str, str]],
) -> Parser:
    """Add a command whose help begins with what it is for and ends with examples.

    Parameters
    ----------
    commands : action
        What ``add_subparsers`` returned.
    name : str
        Of the command.
    usage : str
        What comes after the name.
    purpose : str
        A line, shown in the list of commands too.
    text : str
        What else there is to know; its lines are filled.
    examples : sequence of (command, str)
        What to type, and what it does.

    Returns
    -------
    Parser
        Of the command.
    """
    first = f"{purpose[0].upper()}{purpose[1:]}."
    paragraphs = [first, *textwrap.dedent(text).split("\n\n")]
    description = "\n\n".join(
        textwrap.fill(" ".join(p.split()), WIDTH - 2) for p in paragraphs if p
    )
    lines = ["examples:"]
    for command, does in examples:
        lines += textwrap.wrap(does, WIDTH - 4, initial_indent="  # ", subsequent_indent="  # ")
        lines.append(f"  {command}")
    usage = f"tinyunet {name} {usage}"
    return commands.add_parser(
        name, help=purpose, description=description, epilog="\n".join(lines), usage=usage
    )
