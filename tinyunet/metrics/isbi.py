"""All scores of the ISBI 2012 challenge at once, sharing the work between them.

Lesson: `lessons/12-scores.md`. Paper: table 1. Source: the challenge's public evaluation scripts;
Arganda-Carreras et al. (2015), Cardona et al. (2010).

A slice is cut at 11 thresholds. At each, its components, their thinning and the overlaps with the
label are found once and serve V_Rand, V_info and their thinned variants.
"""

from typing import NamedTuple

import numpy as np

from tinyunet.metrics.components import label_components
from tinyunet.metrics.fscore import best_of, f_score
from tinyunet.metrics.information import information_score, mean_information
from tinyunet.metrics.inputs import as_stacks, is_white, thresholds
from tinyunet.metrics.overlap import count_overlaps, group_pixels
from tinyunet.metrics.pixel import pixel_counts, wrong_count
from tinyunet.metrics.rand import mean_scores, pooled_scores, rand_terms
from tinyunet.metrics.thinning import thin
from tinyunet.metrics.warping import least_pixels, slice_mismatches

SCORES = ("pixel_f_score", "v_rand", "v_rand_thinned", "v_info", "v_info_thinned")


class Sweep(NamedTuple):
    """What the scores need of Z slices at T thresholds; a stack joins its slices along axis 0."""

    pixels: np.ndarray  # (Z, T, 3) int64: hits, said, true
    rand: np.ndarray  # (Z, T, 3) int64: ab, b, a
    rand_thinned: np.ndarray  # (Z, T, 3) int64
    information: np.ndarray  # (Z, T) float64, may hold NaN
    information_thinned: np.ndarray  # (Z, T) float64, may hold NaN
    warping: np.ndarray  # (Z, T, 2) int64: merger pixels, split pixels
    wrong: np.ndarray  # (Z,) int64: pixels on the wrong side of 0.5
    size: np.ndarray  # (Z,) int64: pixels of the slice


def _sweep_slice(proposal, label):
    """One slice (H, W) at all thresholds, as a Sweep with Z = 1."""
    groups = group_pixels(label)
    rows = []
    for threshold in thresholds():
        white = is_white(proposal, threshold)
        ids, count = label_components(white)
        plain = count_overlaps(groups, ids, count)
        thinned = count_overlaps(groups, *thin(ids, count))
        rows.append(
            (
                pixel_counts(white, label),
                rand_terms(plain),
                rand_terms(thinned),
                information_score(plain),
                information_score(thinned),
                slice_mismatches(label, proposal, threshold),
            )
        )
    tables = [np.array(column)[np.newaxis] for column in zip(*rows, strict=True)]
    return Sweep(*tables, np.array([wrong_count(proposal, label)]), np.array([label.size]))


def _join(sweeps):
    return Sweep(*(np.concatenate(parts) for parts in zip(*sweeps, strict=True)))


def _tables(sweep):
    """Every score at each threshold, as lists of plain numbers; V_info may hold NaN."""
    mergers, splits = sweep.warping.sum(axis=0).T.tolist()
    return {
        "pixel_f_score": [f_score(*(int(n) for n in at)) for at in sweep.pixels.sum(axis=0)],
        "v_rand": pooled_scores(sweep.rand),
        "v_rand_thinned": mean_scores(sweep.rand_thinned),
        "v_info": mean_information(sweep.information),
        "v_info_thinned": mean_information(sweep.information_thinned),
        "warping_mergers": mergers,
        "warping_splits": splits,
        "warping_pixels": [sum(pair) for pair in zip(mergers, splits, strict=True)],
    }


def _report(sweep):
    """Scores, winning thresholds and tables of some slices taken as one stack."""
    sweep_thresholds = thresholds()
    size = int(sweep.size.sum())
    tables = _tables(sweep)
    best = {name: best_of(tables[name]) for name in SCORES}
    pixels, least = least_pixels(sweep.warping)
    scores = {
        "pixel_error": 1.0 - best["pixel_f_score"][0],
        "rand_error": 1.0 - best["v_rand"][0],
        "warping_error": pixels / size,
        "warping_pixels": pixels,
        "v_rand": best["v_rand"][0],
        "v_rand_thinned": best["v_rand_thinned"][0],
        "v_info": best["v_info"][0],
        "v_info_thinned": best["v_info_thinned"][0],
        "wrong_pixels": int(sweep.wrong.sum()) / size,
    }
    winners = {name: sweep_thresholds[best[name][1]] for name in SCORES}
    winners["pixel_error"] = winners.pop("pixel_f_score")
    winners["rand_error"] = winners["v_rand"]
    winners["warping_error"] = winners["warping_pixels"] = sweep_thresholds[least]
    k = best["v_rand"][1]
    at_v_rand = {
        "threshold": sweep_thresholds[k],
        "warping_error": tables["warping_pixels"][k] / size,
        "warping_pixels": tables["warping_pixels"][k],
        "mergers": tables["warping_mergers"][k],
        "splits": tables["warping_splits"][k],
    }
    return {"scores": scores, "winners": winners, "warping_at_v_rand": at_v_rand, "tables": tables}


def isbi2012_details(proposal, labels):
    """Every score of `isbi2012` with the thresholds that won and the whole sweep, as one dict.

    Arguments and errors as in `isbi2012`. Keys:

    thresholds         the 11 thresholds
    scores             what `isbi2012` returns
    winners            the threshold that won each score but wrong_pixels (that one is cut at 0.5)
    warping_at_v_rand  threshold, warping_error, warping_pixels, mergers, splits at the threshold
                       that wins V_Rand. A proposal that is black at some threshold has warping
                       error 0 there and that threshold wins; this one says what the
                       segmentation that one would use costs.
    tables             pixel_f_score, v_rand, v_rand_thinned, v_info, v_info_thinned,
                       warping_mergers, warping_splits, warping_pixels: a list of 11 values each
                       (V_info may hold NaN; warping_pixels counts up to threshold 0.9 only)
    slices             for each slice a dict of scores, winners, warping_at_v_rand and tables, as
                       if it had been scored alone
    """
    proposal, labels = as_stacks(proposal, labels)
    sweeps = [_sweep_slice(image, label) for image, label in zip(proposal, labels, strict=True)]
    whole = Sweep(*(np.concatenate(parts) for parts in zip(*sweeps, strict=True)))
    slices = [_report(sweep) for sweep in sweeps]
    return {"thresholds": thresholds()} | _report(whole) | {"slices": slices}


def isbi2012(proposal, labels):
    """The scores of the ISBI 2012 challenge for a slice or a stack, as a dict of plain numbers.

    proposal: (H, W) or (Z, H, W) probability of cell interior (white), float in 0..1; uint8 is
    divided by 255. labels: the same shape, 0 on membrane, anything above on cells.
    Keys: pixel_error, rand_error, warping_error, warping_pixels (an int), v_rand, v_rand_thinned,
    v_info, v_info_thinned, wrong_pixels. The three errors are small when good, the four V close
    to 1 when good, and wrong_pixels is the plain fraction of wrong pixels at 0.5.
    Raises ValueError, one line, on anything else.
    """
    return isbi2012_details(proposal, labels)["scores"]
