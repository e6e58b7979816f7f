"""The lessons as Jupyter notebooks, with the outputs that the lessons show.

Nothing is run: what a block prints stands below it in the lesson, and a test holds the two
together. Figures, drawn and moving, are copied beside the notebooks, since Jupyter shows nothing
from outside the folder in which it was started; other links lead to the project's files.
"""

import os
import re
import shutil
from pathlib import Path

from lessons.book.stage import ROOT, lessons_of

FENCE = re.compile(r"^```python\n(.*?)\n```\n+(?:```text\n(.*?)\n```\n*)?", re.M | re.S)
LINK = re.compile(r"(\]\()([^)\s#]+)([^)\s]*\))")
BESIDE = re.compile(r"figures/[\w-]+\.(?:svg|png)|interactive/[\w.-]+")  # what is copied
SETUP = """\
# The lessons import from the project's folder.
import os, sys
sys.path.insert(0, os.path.abspath({root!r}))"""


def write_notebooks(folder, root=ROOT):
    """Write one notebook a lesson into `folder`; yield the paths."""
    try:
        import nbformat
    except ImportError as error:
        raise ImportError('notebooks need nbformat: pip install ".[book]"') from error
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    texts = [lesson.read_text(encoding="utf-8") for lesson in lessons_of(root)]
    for name in sorted({link[2] for text in texts for link in LINK.finditer(text)}):
        if name.startswith("figures/") and BESIDE.fullmatch(name):
            (folder / "figures").mkdir(exist_ok=True)
            shutil.copyfile(root / "lessons" / name, folder / name)
    shutil.copytree(root / "lessons" / "interactive", folder / "interactive", dirs_exist_ok=True)
    for lesson in lessons_of(root):
        path = folder / f"{lesson.stem}.ipynb"
        nbformat.write(notebook(lesson, folder, root), path)
        yield path


def notebook(lesson, folder, root=ROOT):
    """Return the notebook of a lesson, whose links lead from `folder` to the project's files."""
    from nbformat import v4

    text, end, count = lesson.read_text(encoding="utf-8"), 0, 1
    up = os.path.relpath(root, folder).replace(os.sep, "/")
    cells = []

    def prose(part):
        part = _links(part, f"{up}/lessons").strip("\n")
        if part:
            cells.append(v4.new_markdown_cell(part, id=f"text-{len(cells)}"))

    for block in FENCE.finditer(text):
        prose(text[end : block.start()])
        code = block[1]
        if count == 1:
            code = SETUP.format(root=up) + "\n\n" + code
        outputs = []
        if block[2] is not None:
            outputs = [v4.new_output("stream", name="stdout", text=block[2] + "\n")]
        cells.append(
            v4.new_code_cell(code, execution_count=count, outputs=outputs, id=f"block-{count}")
        )
        end, count = block.end(), count + 1
    prose(text[end:])
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    return v4.new_notebook(cells=cells, metadata=metadata)


def _links(text, lessons):
    """Lead relative links to other notebooks, to what is copied, and into the project."""

    def led(match):
        path = match[2]
        if re.match(r"[a-z]+:", path) or BESIDE.fullmatch(path):
            return match[0]
        if re.fullmatch(r"\d\d[a-z]?-[\w-]+\.md", path):
            return f"{match[1]}{path.removesuffix('.md')}.ipynb{match[3]}"
        joined = os.path.normpath(f"{lessons}/{path}").replace(os.sep, "/")
        return f"{match[1]}{joined}{match[3]}"

    return LINK.sub(led, text)
