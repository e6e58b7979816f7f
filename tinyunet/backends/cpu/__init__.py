"""Kernels for the CPU, compiled by numba. Lesson: lessons/14-fast-on-a-cpu.md.

| file | what it holds |
| --- | --- |
| `operations.py` | the operations, as kernels compute them |
| `winograd.py` | 3×3 convolution: two ways to share the work |
| `winograd_transforms.py` | its transforms |
| `winograd_products.py` | its products |
| `cook_toom.py` | where its matrices come from |
| `direct.py` | 3×3 convolution of very few channels |
| `pointwise.py` | 1×1 convolution and up-convolution |
| `pointwise_products.py` | their kernels |
| `products.py` | the register-blocked product that all share |
| `layers.py` | pooling, concatenation, loss, momentum |
| `vector.py` | a vector of sixteen numbers as one value |
| `tracing.py` | kernels written down in Python, compiled by LLVM |
| `threads.py` | how work is dealt out |
| `spin_wait.py` | waiting for a short while without sleeping |
| `warm_up.py` | compiling beforehand what a run needs |
"""
