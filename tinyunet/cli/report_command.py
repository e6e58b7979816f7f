"""`tinyunet report`: a run on one page.

Lesson: lessons/11-training.md.
"""

import argparse
from pathlib import Path
from typing import Any

from tinyunet.cli import common
from tinyunet.cli.parser import add_command

TEXT = """
The page holds how the run learned, how good it is on the slices that it held out, what it learned
from, its settings, and the command that predicts. It needs nothing beside it and no network.

`train` writes it at its end; this command writes it again, for a run that was stopped, say.
"""
EXAMPLES = (
    ("tinyunet report RUN", "writes RUN/report.html"),
    ("tinyunet report RUN --json", "the same, and what it says in a form for programs"),
)


def add_to(commands: Any) -> None:
    """Add the command to the parser.

    Parameters
    ----------
    commands : action
        What ``add_subparsers`` returned.
    """
    purpose = "write a run on one page, report.html"
    parser = add_command(commands, "report", "RUN [--json]", purpose, TEXT, EXAMPLES)
    parser.add_argument("run_folder", metavar="RUN", help="run folder")
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the report.

    Parameters
    ----------
    arguments : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        The exit code, 0.
    """
    from tinyunet.report import write_report
    from tinyunet.report.state import describe_run
    from tinyunet.training.run_folder import check_folder

    folder = Path(arguments.run_folder)
    if not check_folder(folder, resume=True):
        raise FileNotFoundError(f"{folder}: no run folder")
    path = write_report(folder)
    if arguments.json:
        common.as_json({"report": str(path), **describe_run(folder)})
    else:
        print(path)
    return 0
