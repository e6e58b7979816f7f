"""Chromium for the tests of the book: the browser, the built book, the running one.

A plugin of the test files that name it. Skips where Chromium, its driver or Selenium are missing
(Debian: `apt-get install chromium chromium-driver`, `pip install selenium`). The book is built if
it is not up to date.
"""

import base64
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # `lessons` is a folder of the project, not an installed package

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


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def built():
    for module in ("sphinx", "myst_parser", "furo", "sphinxcontrib.katex", "jupyter_server"):
        pytest.importorskip(module, reason='the book needs `pip install ".[book]"`')
    from lessons.book.build import BOOK, build, up_to_date

    if not up_to_date():
        build()
    return BOOK


@pytest.fixture(scope="session")
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


@contextmanager
def screen(browser, width, height=1000):
    """Let the browser have a screen of this size."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@contextmanager
def inside(browser, selector):
    """Look into a frame of the page."""
    browser.switch_to.frame(browser.find_element("css selector", selector))
    try:
        yield
    finally:
        browser.switch_to.default_content()


def switch_to(browser, theme):
    """Press the page's own switch until it shows `theme`."""
    for _ in range(3):
        if browser.execute_script("return document.body.dataset.theme") == theme:
            return
        browser.execute_script(
            "[...document.querySelectorAll('button.theme-toggle')]"
            ".find((one) => one.getClientRects().length).click()"
        )
    raise AssertionError(f"the switch of the page does not reach {theme}")


def print_pdf(browser, path):
    """Print the page that is open; return the text of all pages."""
    pypdf = pytest.importorskip("pypdf", reason='needs `pip install ".[book]"`')
    sheet = {"paperWidth": 8.27, "paperHeight": 11.69}
    printed = browser.execute_cdp_cmd("Page.printToPDF", sheet)
    path.write_bytes(base64.b64decode(printed["data"]))
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages)
