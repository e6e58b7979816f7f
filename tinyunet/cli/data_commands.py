"""`tinyunet evaluate`, `augment`, `weightmap` and `download`: files in, scores and pictures out."""

from pathlib import Path

import numpy as np

from tinyunet.cli import common

SCORES = (  # key, words, whether small is good
    ("pixel_error", "pixel error, 1 − best F", "↓"),
    ("rand_error", "Rand error", "↓"),
    ("warping_error", "warping error", "↓"),
    ("v_rand", "V_Rand", "↑"),
    ("v_rand_thinned", "V_Rand thinned", "↑"),
    ("v_info", "V_info", "↑"),
    ("v_info_thinned", "V_info thinned", "↑"),
    ("wrong_pixels", "wrong pixels at 0.5", "↓"),
)
WARPING_HELP = (
    "A proposal that is empty at some threshold has no merged or split cells there, so its warping "
    "error is 0 and that threshold wins, as in the challenge. The warping error at the threshold "
    "that wins V_Rand is shown beside it: that is what the segmentation you would use costs."
)


def add_to(commands):
    """Add the four commands to the parser."""
    parser = commands.add_parser(
        "evaluate", help="score a prediction against labels", description=WARPING_HELP
    )
    parser.add_argument("prediction", metavar="PREDICTION", help="stack of probabilities, or cells")
    parser.add_argument("labels", metavar="LABELS", help="stack of labels, or a folder of man_seg")
    parser.add_argument(
        "--slices", type=common.slice_range, metavar="A:B", help="slices of LABELS to compare with"
    )
    common.add_json(parser)
    parser.set_defaults(run=evaluate)

    parser = commands.add_parser("augment", help="draw a sheet of what the network will see")
    parser.add_argument("image", metavar="IMAGE")
    parser.add_argument("labels", metavar="LABELS")
    parser.add_argument("--out", required=True, metavar="FILE.png")
    parser.add_argument("--slice", type=int, default=0, help="of the stack (0)")
    parser.add_argument("--samples", type=int, default=4, help="how many transforms (4)")
    parser.add_argument("--seed", type=int, default=0)
    for part in ("elastic", "rotation", "grey"):
        parser.add_argument(f"--no-{part}", dest=part, action="store_false")
    parser.set_defaults(run=augment)

    parser = commands.add_parser("weightmap", help="draw the weight map of equation 2")
    parser.add_argument("labels", metavar="LABELS")
    parser.add_argument("--out", required=True, metavar="FILE", help=".png: picture; .tif: values")
    parser.add_argument("--slice", type=int, default=0, help="of the stack, for a picture (0)")
    parser.add_argument("--w0", type=float, default=10.0)
    parser.add_argument("--sigma", type=float, default=5.0)
    parser.add_argument("--border", type=int, default=2, help="cut between touching cells (2)")
    parser.set_defaults(run=weightmap)

    parser = commands.add_parser("download", help="fetch a challenge's images")
    parser.add_argument("dataset", choices=["isbi2012"])
    parser.add_argument("--out", default="isbi2012", metavar="DIR", help="folder (isbi2012)")
    parser.set_defaults(run=download)


def evaluate(arguments):
    """Print all scores, per slice and for the stack; SEG and IoU for cells."""
    from tinyunet.data.ctc import numbered_files

    labels = Path(arguments.labels)
    if labels.is_dir() and _holds_cells(labels, numbered_files):
        result = _evaluate_cells(arguments)
    else:
        result = _evaluate_membranes(arguments)
    if arguments.json:
        common.as_json(result)
    elif "seg" in result:
        print(f"SEG {result['seg']:.4f}\nIoU {result['iou']:.4f}")
        print(f"touching pairs parted: {result['parted']} of {result['touching']}")
        print(f"({result['objects']} objects in {result['frames']} annotated frames)")
    else:
        _print_scores(result, arguments.slices[0] if arguments.slices else 0)
    return 0


def _holds_cells(folder, numbered_files):
    return any(
        numbered_files(place, "man_seg") or numbered_files(place, "mask")
        for place in (folder, folder / "SEG")
        if place.is_dir()
    )


def _evaluate_cells(arguments):
    from tinyunet.data import read_segmentation
    from tinyunet.metrics import iou, parted_pairs, seg

    truth = read_segmentation(arguments.labels)
    result = read_segmentation(arguments.prediction)
    if arguments.slices:
        first, end = arguments.slices
        truth = {number: frame for number, frame in truth.items() if first <= number < end}
    missing = [number for number in truth if number not in result]
    if missing:
        raise ValueError(
            f"{arguments.prediction}: frame {missing[0]} has truth but no result "
            f"({len(missing)} such frames)"
        )
    if not truth:
        raise ValueError(f"{arguments.labels}: no annotated frame among the slices asked")
    frames = [result[number] for number in truth], list(truth.values())
    parted, touching = parted_pairs(*frames)
    return {
        "seg": float(seg(*frames)),
        "iou": float(iou(*frames)),
        "parted": parted,
        "touching": touching,
        "frames": len(truth),
        "objects": int(sum(len(np.unique(f[f > 0])) for f in truth.values())),
    }


def _evaluate_membranes(arguments):
    from tinyunet.data import read_images, read_labels
    from tinyunet.metrics import isbi2012_details

    proposal, labels = read_images(arguments.prediction), read_labels(arguments.labels)
    if arguments.slices:
        first, end = arguments.slices
        if end > len(labels):
            raise ValueError(f"slices {first}:{end} asked, {arguments.labels} has {len(labels)}")
        labels = labels[first:end]
        proposal = proposal[first:end] if len(proposal) != end - first else proposal
    if len(proposal) != len(labels):
        raise ValueError(
            f"{arguments.prediction} has {len(proposal)} slices and {arguments.labels} "
            f"{len(labels)}: they must be as many (see --slices)"
        )
    shapes = {page.shape for page in proposal} | {page.shape for page in labels}
    if len(shapes) > 1:
        raise ValueError(f"prediction and labels differ in size: {sorted(shapes)}")
    details = isbi2012_details(np.stack(proposal), np.stack(labels))
    return {
        **details["scores"],
        "thresholds": details["winners"],
        "warping_at_v_rand": details["warping_at_v_rand"],
        "slices": [part["scores"] for part in details["slices"]],
    }


def _print_scores(result, first):
    count = len(result["slices"])
    names = "".join(f"{f'slice {first + i}':>11}" for i in range(count))
    print(f"{'':<28}{'stack':>12}{'at':>6}{names}")
    for key, words, arrow in SCORES:
        at = result["thresholds"].get(key)
        shown = f"{at:.1f}" if at is not None else ""
        each = "".join(f"{part[key]:>11.6f}" for part in result["slices"])
        print(f"{words + ' ' + arrow:<28}{result[key]:>12.6f}{shown:>6}{each}")
    fair = result["warping_at_v_rand"]
    words = "warping error at V_Rand’s ↓"
    print(f"{words:<28}{fair['warping_error']:>12.6f}{fair['threshold']:>6.1f}")


def _slice_of(pages, index, path):
    if not 0 <= index < len(pages):
        raise ValueError(f"--slice {index}: {path} has slices 0 to {len(pages) - 1}")
    return pages[index]


def augment(arguments):
    """Write the sheet of transforms."""
    from tinyunet.augment import random_transform, source_coordinates
    from tinyunet.data import read_pair
    from tinyunet.plot import plot_augmented

    out = common.check_output(arguments.out, (".png",), (arguments.image, arguments.labels))
    if not 1 <= arguments.samples <= 8:
        raise ValueError(f"--samples {arguments.samples} is not 1 to 8")
    if arguments.seed < 0:
        raise ValueError(f"--seed {arguments.seed} is not at least 0")
    dataset = read_pair(arguments.image, arguments.labels)
    _slice_of(dataset.images, arguments.slice, arguments.image)
    image, labels = dataset.images[arguments.slice], dataset.labels[arguments.slice]
    if labels is None:
        raise ValueError(f"--slice {arguments.slice}: this frame has no labels")
    rng = np.random.default_rng(arguments.seed)
    samples = [("original", image[0], labels, np.indices(labels.shape))]
    for number in range(arguments.samples):
        sample = random_transform(
            image,
            labels,
            rng=rng,
            elastic=arguments.elastic,
            rotation=arguments.rotation,
            quarter_turns=not arguments.rotation,
            grey=arguments.grey,
            grey_range=(-1.0, 1.0),
        )
        source = source_coordinates(sample.transform)
        samples.append((f"sample {number + 1}", sample.image[0], sample.labels, source))
    print(plot_augmented(samples, out))
    return 0


def weightmap(arguments):
    """Write the weight map, as a picture beside its labels or as float32 pages."""
    from tinyunet.data import read_labels, write_stack
    from tinyunet.plot import plot_weight_map
    from tinyunet.weights import find_instances, separate_touching, weight_map

    out = common.check_output(arguments.out, (".png", ".tif", ".tiff"), (arguments.labels,))
    pages = read_labels(arguments.labels, n_classes=2**31)
    _slice_of(pages, arguments.slice, arguments.labels)
    chosen = [pages[arguments.slice]] if out.suffix == ".png" else pages
    separated, maps = [], []
    for page in chosen:
        cells = separate_touching(find_instances(page), arguments.border)
        separated.append(cells)
        maps.append(weight_map(cells, arguments.w0, arguments.sigma, instances=True))
    if out.suffix == ".png":
        plot_weight_map(separated[0], maps[0], out)
    else:
        write_stack(out, maps, "float32")
    print(out)
    return 0


def download(arguments):
    """Fetch the challenge's slices and write them as its stacks."""
    from tinyunet.data.download import download_isbi2012

    for path in download_isbi2012(arguments.out, report=common.note).values():
        print(path)
    return 0
