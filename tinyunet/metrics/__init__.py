"""Scores of segmentations: those of the ISBI 2012 challenge for membranes, IoU and SEG for cells.

Lesson: `lessons/12-scores.md`. Paper: section 4, tables 1 and 2. Every key of the dict that
`isbi2012` returns is also a function here; `isbi2012` shares the work between them.
"""

from tinyunet.metrics.information import v_info, v_info_thinned
from tinyunet.metrics.isbi import isbi2012, isbi2012_details
from tinyunet.metrics.pixel import pixel_error, wrong_pixels
from tinyunet.metrics.rand import rand_error, v_rand, v_rand_thinned
from tinyunet.metrics.regions import iou, iou_per_class, seg
from tinyunet.metrics.touching import parted_pairs, touching_pairs
from tinyunet.metrics.warping import warping_error, warping_pixels

__all__ = [
    "iou",
    "iou_per_class",
    "isbi2012",
    "isbi2012_details",
    "parted_pairs",
    "pixel_error",
    "rand_error",
    "seg",
    "touching_pairs",
    "v_info",
    "v_info_thinned",
    "v_rand",
    "v_rand_thinned",
    "warping_error",
    "warping_pixels",
    "wrong_pixels",
]
