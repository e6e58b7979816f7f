"""A GPU's "out of memory" names the tile that would fit; other errors pass untouched."""

import pytest

from tinyunet.backends.cuda import memory as gpu_memory


class _Full(MemoryError):
    """Stands in for CuPy's OutOfMemoryError."""


def test_out_of_gpu_memory_names_the_tile_that_would_fit(monkeypatch):
    monkeypatch.setattr(gpu_memory, "is_out_of_memory", lambda e: isinstance(e, _Full))
    fitting = gpu_memory.largest_tile(2e8, 5, 16, 1, 2, at_most=1499)
    expected = f"tile 1500.* and 0.2 GB are free; a tile of {fitting} would fit"
    with pytest.raises(MemoryError, match=expected), gpu_memory.explained(2e8, 1500, 5, 16, 1, 2):
        raise _Full
    with pytest.raises(ValueError, match="other"), gpu_memory.explained(2e8, 1500, 5, 16, 1, 2):
        raise ValueError("other")


def test_without_cupy_nothing_is_caught():
    with pytest.raises(RuntimeError), gpu_memory.explained(8e9, 572, 5, 16, 1, 2):
        raise RuntimeError
