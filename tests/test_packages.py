"""What an sdist and a wheel hold: all that tests and lessons need, and no more than users do."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("setuptools", "70.1", reason="setuptools 70.1 builds wheels by itself")

ROOT = Path(__file__).resolve().parents[1]


def sources(*folders):
    """The files of these folders that are ours, as names from the project's root."""
    found = {p for folder in folders for p in (ROOT / folder).rglob("*") if p.is_file()}
    ours = {str(p.relative_to(ROOT).as_posix()) for p in found}
    return {name for name in ours if "__pycache__" not in name and "/." not in name}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A copy of the project that was built, without a network: its sdist and its wheel."""
    place = tmp_path_factory.mktemp("packages")
    copy = place / "project"
    copy.mkdir()
    for name in ("tinyunet", "tests", "lessons", "benchmarks", ".ci"):
        skip = shutil.ignore_patterns("__pycache__", ".hypothesis", "*.so")
        shutil.copytree(ROOT / name, copy / name, ignore=skip)
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for command in ("sdist", "bdist_wheel"):
        call = [sys.executable, "setup.py", "-q", command, "-d", str(place / "out")]
        ended = subprocess.run(call, cwd=copy, capture_output=True, text=True, timeout=300)
        assert ended.returncode == 0, ended.stderr
    (sdist,), (wheel,) = ((place / "out").glob(end) for end in ("*.tar.gz", "*.whl"))
    return sdist, wheel


def test_the_sdist_holds_all_that_tests_lessons_and_benchmarks_need(built):
    with tarfile.open(built[0]) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    wanted = sources("tinyunet", "tests", "lessons", "benchmarks", ".ci")
    assert {n for n in wanted if not n.startswith("lessons/runs/")} - names == set()
    assert {"README.md", "LICENSE", "pyproject.toml", "setup.py", "tests/conftest.py"} <= names
    assert not [name for name in names if re.search(r"__pycache__|\.pyc$|\.git/", name)]


def test_the_wheel_holds_the_package_and_nothing_else(built):
    with zipfile.ZipFile(built[1]) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    others = {"tinyunet/exercises/templates/ruff.toml"}  # for us, not for learners
    assert names == sources("tinyunet") - others
    assert "tinyunet/py.typed" in names
    assert any(name.startswith("tinyunet/exercises/templates/01") for name in names)
    assert any(name.endswith(".cu") for name in names)


def test_the_exercises_can_be_done_without_the_checkout(built, tmp_path):
    with zipfile.ZipFile(built[1]) as archive:
        archive.extractall(tmp_path / "installed")
    learner = tmp_path / "learner"
    learner.mkdir()

    def check(*words):
        return subprocess.run(
            [sys.executable, "-m", "tinyunet", "check", *words],
            cwd=learner,
            env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
            capture_output=True,
            text=True,
            timeout=300,
        )

    ended = check("01")
    assert ended.returncode == 2
    assert "tinyunet check --start" in ended.stderr
    assert check("--start").returncode == 0
    assert (learner / "exercises" / "01_conv2d_loops.py").is_file()
    ended = check("01")
    assert ended.returncode == 1
    assert "01" in ended.stdout
