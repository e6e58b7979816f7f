"""Out of GPU memory: what a step takes there, and the largest tile that would fit.

The step is done without a GPU, by shapes alone (counting.py), so the estimate is that of the code.
Lesson: lessons/15-fast-on-a-gpu.md.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tinyunet import geometry
from tinyunet.backends.cuda.counting import count_training_step
from tinyunet.backends.cuda.cublas import WORKSPACE
from tinyunet.backends.cuda.errors import is_out_of_memory
from tinyunet.nn.architecture import unet_layers
from tinyunet.nn.operation import is_plain
from tinyunet.nn.precision import current_precision

SPARE = 0.9  # of the free memory: CUDA itself, and holes in the pool, want some
LARGEST = 4096  # pixels of a tile: larger ones are not tried


def step_bytes(
    size: int,
    depth: int = 5,
    base_channels: int = 64,
    in_channels: int = 1,
    n_classes: int = 2,
    batch: int = 1,
    precision: str | None = None,
) -> int:
    """Return about how many bytes of GPU memory a training step on square tiles takes.

    Parameters and velocities, cuBLAS's workspace, and what CuPy's pool takes for the arrays of a
    step; in the precision in force unless another is named. Drop-out's masks, a few maps of the
    lowest level, are not among them.
    """
    walk = unet_layers(in_channels, n_classes, depth, base_channels)
    learned = 4 * sum(layer.n_params for layer in walk)
    shape = (depth, base_channels, in_channels, n_classes, batch)
    step = count_training_step(size, *shape, precision or current_precision())
    return 2 * learned + WORKSPACE + step.reserved


def largest_tile(free_bytes: float, *architecture: int, at_most: int = LARGEST) -> int | None:
    """Return the largest legal tile whose step fits into `free_bytes`, or None if none does.

    `architecture`: depth and so on, as for `step_bytes`.
    """
    sizes = list(geometry.legal_sizes(*architecture[:1] or (5,), at_most))  # type: ignore[call-arg]
    first_misfit, end = 0, len(sizes)
    while first_misfit < end:  # a larger tile hardly ever takes less; what is returned fits
        middle = (first_misfit + end) // 2
        if step_bytes(sizes[middle], *architecture) > SPARE * free_bytes:  # type: ignore[arg-type]
            end = middle
        else:
            first_misfit = middle + 1
    return sizes[first_misfit - 1] if first_misfit else None


def out_of_memory_message(size: int, free_bytes: float, *architecture: int) -> str:
    """Return the line to raise when a step on tiles of `size` ran out of GPU memory.

    free_bytes: what is free on the device when nothing of the step is allocated; `architecture`:
    depth, base_channels, in_channels, n_classes and batch, as for `step_bytes`.
    """
    batch = architecture[4] if len(architecture) > 4 else 1
    head = f"out of GPU memory: tile {size}, batch {batch}"
    free = f"{free_bytes / 1e9:.1f} GB are free"
    if is_plain():
        return f"{head} does not fit ({free}): the plain operations take much more than the kernels"
    needed = step_bytes(size, *architecture)  # type: ignore[arg-type]
    # That the step did not fit is a fact, whatever the estimate says: look below `size` only.
    fitting = largest_tile(free_bytes, *architecture, at_most=size - 1)
    if fitting is None:
        advice = "no tile fits: use a smaller base or depth"
    else:
        advice = f"a tile of {fitting} would fit"
    return f"{head} takes about {needed / 1e9:.1f} GB and {free}; {advice}"


@contextmanager
def explained(free_bytes: float, size: int, *architecture: int) -> Iterator[None]:
    """Within the block, a GPU's "out of memory" becomes a MemoryError with the message above."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # CUDA's and cuBLAS's; a full pool of CuPy's
        if not is_out_of_memory(error):
            raise
        raise MemoryError(out_of_memory_message(size, free_bytes, *architecture)) from error
