"""The command line: it only parses, calls and reports. `tinyunet --help` lists the commands.

Progress goes to stderr, results to stdout. Whatever goes wrong is one line, "tinyunet: error: …",
and exit code 2; a run that Ctrl-C or SIGTERM stopped has saved its state and exits with 130 or 143.

How it is read is in `parser.py`, what commands share in `common.py` and `training.py`; a command is
in `demo_command.py`, `train_command.py`, `predict_command.py`, `report_command.py`,
`net_commands.py` (info, gradcheck), `data_commands.py` or `check_command.py`.

| file | what it holds |
| --- | --- |
| `book_commands.py` | `book`, `notebooks` |
| `completion_command.py` | `completion` |
| `evaluate_command.py`, `evaluate_tables.py` | `evaluate` |
| `network_card.py` | what `info` says of a network of the package |
| `predict_results.py` | what `predict` writes |
| `exchange_commands.py` | `export`, `import` |
| `predict_volume.py` | `predict` of an OME-Zarr volume |
"""

import codecs
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from types import FrameType

from tinyunet.cli import (
    book_commands,
    check_command,
    completion_command,
    data_commands,
    demo_command,
    evaluate_command,
    exchange_commands,
    net_commands,
    predict_command,
    report_command,
    train_command,
)
from tinyunet.cli.parser import Parser

COMMANDS = (
    demo_command,
    train_command,
    predict_command,
    report_command,
    net_commands,
    evaluate_command,
    data_commands,
    exchange_commands,
    check_command,
    book_commands,
    completion_command,
)
OVERVIEW = "The U-Net paper from scratch: train it, use it, look inside."
START = """\
first steps:
  tinyunet demo                                   # see it learn, two minutes
  tinyunet train IMAGES LABELS --out RUN --val 20%
  tinyunet predict RUN IMAGES --out probabilities.tif
  tinyunet COMMAND --help                         # what it is for, and examples
"""


def build_parser() -> Parser:
    """Make the parser of all commands.

    Returns
    -------
    Parser
        Gives each command line a function `run`.
    """
    from tinyunet import __version__

    parser = Parser(prog="tinyunet", description=OVERVIEW, epilog=START)
    parser.add_argument("--version", action="version", version=f"tinyunet {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    parser.commands = commands
    for module in COMMANDS:
        module.add_to(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after the program's name; None takes the process's.

    Returns
    -------
    int
        The exit code.
    """
    from tinyunet.nn.operation import plain
    from tinyunet.training.failures import DivergedError

    _write_what_the_streams_can()
    try:
        parser = build_parser()
        arguments = parser.parse_args(argv)
        arguments.argv = argv
        if arguments.command is None:
            parser.print_help()
            return 0
        is_plain = getattr(arguments, "backend", "fast") == "plain"
        with _short_warnings(), _cleaning_up(), plain() if is_plain else nullcontext():
            return arguments.run(arguments) or 0
    except (
        ValueError,
        TypeError,
        ArithmeticError,  # a number that no array size can be, an answer of NaN
        OSError,
        MemoryError,
        DivergedError,
        ImportError,
        *_gpu_errors(),  # type: ignore[misc]
    ) as error:
        return _report(error)
    except KeyboardInterrupt:
        print("tinyunet: interrupted", file=sys.stderr)
        return 130
    except Terminated:
        print("tinyunet: terminated", file=sys.stderr)
        return 143


def _gpu_errors() -> tuple[type[BaseException], ...]:
    """CUDA's errors, and those of the kernels if there are kernels: all works without these."""
    from tinyunet.arrays import gpu_errors

    if find_spec("tinyunet.backends") is None:
        return gpu_errors()
    from tinyunet.backends.cuda.errors import KernelError

    return (KernelError, *gpu_errors())


class Terminated(BaseException):
    """SIGTERM came; no Exception, so that nothing on the way takes it for one of its errors."""


@contextmanager
def _cleaning_up() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does: half-written files are removed on the way out.

    Python would die at once and leave them. (A training sets handlers of its own: it saves first.)
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return

    def handle(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _short_warnings() -> Iterator[None]:
    """Warnings as one line each; NumPy's own of overflow are left to the check of the loss."""

    def show(message: object, *_where: object, **_more: object) -> None:
        print(f"tinyunet: warning: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* encountered in ", RuntimeWarning)
        # Ours are notes to the user, under `python -W error` as well: they stop no command.
        warnings.filterwarnings("always", category=UserWarning, module=r"tinyunet(\.|$)")
        warnings.showwarning = show
        yield


_LOOKALIKES = {"→": "->", "×": "x", "−": "-", "…": "...", "↓": "v", "↑": "^", "’": "'", "σ": "s"}


def _write_what_the_streams_can() -> None:
    """Let a stream whose encoding lacks a sign write one that looks like it, instead of failing."""

    def replace(error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeEncodeError):
            raise error
        signs = error.object[error.start : error.end]
        return "".join(_LOOKALIKES.get(sign, "?") for sign in signs), error.end

    codecs.register_error("tinyunet-lookalike", replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="tinyunet-lookalike")


def _report(error: BaseException) -> int:
    from tinyunet._files import printable
    from tinyunet.arrays import gpu_errors

    if isinstance(error, BrokenPipeError):  # the reader of our output left, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    message = " ".join(printable(error).split()) or type(error).__name__
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        message = f"{error.filename}: {error.strerror}"
    if isinstance(error, MemoryError):
        message = f"out of memory: {message}; a smaller --tile needs less"
    elif isinstance(error, gpu_errors()):
        message = f"the GPU stopped: {message}; with --backend plain CuPy's own operations compute"
    print(f"tinyunet: error: {message}", file=sys.stderr)
    return 2
