"""What lesson 11b shows of real runs: a thinned log and the scores, without the pictures.

The data may not be copied into the project, so the lessons draw these numbers. From the project's
root, with a run folder of `tinyunet train` and the data that it was trained on:

    python lessons/runs/record.py isbi-full RUN train-volume.tif train-labels.tif
    python -m lessons --update 11b 11c

The first writes NAME.csv and the entry NAME of scores.json, both beside this file; the slices
scored are those that the run validated on: with its last weights if its rate fell to zero, so that
nothing was chosen on these slices, and with its best ones otherwise. The last line brings the
numbers and the figures of the lessons up to date.
"""

import argparse
import json
from pathlib import Path

import numpy as np

RUNS = Path(__file__).parent
BLOCK = 20  # steps whose training losses become one number of the thinned log


def read_scores():
    """Return {run: {...}} of scores.json, empty if there is none."""
    file = RUNS / "scores.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def thin_log(log):
    """Return a log's lines with one step of BLOCK kept: its loss is the mean of the block.

    log: what `tinyunet.training.log.read_log` returns. Validated steps are kept whatever
    their number.
    """
    lines, losses = ["step,loss,val_loss,val_pixel_error_rate"], []
    for step, loss, *validated in zip(*log.values(), strict=True):
        losses.append(loss)
        if step % BLOCK == 0 or validated[0] is not None:
            shown = ["" if value is None else f"{value:.4f}" for value in validated]
            lines.append(",".join([str(step), f"{np.mean(losses[-BLOCK:]):.4f}", *shown]))
    return "\n".join(lines) + "\n"


def score_membranes(net, dataset, tile):
    """Scores of one pass and of the average over the eight symmetries."""
    from tinyunet.inference.predict import predict_tiled
    from tinyunet.metrics import isbi2012_details

    truth, found = np.stack(dataset.labels), {}
    for average in (1, 8):
        p = np.stack([predict_tiled(net, image, tile, average)[1] for image in dataset.images])
        details = isbi2012_details(truth, p)
        sweep = [float(((p > t) != (truth > 0)).mean()) for t in details.thresholds]
        found[f"average {average}"] = details.scores.to_dict() | {
            "wrong_by_threshold": [round(wrong, 5) for wrong in sweep],
            "wrong_by_slice": [round(s.scores.pixel_error_rate, 5) for s in details.slices],
            "warping_at_v_rand": details.warping_at_v_rand.to_dict(),
        }
    return found


def record(name, run, images, labels):
    """Write NAME.csv and the entry of scores.json."""
    from tinyunet.images import read_pair
    from tinyunet.images.split import split
    from tinyunet.training.checkpoint import load_network
    from tinyunet.training.log import read_log
    from tinyunet.training.settings_file import read_settings

    settings, _ = read_settings(run)
    log = read_log(Path(run) / "log.csv")
    (RUNS / f"{name}.csv").write_text(thin_log(log), encoding="utf-8")
    weights = "last" if settings.decay else "best"
    net, meta = load_network(Path(run) / f"{weights}.safetensors", "cpu")
    _, held_out = split(read_pair(images, labels), settings)
    entry = {"steps": log["step"][-1], "weights": weights, "scored_step": meta["step"]}
    scores = read_scores() | {name: entry | score_membranes(net, held_out, settings.tile)}
    text = json.dumps(dict(sorted(scores.items())), indent=1)
    (RUNS / "scores.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", help="what the lessons call the run")
    parser.add_argument("run", help="folder of the run")
    parser.add_argument("images", help="stack")
    parser.add_argument("labels", help="stack of labels")
    record(**vars(parser.parse_args()))
