"""What Sphinx has to know beside its extensions: what a lesson's plain Markdown means in the book.

- "From [`file`](../file):" with the block below it is a quote, which knows its lines in the file;
- a paragraph that is one link to interactive/NAME.html is that figure, framed;
- links to files, and paths and names in backticks, lead to source pages and the API reference;
- figures/NAME.svg becomes part of the page, so that it follows the theme (drawn.py);
- the exercises that name a lesson stand at its end.
"""

import html
import importlib
import json
import posixpath
import re
import shutil
from functools import reduce
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.osutil import relative_uri

from lessons.book.docstrings import rewrite_docstring
from lessons.book.drawn import ThemedFigures
from lessons.book.excerpt import excerpt
from lessons.book.project import (
    LESSON,
    PATH,
    definitions,
    find_lines,
    line_of,
    module_of,
    read_sources,
)
from lessons.book.stage import ROOT, anchor_of, title_of

log = logging.getLogger(__name__)
NAME = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*)(?:\(\))?")


def source_of(module, name):
    """Return "tinyunet/nn/conv2d.py.html#L12", the line that defines `name` of a module."""
    stem = module.replace(".", "/")
    path = f"{stem}.py" if (ROOT / f"{stem}.py").exists() else f"{stem}/__init__.py"
    line = line_of(path, (ROOT / path).read_text(encoding="utf-8"), name)
    return f"{path}.html" + (f"#L{line}" if line else "")


def link(here, target, *children):
    """Return a reference from the page `here` to `target`, both from the book's root."""
    page, hash_, anchor = target.partition("#")
    uri = relative_uri(f"{here}.html", page) + hash_ + anchor
    reference = nodes.reference("", "", internal=True, refuri=uri)
    reference += children
    return reference


class ProjectTransform(SphinxTransform):
    """Quotes, moving figures, exercises and links to files, when a page has been read."""

    default_priority = 700

    def apply(self):
        self.here = self.env.docname
        self.folder = posixpath.dirname(self.here)
        self.sources = self.env.book_sources
        for paragraph in list(self.document.findall(nodes.paragraph)):
            self.quote(paragraph)
            self.moving(paragraph)
        for node in list(self.document.findall(addnodes.download_reference)):
            self.file_link(node)
        for node in list(self.document.findall(addnodes.pending_xref)):
            if node["reftype"] == "obj":
                self.path_link(node)
            elif node["reftype"] == "myst" and not node.get("refdomain"):
                self.file_link(node)
        for node in list(self.document.findall(nodes.literal)):
            self.path_link(node)
        if LESSON.fullmatch(f"{self.here}.md"):
            self.exercises()
            self.describe()

    def quote(self, paragraph):
        """Make a figure of "From [`file`](../file):" and the block below it."""
        told = re.fullmatch(r"From (\S+):", paragraph.astext())
        block = paragraph.next_node(siblings=True, descend=False)
        if not told or not isinstance(block, nodes.literal_block):
            return
        path = told[1]
        try:
            first, last = find_lines(path, self.sources[path], block.astext().rstrip("\n"))
        except (KeyError, ValueError) as error:
            log.warning("%s", error, location=block)
            return
        lines = f"line {first}" if first == last else f"lines {first}–{last}"
        target = f"{path}.html#L{first}" + (f"-L{last}" if last > first else "")
        caption = nodes.paragraph("", "", link(self.here, target, nodes.literal("", path)))
        caption += nodes.Text(f", {lines}")
        known = definitions(path, self.sources[path]).items()
        around = [name for name, (start, end) in known if start <= first and last <= end]
        if around and module_of(path):
            name = max(around, key=lambda name: name.count("."))  # the innermost
            full, shown = f"{module_of(path)}.{name}", nodes.literal("", name)
            caption += nodes.Text(" in ")
            caption += addnodes.pending_xref(
                "", shown, refdomain="py", reftype="obj", reftarget=full
            )
        figure = nodes.container("", caption, classes=["quoted"])
        paragraph.replace_self(figure)
        block.parent.remove(block)
        dedented = "\n".join(self.sources[path].split("\n")[first - 1 : last])
        block.rawsource = block[0] = nodes.Text(_dedent(dedented))
        block["language"] = "cuda" if path.endswith((".cu", ".cuh")) else block["language"]
        figure += block

    def moving(self, paragraph):
        """Make a frame of a paragraph that is a link to interactive/NAME.html."""
        first = paragraph[0] if len(paragraph) == 1 else None
        path = first.get("reftarget", "") if isinstance(first, nodes.Element) else ""
        if not re.fullmatch(r"interactive/[\w-]+\.html", path):
            return
        if self.app.builder.name == "singlehtml":  # paper does not move
            words = nodes.emphasis("", f"{first.astext()} (in the book's pages)")
            paragraph.replace_self(nodes.paragraph("", "", words))
            return
        page = (ROOT / "lessons" / path).read_text(encoding="utf-8")
        height = re.search(r'<meta name="height" content="(\d+)"', page)[1]
        title = html.escape(first.astext())
        frame = (
            f'<div class="moving"><iframe src="{path}" style="--height: {height}px" '
            f'title="{title}" loading="lazy"></iframe><p><a href="{path}">{title}</a></p></div>'
        )
        paragraph.replace_self(nodes.raw("", frame, format="html"))

    def file_link(self, node):
        """Lead a link to a file of the project to its page; without one, leave the text."""
        path, _, anchor = node["reftarget"].partition("#")
        path = posixpath.normpath(posixpath.join(self.folder, path))
        if not (ROOT / path).exists():
            return  # MyST says that the link leads nowhere
        target = self.page_of(path)
        if target:
            node.replace_self(link(self.here, target + (f"#{anchor}" if anchor else ""), *node))
        else:
            node.replace_self(node[0])

    def path_link(self, node):
        """Make a link of a path in backticks: `tinyunet/nn/relu.py`, `tests/x.py::test_x`."""
        told = PATH.fullmatch(node.astext())
        if not told or isinstance(
            node.parent, nodes.reference | nodes.title | addnodes.pending_xref
        ):
            return
        path, name = told[1].rstrip("/"), told[2]
        lesson = LESSON.fullmatch(path)
        text = nodes.literal("", node.astext())
        if lesson and (ROOT / path).exists():
            name, text = None, nodes.Text(f"lesson {title_of(ROOT / path)}")
        target = self.page_of(path)
        if name and target:
            line = line_of(path, self.sources[path], name)
            target += f"#L{line}" if line else ""
        if target:
            node.replace_self(link(self.here, target, text))

    def page_of(self, path):
        """Return where the book shows a file or lists a folder, None if it does not."""
        doc = path.removesuffix(".md")
        if doc in self.env.found_docs:
            return f"{doc}.html"
        if any(source.startswith(f"{path}/") for source in self.sources):
            return f"sources.html#{anchor_of(path)}"
        return f"{path}" if path.startswith("lessons/interactive/") else None

    def exercises(self):
        """Put the exercises of this lesson at its end, each with its template."""
        for path, text in self.sources.items():
            stem = re.fullmatch(r"tinyunet/exercises/templates/(\d\d_\w+)\.py", path)
            if not stem or f"{self.here}.md" not in text:
                continue
            caption = nodes.paragraph("", "Exercise ", classes=["exercise-title"])
            caption += link(self.here, f"{path}.html", nodes.literal("", path))
            block = nodes.literal_block(text, text, language="python")
            self.document[-1] += nodes.container(
                "", caption, block, classes=["exercise"], ids=[f"exercise-{stem[1]}"]
            )

    def describe(self):
        """Give the page a description: what it says one can do at the end."""
        texts = [p.astext() for p in self.document.findall(nodes.paragraph)]
        text = next(t for t in texts if not t.startswith("Reading time")).replace("\n", " ")
        self.document.insert(0, nodes.meta(name="description", content=text[:300]))


def _dedent(text):
    lines = text.split("\n")
    margin = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[margin:] for line in lines)


class NameTransform(SphinxPostTransform):
    """`conv2d`, `nn.relu` or `UNet.forward` in a lesson → its entry in the API reference."""

    default_priority = 5

    def run(self):
        here = self.env.docname
        if not LESSON.fullmatch(f"{here}.md"):
            return
        code = "\n".join(b.astext() for b in self.document.findall(nodes.literal_block))
        own = set(re.findall(r"^(?:def|class) (\w+)", code, re.M))
        paths = {match[1] for match in PATH.finditer(self.document.astext())}
        near = [
            module_of(path)
            for path, text in self.env.book_sources.items()
            if module_of(path) and (path in paths or f"{here}.md" in text)
        ]
        objects = self.env.get_domain("py").objects
        for node in list(self.document.findall(nodes.literal)):
            told = NAME.fullmatch(node.astext())
            if not told or isinstance(node.parent, nodes.reference | nodes.title):
                continue
            full = self.meaning(told[1], near) if told[1].partition(".")[0] not in own else None
            if full in objects:
                entry = objects[full]
                target = f"{entry.docname}.html#{entry.node_id}"
                node.replace_self(link(here, target, node.deepcopy()))

    def meaning(self, name, near):
        """Return the full name of the one thing that `name` is near this lesson, else None."""
        found = set()
        for module in [*near, *(["tinyunet", "tinyunet.nn"] if "." in name else [])]:
            try:
                thing = reduce(getattr, name.split("."), importlib.import_module(module))
            except (ImportError, AttributeError):
                continue
            if getattr(thing, "__qualname__", None):
                found.add(f"{thing.__module__}.{thing.__qualname__}")
        # The operation itself rather than its plain loops or its kernels of the same name.
        plain = {n for n in found if not re.search(r"\.(reference|backends|plain)\.", n)}
        found = plain or found
        return found.pop() if len(found) == 1 else None


def read_project(app, env, docnames):
    """Hang the sources on the environment, where transforms and handlers find them."""
    env.book_sources, env.book_navigation = read_sources(ROOT), {}


def share_navigation(app, pagename, templatename, context, doctree):
    """All source pages of a folder have one sidebar: making it anew took a third of the build."""
    if pagename not in app.env.book_sources:
        return
    known, make = app.env.book_navigation, context["toctree"]
    folder = posixpath.dirname(pagename)

    def toctree(**options):
        if folder not in known:
            known[folder] = make(**options)
        return known[folder]

    context["toctree"] = toctree


def mend_page(app, pagename, templatename, context, doctree):
    """The captions of the sidebar are headings, of a level that Sphinx forgets."""
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace(
        'role="heading"', 'role="heading" aria-level="2"'
    )


def finish(app, error):
    """Copy the framed pages, and write what the search shows of each page found."""
    if error is not None or app.builder.name != "html":
        return
    target = Path(app.outdir) / "lessons" / "interactive"
    shutil.copytree(ROOT / "lessons" / "interactive", target, dirs_exist_ok=True)
    texts = {
        name: excerpt(app.env.get_doctree(name))
        for name in sorted(app.env.found_docs)
        if "nosearch" not in app.env.metadata[name]
    }
    script = f"const bookTexts = {json.dumps(texts, ensure_ascii=False)};\n"
    (Path(app.outdir) / "_static" / "search-texts.js").write_text(script, encoding="utf-8")


def setup(app):
    app.add_transform(ProjectTransform)
    app.add_post_transform(NameTransform)
    app.add_post_transform(ThemedFigures)
    app.connect("env-before-read-docs", read_project)
    app.connect("autodoc-process-docstring", rewrite_docstring, priority=100)  # before numpydoc
    app.connect("html-page-context", share_navigation, priority=100)  # before the theme
    app.connect("html-page-context", mend_page, priority=900)  # after the theme
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
