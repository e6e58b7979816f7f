"""The interactive figures of the lessons: offline, linked, and equal in numbers to the package."""

import base64
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tinyunet import geometry
from tinyunet.augment import Transform, apply_transform, grid_lines, source_coordinates
from tinyunet.augment.field import axis_basis, spline_coefficients
from tinyunet.augment.reference import keys_weights, sample_cubic, sample_nearest
from tinyunet.backends.cpu.cook_toom import POINTS, cook_toom
from tinyunet.inference.tiling import plan_axis
from tinyunet.nn import reference as naive

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "lessons" / "interactive"
PAGES = sorted(FOLDER.glob("*.html"))
NUMERIC = [
    "conv2d.js",
    "geometry.js",
    "tiling.js",
    "field.js",
    "cooktoom.js",
]  # these know nothing of the page
TOUCH = ("pointerdown", "keydown")


def picture():
    """The picture and the labels of lesson 09, one above the other, (384, 192) uint8."""
    from tinyunet.images import synthetic_membranes

    image, labels = (stack[0] for stack in synthetic_membranes(1, size=192, seed=4))
    return np.concatenate([image, 255 * labels])


def write_picture():
    """Write membranes.js anew: `python tests/lessons/test_interactive.py`."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture()).save(file, "PNG", optimize=True)
    text = base64.b64encode(file.getvalue()).decode("ascii")
    (FOLDER / "membranes.js").write_text(
        '"use strict";\n'
        "// The picture of lesson 09, its labels below it, as a PNG:\n"
        "// synthetic_membranes(1, size=192, seed=4), "
        "written by tests/lessons/test_interactive.py.\n"
        f'const MEMBRANES = "data:image/png;base64,{text}";\n',
        encoding="utf-8",
    )


def javascript(expression, files=NUMERIC, **values):
    """What `expression` is in node, with `values` as constants, after loading the files."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node, which runs JavaScript without a browser, is not installed")
    # As in a page: one script after the other, all in one global scope.
    sources = [(FOLDER / name).read_text(encoding="utf-8") for name in files]
    constants = [f"const {name} = {json.dumps(value)};" for name, value in values.items()]
    program = "\n".join([*sources, *constants, f"console.log(JSON.stringify({expression}));"])
    done = subprocess.run([node, "-"], input=program, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# ---- convolution -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "kernel"), [((7, 7), (3, 3)), ((5, 6), (2, 3)), ((4, 3), (1, 3))]
)
def test_convolution_and_its_gradients_are_the_packages(image, kernel):
    rng = np.random.default_rng(1)
    x, weight = rng.standard_normal(image), rng.standard_normal(kernel)
    y = naive.conv2d(x[None, None], weight[None, None], np.array([0.7]))
    dy = rng.standard_normal(y.shape)
    dx, dweight, dbias = naive.conv2d_backward(dy, x[None, None], weight[None, None])
    values = {"x": x.tolist(), "weight": weight.tolist(), "dy": dy[0, 0].tolist()}
    got = javascript("[conv2d(x, weight, 0.7), conv2dBackward(dy, x, weight)]", **values)
    np.testing.assert_allclose(got[0], y[0, 0], rtol=1e-12)
    for name, right in (("dx", dx[0, 0]), ("dweight", dweight[0, 0]), ("dbias", dbias[0])):
        np.testing.assert_allclose(got[1][name], right, rtol=1e-12, atol=1e-13)


def test_links_gathered_by_any_end_add_up_to_forward_and_backward():
    """The products that the figure writes out are the ones that the loops add up."""
    rng = np.random.default_rng(2)
    x, weight = rng.standard_normal((5, 6)), rng.standard_normal((2, 3))
    y = naive.conv2d(x[None, None], weight[None, None], np.zeros(1))[0, 0]
    dy = rng.standard_normal(y.shape)
    dx, dweight, _ = naive.conv2d_backward(dy[None, None], x[None, None], weight[None, None])
    at = {"pixel": x, "tap": weight, "output": dy}
    expected = {"output": y, "pixel": dx[0, 0], "tap": dweight[0, 0]}
    shapes = {end: list(array.shape) for end, array in expected.items()}
    links = javascript(
        "Object.entries(shapes).map(([end, shape]) =>"
        " [end, ndindex(...shape).map((at) => linksOf(x, weight, end, at))])",
        x=x.tolist(),
        weight=weight.tolist(),
        shapes=shapes,
    )
    for end, lists in links:
        first, second = (array for other, array in at.items() if other != end)
        names = [other for other in at if other != end]
        sums = [
            sum(first[tuple(link[names[0]])] * second[tuple(link[names[1]])] for link in one)
            for one in lists
        ]
        np.testing.assert_allclose(np.reshape(sums, shapes[end]), expected[end], rtol=1e-12)


def test_the_kernel_turned_by_half_a_circle():
    assert javascript("turned([[1, 2, 3], [4, 5, 6]])") == [[6, 5, 4], [3, 2, 1]]


@pytest.mark.parametrize(("example", "lesson"), [("one", "01"), ("two", "02")])
def test_examples_are_the_lessons_numbers(example, lesson):
    """The arrays `image`, `kernel` and `upstream` of the lesson's first blocks."""
    text = next((ROOT / "lessons").glob(f"{lesson}-*.md")).read_text(encoding="utf-8")
    namespace = {}
    exec(re.search(r"```python\n(import numpy.*?)```", text, re.S)[1], namespace)
    program = (FOLDER / "convolution.js").read_text(encoding="utf-8")
    table = re.search(r"const EXAMPLES = (\{.*?\n\});", program, re.S)[1]
    shown = javascript(f"({table})")
    np.testing.assert_array_equal(shown[example]["x"], namespace["image"])
    kernel = namespace["kernel"]
    np.testing.assert_array_equal(shown[example]["weight"], kernel)
    if example == "one":
        assert shown["one"]["bias"] == 1  # "here it is 1"
        corner = np.array(shown["seven"]["x"])[:4, :4]
        np.testing.assert_array_equal(corner, namespace["image"])
    else:
        np.testing.assert_array_equal(shown[example]["dy"], namespace["upstream"])
    for one in shown.values():
        wanted = np.subtract(np.shape(one["x"]), np.shape(one["weight"])) + 1
        assert np.shape(one["dy"]) == tuple(wanted)


# ---- elastic deformation ------------------------------------------------------------------------


def transform_of(vectors, height, width):
    centre = ((height - 1) / 2, (width - 1) / 2)
    return Transform(size=(height, width), centre=centre, displacement=vectors)


@pytest.mark.parametrize(
    ("grid", "frame"), [((3, 3), (24, 31)), ((2, 5), (17, 9)), ((3, 3), (1, 7))]
)
def test_displacement_field_is_the_packages(grid, frame):
    vectors = np.random.default_rng(3).normal(size=(2, *grid)) * 10
    got = javascript(
        "[vectors.map(splineCoefficients), axisBasis(frame[0], vectors[0].length)"
        ".map((row) => [...row]), sourceCoordinates(vectors, ...frame).map((f) => [...f])]",
        vectors=vectors.tolist(),
        frame=frame,
    )
    np.testing.assert_allclose(got[0], spline_coefficients(vectors), rtol=1e-12)
    basis = axis_basis(0, frame[0], frame[0], grid[0], None)
    np.testing.assert_allclose(got[1], basis, rtol=1e-12, atol=1e-15)
    source = source_coordinates(transform_of(vectors, *frame))
    np.testing.assert_allclose(np.reshape(got[2], source.shape), source, rtol=1e-12, atol=1e-12)


def test_reading_between_pixels_is_the_packages():
    rng = np.random.default_rng(4)
    array = rng.integers(0, 256, (9, 6))
    points = rng.uniform(-15, 22, (2, 60))
    points[:, :4] = [[2, 2.5, -0.5, 8], [3, 3.5, 1.5, 5.5]]  # on pixels, and exactly half way
    got = javascript(
        "[sampleCubic(picture, points), sampleNearest(picture, points),"
        " [0, 0.25, 0.9].map(keysWeights)]",
        picture={"data": array.ravel().tolist(), "height": 9, "width": 6},
        points=points.tolist(),
    )
    cubic = sample_cubic(array[None], points[:, None])
    np.testing.assert_allclose(got[0], cubic[0, 0], rtol=1e-12, atol=1e-11)
    np.testing.assert_array_equal(got[1], sample_nearest(array[None], points[:, None])[0, 0])
    np.testing.assert_allclose(got[2], [keys_weights(t) for t in (0, 0.25, 0.9)], rtol=1e-13)


def test_deformed_picture_and_labels_are_what_augmentation_makes():
    """The whole figure: lesson 09's picture, bent by nine vectors, to the last grey level."""
    both = picture()
    vectors = np.random.default_rng(12).normal(size=(2, 3, 3)) * 10
    right = apply_transform(transform_of(vectors, 192, 192), both[:192], both[192:])
    got = javascript(
        "((source) => [[...new Uint8ClampedArray(sampleCubic(image, source))],"
        " [...sampleNearest(labels, source)]])(sourceCoordinates(vectors, 192, 192))",
        vectors=vectors.tolist(),
        image={"data": both[:192].ravel().tolist(), "height": 192, "width": 192},
        labels={"data": both[192:].ravel().tolist(), "height": 192, "width": 192},
    )
    grey = np.reshape(got[0], (192, 192)).astype(int)
    assert (grey != right.image).mean() < 1e-3  # float32 in the package: a few halves round over
    assert abs(grey - right.image.astype(int)).max() <= 1
    np.testing.assert_array_equal(np.reshape(got[1], (192, 192)), right.labels)


def test_areas_tell_folded_pictures():
    small = [[[0, 0, 0], [0, 2, 0], [0, 0, 0]], [[0, 0, 1], [0, 0, 0], [0, -2, 0]]]
    for factor, folded in ((1, False), (40, True)):
        vectors = factor * np.array(small, float)
        rows, columns = source_coordinates(transform_of(vectors, 33, 40))
        down = np.diff(rows, axis=0)[:, 1:] * np.diff(columns, axis=1)[1:]
        area = down - np.diff(rows, axis=1)[1:] * np.diff(columns, axis=0)[:, 1:]
        got = javascript(
            "areas(sourceCoordinates(vectors, 33, 40), 33, 40)", vectors=vectors.tolist()
        )
        np.testing.assert_allclose(got, [area.min(), area.max()], rtol=1e-9)
        assert (got[0] <= 0) is folded


def test_grid_lines_are_the_packages():
    """In elastic.js, beside the page's own functions: taken out by its name."""
    source = (FOLDER / "elastic.js").read_text(encoding="utf-8")
    function = re.search(r"^function gridLines.*?^}", source, re.S | re.M)[0]
    vectors = np.random.default_rng(5).normal(size=(2, 3, 3)) * 5
    got = javascript(
        f"(() => {{ const STEP = 24; {function}"
        " return gridLines(sourceCoordinates(vectors, 50, 70), 50, 70); })()",
        vectors=vectors.tolist(),
    )
    wanted = grid_lines(transform_of(vectors, 50, 70), step=24)
    assert len(got) == len(wanted) == 3 + 3
    for line, right in zip(got, wanted, strict=True):
        np.testing.assert_allclose(line, right, rtol=1e-12, atol=1e-12)


def test_the_picture_is_lesson_nines():
    from PIL import Image

    text = (FOLDER / "membranes.js").read_text(encoding="utf-8")
    data = base64.b64decode(re.search(r"base64,([^\"]+)", text)[1])
    with Image.open(io.BytesIO(data)) as kept:
        difference = np.asarray(kept, float) - picture()
    # SciPy's filters may round a few grey values the other way from version to version.
    assert abs(difference[:192]).max() <= 1
    assert (difference[192:] != 0).mean() < 1e-3


# ---- tiles --------------------------------------------------------------------------------------


def test_sizes_are_geometrys():
    depths, numbers = [1, 2, 3, 4, 5], list(range(1, 420))
    got = javascript(
        "depths.map((depth) => [scale(depth), margin(depth), smallestSize(depth),"
        " legalSizes(depth, 700), legalSizes(depth, 700).map((n) => outputSize(n, depth)),"
        " numbers.map((n) => [fits(n, depth), inputSize(n, depth)])])",
        depths=depths,
        numbers=numbers,
    )
    for depth, values in zip(depths, got, strict=True):
        sizes = geometry.legal_sizes(depth, 700)
        assert values == [
            geometry.scale(depth),
            geometry.margin(depth),
            geometry.smallest_size(depth),
            sizes,
            [geometry.output_size(n, depth) for n in sizes],
            [[geometry.fits(n, depth), geometry.input_size(n, depth)] for n in numbers],
        ]


def test_mirror_is_geometrys():
    sizes, index = [1, 2, 4, 9], list(range(-25, 30))
    got = javascript("sizes.map((n) => index.map((i) => mirror(i, n)))", sizes=sizes, index=index)
    assert got == [geometry.mirror(np.array(index), size).tolist() for size in sizes]


def test_tile_layout_is_the_packages():
    cases = [
        (10, 22, 2), (512, 572, 5), (700, 700, 5), (192, 140, 4), (1, 204, 5), (384, 572, 5),
        (388, 572, 5), (389, 572, 5), (100, 44, 3), (57, 5, 1),
    ]  # fmt: skip
    got = javascript("cases.map((one) => planAxis(...one))", cases=cases)
    for plan, case in zip(got, cases, strict=True):
        assert [tuple(entry) for entry in plan] == plan_axis(*case), case
    assert len(got[1]) == 2
    assert got[1][1][0] == 384


def test_tiles_that_do_not_fit_are_refused_as_in_the_package():
    refused = (
        "((f) => {{ try {{ return f(); }} catch (error) {{ return error.message; }} }})(() => {})"
    )
    tries = ("planAxis(100, 188, 5)", "planAxis(4, 188, 5)", "outputSize(190, 5)")
    assert javascript("[" + ", ".join(refused.format(one) for one in tries) + "]") == [
        "tile 188 at depth 5 predicts only 4 pixels",
        [[0, 4, 188]],
        "size 190 does not fit depth 5",
    ]
    for tile, message in ((188, "predicts 4 pixels"), (190, "does not fit depth 5")):
        with pytest.raises(ValueError, match=message):
            plan_axis(100, tile, 5)


def test_cost_and_another_step():
    # 16 tiles of 140² for 192² pixels, the last ones of each axis smaller where less is left
    assert javascript("cost(...[192, 192].map((n) => planAxis(n, 140, 4)))") == 16 * 140**2 / 192**2
    assert javascript("planAxis(512, 572, 5, 388)") == [[0, 388, 572], [388, 124, 316]]


# ---- Winograd ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "outputs"), [((0, 1, -1), 2), ((0, 0.625, -0.625, 1.5, -1.5), 4), ((0, 1), 1)]
)
def test_winograds_matrices_are_the_packages_and_make_a_convolution(points, outputs):
    rng = np.random.default_rng(6)
    d, g = rng.standard_normal(outputs + 2), rng.standard_normal(3)
    got, stages, plain = javascript(
        "((m) => [m, winograd(m, d, g), direct(d, g)])(cookToom(points, outputs))",
        points=points,
        outputs=outputs,
        d=d.tolist(),
        g=g.tolist(),
    )
    for name, right in zip(("at", "g", "bt"), cook_toom(points, outputs=outputs), strict=True):
        np.testing.assert_allclose(got[name], right, rtol=1e-14)
    assert len(stages["m"]) == len(points) + 1  # the products that the figure counts
    y = np.correlate(d, g)
    np.testing.assert_allclose(stages["y"], y, rtol=1e-12)
    np.testing.assert_allclose(plain, y, rtol=1e-12)


def test_winograds_numbers_are_lesson_14s():
    """d = (1, 2, 3, 4) and g = (1, 2, 3); F(2, 3) of the page makes the lesson's 14 and 20."""
    program = (FOLDER / "winograd.js").read_text(encoding="utf-8")
    versions = re.search(r"const VERSIONS = (\{.*?\n\});", program, re.S)[1]
    assert 'version: "two", d: [1, 2, 3, 4, 0, 2], g: [1, 2, 3]' in program
    got = javascript(f"Object.values({versions}).map((v) => [v.points, v.outputs])")
    assert got == [[[0, 1, -1], 2], [[0, 1, -1, 2, -2], 4], [list(POINTS), 4]]
    stages = javascript("winograd(cookToom([0, 1, -1], 2), [1, 2, 3, 4], [1, 2, 3])")
    assert stages["y"] == [14, 20]
    assert [abs(value) for value in stages["m"]] == [2, 15, 1, 6]


# ---- the pages ----------------------------------------------------------------------------------


class Tags(HTMLParser):
    """All tags of a page as (name, attributes)."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def tags(path):
    return Tags(path.read_text(encoding="utf-8")).found


def test_there_are_the_figures_that_were_promised():
    names = {path.stem for path in PAGES}
    assert names >= {"convolution", "convolution-backward", "elastic", "tiles", "winograd"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_pages_load_only_files_that_lie_beside_them(path):
    """No address, no folder above: what works from a disk works everywhere."""
    loaded = [
        attributes.get("src") or attributes.get("href")
        for tag, attributes in tags(path)
        if tag in ("script", "link", "img", "iframe", "source", "video", "audio")
    ]
    assert None not in loaded, "an inline script: put it in a file"
    for name in loaded:
        assert re.fullmatch(r"[\w-]+\.(js|css)", name), name
        assert (FOLDER / name).is_file(), name


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.*")), ids=lambda path: path.name)
def test_files_reach_for_nothing_in_the_network_and_are_used(path):
    text = path.read_text(encoding="utf-8")
    addresses = set(re.findall(r"\b(?:https?:)?//[\w-]+\.\w[^\s\"']*", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "//www.w3.org/2000/svg"}, addresses
    for reach in ("fetch(", "XMLHttpRequest", "import(", "@import", "url(", "eval(", "innerHTML"):
        assert reach not in text, f"{path.name} has {reach}"
    if path.suffix != ".html":
        pages = [page.read_text(encoding="utf-8") for page in PAGES]
        assert any(f'"{path.name}"' in page for page in pages), f"no page loads {path.name}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_pages_say_how_high_they_are_and_speak_to_everyone(path):
    found = tags(path)
    metas = {a["name"]: a["content"] for tag, a in found if tag == "meta" and "name" in a}
    assert 400 <= int(metas["height"]) <= 700
    assert metas["viewport"] == "width=device-width, initial-scale=1"
    assert ("html", {"lang": "en"}) in found
    ids = [attributes["id"] for _, attributes in found if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert any("aria-live" in attributes for _, attributes in found)
    scripts = [FOLDER / a["src"] for tag, a in found if tag == "script"]
    programs = "".join(script.read_text(encoding="utf-8") for script in scripts)
    for event in TOUCH:
        assert f'"{event}"' in programs, f"{path.name} does not listen to {event}"
    made = set(re.findall(r'id: ["`]([\w-]+)["`]', programs))
    for name in re.findall(r'byId\("([\w-]+)"\)', programs):
        assert name in ids or name in made, f"{path.name} has no #{name}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_lesson_links_every_figure_in_a_paragraph_of_its_own(path):
    lessons = [p.read_text(encoding="utf-8") for p in (ROOT / "lessons").glob("[0-9]*.md")]
    link = re.compile(rf"\n\n\[[^\]]+\]\(interactive/{path.name}\)\n\n")
    assert sum(len(link.findall(text)) for text in lessons) == 1


def test_links_lead_to_figures():
    for lesson in (ROOT / "lessons").glob("[0-9]*.md"):
        for name in re.findall(r"\(interactive/([^)]+)\)", lesson.read_text(encoding="utf-8")):
            assert FOLDER / name in PAGES, f"{lesson.name} links interactive/{name}"


if __name__ == "__main__":
    write_picture()
