"""The book's own functions: what it makes of a lesson, a docstring, a formula, a source file.

They run without Sphinx. The last tests build the book and follow its links; they are slow, and need
`pip install ".[book]"`.
"""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # `lessons` is a folder of the project, not an installed package

from lessons.book.docstrings import to_rst  # noqa: E402
from lessons.book.markdown import Page, fences  # noqa: E402
from lessons.book.package import find_lines, read_source, read_sources  # noqa: E402
from lessons.book.stage import API, api_modules, exported, stage, title_of, told_in  # noqa: E402

LESSONS = sorted((ROOT / "lessons").glob("[0-9][0-9]-*.md"))
CODE = '''"""Adds up.

Lessons: lessons/01-valid-convolution.md, lessons/02-convolution-backward.md.
"""

from tinyunet.ops.relu import relu


@cached
def add(a, b):
    """Return a + b."""
    total = a
    total += b
    return total


def _hidden(a):
    """Nobody's business."""
    return a


def bare(a):
    return a


class Net:
    """A net."""

    def forward(self, x):
        """Return x."""
        return x
'''
LOOPS = '''"""The loops."""


def add(a, b):
    """Return a + b, slowly."""
    return a
'''
RELU = '"""ReLU."""\n\n\ndef relu(x):\n    """Return max(x, 0)."""\n    return x\n'
OPS = '"""Operations."""\n\nfrom tinyunet.ops.relu import relu\n'


@pytest.fixture
def sources():
    files = {
        "tinyunet/sums.py": CODE,
        "tinyunet/loops.py": LOOPS,
        "tinyunet/ops/__init__.py": OPS,
        "tinyunet/ops/relu.py": RELU,
        "tests/test_sums.py": "def test_add():\n    pass\n",
    }
    return {path: read_source(path, text) for path, text in files.items()}


def page(text, sources, name="lessons/01-valid-convolution.md"):
    there = {
        *sources,
        "lessons/02-convolution-backward.md",
        "lessons/exercises/01_x.py",
        "lessons/interactive/steps.html",
        "tinyunet/ops",
        "tests",
        "README.md",
        "LICENSE",
    }
    return Page(name, text, sources, lambda path: path.rstrip("/") in there)


def converted(text, sources, **options):
    return page(text, sources, **options).converted().partition("\n\n:::")[0]


# Sources


def test_a_source_knows_its_definitions_and_their_lines(sources):
    found = {d.name: (d.first, d.last, d.in_api) for d in sources["tinyunet/sums.py"].definitions}
    assert found == {
        "add": (9, 14, True),  # from its decorator on
        "_hidden": (17, 19, False),
        "bare": (22, 23, False),
        "Net": (26, 31, True),
        "Net.forward": (29, 31, True),
    }
    source = sources["tinyunet/sums.py"]
    assert source.module == "tinyunet.sums"
    assert source.lessons == ["01-valid-convolution", "02-convolution-backward"]
    assert source.exports == {"relu": "tinyunet.ops.relu"}
    assert source.defined("Net.forward") == source.defined("forward")
    with pytest.raises(ValueError, match=r"tinyunet/sums\.py defines no ward"):
        source.defined("ward")
    assert sources["tinyunet/ops/__init__.py"].module == "tinyunet.ops"


@pytest.mark.parametrize(
    ("path", "listed"),
    [
        ("tinyunet/sums.py", True),
        ("tinyunet/cli/sums.py", False),
        ("tinyunet/exercises/sums.py", False),
        ("tests/test_sums.py", False),
    ],
)
def test_only_the_package_is_in_the_api_reference(path, listed):
    source = read_source(path, CODE)
    assert source.in_api is listed
    assert source.defined("add").in_api is listed


def test_lines_belong_to_the_innermost_definition(sources):
    source = sources["tinyunet/sums.py"]
    assert [d.name for d in source.within(12, 13)] == ["add"]
    assert [d.name for d in source.within(31, 31)] == ["Net.forward"]
    assert [d.name for d in source.within(26, 31)] == ["Net", "Net.forward"]
    assert [d.name for d in source.within(14, 22)] == ["add", "_hidden", "bare"]
    assert source.within(1, 4) == []


def test_a_quote_is_found_by_whole_lines(sources):
    source = sources["tinyunet/sums.py"]
    assert find_lines(source, "    total += b\n    return total") == (13, 14)
    assert find_lines(source, '"""Adds up.') == (1, 1)
    assert find_lines(source, "        return x") == (31, 31)
    for wrong in ("total += b", "    total += b\n    return", "    total += c"):
        with pytest.raises(ValueError, match=r"a quote is not in tinyunet/sums\.py"):
            find_lines(source, wrong)


# Lessons


def test_fences_are_read_with_their_language_and_file():
    text = "a\n```python\nx = 1\n\ny = 2\n```\n```cpp file=tinyunet/k.cu\nint i;\n```"
    text += "\n````md\n```\n````"
    found = [(f.start, f.end, f.language, f.file, f.text) for f in fences(text.split("\n"))]
    assert found == [
        (1, 5, "python", "", "x = 1\n\ny = 2"),
        (6, 8, "cpp", "tinyunet/k.cu", "int i;"),
        (9, 11, "md", "", "```"),
    ]
    with pytest.raises(ValueError, match="line 2: a fence is never closed"):
        fences(["a", "```python", "b"])


def test_a_quote_becomes_a_directive_and_its_caption_goes(sources):
    text = (
        "Before.\n\nFrom [`tinyunet/sums.py`](../tinyunet/sums.py):\n\n"
        "```python file=tinyunet/sums.py\n    total = a\n    total += b\n```\n\nAfter."
    )
    lesson = page(text, sources)
    out = lesson.converted()
    assert out.startswith("Before.\n\n```{quoted} tinyunet/sums.py 12 13\n```\n\nAfter.")
    assert list(lesson.entries) == ["tinyunet.sums.add"]
    assert "- [`sums`](api:tinyunet.sums): [`add`](api:tinyunet.sums.add)" in out


def test_a_quote_of_nothing_is_an_error(sources):
    with pytest.raises(ValueError, match=r"01-valid-convolution\.md:1 quotes tinyunet/no\.py"):
        converted("```python file=tinyunet/no.py\nx\n```", sources)
    with pytest.raises(ValueError, match="word for word: 'total = 3'"):
        converted("```python file=tinyunet/sums.py\n    total = 3\n```", sources)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[the sum](../tinyunet/sums.py)", "[the sum](source:tinyunet/sums.py)"),
        ("[`a`](../tinyunet/sums.py#L3)", "[`a`](source:tinyunet/sums.py#L3)"),
        ("[next](02-convolution-backward.md#x)", "[next](02-convolution-backward.md#x)"),
        ("[arXiv](https://arxiv.org/abs/1)", "[arXiv](https://arxiv.org/abs/1)"),
        ("[here](#the-idea)", "[here](#the-idea)"),
        ("[`LICENSE`](../LICENSE)", "`LICENSE`"),
        ("[tests](../tests/)", "[tests](source:tests)"),
        ("![`add`](figures/a.png)", "![`add`](figures/a.png)"),
        ("`tinyunet/sums.py`", "[`tinyunet/sums.py`](source:tinyunet/sums.py)"),
        ("`tinyunet/ops/`", "[`tinyunet/ops/`](source:tinyunet/ops)"),
        ("`tinyunet/later.py`", "`tinyunet/later.py`"),
        (
            "`lessons/exercises/01_x.py`",
            "[`lessons/exercises/01_x.py`](source:lessons/exercises/01_x.py)",
        ),
        (
            "`lessons/02-convolution-backward.md`",
            "[`lessons/02-convolution-backward.md`](/lessons/02-convolution-backward.md)",
        ),
        ("`lessons/13-touching-cells.md`", "`lessons/13-touching-cells.md`"),
        ("`tinyunet/sums.py::add`", "[`tinyunet/sums.py::add`](api:tinyunet.sums.add)"),
        ("`tinyunet/sums.py::bare`", "[`tinyunet/sums.py::bare`](source:tinyunet/sums.py#L22)"),
        (
            "`tests/test_sums.py::test_add`",
            "[`tests/test_sums.py::test_add`](source:tests/test_sums.py#L1)",
        ),
        (
            "`add` and `add()`",
            "[`add`](api:tinyunet.sums.add) and [`add()`](api:tinyunet.sums.add)",
        ),
        ("`Net.forward`", "[`Net.forward`](api:tinyunet.sums.Net.forward)"),
        ("`sums.add`", "[`sums.add`](api:tinyunet.sums.add)"),
        ("`loops.add`", "[`loops.add`](api:tinyunet.loops.add)"),
        ("`ops.relu`", "[`ops.relu`](api:tinyunet.ops.relu.relu)"),
        ("`relu`", "`relu`"),  # its module is neither quoted nor named, nor names this lesson
        ("`um.add`", "`um.add`"),
        ("`x + add`", "`x + add`"),
        ("[`add`](#x) `_hidden`", "[`add`](#x) `_hidden`"),
        ("$`add`$ costs", "$`add`$ costs"),
        (
            "```python\n[a](../tinyunet/no.py) `add`\n```",
            "```python\n[a](../tinyunet/no.py) `add`\n```",
        ),
    ],
)
def test_links_and_names(text, expected, sources):
    assert converted(text, sources) == expected


def test_a_name_that_the_lesson_defines_is_its_own(sources):
    text = "`add`\n\n```python\ndef add(a, b):\n    return a\n```"
    assert converted(text, sources) == text


def test_a_name_means_the_operation_of_the_lesson_rather_than_its_loops(sources):
    text = "`tinyunet/loops.py` has `add`"
    assert converted(text, sources).endswith("has [`add`](api:tinyunet.sums.add)")
    # A lesson that neither module names cannot tell which is meant.
    text = "`tinyunet/loops.py`, `tinyunet/sums.py`: `add`"
    out = converted(text, sources, name="lessons/03-relu-and-pool.md")
    assert out.endswith("(source:tinyunet/sums.py): `add`")


def test_bare_names_are_linked_in_lessons_only(sources):
    text = "`tinyunet/sums.py` and `add`"
    assert converted(text, sources, name="README.md").endswith("and `add`")


def test_links_that_lead_nowhere_are_collected(sources):
    lesson = page("[a](../tinyunet/no.py) and [b](03-none.md) and [c](../README.md)", sources)
    lesson.converted()
    assert lesson.unresolved == ["../tinyunet/no.py", "03-none.md"]


def test_a_paragraph_that_links_a_figure_becomes_the_figure(sources):
    text = "[Move it: `x`](interactive/steps.html)"
    assert converted(text, sources) == "```{moving} interactive/steps.html\nMove it: `x`\n```"
    inside = "Look at [this](interactive/steps.html) again"
    assert converted(inside, sources) == inside
    assert converted("[Move it](interactive/not-yet.html)", sources) == "Move it"


# Docstrings


def link(code):
    return {"conv2d": ":py:obj:`conv2d <t.conv2d>`", "lessons/05-the-u.md": ":doc:`/05`"}.get(code)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("As `conv2d`, `x`.", "As :py:obj:`conv2d <t.conv2d>`, ``x``."),
        ("All `UNet`s.", "All ``UNet``\\ s."),
        ("A *b* |c| d_ e_f", "A \\*b\\* \\|c\\| d\\_ e_f"),
        ("See https://a.org/b_c_ now", "See https://a.org/b_c_ now"),
        ("Lesson: lessons/05-the-u.md.", "Lesson: :doc:`/05`."),
        ("Lesson: `lessons/05-the-u.md`.", "Lesson: :doc:`/05`."),
        ("Formula:\n\n    y = x*w\n\nEnd.", "Formula:\n\n::\n\n        y = x*w\n\n\nEnd."),
        (
            "x: an image,\n    of any size\nout, to: arrays",
            "``x``\n    an image, of any size\n``out``, ``to``\n    arrays",
        ),
        ("Shapes: x (N)\n    and more", "Shapes: x (N)\n\n::\n\n        and more\n"),
        ("x: (N, C); y: (N,)", "x: (N, C); y: (N,)"),
        ("Parameters\n----------\na : b_\n    c", "\n.. rubric:: Parameters\n\n``a``\n    b\\_ c"),
        ("One:\n- a\n  b\n- c", "One:\n\n- a b\n- c"),
    ],
)
def test_docstrings(text, expected):
    assert "\n".join(to_rst(text.split("\n"), link)) == expected


# Formulas


@pytest.fixture
def to_mathml():
    pytest.importorskip("latex2mathml", reason='formulas need `pip install ".[book]"`')
    from lessons.book.mathml import to_mathml

    return to_mathml


@pytest.mark.parametrize(
    ("latex", "inside"),
    [
        ("(-1)", '<mo form="prefix" lspace="0" rspace="0">−</mo>'),
        ("= -1", '<mo form="prefix" lspace="0" rspace="0">−</mo>'),
        ("a - 1", '<mo form="infix">−</mo>'),
        ("f(x) - 1", '<mo form="infix">−</mo>'),
        (r"E \pm x", '<mo form="infix">±</mo>'),
        (r"\log p", '<mo form="prefix" lspace="0" rspace="0.1667em">log</mo>'),
        (r"w \log p", '<mo form="prefix" lspace="0.1667em" rspace="0.1667em">log</mo>'),
        (r"\max(x, 0)", '<mo form="prefix" lspace="0" rspace="0">max</mo>'),
        (r"a \bmod b", '<mo form="prefix" lspace="0.22em" rspace="0.22em">mod</mo>'),
        ("1/2", '<mo lspace="0" rspace="0">/</mo>'),
        (r"\partial E", '<mi mathvariant="normal">∂</mi>'),
        (r"0, \infty", '<mi mathvariant="normal">∞</mi>'),
        (r"\odot", '<mo lspace="0" rspace="0">⊙</mo>'),
        (r"\begin{pmatrix} g_0 & h \end{pmatrix}", "<mi>𝑔</mi>"),
        (r"\begin{pmatrix} g_0 & h \end{pmatrix}", "<mi>ℎ</mi>"),
        (r"x \mathrel{+}= y", "<mo>+=</mo>"),
        (r"M^{\mathsf T}", "<mi>𝖳</mi>"),
        (r"\begin{pmatrix} 1 & 2 \cr 3 & 4 \end{pmatrix}", "</mtr><mtr>"),
        (r"\begin{aligned} a &= b \cr c &= d \end{aligned}", 'style="text-align: right"'),
    ],
)
def test_formulas_are_set_as_tex_would(latex, inside, to_mathml):
    assert inside in to_mathml(latex)


def test_formulas_keep_their_text_and_know_their_place(to_mathml):
    assert to_mathml("a<b").startswith("<math xmlns=")
    assert 'alttext="a&lt;b"' in to_mathml("a<b")
    assert 'display="inline"' in to_mathml("x")
    assert 'display="block"' in to_mathml("x", display=True)
    for wrong in (r"\nosuchcommand x", r"\frac{1}{"):
        with pytest.raises(ValueError, match="the formula"):
            to_mathml(wrong)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_formula_of_the_lessons_can_be_set(path, to_mathml):
    prose = re.sub(r"^```\w.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    prose = re.sub(r"`[^`]*`", "", prose)
    for formula in re.findall(r"\$\$.+?\$\$|\$[^$]+\$", prose, flags=re.S):
        assert "<math" in to_mathml(formula.strip("$"))


# The project as it is


def test_every_module_is_on_one_page_of_the_api_reference():
    sources = read_sources(ROOT)
    listed = [s.module for _, _, roots in API for s in api_modules(sources, roots)]
    assert sorted(listed) == sorted(s.module for s in sources.values() if s.in_api)


def test_an_entry_knows_the_lessons_that_tell_of_it():
    told = told_in(ROOT, read_sources(ROOT))
    assert "02-convolution-backward" in told["tinyunet.ops.naive.conv2d_backward"]
    assert "02-convolution-backward" in told["tinyunet.gradcheck.check_op"]
    assert "01-valid-convolution" not in told["tinyunet.gradcheck.check_op"]


def test_a_package_says_what_to_import_from_it(sources):
    sentence = exported(sources["tinyunet/ops/__init__.py"], sources)
    assert sentence == ["Import from ``tinyunet.ops``: :py:obj:`relu <tinyunet.ops.relu.relu>`.\n"]
    assert exported(sources["tinyunet/sums.py"], sources) == []


def test_the_pages_of_the_project_can_be_staged(tmp_path):
    stage(tmp_path)
    index = (tmp_path / "index.md").read_text(encoding="utf-8")
    for lesson in LESSONS:
        assert f"{title_of(lesson)} <lessons/{lesson.stem}>" in index
        text = (tmp_path / "lessons" / lesson.name).read_text(encoding="utf-8")
        assert " file=tinyunet/" not in text
    exercises = (tmp_path / "lessons" / "exercises" / "README.md").read_text(encoding="utf-8")
    assert "## 02_conv2d_backward\n\nBelongs to [lesson 02](../02-conv" in exercises
    assert "def conv2d_backward(dy, x, weight):" in exercises
    assert ".. automodule:: tinyunet.model\n   :members: UNet\n" in (
        tmp_path / "api" / "network.rst"
    ).read_text(encoding="utf-8")


def test_source_pages_link_lessons_and_entries(sources):
    pytest.importorskip("pygments", reason='listings need `pip install ".[book]"`')
    from lessons.book.sources import address, listing, pane_script

    known = {"tinyunet.sums.add": "api/sums.html#add"}
    html = listing(sources["tinyunet/sums.py"], {"01-valid-convolution": "lesson 01"}, known)
    assert html.count('<span class="line" id="L') == CODE.count("\n")
    link = '<a class="to-lesson" href="{root}lessons/01-valid-convolution.html">'
    assert f"{link}lessons/01-valid-convolution.md</a>" in html
    assert "lessons/02-convolution-backward.html" not in html  # the book does not have it
    ninth = re.search(r'id="L9".*?\n</span>', html, re.S)[0]
    assert '<a class="to-api" href="{root}api/sums.html#add">API</a>' in ninth
    script = pane_script("tinyunet/sums.py", html)
    assert script.startswith('bookPane.take("tinyunet/sums.py", "<div')
    assert ' id=\\"L' not in script  # the ids belong to the page, which may have its own
    assert address("tinyunet/sums.py#L9", sources) == "source/tinyunet/sums.py.html#L9"
    assert address("tinyunet/ops", sources) == "sources.html#tinyunet-ops"
    assert address("lessons/exercises/01_x.py", sources) == ("lessons/exercises/README.html#01-x")
    with pytest.raises(ValueError, match="no page for data"):
        address("data", sources)


# The whole book


class Links(HTMLParser):
    """Collects the anchors of a page, what it links to, and what it loads."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loaded = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes.get("id"), attributes.get("name")}
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        elif tag != "a":
            self.loaded += [attributes[k] for k in ("src", "href", "data") if attributes.get(k)]


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    for module in ("sphinx", "myst_parser", "furo", "latex2mathml", "ziamath"):
        pytest.importorskip(module, reason='the book needs `pip install ".[book]"`')
    folder = tmp_path_factory.mktemp("book") / "book"
    done = subprocess.run(
        [sys.executable, "-m", "lessons.book", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {
        path.relative_to(folder).as_posix(): Links(path.read_text(encoding="utf-8"))
        for path in folder.rglob("*.html")
    }, folder


@pytest.mark.slow
def test_the_book_builds_and_every_link_in_it_leads_somewhere(book):
    pages, folder = book
    for name, page in pages.items():
        for target in page.links + page.loaded:
            parts = urlsplit(target)
            if parts.scheme or target.startswith("//"):
                continue
            path = (folder / name).parent / unquote(parts.path) if parts.path else folder / name
            assert path.resolve().exists(), f"{name} links to {target}"
            linked = pages.get(path.resolve().relative_to(folder.resolve()).as_posix())
            if parts.fragment and linked:
                assert unquote(parts.fragment) in linked.anchors, f"{name} links to {target}"


@pytest.mark.slow
def test_the_book_loads_nothing_from_elsewhere(book):
    pages, folder = book
    for name, page in pages.items():
        elsewhere = [t for t in page.loaded if urlsplit(t).scheme in ("http", "https")]
        assert not elsewhere, f"{name} loads {elsewhere}"
        assert not [t for t in page.loaded if t.startswith("//")]
    for style in (folder / "_static").rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", text), style.name


@pytest.mark.slow
def test_every_lesson_has_its_quotes_and_formulas(book):
    _, folder = book
    for path in LESSONS:
        lesson = path.read_text(encoding="utf-8")
        html = (folder / "lessons" / f"{path.stem}.html").read_text(encoding="utf-8")
        quotes = re.findall(r"^```\w+ file=(\S+)$", lesson, flags=re.M)
        assert re.findall(r'<figure class="quoted" data-file="([^"]+)"', html) == quotes
        assert (folder / "_static" / "math.woff").stat().st_size > 20_000
        for file in quotes:
            assert (folder / "source" / f"{file}.js").exists()
        if re.search(r"^\$\$$", lesson, flags=re.M):
            assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"' in html
