"""The scores of `tinyunet evaluate` as tables of 80 columns; --json has every digit.

Lesson: lessons/12-scores.md.
"""

from typing import Any, TypeAlias

from tinyunet._text import plural

Result: TypeAlias = dict[str, Any]

SCORES = (  # key, words, whether small is good, heading of the column of slices
    ("pixel_error", "pixel error, 1 − best F", "↓", "pixel"),
    ("rand_error", "Rand error", "↓", "Rand"),
    ("warping_error", "warping error", "↓", "warping"),
    ("v_rand", "V_Rand", "↑", "V_Rand"),
    ("v_rand_thinned", "V_Rand thinned", "↑", "thinned"),
    ("v_info", "V_info", "↑", "V_info"),
    ("v_info_thinned", "V_info thinned", "↑", "thinned"),
    ("pixel_error_rate", "pixel error rate at 0.5", "↓", "wrong"),
)
MOST_ROWS = 12  # slices that are shown below the stack; --json has all
NAME = 16  # columns of a slice's name


def cells_lines(result: Result) -> list[str]:
    """Show the scores of objects."""
    frames = plural(result["frames"], "annotated frame")
    lines = [
        f"SEG {result['seg']:.4f}",
        f"IoU {result['iou']:.4f}",
        f"touching pairs parted: {result['parted']} of {result['touching']}",
        "",
        f"{'objects, IoU above':<20}{'found':>8}{'invented':>10}{'missed':>8}"
        f"{'F1 ↑':>9}{'AP ↑':>9}{'by image':>11}",
    ]
    rows = [
        f"{row['iou']:<20g}{row['tp']:>8}{row['fp']:>10}{row['fn']:>8}"
        f"{row['f1']:>9.4f}{row['ap']:>9.4f}{row['ap_by_image']:>11.4f}"
        for row in result["detection"]
    ]
    return [*lines, *rows, f"({plural(result['objects'], 'object')} in {frames})"]


def classes_lines(result: Result) -> list[str]:
    """Show the scores of several classes."""
    lines = [f"pixel error rate {result['pixel_error_rate']:.6f}"]
    lines += [f"mean IoU {result['mean_iou']:.4f}"]
    lines += [f"IoU of class {number} {score:.4f}" for number, score in result["iou"].items()]
    return [*lines, f"({plural(result['slices'], 'slice')})"]


def membranes_lines(result: Result) -> list[str]:
    """Show the scores of ISBI 2012, of the stack and then of its slices."""
    lines = [f"{'':<28}{plural(len(result['slices']), 'slice'):>12}{'at':>6}"]
    for key, words, arrow, _ in SCORES:
        at = result["thresholds"].get(key)
        told = f"{at:>6.1f}" if at is not None else ""
        lines.append(f"{words + ' ' + arrow:<28}{result[key]:>12.6f}{told}")
    fair = result["warping_at_v_rand"]
    words = "warping error at V_Rand’s ↓"
    lines.append(f"{words:<28}{fair['warping_error']:>12.6f}{fair['threshold']:>6.1f}")
    if (chosen := result["at_threshold"]) is not None:
        words = "pixel error rate there ↓"
        told = f"{chosen['threshold']:g}"
        lines.append(f"{words:<28}{chosen['pixel_error_rate']:>12.6f}{told:>6}")
        lines.append(f"{'F-score there ↑':<28}{chosen['f_score']:>12.6f}{told:>6}")
    count = len(result["slices"])
    if count > MOST_ROWS:
        return [*lines, f"(--json tells the scores of each of {count} slices)"]
    if count > 1:
        lines += ["", f"{'slice':<{NAME}}" + "".join(f"{head:>8}" for *_, head in SCORES)]
        for name, part in zip(result["names"], result["slices"], strict=True):
            row = "".join(f"{part[key]:>8.4f}" for key, *_ in SCORES)
            lines.append(f"{name[-NAME + 1 :]:<{NAME}}{row}")
    return lines
