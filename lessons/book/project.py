"""What the book knows of the project's files: which have a page, what stands on which line."""

import re
from functools import cache

# Sources that have a page of their own; of the second list, those that the prose names.
SOURCES = [
    "tinyunet/**/*.py",
    "tinyunet/**/*.cu",
    "tinyunet/**/*.cuh",
    "lessons/*.py",
    "lessons/book/*.py",
    "lessons/figures/*.py",
]
NAMED = ["tests/**/*.py", "tests/**/*.h", "benchmarks/*.py", "lessons/runs/*"]
PROSE = ["lessons/*.md", "lessons/exercises/*.md", "benchmarks/README.md", "README.md"]
PATH = re.compile(r"((?:tinyunet|tests|lessons|benchmarks)/[\w./-]*)(?:::([\w.]+))?")
LANGUAGES = {"py": "python", "cu": "cuda", "cuh": "cuda", "h": "cpp", "json": "json"}
LESSON = re.compile(r"lessons/(\d\d[a-z]?-[\w-]+)\.md")


def read_sources(root):
    """Return {path: text} of all files that have a page, in the order of their names."""
    prose = "\n".join(p.read_text(encoding="utf-8") for one in PROSE for p in root.glob(one))
    named = {match[1] for match in PATH.finditer(prose)}
    paths = {p for pattern in SOURCES for p in root.glob(pattern)}
    paths |= {p for one in NAMED for p in root.glob(one) if p.relative_to(root).as_posix() in named}
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(paths)
        if path.is_file() and "__pycache__" not in path.parts
    }


def language_of(path):
    """Return the name of the highlighter for a file."""
    return LANGUAGES.get(path.rpartition(".")[2], "text")


def module_of(path):
    """Return "tinyunet.nn" for "tinyunet/nn/__init__.py", "" for what is not of the package."""
    ours = path.startswith("tinyunet/") and path.endswith(".py")
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") if ours else ""


@cache
def definitions(path, text):
    """Return {"UNet.forward": (first line, last line)} of a Python source, from its decorators."""
    from sphinx.pycode import ModuleAnalyzer

    if not path.endswith(".py"):
        return {}
    tags = ModuleAnalyzer.for_string(text, path).find_tags()
    return {name: tag[1:] for name, tag in tags.items() if tag[0] in ("def", "class")}


def line_of(path, text, name):
    """Return the line on which `name` ("conv2d", "UNet.forward", "forward") is defined, or None."""
    for known, (first, _) in definitions(path, text).items():
        if f".{known}".endswith(f".{name}"):
            return first
    return None


def find_lines(path, text, quote):
    """Return the first and the last line (from 1) of the whole lines `quote` in a source.

    Raises ValueError if they are not there, word for word.
    """
    at = f"\n{text}\n".find(f"\n{quote}\n")
    if at < 0:
        start = quote.strip().split("\n")[0]
        raise ValueError(f"a quote is not in {path}, word for word: {start!r} …")
    first = text.count("\n", 0, at) + 1
    return first, first + quote.count("\n")


def templates(root):
    """Return {"01_conv2d_loops": text} of the files that the exercises begin with."""
    paths = sorted((root / "tinyunet" / "exercises" / "templates").glob("[0-9][0-9]_*.py"))
    return {path.stem: path.read_text(encoding="utf-8") for path in paths}
