"""tinyunet: the U-Net of Ronneberger, Fischer and Brox (2015) from scratch, every gradient by hand.

Start with README.md and lessons/00-map.md; the network itself is in tinyunet/nn/unet.py. What
everyone builds on lies beside this file: `arrays.py`, `geometry.py`, `_files.py` (files that are
whole or not there), `_machine.py` (what is there), `_numba.py` (the compiler), `_workspace.py`
(memory for a step's arrays), `_progress.py` (the bar), `_text.py` (numbers as words). `data.py` is
the former name of `images/`.
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
