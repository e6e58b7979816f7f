"""Chromium for the tests of the book: the browser, the built book, the running one.

A plugin of the test files that name it. Skips where Chromium, its driver or Selenium are missing
(Debian: `apt-get install chromium chromium-driver`, `pip install selenium`). The book is built if
it is not up to date.
"""

import os
import re
import shutil
import subprocess
import sys
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
