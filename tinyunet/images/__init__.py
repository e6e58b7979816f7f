"""From files to arrays and back: stacks, folders, labels, synthetic pictures.

`read.py` gives images with their labels, `stack.py` slices one at a time, `pairs.py` a prediction
with its labels. Below them, in the order of the data: `_formats.py` (which files are images),
`_tiff.py` and `_notes.py` (headers and what programs note in them), `_picture.py` (PNG and JPEG),
`_damage.py` and `limits.py` (what is refused, before it costs memory), `_axes.py` (which pages make
a slice), `_page.py` (what a page shows), `names.py` and `ctc.py` (which slices belong to each
other), `labels.py` (what the numbers mean), `normalise.py`, and `dataset.py`, which `split.py`
divides. `write.py` writes stacks, `write_folder.py` folders, `classes.py`
reads names and colours of classes, `synthetic.py` draws pictures, `download.py` fetches
some; `_text.py` is for messages.

Lesson: lessons/11-training.md.
"""

from tinyunet.images.dataset import Dataset
from tinyunet.images.normalise import compress, mean_and_std, normalise
from tinyunet.images.read import read_images, read_labels, read_pair, read_segmentation
from tinyunet.images.stack import Stack, open_stack
from tinyunet.images.synthetic import synthetic_cells, synthetic_membranes
from tinyunet.images.write import StackWriter, write_label_frames, write_stack
from tinyunet.images.write_folder import FolderWriter

__all__ = [
    "Dataset",
    "FolderWriter",
    "Stack",
    "StackWriter",
    "compress",
    "mean_and_std",
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
