"""The lessons as a static site: `python -m lessons.book`, from the project's root.

package.py      reads the package's sources with `ast`: which function stands on which line
markdown.py     a lesson as it lies in the folder → the same lesson as Sphinx's MyST wants it
docstrings.py   a docstring of the package → reStructuredText
mathml.py       a formula → MathML, which browsers draw by themselves
stage.py        writes all pages into one source folder (build/book/source) for Sphinx
sources.py      the pages of highlighted source
extension.py    what Sphinx has to know to put them together
static/         the style, and the pane that shows the source beside the lesson

The first five know nothing of Sphinx, and their tests run without it.
"""
