"""What a reader does in the browser: press, write, switch the theme, look into frames, print."""

import base64
import time
from contextlib import contextmanager

import pytest


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
    """Let the browser have a screen of this size; gives a function that changes the width."""

    def resize(width):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    resize(width)
    try:
        yield resize
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
    """Print the page that is open; return the text of all pages, which are numbered."""
    pypdf = pytest.importorskip("pypdf", reason='needs `pip install ".[book]"`')
    sheet = {"paperWidth": 8.27, "paperHeight": 11.69}
    printed = browser.execute_cdp_cmd("Page.printToPDF", sheet)
    path.write_bytes(base64.b64decode(printed["data"]))
    pages = [page.extract_text() for page in pypdf.PdfReader(path).pages]
    for number, text in enumerate(pages, start=1):
        assert str(number) in (text.split()[0], text.split()[-1]), "a page without its number"
    return "\n".join(pages)
