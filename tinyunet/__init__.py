"""tinyunet: the U-Net of Ronneberger, Fischer and Brox (2015) from scratch, every gradient by hand.

Start with README.md and lessons/00-map.md; the network itself is in tinyunet/nn/unet.py. A folder
imports from those above it in this list, never from those below (tests/test_house.py checks it):

| folder | what it is for |
| --- | --- |
| files here | `arrays.py` (NumPy or CuPy), `geometry.py` (sizes), `_numba.py` (compiler) |
| | `_machine.py` (cores, memory), `_workspace.py` (a step's memory), `_files.py` (whole or not) |
| | `_progress.py` (the bar), `_text.py` (numbers as words) |
| `nn/` | the operations and their gradients, the U, the optimiser: all that a lesson explains |
| `backends/` | kernels that compute the same faster, for the CPU and for GPUs |
| `images/` | files to images and labels; what labels mean; a data set |
| `augment/` | flips, rotations, elastic deformation |
| `weight_map/` | equation 2, and borders between touching cells |
| `metrics/`, `plot/` | scores; pictures |
| `inference/` | overlap-tile prediction, probabilities to cells |
| `training/` | settings, tiles, the step, the loop, the run folder |
| `networks/`, `report/` | networks that come with the package; a run on one page |
| `exercises/`, `exchange/` | the lessons' exercises; other programs' formats, volumes |
| `api/`, `cli/` | the same tasks as functions and as commands |

`data.py` is the former name of `images/`.
"""

from importlib import import_module
from importlib.util import find_spec

from tinyunet import augment, geometry, images, metrics, nn
from tinyunet.api import evaluate, load, predict, predict_cells, train
from tinyunet.augment import elastic_deform, random_transform
from tinyunet.inference.predict import predict_stack, predict_tiled
from tinyunet.nn import gradcheck
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet
from tinyunet.training.checkpoint import load_network, save_weights
from tinyunet.training.settings import Settings
from tinyunet.weight_map import separate_touching, weight_map

__version__ = "1.0.0"

if find_spec("tinyunet.backends") is not None:  # all works without that folder, only slower
    import_module("tinyunet.backends")  # registers the kernels

__all__ = [
    "SGD",
    "Settings",
    "UNet",
    "__version__",
    "augment",
    "elastic_deform",
    "evaluate",
    "geometry",
    "gradcheck",
    "images",
    "load",
    "load_network",
    "metrics",
    "nn",
    "predict",
    "predict_cells",
    "predict_stack",
    "predict_tiled",
    "random_transform",
    "save_weights",
    "separate_touching",
    "train",
    "weight_map",
]
