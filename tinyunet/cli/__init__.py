"""The command line: it only parses, calls and reports. `tinyunet --help` lists the commands.

Progress goes to stderr, results to stdout. Whatever goes wrong is one line, "tinyunet: error: …",
and exit code 2; a run that Ctrl-C or SIGTERM stopped has saved its state and exits with 130 or 143.
"""

import argparse
import os
import signal
import sys
import threading
import warnings
from contextlib import contextmanager

from tinyunet.cli import (
    check_command,
    data_commands,
    demo_command,
    net_commands,
    predict_command,
    train_command,
)

COMMANDS = (
    demo_command,
    train_command,
    predict_command,
    net_commands,
    data_commands,
    check_command,
)


class Parser(argparse.ArgumentParser):
    """argparse, with its errors in one line like all others."""

    def error(self, message):
        raise ValueError(f"{message} (see `{self.prog} --help`)")


def build_parser():
    """Return the parser of all commands."""
    from tinyunet import __version__

    parser = Parser(prog="tinyunet", description="The U-Net paper from scratch.")
    parser.add_argument("--version", action="version", version=f"tinyunet {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add_to(commands)
    return parser


def main(argv=None):
    """Run the command line; return the exit code."""
    from tinyunet.train import DivergedError

    try:
        arguments = build_parser().parse_args(argv)
        with _short_warnings(), _cleaning_up():
            return arguments.run(arguments) or 0
    except (
        ValueError,
        TypeError,
        OverflowError,  # a number that no array size can be
        OSError,
        MemoryError,
        DivergedError,
        ImportError,
    ) as error:
        return _report(error)
    except KeyboardInterrupt:
        print("tinyunet: interrupted", file=sys.stderr)
        return 130
    except Terminated:
        print("tinyunet: terminated", file=sys.stderr)
        return 143


class Terminated(BaseException):
    """SIGTERM came; no Exception, so that nothing on the way takes it for one of its errors."""


@contextmanager
def _cleaning_up():
    """Let SIGTERM end a command as Ctrl-C does: half-written files are removed on the way out.

    Python would die at once and leave them. (A training sets handlers of its own: it saves first.)
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return

    def handle(_number, _frame):
        raise Terminated

    kept = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, kept)


@contextmanager
def _short_warnings():
    """Warnings as one line each; NumPy's own of overflow are left to the check of the loss."""

    def show(message, *_where, **_more):
        print(f"tinyunet: warning: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* encountered in ", RuntimeWarning)
        warnings.showwarning = show
        yield


def _report(error):
    from tinyunet.checkpoint import printable

    if isinstance(error, BrokenPipeError):  # the reader of our output left, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    message = " ".join(printable(error).split()) or type(error).__name__
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        message = f"{error.filename}: {error.strerror}"
    if isinstance(error, MemoryError):
        message = f"out of memory: {message}; a smaller --tile needs less"
    print(f"tinyunet: error: {message}", file=sys.stderr)
    return 2
