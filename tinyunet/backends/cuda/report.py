"""Which GPUs are there, and what computes on each: for `tinyunet info` and for reports.

Lesson: lessons/15-fast-on-a-gpu.md.
"""

from tinyunet.arrays import gpu_problem, select_device
from tinyunet.backends.cuda.algorithms import TENSOR_CORES
from tinyunet.backends.cuda.errors import KernelError, is_out_of_memory
from tinyunet.backends.cuda.launch import CupyGpu
from tinyunet.backends.cuda.trial import find_problem
from tinyunet.nn.operation import is_plain
from tinyunet.nn.precision import PRECISIONS


def describe_gpus() -> list[str]:
    """Say for each GPU what a network on it would be computed by, and why.

    Compiles and tries every kernel, which takes some seconds where CuPy has not kept them.

    Returns
    -------
    list of str
        A line for each GPU; none where there is no usable GPU.
    """
    if gpu_problem() is not None:
        return []
    xp = select_device("gpu").xp
    count = xp.cuda.runtime.getDeviceCount()
    return [_describe(CupyGpu(xp, index)) for index in range(count)]


def _describe(gpu: CupyGpu) -> str:
    capability = gpu.compute_capability
    with gpu.current():
        name = gpu.xp.cuda.runtime.getDeviceProperties(gpu.index)["name"].decode()
        memory = gpu.xp.cuda.runtime.memGetInfo()[1]
    head = f"gpu:{gpu.index} {name}, {memory / 1e9:.0f} GB, compute capability {capability / 10}"
    return f"{head}: {_path(gpu, capability)}"


def _path(gpu: CupyGpu, capability: int) -> str:
    """Return what computes on `gpu`: kernels, in which precisions, plain CuPy or nothing; why."""
    if is_plain():
        return "plain CuPy operations, as asked for (TINYUNET_BACKEND or --backend)"
    try:
        problems = {precision: find_problem(gpu, precision) for precision in PRECISIONS}
    except (RuntimeError, MemoryError) as error:  # KernelError, CUDA's own; a full pool of CuPy's
        if not (isinstance(error, KernelError) or is_out_of_memory(error)):
            raise
        return f"nothing, because {error}"
    if problems["float32"] is not None:
        return f"plain CuPy operations, because {problems['float32']}"
    good = [name for name, problem in problems.items() if problem is None]
    if capability < TENSOR_CORES:
        return f"our kernels in float32 (tf32 and bf16 need {TENSOR_CORES / 10})"
    bad = "".join(f"; not in {name}: {why}" for name, why in problems.items() if why is not None)
    return f"our kernels in {', '.join(good)}{bad}"
