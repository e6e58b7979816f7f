"""The operations written a second time for one processor: numba for the CPU, CUDA C for the GPU."""
