"""Run lessons and draw their figures: `python -m lessons 02`, `python -m lessons 02-matrix`.

Each lesson named is run from top to bottom, blocks that print something else than the page shows
are listed, and the lesson's figures are written into lessons/figures/. `02-matrix` draws only that
figure. `--update` writes what the blocks print into the page: look at the difference before you
keep it. Without a name all lessons are run.
"""

import argparse
import os
import re
import runpy
from pathlib import Path

from lessons.page import FOLDER, LESSONS, figures_of, lesson_path, number_of, run_lesson


def update(path: Path, answers: list) -> None:
    """Put what a lesson's blocks printed into its text blocks, and its length into the head."""
    lines = path.read_text(encoding="utf-8").split("\n")
    for printed, shown in reversed(answers):  # from the end: line numbers before stay right
        if printed.strip("\n") != shown.text:
            new = [line.rstrip() for line in printed.strip("\n").split("\n")]
            count = len(shown.text.split("\n")) if shown.text else 0
            lines[shown.line : shown.line + count] = new
    text = "\n".join(lines)
    minutes = f"Reading time: about {round(len(text.split()) / 200)} minutes."
    path.write_text(re.sub(r"Reading time: .+", minutes, text, count=1), encoding="utf-8")


def run(path: Path, write: bool) -> None:
    """Run one lesson; print what differs, or write it into the page."""
    answers = []
    for block, printed, expected in run_lesson(path):
        shown = expected.text if expected else ""
        if printed.strip("\n") != shown.strip("\n"):
            print(f"--- {path.name}:{block.line} prints\n{printed}")
        if expected is not None:
            answers.append((printed, expected))
    if write:
        update(path, answers)
    words = len(re.findall(r"\S+", path.read_text(encoding="utf-8")))
    print(f"{path.name}: {words} words, {round(words / 200)} minutes")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m lessons", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="lessons (02) or figures (02-matrix)")
    parser.add_argument("--update", action="store_true", help="write what is printed into the page")
    options = parser.parse_args()
    os.chdir(FOLDER.parent)
    for name in options.names or [number_of(path) for path in LESSONS]:
        if (FOLDER / "figures" / f"{name}.py").exists():
            programs = [FOLDER / "figures" / f"{name}.py"]
        else:
            run(lesson_path(name), options.update)
            programs = figures_of(name)
        for program in programs:
            runpy.run_path(str(program), run_name="__main__")


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "agg")
    main()
