"""The program that a lesson's blocks run in: an IPython kernel with the project importable.

It runs in a folder of its own, so that a lesson that writes files changes nothing of the project,
and shows what is drawn as SVG that follows the page's theme.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def start():
    from ipykernel.kernelapp import IPKernelApp

    application = IPKernelApp.instance()
    application.config.InlineBackend.figure_formats = {"svg"}
    application.initialize()
    prepare(application.shell)
    application.start()


def prepare(shell):
    """Let `shell` show what a block draws or saves."""
    shown = set()

    def show_saved(*_):
        """Show the figures that a lesson writes into lessons/figures/."""
        from IPython.display import SVG, Image, display

        for path in sorted(Path("lessons/figures").glob("*.*"), key=os.path.getmtime):
            key = path, path.stat().st_mtime_ns
            if key not in shown and path.suffix in (".svg", ".png"):
                shown.add(key)
                display(SVG(themed_figure(path)) if path.suffix == ".svg" else Image(str(path)))

    shell.events.register("post_run_cell", show_saved)
    formatters = shell.display_formatter.formatters
    formatters["image/svg+xml"] = themed_formatter(formatters["image/svg+xml"])


def themed_figure(path):
    from lessons.book.theme import themed

    return themed(path.read_text(encoding="utf-8"), path.stem)


def themed_formatter(plain):
    """Return IPython's formatter `plain` of SVG, whose figures of matplotlib follow the theme."""
    from IPython.core.formatters import SVGFormatter

    class Themed(SVGFormatter):
        def __call__(self, shown):
            svg = super().__call__(shown)
            if svg and type(shown).__module__ == "matplotlib.figure":
                from lessons.book.theme import themed

                svg = themed(svg, f"run-{id(shown)}")
            return svg

    return Themed(parent=plain.parent)


if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # in place of this file's folder
    start()
