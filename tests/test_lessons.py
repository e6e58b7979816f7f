"""The lessons cannot drift from the code: everything they show is run, compared or looked up here.

For writers of lessons (`lessons/NN-name.md`):

- ```` ```python ```` is run, top to bottom, one namespace a lesson, from a folder of its own. Use
  the public package as a reader would, `from lessons import drawing` for figures, and seeded
  generators; needs no GPU, no torch, no data. Keep a lesson under ten seconds.
- ```` ```text ```` right after such a block is what it prints. A block that prints must have one.
  Numbers with decimals may differ by one in the last printed digit, everything else is exact.
  So print few digits, and never time, rounding noise or the repr of NumPy numbers.
- ```` ```python file=tinyunet/ops/conv2d.py ```` quotes the package: whole lines, verbatim,
  indentation included. It is not run. A forge does not show the file name of a fence, so the line
  before says it: From [`tinyunet/ops/conv2d.py`](../tinyunet/ops/conv2d.py):
  CUDA sources (.cu, .cuh) are quoted as ```` ```cpp file=… ````.
- ```` ```console ````, ```` ```json ```` and other languages are neither run nor compared.
- Figures: `drawing.save(fig, "NN-name.png")` in a block, `![what it shows](figures/NN-name.png)`
  in the text. Each figure drawn is shown and each figure shown is drawn. After a change, redraw and
  look: `python tests/test_lessons.py 03` writes the figures of lesson 03 into lessons/figures/.
- Every link must resolve, with its #heading. So must every path in backticks that starts with
  `tinyunet/`, `tests/`, `lessons/` or `benchmarks/`; `tests/test_ops.py::test_relu` and
  `tinyunet/init.py::he_parameters` name something defined there. "lesson 12" must be one of the
  seventeen, "section 3.1" one of the paper's.
- Second line of the text: "Reading time: about 9 minutes." (all words of the file / 200); the
  headings of SECTIONS in a lesson from 01 on; and a link to the lesson in `lessons/00-map.md`.
- Formulas are `$…$` and `$$…$$`. Forges eat a backslash before punctuation, so write `\\cr` for a
  new line in a matrix, `\\lbrace` for a brace, `\\thinspace` for a thin space.
"""

import contextlib
import io
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "lessons"
LESSONS = sorted(FOLDER.glob("[0-9][0-9]-*.md"))

NAMES = [
    "00-map",
    "01-valid-convolution",
    "02-convolution-backward",
    "03-relu-and-pool",
    "04-up-convolution",
    "05-the-u",
    "06-cross-entropy",
    "07-initialisation-and-momentum",
    "08-weight-map",
    "09-elastic-deformation",
    "10-overlap-tile",
    "11-training",
    "12-scores",
    "13-touching-cells",
    "14-fast-on-a-cpu",
    "15-fast-on-a-gpu",
    "16-what-came-later",
]
SECTIONS = ["## The trap", "## Read the code", "## Exercises"]
# Figures that show rounding noise, which differs a little from processor to processor.
NOISY_FIGURES = {"02-epsilon.png"}
PAPER_SECTIONS = {"1", "2", "3", "3.1", "4", "5"}


@dataclass
class Block:
    """A fenced block: the language, the file it quotes (or ""), its text, where it starts."""

    language: str
    file: str
    text: str
    line: int
    touches: bool  # only blank lines lie between it and the block before


def blocks_of(markdown):
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


def prose_of(markdown):
    """Return the lesson without its fenced blocks."""
    return re.sub(r"^```\w.*?^```$", "", markdown, flags=re.M | re.S)


NUMBER = re.compile(r"(?<![\w.])[-−+]?\d+(?:\.(\d+))?(?:e[-+]\d+)?(?!\w)")


def same_output(printed, shown):
    """Tell whether two texts agree: words and whole numbers exactly, decimals to a last digit."""
    printed, shown = (
        "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))
        for text in (printed, shown)
    )
    # Width may change with a digit ("-0.00" and "0.00"), so runs of blanks count as one.
    skeletons = [re.sub(r"[ \t]+", " ", NUMBER.sub("#", text)) for text in (printed, shown)]
    if skeletons[0].replace(" #", "#") != skeletons[1].replace(" #", "#"):
        return False
    for a, b in zip(NUMBER.finditer(printed), NUMBER.finditer(shown), strict=True):
        if a[0] != b[0]:
            if a[1] is None or b[1] is None or "e" in a[0] + b[0]:
                return False
            unit = 10.0 ** -min(len(a[1]), len(b[1]))
            if abs(float(a[0].replace("−", "-")) - float(b[0].replace("−", "-"))) > 1.01 * unit:
                return False
    return True


def run_lesson(path):
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


def figure_difference(drawn, kept):
    """Return the mean difference in grey levels, the share that differs visibly, both limits.

    Means over blocks forgive a line's anti-aliasing, but not a curve elsewhere. Where both pictures
    come from one version of matplotlib, fonts and margins agree too, and the limits are strict;
    between versions they forgive a font.
    """
    from PIL import Image

    pictures, versions = [], set()
    for path in (drawn, kept):
        with Image.open(path) as picture:
            versions.add(picture.info.get("Software"))
            pictures.append(np.asarray(picture.convert("RGB"), float))
    alike = len(versions) == 1 and kept.name not in NOISY_FIGURES
    visible, limits = (10, (0.3, 0.004)) if alike else (40, (2.5, 0.02))
    if pictures[0].shape != pictures[1].shape:
        return 255.0, 1.0, limits
    h, w = (n // 8 * 8 for n in pictures[0].shape[:2])
    small = [p[:h, :w].reshape(h // 8, 8, w // 8, 8, 3).mean(axis=(1, 3)) for p in pictures]
    difference = np.abs(small[0] - small[1])
    return difference.mean(), (difference.max(axis=2) > visible).mean(), limits


def shown_figures(markdown):
    return set(re.findall(r"!\[[^\]]+\]\(figures/([^)\s]+)\)", markdown))


@pytest.fixture
def lesson_room(tmp_path, monkeypatch):
    """A folder of its own to run a lesson in, with the project importable and no screen."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.chdir(tmp_path)
    with matplotlib.rc_context(matplotlib.rcParamsDefault | {"backend": "agg"}):
        yield tmp_path


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_runs_prints_and_draws_what_it_shows(path, lesson_room):
    for block, printed, expected in run_lesson(path):
        where = f"{path.name}:{block.line}"
        if expected is None:
            assert not printed, f"{where} prints, but no text block follows:\n{printed}"
        else:
            assert same_output(printed, expected.text), (
                f"{where} prints\n{printed}\nbut the lesson shows\n{expected.text}"
            )
    drawn = {figure.name for figure in (lesson_room / "lessons" / "figures").glob("*")}
    assert drawn == shown_figures(path.read_text(encoding="utf-8"))
    for name in drawn:
        assert name.startswith(path.name[:3]), f"{name} is not named for {path.name}"
        mean, share, limits = figure_difference(
            lesson_room / "lessons" / "figures" / name, FOLDER / "figures" / name
        )
        differs = f"figures/{name} is not what {path.name} draws:"
        assert mean < limits[0], f"{differs} {mean:.2f} grey levels off on average"
        assert share < limits[1], f"{differs} {share:.1%} of its area differs visibly"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_quotes_are_verbatim(path):
    markdown = path.read_text(encoding="utf-8")
    quotes = [block for block in blocks_of(markdown) if block.file]
    if path.stem[:2] not in ("00", "16"):
        assert quotes, f"{path.name} quotes nothing"
    for block in quotes:
        source = (ROOT / block.file).read_text(encoding="utf-8")
        language = "cpp" if block.file.endswith((".cu", ".cuh")) else "python"
        caption = f"From [`{block.file}`](../{block.file}):\n\n```{language} file={block.file}\n"
        assert f"\n{caption}{block.text}\n" in markdown, f"{path.name}:{block.line} has no caption"
        assert f"\n{block.text}\n" in f"\n{source}\n", (
            f"{path.name}:{block.line} is not a verbatim slice of {block.file}"
        )


def slugs(markdown):
    """Return the anchors that a forge gives to the headings."""
    headings = re.findall(r"^#+ (.+)$", prose_of(markdown), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def resolves(reference):
    """Tell whether "path", "path::name" or "folder/" exists in the project."""
    path, _, name = reference.partition("::")
    if not (ROOT / path).exists():
        return False
    if not name:
        return True
    source = (ROOT / path).read_text(encoding="utf-8")
    return bool(re.search(rf"^\s*(def|class) {re.escape(name)}\b", source, flags=re.M))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_links_and_references_resolve(path):
    prose = prose_of(path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if target.startswith(("https://", "http://")):
            continue
        file, _, anchor = target.partition("#")
        linked = path.parent / file if file else path
        assert linked.exists(), f"{path.name} links to {target}"
        if anchor:
            assert anchor in slugs(linked.read_text(encoding="utf-8")), f"{path.name}: {target}"
    for reference in re.findall(r"`((?:tinyunet|tests|lessons|benchmarks)/[^`\s]+)`", prose):
        assert resolves(reference), f"{path.name} names {reference}"
    for number in re.findall(r"\b[Ll]essons? (\d+)", prose):
        assert any(name.startswith(f"{int(number):02}-") for name in NAMES), number
    for section in re.findall(r"\b[Ss]ections? (\d(?:\.\d)?)", prose):
        assert section in PAPER_SECTIONS, f"{path.name}: the paper has no section {section}"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_form(path):
    markdown = path.read_text(encoding="utf-8")
    assert path.stem in NAMES
    first, second = [line for line in markdown.split("\n") if line][:2]
    assert first.startswith("# "), first
    minutes = re.match(r"Reading time: about (\d+) minutes\.", second)
    assert minutes, f"{path.name} does not open with its reading time"
    assert abs(int(minutes[1]) - len(markdown.split()) / 200) <= 1, len(markdown.split()) / 200
    if path.stem != "00-map":
        headings = re.findall(r"^## .+$", prose_of(markdown), flags=re.M)
        assert [h for h in headings if h in SECTIONS] == SECTIONS
    for formula in re.findall(r"\$\$.+?\$\$|\$[^$]+\$", prose_of(markdown), flags=re.S):
        eaten = re.search(r"\\[^\w\s]", formula)
        assert not eaten, f"{path.name}: a forge eats the backslash of {eaten[0]} in {formula}"


def test_the_map_links_every_lesson_and_no_figure_is_left_over():
    markdown = (FOLDER / "00-map.md").read_text(encoding="utf-8")
    for path in LESSONS[1:]:
        assert f"]({path.name})" in markdown, f"00-map.md does not link {path.name}"
    shown = set().union(*(shown_figures(p.read_text(encoding="utf-8")) for p in LESSONS))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown |= set(re.findall(r"\]\(lessons/figures/([^)]+)\)", readme))
    assert {figure.name for figure in (FOLDER / "figures").glob("*")} == shown


def test_modules_name_lessons_that_are_planned():
    for source in (ROOT / "tinyunet").rglob("*.py"):
        for name in re.findall(r"lessons/(\d\d-[\w-]+)\.md", source.read_text(encoding="utf-8")):
            assert name in NAMES, f"{source.relative_to(ROOT)} names lessons/{name}.md"


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        ("a 1.25", "a 1.26", True),
        ("a 1.25", "a 1.27", False),
        ("a 3", "a 4", False),
        ("a 3", "a 3.0", False),
        ("a 3", "b 3", False),
        ("[[ 0.00 1.00]]", "[[-0.00  1.00]]", True),
        ("1.00", "1.00 2.00", False),
        ("1\n2", "1 2", False),
        ("conv1 2.0", "conv2 2.0", False),
        ("1.0e-3", "1.0e-4", False),
    ],
)
def test_outputs_are_compared_digit_by_digit(printed, shown, same):
    assert same_output(printed, shown) is same


def main(numbers):
    """Run lessons in place: print what differs and write their figures into lessons/figures/."""
    import matplotlib

    matplotlib.use("Agg")
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    for path in LESSONS:
        if numbers and path.name[:2] not in numbers:
            continue
        for block, printed, expected in run_lesson(path):
            if not same_output(printed, expected.text if expected else ""):
                print(f"--- {path.name}:{block.line} prints\n{printed}")
        words = len(path.read_text(encoding="utf-8").split())
        print(f"{path.name}: {words} words, {round(words / 200)} minutes")


if __name__ == "__main__":
    main(sys.argv[1:])
