"""The libraries of this room are optional: asked for when they are used, named when missing."""

import importlib
from typing import Any


def needs(name: str) -> Any:
    """Return the module `name`, or raise an ImportError that says what to install."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ImportError(
            f"{package} is not installed, or cannot be loaded ({error}): "
            'pip install "tinyunet[exchange]"'
        ) from error
