"""A lesson as it lies in the folder → the same lesson as MyST reads it. Text in, text out.

What a forge shows as plain Markdown becomes more in the book:

- a quote, ```` ```python file=tinyunet/… ````, with the line "From […]:" before it, becomes the
  directive `quoted` with the lines of the file that it quotes;
- links to files, and paths in backticks, become links to `source:PATH`; functions in backticks to
  `api:FULL.NAME`. extension.py turns both into addresses;
- a paragraph that is a link to interactive/NAME.html becomes the figure itself.
"""

import posixpath
import re
from dataclasses import dataclass

from lessons.book.package import LESSON, find_lines

FENCE = re.compile(r"(`{3,})([\w{}-]*)(?: file=(\S+))?$")
PATH = re.compile(r"(?:tinyunet|tests|lessons|benchmarks)/[\w./-]*(?:::([\w.]+))?")
MOVING = re.compile(r"\[([^\]]+)\]\((interactive/[\w-]+\.html)\)")


@dataclass
class Fence:
    """A fenced block: lines `start` to `end` (from 0, both fences included) of a page."""

    start: int
    end: int
    ticks: str
    language: str
    file: str
    text: str


def fences(lines):
    """Return the fenced blocks of a page, given its lines. Raises ValueError for one left open."""
    found, number = [], 0
    while number < len(lines):
        opened = FENCE.match(lines[number])
        if opened:
            ticks, language, file = opened.groups()
            try:
                end = lines.index(ticks, number + 1)
            except ValueError:
                raise ValueError(f"line {number + 1}: a fence is never closed") from None
            text = "\n".join(lines[number + 1 : end])
            found.append(Fence(number, end, ticks, language, file or "", text))
            number = end
        number += 1
    return found


def has_page(path, sources):
    """Whether the book shows a file, or lists the files of a folder."""
    return (
        path in sources
        or path.startswith("lessons/exercises")
        or any(source.startswith(f"{path}/") for source in sources)
    )


class Page:
    """One page on its way into the book.

    name: its path from the root, "lessons/02-convolution-backward.md"; text: its Markdown;
    sources: {path: Source}; exists: function(path) that tells whether the project has that file.
    After `converted()`, `entries` holds the API entries it quotes or names, `unresolved` the links
    that lead nowhere.
    """

    def __init__(self, name, text, sources, exists):
        self.name, self.lines, self.sources, self.exists = name, text.split("\n"), sources, exists
        self.fences = fences(self.lines)
        self.entries, self.unresolved = {}, []
        self.own = set(re.findall(r"^(?:def|class) (\w+)", "\n".join(self.code()), re.M))
        self.near = self._near(text)

    def code(self):
        return [fence.text for fence in self.fences if not fence.file]

    def _near(self, text):
        """Return the modules whose functions a lesson calls by their bare names."""
        stem = posixpath.basename(self.name).removesuffix(".md")
        if not LESSON.fullmatch(self.name):
            return []
        quoted = {fence.file for fence in self.fences}
        named = {path[0].partition("::")[0] for path in PATH.finditer(text)}
        return [
            source
            for path, source in self.sources.items()
            if source.in_api and (path in quoted | named or stem in source.lessons)
        ]

    def converted(self):
        """Return the Markdown for MyST."""
        out, number = [], 0
        blocks = {fence.start: fence for fence in self.fences}
        while number < len(self.lines):
            if fence := blocks.get(number):
                out += self._block(fence, out)
                number = fence.end + 1
            else:
                out.append(self._prose(self.lines[number]))
                number += 1
        return "\n".join(out) + self._footer()

    def _block(self, fence, before):
        if not fence.file:
            return self.lines[fence.start : fence.end + 1]
        source = self.sources.get(fence.file)
        if source is None:
            raise ValueError(f"{self.name}:{fence.start + 1} quotes {fence.file}: no such source")
        first, last = find_lines(source, fence.text)
        self.entries.update({d.full: d for d in source.within(first, last) if d.in_api})
        while before and not before[-1].strip():
            before.pop()
        if before and re.match(rf"From \[`{re.escape(fence.file)}`\]\(.*\):$", before[-1]):
            before.pop()  # the quote's own caption says it
        else:
            before.append("")
        return [f"{fence.ticks}{{quoted}} {fence.file} {first} {last}", fence.ticks]

    def _prose(self, line):
        moving = MOVING.fullmatch(line.strip())
        if moving:
            return self._moving(*moving.groups())
        # Split at code and at links, so that each is handled once and text in between not at all.
        tokens = re.split(r"(!?\[(?:`[^`]*`|[^\]`])*\]\([^)\s]+\)|`[^`]+`|\$[^$]+\$)", line)
        return "".join(self._token(t) if i % 2 else t for i, t in enumerate(tokens))

    def _moving(self, text, path):
        if not self.exists(posixpath.join(posixpath.dirname(self.name), path)):
            return text
        return f"```{{moving}} {path}\n{text}\n```"

    def _token(self, token):
        if token.startswith("`"):
            target = self._meaning(token[1:-1])
            return f"[{token}]({target})" if target else token
        link = re.fullmatch(r"(!?)\[(.*)\]\(([^)]+)\)", token)
        if not link:
            return token
        target = self._target(link[1], link[3])
        return f"{link[1]}[{link[2]}]({target})" if target else link[2]

    def _target(self, image, target):
        """Return where a link of this page leads to in the book; "" if the book leaves it out."""
        if image or re.match(r"[a-z]+:|#", target):
            return target
        path, hash_, anchor = target.partition("#")
        project = posixpath.normpath(posixpath.join(posixpath.dirname(self.name), path))
        if not self.exists(project):
            self.unresolved.append(target)
            return target
        if path.endswith((".md", ".html")):
            return target
        return f"source:{project}{hash_}{anchor}" if has_page(project, self.sources) else ""

    def _meaning(self, code):
        """Return the address of what is written in backticks, or an empty string."""
        if PATH.fullmatch(code):
            return self._path(code)
        name = code.removesuffix("()")
        definition = self.named(name) if re.fullmatch(r"[A-Za-z_][\w.]*", name) else None
        if definition is None:
            return ""
        self.entries[definition.full] = definition
        return f"api:{definition.full}"

    def _path(self, code):
        path, _, name = code.partition("::")
        if not self.exists(path):
            return ""  # a lesson that is not written yet, a file that the reader will make
        source = self.sources.get(path)
        if name and source:
            definition = source.defined(name)
            if definition.in_api:
                self.entries[definition.full] = definition
                return f"api:{definition.full}"
            return f"source:{path}#L{definition.first}"
        if LESSON.fullmatch(path):
            return f"/{path}"
        return f"source:{path.rstrip('/')}" if has_page(path.rstrip("/"), self.sources) else ""

    def named(self, name):
        """Return the one definition that "conv2d", "naive.conv2d" or "UNet.forward" means here.

        None where the name means nothing, more than one thing, or what the lesson itself defines.
        """
        if name.partition(".")[0] in self.own:
            return None
        if "." not in name:
            found = [d for s in self.near for d in s.definitions if d.name == name and d.in_api]
            if len(found) > 1:  # the operation itself rather than its loops or its kernels
                stem = posixpath.basename(self.name).removesuffix(".md")
                told = {s.module for s in self.near if stem in s.lessons}
                found = [d for d in found if d.module in told]
            return found[0] if len(found) == 1 else None
        found = {}
        for source in self.sources.values():
            for d in source.definitions if source.in_api else ():
                if d.in_api and self._ends_with(d, source, name):
                    found[d.full] = d
        return next(iter(found.values())) if len(found) == 1 else None

    def _ends_with(self, definition, source, name):
        """Whether `name` is the end of the definition's own address or of its package's export."""
        addresses = [definition.full]
        package = definition.module.rpartition(".")[0]
        init = self.sources.get(f"{package.replace('.', '/')}/__init__.py")
        if init and init.exports.get(definition.name) == definition.module:
            addresses.append(f"{package}.{definition.name}")
        return any(f".{address}".endswith(f".{name}") for address in addresses)

    def _footer(self):
        if not self.entries:
            return ""
        by_module = {}
        for definition in self.entries.values():
            by_module.setdefault(definition.module, []).append(definition)
        rows = [
            f"- [`{module.removeprefix('tinyunet.')}`](api:{module}): "
            + ", ".join(f"[`{d.name}`](api:{d.full})" for d in definitions)
            for module, definitions in sorted(by_module.items())
        ]
        return (
            "\n\n:::{admonition} This lesson in the API reference\n" + "\n".join(rows) + "\n:::\n"
        )
