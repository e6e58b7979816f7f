"""The running book in a real browser, from its start to the reader's first solved exercise.

Slow, and skipped where there is no Chromium (chromium.py).
"""

import http.server
import re
import threading

import pytest
from reader import errors_of, inside, press, print_pdf, switch_to, wait, write

pytest_plugins = ["chromium"]
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


def box(browser, selector):
    """Where an element is on the screen."""
    script = "return document.querySelector(arguments[0]).getBoundingClientRect().toJSON()"
    return browser.execute_script(script, selector)


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
    parts = (second, f"{second} .cm-editor", f"{second} .block-bar")
    block, editor, bar = (box(browser, part) for part in parts)
    assert editor["width"] > 0.97 * block["width"]  # not narrowed by the buttons, which are below
    assert bar["top"] >= editor["bottom"]
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
    assert errors_of(browser) == []


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


def brightness(colour):
    """The mean of the red, green and blue of "rgb(1, 2, 3)"."""
    return sum(float(value) for value in re.findall(r"[\d.]+", colour)[:3]) / 3


def test_the_switch_reaches_a_moving_figure_that_steps_on(browser, address):
    url, _ = address
    browser.get(url.replace("index.html", "lessons/01-valid-convolution.html"))
    frame = ".moving iframe"
    browser.execute_script(
        "document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", frame
    )
    colours = {}
    for theme in ("light", "dark"):
        switch_to(browser, theme)
        with inside(browser, frame):
            wait(browser, f"document.documentElement.dataset.theme === '{theme}'", "theme")
            colours[theme] = browser.execute_script(
                "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color];"
            )
    (paper, ink), (dark_paper, light_ink) = colours["light"], colours["dark"]
    assert brightness(paper) > 200 > 80 > brightness(ink)
    assert brightness(light_ink) > 150 > 60 > brightness(dark_paper)
    with inside(browser, frame):
        before = wait(browser, "document.querySelector('#sum').textContent", "sum")
        browser.find_element("css selector", "#step").click()
        wait(browser, "document.querySelector('#sum').textContent !== arguments[0]", "step", before)


def test_the_running_book_searches_from_its_sidebar(browser, address):
    url, _ = address
    browser.get(url)
    field = browser.find_element("css selector", "input.sidebar-search")
    field.send_keys("momentum\n")
    wait(browser, "document.querySelector('ul.search li p.context')?.textContent", "excerpt")
    first = browser.execute_script(
        "return document.querySelector('ul.search li a').getAttribute('href')"
    )
    assert first.startswith("lessons/")
    browser.find_element("css selector", "ul.search li a").click()
    wait(browser, "document.querySelector('.live-bar')", "bar of the lesson that was found")
    assert errors_of(browser) == []


def test_a_lesson_prints_with_what_its_blocks_said(browser, address, tmp_path):
    url, _ = address
    browser.get(url.replace("index.html", "lessons/04-up-convolution.html"))
    wait(browser, "document.querySelector('#block-1 .run')", "blocks")
    press(browser, "#block-1", "Edit")
    write(browser, "#block-1", "print('for', 'paper', 40 + 2)")
    press(browser, "#block-1", "Run")
    wait(
        browser,
        "document.querySelector('#block-1 + .live-output').textContent.includes('paper 42')",
        "output",
    )
    text = print_pdf(browser, tmp_path / "lesson.pdf")
    assert "for paper 42" in text
    assert "Run all" not in text
    assert "Begin anew" not in text
    assert "Skip to content" not in text
    press(browser, "#block-1", "Reset")


# Who else would like to run Python here

INTRUDER = """<!doctype html><title>another page</title><script>
const book = "%s", told = window.told = {};
const ask = (name, path, init) => fetch(book + path, { credentials: "include", ...init })
  .then(async (answer) => { told[name] = `${answer.status} ${await answer.text()}`; })
  .catch(() => { told[name] = "refused"; });
const path = "book/exercises/01_conv2d_loops";
ask("page", "lessons/01-valid-convolution.html");
ask("answer", path);
ask("check", path + "/check", { method: "POST", body: JSON.stringify({ text: "import os" }) });
ask("kernel", "api/kernels", { method: "POST", body: JSON.stringify({ name: "lesson" }) });
const socket = new WebSocket(book.replace("http", "ws") + "api/kernels/%s/channels");
socket.addEventListener("open", () => { told.socket = "open"; });
socket.addEventListener("error", () => { told.socket = "refused"; });
// A form needs no leave to send, only to read: what it asks for must not happen.
const form = document.createElement("form");
Object.assign(form, { method: "post", action: book + "api/kernels", target: "frame" });
const frame = document.createElement("iframe");
frame.name = "frame";
document.addEventListener("DOMContentLoaded", () => {
  document.body.append(frame, form);
  frame.addEventListener("load", () => { told.form = "sent"; });
  form.submit();
});
</script><body>another page"""


@pytest.fixture
def another_site(address):
    """Serve pages of another origin; call it with the HTML of one, and it says where that is."""

    class Handler(http.server.BaseHTTPRequestHandler):
        page = ""

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(self.page.encode())

        def log_message(self, *_):
            """Tests are silent."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def serve(page):
        Handler.page = page
        return f"http://127.0.0.1:{server.server_port}/"

    yield serve
    server.shutdown()
    server.server_close()


def kernels(browser):
    """The kernels that run, as the book's own page is told."""
    script = "const done = arguments[0]; fetch('/api/kernels').then((a) => a.json()).then(done);"
    return [one["id"] for one in browser.execute_async_script(script)]


def test_a_page_of_another_origin_runs_nothing_though_the_reader_is_let_in(
    browser, address, another_site
):
    url, mine = address
    lesson = url.replace("index.html", "lessons/01-valid-convolution.html")
    browser.get(lesson)
    wait(browser, "document.querySelector('#block-1 .run')", "blocks")
    press(browser, "#block-1", "Run")
    wait(browser, "document.querySelector('#block-1 .live-told').textContent === 'done'", "a run")
    running = kernels(browser)
    assert running
    answers = {path.name: path.read_bytes() for path in mine.iterdir()}
    book = url.partition("index.html")[0]
    browser.get(another_site(INTRUDER % (book, running[0])))
    told = wait(browser, "Object.keys(window.told).length === 6 && window.told", "refusals")
    assert told == dict.fromkeys(("page", "answer", "check", "kernel", "socket"), "refused") | {
        "form": "sent"
    }
    errors_of(browser)  # what the browser says of the refusals is not the next test's
    browser.get(lesson)
    assert kernels(browser) == running
    assert {path.name: path.read_bytes() for path in mine.iterdir()} == answers


def test_a_wrong_token_shows_nothing(browser, address):
    url, _ = address
    browser.get(url)
    wait(browser, "document.querySelector('.begin')", "start page")
    browser.delete_all_cookies()
    page = url.replace("index.html", "lessons/01-valid-convolution.html")
    for wrong in (page.partition("?")[0], page[:-1], page.partition("=")[0] + "=guessed"):
        browser.get(wrong)
        wait(browser, "document.readyState === 'complete'", "an answer")
        shown = browser.execute_script("return document.documentElement.textContent")
        assert "valid convolution" not in shown
        assert not browser.execute_script("return document.querySelector('.live-bar')")
    errors_of(browser)
