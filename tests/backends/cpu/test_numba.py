"""`jit`: says once that it compiles, keeps the machine code, works without numba or a cache."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from tinyunet import _numba as jit
from tinyunet.backends.cpu import warm_up

PROGRAM = """
import numpy as np
from tinyunet.backends.cpu import operations as cpu
from tinyunet import _numba as jit
if jit.available():
    cpu.momentum_update(*({"w": np.ones(4, np.float32)} for _ in "pvg"), 0.5, 0.5)
    cpu.max_pool2d(np.ones((1, 1, 2, 2), np.float32))
print(jit.available())
"""


def run(program=PROGRAM, cwd=None, **environment):
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=cwd,
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


def test_no_cache_folder_is_no_obstacle(tmp_path):
    """Where numba finds no folder that it may write to, it raises RuntimeError."""
    pytest.importorskip("numba")
    (tmp_path / "file").touch()
    output, said = run(NUMBA_CACHE_DIR=str(tmp_path / "file"))
    assert output == ["True"]
    assert said.count("compiling") == 1


def test_installations_of_one_version_share_their_machine_code(tmp_path):
    """The same sources in another folder: nothing is compiled again; other sources: it is."""
    pytest.importorskip("numba")
    cache, package = tmp_path / "cache", Path(jit.__file__).parent
    copies = [tmp_path / name for name in ("first", "second", "third")]
    for copy in copies:
        shutil.copytree(package, copy / "tinyunet", ignore=shutil.ignore_patterns("__pycache__"))
    with (copies[2] / "tinyunet" / "backends" / "cpu" / "vector.py").open("a") as file:
        file.write("\n# another version\n")
    for copy, times in zip(copies, (1, 0, 1), strict=True):
        output, said = run(cwd=copy, NUMBA_CACHE_DIR=str(cache), PYTHONPATH="")
        assert output == ["True"]
        assert said.count("compiling") == times
    (folder,) = cache.iterdir()
    assert numba_version() in folder.name


def numba_version():
    import numba

    return numba.__version__


def test_a_full_disk_is_said_once(tmp_path):
    pytest.importorskip("numba")
    full = (
        "from numba.core import caching\n"
        "def fail(*_): raise OSError(28, 'No space left on device')\n"
        "caching.FunctionCache.save_overload = fail\n"
    )
    output, said = run(full + PROGRAM, NUMBA_CACHE_DIR=str(tmp_path))
    assert output == ["True"]
    assert said.count("cannot be kept for the next start: [Errno 28]") == 1


def test_warming_up_compiles_all_that_a_training_needs_and_says_what():
    """Afterwards a step of a network compiles nothing."""
    pytest.importorskip("numba")
    program = """
import numpy as np
from tinyunet import _numba, nn
from tinyunet.backends.cpu import threads, warm_up
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet
told = []
_numba.warm_up(warm_up.tasks(), lambda *progress: told.append(progress))
print(told[0][:2], told[-1], all(name for _, _, name in told[:-1]))
told.clear()
_numba.warm_up(warm_up.tasks(), lambda *progress: told.append(progress))
print(told)
def note(plain):
    print(plain)
threads.set_threads(2)
with _numba._telling(note):
    net = UNet(base_channels=8, device="cpu")
    logits, cache = net.forward(np.ones((1, 1, 188, 188), np.float32), train=True)
    _, loss_cache = nn.softmax_cross_entropy(logits, np.zeros((1, 4, 4), int))
    grads = net.backward(nn.softmax_cross_entropy_backward(loss_cache), cache)
    SGD(net.params, 0.1, 0.9).step(grads)
"""
    with tempfile.TemporaryDirectory() as folder:
        output, said = run(program, NUMBA_CACHE_DIR=folder)
    n = len(warm_up.tasks())
    assert " ".join(output) == f"(0, {n}) ({n}, {n}, '') True []"
    assert said == ""


def test_a_prediction_needs_less_than_a_training():
    names = [name for name, _ in warm_up.tasks(training=False)]
    assert names == [name for name, _ in warm_up.tasks()][: len(names)]
    assert len(names) < len(warm_up.tasks())


def test_disabled_compilation_falls_back_with_one_warning():
    program = PROGRAM + "print(jit.available(), cpu.supports(np.ones(3, np.float32)))"
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
        raise RuntimeError(*words)

    monkeypatch.setattr(jit, "_probe", broken)
    words = ("no LLVM\nsecond line",)
    assert jit._problem() == "no LLVM"
    words = ()
    assert jit._problem() == "RuntimeError"
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
