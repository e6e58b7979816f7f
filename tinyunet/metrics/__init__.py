"""Scores of segmentations: those of the ISBI 2012 challenge for membranes, IoU and SEG for cells.

Lesson: `lessons/12-scores.md`. Paper: section 4, tables 1 and 2. Every score of `isbi2012` is also
a function here; `isbi2012` shares the work between them and returns what `report.py` defines. All
take the ground truth first and the prediction second.

| file | what it holds |
| --- | --- |
| `detection.py` | objects found, invented and missed: F1 and AP at several overlaps |
| `inputs.py` | what goes into the scores, checked |
| `isbi.py` | all scores of ISBI 2012 at once |
| `pixel.py` | pixel error, pixel error rate |
| `thinning.py` | one-pixel walls between cells |
"""

from tinyunet.metrics.detection import (
    IOU_THRESHOLDS,
    Detections,
    average_precision,
    detection_table,
    detections,
)
from tinyunet.metrics.information import v_info, v_info_thinned
from tinyunet.metrics.isbi import isbi2012, isbi2012_details
from tinyunet.metrics.pixel import pixel_error, pixel_error_rate
from tinyunet.metrics.rand import rand_error, v_rand, v_rand_thinned
from tinyunet.metrics.regions import iou, iou_per_class, seg
from tinyunet.metrics.report import Report, Scores, WarpingCost
from tinyunet.metrics.touching import PartedPairs, parted_pairs, touching_pairs
from tinyunet.metrics.warping import warping_error, warping_pixels

__all__ = [
    "IOU_THRESHOLDS",
    "Detections",
    "PartedPairs",
    "Report",
    "Scores",
    "WarpingCost",
    "average_precision",
    "detection_table",
    "detections",
    "iou",
    "iou_per_class",
    "isbi2012",
    "isbi2012_details",
    "parted_pairs",
    "pixel_error",
    "pixel_error_rate",
    "rand_error",
    "seg",
    "touching_pairs",
    "v_info",
    "v_info_thinned",
    "v_rand",
    "v_rand_thinned",
    "warping_error",
    "warping_pixels",
]
