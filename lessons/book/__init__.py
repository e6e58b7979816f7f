"""The lessons as a book: pages that read from a disk, and run with Python behind them.

`tinyunet book` builds and serves it, `python -m lessons.book FOLDER` only builds.

build.py        one call of Sphinx; when a built book is out of date
stage.py        the source folder for Sphinx: the project's own layout, plus a page a source file
project.py      what stands where: files with a page, lines of a quote, the exercises' templates
extension.py    what plain Markdown means in the book: quotes, moving figures, links, exercises
excerpt.py      the text of a page, for the search
theme.py        matplotlib's SVG in the colours of the page
conf.py, static/  Sphinx's settings; the style and the scripts of the pages
pdf.py          all lessons as one PDF
notebooks.py    the lessons as Jupyter notebooks
live/           the server, the kernel and the page script of `tinyunet book`

From libraries: numpydoc, autosummary and linkcode (API reference), KaTeX through
sphinxcontrib-katex (formulas; style and fonts in static/katex), sphinx-copybutton, Furo, Jupyter.
"""
