"""All scores of the ISBI 2012 challenge at once, sharing the work between them.

Lesson: `lessons/12-scores.md`. Paper: table 1. Source: the challenge's public evaluation scripts;
Arganda-Carreras et al. (2015), Cardona et al. (2010).

A slice is cut at 11 thresholds. At each, its components, their thinning and the overlaps with the
ground truth are found once and serve V_Rand, V_info and their thinned variants.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeGuard

import numpy as np

from tinyunet.arrays import Array
from tinyunet.images.instances import connected_components
from tinyunet.metrics.fscore import best_of, f_score
from tinyunet.metrics.information import information_score, mean_information
from tinyunet.metrics.inputs import as_stacks, is_white, pairs_of_stacks, thresholds
from tinyunet.metrics.overlap import count_overlaps, group_components
from tinyunet.metrics.pixel import count_wrong, pixel_counts
from tinyunet.metrics.rand import mean_scores, pooled_scores, rand_terms
from tinyunet.metrics.report import Report, Scores, WarpingCost
from tinyunet.metrics.thinning import thin
from tinyunet.metrics.warping import least_pixels, slice_mismatches

SWEPT = ("pixel_f_score", "v_rand", "v_rand_thinned", "v_info", "v_info_thinned")


class Sweep(NamedTuple):
    """What the scores need of Z slices at T thresholds; a stack joins its slices along axis 0."""

    pixels: Array  # (Z, T, 3) int64: hits, said, true
    rand: Array  # (Z, T, 3) int64: ab, b, a
    rand_thinned: Array  # (Z, T, 3) int64
    information: Array  # (Z, T) float64, may hold NaN
    information_thinned: Array  # (Z, T) float64, may hold NaN
    warping: Array  # (Z, T, 2) int64: merger pixels, split pixels
    wrong: Array  # (Z,) int64: pixels on the wrong side of 0.5
    size: Array  # (Z,) int64: pixels of the slice


def _sweep_slice(label: Array, prediction: Array) -> Sweep:
    """One slice (H, W) at all thresholds, as a Sweep with Z = 1."""
    groups = group_components(label)
    rows = []
    for threshold in thresholds():
        white = is_white(prediction, threshold)
        ids, count = connected_components(white)
        plain = count_overlaps(groups, ids, count)
        thinned = count_overlaps(groups, *thin(ids, count))
        rows.append(
            (
                pixel_counts(label, white),
                rand_terms(plain),
                rand_terms(thinned),
                information_score(plain),
                information_score(thinned),
                slice_mismatches(label, prediction, threshold),
            )
        )
    tables = [_table(column) for column in zip(*rows, strict=True)]
    pixels, rand, rand_thinned, information, information_thinned, warping = tables
    return Sweep(
        pixels,
        rand,
        rand_thinned,
        information,
        information_thinned,
        warping,
        wrong=np.array([count_wrong(label, prediction)], np.int64),
        size=np.array([label.size], np.int64),
    )


def _table(column: Sequence) -> Array:
    """The values of one slice at all thresholds, (1, T, …): counts as int64 on every platform."""
    table = np.array(column)[np.newaxis]
    return table if table.dtype.kind == "f" else table.astype(np.int64)


def _tables(sweep: Sweep) -> dict[str, list]:
    """Every score at each threshold, as lists of plain numbers; V_info may hold NaN."""
    mergers, splits = sweep.warping.sum(axis=0).T.tolist()
    return {
        "pixel_f_score": [f_score(*at) for at in sweep.pixels.sum(axis=0).tolist()],
        "v_rand": pooled_scores(sweep.rand),
        "v_rand_thinned": mean_scores(sweep.rand_thinned),
        "v_info": mean_information(sweep.information),
        "v_info_thinned": mean_information(sweep.information_thinned),
        "warping_mergers": mergers,
        "warping_splits": splits,
        "warping_pixels": [sum(pair) for pair in zip(mergers, splits, strict=True)],
    }


def _report(sweep: Sweep, slices: list[Report]) -> Report:
    """Scores, winning thresholds and tables of some slices taken as one stack."""
    at, size, tables = thresholds(), int(sweep.size.sum()), _tables(sweep)
    best = {name: best_of(tables[name]) for name in SWEPT}
    pixels, least = least_pixels(sweep.warping)
    scores = Scores(
        pixel_error=1.0 - best["pixel_f_score"][0],
        rand_error=1.0 - best["v_rand"][0],
        warping_error=pixels / size,
        warping_pixels=pixels,
        v_rand=best["v_rand"][0],
        v_rand_thinned=best["v_rand_thinned"][0],
        v_info=best["v_info"][0],
        v_info_thinned=best["v_info_thinned"][0],
        pixel_error_rate=int(sweep.wrong.sum()) / size,
    )
    winners = {name: at[best[name][1]] for name in SWEPT}
    winners["pixel_error"] = winners.pop("pixel_f_score")
    winners["rand_error"] = winners["v_rand"]
    winners["warping_error"] = winners["warping_pixels"] = at[least]
    k = best["v_rand"][1]
    cost = WarpingCost(
        threshold=at[k],
        warping_error=tables["warping_pixels"][k] / size,
        warping_pixels=tables["warping_pixels"][k],
        mergers=tables["warping_mergers"][k],
        splits=tables["warping_splits"][k],
    )
    return Report(at, scores, winners, cost, tables, slices)


def _slices(stack: object) -> TypeGuard[list[Array]]:
    """Whether this is a list of arrays, not an array or what NumPy makes one of."""
    return isinstance(stack, list) and all(isinstance(page, np.ndarray) for page in stack)


def isbi2012_details(ground_truth: object, prediction: object) -> Report:
    """Return every score of `isbi2012` with the thresholds that won and the whole sweep.

    Parameters
    ----------
    ground_truth, prediction : array_like
        As in `isbi2012`, or two lists of slices (H, W), which may differ in size.

    Returns
    -------
    Report
        Of the stack, with one of each slice in `slices`.

    Raises
    ------
    ValueError
        As `isbi2012` does.
    """
    if _slices(ground_truth) and _slices(prediction):  # they may differ in size
        pairs = pairs_of_stacks(ground_truth, prediction)
        stacks = [pair for each in pairs for pair in zip(*each, strict=True)]
    else:
        stacks = list(zip(*as_stacks(ground_truth, prediction), strict=True))
    sweeps = [_sweep_slice(label, image) for label, image in stacks]
    whole = Sweep(*(np.concatenate(parts) for parts in zip(*sweeps, strict=True)))
    return _report(whole, [_report(sweep, []) for sweep in sweeps])


def isbi2012(ground_truth: object, prediction: object) -> Scores:
    """Return the scores of the ISBI 2012 challenge for a slice or a stack.

    Parameters
    ----------
    ground_truth : array_like
        (H, W) or (Z, H, W) labels: 0 on membrane, anything above on cells.
    prediction : array_like
        Of the same shape, the probability of cell interior (white): float in 0..1; uint8, which is
        divided by 255; or a mask, whose only values are 0 and one of 1, 255, 65535.

    Returns
    -------
    Scores
        Three errors that are small when good, four V that are close to 1 when good, and the pixel
        error rate.

    Raises
    ------
    ValueError
        In one line, on anything else, and where the arguments are seen to be in the wrong order.
    """
    return isbi2012_details(ground_truth, prediction).scores
