"""The table of what is read and refused says what the readers do."""

from pathlib import Path

import imagecodecs
import tifffile
from kinds import END, FAX, START, TABLE, table

FAX_IS_READ = min(tifffile.__version__, imagecodecs.__version__) >= "2026"


def test_the_table_is_what_the_readers_say():
    text = TABLE.read_text(encoding="utf-8")
    written = text.split(START)[1].split(END)[0].splitlines()
    made = table().splitlines()
    if not FAX_IS_READ:
        written, made = ([line for line in lines if FAX not in line] for lines in (written, made))
    assert made == written, "write it anew: python tests/images/kinds.py"


def test_the_table_can_be_found():
    root = Path(__file__).resolve().parents[2]
    for page in ("README.md", "lessons/11-training.md"):
        assert "tinyunet/images/README.md" in (root / page).read_text(encoding="utf-8"), page
