"""What a run shows of itself: curves and pictures while it learns, one page when it is done.

`display.py` shows it while it learns, `held_out.py` scores what it kept, `state.py` reads a run
folder, `commands.py` knows what to type next, `page.py` writes the page.
Lesson: lessons/11-training.md.
"""

from tinyunet.report.display import Display
from tinyunet.report.held_out import score_held_out
from tinyunet.report.page import score_and_report, write_report

__all__ = ["Display", "score_and_report", "score_held_out", "write_report"]
