"""The operations written a second time for one processor: numba for the CPU, CUDA C for the GPU.

Lessons: lessons/14-fast-on-a-cpu.md, lessons/15-fast-on-a-gpu.md.
"""
