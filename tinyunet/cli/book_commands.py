"""`tinyunet book` and `tinyunet notebooks`: the lessons as pages that run, and as notebooks.

The book belongs to the project's folder, not to the installed package: both commands want to be
run there.
"""

import argparse
import sys
from pathlib import Path

from tinyunet._text import plural
from tinyunet.cli import common
from tinyunet.cli.parser import Parser, add_command

BOOK_TEXT = """
Opens the lessons in a browser as pages whose code runs: change a line, run it, see what happens.
The source that a lesson quotes stands beside it. Run it in the project's folder, which holds
lessons/. Needs `pip install ".[book]"`.
"""
BOOK_EXAMPLES = (
    ("tinyunet book", "build the pages if they are not there, and open them"),
    ("tinyunet book --pdf lessons.pdf", "all lessons for reading away from a screen"),
)
NOTEBOOKS_TEXT = """
One notebook a lesson, with the figures beside them. They run from top to bottom with this package
installed. Run it in the project's folder, which holds lessons/. Needs `pip install ".[book]"`.
"""
NOTEBOOKS_EXAMPLES = (
    ("tinyunet notebooks notebooks", "write them into a folder"),
    ("tinyunet notebooks ~/course --json", "the same, and their names in a form for programs"),
)


def add_to(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add both commands to the parser.

    Parameters
    ----------
    commands : subparsers action
        Where to.
    """
    purpose = "read the lessons, run their code, in a browser"
    book = add_command(commands, "book", "[options]", purpose, BOOK_TEXT, BOOK_EXAMPLES)
    book.add_argument("--port", type=int, default=0, metavar="N", help="port (any that is free)")
    book.add_argument("--no-browser", action="store_true", help="only print the address")
    book.add_argument(
        "--exercises",
        metavar="DIR",
        type=Path,
        default=Path("exercises"),
        help="where your answers to the exercises are kept (exercises)",
    )
    book.add_argument("--build", action="store_true", help="build the pages, do not serve them")
    book.add_argument(
        "--pdf",
        metavar="FILE",
        type=Path,
        help="write all lessons as one PDF; needs Chromium, Chrome or Edge",
    )
    book.add_argument("--overwrite", action="store_true", help="replace a PDF that is there")
    book.set_defaults(run=run_book)
    purpose = "write the lessons as Jupyter notebooks"
    text, examples = NOTEBOOKS_TEXT, NOTEBOOKS_EXAMPLES
    notebooks = add_command(commands, "notebooks", "DIR [options]", purpose, text, examples)
    notebooks.add_argument("folder", metavar="DIR", type=Path, help="the folder to write into")
    notebooks.add_argument(
        "--overwrite", action="store_true", help="replace notebooks that are there, edited or not"
    )
    common.add_json(notebooks)
    notebooks.set_defaults(run=run_notebooks)


def _project() -> Path:
    """Return the project's folder, which the current one must be; make `lessons` importable."""
    root = Path.cwd()
    if not (root / "lessons" / "book").is_dir():
        raise ValueError(
            "no folder lessons/book here: go to the project's folder, which holds lessons/"
        )
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    return root


def run_book(arguments: argparse.Namespace) -> None:
    """Build what is missing, then serve it, or write the PDF.

    Parameters
    ----------
    arguments : Namespace
        The parsed command line.
    """
    if not 0 <= arguments.port <= 65535:
        raise ValueError(f"--port {arguments.port}: ports are 0 to 65535")
    root = _project()
    from lessons.book.build import BOOK, build, up_to_date

    if arguments.pdf is not None:
        from lessons.book.pdf import write_pdf

        common.check_output(arguments.pdf, (".pdf",), overwrite=arguments.overwrite)
        pages = write_pdf(arguments.pdf)
        print(f"{arguments.pdf}: {plural(pages, 'page')}")
        return
    if not up_to_date():
        common.note("building the book: a minute")
        build()
    if arguments.build:
        print(BOOK / "index.html")
        return
    _serve(root, BOOK, arguments)


def _serve(root: Path, book: Path, arguments: argparse.Namespace) -> None:
    try:
        from lessons.book.live.server import address_of, make, when_open
    except ImportError as error:
        raise ImportError(f'the running book needs {error.name}: pip install ".[book]"') from error
    server = make(
        root, book, arguments.exercises, port=arguments.port, open_browser=not arguments.no_browser
    )

    def tell() -> None:
        print(f"the book is open at {address_of(server)}")
        print("It runs Python for whoever has this address. Ctrl-C closes it.", flush=True)

    when_open(server, tell)
    server.start()


def run_notebooks(arguments: argparse.Namespace) -> None:
    """Write the notebooks.

    Parameters
    ----------
    arguments : Namespace
        The parsed command line.
    """
    _project()
    from lessons.book.notebooks import write_notebooks

    there = sorted(arguments.folder.glob("*.ipynb")) if arguments.folder.is_dir() else []
    if there and not arguments.overwrite:
        raise FileExistsError(f"{there[0]}: is there already: name a new folder, or --overwrite")
    paths = list(write_notebooks(arguments.folder))
    if arguments.json:
        common.as_json({"notebooks": [str(path) for path in paths]})
    else:
        print(f"{plural(len(paths), 'notebook')} in {arguments.folder}")
