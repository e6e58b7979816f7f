"""Planted mistakes: each a reference solution with a piece of its text replaced.

A row is (form, old, new, expected): which solution ("loops" or "arrays"), the text that is replaced
and what replaces it, and a part of the diagnosis that must come. NUMBERS stands for a mistake that
has no name: its diagnosis must be facts only, for a wrong name is worse than none. ENDLESS stands for
a loop that never ends: such a file is checked in a process of its own, which is ended.

`python tests/solutions/table.py` prints the table: each mistake, its answer, right or not.
"""

LOOPS, ARRAYS = "loops", "arrays"
NUMBERS = "numbers only"
ENDLESS = "endless loop?"
