"""For tests that need a GPU: a real one, or the stand-in below a real CuPy (cuda_shim)."""

import os

import pytest

from tinyunet.arrays import gpu_problem

PROBLEM = gpu_problem()
IS_STAND_IN = "STAND_IN_CACHE" in os.environ
on_gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(PROBLEM is not None, reason=f"no GPU: {PROBLEM}"),
]
only_stand_in = pytest.mark.skipif(not IS_STAND_IN, reason="needs the stand-in, for its settings")
