"""The reader's answers to the exercises: one file each, kept in a folder that is theirs.

The check is `tinyunet check FILE --json`, in a process of its own: an endless loop in an answer
ends with it, and the terminal says the same as the page.
"""

import asyncio
import hashlib
import json
import re
import sys
from pathlib import Path

from lessons.book.project import templates

LIMIT = 180.0  # seconds; a check has limits of its own, this one is for what gets round them


class Attempts:
    """The answers in `folder`; `root` is the project, which holds templates and solutions."""

    def __init__(self, root, folder):
        self.root, self.folder = root, folder
        self.templates = templates(root)
        self._remembered = folder / ".checked.json"

    def path(self, name):
        """Return the reader's file. Raises KeyError for a name that is no exercise."""
        if name not in self.templates:
            raise KeyError(name)
        return self.folder / f"{name}.py"

    def text(self, name):
        """Return the answer as it is, which is the template at first."""
        path = self.path(name)
        return path.read_text(encoding="utf-8") if path.is_file() else self.templates[name]

    def save(self, name, text):
        """Keep an answer; an untouched template makes no file."""
        path = self.path(name)
        if text == self.templates[name] and not path.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)

    def attempted(self, name):
        """Whether the answer says more than the template."""
        return code_of(self.text(name)) != code_of(self.templates[name])

    def status(self, name):
        """Return "passed" or "wrong" if this very answer has been checked, else "", "begun"."""
        known = self._known().get(name, {})
        if known.get("digest") == _digest(self.text(name)):
            return known["status"]
        return "begun" if self.attempted(name) else ""

    async def check(self, name):
        """Check the answer that is kept; return what `tinyunet check --json` says of it."""
        self.save(name, self.text(name))
        path = self.path(name)
        if not path.exists():  # the template answers nothing
            return {"status": "not written", "passed": [], "explanation": "Nothing written yet."}
        command = [sys.executable, "-m", "tinyunet", "check", str(path.resolve()), "--json"]
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.root,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, error = await asyncio.wait_for(process.communicate(), LIMIT)
        except asyncio.TimeoutError:
            process.kill()
            await process.wait()
            return {"status": "wrong", "passed": [], "explanation": f"No end after {LIMIT:g} s."}
        try:
            verdict = json.loads(out.decode("utf-8", "replace"))[0]
        except (ValueError, LookupError):
            told = error.decode("utf-8", "replace").strip().split("\n")[-1]
            return {"status": "wrong", "passed": [], "explanation": told or "The check broke off."}
        if verdict["status"] in ("passed", "wrong", "stopped"):
            self._remember(name, "passed" if verdict["status"] == "passed" else "wrong")
        verdict["line"] = verdict.get("line") or line_of(verdict, self.text(name))
        return verdict

    def hint(self, name):
        """Return the hint for an exercise, Markdown, or ""."""
        path = Path(__file__).parent / "hints.md"
        text = path.read_text(encoding="utf-8")
        found = re.search(rf"^## {re.escape(name)}\n\n(.*?)(?=^## |\Z)", text, re.M | re.S)
        return found[1].strip() if found else ""

    def solution(self, name):
        """Return a solution. Raises PermissionError before an attempt."""
        if not self.attempted(name):
            raise PermissionError("an attempt comes first")
        path = self.root / "tests" / "solutions" / f"{name}.py"
        return path.read_text(encoding="utf-8")

    def _known(self):
        try:
            return json.loads(self._remembered.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def _remember(self, name, status):
        known = self._known() | {name: {"digest": _digest(self.text(name)), "status": status}}
        self._remembered.write_text(json.dumps(known, indent=1), encoding="utf-8")


def _digest(text):
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def code_of(text):
    """Return a program without blank lines and comments of its own line."""
    lines = [line.rstrip() for line in text.split("\n")]
    return [line for line in lines if line and not line.lstrip().startswith("#")]


def line_of(verdict, text):
    """Return the line that a diagnosis speaks of: the one it names, else its function's.

    The first function's where it names none.
    """
    told = f"{verdict.get('failed', '')} {verdict.get('explanation', '')}"
    named = re.search(r"\bline (\d+) of ", told)
    if named:
        return int(named[1])
    lines = {
        m[1]: text.count("\n", 0, m.start()) + 1 for m in re.finditer(r"^def (\w+)", text, re.M)
    }
    words = re.findall(r"\w+", told)
    return next((lines[word] for word in words if word in lines), min(lines.values(), default=None))
