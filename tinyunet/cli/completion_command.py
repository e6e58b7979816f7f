"""`tinyunet completion`: a script by which a shell completes our commands, options and files.

A script is written once. Completion that asks the program at every Tab would wait each time until
the program has started, which takes about a second.
"""

import argparse
from typing import Any

from tinyunet.cli.parser import Parser, add_command

SHELLS = ("bash", "zsh")
TEXT = """
Prints a script for your shell, made of the commands and options of this version: the shell reads it
by `eval "$(tinyunet completion bash)"`, written into ~/.bashrc if it shall be there in each.
Needs `pip install "tinyunet[completion]"`.
"""
EXAMPLES = (
    ("tinyunet completion bash", "with `>> ~/.bash_completion` behind it, bash knows it for good"),
    ("tinyunet completion zsh", "with `> _tinyunet` behind it, in a folder of zsh's fpath"),
)


def add_to(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the command to the parser.

    Parameters
    ----------
    commands : subparsers action
        Where to.
    """
    purpose = "let a shell complete commands, options and files"
    parser = add_command(commands, "completion", "SHELL", purpose, TEXT, EXAMPLES)
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print the script.

    Parameters
    ----------
    arguments : Namespace
        The parsed command line.

    Raises
    ------
    ImportError
        Without shtab, which writes the script.
    """
    try:
        import shtab
    except ImportError as error:
        raise ImportError('shtab is not installed: pip install "tinyunet[completion]"') from error
    from tinyunet.cli import build_parser

    parser = build_parser()
    _complete_files(parser, shtab.FILE)
    print(shtab.complete(parser, shell=arguments.shell))


def _complete_files(parser: Parser, file: Any) -> None:
    """Let whatever may be a file complete as one: not numbers, nor one of some words."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _complete_files(command, file)
        elif action.nargs != 0 and action.choices is None and action.type not in (int, float):
            action.complete = file  # type: ignore[attr-defined]
