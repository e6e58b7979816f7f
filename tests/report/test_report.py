"""A run on one page, its pictures while it learns, and its scores on what it held out."""

import base64
import html
import json
import re

import numpy as np
import pytest
from PIL import Image
from runs import snapshot, tiny, tiny_dataset

from tinyunet.inference.postprocess import probabilities_to_cells
from tinyunet.inference.predict import predict_tiled
from tinyunet.metrics import seg
from tinyunet.report import Display, held_out, page, score_and_report, score_held_out, write_report
from tinyunet.report import display as showing
from tinyunet.report.display import learning_pictures
from tinyunet.report.held_out import read_scores
from tinyunet.report.state import best_validation, describe_run
from tinyunet.training.checkpoint import load_network
from tinyunet.training.log import read_log
from tinyunet.training.loop import run_plan, train
from tinyunet.training.observer import Observer
from tinyunet.training.plan import make_plan
from tinyunet.training.recipe_file import read_recipe
from tinyunet.training.run_folder import RunFolder
from tinyunet.training.validation import Validation


def trained(folder, dataset=None, **changes):
    """Train with a display and score; return the plan."""
    plan = make_plan(dataset or tiny_dataset(), tiny(**changes), "cpu")
    with RunFolder(folder) as run, Display(plan, folder, bar=False) as display:
        run_plan(plan, run, display, command="tinyunet train <images> & labels")
    if plan.validation.labelled():
        score_held_out(folder, plan)
    write_report(folder)
    return plan


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "a run"
    return folder, trained(folder, tiny_dataset(count=6), val=(3, 6), val_every=1, steps=13)


def test_the_page_stands_alone_and_says_it_all(made):
    folder, _ = made
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert not re.search(r'(src|href)="(?!data:)', text)
    for part in ("How it learned", "How good it is", "What it learned from", "What to do with it"):
        assert f"<h2>{part}</h2>" in text
    best = best_validation(read_log(folder / "log.csv"))
    rate = f"{100 * best['pixel_error_rate']:.2f} % of the pixels wrong"
    assert f"13 of 13 steps; best validation at step {best['step']}: {rate}" in text
    assert "images: 6 slices of 30×34, uint8, 1 channel" in text
    assert "slices 3 to 5 were held out for validation" in text
    assert (
        f"tinyunet predict &#x27;{folder}&#x27; IMAGES --out probabilities.tif --overlays" in text
    )
    assert f"LABELS --run &#x27;{folder}&#x27;" in text
    assert "$ tinyunet train &lt;images&gt; &amp; labels" in text
    assert "<td>0.01</td><td>changed</td>" in text  # the learning rate
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    files = [(folder / name).read_bytes() for name in ("curves.png", "held-out.png")]
    assert [base64.b64decode(picture) for picture in pictures] == files


def test_it_can_be_written_again_and_is_then_the_same(made):
    folder, _ = made
    before = snapshot(folder)
    assert write_report(folder) == folder / "report.html"
    assert snapshot(folder) == before


def test_scores_are_those_of_the_best_weights(made):
    folder, plan = made
    scores = read_scores(folder)
    net, meta = load_network(folder / "best.safetensors", "cpu")
    assert scores["step"] == meta["step"]
    truth = np.stack([plan.validation.classes(i) for i in range(3)])
    p = np.stack(
        [predict_tiled(net, image, 34, normalise=None)[1] for image in plan.validation.images]
    )
    assert [row["threshold"] for row in scores["thresholds"]] == [i / 10 for i in range(1, 10)]
    for row in scores["thresholds"]:
        said = p.astype(float) > row["threshold"]
        hits = (said & (truth > 0)).sum()
        assert row["pixel_error_rate"] == pytest.approx((said != truth).mean())
        assert row["f_score"] == pytest.approx(2 * hits / (said.sum() + truth.sum()))
        assert row["iou"] == pytest.approx(hits / (said | (truth > 0)).sum())
        assert "seg" not in row
    best = max(row["f_score"] for row in scores["thresholds"])
    (chosen,) = (r for r in scores["thresholds"] if r["threshold"] == scores["threshold"])
    assert chosen["f_score"] == best
    recipe = read_recipe(folder)
    assert recipe.threshold == scores["threshold"]
    assert recipe.chosen == "best F-score on 3 held-out slices"
    assert not recipe.objects
    rates = [row["pixel_error_rate"] for row in scores["slices"]]
    assert rates == pytest.approx(((p > 0.5) != truth).mean(axis=(1, 2)).tolist(), abs=2e-3)
    assert [row["name"] for row in scores["slices"]] == ["3", "4", "5"]


def commands_of(folder):
    """Return what the report advises to type."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    (text,) = re.findall(r"What to do with it</h2>\s*<pre>(.*?)</pre>", page, re.DOTALL)
    return html.unescape(text).splitlines()


def test_what_to_type_fits_the_labels_even_where_nothing_was_held_out(tmp_path):
    objects = tiny_dataset()
    objects.kind = "instances"
    trained(tmp_path / "objects", objects, steps=1, val=None)
    predict, evaluate, _ = commands_of(tmp_path / "objects")
    assert predict.endswith("IMAGES --cells cells --overlays overlays")
    assert evaluate == "tinyunet evaluate cells LABELS --instances"

    three = tiny_dataset()
    three.n_classes = 3
    trained(tmp_path / "three", three, steps=1, val=None)
    predict, evaluate, _ = commands_of(tmp_path / "three")
    assert predict.endswith("IMAGES --out probabilities.tif --overlays overlays")
    assert evaluate == "tinyunet evaluate probabilities.tif LABELS --classes 3"

    trained(tmp_path / "two", steps=1, val=None)
    assert commands_of(tmp_path / "two")[1] == "tinyunet evaluate probabilities.tif LABELS"
    (tmp_path / "two" / "history.json").write_text('[{"data": 7, "machine": []}]')
    write_report(tmp_path / "two")
    assert commands_of(tmp_path / "two")[1] == "tinyunet evaluate probabilities.tif LABELS"


def test_objects_are_scored_as_objects(tmp_path):
    dataset = tiny_dataset(count=5)
    dataset.kind = "instances"
    for labels in dataset.labels:
        labels[:15][labels[:15] > 0] = 2
    plan = trained(tmp_path / "run", dataset, val=(4, 5))
    net, _ = load_network(tmp_path / "run" / "best.safetensors", "cpu")
    p = predict_tiled(net, dataset.images[4], 34, normalise=None)[1]
    for row in read_scores(tmp_path / "run")["thresholds"]:
        cells = probabilities_to_cells(
            p, threshold=row["threshold"], min_size=20, border=plan.settings.border
        )
        assert row["seg"] == pytest.approx(seg([dataset.labels[4]], [cells]))
    assert "<th>SEG</th>" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_held_out_slices_without_an_object_are_scored_by_the_f_score(tmp_path):
    dataset = tiny_dataset(count=5)
    dataset.kind = "instances"
    dataset.labels[4][...] = 0
    run = tmp_path / "run"
    trained(run, dataset, val=(4, 5))
    scores, recipe = read_scores(run), read_recipe(run)
    assert all("seg" not in row for row in scores["thresholds"])
    assert recipe.threshold == scores["threshold"]
    assert recipe.chosen == "best F-score on 1 held-out slice"
    assert recipe.objects
    assert (run / "held-out.png").exists()
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "<th>F-score</th>" in text
    assert "<th>SEG</th>" not in text


def test_a_held_out_slice_without_an_object_leaves_seg_to_the_others(tmp_path):
    dataset = tiny_dataset(count=5)
    dataset.kind = "instances"
    dataset.labels[4][...] = 0
    trained(tmp_path / "run", dataset, val=(3, 5))
    assert all("seg" in row for row in read_scores(tmp_path / "run")["thresholds"])
    assert read_recipe(tmp_path / "run").chosen == "best SEG on 2 held-out slices"


def test_cells_that_run_on_into_pixels_without_ground_truth_are_scored_where_it_is(
    tmp_path, monkeypatch
):
    dataset = tiny_dataset(count=4)
    dataset.kind = "instances"
    dataset.labels[3][...] = 0
    dataset.labels[3][8:20, 5:17] = 4
    dataset.labels[3][8:20, 17:29] = 9  # what stands where nothing is known does not matter
    dataset.valid[3] = np.broadcast_to(np.arange(34) < 17, (30, 34))
    plan = trained(tmp_path / "run", dataset, val=(3, 4))
    answer = np.zeros((2, 30, 34), np.float32)
    answer[1, 8:20, 5:29] = 1
    monkeypatch.setattr(held_out, "predict_tiled", lambda *_, **__: answer)
    scores = score_held_out(tmp_path / "run", plan)
    assert [row["seg"] for row in scores["thresholds"]] == [1.0] * 9


def test_a_training_is_reported_where_scoring_fails(tmp_path, monkeypatch):
    plan = make_plan(tiny_dataset(), tiny(steps=1), "cpu")
    with RunFolder(tmp_path / "run") as run:
        result = run_plan(plan, run)

    def fails(*_):
        raise ValueError("no scores today")

    monkeypatch.setattr(page, "score_held_out", fails)
    with pytest.raises(ValueError, match="^no scores today$"):
        score_and_report(tmp_path / "run", plan, result)
    assert "scoring failed" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_several_classes_and_unknown_pixels(tmp_path):
    dataset = tiny_dataset(count=5)
    dataset.n_classes = 3
    for labels in dataset.labels:
        labels[5:15, 5:15] = 2
    dataset.valid[4] = np.arange(30 * 34).reshape(30, 34) % 3 > 0
    trained(tmp_path / "run", dataset, val=(3, 5), weight_map=False)
    scores = read_scores(tmp_path / "run")
    net, _ = load_network(tmp_path / "run" / "best.safetensors", "cpu")
    answers = [predict_tiled(net, i, 34, normalise=None).argmax(axis=0) for i in dataset.images[3:]]
    known = np.stack([np.ones((30, 34), bool), dataset.valid[4]])
    said, true = np.stack(answers)[known], np.stack(dataset.labels[3:])[known]
    for row in scores["classes"]:
        either = ((said == row["class"]) | (true == row["class"])).sum()
        both = ((said == row["class"]) & (true == row["class"])).sum()
        assert row["iou"] == pytest.approx(both / either if either else 1.0)
    wrong = (answers[1] != dataset.labels[4])[dataset.valid[4]].mean()
    assert scores["slices"][1]["pixel_error_rate"] == pytest.approx(wrong)
    picture = np.asarray(Image.open(next((tmp_path / "run" / "learning").glob("*.png"))))
    assert set(np.unique(picture)) <= {0, 127, 254}


def test_a_run_without_validation_says_so(tmp_path):
    trained(tmp_path / "run", val=None)
    text = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "12 of 12 steps; nothing was validated" in text
    assert "No slice was held out" in text
    assert not (tmp_path / "run" / "learning").exists()


def test_a_run_that_was_stopped_has_a_report(tmp_path):
    run = tmp_path / "run"
    train(tiny_dataset(), tiny(), run, "cpu", seconds=0)
    text = write_report(run).read_text(encoding="utf-8")
    assert "1 of 12 steps; best validation at step 1" in text


@pytest.mark.parametrize("content", ["", "[]", '{"thresholds": [3]}', '{"slices": 3}', "[" * 9999])
def test_damaged_scores_and_history_stop_no_report(tmp_path, content):
    run = tmp_path / "run"
    train(tiny_dataset(), tiny(steps=1), run, "cpu")
    (run / "scores.json").write_text(content)
    (run / "history.json").write_text(content)
    assert "1 of 1 step" in write_report(run).read_text(encoding="utf-8")


def test_what_files_hold_is_text_and_no_html(tmp_path):
    run = tmp_path / "run"
    train(tiny_dataset(), tiny(steps=1), run, "cpu")
    (run / "scores.json").write_text('{"step": "<b>&", "slices": [], "thresholds": []}')
    text = write_report(run).read_text(encoding="utf-8")
    assert "The weights of step &lt;b&gt;&amp; on the held-out slices" in text


def test_the_report_of_a_machine_without_numba_names_none(tmp_path):
    run = tmp_path / "run"
    train(tiny_dataset(), tiny(steps=1), run, "cpu")
    (start,) = json.loads((run / "history.json").read_text())
    start["machine"]["numba"] = None
    (run / "history.json").write_text(json.dumps([start]))
    text = write_report(run).read_text(encoding="utf-8")
    assert f"numpy {np.__version__}, scipy " in text


def test_no_run_no_report(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_report(tmp_path)
    assert snapshot(tmp_path) == {}


def test_a_picture_of_the_slice_at_the_first_validations(made):
    folder, plan = made
    steps = [int(f.stem[5:]) for f in sorted((folder / "learning").glob("*.png"))]
    assert steps == [1, 2, 3, 4, 6, 8, 12]
    image, classes = plan.validation.images[0][0], plan.validation.classes(0)
    pictures = learning_pictures(folder, image, classes)
    assert [title for title, _ in pictures] == [
        *("held-out slice", "ground truth"),
        *("step 1", "step 3", "step 4", "step 6", "step 12"),
    ]
    assert all(picture.shape == (30, 34) for _, picture in pictures)
    assert len(learning_pictures(folder, None, None)) == 5


def test_files_that_are_no_pictures_of_a_step_end_no_run(tmp_path, recwarn):
    run = tmp_path / "run"
    train(tiny_dataset(), tiny(steps=1), run, "cpu")
    learning = run / "learning"
    learning.mkdir()
    for step, mode in ((30, "L"), (4, "RGB")):
        Image.new(mode, (34, 30)).save(learning / f"step-{step:07d}.png")
    for name in ("step-old.png", "step-0000003.png~", "notes.txt"):  # nobody's business
        (learning / name).write_text("mine")
    (learning / "step-0000009.png").write_text("damaged")
    (learning / "step-0000012.png").mkdir()
    plan = make_plan(tiny_dataset(), tiny(steps=1), "cpu")
    for _ in range(2):
        Display(plan, run, bar=False).draw()
    said = sorted(str(w.message) for w in recwarn if "curves.png" in str(w.message))
    assert len(said) == 2  # once each, though drawn twice
    assert said[0].startswith(f"left out of curves.png: {learning / 'step-0000009.png'}: damaged")
    assert "step-0000012.png" in said[1]
    pictures = learning_pictures(run, None, None)
    assert [(title, p.shape) for title, p in pictures] == [
        ("step 4", (30, 34)),
        ("step 30", (30, 34)),
    ]


def test_the_ground_truth_has_the_shades_of_the_predictions(tmp_path, monkeypatch):
    dataset = tiny_dataset()
    dataset.n_classes = 3
    for labels in dataset.labels:
        labels[5:15, 5:15] = 2
    plan = make_plan(dataset, tiny(weight_map=False), "cpu")
    drawn = []
    monkeypatch.setattr(showing, "plot_curves", lambda log, path, pictures: drawn.append(pictures))
    monkeypatch.setattr(showing, "read_log", lambda path: {})
    (tmp_path / "log.csv").touch()
    display = Display(plan, tmp_path, bar=False)
    first = Validation(plan.settings.val_every, 1.0, 0.5)
    display.validated(first, np.eye(3, dtype=np.float32)[:, [[0, 1, 2]]])
    display.draw()
    (_, _), (title, truth), (_, predicted) = drawn[-1]
    assert title == "ground truth"
    assert truth.dtype == predicted.dtype == np.uint8
    assert predicted.tolist() == [[0, 127, 254]]
    shades = np.array([0, 127, 254])
    np.testing.assert_array_equal(truth, shades[plan.validation.classes(0)])


def test_the_pictures_are_the_probabilities_of_that_step(tmp_path):
    class Keeping(Display):
        def validated(self, validation, probabilities):
            super().validated(validation, probabilities)
            kept[validation.step] = probabilities

    kept, plan = {}, make_plan(tiny_dataset(), tiny(), "cpu")
    with RunFolder(tmp_path / "run") as run, Keeping(plan, run.path, bar=False) as display:
        run_plan(plan, run, display)
    for file in (tmp_path / "run" / "learning").glob("*.png"):
        shown = np.asarray(Image.open(file))
        np.testing.assert_array_equal(shown, np.rint(255 * kept[int(file.stem[5:])][1]))


def test_curves_are_drawn_while_the_run_goes_on_but_cost_little(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(showing, "plot_curves", lambda log, path, pictures: drawn.append(len(log)))
    clock = {"now": 0.0}
    monkeypatch.setattr(showing.time, "perf_counter", lambda: clock["now"])
    plan = make_plan(tiny_dataset(), tiny(val_every=1), "cpu")
    (tmp_path / "log.csv").write_text("step,loss,val_loss,val_pixel_error_rate\n")
    display = Display(plan, tmp_path, bar=False)
    display.begin(0, 12)

    def draw():
        clock["now"] += 1.0  # a second a drawing
        drawn.append(0)

    monkeypatch.setattr(display, "draw", draw)
    p = np.zeros((2, 5, 5), np.float32)
    times = []
    for step in range(1, 301):
        clock["now"] += 1.0
        before = len(drawn)
        display.validated(Validation(step, 1.0, 0.5), p)
        if len(drawn) > before:
            times.append(step)
    assert times[0] == 1
    assert len(times) <= 300 * showing.SHARE + 2
    assert len(times) >= 4


def test_the_bar_follows_the_clock_where_the_clock_ends_the_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tinyunet._progress.LINE_EVERY", 0.0)
    clock = {"now": 0.0}
    monkeypatch.setattr(showing.time, "perf_counter", lambda: clock["now"])
    plan = make_plan(tiny_dataset(), tiny(), "cpu")
    display = Display(plan, tmp_path, seconds=10.0)
    display.begin(0, 12)
    clock["now"] = 5.0
    display.step(3, 0.5)
    display.step(9, 0.25)
    clock["now"] = 99.0
    display.step(10, 0.25)
    lines = [line.rsplit(", ", 1)[0] for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        "step 3 of 12, loss 0.5000, 50 %",
        "step 9 of 12, loss 0.4875, 75 %",
        "step 10 of 12, loss 0.4756, 100 %",
    ]


def test_what_a_run_folder_tells(made):
    folder, plan = made
    told = describe_run(folder)
    json.dumps(told)
    assert (told["steps_done"], told["steps"]) == (13, 13)
    assert told["data"]["sha256"] == plan.fingerprint
    assert told["settings"] == plan.settings.to_dict()
    assert told["scores"] == read_scores(folder)
    assert best_validation({"step": [1], "loss": [1.0], "val_loss": [None]}) is None


def test_an_observer_needs_to_know_nothing(tmp_path):
    result = train(tiny_dataset(), tiny(steps=1), tmp_path / "run", "cpu", observer=Observer())
    assert result.steps == 1
