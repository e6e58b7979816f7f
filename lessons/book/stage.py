"""Lays the source folder of the book out as the project is: Sphinx wants all pages in one folder.

Lessons are copied as they are (extension.py makes quotes, figures and links of what a forge shows
as plain Markdown). Each source file gets a page, each room of the package one in the API reference.
Everything is made anew at each build, so nothing of it is kept in the repository.
"""

import re
import shutil
from pathlib import Path

from lessons.book.project import LESSON, language_of, module_of, read_sources

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent

# The pages of the API reference: name, title, the modules (with all below them).
API = [
    ("package", "The package", ["tinyunet", "tinyunet.api"]),
    ("nn", "The network and its operations", ["tinyunet.nn"]),
    ("inference", "Tiles and prediction", ["tinyunet.inference"]),
    ("augment", "Augmentation", ["tinyunet.augment"]),
    ("weight_map", "Weight maps", ["tinyunet.weight_map"]),
    ("training", "Training", ["tinyunet.training"]),
    ("images", "Images", ["tinyunet.images"]),
    ("metrics", "Scores", ["tinyunet.metrics"]),
    ("networks", "Networks of the package", ["tinyunet.networks"]),
    ("exchange", "Exchange with other programs", ["tinyunet.exchange"]),
    ("report", "Pictures and reports", ["tinyunet.plot", "tinyunet.report"]),
    ("other", "Arrays and sizes", ["tinyunet.arrays", "tinyunet.geometry"]),
    ("backends", "Kernels (internals)", ["tinyunet.backends"]),
]
# Not in the API reference: the command line, the checkers of the exercises, what is private.
NO_API = re.compile(r"tinyunet\.(cli|exercises|data)(\.|$)|\._|__main__")


def api_modules(modules, roots):
    """Return the modules of an API page: each root, then what lies below it.

    The root "tinyunet" stands for itself: what lies below it is on the other pages.
    """
    return [
        module
        for root in roots
        for module in modules
        if not NO_API.search(module)
        and (module == root or (root != "tinyunet" and module.startswith(f"{root}.")))
    ]


def lessons_of(root):
    """Return the lessons in their running order."""
    return sorted((root / "lessons").glob("[0-9][0-9]*.md"))


def title_of(lesson):
    """Return "02 The idea" for a lesson that begins with "# Lesson 02: the idea"."""
    heading = lesson.read_text(encoding="utf-8").split("\n")[0]
    number, title = re.fullmatch(r"# Lesson (\d\d[a-z]?): (.+)", heading).groups()
    return f"{number} {title[0].upper()}{title[1:]}"


def stage(folder, root=ROOT, paper=False):
    """Write all pages into `folder`, which is emptied first; for paper, only what one reads."""
    shutil.rmtree(folder, ignore_errors=True)
    sources = {} if paper else read_sources(root)
    pages = {"index.md": start_page(root, paper)}
    if not paper:
        pages["sources.md"] = sources_page(sources)
        pages |= {f"{path}.md": source_page(path, text) for path, text in sources.items()}
        pages |= api_pages([module for path in sources if (module := module_of(path))])
    named = ("lessons/exercises/",) if paper else ("", "benchmarks/", "lessons/exercises/")
    prose = [root / f"{folder}README.md" for folder in named]
    for path in (*(root / "lessons").glob("*.md"), *prose):
        pages[path.relative_to(root).as_posix()] = path.read_text(encoding="utf-8")
    for name, text in (sources | pages).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for extra in ("figures", "interactive"):
        if (root / "lessons" / extra).is_dir():
            shutil.copytree(
                root / "lessons" / extra, folder / "lessons" / extra, dirs_exist_ok=True
            )


def start_page(root, paper=False):
    """Return start.md with the lessons in their order, and the contents of the sidebar."""
    lessons = lessons_of(root)
    back = [p.stem for p in sorted((root / "lessons").glob("*.md")) if p not in lessons]
    parts = {
        "Lessons": [f"{title_of(path)} <lessons/{path.stem}>" for path in lessons],
        "Practice": ["Exercises <lessons/exercises/README>"],
        "Back matter": [f"lessons/{stem}" for stem in back],
    }
    if not paper:
        parts["Back matter"].append("Index <genindex>")
        parts["API reference"] = [f"{title} <api/{name}>" for name, title, _ in API]
        parts["More"] = [
            "The package <README>",
            "All source files <sources>",
            "Benchmarks <benchmarks/README>",
        ]
    contents = "".join(
        f"\n\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(lines) + "\n```\n"
        for caption, lines in parts.items()
    )
    items = [f"- [{title_of(path)}](lessons/{path.name})" for path in lessons]
    start = (HERE / "start.md").read_text(encoding="utf-8")
    version = re.search(
        r'__version__ = "(.+?)"', (root / "tinyunet/__init__.py").read_text("utf-8")
    )
    start = start.replace("{lessons}", "\n".join(items)).replace("{version}", version[1])
    return start.replace("{picture}", picture(root)) + contents


def picture(root):
    """Return the picture of the start page: an image and its segmentation."""
    for name in ("00-segmentation.svg", "readme-demo.png"):
        if (root / "lessons" / "figures" / name).exists():
            return f"![A microscope's image and its segmentation](lessons/figures/{name})"
    return ""


def source_page(path, text):
    """Return the page of a source file; the search leaves it out."""
    module, lessons = module_of(path), dict.fromkeys(LESSON.findall(text.partition('"""\n\n')[0]))
    links = [f"{{doc}}`/lessons/{stem}`" for stem in lessons]
    links += [f"{{py:mod}}`{module}`"] if module and not NO_API.search(module) else []
    return (
        f"---\norphan: true\nnosearch: true\nhide-toc: true\n---\n# `{path}`\n\n"
        f"{' · '.join(links)}\n\n"
        f"```{{literalinclude}} /{path}\n:language: {language_of(path)}\n:linenos:\n```\n"
    )


def api_pages(modules):
    """Return {name: reStructuredText} of the API reference: a table of modules, then each."""
    pages = {}
    for name, title, roots in API:
        listed = api_modules(modules, roots)
        table = ".. autosummary::\n   :nosignatures:\n\n" + "".join(
            f"   {module}\n" for module in listed
        )
        parts = [f"{title}\n{'=' * len(title)}\n", table]
        for module in listed:
            parts += [
                f"{module}\n{'-' * len(module)}\n",
                f".. automodule:: {module}\n   :members:\n   :ignore-module-all:\n",
            ]
        pages[f"api/{name}.rst"] = "\n".join(parts)
    return pages


def anchor_of(folder):
    """Return the anchor of a folder on the page of all source files."""
    return re.sub(r"[/_]", "-", folder)


def sources_page(sources):
    """Return the list of all source files, a heading for each folder."""
    folders = {}
    for path in sources:
        folders.setdefault(path.rpartition("/")[0], []).append(path)
    text = "# All source files\n"
    for folder, paths in sorted(folders.items()):
        text += f"\n({anchor_of(folder)})=\n\n## {folder}/\n\n"
        text += "".join(f"- [`{path.rpartition('/')[2]}`]({path})\n" for path in paths)
    return text
