"""In which precision a GPU multiplies: strict float32, or shorter factors on tensor cores.

tf32 keeps 10 bits of a factor's mantissa, bf16 keeps 7; sums, parameters and everything else stay
float32. Only the CUDA backend looks at it. Lesson: lessons/15-fast-on-a-gpu.md.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

PRECISIONS = ("float32", "tf32", "bf16")

_precision = ContextVar("tinyunet_precision", default="float32")


def current_precision() -> str:
    """Return the precision in force.

    Returns
    -------
    str
        One of `PRECISIONS`.
    """
    return _precision.get()


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Multiply in precision `name` on a GPU, in this block and this thread.

    Parameters
    ----------
    name : {"float32", "tf32", "bf16"}
        "float32" is strict, and the default outside any block. The other two need a GPU of compute
        capability 8.0 when they are used.

    Yields
    ------
    None
        Nothing: use it as `with precision("tf32"):`.

    Raises
    ------
    ValueError
        For another name.
    """
    if name not in PRECISIONS:
        raise ValueError(f"precision {name!r} is not one of 'float32', 'tf32', 'bf16'")
    token = _precision.set(name)
    try:
        yield
    finally:
        _precision.reset(token)
