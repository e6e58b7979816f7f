"""From files to arrays and back: stacks, folders, labels, synthetic pictures.

Lesson: lessons/11-training.md.
"""

from tinyunet.data.dataset import Dataset, normalise
from tinyunet.data.read import read_images, read_labels, read_pair, read_segmentation
from tinyunet.data.stack import Stack, open_stack
from tinyunet.data.synthetic import synthetic_cells, synthetic_membranes
from tinyunet.data.write import StackWriter, write_label_frames, write_stack

__all__ = [
    "Dataset",
    "Stack",
    "StackWriter",
    "normalise",
    "open_stack",
    "read_images",
    "read_labels",
    "read_pair",
    "read_segmentation",
    "synthetic_cells",
    "synthetic_membranes",
    "write_label_frames",
    "write_stack",
]
