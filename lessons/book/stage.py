"""Writes the source folder of the book: lessons, exercises, API pages, the list of files.

Sphinx wants all pages in one folder. They are made anew from the project at each build, so nothing
of it is kept in the repository.
"""

import re
import shutil
from pathlib import Path

from lessons.book.markdown import Page
from lessons.book.package import read_sources

ROOT = Path(__file__).resolve().parents[2]

# The pages of the API reference: name, title, the modules (with all below them).
API = [
    ("package", "The package", ["tinyunet"]),
    ("ops", "Operations", ["tinyunet.ops"]),
    (
        "network",
        "The network",
        ["tinyunet.model", "tinyunet.init", "tinyunet.optim", "tinyunet.gradcheck"],
    ),
    (
        "tiles",
        "Sizes, tiles, prediction",
        ["tinyunet.geometry", "tinyunet.tiling", "tinyunet.predict", "tinyunet.postprocess"],
    ),
    ("augment", "Augmentation", ["tinyunet.augment"]),
    ("weights", "Weight maps", ["tinyunet.weights"]),
    (
        "training",
        "Training",
        [
            "tinyunet.train",
            "tinyunet.validation",
            "tinyunet.feed",
            "tinyunet.settings",
            "tinyunet.checkpoint",
            "tinyunet.rundir",
            "tinyunet.stopping",
        ],
    ),
    ("data", "Data", ["tinyunet.data"]),
    ("metrics", "Scores", ["tinyunet.metrics"]),
    ("other", "Arrays, checks, pictures", ["tinyunet.arrays", "tinyunet.checks", "tinyunet.plot"]),
    ("kernels", "Kernels (internals)", ["tinyunet.kernels"]),
]


def api_modules(sources, roots):
    """Return the modules (as Sources) of an API page: each root, then what lies below it.

    The root "tinyunet" stands for itself: what lies below it is on the other pages.
    """
    ours = [source for source in sources.values() if source.in_api]
    return [
        source
        for root in roots
        for source in ours
        if source.module == root or (root != "tinyunet" and source.module.startswith(f"{root}."))
    ]


def lessons_of(root):
    return sorted((root / "lessons").glob("[0-9][0-9]-*.md"))


def read_page(name, root, sources, text=None):
    """Return the Page of a Markdown file of the project, or of `text` in its place."""
    text = text or (root / name).read_text(encoding="utf-8")
    return Page(name, text, sources, lambda path: (root / path).exists())


def told_in(root, sources):
    """Return {full name: stems of the lessons that quote or name it} of all API entries."""
    told = {}
    for path in lessons_of(root):
        page = read_page(f"lessons/{path.name}", root, sources)
        page.converted()
        for name in page.entries:
            told.setdefault(name, []).append(path.stem)
    return told


def stage(folder, root=ROOT):
    """Write all pages into `folder`, which is emptied first; return {path: Source}."""
    shutil.rmtree(folder, ignore_errors=True)
    sources, lessons = read_sources(root), lessons_of(root)
    exercises = "lessons/exercises/README.md"
    pages = [read_page(f"lessons/{path.name}", root, sources) for path in lessons]
    pages.append(read_page(exercises, root, sources, exercises_page(root)))
    pages += [read_page(name, root, sources) for name in ("benchmarks/README.md", "README.md")]
    for page in pages:
        name, converted = page.name, page.converted()
        if page.unresolved:
            raise ValueError(f"{name} links to {page.unresolved[0]}, which does not exist")
        if name == "README.md":
            name, converted = "index.md", converted + contents(lessons)
        write(folder / name, converted)
    for name, text in api_pages(sources).items():
        write(folder / name, text)
    write(folder / "sources.md", sources_page(sources))
    for extra in ("figures", "interactive"):
        if (root / "lessons" / extra).exists():
            shutil.copytree(root / "lessons" / extra, folder / "lessons" / extra)
    return sources


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def title_of(lesson):
    """Return "02 The idea" for a lesson that begins with "# Lesson 02: the idea"."""
    heading = lesson.read_text(encoding="utf-8").split("\n")[0]
    number, title = re.fullmatch(r"# Lesson (\d\d): (.+)", heading).groups()
    return f"{number} {title[0].upper()}{title[1:]}"


def contents(lessons):
    """Return the hidden tables of contents that fill the sidebar."""
    lines = [f"{title_of(path)} <lessons/{path.stem}>" for path in lessons]
    api = [f"{title} <api/{name}>" for name, title, _ in API]
    parts = {
        "Lessons": lines,
        "Practice": ["Exercises <lessons/exercises/README>"],
        "API reference": api,
        "More": ["All source files <sources>", "Benchmarks <benchmarks/README>"],
    }
    return "".join(
        f"\n\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(lines) + "\n```\n"
        for caption, lines in parts.items()
    )


def exercises_page(root):
    """Return the README of the exercises, with the learner's files below it."""
    text = (root / "lessons" / "exercises" / "README.md").read_text(encoding="utf-8")
    for path in sorted((root / "lessons" / "exercises").glob("[0-9][0-9]_*.py")):
        code = path.read_text(encoding="utf-8").rstrip("\n")
        lessons = dict.fromkeys(re.findall(r"lessons/(\d\d)-[\w-]+\.md", code))
        links = []
        for number in lessons:
            found = sorted((root / "lessons").glob(f"{number}-*.md"))
            links += [f"[lesson {number}](../{lesson.name})" for lesson in found]
        belongs = f"Belongs to {' and '.join(links)}. " if links else ""
        text += f"\n\n## {path.stem}\n\n{belongs}File: `lessons/exercises/{path.name}`\n\n"
        text += f"```python\n{code}\n```\n"
    return text


def api_pages(sources):
    """Return {name: reStructuredText} of the API reference."""
    pages = {}
    for name, title, roots in API:
        parts = [f"{title}\n{'=' * len(title)}\n"]
        for source in api_modules(sources, roots):
            module = source.module
            parts.append(f"{module}\n{'-' * len(module)}\n\n:source:`{source.path}`\n")
            names = [d.name for d in source.definitions if d.in_api and "." not in d.name]
            members = f"   :members: {', '.join(names)}\n" if names else ""
            parts.append(f".. automodule:: {module}\n{members}")
            parts += exported(source, sources)
        pages[f"api/{name}.rst"] = "\n".join(parts)
    return pages


def exported(source, sources):
    """Return a sentence on the names that a package offers from its modules, with links."""
    links = []
    for name, module in source.exports.items():
        origin = sources.get(f"{module.replace('.', '/')}.py")
        known = origin.definitions if origin else []
        if any(d.name == name and d.in_api for d in known):
            links.append(f":py:obj:`{name} <{module}.{name}>`")
    if not links or not source.path.endswith("__init__.py"):
        return []
    return [f"Import from ``{source.module}``: {', '.join(links)}.\n"]


def sources_page(sources):
    """Return the list of all source files, a heading for each folder."""
    folders = {}
    for path in sources:
        folders.setdefault(path.rpartition("/")[0], []).append(path)
    text = "# All source files\n"
    for folder, paths in sorted(folders.items()):
        text += f"\n({folder.replace('/', '-')})=\n\n## {folder}/\n\n"
        for path in paths:
            doc = re.sub(r"\s*Lesson: .*", "", sources[path].doc.split("\n")[0])
            doc = re.sub(r"([*$_])", r"\\\1", doc.rstrip(".").replace("`", ""))
            text += f"- [`{path.rpartition('/')[2]}`](source:{path}){' — ' + doc if doc else ''}\n"
    return text
