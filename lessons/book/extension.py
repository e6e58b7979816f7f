"""What Sphinx has to know: quotes, figures that move, formulas, links, and the pages of source."""

import html
import re
import shutil
import textwrap
from functools import partial
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.osutil import relative_uri

from lessons.book import fonts
from lessons.book.docstrings import to_rst
from lessons.book.mathml import to_mathml
from lessons.book.package import LESSON, read_sources
from lessons.book.sources import address, language_of, listing, page_body, page_name, pane_script
from lessons.book.stage import ROOT, title_of, told_in, write

log = logging.getLogger(__name__)


class quoted(nodes.General, nodes.Element):
    """Lines of the package in a lesson."""


class Quoted(SphinxDirective):
    """`{quoted} tinyunet/ops/conv2d.py 46 51`: these lines, with a caption that leads to them."""

    required_arguments, optional_arguments = 3, 0

    def run(self):
        path, first, last = self.arguments[0], *map(int, self.arguments[1:])
        source = self.env.book_sources[path]
        self.env.book_quoted.add(path)
        text = textwrap.dedent("\n".join(source.text.split("\n")[first - 1 : last]))
        node = quoted(file=path, first=first, last=last)
        node += nodes.literal_block(text, text, language=language_of(path))
        self.set_source_info(node)
        return [node]


def visit_quoted(translator, node):
    builder = translator.builder
    sources = builder.env.book_sources
    path, first, last = node["file"], node["first"], node["last"]
    here = builder.get_target_uri(builder.current_docname)
    to = partial(relative_uri, here)
    names = []
    for definition in sources[path].within(first, last):
        entry = builder.env.book_entries().get(definition.full)
        name = f"<code>{definition.name}</code>"
        names.append(f'<a href="{to(entry)}">{name}</a>' if entry else name)
    lines = f"line {first}" if first == last else f"lines {first}–{last}"
    inside = f" in {', '.join(names)}" if names else ""
    target = to(address(f"{path}#L{first}", sources))
    translator.body.append(
        f'<figure class="quoted" data-file="{path}" data-first="{first}" data-last="{last}">'
        f'<figcaption><a class="file" href="{target}"><code>{path}</code>, {lines}</a>{inside}'
        "</figcaption>"
    )


def depart_quoted(translator, node):
    translator.body.append("</figure>\n")


class Moving(SphinxDirective):
    """`{moving} interactive/convolution.html`: that page, framed, and the link to it below."""

    required_arguments, has_content = 1, True

    def run(self):
        path = self.arguments[0]
        folder = Path(self.env.doc2path(self.env.docname)).parent
        page = (folder / path).read_text(encoding="utf-8")
        told = re.search(r'<meta name="height" content="(\d+)"', page)
        height, title = told[1] if told else "520", html.escape("\n".join(self.content))
        frame = (
            f'<div class="moving"><iframe src="{path}" style="--height: {height}px" '
            f'title="{title}" loading="lazy"></iframe><p><a href="{path}">{title}</a></p></div>'
        )
        return [nodes.raw("", frame, format="html")]


class SourceRole(SphinxRole):
    """:source:`tinyunet/ops/conv2d.py` in a docstring."""

    def run(self):
        reference = nodes.reference(refuri=f"source:{self.text}")
        reference += nodes.literal(self.text, self.text)
        return [reference], []


def visit_math(translator, node):
    translator.body.append(to_mathml(node.astext()))
    raise nodes.SkipNode


def visit_math_block(translator, node):
    translator.body.append(f'<div class="formula">{to_mathml(node.astext(), display=True)}</div>\n')
    raise nodes.SkipNode


def read_project(app):
    """Hang what the sources say on the environment, where directives and visitors find it."""
    app.env.book_sources, app.env.book_quoted = read_sources(ROOT), set()
    stems = {Path(doc).name: doc for doc in app.env.found_docs if re.match(r"lessons/\d\d-", doc)}
    app.env.book_lessons = {
        stem: title_of(ROOT / "lessons" / f"{stem}.md") for stem in sorted(stems)
    }
    app.env.book_told = told_in(ROOT, app.env.book_sources)
    app.env.book_entries = partial(entries, app.env)


def entries(env):
    """Return {full name: address from the book's root} of all that the API reference describes."""
    objects = env.get_domain("py").objects
    return {name: f"{o.docname}.html#{o.node_id}" for name, o in objects.items()}


def rewrite_docstring(app, what, name, obj, options, lines):
    lines[:] = to_rst(lines, partial(docstring_link, app.env, name))


def docstring_link(env, where, code):
    """Return the link for `code` in a docstring of `where`, None if it names nothing of ours."""
    lesson = LESSON.fullmatch(code)
    if lesson:
        title = env.book_lessons.get(lesson[1])
        return f":doc:`lesson {title} </lessons/{lesson[1]}>`" if title else None
    for path in (code, f"tinyunet/{code}"):
        if path in env.book_sources:
            return f":source:`{path}`"
    if not re.fullmatch(r"[A-Za-z_][\w.]*", code):
        return None
    modules = [s for s in env.book_sources.values() if s.module and where.startswith(s.module)]
    for source in sorted(modules, key=lambda s: -len(s.module)):
        for definition in source.definitions:
            if definition.in_api and definition.name == code:
                return f":py:obj:`{code} <{definition.full}>`"
        origin = source.exports.get(code)
        if origin and origin.startswith("tinyunet."):
            known = env.book_sources.get(f"{origin.replace('.', '/')}.py")
            if known and any(d.name == code and d.in_api for d in known.definitions):
                return f":py:obj:`{code} <{origin}.{code}>`"
    return None


def link_sources(app, doctree, docname):
    """Turn source:PATH and api:NAME into addresses, and give API entries their links."""
    here, known = app.builder.get_target_uri(docname), app.env.book_entries()
    for node in doctree.findall(nodes.reference):
        scheme, _, target = node.get("refuri", "").partition(":")
        try:
            if scheme == "source":
                node["refuri"] = relative_uri(here, address(target, app.env.book_sources))
            elif scheme == "api":
                node["refuri"] = relative_uri(here, known[target])
            else:
                continue
        except (KeyError, ValueError) as error:
            log.warning("%s leads nowhere: %s", node["refuri"], error, location=node)
        node["internal"] = True
    for signature in doctree.findall(addnodes.desc_signature):
        if signature.get("module"):
            add_signature_links(app, here, signature)


def add_signature_links(app, here, signature):
    """Put [source] and [lesson 02] beside the signature of an API entry."""
    path, source = module_source(app.env, signature["module"])
    try:
        definition = source.defined(signature["fullname"])
    except ValueError:  # an attribute or a re-exported name
        return
    links = [("source", f"{page_name(path)}.html#L{definition.first}")]
    told = app.env.book_told.get(definition.full) or source.lessons
    links += [
        (f"lesson {stem[:2]}", f"lessons/{stem}.html")
        for stem in told
        if stem in app.env.book_lessons and not stem.startswith("00")
    ]
    beside = nodes.inline(classes=["entry-links"])
    for text, target in links:
        uri = relative_uri(here, target)
        beside += [nodes.reference(text, text, refuri=uri, internal=True), nodes.Text(" ")]
    signature += beside


def module_source(env, module):
    for path in (f"{module.replace('.', '/')}.py", f"{module.replace('.', '/')}/__init__.py"):
        if path in env.book_sources:
            return path, env.book_sources[path]
    raise ValueError(f"the book has no source of {module}")


def source_pages(app):
    """Yield the pages of source, and write the scripts of those that a lesson quotes."""
    env, known = app.env, app.env.book_entries()
    lessons = {stem: f"lesson {title}" for stem, title in env.book_lessons.items()}
    for path, source in env.book_sources.items():
        html_listing = listing(source, lessons, known)
        body = page_body(source, html_listing, lessons, known.get(source.module))
        root = "../" * page_name(path).count("/")
        context = {"title": path, "body": body.replace("{root}", root), "parents": []}
        yield page_name(path), context, "page.html"
        if path in env.book_quoted:
            write(Path(app.outdir) / f"{page_name(path)}.js", pane_script(path, html_listing))


def copy_figures(app, error):
    """Copy the pages that frames show, and the font of the formulas, into the book."""
    if error is None and (ROOT / "lessons" / "interactive").is_dir():
        shutil.copytree(
            ROOT / "lessons" / "interactive",
            Path(app.outdir) / "lessons" / "interactive",
            dirs_exist_ok=True,
        )
    if error is None:
        fonts.write_math_font(app.outdir)


def setup(app):
    app.add_node(quoted, html=(visit_quoted, depart_quoted))
    app.add_directive("quoted", Quoted)
    app.add_directive("moving", Moving)
    app.add_role("source", SourceRole())
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.connect("env-before-read-docs", lambda app, env, docnames: read_project(app))
    app.connect("autodoc-process-docstring", rewrite_docstring)
    app.connect("doctree-resolved", link_sources)
    app.connect("html-collect-pages", source_pages)
    app.connect("build-finished", copy_figures)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
