"""What a docstring means in the book: links to lessons, Markdown tables, text that is set in."""

import re
from itertools import pairwise


def tables(text):
    """Return a docstring with its Markdown tables as tables of reStructuredText."""

    def table(match):
        head, _, *lines = match[0].strip().split("\n")
        rows = [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in [head, *lines]]
        for row, below in pairwise(rows):
            if row[0].endswith(",") and not any(row[1:]):  # one row that was too long for a line
                below[0] = f"{row[0]} {below[0]}"
                row.clear()
        items = ("   * - " + "\n     - ".join(row) for row in rows if row)
        return ".. list-table::\n   :header-rows: 1\n\n" + "\n".join(items) + "\n"

    return re.sub(r"^\|.*\|\n\|[ |:-]+\|\n(?:\|.*\|(?:\n|\Z))+", table, text, flags=re.M)


def _literal(match):
    """Let what is set in below a paragraph be kept as it is."""
    line = match[1]
    if line.endswith("::"):
        return match[0]
    return f"{line}:\n\n" if line.endswith(":") else f"{line}\n\n::\n\n"


def rewrite_docstring(app, what, name, obj, options, lines):
    """Link the lessons that a docstring names; keep what is set in, and |x|, as they are."""
    text = re.sub(r"(?<![`/\w])(lessons/\d\d[a-z]?-[\w-]+\.md)(?!`)", r"`\1`", "\n".join(lines))
    text = tables(text)
    text = re.sub(r"^(\S.*)\n\n(?= {4}\S)", _literal, text, flags=re.M)
    text = re.sub(r"(?<!`)(`[^`\n]+`)(?=[\w²])", r"\1\ ", text)  # `size`²
    lines[:] = re.sub(r"(?<![\w`\\])\|([^|\n`]+)\|(?!\w)", r"\|\1\|", text).split("\n")
