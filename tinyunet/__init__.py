"""tinyunet: the U-Net of Ronneberger, Fischer and Brox (2015) from scratch, every gradient by hand."""

__version__ = "1.0.0"
