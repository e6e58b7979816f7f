"""The README's program prints what the README says, and its links lead somewhere."""

import contextlib
import io
import re
from pathlib import Path

from tinyunet import networks
from tinyunet.cli import build_parser

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


def test_the_ten_lines_are_ten():
    program = re.search(r"```python\n(.*?)```", README, re.DOTALL).group(1)
    lines = [line for line in program.splitlines() if line.strip()]
    body = [line for line in lines if not line.startswith(("import ", "from "))]
    assert len(body) == 10
    assert "Three imports, and ten lines" in README
    assert len(lines) - len(body) == 3


def test_the_commands_can_be_typed():
    """Every `tinyunet …` of a console block parses; what it names need not exist."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    parts = [part for block in blocks for line in block.splitlines() for part in line.split("&&")]
    typed = [
        part.partition("#")[0].split() for part in parts if part.strip().startswith("tinyunet")
    ]
    assert len(typed) >= 7
    for words in typed:
        assert build_parser().parse_args(words[1:]).command == words[1]
    named = set(re.findall(r"^\| `tinyunet (\w+)", README, re.M))
    named |= {"weightmap", "import", "notebooks"}  # each behind another one
    assert named == set(build_parser().commands.choices)


def test_networks_of_the_package_are_shown():
    for name in networks.names():
        assert f"tinyunet predict {name} IMAGES --out" in README


def test_every_link_leads_somewhere():
    targets = re.findall(r"\]\(([^)]+)\)", README)
    local = [target for target in targets if "://" not in target and not target.startswith("#")]
    assert local
    missing = [target for target in local if not (ROOT / target.partition("#")[0]).exists()]
    assert missing == []
