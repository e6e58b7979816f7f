"""The book with a Python kernel behind it: what `tinyunet book` serves.

server.py     Jupyter's server with only what the book needs, closed to everyone but its reader
pages.py      its handlers: the built pages, the blocks of a lesson, the exercises
blocks.py     which earlier blocks of a lesson a block needs
attempts.py   the reader's answers to the exercises: kept in files, checked, their solutions
kernel.py     the program that a lesson's blocks run in
page/         the page script, its style, and the libraries it uses (vendor.js)
"""
