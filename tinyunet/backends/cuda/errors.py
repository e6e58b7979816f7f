"""What a GPU's errors mean. Lesson: lessons/15-fast-on-a-gpu.md."""

from tinyunet.arrays import gpu_errors

# How CUDA's driver, its runtime and cuBLAS say that there is no room, each in an error of its own.
FULL = ("CUDA_ERROR_OUT_OF_MEMORY", "cudaErrorMemoryAllocation", "CUBLAS_STATUS_ALLOC_FAILED")


class KernelError(RuntimeError):
    """A kernel that did not compile, or that CUDA did not start; the message names it."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that the GPU's memory is full.

    Not only arrays need room there: kernels do when they are loaded, and cuBLAS when it begins.
    """
    is_of_array = isinstance(error, MemoryError) and isinstance(error, gpu_errors())
    return is_of_array or any(name in str(error) for name in FULL)
