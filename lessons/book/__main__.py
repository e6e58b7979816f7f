"""`python -m lessons.book [FOLDER]`: build the book into build/book (or FOLDER) and say where."""

import argparse
import sys
import time
from pathlib import Path

from lessons.book.stage import ROOT, stage


def main():
    parser = argparse.ArgumentParser(prog="python -m lessons.book", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "book")
    folder = parser.parse_args().folder
    try:
        from sphinx.cmd.build import build_main
    except ImportError:
        print('the book needs Sphinx: pip install ".[book]"', file=sys.stderr)
        return 2
    start, working = time.perf_counter(), folder.with_name(f"{folder.name}-source")
    try:
        stage(working / "pages")
    except ValueError as error:
        print(f"the book: {error}", file=sys.stderr)
        return 1
    options = ["-q", "-W", "--keep-going", "-E", "-d", str(working / "doctrees")]
    paths = [str(path) for path in (ROOT / "lessons" / "book", working / "pages", folder)]
    status = build_main([*options, "-c", *paths])
    if status == 0:
        page = folder / "index.html"
        print(f"the book is at {page} (built in {time.perf_counter() - start:.0f} s)")
    return status


if __name__ == "__main__":
    sys.exit(main())
