"""The scores again as plain slow Python, straight from their definitions, against `tinyunet`.

Nothing here is shared with the package: dictionaries and lists, one pixel at a time.
"""

import math
from collections import Counter, deque

import numpy as np
import pytest

from tinyunet import metrics
from tinyunet.images.instances import connected_components
from tinyunet.metrics import inputs, isbi, mismatches, overlap, thinning, warping

SIDES = ((0, -1), (-1, 0), (0, 1), (1, 0))  # left, up, right, down as (dy, dx)
CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))


# --- components, contingency, F ------------------------------------------------------------


def slow_components(white):
    """{(y, x): id} of the white pixels, ids from 1 in the order of rows."""
    height, width = white.shape
    ids, last = {}, 0
    for start in np.ndindex(height, width):
        if not white[start] or start in ids:
            continue
        last += 1
        ids[start] = last
        todo = [start]
        while todo:
            y, x = todo.pop()
            for dy, dx in SIDES:
                q = (y + dy, x + dx)
                if 0 <= q[0] < height and 0 <= q[1] < width and white[q] and q not in ids:
                    ids[q] = last
                    todo.append(q)
    return ids


def slow_thinning(white):
    """{(y, x): basin} after flooding, dams left out."""
    height, width = white.shape
    if not white.any():
        return dict.fromkeys(np.ndindex(height, width), 1)
    state = dict.fromkeys(np.ndindex(height, width), "unseen")
    state.update(slow_components(white))
    numbers = {}
    fifo = deque()
    for x in range(width):
        for y in range(height):
            if white[y, x]:
                state[y, x] = numbers.setdefault(state[y, x], len(numbers) + 1)
    for x in range(width):
        for y in range(height):
            near = [(y + dy, x + dx) for dy, dx in SIDES]
            if not white[y, x] and any(q in state and white[q] for q in near):
                state[y, x] = "queued"
                fifo.append((y, x))
    g = False
    while fifo:
        p = fifo.popleft()
        for dy, dx in SIDES:
            q = (p[0] + dy, p[1] + dx)
            if q not in state:
                continue
            if isinstance(state[q], int):
                if state[p] == "queued" or (state[p] == "dam" and g):
                    state[p] = state[q]
                elif isinstance(state[p], int) and state[p] != state[q]:
                    state[p], g = "dam", False
            elif state[q] == "dam":
                if state[p] == "queued":
                    state[p], g = "dam", True
            elif state[q] == "unseen":
                state[q] = "queued"
                fifo.append(q)
    return {p: basin for p, basin in state.items() if basin != "dam"}


def slow_table(label_ids, ids):
    return Counter((i, ids.get(p, 0)) for p, i in label_ids.items())


def slow_f(tp, fp, fn):
    precision = 1 if fp == 0 else tp / (tp + fp)
    recall = 1 if fn == 0 else tp / (tp + fn)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def slow_rand_terms(table):
    n0 = sum(n for (i, j), n in table.items() if j == 0)
    rows, columns = Counter(), Counter()
    for (i, j), n in table.items():
        rows[i] += n
        if j > 0:
            columns[j] += n
    a = sum(n**2 for n in rows.values())
    b = sum(n**2 for n in columns.values()) + n0
    ab = sum(n**2 for (i, j), n in table.items() if j > 0) + n0
    return a, b, ab


def slow_v_rand(a, b, ab):
    return slow_f(ab, b - ab, a - ab)


def slow_v_info(table):
    n = sum(table.values())
    if n == 0:
        return 0.0
    p = {key: table[key] / n for key in sorted(table)}
    rows, columns, lost = Counter(), Counter(), 0.0
    for (i, j), share in p.items():
        rows[i] += share
        if j > 0:
            columns[j] += share
        else:
            lost += share
    c = lost * math.log(n)
    big_a = big_b = big_ab = 0.0
    for share in rows.values():
        big_a += share * math.log(share)
    for j in sorted(columns):
        big_b += columns[j] * math.log(columns[j])
    for (_, j), share in p.items():
        big_ab += share * math.log(share) if j > 0 else 0.0
    big_b -= c
    big_ab -= c
    if big_a == 0 or big_b == 0:
        return 0.0
    precision = (-big_a - (big_b - big_ab)) / -big_a
    recall = (-big_b - (big_a - big_ab)) / -big_b
    if precision + recall == 0:
        return math.nan
    return 2 * precision * recall / (precision + recall)


# --- warping -------------------------------------------------------------------------------


def slow_is_simple(patch):
    """The middle of a 3 × 3 patch: one white part at its sides, one black part around it."""
    places = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]

    def parts(colour, steps):
        left = {q for q in places if patch[q] == colour}
        found = []
        while left:
            todo, part = [left.pop()], set()
            while todo:
                y, x = todo.pop()
                part.add((y, x))
                near = {(y + dy, x + dx) for dy, dx in steps} & left
                left -= near
                todo.extend(near)
            found.append(part)
        return found

    sides = {(0, 1), (1, 0), (1, 2), (2, 1)}
    white = [part for part in parts(1, SIDES) if part & sides]
    return len(white) == 1 and len(parts(0, SIDES + CORNERS)) == 1


def slow_warp(label, prediction, t):
    s, target = np.pad(label, 1).astype(int), np.pad(prediction.astype(float) > t, 1).astype(int)
    while True:
        todo = [
            (-np.float32(abs(float(prediction[y - 1, x - 1]) - t)), order, y, x)
            for order, (x, y) in enumerate(np.ndindex(s.shape[::-1]))
            if s[y, x] != target[y, x]
        ]
        flipped = False
        for _, _, y, x in sorted(todo):
            if slow_is_simple(s[y - 1 : y + 2, x - 1 : x + 2]):
                s[y, x] = 1 - s[y, x]
                flipped = True
        if not flipped:
            return s[1:-1, 1:-1], target[1:-1, 1:-1]


def slow_kind(s, ids, y, x):
    height, width = s.shape
    around = {
        ids.get((y + dy, x + dx), 0)
        for dy, dx in SIDES + CORNERS
        if 0 <= y + dy < height and 0 <= x + dx < width
    }
    if around == {0}:
        return "object"
    if len(around) == 1:
        return "hole"
    if len(around) != 2:
        return "split" if s[y, x] else "merger"
    if not s[y, x]:
        return "hole"
    cut = s.copy()
    cut[y, x] = 0
    if min(height, width) >= 20:
        cut = np.pad(cut, 20)[y : y + 41, x : x + 41]
        y = x = 20
    ids = slow_components(cut)
    height, width = cut.shape
    around = {
        ids.get((y + dy, x + dx), 0)
        for dy, dx in SIDES + CORNERS
        if 0 <= y + dy < height and 0 <= x + dx < width
    }
    return "split" if len(around) > 2 else "hole"


def slow_mismatches(label, prediction, t):
    s, target = slow_warp(label, prediction, t)
    ids = slow_components(s)
    return Counter(slow_kind(s, ids, int(y), int(x)) for y, x in np.argwhere(s != target))


# --- the whole -----------------------------------------------------------------------------


def slow_isbi(labels, prediction):
    """(scores, tables) for stacks (Z, H, W) of float32 and bool."""
    sweep = [0.0] * 11
    for k in range(1, 11):
        sweep[k] = sweep[k - 1] + 0.1
    tables = {name: [] for name in ("pixel", "rand", "rand thin", "info", "info thin", "warp")}
    for t in sweep:
        pixels, terms = Counter(), []
        thinned, info, info_thinned, warp = [], [], [], 0
        for image, label in zip(prediction, labels, strict=True):
            white = image.astype(float) > t
            pixels += Counter(zip(white.ravel().tolist(), label.ravel().tolist(), strict=True))
            label_ids = slow_components(label)
            table = slow_table(label_ids, slow_components(white))
            thin_table = slow_table(label_ids, slow_thinning(white))
            terms.append(slow_rand_terms(table))
            thinned.append(slow_v_rand(*slow_rand_terms(thin_table)))
            info.append(slow_v_info(table))
            info_thinned.append(slow_v_info(thin_table))
            kinds = slow_mismatches(label, image, t)
            warp += kinds["merger"] + kinds["split"]
        hits, extra, missed = (pixels[key] for key in ((1, 1), (1, 0), (0, 1)))
        tables["pixel"].append(slow_f(hits, extra, missed))
        tables["rand"].append(slow_v_rand(*(sum(column) for column in zip(*terms, strict=True))))
        tables["rand thin"].append(sum(thinned) / len(thinned))
        tables["info"].append(sum(info) / len(info))
        tables["info thin"].append(sum(info_thinned) / len(info_thinned))
        tables["warp"].append(warp)
    best = {}
    for name, values in tables.items():
        best[name] = max([0.0] + [value for value in values if not math.isnan(value)])
    least = min(tables["warp"][:10])
    wrong = ((prediction > 0.5) != labels).mean()
    scores = {
        "pixel_error": 1 - best["pixel"],
        "rand_error": 1 - best["rand"],
        "warping_error": least / labels.size,
        "warping_pixels": least,
        "v_rand": best["rand"],
        "v_rand_thinned": best["rand thin"],
        "v_info": best["info"],
        "v_info_thinned": best["info thin"],
        "pixel_error_rate": wrong,
    }
    return scores, tables


def smooth(rng, shape, passes):
    """Noise, averaged over neighbours a few times, stretched to 0..1."""
    image = rng.random(shape)
    for _ in range(passes):
        for axis in (-1, -2):
            image = image + np.roll(image, 1, axis) + np.roll(image, -1, axis)
    image -= image.min()
    return (image / max(image.max(), 1e-9)).astype(np.float32)


def make_case(seed, shape, kind):
    """(labels, prediction) as stacks; the prediction often falls exactly on a threshold."""
    rng = np.random.default_rng(seed)
    labels = rng.random(shape) < rng.choice([0.5, 0.7, 0.9])
    if kind == "noise":
        prediction = rng.random(shape)
    elif kind == "tenths":
        prediction = rng.integers(0, 11, shape) / 10
    elif kind == "binary":
        prediction = rng.integers(0, 2, shape)
    elif kind == "smooth":
        labels = smooth(rng, shape, 2) > 0.45
        prediction = np.clip(smooth(rng, shape, 1) * 0.5 + labels * 0.5, 0, 1)
    elif kind == "close":
        prediction = np.where(rng.random(shape) < 0.06, rng.random(shape), labels * 0.95)
    return labels, np.asarray(prediction, np.float32)


CASES = [
    (1, (1, 1, 1), "noise"),
    (2, (1, 1, 13), "noise"),
    (3, (1, 13, 1), "tenths"),
    (4, (1, 2, 2), "noise"),
    (5, (1, 9, 14), "noise"),
    (6, (1, 14, 9), "tenths"),
    (7, (1, 16, 16), "binary"),
    (8, (1, 19, 30), "smooth"),
    (9, (1, 20, 30), "smooth"),
    (10, (1, 31, 20), "close"),
    (11, (3, 8, 11), "noise"),
    (12, (2, 12, 7), "tenths"),
    (13, (2, 21, 23), "close"),
    (14, (1, 43, 44), "smooth"),
    (15, (1, 24, 45), "close"),
    (16, (1, 21, 20), "noise"),
    (17, (4, 6, 6), "binary"),
    (18, (2, 10, 10), "smooth"),
    (19, (3, 1, 8), "noise"),
    (20, (1, 42, 21), "tenths"),
]


@pytest.mark.parametrize(("seed", "shape", "kind"), CASES)
def test_scores_equal_the_slow_ones(seed, shape, kind):
    labels, prediction = make_case(seed, shape, kind)
    expected, tables = slow_isbi(labels, prediction)
    details = metrics.isbi2012_details(labels, prediction)
    assert details["scores"] == pytest.approx(expected, rel=0, abs=1e-12)
    assert details["scores"]["warping_pixels"] == expected["warping_pixels"]
    ours = details["tables"]
    assert ours["warping_pixels"] == tables["warp"]
    for name, slow in (
        ("pixel_f_score", "pixel"),
        ("v_rand", "rand"),
        ("v_rand_thinned", "rand thin"),
        ("v_info", "info"),
        ("v_info_thinned", "info thin"),
    ):
        np.testing.assert_allclose(ours[name], tables[slow], rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("fill", [0.0, 1.0, 0.35])
@pytest.mark.parametrize("label_fill", [0, 1, None])
@pytest.mark.parametrize("shape", [(1, 6, 5), (2, 8, 7)])
def test_flat_images_equal_the_slow_ones(fill, label_fill, shape):
    labels = np.random.default_rng(3).random(shape) < 0.7
    if label_fill is not None:
        labels[:] = label_fill
    prediction = np.full(shape, fill, np.float32)
    expected, _ = slow_isbi(labels, prediction)
    assert metrics.isbi2012(labels, prediction) == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_each_function_equals_its_key(seed):
    labels, prediction = make_case(seed, (2, 9, 12), ("noise", "tenths", "close")[seed % 3])
    for name, score in metrics.isbi2012(labels, prediction).items():
        assert getattr(metrics, name)(labels, prediction) == score, name


def test_components_equal_the_slow_ones():
    rng = np.random.default_rng(5)
    for shape in ((1, 1), (1, 20), (20, 1), (17, 23), (40, 31)):
        for density in (0.2, 0.55, 0.7, 1.0):
            white = rng.random(shape) < density
            ids, count = connected_components(white)
            expected = slow_components(white)
            assert ids.dtype == np.int32
            assert count == max(expected.values(), default=0)
            assert {p: ids[p] for p in np.ndindex(shape) if ids[p]} == expected


def test_thinning_equals_the_slow_one():
    rng = np.random.default_rng(6)
    for shape in ((1, 1), (1, 20), (20, 1), (17, 23), (40, 31), (30, 30)):
        for density in (0.0, 0.02, 0.1, 0.3, 0.6, 1.0):
            white = rng.random(shape) < density
            basins, count = thinning.thin(*connected_components(white))
            expected = slow_thinning(white)
            assert basins.dtype == np.int32
            assert {p: basins[p] for p in np.ndindex(shape) if basins[p]} == expected
            assert count >= max(expected.values())


def test_overlaps_equal_the_slow_table():
    rng = np.random.default_rng(7)
    for shape in ((1, 1), (5, 9), (30, 21)):
        for density in (0.0, 0.5, 0.8):
            label, white = rng.random(shape) < density, rng.random(shape) < 0.6
            found = overlap.count_overlaps(
                overlap.group_components(label), *connected_components(white)
            )
            expected = slow_table(slow_components(label), slow_components(white))
            entries = list(zip(*(part.tolist() for part in found), strict=True))
            assert entries == [(*key, expected[key]) for key in sorted(expected)]


def test_warped_labels_equal_the_slow_ones():
    for seed, kind in enumerate(("noise", "tenths", "smooth", "close") * 2):
        labels, prediction = make_case(seed + 40, (1, 18, 26), kind)
        for t in inputs.thresholds()[1:10:3]:
            warped, rows, columns = warping.warp(labels[0], prediction[0], t)
            s, target = slow_warp(labels[0], prediction[0], t)
            assert np.array_equal(warped, s == 1)
            assert sorted(zip(rows, columns, strict=True)) == [
                tuple(p) for p in np.argwhere(s != target)
            ]


NAMES = {
    mismatches.OBJECT_DELETION: "object",
    mismatches.OBJECT_ADDITION: "object",
    mismatches.HOLE_ADDITION: "hole",
    mismatches.HOLE_DELETION: "hole",
    mismatches.MERGER: "merger",
    mismatches.SPLIT: "split",
}


@pytest.mark.parametrize("shape", [(7, 7), (19, 44), (20, 44), (52, 47)])
@pytest.mark.parametrize("density", [0.15, 0.5, 0.62, 0.75])
def test_kinds_equal_the_slow_ones(shape, density):
    """Every pixel of an image, as if it were a mismatch: more cases than warping leaves over."""
    white = np.random.default_rng(int(density * 100)).random(shape) < density
    ids, _ = connected_components(white)
    places = np.argwhere(np.ones(shape, bool))
    if shape == (52, 47):
        places = places[::3]
    kinds = mismatches.classify(white, ids, places[:, 0], places[:, 1])
    slow_ids = slow_components(white)
    slow = [slow_kind(white.astype(int), slow_ids, int(y), int(x)) for y, x in places]
    assert [NAMES[kind] for kind in kinds] == slow


def test_a_stack_pools_and_averages():
    """Reports of single slices are those of the slices scored alone, and the table adds up."""
    labels, prediction = make_case(77, (3, 11, 13), "close")
    whole = metrics.isbi2012_details(labels, prediction)
    assert len(whole["slices"]) == 3
    for image, label, report in zip(prediction, labels, whole["slices"], strict=True):
        alone = metrics.isbi2012_details(label, image)
        for key in ("scores", "winners", "warping_at_v_rand", "tables"):
            assert report[key] == alone[key]
    pixels = np.array([report["tables"]["warping_pixels"] for report in whole["slices"]])
    assert whole["tables"]["warping_pixels"] == pixels.sum(axis=0).tolist()
    thinned = np.array([report["tables"]["v_rand_thinned"] for report in whole["slices"]])
    np.testing.assert_allclose(whole["tables"]["v_rand_thinned"], thinned.mean(axis=0), atol=1e-15)
    assert isbi.isbi2012(labels, prediction) == whole["scores"]


def test_kinds_by_hand():
    """What the slow table calls an object or a hole, told apart: added or deleted."""
    names = ["OBJECT_DELETION", "OBJECT_ADDITION", "HOLE_ADDITION", "HOLE_DELETION"]
    names += ["MERGER", "SPLIT"]
    values = [getattr(mismatches, name) for name in names]
    assert values == [1, 2, 3, 4, 5, 6]

    def kind(rows, y, x):
        white = np.array([[c == "1" for c in row] for row in rows])
        ids, _ = connected_components(white)
        found = mismatches.classify(white, ids, np.array([y]), np.array([x]))
        assert found.dtype == np.uint8
        return names[values.index(found[0])]

    dot, holed = ("000", "010", "000"), ("111", "101", "111")
    assert kind(dot, 1, 1) == "OBJECT_DELETION"  # a lone white pixel would go
    assert kind(("000", "000", "000"), 1, 1) == "OBJECT_ADDITION"
    assert kind(("111", "111", "111"), 1, 1) == "HOLE_ADDITION"  # black would come into a cell
    assert kind(holed, 1, 1) == "HOLE_DELETION"
    assert kind(dot, 0, 0) == "HOLE_ADDITION"  # black, one cell and black about it
    assert kind(("101", "101", "101"), 1, 1) == "MERGER"  # two cells and black
    assert kind(("111", "010", "111"), 1, 1) == "SPLIT"
    assert kind(("111", "011", "111"), 1, 1) == "HOLE_DELETION"  # one part and black: no split
