"""Kernels that stand in for the operations: numba for the CPU, CUDA C for the GPU.

Importing this package registers them: `dispatch.py` is the table of which stands in for what, and
when. Without this folder all networks learn and predict the same, slowly; what cannot work is what
is about kernels or threads themselves: `--threads`, a cluster's workers, `tinyunet info`'s list of
GPUs and the kernels' rows of `tinyunet gradcheck`.
Lessons: lessons/14-fast-on-a-cpu.md, lessons/15-fast-on-a-gpu.md.

| file | what it holds |
| --- | --- |
| `counts.py` | operations and bytes of a training step, counted |
| `equality.py` | kernels against texts: rows of `tinyunet gradcheck` |
"""

from tinyunet.backends import dispatch

__all__ = ["dispatch"]
