"""Kernels for a GPU, CUDA C through CuPy. Lesson: lessons/15-fast-on-a-gpu.md.

| file | what it holds |
| --- | --- |
| `operations.py` | the operations, as kernels compute them |
| `algorithms.py` | which algorithm computes a convolution |
| `winograd.py` | Winograd's 3×3 convolution |
| `fused.py` | the same in one kernel, for few channels on large maps |
| `direct.py` | 3×3 convolution of few channels |
| `tensor_cores.py` | 3×3 convolution on tensor cores |
| `pointwise.py` | 1×1 convolution |
| `layers.py`, `layers.cu` | everything beside the convolutions |
| `reductions.py` | sums in a fixed order |
| `launch.py` | starting kernels, arguments checked |
| `trial.py` | every kernel once, before the first work |
| `errors.py` | what the errors of a GPU mean |
| `cublas.py` | matrix products |
| `graph_step.py` | a training step as a CUDA graph |
| `drawn.py` | drop-out's numbers for a recorded step |
| `memory.py` | what a step takes, and the largest tile |
| `pool.py` | CuPy's memory pool, counted with its holes |
| `report.py` | which GPUs are there, for `tinyunet info` |
| `sources.py` | the CUDA C sources and their signatures |
"""
