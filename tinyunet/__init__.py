"""tinyunet: the U-Net of Ronneberger, Fischer and Brox (2015) from scratch, every gradient by hand.

Start with README.md and lessons/00-map.md; the network itself is in tinyunet/model.py.
"""

from tinyunet.model import UNet

__version__ = "1.0.0"

__all__ = ["UNet", "__version__"]
