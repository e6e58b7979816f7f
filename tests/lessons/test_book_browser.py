"""The running book in a real browser, from its start to the reader's first solved exercise.

Slow, and skipped where Chromium, its driver or Selenium are missing (Debian: `apt-get install
chromium chromium-driver`, `pip install selenium`). The book is built if it is not up to date.
"""

import base64
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # `lessons` is a folder of the project, not an installed package

pytestmark = pytest.mark.slow
FLIPPED = """import numpy as np


def conv2d(x, weight, bias, stride=1):
    n, _, height, width = x.shape
    out, channels, kh, kw = weight.shape
    y = np.zeros((n, out, (height - kh) // stride + 1, (width - kw) // stride + 1), x.dtype)
    for k, o, i, j in np.ndindex(y.shape):
        y[k, o, i, j] = bias[o]
        for c, a, b in np.ndindex(channels, kh, kw):
            tap = weight[o, c, kh - 1 - a, kw - 1 - b]
            y[k, o, i, j] += tap * x[k, c, stride * i + a, stride * j + b]
    return y
"""
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]


@pytest.fixture(scope="module")
def browser():
    pytest.importorskip("selenium", reason="needs `pip install selenium`")
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    chromium, driver = next(filter(None, found), None), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("Chromium and its driver are not installed")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(service=webdriver.ChromeService(driver), options=options)
    opened.set_window_size(1280, 1000)
    opened.implicitly_wait(0)
    yield opened
    opened.quit()


@pytest.fixture(scope="module")
def built():
    for module in ("sphinx", "myst_parser", "furo", "sphinxcontrib.katex", "jupyter_server"):
        pytest.importorskip(module, reason='the book needs `pip install ".[book]"`')
    from lessons.book.build import BOOK, build, up_to_date

    if not up_to_date():
        build()
    return BOOK


@pytest.fixture(scope="module")
def address(built, tmp_path_factory):
    """Start `tinyunet book` and return (its address, the folder of the reader's answers)."""
    mine = tmp_path_factory.mktemp("mine")
    command = [sys.executable, "-m", "tinyunet", "book", "--no-browser", "--exercises", str(mine)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    told = process.stdout.readline()
    assert "the book is open at" in told, process.communicate()[1]
    yield re.search(r"http://\S+", told)[0], mine
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors, errors


def wait(browser, script, what, *arguments, seconds=90):
    """Wait until a JavaScript expression is true, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = browser.execute_script(f"return {script}", *arguments)
        if value:
            return value
        time.sleep(0.1)
    told = [entry["message"] for entry in browser.get_log("browser")]
    raise AssertionError(f"no {what} after {seconds} s; the browser says {told}")


def press(browser, container, text):
    """Press the button that says `text` in the first element that `container` selects."""
    script = """
      const buttons = [...document.querySelector(arguments[0]).querySelectorAll("button")];
      const wanted = buttons.find((one) => one.textContent === arguments[1] && !one.hidden);
      wanted?.click();
      return Boolean(wanted);
    """
    assert browser.execute_script(script, container, text), f"no button {text!r} in {container}"


def write(browser, container, text):
    """Replace all text of the editor in an element, as a reader would."""
    from selenium.webdriver import ActionChains, Keys

    browser.execute_script(f"document.querySelector('{container} .cm-content').focus()")
    ActionChains(browser).key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).perform()
    # As one piece: typed line by line, the editor would indent it once more.
    browser.execute_cdp_cmd("Input.insertText", {"text": text})


def errors_of(browser):
    entries = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    return [entry["message"] for entry in entries if "favicon" not in entry["message"]]


def test_a_reader_changes_a_block_and_solves_an_exercise(browser, address):
    url, mine = address
    browser.get(url.replace("index.html", "lessons/01-valid-convolution.html"))
    wait(browser, "document.querySelector('.live-bar')", "bar of the lesson")
    assert "token" not in browser.current_url
    # A block that needs another says so, and runs it.
    second = "#block-2"
    press(browser, second, "Run")
    wait(browser, f"document.querySelector('{second} .live-told button')", "what it needs")
    told = browser.execute_script(f"return document.querySelector('{second}').innerText")
    assert "needs block 1 above" in told
    press(browser, f"{second} .live-told", "run them, then this")
    output = f"document.querySelector('{second} + .live-output')?.textContent"
    wait(browser, f"{output}?.includes('[[-2.  3.]')", "output of block 2")
    # Changed: another number comes out.
    press(browser, second, "Edit")
    wait(browser, f"document.querySelector('{second} .cm-content')", "editor")
    write(browser, second, "print('changed to', 6 * 7)\n")
    press(browser, second, "Run")
    wait(browser, f"{output}?.includes('changed to 42')", "output of the changed block")
    press(browser, second, "Reset")
    wait(browser, f"!document.querySelector('{second} .cm-content')", "block as it was")
    assert browser.execute_script(
        f"return document.querySelector('{second} + .live-output').hidden"
    )
    # An error is told where it happens, and stops at that.
    press(browser, second, "Edit")
    write(browser, second, "1 / 0")
    press(browser, second, "Run")
    wait(browser, f"{output}?.includes('ZeroDivisionError')", "error")
    press(browser, second, "Reset")

    exercise = "#exercise-01_conv2d_loops"
    wait(browser, f"document.querySelector('{exercise} .cm-content')", "exercise")
    shown = browser.execute_script(
        f"return document.querySelector('{exercise} .cm-content').innerText"
    )
    assert "def conv2d(x, weight, bias, stride=1):" in shown
    press(browser, exercise, "Solution")
    told = f"document.querySelector('{exercise} .live-told').textContent"
    wait(browser, f"{told}.includes('an attempt comes first')", "refusal of the solution")
    write(browser, exercise, FLIPPED)
    press(browser, exercise, "Check")
    diagnosis = wait(
        browser, f"document.querySelector('{exercise} .diagnosis')?.textContent", "diagnosis"
    )
    assert "flipped" in diagnosis
    assert (mine / "01_conv2d_loops.py").read_text(encoding="utf-8") == FLIPPED
    write(browser, exercise, FLIPPED.replace("kh - 1 - a, kw - 1 - b", "a, b"))
    press(browser, exercise, "Check")
    wait(browser, f"document.querySelector('{exercise} p.right')", "praise")
    assert browser.execute_script("return window.bookProgress.load()['01_conv2d_loops']")
    press(browser, exercise, "Solution")
    wait(browser, f"document.querySelector('{exercise} details.solution pre')", "solution")
    # The refused solution is an answer of the server that a browser counts as an error.
    assert [error for error in errors_of(browser) if "409" not in error] == []


def test_a_reload_finds_the_same_python(browser, address):
    url, _ = address
    browser.get(url.replace("index.html", "lessons/02-convolution-backward.html"))
    wait(browser, "document.querySelector('#block-1 .run')", "blocks")
    press(browser, "#block-1", "Run")
    wait(browser, "document.querySelector('#block-1 .live-told').textContent === 'done'", "a run")
    browser.refresh()
    wait(browser, "document.querySelector('#block-2 .run')", "blocks")
    press(browser, "#block-2", "Run")  # needs block 1, which this Python knows
    wait(browser, "document.querySelector('#block-2 .live-told').textContent === 'done'", "a run")


def test_a_figure_is_drawn_in_the_colours_of_the_page(browser, address):
    url, _ = address
    browser.get(url.replace("index.html", "lessons/03-relu-and-pool.html"))
    wait(browser, "document.querySelector('#block-1 .run')", "blocks")
    press(browser, "#block-1", "Edit")
    write(browser, "#block-1", "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()\n")
    press(browser, "#block-1", "Run")
    wait(browser, "document.querySelector('#block-1 + .live-output svg')", "figure")
    svg = browser.execute_script("return document.querySelector('.live-output svg').outerHTML")
    assert "currentColor" in svg
    assert "#000000" not in svg
    press(browser, "#block-1", "Reset")


def test_the_theme_switch_reaches_the_figures(browser, built):
    from selenium.webdriver.common.by import By

    browser.get((built / "lessons" / "01-valid-convolution.html").as_uri())
    browser.execute_script(
        "document.querySelector('.moving iframe').scrollIntoView({block: 'center'})"
    )
    frame = browser.find_element(By.CSS_SELECTOR, ".moving iframe")
    grounds = {}
    for theme in ("light", "dark"):
        browser.execute_script("document.body.dataset.theme = arguments[0]", theme)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            browser.switch_to.frame(frame)
            shown = browser.execute_script("return document.documentElement.dataset.theme")
            grounds[theme] = browser.execute_script(
                "return getComputedStyle(document.body).backgroundColor"
            )
            browser.switch_to.default_content()
            if shown == theme:
                break
            time.sleep(0.1)
        assert shown == theme
    assert grounds == {"light": "rgb(255, 255, 255)", "dark": "rgb(19, 20, 22)"}
    inner = "document.querySelector('.moving iframe').getBoundingClientRect().height"
    browser.switch_to.frame(frame)
    height = browser.execute_script("return document.body.offsetHeight")
    browser.switch_to.default_content()
    assert abs(browser.execute_script(f"return {inner}") - height) < 12  # no blank, nothing cut


def test_the_search_of_a_book_on_a_disk_finds_lessons_first_and_shows_their_text(browser, built):
    browser.get(f"{(built / 'search.html').as_uri()}?q=momentum")
    wait(browser, "document.querySelector('.search-summary')?.textContent.includes('found')", "end")
    links = browser.execute_script(
        "return [...document.querySelectorAll('ul.search li a')].map((a) => a.getAttribute('href'))"
    )
    assert links[0].startswith("lessons/"), links[:5]
    assert not any(link.startswith(("tinyunet/", "tests/")) for link in links)
    wait(browser, "document.querySelector('ul.search li p.context')?.textContent", "excerpt")
    assert errors_of(browser) == []


def test_a_page_of_source_has_the_same_lines_in_both_themes(browser, built):
    browser.get(f"{(built / 'tinyunet/nn/conv2d.py.html').as_uri()}?pane#L75-L78")
    wait(browser, "document.querySelector('.line.marked')", "marked lines")
    script = """
      document.body.dataset.theme = arguments[0];
      const lines = [...document.querySelectorAll("article pre .line")];
      return lines.map((line) => line.getBoundingClientRect().height);
    """
    light, dark = (browser.execute_script(script, theme) for theme in ("light", "dark"))
    assert light == dark
    assert min(light) < 20  # pixels: one line, not two
    copied = browser.execute_script("return document.querySelector('article pre').textContent")
    assert copied.count("\n") >= len(light) - 1  # the button that copies finds the line feeds


@pytest.mark.parametrize("width", [390, 768, 1280, 1600, 2560])
def test_nothing_is_cut_off(browser, built, width):
    script = """
      const cut = (node) => node.scrollWidth > node.clientWidth + 1;
      const shown = (node) => node.getClientRects().length > 0;
      const of = (selector) => [...document.querySelectorAll(selector)].filter(shown);
      return {
        code: of("article pre").filter((pre) => cut(pre) || cut(pre.parentElement)).length,
        formulas: of(".katex-display").filter((f) => [...f.querySelectorAll(".base")].some((base) =>
          base.getBoundingClientRect().right > f.getBoundingClientRect().right + 2)).length,
        page: Number(document.documentElement.scrollWidth > innerWidth),
      };
    """
    metrics = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        for page in sorted((built / "lessons").glob("[0-9]*.html")):
            browser.get(page.as_uri())
            wait(browser, "document.readyState === 'complete'", "page")
            time.sleep(0.2)
            assert browser.execute_script(script) == {"code": 0, "formulas": 0, "page": 0}, (
                page.name
            )
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_lesson_prints(browser, built, tmp_path):
    pypdf = pytest.importorskip("pypdf", reason='needs `pip install ".[book]"`')
    browser.get((built / "lessons" / "01-valid-convolution.html").as_uri())
    wait(browser, "document.querySelector('.katex')", "formulas")
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
    path = tmp_path / "lesson.pdf"
    path.write_bytes(base64.b64decode(printed["data"]))
    text = "\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages)
    assert "valid convolution" in text
    assert "Skip to content" not in text
    assert "show the source" not in text
    assert "columns = im2col(x" in re.sub(r"\s+", " ", text)
