"""Bring what the lessons show up to date: `python lessons/runs/update.py 11 13`.

Runs each lesson named, rewrites the text blocks under the program blocks that print something else
now, and draws its figures. Only for numbers that may change, those of recorded runs: look at the
difference (git diff) before you keep it, and read the sentences around the numbers again.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def update(path):
    """Rewrite the text blocks of one lesson; return how many changed."""
    from test_lessons import run_lesson

    lines, changed = path.read_text(encoding="utf-8").split("\n"), 0
    answers = [(printed, shown) for _, printed, shown in run_lesson(path) if shown is not None]
    for printed, shown in reversed(answers):  # from the end: line numbers before stay right
        if printed.strip("\n") != shown.text:
            printed = [line.rstrip() for line in printed.strip("\n").split("\n")]
            count = len(shown.text.split("\n")) if shown.text else 0
            lines[shown.line : shown.line + count] = printed
            changed += 1
    path.write_text("\n".join(lines), encoding="utf-8")
    return changed


if __name__ == "__main__":
    import matplotlib

    matplotlib.use("Agg")
    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    for number in sys.argv[1:]:
        for lesson in sorted((ROOT / "lessons").glob(f"{number}-*.md")):
            print(f"{lesson.name}: {update(lesson)} blocks rewritten")
