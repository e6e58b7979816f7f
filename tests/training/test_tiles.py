"""From slices to training tiles: weights, and tiles that depend on nothing but seed and step."""

import threading

import numpy as np
import pytest
from runs import tiny, tiny_dataset

from tinyunet.geometry import output_size
from tinyunet.images import Dataset
from tinyunet.training.tiles import TileFeed, TrainingSlice, draw_tile, prepare_slices
from tinyunet.weight_map import separate_touching, weight_map


def instances():
    """Two cells that touch, and a slice without truth."""
    cells = np.zeros((30, 34), np.int32)
    cells[4:14, 3:12], cells[4:14, 12:22] = 1, 9
    images = [np.random.default_rng(i).standard_normal((1, 30, 34)).astype("f4") for i in range(2)]
    valid = np.ones((30, 34), bool)
    valid[20:] = False
    return Dataset(images, [None, cells], [None, valid], ["t000", "t001"], kind="instances")


def test_classes_keep_their_numbers():
    dataset = tiny_dataset()
    dataset.n_classes = 3
    dataset.labels[1][:3] = 2
    first, second = prepare_slices(dataset, tiny())[:2]
    assert second.classes.dtype == np.uint8
    assert np.array_equal(second.classes, dataset.labels[1])
    assert second.classes.max() == 2
    assert np.array_equal(second.image, dataset.images[1])
    assert (first.name, second.name) == ("0", "1")
    expected = weight_map(dataset.labels[1] > 0, 10.0, 5.0, instances=False)
    assert np.array_equal(second.weight_map, expected)


def test_objects_are_cut_apart_and_weighted():
    dataset = instances()
    (slice_,) = prepare_slices(dataset, tiny(w0=7.0, sigma=3.0, border=3))
    apart = separate_touching(dataset.labels[1], 3)
    assert slice_.name == "t001"
    assert np.array_equal(slice_.classes, apart > 0)
    assert slice_.classes.dtype == np.uint8
    assert 0 < slice_.classes.sum() < (dataset.labels[1] > 0).sum()
    expected = weight_map(apart, 7.0, 3.0, instances=True, valid=dataset.valid[1])
    assert np.array_equal(slice_.weight_map, expected)
    assert not slice_.weight_map[20:].any()
    assert slice_.weight_map[:20].all()


def test_a_border_of_nothing_leaves_the_cells_as_they_are():
    dataset = instances()
    (slice_,) = prepare_slices(dataset, tiny(border=0))
    assert np.array_equal(slice_.classes, dataset.labels[1] > 0)


def test_without_balance_the_borders_are_left():
    dataset = instances()
    (only,) = prepare_slices(dataset, tiny(balance=False))
    cells = separate_touching(dataset.labels[1], 2)
    expected = weight_map(cells, 10.0, 5.0, False, instances=True, valid=dataset.valid[1])
    assert np.array_equal(only.weight_map, expected)
    assert only.weight_map[5, 5] == 1.0


def test_without_a_weight_map():
    (slice_,) = prepare_slices(instances(), tiny(weight_map=False))
    assert slice_.weight_map.dtype == np.float32
    assert np.array_equal(slice_.weight_map, instances().valid[1])
    assert all(s.weight_map is None for s in prepare_slices(tiny_dataset(), tiny(weight_map=False)))


def equal(one, other):
    return all(
        (a is None and b is None) or (a.dtype == b.dtype and np.array_equal(a, b))
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("tile", [18, 34])
def test_shapes_and_dtypes(tile, weighted):
    settings = tiny(tile=tile, weight_map=weighted)
    x, labels, weights = draw_tile(prepare_slices(tiny_dataset(), settings), settings, 1)
    side = output_size(tile, 2)
    assert (x.shape, x.dtype) == ((1, 1, tile, tile), np.float32)
    assert (labels.shape, labels.dtype) == ((1, side, side), np.uint8)
    if weighted:
        assert (weights.shape, weights.dtype) == ((1, side, side), np.float32)
    else:
        assert weights is None


def test_a_tile_depends_on_seed_and_step_alone():
    settings = tiny()
    slices = prepare_slices(tiny_dataset(), settings)
    tile = draw_tile(slices, settings, 3)
    assert equal(tile, draw_tile(slices, settings, 3))
    assert equal(tile, draw_tile(slices, tiny(steps=99, lr=0.5, base_channels=8), 3))
    assert not equal(tile, draw_tile(slices, settings, 4))
    assert not equal(tile, draw_tile(slices, tiny(seed=8), 3))


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_threads_change_nothing(workers, ahead):
    settings = tiny(steps=6)
    slices = prepare_slices(tiny_dataset(), settings)
    with TileFeed(slices, settings, workers=workers, ahead=ahead) as feed:
        for step in range(1, 7):
            assert equal(feed.next_tile(), draw_tile(slices, settings, step))
    with TileFeed(slices, settings, start=4, workers=workers, ahead=ahead) as feed:
        for step in (4, 5, 6):
            assert equal(feed.next_tile(), draw_tile(slices, settings, step))


def test_nothing_is_drawn_beyond_the_last_step(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "tinyunet.training.tiles.draw_tile", lambda slices, settings, step: drawn.append(step)
    )
    with TileFeed([], tiny(steps=4), start=2) as feed:
        for _ in range(3):
            feed.next_tile()
        with pytest.raises(IndexError):
            feed.next_tile()
    assert drawn == [2, 3, 4]


def test_two_tiles_are_drawn_ahead(monkeypatch):
    monkeypatch.setattr("tinyunet.training.tiles.draw_tile", lambda slices, settings, step: step)
    with TileFeed([], tiny()) as feed:
        for _ in range(3):
            assert len(feed._ready) == 2
            feed.next_tile()


def test_its_threads_end_with_it(monkeypatch):
    monkeypatch.setattr("tinyunet.training.tiles.draw_tile", lambda slices, settings, step: step)
    with TileFeed([], tiny()) as feed:
        feed.next_tile()
        assert any(thread.name.startswith("tile") for thread in threading.enumerate())
    assert not any(thread.name.startswith("tile") for thread in threading.enumerate())


def test_waiting_is_counted(monkeypatch):
    clock = iter([0.0, 1.5, 10.0, 10.25])
    monkeypatch.setattr("tinyunet.training.tiles.time.perf_counter", lambda: next(clock))
    monkeypatch.setattr("tinyunet.training.tiles.draw_tile", lambda slices, settings, step: step)
    with TileFeed([], tiny(), start=1) as feed:
        assert feed.waited == 0.0
        assert [feed.next_tile(), feed.next_tile()] == [1, 2]
    assert feed.waited == 1.75


def test_an_error_while_drawing_reaches_the_caller(monkeypatch):
    def fail(*_):
        raise ValueError("no such tile")

    monkeypatch.setattr("tinyunet.training.tiles.draw_tile", fail)
    with TileFeed([], tiny()) as feed, pytest.raises(ValueError, match="no such tile"):
        feed.next_tile()


def test_all_slices_are_drawn_and_none_other():
    settings = tiny(tile=18, elastic=False, rotation=False, intensity=False, weight_map=False)
    slices = [
        TrainingSlice(np.full((1, 30, 34), i, "f4"), np.zeros((30, 34), "u1"), None, str(i))
        for i in range(3)
    ]
    seen = [draw_tile(slices, settings, step)[0] for step in range(1, 40)]
    assert {int(x.min()) for x in seen} == {0, 1, 2}


def test_the_parts_of_the_recipe_reach_the_transform(monkeypatch):
    asked = []

    class Sample:
        image, labels, weight_map = np.zeros((1, 34, 34)), np.zeros((18, 18)), None

    def transform(image, classes, weights, *, rng, **options):
        asked.append(options)
        return Sample

    monkeypatch.setattr("tinyunet.training.tiles.random_transform", transform)
    slices = prepare_slices(tiny_dataset(), tiny(weight_map=False))
    draw_tile(slices, tiny(), 1)
    draw_tile(slices, tiny(elastic=False, rotation=False, intensity=False, max_zoom=1.5), 1)
    common = {"size": (34, 34), "label_size": (18, 18), "intensity_range": (-1.0, 1.0)}
    full = {"elastic": True, "rotation": True, "quarter_turns": False, "intensity": True}
    full["max_zoom"] = 1.0
    plain = {"elastic": False, "rotation": False, "quarter_turns": True, "intensity": False}
    plain["max_zoom"] = 1.5
    assert asked == [{**common, **full}, {**common, **plain}]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.full((30, 34), 256), "go from 0 to 256: wanted class numbers 0 to 1$"),
        (np.full((30, 34), 257), "go from 0 to 257: wanted"),
        (np.full((30, 34), -255), "go from -255 to 0: wanted"),
        (np.full((30, 34), 2, np.uint8), "go from 0 to 2: wanted class numbers 0 to 1$"),
        (np.full((30, 34), 0.5), "are float64: wanted class numbers 0 to 1$"),
        (np.full((30, 34), 1.9, np.float32), "are float32: wanted class numbers"),
        (np.full((30, 34), 1j), "are complex128: wanted class numbers"),
    ],
)
def test_labels_that_would_wrap_or_be_cut_are_refused(labels, message):
    """astype(uint8) makes 0 of 256, 1 of 257 and −255, and 0 and 1 of 0.5 and 1.9."""
    dataset = tiny_dataset()
    dataset.labels[2] = labels
    with pytest.raises(ValueError, match=f"^labels of slice 2 {message}"):
        prepare_slices(dataset, tiny(weight_map=False))


def test_object_numbers_may_be_large_but_not_negative():
    dataset = tiny_dataset()
    dataset.kind = "instances"
    dataset.labels[1] = np.where(dataset.labels[1] > 0, 70_000, 0)
    assert set(np.unique(prepare_slices(dataset, tiny())[1].classes)) == {0, 1}
    dataset.labels[1] = -dataset.labels[1]
    message = (
        "^labels of slice 1 go from -70000 to 0: wanted whole numbers of at least 0, one an ob"
    )
    with pytest.raises(ValueError, match=message):
        prepare_slices(dataset, tiny())


def test_bool_labels_are_classes():
    dataset = tiny_dataset()
    as_int = prepare_slices(dataset, tiny(weight_map=False))
    dataset.labels = [labels.astype(bool) for labels in dataset.labels]
    as_bool = prepare_slices(dataset, tiny(weight_map=False))
    assert all(np.array_equal(a.classes, b.classes) for a, b in zip(as_int, as_bool, strict=True))
