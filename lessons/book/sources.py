"""The pages of highlighted source, and the same as scripts for the pane beside a lesson.

A page is a `<pre>` with an anchor L12 for each line. The names of lessons in it are links, and a
definition that the API reference describes ends with a link to its entry. Addresses start with
{root}, since a page of source and a lesson lie at different depths.
"""

import html
import json
import re
from posixpath import basename

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from lessons.book.package import LESSON

LANGUAGES = {"py": "python", "cu": "cuda", "cuh": "cuda", "h": "cpp", "json": "json"}


def language_of(path):
    return LANGUAGES.get(path.rpartition(".")[2], "text")


def page_name(path):
    """Return the page of the source file `path`, without ".html"."""
    return f"source/{path}"


def address(path, sources):
    """Return where the book shows "tinyunet/ops/conv2d.py#L12", from the book's root.

    A folder is a heading on the page of all files; a learner's exercise is on the exercises' page.
    """
    file, hash_, anchor = path.partition("#")
    if file in sources:
        return f"{page_name(file)}.html{hash_}{anchor}"
    if file.startswith("lessons/exercises/") and file.endswith(".py"):
        heading = basename(file).removesuffix(".py").replace("_", "-")
        return f"lessons/exercises/README.html#{heading}"
    if any(name.startswith(f"{file}/") for name in sources):
        return f"sources.html#{file.replace('/', '-')}"
    if file == "lessons/exercises":
        return "lessons/exercises/README.html"
    raise ValueError(f"the book has no page for {path}")


def listing(source, lessons, entries):
    """Return the HTML of a source: one span a line, with {root} before the addresses.

    lessons: stems of the lessons that the book has; entries: {full name: address} of the API.
    """
    lexer = get_lexer_by_name(language_of(source.path), stripnl=False)
    lines = highlight(source.text, lexer, HtmlFormatter(nowrap=True)).split("\n")[:-1]
    ends = {d.first: entries[d.full] for d in source.definitions if d.full in entries}
    out = []
    for number, line in enumerate(lines, 1):
        line = LESSON.sub(lambda m: _lesson_link(m, lessons), line)
        if number in ends:
            line += f'<a class="to-api" href="{{root}}{ends[number]}">API</a>'
        out.append(
            f'<span class="line" id="L{number}">'
            f'<a class="number" href="#L{number}" data-n="{number}" aria-label="line {number}"></a>'
            f"{line}\n</span>"
        )
    return f'<div class="highlight listing"><pre>{"".join(out)}</pre></div>'


def _lesson_link(match, lessons):
    if match[1] not in lessons:
        return match[0]
    return f'<a class="to-lesson" href="{{root}}lessons/{match[1]}.html">{match[0]}</a>'


def page_body(source, html_listing, lessons, module_address):
    """Return the body of a source page: heading, where it is explained, the listing."""
    links = [
        f'<a href="{{root}}lessons/{stem}.html">{html.escape(lessons[stem])}</a>'
        for stem in source.lessons
        if stem in lessons
    ]
    told = f"Explained in {' and '.join(links)}. " if links else ""
    if module_address:
        told += (
            f'<a href="{{root}}{module_address}">API reference of <code>{source.module}</code></a>.'
        )
    intro = f'<p class="explained">{told}</p>' if told else ""
    return f'<h1 class="file"><code>{source.path}</code></h1>{intro}{html_listing}'


def pane_script(path, html_listing):
    """Return a script that hands the listing to the pane (static/book.js), also from file://."""
    listing = re.sub(r' id="(L\d+)"', r' data-line="\1"', html_listing)
    listing = re.sub(r'<a class="number" href="#L\d+"', '<a class="number"', listing)
    return f"bookPane.take({json.dumps(path)}, {json.dumps(listing)});\n"
