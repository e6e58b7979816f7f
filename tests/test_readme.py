"""The README's program prints what the README says, and its links lead somewhere."""

import contextlib
import io
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_ten_lines_print_their_numbers():
    program = re.search(r"```python\n(.*?)```", README, re.DOTALL).group(1)
    expected = re.search(r"```text\n(.*?)```", README, re.DOTALL).group(1)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "README.md", "exec"), {})
    numbers = r"\d+\.\d+"
    got = [float(n) for n in re.findall(numbers, printed.getvalue())]
    wanted = [float(n) for n in re.findall(numbers, expected)]
    assert re.sub(numbers, "#", printed.getvalue()) == re.sub(numbers, "#", expected)
    # A hundred steps of training amplify rounding: allow the last printed digits to move.
    assert all(abs(g - w) <= 0.02 * max(w, 1) for g, w in zip(got, wanted, strict=True)), got


def test_every_link_leads_somewhere():
    targets = re.findall(r"\]\(([^)]+)\)", README)
    local = [target for target in targets if "://" not in target]
    assert local
    missing = [target for target in local if not (ROOT / target).exists()]
    assert missing == []
