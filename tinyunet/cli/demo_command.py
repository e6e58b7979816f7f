"""`tinyunet demo`: synthetic membranes, a small U-Net, a minute and a half, pictures."""

from pathlib import Path

import numpy as np

from tinyunet.cli import common
from tinyunet.settings import Settings

IMAGES, HELD_OUT, VALIDATION, SIZE = 20, 4, 2, 256
SETTINGS = Settings(
    depth=3,
    base=16,
    dropout=0.0,
    tile=148,
    steps=100_000,  # the clock ends it
    rate=0.05,
    momentum=0.9,  # 0.99 needs hundreds of steps to get going; here every second counts
    val=(IMAGES, IMAGES + VALIDATION),
    val_every=50,
    checkpoint_every=1000,
    elastic=False,
    rotation=False,
    weight_map=False,
)


def add_to(commands):
    """Add the command to the parser."""
    parser = commands.add_parser("demo", help="train on synthetic membranes and show the result")
    parser.add_argument("--out", default="demo-out", metavar="DIR", help="folder (demo-out)")
    parser.add_argument("--seconds", type=float, default=90, metavar="S", help="of training (90)")
    common.add_device(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def demo_data():
    """Return (training and validation `Dataset`, held-out images, held-out labels)."""
    from tinyunet.data import Dataset, normalise, synthetic_membranes

    count = IMAGES + VALIDATION + HELD_OUT
    images, labels = synthetic_membranes(count, SIZE, seed=0)
    seen = IMAGES + VALIDATION
    dataset = Dataset(
        images=[normalise(image)[None] for image in images[:seen]],
        labels=[label.astype(np.int32) for label in labels[:seen]],
        valid=[None] * seen,
        names=[f"synthetic {i}" for i in range(seen)],
        dtype="uint8",
    )
    return dataset, images[seen:], labels[seen:]


def best_threshold(images, labels):
    """Return (fraction of wrong pixels, grey value) of the best global threshold, either way up."""
    grey = np.concatenate([image.ravel() for image in images])
    truth = np.concatenate([label.ravel() for label in labels]) > 0
    wrong = [(((grey > t) != truth).mean(), t) for t in range(256)]
    wrong += [(1 - share, t) for share, t in wrong]
    return min(wrong)


def run(arguments):
    """Make data, train, segment unseen images, print scores, draw pictures."""
    from tinyunet.arrays import select_device
    from tinyunet.checkpoint import load_network
    from tinyunet.data import normalise
    from tinyunet.metrics import isbi2012
    from tinyunet.plot import plot_curves, plot_results
    from tinyunet.predict import predict_tiled
    from tinyunet.rundir import check_folder, read_log
    from tinyunet.train import train

    if not 0 < arguments.seconds < float("inf"):
        raise ValueError(f"--seconds {arguments.seconds:g} is not a positive number")
    common.use_threads(arguments)
    select_device(arguments.device)
    if (Path(arguments.out) / "settings.json").exists():
        raise FileExistsError(
            f"{arguments.out}: holds a run already: name another folder with --out"
        )
    check_folder(arguments.out)
    dataset, images, labels = demo_data()
    common.note(dataset.describe())
    out = Path(arguments.out)
    with common.TimeBar(arguments.seconds) as bar:
        result = train(
            dataset, SETTINGS, out, arguments.device, progress=bar, seconds=arguments.seconds
        )
    if result.interrupted is not None:
        return 128 + result.interrupted

    net, _ = load_network(out / "best.safetensors", arguments.device)
    p = np.stack([predict_tiled(net, normalise(image))[1] for image in images])
    truth = np.stack(labels)
    scores = isbi2012(p, truth)
    threshold_wrong, grey = best_threshold(images, labels)
    plot_curves(read_log(out / "log.csv"), out / "curves.png")
    names = [f"held-out image {i}" for i in range(len(images))]
    plot_results(images, labels, p, out / "result.png", names)
    summary = {
        "steps": result.steps,
        "seconds": result.seconds,
        "wrong_pixels": scores["wrong_pixels"],
        "threshold_wrong_pixels": float(threshold_wrong),
        "times_better": float(threshold_wrong / max(scores["wrong_pixels"], 1e-9)),
        "scores": scores,
        "pictures": [str(out / "curves.png"), str(out / "result.png")],
    }
    if arguments.json:
        common.as_json(summary)
        return 0
    print(f"{result.steps} steps in {result.seconds:.0f} s; on {len(images)} images never seen:")
    print(f"  best global threshold (grey {grey}): {100 * threshold_wrong:.2f} % wrong pixels")
    print(
        f"  U-Net: {100 * scores['wrong_pixels']:.2f} % wrong pixels, "
        f"{summary['times_better']:.1f} times fewer"
    )
    print(
        f"  V_Rand {scores['v_rand_thinned']:.3f}, V_info {scores['v_info_thinned']:.3f} (thinned)"
    )
    print(f"pictures: {' '.join(summary['pictures'])}")
    return 0
