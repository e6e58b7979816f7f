"""Out of GPU memory: what a step takes there, and the largest tile that would fit.

Lesson: lessons/15-fast-on-a-gpu.md.
"""

from contextlib import contextmanager

from tinyunet import geometry
from tinyunet.arrays import out_of_gpu_memory
from tinyunet.kernels.counts import FLOAT, layers

SPARE = 0.9  # of the free memory: cuBLAS and the pool's rounding want some


def step_bytes(size, depth=5, base=64, in_channels=1, n_classes=2, batch=1):
    """Return about how many bytes of GPU memory a training step on square tiles takes.

    Parameters with velocity and gradient, every map that the backward needs again, the gradients
    of the two largest, and the transforms of the layer that has the largest ones.
    """
    walk = layers(size, depth, base, in_channels, n_classes)
    learned = 3 * sum(layer.weights + layer.out_channels for layer in walk)
    maps = 0
    for layer in walk:
        maps += layer.outputs
        if layer.name.endswith("upconv"):
            maps += layer.outputs  # the other half of the concatenation
        if layer.name.startswith("down") and layer.name.endswith("conv1"):
            maps += layer.inputs  # the image, or what the pooling made
    gradients = 2 * max(max(layer.inputs, layer.outputs) for layer in walk)
    transforms = max(
        batch * (2 * v + m) + 2 * u
        for v, m, u in (layer.tiles for layer in walk if layer.kind == "conv3x3")
    )
    return FLOAT * (learned + batch * (maps + gradients) + transforms)


def largest_tile(free_bytes, depth=5, base=64, in_channels=1, n_classes=2, batch=1, at_most=4096):
    """Return the largest legal tile whose step fits into `free_bytes`, or None if none does."""
    fitting = None
    for size in geometry.legal_sizes(depth, at_most):
        if step_bytes(size, depth, base, in_channels, n_classes, batch) > SPARE * free_bytes:
            break
        fitting = size
    return fitting


def out_of_memory_message(size, free_bytes, depth=5, base=64, in_channels=1, n_classes=2, batch=1):
    """Return the line to raise when a step on tiles of `size` ran out of GPU memory.

    free_bytes: what is free on the device when nothing of the step is allocated.
    """
    architecture = (depth, base, in_channels, n_classes, batch)
    needed = step_bytes(size, *architecture)
    # That the step did not fit is a fact, whatever the estimate says: look below `size` only.
    fitting = largest_tile(free_bytes, *architecture, at_most=size - 1)
    if fitting is None:
        advice = "no tile fits: use a smaller base or depth"
    else:
        advice = f"a tile of {fitting} would fit"
    return (
        f"out of GPU memory: tile {size}, batch {batch} takes about {needed / 1e9:.1f} GB and "
        f"{free_bytes / 1e9:.1f} GB are free; {advice}"
    )


@contextmanager
def explained(free_bytes, size, *architecture):
    """Within the block, a GPU's "out of memory" becomes a MemoryError with the message above."""
    try:
        yield
    except out_of_gpu_memory() as error:
        raise MemoryError(out_of_memory_message(size, free_bytes, *architecture)) from error
