"""One call of Sphinx; when a built book is out of date."""

import hashlib
import shutil
from pathlib import Path

from lessons.book.project import read_sources
from lessons.book.stage import ROOT, stage

BOOK = ROOT / "build" / "book"
MARK = ".made-of"  # in a built book: the fingerprint of what it was made of


def build(folder=BOOK, builder="html", strict=False):
    """Build the book into `folder`; `strict` takes Sphinx's warnings for errors and prints them.

    Raises ImportError if a library is missing, ValueError if the book cannot be built.
    """
    try:
        import furo  # noqa: F401
        import myst_parser  # noqa: F401
        import numpydoc  # noqa: F401
        import sphinx_copybutton  # noqa: F401
        from sphinx.cmd.build import build_main
        from sphinxcontrib import katex  # noqa: F401
    except ImportError as error:
        raise ImportError(f'the book needs {error.name}: pip install ".[book]"') from error
    folder = Path(folder)
    if (folder / MARK).is_file():  # ours: no page of a source that is gone may stay
        shutil.rmtree(folder)
    elif folder.is_dir() and any(folder.iterdir()):
        raise ValueError(f"{folder} holds something else than a book: name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()
    made_of = fingerprint()  # before the sources are read: what is changed meanwhile is not in it
    working = folder.with_name(f"{folder.name}-source")
    stage(working / "pages", paper=builder == "singlehtml")
    manner = ["-q", "-W", "--keep-going"] if strict else ["-Q"]
    options = [*manner, "-E", "-b", builder, "-d", str(working / "doctrees")]
    paths = [str(path) for path in (ROOT / "lessons" / "book", working / "pages", folder)]
    if build_main([*options, "-c", *paths]) != 0:
        raise ValueError("Sphinx could not build the book: `python -m lessons.book` says why")
    shutil.rmtree(working)
    (folder / MARK).write_text(made_of, encoding="utf-8")


def fingerprint():
    """Return a digest of all that the book is made of."""
    digest = hashlib.sha256()
    files = [
        p for p in (ROOT / "lessons").rglob("*") if p.is_file() and "__pycache__" not in p.parts
    ]
    for path in sorted([*files, ROOT / "README.md", ROOT / "benchmarks" / "README.md"]):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    for path, text in read_sources(ROOT).items():
        digest.update(path.encode() + b"\0" + text.encode())
    return digest.hexdigest()


def up_to_date(folder=BOOK):
    """Whether the book in `folder` is made of what the project holds now."""
    made = Path(folder) / MARK
    return made.is_file() and made.read_text(encoding="utf-8") == fingerprint()
