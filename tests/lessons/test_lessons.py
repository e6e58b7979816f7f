"""The lessons cannot drift from the code: everything they show is run, compared or looked up here.

For writers of lessons (`lessons/NN-name.md`):

- ```` ```python ```` is run, top to bottom, one namespace a lesson, from a folder of its own. Use
  the public package as a reader would, and seeded generators; no GPU, no torch, no data. Keep a
  lesson short: all of them together are run in under three minutes on two cores.
- ```` ```text ```` right after such a block is what it prints. A block that prints must have one.
  Numbers with decimals may differ by one in the last printed digit, everything else is exact.
  So print few digits, and never time, rounding noise or the repr of NumPy numbers.
- ```` ```python file=tinyunet/nn/conv2d.py ```` quotes the package: whole lines, verbatim,
  indentation included. It is not run. A forge does not show the file name of a fence, so the line
  before says it: From [`tinyunet/nn/conv2d.py`](../tinyunet/nn/conv2d.py):
  CUDA sources (.cu, .cuh) are quoted as ```` ```cpp file=… ````.
- ```` ```console ````, ```` ```json ```` and other languages are neither run nor compared.
- No drawing in a block. A figure has a program, `lessons/figures/NN-name.py`, that ends in
  `drawing.save(fig, "NN-name.svg")`; it may take what its lesson computes from
  `lessons.page.computed("NN")`. In the text stands `![what it shows](figures/NN-name.svg)`, an
  empty line, and a caption of one line that links the program. After a change, redraw and look:
  `python -m lessons 03` runs lesson 03 and writes its figures, `python -m lessons 03-ties` only
  that one. Texts are compared exactly, places to 1.5 points, pictures to a grey level.
- Every link must resolve, with its #heading. So must every path in backticks that starts with
  `tinyunet/`, `tests/`, `lessons/` or `benchmarks/`; `tests/nn/test_ops.py::test_relu` and
  `tinyunet/nn/init.py::he_parameters` name something defined there. "lesson 12" must be one of
  NAMES, "section 3.1" one of the paper's.
- Second line of the text: "Reading time: about 9 minutes." (all words of the file / 200); the
  headings of SECTIONS in a lesson from 01 on; and a link to the lesson in `lessons/00-map.md`.
- Formulas are `$…$` and `$$…$$`. Forges eat a backslash before punctuation, so write `\\cr` for a
  new line in a matrix, `\\lbrace` for a brace, `\\thinspace` for a thin space.
"""

import base64
import contextlib
import io
import re
import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]  # `lessons` is a folder of the project

from svg_difference import difference  # noqa: E402

from lessons.page import (  # noqa: E402
    LESSONS,
    answers_of,
    blocks_of,
    computed,
    figures_of,
    number_of,
    prose_of,
    run_lesson,
)

FOLDER = ROOT / "lessons"
LISTS = [FOLDER / "glossary.md", FOLDER / "bibliography.md"]
NAMES = [
    "00-map",
    "01-valid-convolution",
    "02-convolution-backward",
    "03-relu-and-pool",
    "04-up-convolution",
    "05-the-u",
    "05a-forward-and-backward",
    "05b-where-gradients-flow",
    "06-cross-entropy",
    "07-initialisation-and-momentum",
    "08-weight-map",
    "09-elastic-deformation",
    "10-overlap-tile",
    "11-training",
    "11b-comparing-runs",
    "11c-weights-and-the-threshold",
    "12-scores",
    "13-touching-cells",
    "14-fast-on-a-cpu",
    "15-fast-on-a-gpu",
    "16-what-came-later",
    "17-several-devices",
]
SECTIONS = ["## The trap", "## Read the code", "## Exercises", "## Read on elsewhere"]
# Figures that show rounding noise, which differs a little from processor to processor, and how far
# their curves may be off (points).
NOISY_FIGURES = {"02-epsilon": 20.0}
PAPER_SECTIONS = {"1", "2", "3", "3.1", "4", "5"}
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
        assert "drawing" not in block.text, f"{where} draws: that belongs into lessons/figures/"
        if expected is None:
            assert not printed, f"{where} prints, but no text block follows:\n{printed}"
        else:
            assert same_output(printed, expected.text), (
                f"{where} prints\n{printed}\nbut the lesson shows\n{expected.text}"
            )
    for program, shown in answers_of(path.read_text(encoding="utf-8")):
        stream = io.StringIO()
        with contextlib.redirect_stdout(stream):
            exec(program, vars(computed(number_of(path))).copy())
        assert same_output(stream.getvalue(), shown), f"an answer prints\n{stream.getvalue()}"
    for program in figures_of(number_of(path)):
        runpy.run_path(str(program), run_name="__main__")
        name = f"{program.stem}.svg"
        drawn = lesson_room / "lessons" / "figures" / name
        assert drawn.exists(), f"{program.name} does not draw {name}"
        told = difference(drawn, FOLDER / "figures" / name, NOISY_FIGURES.get(program.stem, 1.5))
        assert not told, f"figures/{name} is not what {program.name} draws: {told}"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_each_figure_is_shown_once_with_a_link_to_its_program(path):
    markdown = path.read_text(encoding="utf-8")
    shown = re.findall(r"^!\[[^\]]+\]\(figures/([^)\s]+)\)\n\n(.+)$", markdown, flags=re.M)
    assert len(shown) == len(shown_figures(markdown)), f"{path.name}: a figure without a caption"
    for name, caption in shown:
        program = Path(name).with_suffix(".py")
        assert f"](figures/{program})" in caption, f"{path.name}: {name} does not link {program}"
    programs = {f"{program.stem}.svg" for program in figures_of(number_of(path))}
    assert programs == {name for name, _ in shown}


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_quotes_are_verbatim(path):
    markdown = path.read_text(encoding="utf-8")
    quotes = [block for block in blocks_of(markdown) if block.file]
    if number_of(path) not in ("00", "05b", "16"):
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


@pytest.mark.parametrize("path", [*LESSONS, *LISTS], ids=lambda path: path.stem)
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
    for number in re.findall(r"\b[Ll]essons? (\d+[abc]?)", prose):
        assert any(name.startswith(f"{number}-") for name in NAMES), number
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
    exercises = markdown.partition("## Exercises")[2].partition("\n## ")[0]
    for exercise in re.split(r"^(?=\d+\. )", exercises, flags=re.M)[1:]:
        answered = "\n\n   <details><summary>Answer</summary>\n\n" in exercise
        assert answered or "exercises/" in exercise, f"{path.name}: no hidden answer to {exercise}"
    assert len(answers_of(markdown)) == len(re.findall("^ +```python", markdown, flags=re.M))
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
    assert {figure.name for figure in (FOLDER / "figures").glob("*.[sp][vn]g")} == shown
    programs = {program.stem for program in (FOLDER / "figures").glob("*.py")}
    assert programs == {Path(name).stem for name in shown if name.endswith(".svg")}


def test_modules_name_lessons_that_are_planned():
    for source in (ROOT / "tinyunet").rglob("*.py"):
        for name in re.findall(
            r"lessons/(\d\d[a-z]?-[\w-]+)\.md", source.read_text(encoding="utf-8")
        ):
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


def test_every_source_is_in_the_bibliography():
    known = set(re.findall(r"https?://[^)\s]+", LISTS[1].read_text(encoding="utf-8")))
    site = "https://cs231n.github.io/", "https://www.deeplearningbook.org/"
    for path in LESSONS:
        for url in re.findall(r"\]\((https?://[^)\s]+)\)", path.read_text(encoding="utf-8")):
            assert url in known or url.startswith(site), f"{path.name}: {url}"


SVG = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">
<title>Matplotlib v3.1, https</title>
<g id="line"><path d="M 10 20 L 30 40" style="stroke: #0072b2"/></g>
<text x="5" y="6" style="font: 10px">3 classes</text></svg>"""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("3 classes", "4 classes"), "texts differ: missing ['3 classes'], added ['4 classes']"),
        (("30 40", "30.4 40.9"), ""),
        (("30 40", "30 45"), "d is off by 5.0"),
        (("30 40", "30 40 L 50 60"), "d has 6 numbers, kept are 4"),
        (("#0072b2", "#0072b4"), ""),
        (("#0072b2", "#d55e00"), "colour #d55e00, kept is #0072b2"),
        (("10px", "14px"), ""),
        (("stroke:", "fill:"), "style fill: #0072b2, kept is stroke: #0072b2"),
        (('<g id="line">', '<g id="line"><path d="M 0 0"/>'), "4 elements, kept are 3"),
        (("v3.1", "v3.2"), ""),
    ],
)
def test_figures_are_compared_by_text_and_place(tmp_path, change, told):
    drawn, kept = tmp_path / "drawn.svg", tmp_path / "kept.svg"
    kept.write_text(SVG, encoding="utf-8")
    drawn.write_text(SVG.replace(*change), encoding="utf-8")
    assert told in difference(drawn, kept)
    assert (told == "") == (difference(drawn, kept) == "")


def test_pictures_in_figures_are_compared(tmp_path):
    files = []
    for name, shade in (("one", 100), ("same", 101), ("other", 140)):
        buffer = io.BytesIO()
        Image.new("L", (8, 8), shade).save(buffer, "PNG")
        data = base64.b64encode(buffer.getvalue()).decode()
        image = f'<image xlink:href="data:image/png;base64,{data}"/></svg>'
        files.append(tmp_path / f"{name}.svg")
        files[-1].write_text(SVG.replace("</svg>", image), encoding="utf-8")
    assert difference(files[1], files[0]) == ""
    assert "40.00 grey levels off" in difference(files[2], files[0])
