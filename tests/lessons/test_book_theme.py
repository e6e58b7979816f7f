"""Figures that follow the theme: greys become ink, white becomes the page, fixed colours stay."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # `lessons` is a folder of the project, not an installed package

from lessons.book.theme import INK, themed  # noqa: E402


def svg(body):
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        'version="1.1"><metadata/><defs><style type="text/css">*{stroke-linejoin: round}</style>'
        f"</defs>{body}</svg>"
    )


def style_of(body):
    return re.search(r'style="([^"]*)"', themed(svg(body), "01-x"))[1]


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("fill: #ffffff", "fill: var(--figure-page, #fff)"),
        ("fill: #000000", "fill: currentColor"),
        ("stroke: #999999", "stroke: currentColor; stroke-opacity: 0.40"),
        ("fill: #333333; fill-opacity: 0.5", "fill: currentColor; fill-opacity: 0.40"),
        ("fill: #0072b2", "fill: #0072b2"),  # an area keeps its colour
        ("stroke: #0072b2", "stroke: var(--figure-blue, #0072b2)"),
        ("stroke: #123456", "stroke: #123456"),
        (f"fill: {INK}", f"fill: {INK}"),
        ("fill: none; stroke-width: 0.8", "fill: none; stroke-width: 0.8"),
        ("fill: url(#h1)", "fill: url(#h1)"),
    ],
)
def test_colours_of_a_patch(style, expected):
    assert style_of(f'<g id="patch_1"><path d="M 0 0" style="{style}"/></g>') == expected


def test_text_takes_the_lighter_tone_and_white_text_stays():
    assert style_of('<g id="text_3"><g style="fill: #d55e00"/></g>') == (
        "fill: var(--figure-red, #d55e00)"
    )
    assert style_of('<g id="text_3"><g style="fill: #ffffff"/></g>') == "fill: #ffffff"


def test_ids_are_the_figures_own_and_still_referred_to():
    body = (
        '<defs><path id="a" d="M 0.123456 1.5 \n L 2 10.999999"/></defs>'
        '<use xlink:href="#a" clip-path="url(#b)"/><clipPath id="b"/>'
        '<image xlink:href="data:image/png;base64,AA=="/>'
    )
    text = themed(svg(body), "01-x")
    assert 'id="figure-01-x-a"' in text
    assert 'xlink:href="#figure-01-x-a"' in text
    assert 'clip-path="url(#figure-01-x-b)"' in text
    assert 'xlink:href="data:image/png;base64,AA=="' in text
    assert 'd="M 0.12 1.5 L 2 11"' in text


def test_no_rule_of_a_figure_holds_for_the_page():
    text = themed(svg("<g/>"), "01-x")
    assert "<style" not in text
    assert "<metadata" not in text
    assert text.startswith('<svg xmlns="http://www.w3.org/2000/svg"')


def test_a_drawn_figure_has_no_colour_that_a_dark_page_would_hide():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import io

    from lessons import drawing

    fig, axes = drawing.figure(columns=2)
    drawing.number_grid(axes[0], [[1, 2]], "two", {(0, 1): drawing.SKY})
    axes[1].plot([0, 1], color=drawing.BLUE, label="a line")
    axes[1].grid()
    axes[1].legend()
    file = io.StringIO()
    fig.savefig(file, format="svg")
    colours = set(re.findall(r"(?:fill|stroke): (#\w+)", themed(file.getvalue(), "x")))
    assert colours <= {drawing.SKY.lower(), INK}  # the blue cell, and the number on it
