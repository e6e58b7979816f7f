"""The house: who may import whom, how large a room is, what is documented, which lesson names it.

The rooms stand in the order in which they build on each other. A room imports from those before it
and from itself, never from those behind it; inside a room there are no circles.
"""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "tinyunet"
TOP = (
    "arrays",
    "geometry",
    "_files",
    "_machine",
    "_numba",
    "_progress",
    "_text",
    "_workspace",
)  # the first room
ROOMS = (
    TOP,
    "nn",
    "backends",
    "images",
    "augment",
    "weight_map",
    "metrics",
    "plot",
    "inference",  # before training: validation predicts
    "training",
    "networks",
    "report",
    "exercises",
    "exchange",
    "api",
    "cli",
)
LARGEST = 300  # lines of a file
NO_NUMPYDOC = ("backends", "cli", "exercises/_checks", "_numba", "_workspace")  # one line a name
LOOPS = "nn/reference.py"  # its functions have the arguments of the operations of the same name


def _modules():
    """Every module of the package; the exercises' templates are the learner's, and no modules."""
    return sorted(p for p in PACKAGE.rglob("*.py") if p.parent.name != "templates")


def _room(dotted):
    """Return the place of a module in the order; None for the package itself and `__main__`."""
    part = [*dotted.split("."), ""][1]
    for place, room in enumerate(ROOMS):
        if part in room if isinstance(room, tuple) else part == room:
            return place
    return None


def _name(path):
    dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return dotted.removesuffix(".__init__")


@cache
def _imports(path):
    """Return {module of the package: imported when the module is?} of a file."""
    names = {_name(p) for p in _modules()}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        node for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for node in ast.walk(f)
    }
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: a relative import"
            targets = [
                full if (full := f"{node.module}.{alias.name}") in names else node.module
                for alias in node.names
            ]
        else:
            continue
        for target in targets:
            if target.startswith("tinyunet"):
                found[target] = found.get(target, False) or node not in inside
    return found


@pytest.mark.parametrize("path", _modules(), ids=_name)
def test_imports_run_one_way(path):
    own = _room(_name(path))
    if own is None:
        return
    for target in _imports(path):
        place = _room(target)
        assert place is not None or target == "tinyunet", f"{target} is in no room"
        if target == "tinyunet":  # its version; only the rooms behind everything may ask for it
            assert own >= ROOMS.index("inference"), f"{_name(path)} imports the package itself"
        else:
            assert place <= own, f"{_name(path)} imports {target}, which builds on it"


def test_there_are_no_circles():
    graph = {
        _name(p): {t for t, at_import in _imports(p).items() if at_import} - {"tinyunet", _name(p)}
        for p in _modules()
    }
    done, on_the_way = set(), []

    def visit(module):
        assert module not in on_the_way, " → ".join([*on_the_way, module])
        if module in done:
            return
        on_the_way.append(module)
        for target in graph.get(module, ()):
            if not module.startswith(f"{target}."):  # a folder is imported before its files
                visit(target)
        on_the_way.pop()
        done.add(module)

    for module in graph:
        visit(module)


def test_only_one_module_imports_cupy():
    pattern = re.compile(r"^\s*(import|from) cupy", re.M)
    importing = [_name(p) for p in _modules() if pattern.search(p.read_text(encoding="utf-8"))]
    assert importing == ["tinyunet.arrays"]


def test_operations_never_name_a_backend():
    for path in (PACKAGE / "nn").glob("*.py"):
        assert not [t for t in _imports(path) if t.startswith("tinyunet.backends")], path.name


@pytest.mark.parametrize("path", _modules(), ids=_name)
def test_no_file_is_too_large_to_read(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LARGEST


def _public(tree):
    """Yield every public function, class and method of a module."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)


@pytest.mark.parametrize("path", _modules(), ids=_name)
def test_every_public_name_is_documented(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{_name(path)} has no docstring"
    missing = [n.name for n in _public(tree) if not ast.get_docstring(n)]
    assert not missing, f"{_name(path)}: no docstring: {', '.join(missing)}"


def test_public_docstrings_are_numpydoc():
    pytest.importorskip("numpydoc", reason='numpydoc is not installed: pip install ".[dev]"')
    files = [
        path
        for path in _modules()
        if not path.relative_to(PACKAGE).as_posix().startswith(NO_NUMPYDOC)
        and path.relative_to(PACKAGE).as_posix() != LOOPS
    ]
    run = subprocess.run(
        [sys.executable, "-m", "numpydoc", "lint", *map(str, files)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    findings = [line for line in run.stdout.splitlines() if line.strip()]
    findings = [line for line in findings if not _is_property(line)]
    assert not findings, "\n".join(findings)


def _is_property(finding):
    """A property's first line says what it is, as an attribute's does."""
    file, line, _ = finding.split(":", 2)
    for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.lineno == int(line):
            names = [getattr(d, "id", "") for d in node.decorator_list]
            return "property" in names
    return False


def test_every_module_is_named_by_a_lesson_or_by_its_folder():
    lessons = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "lessons").glob("*.md"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    unnamed = []
    for path in _modules():
        if path.name in ("__init__.py", "__main__.py"):
            continue
        relative = path.relative_to(ROOT).as_posix()
        folder = (path.parent / "__init__.py").read_text(encoding="utf-8")
        if relative not in lessons + readme and f"`{path.name}`" not in folder:
            unnamed.append(relative)
    assert not unnamed, f"named by no lesson, nor by their folder's __init__: {unnamed}"


def test_the_network_is_complete_without_the_backends(tmp_path):
    """A copy of the package without that folder trains, predicts and says the same."""
    import shutil

    shutil.copytree(
        PACKAGE,
        tmp_path / "tinyunet",
        ignore=shutil.ignore_patterns("backends", "__pycache__"),
    )
    program = """
import numpy as np, tinyunet
from tinyunet import SGD, UNet, nn, predict_tiled
net = UNet(depth=2, base_channels=2, dropout=0, seed=1)
sgd, rng = SGD(net.params, lr=0.05, momentum=0.9), np.random.default_rng(0)
x = rng.standard_normal((1, 1, 34, 34)).astype("float32")
labels = (x[:, 0, 8:-8, 8:-8] > 0).astype(int)
for step in range(100):
    logits, cache = net.forward(x, train=True)
    loss, loss_cache = nn.softmax_cross_entropy(logits, labels)
    sgd.step(net.backward(nn.softmax_cross_entropy_backward(loss_cache), cache))
    if step in (0, 99):
        print(float(loss))
print(predict_tiled(net, x[0], 34).shape, tinyunet.__file__)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    first, last, shape = run.stdout.splitlines()
    assert float(last) < 0.7 * float(first)
    assert shape == f"(2, 34, 34) {tmp_path / 'tinyunet' / '__init__.py'}"
