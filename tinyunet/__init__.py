"""tinyunet: the U-Net of Ronneberger, Fischer and Brox (2015) from scratch, every gradient by hand.

Start with README.md and lessons/00-map.md; the network itself is in tinyunet/model.py.
"""

from tinyunet import augment, data, geometry, gradcheck, metrics, ops, weights
from tinyunet.augment import elastic_deform, random_transform
from tinyunet.checkpoint import load_network, save_weights
from tinyunet.model import UNet
from tinyunet.optim import SGD
from tinyunet.predict import predict_stack, predict_tiled
from tinyunet.settings import Settings
from tinyunet.weights import separate_touching, weight_map

__version__ = "1.0.0"

__all__ = [
    "SGD",
    "Settings",
    "UNet",
    "__version__",
    "augment",
    "data",
    "elastic_deform",
    "geometry",
    "gradcheck",
    "load_network",
    "metrics",
    "ops",
    "predict_stack",
    "predict_tiled",
    "random_transform",
    "save_weights",
    "separate_touching",
    "weight_map",
    "weights",
]
