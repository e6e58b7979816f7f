"""A lesson as a program: its fenced blocks, and what they compute.

`run_lesson` runs the blocks of a page; tests/lessons/test_lessons.py compares what they print. A
figure's program takes what its lesson computed from `computed("02")`.
"""

import contextlib
import io
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

FOLDER = Path(__file__).resolve().parent
NAME = r"\d\d[a-z]?-[\w-]+"
LESSONS = sorted(file for file in FOLDER.glob("[0-9]*.md") if re.fullmatch(NAME, file.stem))

_computed = {}  # number → the names of the lesson that ran last in this process


@dataclass
class Block:
    """A fenced block: the language, the file it quotes (or ""), its text, where it starts."""

    language: str
    file: str
    text: str
    line: int
    touches: bool  # only blank lines lie between it and the block before


def blocks_of(markdown: str) -> list[Block]:
    """Return the fenced blocks of a lesson in order."""
    blocks, last_end, lines = [], -2, markdown.split("\n")
    number = 0
    while number < len(lines):
        opened = re.fullmatch(r"```(\w+)(?: file=(\S+))?", lines[number])
        if not opened:
            assert not lines[number].startswith("```"), f"line {number + 1}: a fence of what?"
            number += 1
            continue
        end = lines.index("```", number + 1)
        touches = last_end >= 0 and not "".join(lines[last_end + 1 : number]).strip()
        text = "\n".join(lines[number + 1 : end])
        blocks.append(Block(opened[1], opened[2] or "", text, number + 1, touches))
        last_end, number = end, end + 1
    return blocks


def answers_of(markdown: str) -> list[tuple[str, str]]:
    """Return the programs in the hidden answers of exercises, and what each prints."""
    code, text = (rf"^   ```{name}\n((?:   .*\n|\n)*?)   ```\n" for name in ("python", "text"))
    found = re.findall(rf"{code}\n{text}", markdown, flags=re.M)
    return [tuple(textwrap.dedent(part).removesuffix("\n") for part in pair) for pair in found]


def prose_of(markdown: str) -> str:
    """Return the lesson without its fenced blocks."""
    return re.sub(r"^```\w.*?^```$", "", markdown, flags=re.M | re.S)


def number_of(path: Path) -> str:
    """Return the number of a lesson or a figure: "05a" of 05a-forward-and-backward.md."""
    return path.stem.partition("-")[0]


def lesson_path(number: str) -> Path:
    """Return the file of the lesson with this number. Raises ValueError if there is none."""
    for path in LESSONS:
        if number_of(path) == number:
            return path
    known = ", ".join(map(number_of, LESSONS))
    raise ValueError(f"there is no lesson {number}: the lessons are {known}")


def run_lesson(path: Path) -> Iterator[tuple[Block, str, Block | None]]:
    """Run the blocks of a lesson in the current folder; yield (block, printed, text block)."""
    blocks = blocks_of(path.read_text(encoding="utf-8"))
    namespace = {"__name__": path.stem}
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block.language != "python" or block.file:
            continue
        stream = io.StringIO()
        # Blank lines in front make the line numbers of a traceback those of the lesson.
        code = compile("\n" * block.line + block.text, str(path), "exec")
        with contextlib.redirect_stdout(stream):
            exec(code, namespace)  # our own text, under version control
        expected = following if following and following.touches else None
        if expected is not None and expected.language != "text":
            expected = None
        yield block, stream.getvalue(), expected
    _computed.clear()
    _computed[number_of(path)] = namespace


def computed(number: str) -> SimpleNamespace:
    """Return what lesson `number` computes, each name an attribute; run it if it has not run."""
    if number not in _computed:
        for _ in run_lesson(lesson_path(number)):
            pass
    return SimpleNamespace(**_computed[number])


def figures_of(number: str) -> list[Path]:
    """Return the programs of a lesson's figures."""
    return sorted((FOLDER / "figures").glob(f"{number}-*.py"))
