"""All lessons as one PDF: Sphinx writes them as one page, a browser prints it.

The browser is one that the machine has: it lays out formulas, code and figures as on the screen.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from lessons.book.build import build

NAMES = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
]
ARGUMENTS = [
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-pdf-header-footer",
    "--generate-pdf-document-outline",
    "--virtual-time-budget=60000",  # until the formulas are set
]
LIMIT = 300  # seconds


def find_browser():
    """Return the path of Chromium, Chrome or Edge. Raises ValueError if there is none."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise ValueError("a PDF is printed by Chromium, Chrome or Edge: none of them is installed")


def write_pdf(path):
    """Write the lessons into the PDF `path`; return the number of its pages."""
    browser = find_browser()
    try:
        from pypdf import PdfReader
    except ImportError as error:
        raise ImportError('a PDF needs pypdf: pip install ".[book]"') from error
    with tempfile.TemporaryDirectory(prefix="tinyunet-book-") as made:
        folder = Path(made) / "book"
        build(folder, builder="singlehtml")
        printed = Path(made) / "book.pdf"
        command = [browser, *ARGUMENTS, f"--user-data-dir={made}/profile"]
        if _is_root():  # a browser has no sandbox for root, and asks to be told so
            command.append("--no-sandbox")
        page = (folder / "index.html").as_uri()
        done = subprocess.run(
            [*command, f"--print-to-pdf={printed}", page],
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        if not printed.is_file():
            told = done.stderr.strip().split("\n")[-1]
            raise ValueError(f"{browser} printed nothing: {told}")
        pages = len(PdfReader(printed).pages)
        shutil.copyfile(printed, path)
    return pages


def _is_root():
    import os

    return hasattr(os, "geteuid") and os.geteuid() == 0
