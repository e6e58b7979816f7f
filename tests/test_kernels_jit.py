"""`jit`: says once that it compiles, keeps the machine code, works without numba or a cache."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tinyunet.kernels import jit

PROGRAM = """
import numpy as np
from tinyunet.kernels import cpu, jit
if jit.available():
    cpu.momentum_update(*({"w": np.ones(4, np.float32)} for _ in "pvg"), 0.5, 0.5)
    cpu.max_pool2d(np.ones((1, 1, 2, 2), np.float32))
print(jit.available())
"""


def run(program=PROGRAM, **environment):
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.split(), done.stderr


def test_the_first_start_says_once_that_it_compiles_and_the_second_loads(tmp_path):
    pytest.importorskip("numba")
    output, said = run(NUMBA_CACHE_DIR=str(tmp_path))
    assert output == ["True"]
    assert said.count("tinyunet: compiling its kernels for this processor") == 1
    assert len(said.splitlines()) == 1
    output, said = run(NUMBA_CACHE_DIR=str(tmp_path))
    assert output == ["True"]
    assert said == ""


def test_no_cache_folder_is_no_obstacle():
    """Where numba finds no folder that it may write to, it raises RuntimeError."""
    pytest.importorskip("numba")
    without = (
        "from numba.core import caching\n"
        "for kind in (caching.CacheImpl, caching.CompileResultCacheImpl):\n"
        "    kind._locator_classes = []\n"
    )
    output, said = run(without + PROGRAM)
    assert output == ["True"]
    assert said.count("compiling") == 1


def test_disabled_compilation_falls_back_with_one_warning():
    program = PROGRAM + "print(jit.available(), cpu.takes(np.ones(3, np.float32)))"
    output, said = run(program, NUMBA_DISABLE_JIT="1")
    assert output == ["False", "False", "False"]
    assert said.count("UserWarning") == 1
    assert "NUMBA_DISABLE_JIT is set): the slow plain operations are used" in said


def test_missing_numba_falls_back_with_one_warning():
    program = "import sys\nsys.modules['numba'] = None\n" + PROGRAM
    output, said = run(program)
    assert output == ["False"]
    assert said.count("UserWarning") == 1
    assert "numba cannot compile here (" in said


def test_a_compiler_that_fails_is_reported(monkeypatch):
    pytest.importorskip("numba")

    def broken(x):
        raise RuntimeError("no LLVM\nsecond line")

    monkeypatch.setattr(jit, "_probe", broken)
    assert jit._problem() == "no LLVM"
    monkeypatch.setattr(jit, "_probe", lambda x: 4)
    assert jit._problem() == "a compiled test function returned a wrong result"


def test_jit_works_with_and_without_options():
    @jit.jit
    def plain(x):
        return x + 1

    @jit.jit(fastmath=True)
    def with_options(x):
        return x * 2

    assert plain(np.float32(1)) == 2
    assert with_options(np.float32(3)) == 6
