"""The book: what stands where in the project, what is staged, and the built pages.

The first tests run without Sphinx. The slow ones build the book and follow its links; they need
`pip install ".[book]"`.
"""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # `lessons` is a folder of the project, not an installed package

from lessons.book import project, stage  # noqa: E402
from lessons.book.notebooks import notebook, write_notebooks  # noqa: E402

LESSONS = stage.lessons_of(ROOT)
CODE = '''"""Adds up.

Lessons: lessons/01-valid-convolution.md, lessons/02-convolution-backward.md.
"""

@cached
def add(a, b):
    """Return a + b."""
    total = a
    total += b
    return total


class Net:
    def forward(self, x):
        return x
'''


# What stands where


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("tinyunet/nn/conv2d.py", "tinyunet.nn.conv2d"),
        ("tinyunet/nn/__init__.py", "tinyunet.nn"),
        ("tinyunet/backends/cuda/tiles.cuh", ""),
        ("tests/test_geometry.py", ""),
    ],
)
def test_modules_of_files(path, module):
    assert project.module_of(path) == module


def test_a_quote_is_found_by_whole_lines():
    assert project.find_lines("a.py", CODE, "    total += b\n    return total") == (10, 11)
    assert project.find_lines("a.py", CODE, '"""Adds up.') == (1, 1)
    assert project.find_lines("a.py", CODE, "        return x") == (16, 16)
    for wrong in ("total += b", "    total += b\n    return", "    total += c"):
        with pytest.raises(ValueError, match=r"a quote is not in a\.py, word for word"):
            project.find_lines("a.py", CODE, wrong)


def test_definitions_begin_with_their_decorators():
    pytest.importorskip("sphinx", reason='needs `pip install ".[book]"`')
    assert project.definitions("a.py", CODE) == {
        "add": (6, 11),
        "Net": (14, 16),
        "Net.forward": (15, 16),
    }
    assert project.line_of("a.py", CODE, "forward") == 15
    assert project.line_of("a.py", CODE, "ward") is None
    assert project.definitions("a.cu", CODE) == {}


def test_sources_are_the_package_and_what_the_prose_names(tmp_path):
    files = {
        "tinyunet/a.py": "",
        "tests/test_a.py": "",
        "tests/test_b.py": "",
        "lessons/01-x.md": "see `tests/test_b.py::test_x`",
        "tinyunet/__pycache__/a.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert list(project.read_sources(tmp_path)) == ["tests/test_b.py", "tinyunet/a.py"]


# What is staged


def test_every_module_is_on_one_page_of_the_api_reference():
    modules = [module for path in project.read_sources(ROOT) if (module := project.module_of(path))]
    listed = [m for _, _, roots in stage.API for m in stage.api_modules(modules, roots)]
    assert sorted(listed) == sorted(m for m in modules if not stage.NO_API.search(m))


def test_the_pages_of_the_project_are_staged_as_they_are(tmp_path):
    stage.stage(tmp_path)
    for lesson in LESSONS:
        staged = tmp_path / "lessons" / lesson.name
        assert staged.read_text(encoding="utf-8") == lesson.read_text(encoding="utf-8")
    index = (tmp_path / "index.md").read_text(encoding="utf-8")
    order = [index.index(f"<lessons/{lesson.stem}>") for lesson in LESSONS]
    assert order == sorted(order)
    assert "{" + "lessons}" not in index
    page = (tmp_path / "tinyunet" / "nn" / "conv2d.py.md").read_text(encoding="utf-8")
    assert "{literalinclude} /tinyunet/nn/conv2d.py" in page
    assert "nosearch: true" in page
    assert "{doc}`/lessons/01-valid-convolution`" in page
    api = (tmp_path / "api" / "nn.rst").read_text(encoding="utf-8")
    assert ".. automodule:: tinyunet.nn.unet\n   :members:\n" in api


def test_the_style_of_the_formulas_belongs_to_their_script():
    katex = pytest.importorskip("sphinxcontrib.katex", reason='needs `pip install ".[book]"`')
    style = (ROOT / "lessons/book/static/katex/katex.min.css").read_text(encoding="utf-8")
    assert f'content:"{katex.katex_version}"' in style
    for font in re.findall(r"url\(([^)]+)\)", style):
        assert (ROOT / "lessons/book/static/katex" / font).is_file()


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    pytest.importorskip("sphinx", reason='needs `pip install ".[book]"`')
    from lessons.book.build import build, up_to_date

    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match="holds something else than a book"):
        build(tmp_path)
    assert (tmp_path / "mine.txt").is_file()
    assert not up_to_date(tmp_path)


# What docstrings become


def test_docstrings_link_lessons_and_keep_what_is_set_in():
    pytest.importorskip("sphinx", reason='needs `pip install ".[book]"`')
    from lessons.book.docstrings import rewrite_docstring

    def rewritten(text):
        lines = text.split("\n")
        rewrite_docstring(None, "function", "f", None, None, lines)
        return "\n".join(lines)

    assert rewritten("Lesson: lessons/05-the-u.md.") == "Lesson: `lessons/05-the-u.md`."
    assert rewritten("So:\n\n    y = x") == "So::\n\n    y = x"
    assert rewritten("So.\n\n    y = x\n      z") == "So.\n\n::\n\n    y = x\n      z"
    assert rewritten("So::\n\n    y = x") == "So::\n\n    y = x"
    assert rewritten("x : int\n    A size.\n\nReturns") == "x : int\n    A size.\n\nReturns"
    assert rewritten("the |x| of `|x|`") == "the \\|x\\| of `|x|`"
    assert rewritten("`size`² of ``a`` and `b`") == "`size`\\ ² of ``a`` and `b`"


def test_a_table_in_a_docstring_stays_a_table():
    pytest.importorskip("sphinx", reason='needs `pip install ".[book]"`')
    from lessons.book.docstrings import tables

    text = "a\n\n| x | y |\n| --- | --- |\n| `a` | |\n| `b`, | |\n| `c` | d |\n\nb"
    assert tables(text) == (
        "a\n\n.. list-table::\n   :header-rows: 1\n\n   * - x\n     - y\n   * - `a`\n     - \n"
        "   * - `b`, `c`\n     - d\n\nb"
    )


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"\sqrt{2/N}", "√(2/N)"),
        (r"\eta / (1 - m)", "η / (1 - m)"),
        (r"\frac{\partial E}{\partial w_{i}}", "(∂ E)/(∂ w_i)"),
        (r"\operatorname{softmax}(\Delta)_{ij}^2 \\ &\leq 1", "softmax(Δ)_ij^2 ≤ 1"),
    ],
)
def test_the_search_shows_formulas_as_text(tex, text):
    pytest.importorskip("docutils", reason='needs `pip install ".[book]"`')
    from lessons.book.excerpt import plain

    assert plain(tex) == text


# Notebooks


def test_a_lesson_as_a_notebook(tmp_path):
    nbformat = pytest.importorskip("nbformat", reason='needs `pip install ".[book]"`')
    lesson = tmp_path / "project" / "lessons" / "01-x.md"
    lesson.parent.mkdir(parents=True)
    lesson.write_text(
        "# Lesson 01: x\n\n[next](02-y.md#there), [code](../tinyunet/a.py), ![f](figures/f.svg), "
        "[web](https://a.org)\n\n```python\nx = 1\n```\n\n```python\nprint(x)\n```\n\n"
        "```text\n1\n```\n\nFrom [`a.py`](../a.py):\n\n```python file=a.py\nq\n```\n",
        encoding="utf-8",
    )
    made = notebook(lesson, tmp_path / "mine", root=tmp_path / "project")
    nbformat.validate(made)
    kinds = [cell.cell_type for cell in made.cells]
    assert kinds == ["markdown", "code", "code", "markdown"]
    text = made.cells[0].source
    assert "[next](02-y.ipynb#there), [code](../project/tinyunet/a.py)" in text
    assert "![f](figures/f.svg), [web](https://a.org)" in text
    assert made.cells[1].source.endswith("\nx = 1")
    assert made.cells[1].outputs == []
    assert made.cells[2].outputs[0].text == "1\n"
    assert "```python file=a.py" in made.cells[3].source


def test_all_lessons_are_written_and_one_of_them_prints_what_it_holds(tmp_path):
    pytest.importorskip("nbformat", reason='needs `pip install ".[book]"`')
    nbclient = pytest.importorskip("nbclient", reason="needs `pip install nbclient`")
    pytest.importorskip("ipykernel", reason='needs `pip install ".[book]"`')
    import nbformat

    paths = list(write_notebooks(tmp_path))
    assert [path.stem for path in paths] == [lesson.stem for lesson in LESSONS]
    links = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
    for path in paths:  # Jupyter shows figures from its own folder only
        for cell in nbformat.read(path, as_version=4).cells:
            for link in links.findall(cell.source if cell.cell_type == "markdown" else ""):
                assert (tmp_path / link).exists(), f"{path.name} links to {link}"
    assert len(list(tmp_path.glob("figures/*.svg"))) > len(paths)
    kept = nbformat.read(paths[1], as_version=4)
    executed = nbclient.NotebookClient(
        nbformat.read(paths[1], as_version=4),
        timeout=120,
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()

    def printed(cells):
        told = [[o.get("text", "") for o in c.outputs] for c in cells if c.cell_type == "code"]
        return ["".join(texts) for texts in told]

    assert printed(executed.cells) == printed(kept.cells)
    assert any(printed(kept.cells))


# The whole book


class Page(HTMLParser):
    """Collects the anchors of a page, what it links to, what it loads, and how it is described."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loaded = set(), [], []
        self.description, self.headings = "", []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes.get("id"), attributes.get("name")}
        if attributes.get("name") == "description":
            self.description = attributes["content"]
        if attributes.get("role") == "heading":
            self.headings.append(attributes.get("aria-level"))
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        elif tag != "a":
            self.loaded += [attributes[k] for k in ("src", "href", "data") if attributes.get(k)]


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    for module in ("sphinx", "myst_parser", "furo", "numpydoc", "sphinxcontrib.katex"):
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
        path.relative_to(folder).as_posix(): Page(path.read_text(encoding="utf-8"))
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
            # A line of a source (#L12) is found by the page's script.
            if parts.fragment and linked and not re.fullmatch(r"L\d+(-L\d+)?", parts.fragment):
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
def test_every_lesson_has_its_quotes_figures_exercises_and_a_description(book):
    pages, folder = book
    for path in LESSONS:
        lesson = path.read_text(encoding="utf-8")
        name = f"lessons/{path.stem}.html"
        html = (folder / name).read_text(encoding="utf-8")
        quotes = re.findall(r"^```\w+ file=(\S+)$", lesson, flags=re.M)
        found = re.findall(r'quoted docutils container">\s*<p><a [^>]*href="([^"#]+)#L\d+', html)
        assert [target.removeprefix("../").removesuffix(".html") for target in found] == quotes
        for file in quotes:
            assert f"{file}.html" in pages
        frames = re.findall(r"^\[[^\]]+\]\((interactive/[\w-]+\.html)\)$", lesson, flags=re.M)
        assert re.findall(r'<iframe src="([^"]+)"', html) == frames
        drawn = set(re.findall(r"\]\(figures/([\w-]+)\.svg\)", lesson))
        assert {f"figure-{stem}-figure_1" for stem in drawn} <= pages[name].anchors
        for stem, text in project.templates(ROOT).items():
            assert (f"exercise-{stem}" in pages[name].anchors) is (f"lessons/{path.name}" in text)
        assert len(pages[name].description) > 40
        assert "1" not in pages[name].headings
        assert None not in pages[name].headings


@pytest.mark.slow
def test_the_search_knows_the_text_of_lessons_and_not_of_sources(book):
    _, folder = book
    script = (folder / "_static" / "search-texts.js").read_text(encoding="utf-8")
    texts = json.loads(script.removeprefix("const bookTexts = ").removesuffix(";\n"))
    assert "receptive field" in texts["lessons/10-overlap-tile"]
    assert '<section id="the-idea">' in texts["lessons/01-valid-convolution"]
    assert not [name for name in texts if name.startswith(("tinyunet/", "tests/"))]


@pytest.mark.slow
def test_no_page_is_heavier_than_its_figures(book):
    _, folder = book
    heavy = {
        page.name: page.stat().st_size
        for page in folder.rglob("*.html")
        if page.stat().st_size > 600_000  # bytes
    }
    assert heavy == {}
    assert (folder / "index.html").stat().st_size < 200_000
