"""The exercises' checks: right answers pass, typical wrong ones are told what is wrong with them.

A wrong answer is the reference solution (tests/solutions/) with a piece of its text replaced.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tinyunet import cli
from tinyunet.exercises import EXERCISES
from tinyunet.exercises.diagnose import compare, same
from tinyunet.exercises.learner import Learner, NotYet, Wrong, results
from tinyunet.exercises.run import exercise_of, find_exercise, run

ROOT = Path(__file__).resolve().parents[1]
SOLUTIONS = ROOT / "tests" / "solutions"
STARTERS = ROOT / "lessons" / "exercises"

# exercise, text of the solution, what replaces it, part of the explanation that must come
WRONG = [
    ("01", "weight[o, c, a, b]", "weight[o, c, kh - 1 - a, kw - 1 - b]", "your kernel is flipped"),
    ("01", "x[n, c, i + a, j + b]", "x[n, c, i - a, j - b]", "your kernel walks backwards"),
    ("01", "    n_images,",
     "    p = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(2, 3))\n"
     "    q = p.reshape(len(x), weight[0].size, -1)\n"
     "    y = weight.reshape(len(weight), -1) @ q + bias[:, None]\n"
     "    return y.reshape(len(x), -1, *p.shape[2:4])\n    n_images,",
     "your patches' axes are in the wrong order"),
    ("01", "total = bias[o]", "total = 0", "missing bias"),
    ("01", "total +=", "total += bias[o] +", "your bias is added once a tap"),
    ("01", "i + a, j + b", "i + b, j + a", "your kernel is transposed"),
    ("01", "            total += weight", "            total = weight", "only the last tap"),
    ("01", "np.ndindex(channels, kh", "np.ndindex(1, kh", "only the first input channel"),
    ("01", "kh + 1, width - kw + 1", "kh, width - kw", "misses its last row and column"),
    ("01", "    n_images,", "    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))\n    n_images,",
     "2 larger: zero padding"),
    ("01", "width - kw + 1), x.dtype", "width - kw + 1)", "float64 for float32"),
    ("01", "return y", "return np.maximum(y, 0)", "ReLU is an operation of its own"),
    ("01", "return y", "return y.tolist()", "no array of numbers: it is list"),
    ("01", "total +=", "total += undefined *", "name 'undefined' is not defined"),
    ("02", "return dx, dweight, dbias", "return dx, dweight.swapaxes(0, 1), dbias",
     "your dweight looks transposed: it matches after swapping axes 0 and 1"),
    ("02", "return dx, dweight, dbias", "return dx, dweight[:, :, ::-1, ::-1], dbias",
     "your dweight is flipped: it matches after reversing axes 2 and 3"),
    ("02", "return dx, dweight, dbias", "return dx, dweight / 2, dbias",
     "your dweight is off by a factor 1/2: averaged over the batch of 2?"),
    ("02", "return dx, dweight, dbias", "return dx, dweight, dbias / 20",
     "your dbias is off by a factor 1/20: averaged over the 20 pixels?"),
    ("02", "return dx, dweight, dbias", "return -dx, dweight, dbias", "dx has the wrong sign"),
    ("02", "return dx, dweight, dbias", "return dweight, dx, dbias", "your dweight has shape"),
    ("02", "return dx, dweight, dbias", "return dx, dweight", "yours returns 2 things"),
    ("02", "return dx, dweight, dbias", "return dx, dweight, None", "returns None for dbias"),
    ("02", "up = dy[n, o, i, j]", "up = 1.0", "right only for an all-ones upstream gradient"),
    ("02", "weight[o, c, a, b]\n", "weight[o, c, kh - 1 - a, kw - 1 - b]\n",
     "your dx has a flipped kernel"),
    ("02", "dx[n, c, i + a, j + b] +=", "dx[n, c, i + a, j + b] =", "only the last window's share"),
    ("02", "dbias[o] += up", "pass", "your dbias is zero everywhere"),
    ("02", "return dx, dweight, dbias", "return dx, dweight, dy.sum(axis=(2, 3))",
     "your dbias is not summed over the batch"),
    ("02", "        up = dy", "        if n < len(x) - 1:\n            continue\n        up = dy",
     "only the last image of the batch counts in your dweight"),
    ("02", "    dbias = np", "    dy *= 1.5\n    dbias = np", "changed its argument dy in place"),
    ("03", "np.maximum(x, 0)", "np.abs(x)", "your relu mirrors what is negative"),
    ("03", "dy * (x > 0)", "dy * (x >= 0)", "where x is exactly 0"),
    ("03", "dy * (x > 0)", "(x > 0) * 1.0", "all-ones upstream gradient"),
    ("03", "dy * (x > 0)", "dy * (dy > 0)", "it is x that decides"),
    ("03", ".max(axis=(3, 5))", ".mean(axis=(3, 5))", "your y is the mean of each window"),
    ("03", "winner = np.argmax(window)", "winner = (0, 2, 1, 3)[np.argmax(window.T)]",
     "your equal maxima are visited column by column"),
    ("03", "winner = np.argmax(window)", "winner = 3 - np.argmax(window[::-1, ::-1])",
     "the last of equal maxima"),
    ("03", "        dx[n, c, 2 * i + winner // 2, 2 * j + winner % 2] = dy[n, c, i, j]",
     "        dx[n, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = "
     "(window == window.max()) * dy[n, c, i, j]",
     "your gradient goes to every maximum on ties"),
    ("03", "        dx[n, c, 2 * i + winner // 2, 2 * j + winner % 2] = dy[n, c, i, j]",
     "        dx[n, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = dy[n, c, i, j]",
     "all four pixels of a window"),
    ("03", "= dy[n, c, i, j]", "= 1", "all-ones upstream gradient"),
    ("03", "argmax", "argmin", "the smallest pixel"),
    ("04", "a::2, b::2] = np", "1 - a :: 2, 1 - b :: 2] = np", "your kernel is flipped"),
    ("04", "    y += bias[:, None, None]\n", "", "missing bias"),
    ("04", "y[:, :, a::2, b::2] =",
     "y[:, :, a * height : (a + 1) * height, b * width : (b + 1) * width] =",
     "side by side, not interleaved"),
    ("04", "        dx +=", "        dx[...] =", "only the last tap counts in your dx"),
    ("04", "up = dy[:, :, a::2, b::2]", "up = np.ones_like(dy[:, :, a::2, b::2])",
     "all-ones upstream gradient"),
    ("04", "dy.sum(axis=(0, 2, 3))", "dy.mean(axis=(0, 2, 3))",
     "averaged over the batch and its 60 output pixels"),
    ("04", "dy.sum(axis=(0, 2, 3))", "dy.sum(axis=(2, 3))", "not summed over the batch"),
    ("04", "return dx, dweight, dbias", "return dx, dweight.swapaxes(0, 1), dbias",
     "your dweight looks transposed: it matches after swapping axes 0 and 1"),
    ("04", "return dx, dweight, dbias", "return dx, dweight / 4, dbias",
     "averaged over the 4 taps"),
    ("05", "[crop, x]", "[x, crop]", "the skip first"),
    ("05", "(skip.shape[2] - x.shape[2]) // 2", "0", "your y is wrong in"),
    ("05", "    crop = skip", "    top = left = 0\n    crop = skip",
     "you crop the top left corner"),
    ("05", "    crop = skip", "    top = -(-(skip.shape[2] - x.shape[2]) // 2)\n"
     "    left = -(-(skip.shape[3] - x.shape[3]) // 2)\n    crop = skip",
     "one pixel too far to the bottom right"),
    ("05", "return dskip, dx", "return dy[:, : skip.shape[1]], dx", "as large as the crop"),
    ("05", "dx = dy[:, skip.shape[1] :]", "dx = dy[:, : x.shape[1]]", "takes the skip's channels"),
    ("05", "    dskip[:", "    top = left = 0\n    dskip[:", "lies in the top left corner"),
    ("06", "return -(weights", "return (weights", "wrong sign"),
    ("06", "-(weights * log_p_label)", "-(log_p_label)", "leaves the weights out"),
    ("06", ".sum() / labels.size", ".sum()", "a sum instead of a mean"),
    ("06", ".sum() / labels.size", ".sum() / weights.sum()", "divided by the sum of the weights"),
    ("06", "    shifted = logits - logits.max(axis=1, keepdims=True)", "    shifted = logits",
     "your loss is not finite for logits of ±10 000"),
    ("06", "logits - logits.max(axis=1, keepdims=True))\n", "logits)\n",
     "your dlogits is not finite"),
    ("06", "(p - one_hot) *", "p *", "subtract 1 from p"),
    ("06", "(p - one_hot) *", "(one_hot - p) *", "p − 1 at the label, not 1 − p"),
    ("06", " * weights[:, None] /", " /", "your dlogits leaves the weights out"),
    ("06", "weights[:, None] / labels.size", "weights[:, None]", "of a sum instead of a mean"),
    ("06", "return (p", "return p * (1 - p) * (p", "slope p(1 − p) once more"),
    ("07", "math.sqrt(2 / incoming)", "2 / incoming", "is the variance 2/N"),
    ("07", "math.sqrt(2 /", "math.sqrt(1 /", "a ReLU throws half away"),
    ("07", "math.prod(shape[1:])", "shape[0] * shape[2] * shape[3]", "counts what goes out"),
    ("07", "math.prod(shape[1:])", "shape[1]", "forgets the taps of the kernel"),
    ("07", "incoming = shape[0]", "incoming = 4 * shape[0]", "counts four taps"),
    ("07", "velocity + grad", "velocity + (1 - momentum) * grad", "damps the gradient"),
    ("07", "velocity + grad", "velocity + rate * grad", "the rate is in your velocity"),
    ("07", "param - rate", "param + rate", "uphill"),
    ("07", "rate * velocity\n", "rate * grad\n", "it is the velocity that moves p"),
    ("07", "param - rate * velocity", "param - rate * (grad + momentum * velocity)", "Nesterov"),
    ("07", "velocity = momentum * velocity + grad", "velocity += grad",
     "changed its argument velocity in place"),
    ("08", "(2 * sigma**2)", "sigma**2", "it is 2σ²"),
    ("08", "(d1 + d2) ** 2", "d1**2 + d2**2", "squares their sum"),
    ("08", "(d1 + d2) ** 2", "(2 * d1) ** 2", "another *cell*"),
    ("08", "(d1 + d2) ** 2", "d1**2", "takes d1 alone"),
    ("08", "for p in pixels)", "for p in [np.concatenate(pixels)] * 2)", "another *cell*"),
    ("08", "n / (2 * n_cells), n / (2 * n_background)", "n / (2 * n_background), n / (2 * n_cells)",
     "your w_c are swapped"),
    ("08", "n / (2 * n_cells), n / (2 * n_background)", "1.0, 1.0", "your w_c is missing"),
    ("08", "n / (2 * n_cells), n / (2 * n_background)", "n / n_cells, n / n_background",
     "your w_c is n / n_c"),
    ("08", "    pixels = [", "    return weights\n    pixels = [", "your border term is missing"),
    ("08", "np.argwhere(~inside)", "np.argwhere(inside | ~inside)", "inside the cells as well"),
    ("08", "sorted(np.sqrt(((p - [y, x]) ** 2).sum(axis=1)).min() for p in pixels)",
     "sorted(np.sqrt(((np.concatenate(pixels) - [y, x]) ** 2).sum(axis=1)))",
     "second nearest *pixel*"),
        ("09", "i + displacement[0, i, j], j + displacement[1, i, j]",
     "i - displacement[0, i, j], j - displacement[1, i, j]", "wrong sign"),
    ("09", "i + displacement[0, i, j], j + displacement[1, i, j]",
     "i + displacement[1, i, j], j + displacement[0, i, j]", "rows and columns are swapped"),
    ("09", "= row - top, column - left", "= 0.0, 0.0", "you drop the fraction"),
    ("09", "    index %= 2", "    return min(max(index, 0), n - 1)\n    index %= 2",
     "the lesson mirrors"),
    ("09", "    index %= 2", "    return index % n\n    index %= 2", "wraps around"),
    ("09", "    index %= 2 * (n - 1)\n    return index if index < n else 2 * (n - 1) - index",
     "    index %= 2 * n\n    return index if index < n else 2 * n - 1 - index",
     "repeats the edge pixel"),
    ("09", "math.floor(row), math.floor(column)", "int(row), int(column)", "floor goes down"),
    ("09", "math.floor(row), math.floor(column)", "round(row), round(column)",
     "your image is wrong in"),
    ("10", "index = abs(index) % (2 * (size - 1))", "index = abs(index)", "works once"),
    ("10", "    index = abs", "    return index % size\n    index = abs", "wraps around"),
    ("10", "    index = abs", "    return min(max(index, 0), size - 1)\n    index = abs",
     "repeats the edge for ever"),
    ("10", "    index = abs(index) % (2 * (size - 1))\n    return",
     "    index %= 2 * size\n    return min(index, 2 * size - 1 - index)\n    return",
     "the period is 2 · (size − 1)"),
    ("10", "step = inside // s * s", "step = inside", "no multiple of 16"),
    ("10", "step = inside // s * s", "step = tile", "is the margin"),
    ("10", "start += count", "start += tile", "you lay tiles by what they read"),
    ("10", "min(step, size - start)", "step", "the image ends at 8"),
    ("10", "while start < size:", "while start + step <= size:", "the last 8 are missing"),
    ("10", "start += count", "start += count - 1 if count > 1 else 1", "twice"),
    ("10", "    return plan", "    return [*plan, (size, 0)]", "has a tile of 0 pixels, at 4"),
    ("11", ", train=True", "", "drop-out switched off"),
    ("11", "labels, weights)\n    dl", "labels)\n    dl", "you leave the weights out"),
    ("11", "    optimiser.step(grads)\n", "", "changes nothing"),
    ("11", "(grads)\n", "(grads)\n    optimiser.step(grads)\n", "updates twice"),
    ("11", "step(grads)", "step({name: -g for name, g in grads.items()})", "uphill"),
    ("11", "    return loss", "    logits, _ = net.forward(image, train=True)\n"
     "    return ops.softmax_cross_entropy(logits, labels, weights)[0]", "a second forward"),
    ("11", "return loss", "return logits", "your loss has shape"),
    ("12", "return 2 * ab / (a + b)", "return 1 - 2 * ab / (a + b)", "Rand *error*"),
    ("12", "return 2 * ab / (a + b)", "return ab / (a + b)", "a factor 2 is missing"),
    ("12", "return 2 * ab / (a + b)", "return ab / b", "the precision alone"),
    ("12", "return 2 * ab / (a + b)", "return ab / a", "the recall alone"),
    ("12", "            lost += 1\n", "            pass\n", "you leave out cell pixels"),
    ("12", "if j == 0:", "if j == -1:", "you take the proposal's membrane for a cell"),
    ("12", "        if i == 0:\n            continue\n",
     "        if i == 0:\n            columns[j] += 1 if j else 0\n            continue\n",
     "left out everywhere"),
    ("13", "    scores = []", "    return ((result > 0) & (truth > 0)).sum() / "
     "((result > 0) | (truth > 0)).sum()\n    scores = []", "IoU of the whole foreground"),
    ("13", "other != 0 and 2", "other == cell and 2", "you compare cells of the same number"),
    ("13", "if other != 0 and 2 * shared > inside.sum():", "if other:\n                shared = "
     "max((inside & (result == k)).sum() for k in np.unique(result) if k)", "your seg is"),
    ("13", "= shared / (inside | theirs).sum()", "= 2 * shared / (inside.sum() + theirs.sum())",
     "the Dice overlap"),
    ("13", "(inside | theirs).sum()", "inside.sum()", "you divide by the true cell alone"),
    ("13", "2 * shared > inside", "2 * shared >= inside", "exactly half"),
    ("13", "other != 0 and ", "", "the background match a cell"),
    ("13", "        scores.append(score)", "        if score:\n            scores.append(score)",
     "you leave missed cells out"),
    ("13", "    scores = []", "    result, truth = truth, result\n    scores = []",
     "the mean over the result's cells"),
    ("14", "/ 2, (g[0]", ", (g[0]", "your u is wrong in"),
    ("14", "    return np.array([g[0], (g[0] + g[1] + g[2]) / 2, (g[0] - g[1] + g[2]) / 2, g[2]])",
     "    return np.array([g[0], g[0] + g[1] + g[2], g[0] - g[1] + g[2], g[2]])", "its halves"),
    ("14", "    m0 = (d[0]", "    return np.array([d[0] * u[0]] * 2)\n    m0 = (d[0]",
     "your y is wrong in 2 of 2 places"),
    ("14", "m1 - m2 - m3", "m1 - m2 + m3", "m3 has the wrong sign"),
    ("14", "m1 - m2 - m3", "m1 + m2 - m3", "m2 has the wrong sign"),
    ("14", "m0 = (d[0] - d[2]) * u[0]", "m0 = d[0] * u[0] - d[2] * u[0]", "5 times"),
    ("14", "(u * v)", "(u @ v)", "U and V as matrices"),
    ("14", "v = bt @ d @ bt.T", "v = bt.T @ d @ bt", "V = Bᵀ d B"),
    ("14", "gm @ g @ gm.T", "gm @ g.T @ gm.T", "your kernel is transposed"),
    ("14", "gm @ g @ gm.T", "gm @ g[::-1, ::-1] @ gm.T", "your kernel is flipped"),
    ("14", "at @ (u * v) @ at.T", "u * v", "still in Winograd's 6×6 space"),
    ("15", "(dm * v)", "(dm * u)", "your dg multiplies dM by U"),
    ("15", "(dm * u)", "(dm * v)", "your dd multiplies dM by V"),
    ("15", "bt.T @ (dm * u) @ bt\n", "bt @ (dm * u) @ bt.T\n", "with Bᵀ itself"),
    ("15", "at.T @ dy @ at", "at.T @ at", "your dg is wrong in"),
    ("15", "dm = at.T @ dy @ at", "dm = at.T @ (dy * 0 + 1) @ at", "all-ones upstream gradient"),
    ("15", "return dd, dg", "return dd, dm * v", "still dU, 6×6"),
    ("15", "return dd, dg", "return dd, dg.T", "your dg looks transposed"),
    ("16", "    return ops.conv2d(x, params[\"out.weight\"], params[\"out.bias\"]), cache",
     "    x = ops.conv2d(x, params[\"out.weight\"], params[\"out.bias\"])\n"
     "    return ops.relu(x), cache", "the last convolution has none"),
    ("16", "            dx = dx + dskips[level]\n", "            pass\n",
     "misses what came through the skip"),
    ("16", "dz = ops.relu_backward(dy, z)", "dz = dy", "your gradient of down1.conv2.bias"),
    ("16", "    return grads", "    del grads[\"out.bias\"]\n    return grads", "have no out.bias"),
    ("16", "    return grads", "    grads[\"x\"] = dx\n    return grads",
     "x, which is no parameter"),
    ("16", "(skips[level], x)", "(x, skips[level])", "forward stopped at line"),
    ("16", "    return grads", "    return list(grads)", "must return a dict"),
    # Right in the middle, wrong at the awkward end: what only the last steps of a check can see.
    ("01", "    y = np", "    if kh == 1:\n        return x\n    y = np", "your y has shape"),
    ("01", "    y = np", "    kw = kh\n    y = np", "your y has shape"),
    ("02", "    for n, o", "    if kh == 1:\n        return x, x, x\n    for n, o", "has shape"),
    ("02", "    for n, o", "    kw = kh\n    for n, o", "your dweight is wrong in 12 of 36 places"),
    ("03", "    n, c, height, width = x.shape\n",
     "    n, c, height, width = x.shape\n    if x.size == 4:\n        return x\n",
     "your y has shape"),
    ("03", "    return dx", "    return dx * (dx.size > 4)", "your dx is zero everywhere"),
    ("04", "    return y", "    return y * (height > 1)", "your y is zero everywhere"),
    ("04", "    return dx,", "    return dx * (x.shape[2] > 1),", "your dx is zero everywhere"),
    ("05", "    crop = skip", "    if skip.shape == x.shape:\n        return x\n    crop = skip",
     "your y has shape"),
    ("06", "    return -(weights", "    weights = np.where(weights == 0, 1, weights)\n"
     "    return -(weights", "your loss is 1.95243, it should be 1.37831"),
    ("07", "momentum * velocity", "(momentum or 0.5) * velocity", "your velocity"),
    ("08", "    if len(pixels) < 2:\n        return weights\n", "", "not enough values to unpack"),
    ("08", "n_cells == 0 or n_background == 0", "n_cells == 0", "your weight map is"),
    ("08", "n_cells == 0 or n_background == 0", "n_background == 0", "your weight map is"),
    ("09", "    index %= 2 * (n - 1)", "    index = abs(index)", "index -30 is out of bounds"),
    ("11", "    optimiser.step", "    for v in optimiser.velocity.values():\n        v[...] = 0\n"
     "    optimiser.step", "your change of the parameters is wrong in"),
    ("16", "        z = ops.conv2d(x, params[f\"{name}.weight\"], params[f\"{name}.bias\"])",
     "        z = ops.conv2d(x, params[f\"{name}.weight\"], 0 * params[f\"{name}.bias\"])",
     "your logits"),
]  # fmt: skip


def exercise(number):
    return next(e for e in EXERCISES if e.number == number)


def planted(number, old, new, folder):
    """The path of a solution with `old` replaced by `new`, all other solutions beside it."""
    for solution in SOLUTIONS.glob("*.py"):
        shutil.copy(solution, folder)
    path = folder / f"{exercise(number).name}.py"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


@pytest.mark.parametrize("e", EXERCISES, ids=lambda e: e.name)
def test_the_reference_solution_passes(e):
    verdict = run(e, SOLUTIONS / f"{e.name}.py")
    assert (verdict.status, verdict.failed, verdict.explanation) == ("passed", "", "")
    assert verdict.passed[0] == "the file can be imported"
    assert len(verdict.passed) > 2


@pytest.mark.parametrize(("number", "old", "new", "expected"), WRONG)
def test_a_wrong_answer_is_explained(number, old, new, expected, tmp_path):
    verdict = run(exercise(number), planted(number, old, new, tmp_path))
    assert expected in verdict.explanation
    assert verdict.status in ("wrong", "not yet written")
    assert "\n" not in verdict.explanation


def test_every_exercise_has_three_wrong_answers():
    for e in EXERCISES:
        assert sum(row[0] == e.number for row in WRONG) >= 3, e.name


@pytest.mark.parametrize("e", EXERCISES, ids=lambda e: e.name)
def test_the_starter_file_is_not_yet_written_and_tells_how_to_go_on(e):
    path = STARTERS / f"{e.name}.py"
    verdict = run(e, path)
    assert verdict.status == "not yet written"
    learner = Learner(path)
    text = learner.module.__doc__
    assert f"Lesson: {e.lesson}." in text
    assert f"`tinyunet check {e.number}`" in text
    for name in e.functions:
        assert getattr(learner.module, name).__doc__


def test_starters_and_solutions_have_the_same_functions_and_arguments():
    for e in EXERCISES:
        starter, solution = (Learner(f / f"{e.name}.py").module for f in (STARTERS, SOLUTIONS))
        for name in e.functions:
            arguments = [
                getattr(m, name).__code__.co_varnames[: getattr(m, name).__code__.co_argcount]
                for m in (starter, solution)
            ]
            assert arguments[0] == arguments[1]


def test_a_crash_is_told_with_the_learners_own_line(tmp_path):
    path = tmp_path / "01_mine.py"
    path.write_text("def conv2d(x, weight, bias):\n    y = 1\n    return x[99]\n", encoding="utf-8")
    explanation = run(exercise("01"), path).explanation
    assert explanation.startswith("conv2d stopped at line 3 of 01_mine.py: IndexError: index 99")


def test_a_crash_in_a_helper_is_told_with_the_helpers_line(tmp_path):
    path = tmp_path / "01_mine.py"
    text = "def help(x):\n    return x[99]\n\n\ndef conv2d(x, weight, bias):\n    return help(x)\n"
    path.write_text(text, encoding="utf-8")
    assert run(exercise("01"), path).explanation.startswith("conv2d stopped at line 2 of 01_mine")


def test_a_syntax_error_and_a_missing_function_are_told(tmp_path):
    path = tmp_path / "01_mine.py"
    path.write_text("x = 1\ndef conv2d(x, weight, bias)\n    return 0\n", encoding="utf-8")
    verdict = run(exercise("01"), path)
    assert "the file stopped at line 2 of 01_mine.py: SyntaxError" in verdict.explanation
    assert verdict.failed == "the file can be imported"
    path.write_text("def convolve():\n    pass\n", encoding="utf-8")  # at once: no stale cache
    verdict = run(exercise("01"), path)
    assert verdict.explanation == (
        "01_mine.py has no function conv2d: its name must stay as it was"
    )


def test_exercise_16_needs_the_others_beside_it(tmp_path):
    shutil.copy(SOLUTIONS / "16_your_own_unet.py", tmp_path)
    verdict = run(exercise("16"), tmp_path / "16_your_own_unet.py")
    assert verdict.explanation.startswith("01_conv2d_loops.py is not beside this file")


def test_exercise_16_uses_the_learners_operations(tmp_path):
    planted("02", "weight[o, c, a, b]\n", "weight[o, c, 2 - a, 2 - b]\n", tmp_path)
    path = tmp_path / "02_conv2d_backward.py"
    path.write_text(path.read_text().replace("2 - a, 2 - b", "kh - 1 - a, kw - 1 - b"))
    verdict = run(exercise("16"), tmp_path / "16_your_own_unet.py")
    assert verdict.failed == "your operations of exercises 01 to 06 in your network"
    assert "gradient of " in verdict.explanation


def test_exercise_16_passes_on_what_is_wrong_with_an_operation(tmp_path):
    planted("01", "return y", "return None", tmp_path)
    verdict = run(exercise("16"), tmp_path / "16_your_own_unet.py")
    assert verdict.status == "not yet written"
    assert verdict.explanation.startswith("conv2d returns None: it is not written yet")


def test_exercise_16_says_when_the_loss_does_not_fall(tmp_path):
    planted("06", "return (p - one_hot)", "return (one_hot - p)", tmp_path)
    verdict = run(exercise("16"), tmp_path / "16_your_own_unet.py")
    assert verdict.explanation.startswith("your network does not learn: the loss goes from 1.10")
    assert verdict.failed.startswith("loss 1.10")


# The diagnosis itself


def explained(got, want, **options):
    with pytest.raises(Wrong) as caught:
        compare("y", got, want, **options)
    return str(caught.value)


def test_compare_accepts_what_is_equal_within_the_tolerance():
    want = np.array([1.0, -2.0])
    compare("y", want, want)
    compare("y", want + 1.9e-9, want)
    assert "wrong in 2 of 2 places, first at [0]: 1, it should be 1" in explained(
        want + np.array([2.1e-9, 2.2e-9]), want
    )
    compare("y", np.zeros(0), np.zeros(0))
    compare("y", np.full(2, 0.9e-9), np.zeros(2))
    assert "wrong in" in explained(np.array([1e-3, 1e-3 + 5e-10]), np.array([1e-3, 1e-3]))
    assert not same(np.zeros(2), np.zeros(3))
    assert not same(np.array([np.nan]), np.array([np.nan]))


def test_compare_names_what_it_finds():
    want = np.random.default_rng(0).standard_normal((2, 3, 4))
    assert explained(want.transpose(2, 1, 0), want) == (
        "your y looks transposed: it matches after swapping axes 0 and 2"
    )
    assert explained(want.transpose(1, 2, 0), want) == (
        "your y looks transposed: it matches after swapping axes as (1, 2, 0)"
    )
    assert explained(want[:, ::-1], want) == (
        "your y is flipped: it matches after reversing axis 1"
    )
    assert explained(np.ones((4, 5, 6)), want) == (
        "your y has shape (4, 5, 6), it should be (2, 3, 4) (yours is 2 larger)"
    )
    assert explained(np.ones((2, 2, 3)), want).endswith("(yours is 1 smaller)")
    assert explained(np.ones((2, 3)), want) == "your y has shape (2, 3), it should be (2, 3, 4)"
    assert explained(np.ones((3, 5, 4)), want).endswith("it should be (2, 3, 4)")
    assert explained(want[::-1, ::-1, ::-1], want).endswith("reversing axes 0 and 1 and 2")
    assert explained(want * np.nan, want) == "your y holds 24 NaN or infinite values"
    assert explained(-want, want) == "your y has the wrong sign"
    assert explained(0 * want, want) == "your y is zero everywhere: is it ever added to?"
    assert explained(want * 7, want) == "your y is off by a factor 7 everywhere"
    assert "summed over the seven" in explained(want * 7, want, factors={7: "the seven"})
    assert "averaged over the seven" in explained(want / 7, want, factors={7: "the seven"})
    wrong = want.copy()
    wrong[1, 0, 2] = 5
    assert explained(wrong, want).startswith("your y is wrong in 1 of 24 places, first at [1, 0, 2")
    assert explained(3.0, 1.5, typical=((2.0, "no"), (lambda: 3.0, "three"))) == "three"
    assert explained(np.ones(2), np.zeros(2)).startswith("your y is wrong in 2 of 2 places")
    assert explained(2.5, 0.0) == "your y is 2.5, it should be 0"
    assert explained("text", want) == "your y is no array of numbers: it is str"
    assert explained(np.array(["a"]), want).endswith("it is an array of <U1")


def test_results_are_counted():
    assert results("f", (1, 2), ("a", "b")) == (1, 2)
    with pytest.raises(Wrong, match=r"f must return \(a, b\): yours returns float"):
        results("f", 1.0, ("a", "b"))
    with pytest.raises(Wrong, match="yours returns 3 things"):
        results("f", (1, 2, 3), ("a", "b"))
    with pytest.raises(NotYet, match="f returns None for b"):
        results("f", (1, None), ("a", "b"))


# Which exercise, and the command


def test_exercises_are_found_by_number_name_and_functions(tmp_path):
    for wanted in ("2", "02", "02_conv2d_backward", "02_conv2d_backward.py"):
        assert find_exercise(wanted).name == "02_conv2d_backward"
    with pytest.raises(ValueError, match=r"no exercise '17': give 01 to 16, a name such as 01_con"):
        find_exercise("17")
    mine = tmp_path / "mine.py"
    mine.write_text("def seg(result, truth):\n    return 1\n", encoding="utf-8")
    assert exercise_of(mine).number == "13"
    assert exercise_of(tmp_path / "07_mine.py").number == "07"
    mine.write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="mine.py: which exercise is this"):
        exercise_of(mine)


def test_the_command_checks_one(capsys, tmp_path):
    assert cli.main(["check", "01", "--exercises", str(SOLUTIONS)]) == 0
    out = capsys.readouterr().out
    assert "right  one 3×3 window, by hand" in out
    assert "All right." in out
    path = planted("01", "total = bias[o]", "total = 0", tmp_path)
    assert cli.main(["check", str(path)]) == 1
    out = capsys.readouterr().out
    assert "WRONG  one 3×3 window, by hand" in out
    assert "missing bias" in out
    assert "Read: lessons/01-valid-convolution.md" in out


def test_the_command_lists_all(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["check"]) == 2
    assert capsys.readouterr().err.startswith(
        "tinyunet: error: no folder lessons/exercises here: go to the folder that holds lessons/"
    )
    folder = tmp_path / "lessons" / "exercises"
    folder.mkdir(parents=True)
    planted("12", "return 2 *", "return 3 *", folder)
    (folder / "13_seg_score.py").unlink()
    assert cli.main(["check", "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    status = {row["exercise"][:2]: row["status"] for row in rows}
    assert status.pop("12") == "wrong"
    assert status.pop("13") == "missing"
    assert set(status.values()) == {"passed"}
    assert cli.main(["check"]) == 1
    out = capsys.readouterr().out
    assert "13_seg_score            missing" in out
    assert "14 of 16 exercises pass" in out
    assert cli.main(["check", "--exercises", str(SOLUTIONS)]) == 0


def test_the_command_refuses_what_is_not_there(capsys):
    assert cli.main(["check", "nowhere/mine.py"]) == 2
    assert "nowhere/mine.py: No such file or directory" in capsys.readouterr().err
    assert cli.main(["check", "99"]) == 2
    assert "there is no exercise '99'" in capsys.readouterr().err
