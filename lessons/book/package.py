"""What stands where in the package: modules, functions, lines, and the lessons they name.

Read with `ast`, so that nothing has to be imported or installed.
"""

import ast
import re
from dataclasses import dataclass, field

# Sources that have a page in the book. The learner's exercises have one page of their own.
SOURCES = [
    "tinyunet/**/*.py",
    "tinyunet/**/*.cu",
    "tinyunet/**/*.cuh",
    "tests/*.py",
    "tests/cuda_shim/*",
    "benchmarks/*.py",
    "lessons/*.py",
    "lessons/book/*.py",
    "lessons/runs/*",
]
# Not in the API reference: the command line, and the checkers of the exercises.
NO_API = ("tinyunet.cli", "tinyunet.exercises", "tinyunet.__main__")
LESSON = re.compile(r"lessons/(\d\d-[\w-]+)\.md")


@dataclass(frozen=True)
class Definition:
    """A function, class or method: "UNet.forward" of tinyunet.model on lines 62 to 80."""

    module: str
    name: str
    first: int
    last: int
    documented: bool

    @property
    def full(self):
        return f"{self.module}.{self.name}"

    @property
    def in_api(self):
        """Whether the API reference has an entry for it: what is public and has a docstring."""
        private = any(part.startswith("_") for part in self.full.split("."))
        ours = self.module.startswith("tinyunet") and not self.module.startswith(NO_API)
        return ours and self.documented and not private


@dataclass
class Source:
    """A file that has a page: its path from the root, its text, what it defines."""

    path: str
    text: str
    module: str = ""  # "" for what is not Python of the package
    doc: str = ""
    definitions: list = field(default_factory=list)
    exports: dict = field(default_factory=dict)  # name → module that it is imported from

    @property
    def lessons(self):
        """The lessons that the docstring of the module names, in its order."""
        return list(dict.fromkeys(LESSON.findall(self.doc)))

    @property
    def in_api(self):
        return bool(self.module) and not self.module.startswith(NO_API)

    def defined(self, name):
        """Return the definition `name` ("UNet.forward", or "forward" of whatever class)."""
        for end in (name, f".{name}"):
            for definition in self.definitions:
                if definition.name == name or (end[0] == "." and definition.name.endswith(end)):
                    return definition
        raise ValueError(f"{self.path} defines no {name}")

    def within(self, first, last):
        """Return the innermost definitions that the lines `first` to `last` belong to."""
        touched = [d for d in self.definitions if d.first <= last and first <= d.last]
        return [
            d
            for d in touched
            if not any(o.name.startswith(f"{d.name}.") and o.first <= first for o in touched)
        ]


def read_sources(root):
    """Return {path: Source} of all files that have a page, in the order of their names."""
    paths = sorted({p for pattern in SOURCES for p in root.glob(pattern) if p.is_file()})
    sources = {}
    for path in paths:
        if "__pycache__" not in path.parts:
            name = path.relative_to(root).as_posix()
            sources[name] = read_source(name, path.read_text(encoding="utf-8"))
    return sources


def read_source(path, text):
    """Return the Source of one file, given its path from the root and its text."""
    source = Source(path, text)
    if not path.endswith(".py"):
        return source
    tree = ast.parse(text)
    source.doc = ast.get_docstring(tree) or ""
    module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    if path.startswith("tinyunet/"):
        source.module = module
    source.definitions = list(_definitions(tree, module, ""))
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            source.exports.update({a.asname or a.name: node.module for a in node.names})
    return source


def _definitions(node, module, prefix):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
            name = prefix + child.name
            first = min([child.lineno, *(d.lineno for d in child.decorator_list)])
            documented = ast.get_docstring(child) is not None
            yield Definition(module, name, first, child.end_lineno, documented)
            if isinstance(child, ast.ClassDef):
                yield from _definitions(child, module, f"{name}.")


def find_lines(source, quote):
    """Return the first and the last line (from 1) of the whole lines `quote` in the Source.

    Raises ValueError if they are not there, word for word.
    """
    at = f"\n{source.text}\n".find(f"\n{quote}\n")
    if at < 0:
        start = quote.strip().split("\n")[0]
        raise ValueError(f"a quote is not in {source.path}, word for word: {start!r} …")
    first = source.text.count("\n", 0, at) + 1
    return first, first + quote.count("\n")
