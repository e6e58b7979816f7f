"""The pages of the book as files in a real browser: themes, search, widths, the pane, paper.

Slow, and skipped where there is no Chromium (chromium.py).
"""

import re
import time

import pytest
from reader import errors_of, inside, print_pdf, screen, switch_to, wait

pytest_plugins = ["chromium"]
pytestmark = pytest.mark.slow


def test_a_moving_figure_is_as_high_as_its_frame(browser, built):
    browser.get((built / "lessons" / "01-valid-convolution.html").as_uri())
    frame = ".moving iframe"
    browser.execute_script(
        "document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", frame
    )
    for theme, ground in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(19, 20, 22)")):
        switch_to(browser, theme)
        with inside(browser, frame):
            wait(browser, f"document.documentElement.dataset.theme === '{theme}'", "theme")
            shown = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
            height = browser.execute_script("return document.body.offsetHeight")
        assert shown == ground
        wait(
            browser,
            "Math.abs(document.querySelector(arguments[0]).offsetHeight - arguments[1]) < 12",
            "frame without a blank in which nothing is cut",
            frame,
            height,
            seconds=10,
        )


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


MARKED = """
  const lines = [...document.querySelectorAll(".line.marked")];
  const [first, last] = [lines[0], lines.at(-1)].map((line) => line?.getBoundingClientRect());
  return [location.hash, Boolean(first) && first.top >= 0 && last.bottom <= innerHeight];
"""


def pane_shows(browser, lines):
    """Wait until the pane has marked the lines "L75-L78" and the reader sees all of them."""
    from selenium.common.exceptions import WebDriverException

    deadline, told = time.monotonic() + 30, None
    while time.monotonic() < deadline:
        try:
            with inside(browser, ".pane iframe"):
                told = browser.execute_script(MARKED)
        except WebDriverException as error:  # the frame is on its way to another page
            told = error.msg
        if told == [f"#{lines}", True]:
            return
        time.sleep(0.1)
    raise AssertionError(f"the pane does not show {lines}: {told}")


@pytest.mark.parametrize("width", [1600, 2560])
def test_the_pane_shows_the_lines_that_are_quoted(browser, built, width):
    with screen(browser, width, 1100):
        browser.get((built / "lessons" / "01-valid-convolution.html").as_uri())
        links = browser.execute_script(
            "return [...document.querySelectorAll('.quoted > p > a:first-child')]"
            ".map((link) => link.hash)"
        )
        assert len(links) > 1
        for theme in ("light", "dark", "light"):
            for place, lines in enumerate(links):
                browser.execute_script(  # smooth, as the page scrolls
                    "document.querySelectorAll('.quoted')[arguments[0]]"
                    ".scrollIntoView({block: 'center'})",
                    place,
                )
                pane_shows(browser, lines.removeprefix("#"))
            switch_to(browser, theme)
            pane_shows(browser, links[-1].removeprefix("#"))


CUT_OFF = """
  const done = arguments[0];
  const cut = (node) => node.scrollWidth > node.clientWidth + 1;
  const shown = (node) => node.getClientRects().length > 0;
  const of = (selector) => [...document.querySelectorAll(selector)].filter(shown);
  // On a phone a printed table keeps its columns, and the reader scrolls it.
  const scrolled = (pre) => innerWidth < 500 && pre.matches(".columns") && pre.tabIndex === 0;
  const count = () => ({
    blocks: of("article pre").length,
    code: of("article pre").filter(
      (pre) => (cut(pre) && !scrolled(pre)) || cut(pre.parentElement)).length,
    formulas: of(".katex-display").filter((f) => [...f.querySelectorAll(".base")].some((base) =>
      base.getBoundingClientRect().right > f.getBoundingClientRect().right + 2)).length,
    page: Number(document.documentElement.scrollWidth > innerWidth),
  });
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(count()), 50)));
"""


def test_no_code_and_no_formula_is_cut_off_at_any_width(browser, built):
    blocks, cut = 0, {}
    with screen(browser, 1280) as resize:
        for page in sorted((built / "lessons").glob("[0-9]*.html")):
            browser.get(page.as_uri())
            wait(browser, "document.readyState === 'complete'", "page")
            for width in (390, 768, 1280, 1600, 2560):
                resize(width)
                found = browser.execute_async_script(CUT_OFF)
                blocks += found.pop("blocks")
                if any(found.values()):
                    cut[page.name, width] = found
    assert blocks > 1000  # of all lessons, at five widths
    assert cut == {}


SMALL = """
  return [...document.querySelectorAll("svg.drawn")].flatMap((svg) => {
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    const size = (node) => parseFloat(getComputedStyle(node).fontSize) * scale;
    // An exponent may be smaller than the number that it belongs to.
    const sizes = [...svg.querySelectorAll("text")].map(
      (text) => Math.max(size(text), ...[...text.querySelectorAll("tspan")].map(size)));
    return Math.min(...sizes) < arguments[0] ? [svg.querySelector("g").id] : [];
  });
"""


def test_figures_are_legible_at_every_width_and_no_page_scrolls_sideways(browser, built):
    figures, small, wide = 0, {}, []
    with screen(browser, 1280) as resize:
        for page in sorted((built / "lessons").glob("[0-9]*.html")):
            browser.get(page.as_uri())
            wait(browser, "document.readyState === 'complete'", "page")
            figures += len(browser.find_elements("css selector", "svg.drawn"))
            for width, least in ((390, 8.9), (768, 7.5), (1280, 7.5)):  # CSS pixels
                resize(width)
                if found := browser.execute_script(SMALL, least):
                    small[page.name, width] = found
                browser.execute_script("window.scrollTo(1000, 0)")
                if browser.execute_script("return window.scrollX"):
                    wide.append((page.name, width))
    assert figures > 40
    assert small == {}
    assert wide == []


def test_a_wide_figure_is_scrolled_by_the_keyboard_on_a_narrow_screen_only(browser, built):
    from selenium.webdriver import ActionChains, Keys

    boxes = "[...document.querySelectorAll('.figure')]"
    with screen(browser, 390) as resize:
        browser.get((built / "lessons" / "05-the-u.html").as_uri())
        wait(browser, f"{boxes}.some((box) => box.tabIndex === 0)", "figure to scroll")
        browser.execute_script(f"{boxes}.find((box) => box.tabIndex === 0).focus()")
        before = browser.execute_script("return document.activeElement.className")
        assert before.split() == ["figure", "more-right"]
        ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
        wait(browser, "document.activeElement.scrollLeft > 20", "scrolled figure", seconds=10)
        wait(browser, "document.activeElement.matches('.more-left')", "mark", seconds=10)
        assert browser.execute_script("return window.scrollX") == 0
        resize(1280)
        wait(browser, f"{boxes}.every((box) => box.tabIndex < 0)", "end of the stops", seconds=10)
        assert browser.execute_script(f"return {boxes}.every((b) => b.className === 'figure')")


def test_a_lesson_prints(browser, built, tmp_path):
    browser.get((built / "lessons" / "01-valid-convolution.html").as_uri())
    wait(browser, "document.querySelector('.katex')", "formulas")
    text = print_pdf(browser, tmp_path / "lesson.pdf")
    assert "valid convolution" in text
    assert "Skip to content" not in text
    assert "show the source" not in text
    assert "columns = im2col(x" in re.sub(r"\s+", " ", text)
