"""How `mutate.py` tries one mutant: plant it in the copy, fork, run the tests, take it out again.

The parent has imported the libraries but nothing of the package, so that a child starts at once
and imports the mutant. A watched run of the unchanged copy says which functions each test calls.
"""

import difflib
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import sys
import time
from pathlib import Path

# Files whose kernels compile for longer than Python needs to run them on small images: first
# uncompiled and without the test files named, then compiled and with all of them.
UNCOMPILED = {
    "tinyunet/augment/kernel.py": [(False, "augment_"), (True, "")],
    "tinyunet/metrics/": [(False, "oracle"), (True, "")],
}
MEMORY = 12 * 2**30  # bytes of address space for a mutant that wants too much


class Runner:
    """Runs mutants of one group against the group's tests in the scratch copy."""

    def __init__(self, scratch, group, tests):
        self.scratch, self.group = scratch, group
        self.tests = [_test_file(name) for name in tests]
        self.baselines = {}

    def baseline(self, jit, without):
        """{test: [processor seconds, functions]} of the unchanged copy, which must pass.

        A function is [file, first line, last line]; test files with `without` in their name wait.
        """
        found = {}
        for test in self.tests:
            if not without or without not in test:
                if (test, jit) not in self.baselines:
                    self.baselines[test, jit] = self.watched(test, jit)
                found |= self.baselines[test, jit]
        return found

    def watched(self, test, jit):
        """The baseline of one test file, from an earlier run if nothing has changed since."""
        key = hashlib.sha256(f"{test} {jit}".encode())
        for path in [self.scratch / test, *sorted((self.scratch / "tinyunet").rglob("*.py"))]:
            key.update(path.read_bytes())
        note = self.scratch / f"baseline-{key.hexdigest()[:16]}.json"
        if not note.exists():
            _, status = self.fork(jit, cpu=1800, tests=[test], watch=note)
            if status != 0:
                raise SystemExit(f"the unmutated tests fail:\n{self.output()[-3000:]}")
        return json.loads(note.read_text(encoding="utf-8"))

    def run(self, mutant):
        """Try one mutant, stage by stage until one kills it; what became of it, as a dict."""
        path = self.scratch / mutant.file
        source, stamp = path.read_bytes(), path.stat()
        stages = [s for start, s in UNCOMPILED.items() if mutant.file.startswith(start)]
        for jit, without in stages[0] if stages else [(True, "")]:
            baseline = self.baseline(jit, without)
            compiled = (jit and b"@jit" in source) or b"functools.cache" in source
            try:
                with _without_machine_code(self.scratch, mutant.file, compiled and jit):
                    path.write_bytes(mutant.apply(source))
                    seconds, status = self.stage(mutant, baseline, jit, compiled)
            finally:
                path.write_bytes(source)
                os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
            if status != 0:
                break
        failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", self.output(), re.MULTILINE)
        timeout = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
        return {
            "group": self.group,
            "mutant": vars(mutant),
            "verdict": "survived" if status == 0 else "timeout" if timeout else "killed",
            "by": failed[0] if failed else "",
            "seconds": seconds,
            "diff": difference(mutant, source),
        }

    def stage(self, mutant, baseline, jit, compiled):
        """Run the tests that can see the mutant, the quickest first: (seconds, wait status)."""
        chosen = [
            test
            for test, (_, functions) in baseline.items()
            if any(f == mutant.file and a <= mutant.line <= b for f, a, b in functions)
        ]
        if compiled or not chosen:  # not seen: a kernel, or a line that runs at import
            chosen = list(baseline)
        chosen.sort(key=lambda test: baseline[test][0])
        files = [file for file in self.tests if any(test.startswith(file) for test in chosen)]
        cpu = (40 if compiled else 10) + 4 * sum(baseline[test][0] for test in chosen)
        return self.fork(jit, cpu, files, chosen)

    def output(self):
        return (self.scratch / "output.txt").read_text(encoding="utf-8", errors="replace")

    def fork(self, jit, cpu, tests, chosen=None, watch=None):
        """Run the tests in a child of this process: (its processor seconds, its wait status)."""
        child = os.fork()
        if child == 0:
            try:
                _child(self.scratch, tests, jit, cpu, chosen, watch)
            finally:
                os._exit(99)  # only reached when pytest itself breaks
        deadline = time.monotonic() + 10 * cpu + 600  # wall clock, for what waits for ever
        done = 0
        try:
            while not done:
                done, status, usage = os.wait4(child, os.WNOHANG)
                if not done and time.monotonic() > deadline:
                    os.kill(child, signal.SIGKILL)
                time.sleep(0.02)
        finally:
            if not done:  # interrupted
                os.kill(child, signal.SIGKILL)
        return round(usage.ru_utime + usage.ru_stime, 2), status


def _child(scratch, tests, jit, cpu, chosen, watch):
    """In the forked process: run the chosen tests in their order and leave."""
    import numba
    import pytest

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CPU, (int(cpu), int(cpu) + 5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    numba.config.DISABLE_JIT = not jit
    os.chdir(scratch)
    output = os.open(scratch / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    plugin = Watch(scratch, watch) if watch else Choose(chosen)
    status = pytest.main(["-x", "-q", "--tb=no", "-p", "no:cacheprovider", *tests], [plugin])
    if watch:
        watch.write_text(json.dumps(plugin.seen), encoding="utf-8")
    sys.stdout.flush()
    os._exit(int(status))


class Choose:
    """Keeps only the chosen tests, in the order given."""

    def __init__(self, chosen):
        self.place = {test: number for number, test in enumerate(chosen)}

    def pytest_collection_modifyitems(self, items):
        items[:] = sorted(
            (item for item in items if item.nodeid in self.place),
            key=lambda item: self.place[item.nodeid],
        )


class Watch:
    """Notes each passed test's processor time and the package's functions that it calls."""

    def __init__(self, scratch, note):
        self.root, self.seen, self.known = f"{scratch}{os.sep}", {}, {}

    def pytest_runtest_logstart(self):
        self.functions, self.start = set(), time.process_time()
        sys.settrace(self.trace)

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.passed:
            seconds = time.process_time() - self.start
            self.seen[report.nodeid] = [seconds, sorted(self.functions)]

    def trace(self, frame, event, argument):
        code = frame.f_code
        if code not in self.known:
            inside = code.co_filename.startswith(self.root + "tinyunet")
            lines = {line for *_, line in code.co_lines() if line}
            # The head of a function, its defaults, runs at import: only the body is seen here.
            body = (lines - {code.co_firstlineno}) or lines or {0}
            place = code.co_filename.removeprefix(self.root), min(body), max(body)
            self.known[code] = place if inside else None
        if self.known[code]:
            self.functions.add(self.known[code])


class _without_machine_code:
    """Hides the kernels that hold code of `file`, numba's cache not knowing that; then gives back.

    Compiled functions contain those that they call and the constants that they read, so the files
    that import `file`, directly or not, are compiled anew as well.
    """

    def __init__(self, scratch, file, needed):
        self.moved, self.scratch, self.file, self.needed = [], scratch, file, needed

    def __enter__(self):
        touched = _importers(self.scratch, self.file) if self.needed else [self.file]
        for folder in {(self.scratch / file).parent / "__pycache__" for file in touched}:
            kept = folder.with_name("__pycache__kept")
            if folder.exists() and not kept.exists():
                folder.rename(kept)
            folder.mkdir(exist_ok=True)
            stems = {
                Path(file).stem for file in touched if (self.scratch / file).parent == folder.parent
            }
            for path in kept.glob("*") if kept.exists() else ():
                if path.suffix == ".pyc" or path.name.split(".")[0] not in stems:
                    os.link(path, folder / path.name)
            self.moved.append((folder, kept))

    def __exit__(self, *_):
        for folder, kept in self.moved:
            shutil.rmtree(folder)
            if kept.exists():
                kept.rename(folder)


def _importers(scratch, file):
    """`file` and all files with kernels that import it, directly or not."""
    found, before = {file}, set()
    texts = {
        path.relative_to(scratch).as_posix(): path.read_text(encoding="utf-8")
        for path in (scratch / "tinyunet").rglob("*.py")
    }
    while found != before:
        before = set(found)
        for known in before:
            module = known.removesuffix(".py").replace("/", ".")
            pattern = rf"^(from|import) {re.escape(module)}\b"
            found |= {name for name, text in texts.items() if re.search(pattern, text, re.M)}
    return sorted(name for name in found if name == file or "@jit" in texts[name])


def difference(mutant, source):
    """The mutant as a unified diff."""
    before, after = (
        text.decode().splitlines(keepends=True) for text in (source, mutant.apply(source))
    )
    lines = difflib.unified_diff(before, after, mutant.file, mutant.operator, n=1)
    return "".join(lines)


def _test_file(name):
    """The test file of "nn/unet": tests/nn/test_unet.py."""
    folder, _, stem = name.rpartition("/")
    return "/".join(["tests", *filter(None, [folder]), f"test_{stem}.py"])
