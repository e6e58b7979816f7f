"""Overlap-tile prediction: `tinyunet/inference/predict.py` (lesson 10).

The proof of figure 2: the stitched map equals the whole image in one pass. The whole pass is
written here with `np.pad(mode="reflect")` and shares nothing with the code that it judges.
"""

import numpy as np
import pytest

from tinyunet import geometry
from tinyunet.images import compress, normalise
from tinyunet.inference.predict import (
    dihedral,
    mean_and_std,
    predict_pages,
    predict_stack,
    predict_tiled,
)
from tinyunet.nn.unet import UNet


def network(depth=3, in_channels=1, n_classes=2, dtype="float64", seed=0):
    """A small network with its biases drawn too: zeros would hide a misplaced window."""
    net = UNet(in_channels, n_classes, depth, base_channels=2, seed=seed, dtype=dtype, device="cpu")
    rng = np.random.default_rng(seed + 100)
    for name, value in net.params.items():
        if name.endswith("bias"):
            value[...] = rng.normal(0, 0.3, value.shape)
    return net


def whole_pass(net, image):
    """One forward pass of the mirrored image, cut to its size: the definition of the result."""
    image = np.asarray(image, net.dtype).reshape(net.in_channels, *np.shape(image)[-2:])
    _, height, width = image.shape
    border = geometry.margin(net.depth)
    extra = [geometry.input_size(size, net.depth) - 2 * border - size for size in (height, width)]
    padded = np.pad(
        image,
        ((0, 0), (border, border + extra[0]), (border, border + extra[1])),
        mode="reflect",
    )
    return net.predict_proba(padded[None])[0, :, :height, :width]


def picture(height, width, channels=1, seed=1):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(channels, height, width))
    return image[0] if channels == 1 else image


def float64_out(net, image):
    return np.full((net.n_classes, *np.shape(image)[-2:]), np.nan)


@pytest.mark.parametrize(
    ("depth", "size", "tile"),
    [
        (3, (48, 36), 52),  # 52 → 12: divides both sides
        (3, (47, 37), 52),  # ... and does not
        (3, (48, 50), (60, 84)),  # 20 and 44 pixels
        (3, (9, 61), (44, 92)),
        (3, (1, 1), 44),
        (3, (1, 30), 44),
        (3, (30, 1), (92, 44)),
        (3, (2, 3), 92),
        (3, (12, 12), 52),
        (3, (13, 13), 52),
        (2, (17, 12), 18),  # 2 pixels a tile, the fewest
        (2, (21, 12), 28),
        (4, (50, 39), 108),  # 20 → tiles lie 16 apart: the output is no multiple of 8
        (4, (41, 36), (132, 100)),
        (1, (9, 7), 5),
        (1, (9, 7), 8),
    ],
)
def test_stitched_equals_the_whole_image_in_one_pass(depth, size, tile):
    net = network(depth, n_classes=3)
    image = picture(*size)
    out = float64_out(net, image)
    got = predict_tiled(net, image, tile, out=out)
    assert got is out
    np.testing.assert_allclose(got, whole_pass(net, image), rtol=0, atol=1e-12)


def test_depth_five_in_float32():
    net = network(5, dtype="float32")
    image = picture(70, 45).astype(np.float32)
    got = predict_tiled(net, image, 204)
    assert got.dtype == np.float32
    assert got.shape == (2, 70, 45)
    np.testing.assert_allclose(got, whole_pass(net, image), rtol=0, atol=2e-6)
    np.testing.assert_allclose(got.sum(axis=0), 1, rtol=0, atol=1e-6)


def test_every_pixel_is_predicted_once_and_reads_only_its_window():
    """A network that answers with its input, and counts: what is written where, how often."""

    class Counter:
        depth, in_channels, n_classes, dtype = 4, 1, 2, np.dtype(float)
        normalisation = None

        def __init__(self):
            self.shapes = []

        def predict_proba(self, x):
            self.shapes.append(x.shape)
            border = geometry.margin(self.depth)
            inside = x[:, :, border:-border, border:-border]
            return np.concatenate([inside, np.ones_like(inside)], axis=1)

    net = Counter()
    image = np.arange(61 * 43.0).reshape(61, 43)
    written = np.zeros((2, 61, 43)).view(Recorder)
    written.log = []
    got = predict_tiled(net, image, (108, 92 + 24), out=written)
    np.testing.assert_array_equal(got[0], image)
    times = np.zeros((61, 43), int)
    for rows, columns in written.log:
        times[rows, columns] += 1
    assert np.all(times == 1)
    # 61 rows: 16 + 16 + 16 + 13 (the tile predicts 20); 43 columns: 24 + 19 (it predicts 28).
    assert [shape[2:] for shape in net.shapes] == [(108, 116), (108, 108)] * 4


class Recorder(np.ndarray):
    """Keeps the (rows, columns) of every slice that is taken of it."""

    def __array_finalize__(self, source):
        self.log = getattr(source, "log", None)

    def __getitem__(self, key):
        if isinstance(key, tuple) and len(key) == 3 and isinstance(key[1], slice):
            self.log.append(key[1:])
        return super().__getitem__(key)


def test_tile_changes_nothing_but_rounding():
    net = network(3)
    image = picture(75, 58)
    outs = [
        predict_tiled(net, image, tile, out=float64_out(net, image))
        for tile in (44, 52, (148, 56), None)
    ]
    for other in outs[1:]:
        np.testing.assert_allclose(other, outs[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("average", [2, 4, 7, 8])
def test_average_is_the_mean_of_probabilities_over_turned_images(average):
    net = network(3)
    image = picture(25, 38)
    expected = np.zeros((2, 25, 38))
    undo = {
        0: lambda p: p,
        1: lambda p: np.rot90(p, -1, axes=(1, 2)),
        2: lambda p: np.rot90(p, -2, axes=(1, 2)),
        3: lambda p: np.rot90(p, -3, axes=(1, 2)),
    }
    for version in range(average):
        seen = np.fliplr(image) if version >= 4 else image
        seen = np.rot90(seen, version % 4)
        back = undo[version % 4](whole_pass(net, seen))
        expected += (back[:, :, ::-1] if version >= 4 else back) / average
    got = predict_tiled(net, image, (52, 60), average, out=float64_out(net, image))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)
    assert np.abs(got - whole_pass(net, image)).max() > 1e-4


def test_the_eight_versions_differ_and_are_views():
    array = np.arange(6.0).reshape(1, 2, 3)
    versions = [dihedral(array, version) for version in range(8)]
    assert len({version.tobytes() + bytes(version.shape) for version in versions}) == 8
    assert all(np.shares_memory(version, array) for version in versions)
    np.testing.assert_array_equal(dihedral(array, 1)[0], [[2, 5], [1, 4], [0, 3]])
    np.testing.assert_array_equal(dihedral(array, 4)[0], [[2, 1, 0], [5, 4, 3]])


def test_average_of_eight_turns_with_the_image():
    """What the average is for: a turned image gets the turned map."""
    net = network(3)
    image = picture(20, 33)
    plain = predict_tiled(net, image, 60, 8, out=float64_out(net, image))
    quarter = np.rot90(image)
    got = predict_tiled(net, quarter, 60, 8, out=float64_out(net, quarter))
    np.testing.assert_allclose(got, np.rot90(plain, axes=(1, 2)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float16, np.float64, bool])
def test_any_dtype_and_layout(dtype):
    net = network(2)
    image = (np.random.default_rng(3).random((23, 31)) * 9).astype(dtype)
    expected = whole_pass(net, image)
    for same in (image, np.asfortranarray(image), np.repeat(image, 2, axis=1)[:, ::2]):
        got = predict_tiled(net, same, 24, out=float64_out(net, image))
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


def test_several_channels():
    net = network(3, in_channels=3, n_classes=4)
    image = picture(30, 41, channels=3)
    got = predict_tiled(net, image, 60, out=float64_out(net, image))
    np.testing.assert_allclose(got, whole_pass(net, image), rtol=0, atol=1e-12)
    single = network(2)
    flat = picture(9, 9)
    np.testing.assert_array_equal(predict_tiled(single, flat), predict_tiled(single, flat[None]))


def test_normalise():
    net = network(2, in_channels=2)
    image = np.random.default_rng(0).integers(0, 256, (2, 19, 23)).astype(np.uint8)
    image[1] //= 3
    for asked, used in (
        ("image", (image.mean(dtype=float), image.std(dtype=float))),
        ((100, 50), (100, 50)),
        (([90, 31], 50), (np.array([90, 31])[:, None, None], 50)),
        ((0, [50, 20]), (0, np.array([50, 20])[:, None, None])),
        (None, (0, 1)),
    ):
        given = image / 64 if asked is None else image
        got = predict_tiled(net, given, 24, normalise=asked, out=float64_out(net, image))
        expected = whole_pass(net, (given.astype(float) - used[0]) / used[1])
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


def test_normalise_is_what_training_does():
    image = np.random.default_rng(0).integers(0, 2**16, (1, 30, 21)).astype(np.uint16)
    mean, std = mean_and_std(image, 7)
    np.testing.assert_allclose((image - mean) / std, normalise(image), rtol=0, atol=1e-6)


def test_a_large_mean_costs_no_digits():
    net, rng = UNet(depth=2, base_channels=2, device="cpu"), np.random.default_rng(0)
    for image in (
        1e8 + rng.standard_normal((1, 40, 44)),
        2**31 + rng.integers(0, 9, (1, 40, 44)),
        rng.standard_normal((1, 40, 44)) * 1e60,  # beyond float32
    ):
        prepared = normalise(image)
        assert prepared.std() == pytest.approx(1, abs=1e-5)
        expected = predict_tiled(net, prepared, 34, normalise=None)
        got = predict_tiled(net, image, 34, normalise="image")
        np.testing.assert_array_equal(got, expected)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("numbers", [None, (0, 1), (-1.7e308, 1.0)])
def test_what_float32_cannot_hold_is_refused_without_a_warning(numbers):
    net = UNet(depth=2, base_channels=2, device="cpu")
    with pytest.raises(ValueError, match="^image must hold finite values, got NaN or infinity$"):
        predict_tiled(net, np.full((9, 9), 1.7e308), 20, normalise=numbers)


def test_mean_and_std_in_blocks():
    image = np.random.default_rng(0).normal(1e6, 2, (2, 50, 17))
    for rows in (1, 7, 50, 1024):
        mean, std = mean_and_std(image, rows)
        assert mean == pytest.approx(image.mean(), rel=1e-14)
        assert std == pytest.approx(image.std(), rel=1e-9)
    assert mean_and_std(np.full((1, 4, 4), 7, np.uint8)) == (7, 1)
    assert mean_and_std(np.array([[[0.0, 0.5]]])) == (0.25, 0.25)


def test_one_grey_value_is_no_error():
    net = network(2)
    got = predict_tiled(net, np.full((5, 6), 9), normalise="image", out=np.zeros((2, 5, 6)))
    np.testing.assert_allclose(got, whole_pass(net, np.zeros((5, 6))), rtol=0, atol=1e-12)


def test_memory_maps_in_and_out(tmp_path):
    net = network(2)
    source = np.memmap(tmp_path / "in", np.uint8, "w+", shape=(40, 33))
    source[...] = np.random.default_rng(0).integers(0, 256, source.shape)
    target = np.memmap(tmp_path / "out", np.float32, "w+", shape=(2, 40, 33))
    got = predict_tiled(net, source, 24, 8, normalise=(128, 64), out=target)
    assert got is target
    expected = predict_tiled(net, np.array(source), 24, 8, normalise=(128, 64))
    np.testing.assert_array_equal(np.asarray(got), expected)
    assert expected.any()


def test_out_may_not_be_a_second_map_of_the_images_file(tmp_path):
    """NumPy does not notice that two memory maps are one memory."""
    shared = np.memmap(tmp_path / "one", np.float32, "w+", shape=(2, 9, 9))
    image = np.memmap(tmp_path / "one", np.float32, "r", shape=(9, 9))
    net = UNet(1, 2, 2, 2, device="cpu")
    with pytest.raises(ValueError, match="out must not share memory with image"):
        predict_tiled(net, image, 20, out=shared)
    apart = np.memmap(tmp_path / "other", np.float32, "w+", shape=(2, 9, 9))
    assert predict_tiled(net, image, 20, out=apart) is apart


def test_parts_of_one_array_that_do_not_meet_may_be_image_and_out():
    both = np.zeros((3, 9, 9))
    both[0] = picture(9, 9)
    got = predict_tiled(network(2), both[0], 20, out=both[1:])
    np.testing.assert_allclose(got, whole_pass(network(2), picture(9, 9)), atol=1e-12)


def test_a_compressed_image_is_compressed_before_it_is_normalised():
    rng = np.random.default_rng(5)
    image = rng.gamma(0.3, 500, (1, 31, 27)).astype(np.uint16)
    low, high = np.percentile(image, (1, 99.8))
    by_hand = np.sqrt(np.maximum((image - low) / (high - low), 0) + 0.01)
    np.testing.assert_allclose(compress(image), by_hand, rtol=1e-6)
    net = UNet(depth=2, base_channels=3, seed=2, device="cpu")
    net.normalisation = "compressed"
    got = predict_tiled(net, image, 24)
    expected = predict_tiled(net, compress(image), 24, normalise="image")
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(predict_tiled(net, image, 24, normalise="compressed"), got)
    # brightness and contrast of the camera make no difference
    again = predict_tiled(net, image.astype(np.float64) * 3.7 + 1000, 24)
    np.testing.assert_allclose(again, got, atol=1e-5)


def test_images_that_are_hard_to_compress():
    assert np.ptp(compress(np.full((5, 6), 7))) == 0
    one = np.zeros((40, 40), np.uint8)
    one[3, 4] = 200  # brighter than 99.8 % of the others, which are all alike
    assert compress(one)[3, 4] == pytest.approx(np.sqrt(1.01))
    for wrong, message in ((np.zeros((0, 3)), "has no pixels"), (np.full((2, 2), np.nan), "NaN")):
        with pytest.raises(ValueError, match=message):
            compress(wrong)


def test_images_are_normalised_as_the_training_did():
    net, image = network(2), 100 + 20 * picture(19, 23)
    as_they_are = predict_tiled(net, image, 24)
    np.testing.assert_array_equal(as_they_are, predict_tiled(net, image, 24, normalise=None))
    net.normalisation = "image"
    got = predict_tiled(net, image, 24)
    np.testing.assert_array_equal(got, predict_tiled(net, image, 24, normalise="image"))
    assert np.abs(got - as_they_are).max() > 0.01
    pages = []
    predict_stack(net, [image], lambda _, p: pages.append(p), 24)
    np.testing.assert_array_equal(pages[0], got)
    np.testing.assert_array_equal(next(predict_pages(net, [image], 24)), got)
    np.testing.assert_array_equal(predict_tiled(net, image, 24, normalise=None), as_they_are)


def test_an_answer_that_is_not_finite_is_an_error():
    net = network(2, dtype="float32")
    net.params["down1.conv1.weight"][...] = 1e38
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="float32 overflows$"):
        predict_tiled(net, picture(9, 9) + 9, 20)


def test_progress():
    net = network(2)
    calls = []
    predict_tiled(net, picture(8, 5), 20, 2, progress=lambda *numbers: calls.append(numbers))
    # 4 pixels a tile: 2 × 2 tiles, and as many of the turned image
    assert calls == [(done, 8) for done in range(1, 9)]


def test_progress_bar(monkeypatch, capsys):
    monkeypatch.setattr("tinyunet._progress.LINE_EVERY", 0.0)
    predict_tiled(network(2), picture(8, 5), 20, progress=True)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 4
    assert said[0].startswith("tile 1 of 4, 25 %, ")
    assert said[3] == "tile 4 of 4, 100 %, 0 s left"


def test_stack_goes_page_by_page():
    net = network(2)
    images = [picture(9, 7, seed=seed) for seed in range(4)]
    log = []

    def pages():
        for index, image in enumerate(images):
            log.append(("read", index))
            yield image

    written = {}

    def write(index, probabilities):
        log.append(("write", index))
        written[index] = probabilities

    calls = []
    count = predict_stack(
        net,
        pages(),
        write,
        20,
        2,
        normalise="image",
        progress=lambda *numbers: calls.append(numbers),
    )
    assert count == 4
    assert log == [(what, index) for index in range(4) for what in ("read", "write")]
    assert calls == [(done, None) for done in (1, 2, 3, 4)]
    for index, image in enumerate(images):
        expected = predict_tiled(net, image, 20, 2, normalise="image")
        np.testing.assert_array_equal(written[index], expected)
    np.testing.assert_array_equal(
        np.stack(list(predict_pages(net, np.stack(images), 20, 2, normalise="image"))),
        np.stack([written[index] for index in range(4)]),
    )


def test_stack_knows_its_length_and_may_be_empty(monkeypatch, capsys):
    calls = []
    stack = np.zeros((2, 5, 5))
    done = predict_stack(
        network(2), stack, lambda *_: None, progress=lambda *numbers: calls.append(numbers)
    )
    assert (done, calls) == (2, [(1, 2), (2, 2)])
    assert predict_stack(network(2), iter(()), lambda *_: None) == 0
    monkeypatch.setattr("tinyunet._progress.LINE_EVERY", 0.0)
    predict_stack(network(2), stack, lambda *_: None, 18, progress=True)
    said = [line.partition(" %")[0] for line in capsys.readouterr().err.splitlines()]
    parts = [(page, tile) for page in (1, 2) for tile in range(1, 10)]
    lines = [f"page {p} of 2, tile {t} of 9, {100 * (p - 1 + t / 9) / 2:.0f}" for p, t in parts]
    assert said == [*lines[:9], "page 1 of 2, 50", *lines[9:], "page 2 of 2, 100"]
    predict_stack(network(2), iter(stack), lambda *_: None, 18, progress=True)
    assert capsys.readouterr().err.splitlines()[8:10] == ["page 1, tile 9 of 9", "page 1"]


MIXED = np.zeros((2, 9, 12))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tile": 46}, r"tile 46 does not fit depth 3: the nearest sizes are 44 and 48"),
        ({"tile": (44, 20)}, r"tile 20 does not fit depth 3: the nearest size is 44"),
        ({"tile": 44.0}, "tile must be a whole number or .rows, columns., got 44.0"),
        ({"tile": (44, 44, 44)}, "tile must be a whole number or"),
        ({"average": 0}, "average must be a whole number from 1 to 8, got 0"),
        ({"average": 9}, "average must be a whole number from 1 to 8, got 9"),
        ({"average": True}, "average must be a whole number from 1 to 8, got True"),
        ({"average": 2.0}, "average must be a whole number from 1 to 8, got 2.0"),
        ({"image": np.zeros((2, 9, 9))}, r"image \(2, 9, 9\) has 2 channels, the network takes 1"),
        (
            {"image": np.zeros(9)},
            r"image must be \(H, W\) or \(C, H, W\) and not empty, got \(9,\)",
        ),
        ({"image": np.zeros((0, 9))}, r"image must be .* not empty, got \(1, 0, 9\)"),
        ({"image": np.zeros((9, 9), complex)}, "image must hold real numbers, got dtype complex"),
        ({"image": np.full((9, 9), np.nan)}, "image must hold finite values"),
        (
            {"image": np.full((9, 9), np.nan), "normalise": "image"},
            "^image must hold finite values, got NaN or infinity$",
        ),
        (
            {"image": np.where(np.eye(9), np.inf, 0), "normalise": "image"},
            "^image must hold finite values, got NaN or infinity$",
        ),
        (
            {"image": np.where(np.eye(9), np.inf, 0), "normalise": (1.5, 2)},
            "^image must hold finite values, got NaN or infinity$",
        ),
        (
            {"normalise": "stack"},
            "normalise must be None, 'trained', 'image', 'compressed', 'none' or .mean, std., got",
        ),
        (
            {"normalise": 3},
            "normalise must be None, 'trained', 'image', 'compressed', 'none' or .mean, std.",
        ),
        (
            {"normalise": (1, 2, 3)},
            "normalise must be None, 'trained', 'image', 'compressed', 'none' or .mean, std.",
        ),
        ({"normalise": ([1, 2], 3)}, "normalise must be .* one for each of 1 channels"),
        ({"normalise": (0, 0)}, r"normalise needs a finite mean and a std > 0, got \(0, 0\)"),
        ({"normalise": (np.inf, 1)}, "normalise needs a finite mean and a std > 0"),
        (
            {"out": np.zeros((2, 9, 8))},
            r"out must be .* of shape \(2, 9, 9\), got float64 \(2, 9, 8",
        ),
        ({"out": np.zeros((2, 9, 9), int)}, "out must be a float32 or float64 array .* got int"),
        ({"out": [1]}, "out must be a float32 or float64 array .* got list"),
        (
            {"image": MIXED[1, :, :9], "out": MIXED[:, :, :9]},
            "out must not share memory with image: it would be read after the change",
        ),
    ],
)
def test_errors_name_the_argument(change, message):
    arguments = {"image": np.zeros((9, 9)), "tile": 44} | change
    with pytest.raises(ValueError, match=message):
        predict_tiled(network(3), **arguments)


def test_without_a_tile_the_tiling_chooses(monkeypatch):
    """By default: one version of the image, no normalisation, a new float32 array, no bar."""
    import inspect

    from tinyunet.inference import predict

    net, image = network(2), picture(11, 7)
    asked = []
    monkeypatch.setattr(predict, "choose_tile", lambda *given: asked.append(given) or (20, 24))
    got = predict_tiled(net, image)
    assert asked == [(net, 11, 7)]
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, whole_pass(net, image), rtol=0, atol=1e-6)
    wanted = {"tile": None, "average": 1, "normalise": "trained", "progress": None}
    for function in (predict_tiled, predict_pages, predict_stack):
        for name, parameter in inspect.signature(function).parameters.items():
            if name in wanted:
                assert parameter.default == wanted[name], (function, name)
    assert inspect.signature(mean_and_std).parameters["rows"].default == 1024


def test_a_quiet_prediction_says_nothing(capsys):
    predict_tiled(network(2), picture(8, 5), 20)
    predict_tiled(network(2), picture(8, 5), 20, progress=False)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


def test_the_bar_is_closed_also_when_a_tile_fails(monkeypatch, capsys):
    """A bar that is left open goes on drawing over what comes after it."""
    from tqdm import tqdm

    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    image = picture(8, 5)
    image[7, 4] = np.nan
    with pytest.raises(ValueError, match="^image must hold finite values, got NaN or inf"):
        predict_tiled(network(2), image, 20, progress=True)
    assert not tqdm._instances
    capsys.readouterr()


def test_the_caller_keeps_image_and_numbers():
    """Nothing that comes in is written to, also where window and image would be one memory."""
    net = network(1)
    image = picture(9, 7)
    kept = image.copy()
    mean, std = np.array([0.5]), np.array([2.0])
    predict_tiled(net, image, 13, 8, normalise=(mean, std))
    np.testing.assert_array_equal(image, kept)
    assert (mean[0], std[0]) == (0.5, 2.0)
    tiles = [np.int64(13), (np.int32(13), 13), [13, 13]]
    expected = predict_tiled(net, image, 13)
    for tile in tiles:  # whole numbers of NumPy's, tuples and lists
        np.testing.assert_array_equal(predict_tiled(net, image, tile, np.int8(1)), expected)


@pytest.mark.parametrize("version", range(8))
def test_versions_are_turns_of_the_image_or_of_its_mirror_image(version):
    array = np.arange(24.0).reshape(2, 3, 4)
    expected = np.flip(array, 2) if version > 3 else array
    expected = np.rot90(expected, version % 4, axes=(1, 2))
    np.testing.assert_array_equal(dihedral(array, version), expected)


@pytest.mark.parametrize(
    "normalise",
    [
        ((0, np.nan), (1, 1)),
        ((0, 0), (1, 0)),
        ((0, 0), (-1, 1)),
        ((0, 0), (np.inf, 1)),
        ((-np.inf, 0), (1, 1)),
    ],
)
def test_one_wrong_channel_is_enough(normalise):
    with pytest.raises(ValueError, match="^normalise needs a finite mean and a std > 0, got"):
        predict_tiled(network(1, in_channels=2), np.zeros((2, 5, 5)), 13, normalise=normalise)


def test_numbers_to_normalise_with_may_be_an_array_and_none_may_be_said(rng):
    net = UNet(depth=2, base_channels=2, device="cpu")
    image = rng.standard_normal((1, 40, 44), np.float32)
    expected = predict_tiled(net, image, 34, normalise=(0.5, 2.0))
    given = predict_tiled(net, image, 34, normalise=np.array([0.5, 2.0]))
    np.testing.assert_array_equal(given, expected)
    as_it_is = predict_tiled(net, image, 34, normalise=None)
    np.testing.assert_array_equal(predict_tiled(net, image, 34, normalise="none"), as_it_is)
    net.normalisation = "none"
    np.testing.assert_array_equal(predict_tiled(net, image, 34), as_it_is)
