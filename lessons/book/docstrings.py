"""A docstring of the package → reStructuredText, which autodoc wants.

The docstrings are plain prose: names in single backticks, formulas set in by four blanks, and
parameters as "name: what it is" with the following lines set in. This makes links, blocks and
definition lists of them. Lines in, lines out.
"""

import re

from lessons.book.package import LESSON

ITEM = re.compile(r"((?:\*{0,2}\w+)(?:, \*{0,2}\w+)*) ?: (\S.*)")
BULLET = re.compile(r"([-*]|\d+\.) ")


def to_rst(lines, link):
    """Return the lines of a docstring as reStructuredText.

    link(code): the markup for what stands in backticks, such as a role, or None for plain code.
    """
    out, number = [], 0
    while number < len(lines):
        line = lines[number]
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if re.fullmatch(r"-{3,}", following) and line.strip():
            out += ["", f".. rubric:: {line.strip()}", ""]
            number += 2
        elif line.startswith(" "):
            number = _literal(lines, number, out)
        elif ITEM.fullmatch(line) and _is_list(lines, number):
            number = _item(lines, number, out, link)
        elif BULLET.match(line):
            number = _bullet(lines, number, out, link)
        else:
            number = _paragraph(lines, number, out, link)
    return out


def inline(text, link):
    """Return prose with its code and its lessons as roles, and nothing else of it as markup."""
    text = LESSON.sub(r"`lessons/\1.md`", text).replace("``", "`")
    parts = re.split(r"`([^`]+)`", text)
    for index, part in enumerate(parts):
        if index % 2:
            role = link(part) or f"``{part}``"
            glued = parts[index - 1][-1:], parts[index + 1][:1]
            parts[index] = ("\\ " * glued[0].isalnum()) + role + ("\\ " * glued[1].isalnum())
    parts[::2] = [_escape(part) for part in parts[::2]]
    return "".join(parts)


def _escape(text):
    words = re.split(r"(https?://\S+)", text)
    words[::2] = [re.sub(r"([\\*|`]|_\b)", r"\\\1", word) for word in words[::2]]
    return "".join(words)


def _is_list(lines, number):
    """Whether "name: text" opens a list of parameters, rather than a sentence."""
    around = lines[max(0, number - 1)], lines[min(number + 1, len(lines) - 1)]
    lower = lines[number][0].islower() or lines[number][0] == "*"
    other = [
        line.startswith("    ") or (ITEM.fullmatch(line) and line != lines[number])
        for line in around
    ]
    return lower and any(other)


def _literal(lines, number, out):
    """A block set in: a formula, a table, an example. Kept as it is."""
    while out and not out[-1]:
        out.pop()
    out += ["", "::", ""]
    while number < len(lines) and (lines[number].startswith(" ") or not lines[number].strip()):
        out.append(f"    {lines[number]}" if lines[number].strip() else "")
        number += 1
    out.append("")
    return number


def _item(lines, number, out, link):
    names, text = ITEM.fullmatch(lines[number]).groups()
    texts = [text]
    number += 1
    while number < len(lines) and lines[number].startswith("    "):
        texts.append(lines[number].strip())
        number += 1
    if out and out[-1].strip() and not out[-1].startswith("    "):
        out.append("")
    names = ", ".join(f"``{name}``" for name in names.split(", "))
    out += [names, f"    {inline(' '.join(texts), link)}"]
    return number


def _bullet(lines, number, out, link):
    if out and out[-1].strip() and not BULLET.match(out[-1]):
        out.append("")
    mark = BULLET.match(lines[number])[0]
    texts = [lines[number][len(mark) :]]
    number += 1
    while number < len(lines) and lines[number].startswith("  "):
        texts.append(lines[number].strip())
        number += 1
    out.append(mark + inline(" ".join(texts), link))
    return number


def _paragraph(lines, number, out, link):
    if out and out[-1].startswith("    ") and lines[number].strip():
        out.append("")
    texts = []
    while number < len(lines) and not lines[number].startswith(" "):
        if texts and (
            not lines[number].strip()
            or BULLET.match(lines[number])
            or (ITEM.fullmatch(lines[number]) and _is_list(lines, number))
        ):
            break
        texts.append(lines[number])
        number += 1
    joined = inline("\n".join(texts), link).split("\n")
    out += joined
    return number
