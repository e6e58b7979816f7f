"""`python -m lessons.book [FOLDER]`: build the book into build/book (or FOLDER), and complain."""

import argparse
import sys
import time
from pathlib import Path

from lessons.book.build import BOOK, build


def main():
    parser = argparse.ArgumentParser(prog="python -m lessons.book", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=BOOK)
    folder, start = parser.parse_args().folder, time.perf_counter()
    try:
        build(folder, strict=True)
    except (ImportError, ValueError) as error:
        print(f"the book: {error}", file=sys.stderr)
        return 2
    print(f"the book is at {folder / 'index.html'} (built in {time.perf_counter() - start:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
