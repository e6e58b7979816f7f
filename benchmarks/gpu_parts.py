"""How the two GPU calls run their parts: in processes of their own, with limits, kept in one file.

A part that fails, hangs or runs out of time does not stop the others, and what it had printed until
then is kept. After every part the archive and the summary are written anew: whoever is cut off has
everything up to there. A call that is ended by a signal ends its parts too, which have sessions of
their own. Used by gpu_first.py and gpu_second.py.
"""

import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SHOWN = 12  # last lines of a part that are printed; all of them are in the archive
SAID = 240  # characters of what went wrong that the summary has room for
KILLED = 10  # seconds that a killed process may take to end
NO_GPU = 2  # exit code of gpu_machine.py where nothing else has to be tried
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Part(NamedTuple):
    """A command with the most seconds that it may take."""

    name: str
    command: list
    seconds: float


def script(name, *arguments):
    """Return the command that runs a script of this folder, unbuffered."""
    return [sys.executable, "-u", str(HERE / f"{name}.py"), *map(str, arguments)]


def reason(lines):
    """Return the line that says what went wrong: the last that names an error, else the last.

    After an illegal address everything that still has memory on the device complains as well.
    """
    named = [line.strip() for line in lines if " failed: " in line or "error: " in line]
    return named[-1] if named else lines[-1]


def first_line(error):
    """Return what an exception says, in one line: some of CUDA's say a page, and some nothing."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def kill(process, seconds):
    """Kill a part and all that it has started; return whether it has ended within `seconds`.

    A process that waits within the driver may not end even so: the call goes on without it.
    """
    if process.poll() is not None:
        return True
    with suppress(ProcessLookupError):  # it has ended since
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


class Call:
    """One call: `run` does its parts, `finish` prints the summary and returns the exit code."""

    def __init__(self, name, out, seconds):
        self.name, self.out = name, Path(out).resolve()
        self.out.mkdir(parents=True, exist_ok=True)
        self.logs = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        self.begun, self.seconds, self.lines = time.monotonic(), seconds, []
        self.has_failed, self.processes = False, []
        self.codes = {}  # of the parts; negative for those that were killed
        for number in SIGNALS:
            signal.signal(number, self._end)

    def left(self):
        """Return how many seconds are left to the call."""
        return self.seconds - (time.monotonic() - self.begun)

    def limit(self, part, begun):
        """Return how many seconds a part that was begun at `begun` may still take."""
        return min(part.seconds - (time.monotonic() - begun), self.left())

    def run(self, parts, at_once=False):
        """Run `parts` one after the other, or all at once; return whether all ended well."""
        groups = [parts] if at_once else [[part] for part in parts]
        ended = [self._group(group) for group in groups]
        return all(ended)

    def leave_out(self, name, why):
        """Note that a part is not run, which is no failure."""
        self._note(name, 0, f"NOT RUN, {why}")

    def _group(self, parts):
        running = []
        for part in parts:
            if self.left() < 3:
                self.has_failed = True
                self._note(part.name, 0, "NOT RUN, no time left")
                continue
            running.append((part, *self._start(part)))
        ended = [self._wait(*one) for one in running]
        return all(ended) and len(ended) == len(parts)

    def _start(self, part):
        path = self.logs / f"{len(list(self.logs.glob('*.txt'))) + 1:02}-{part.name}.txt"
        paths = [str(ROOT), str(HERE), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "GPU_LOGS": str(self.logs),  # where parts leave their JSON
        }
        with open(path, "w", encoding="utf-8") as file:
            process = subprocess.Popen(
                part.command, stdout=file, stderr=subprocess.STDOUT, cwd=ROOT, env=environment,
                start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return path, process, time.monotonic()

    def _wait(self, part, path, process, begun):
        try:
            code = process.wait(max(self.limit(part, begun), 0.1))
            ended = "ok" if code == 0 else f"FAILED ({code})"
        except subprocess.TimeoutExpired:
            ended = f"OUT OF TIME ({time.monotonic() - begun:.0f} s)"
            ended += (
                "" if kill(process, KILLED) else f", and {KILLED} s after SIGKILL it has not ended"
            )
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        print(f"== {part.name}: {ended}", *lines[-SHOWN:], sep="\n", flush=True)
        why = f": {reason(lines)[:SAID]}" if lines and ended != "ok" else ""
        self.has_failed |= ended != "ok"
        self.codes[part.name] = process.returncode
        self._note(part.name, time.monotonic() - begun, ended + why)
        return ended == "ok"

    def _end(self, number, _):
        """End all that runs, and this process, after a signal."""
        for process in self.processes:
            kill(process, 0)
        spent = time.monotonic() - self.begun
        self._note("the call", spent, f"CUT OFF by {signal.Signals(number).name}")
        sys.exit(128 + number)

    def _note(self, name, seconds, ended):
        self.lines.append(f"{name:24} {seconds:6.1f} s  {ended}")
        summary = "\n".join([f"{self.name}, {self.seconds} s at most", *self.lines]) + "\n"
        (self.out / f"{self.name}-summary.txt").write_text(summary, encoding="utf-8")
        archive = self.out / f"{self.name}.tar.gz"
        with tarfile.open(archive.with_suffix(".new"), "w:gz") as tar:
            tar.add(self.logs, self.name)
        archive.with_suffix(".new").replace(archive)

    def finish(self):
        """Print the summary; return 0 if every part ended well, else 1."""
        print(f"== {self.name}: summary", *self.lines, sep="\n", flush=True)
        return 1 if self.has_failed else 0
