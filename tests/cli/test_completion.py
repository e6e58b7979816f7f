"""`tinyunet completion`: what a shell offers after Tab."""

import shutil
import subprocess
import sys

import pytest

from tinyunet.cli import main

pytest.importorskip("shtab", reason="no shtab: `pip install 'tinyunet[completion]'`")
TAB = """
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMPREPLY=()
_shtab_tinyunet
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    """A function that types words in a folder with two files, and returns what Tab offers."""
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    folder = tmp_path_factory.mktemp("completion")
    (folder / "cells.tif").touch()
    (folder / "cells.txt").touch()
    made = [sys.executable, "-m", "tinyunet", "completion", "bash"]
    script = subprocess.run(made, capture_output=True, text=True, check=True).stdout + TAB

    def press(*words):
        call = ["bash", "-c", script, "bash", "tinyunet", *words]
        done = subprocess.run(call, capture_output=True, text=True, check=True, cwd=folder)
        return set(done.stdout.split())

    return press


@pytest.mark.parametrize(
    ("words", "offers"),
    [
        (["ev"], {"evaluate"}),
        (["train", "--checkpoint"], {"--checkpoint-every"}),
        (["export", "RUN", "FILE", "--to", ""], {"onnx", "torch", "bioimageio"}),
        (["predict", "cel"], {"cells.tif", "cells.txt"}),
        (["train", "a", "b", "--out", "cells.ti"], {"cells.tif"}),
        (["train", "--depth", ""], set()),
    ],
)
def test_tab_offers_what_fits(tab, words, offers):
    assert tab(*words) == offers


def test_zsh_gets_a_script_that_knows_the_commands(capsys):
    assert main(["completion", "zsh"]) == 0
    script = capsys.readouterr().out
    assert all(name in script for name in ("weightmap", "--no-elastic", "bioimageio"))


def test_without_the_library_a_line_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert capsys.readouterr().err == (
        'tinyunet: error: shtab is not installed: pip install "tinyunet[completion]"\n'
    )
