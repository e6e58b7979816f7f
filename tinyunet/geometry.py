"""The arithmetic of valid convolutions: 572 → 388, which sizes fit, how wide the border is.

Every unpadded 3×3 convolution takes one pixel off each side; every pooling halves; every
up-convolution doubles. Let b be the size of the map that leaves the bottom of the U, and
s = 2^(depth-1) the factor by which it is smaller than the input. Walking outwards from the bottom:

    input  = s·(b + 4) + 4·(s − 1)      down: undo two convolutions (+4), undo the pooling (×2)
    output = s·b       − 4·(s − 1)      up:   up-convolution (×2), two convolutions (−4)

so input − output = 12·s − 8, whatever the tile: 184 pixels, 92 a side, at the paper's depth of 5.
Sizes are in pixels along one axis; height and width obey the same rule independently.
Paper: section 2, figure 1. Lesson: lessons/05-the-u.md.
"""

import math

import numpy as np

DEEPEST = 30  # its smallest tile has 6 milliard pixels a side: nobody's network


def mirror(index, size):
    """Where an image of `size` pixels is read for the (possibly outside) positions `index`.

    The edge pixel is not repeated (NumPy's "reflect": -1 reads 1), and the mirror image is
    mirrored again as often as it takes: positions run 0 ... size-1 ... 0 ... with a period of
    2·(size-1). An image of one pixel is that pixel everywhere. `index`: an integer array.
    """
    if size == 1:
        return np.zeros_like(index)
    index = np.abs(index) % (2 * (size - 1))
    return np.where(index < size, index, 2 * (size - 1) - index)


def _check_depth(depth):
    if depth != int(depth) or depth < 1:
        raise ValueError(f"depth {depth} is not a whole number of at least 1")
    if depth > DEEPEST:
        raise ValueError(f"depth {depth} is more than {DEEPEST}")
    return int(depth)


def scale(depth):
    """Return 2^(depth-1): how many input pixels one pixel at the bottom of the U stands for."""
    return 2 ** (_check_depth(depth) - 1)


def margin(depth):
    """Return how many pixels the output is narrower than the input on each side (92 at depth 5)."""
    return 6 * scale(depth) - 4


def _smallest_bottom(depth):
    """Return the smallest bottom size b whose output s·b − 4(s−1) has at least one pixel."""
    s = scale(depth)
    return 4 * (s - 1) // s + 1


def _input_for_bottom(bottom, depth):
    s = scale(depth)
    return s * (bottom + 4) + 4 * (s - 1)


def smallest_size(depth):
    """Return the smallest input size that gives any output (188 → 4 at depth 5)."""
    return _input_for_bottom(_smallest_bottom(depth), depth)


def fits(size, depth):
    """Return whether an input of `size` pixels meets an even size at every pooling."""
    return size >= smallest_size(depth) and (size - smallest_size(depth)) % scale(depth) == 0


def nearest_sizes(size, depth):
    """Return the legal input sizes next to `size`: one below (if any) and one above, or itself."""
    smallest, s = smallest_size(depth), scale(depth)
    if size <= smallest:
        return [smallest]
    below = smallest + (int(size) - smallest) // s * s
    return [below] if below == size else [below, below + s]


def check_size(size, depth, name="size"):
    """Raise ValueError, naming the nearest sizes that fit, unless an input of `size` fits."""
    if not fits(size, depth):
        nearest = " and ".join(str(n) for n in nearest_sizes(size, depth))
        raise ValueError(
            f"{name} {size} does not fit depth {depth}: the nearest sizes are {nearest}"
        )


def output_size(size, depth):
    """Return the output size of an input of `size` pixels. Raises ValueError if it does not fit."""
    check_size(size, depth)
    return size - 2 * margin(depth)


def input_size(output, depth):
    """Return the smallest legal input size whose output covers at least `output` pixels."""
    if output < 1:
        raise ValueError(f"output {output} is not at least 1 pixel")
    smallest, s = smallest_size(depth), scale(depth)
    steps = max(0, math.ceil((output + 2 * margin(depth) - smallest) / s))
    return smallest + steps * s


def legal_sizes(depth, at_most=1024):
    """Return all input sizes up to `at_most` that fit `depth`, smallest first."""
    return list(range(smallest_size(depth), int(at_most) + 1, scale(depth)))


def level_sizes(size, depth):
    """Return the sizes of the maps on the way through the U, as figure 1 prints them.

    A list of (name, sizes): ("down1", [572, 570, 568]), …, ("up1", [392, 390, 388]). The first
    number is what enters the two convolutions. Raises ValueError if `size` does not fit.
    """
    check_size(size, depth)
    walk = []
    for level in range(1, depth + 1):
        walk.append((f"down{level}", [size, size - 2, size - 4]))
        size = (size - 4) // 2
    size = walk[-1][1][-1]
    for level in range(depth - 1, 0, -1):
        size = 2 * size
        walk.append((f"up{level}", [size, size - 2, size - 4]))
        size -= 4
    return walk


def layer_table(size, in_channels=1, n_classes=2, depth=5, base=64):
    """Return a dict for every layer of the U, in the order of the data, for one tile of `size`.

    name, shape (channels, height, width) of its output, parameters, flops (floating-point
    operations of its forward, a multiplication and an addition counting two), and bytes of its
    output in float32.
    """
    layers = []

    def add(name, channels, side, parameters=0, flops_per_value=0):
        values = channels * side * side
        layers.append(
            {
                "name": name,
                "shape": [channels, side, side],
                "parameters": parameters,
                "flops": values * flops_per_value,
                "bytes": 4 * values,
            }
        )

    def conv(name, out, entering, side, kernel):
        nodes = entering * kernel * kernel
        add(name, out, side, out * (nodes + 1), 2 * nodes)

    channels = in_channels
    for name, (top, first, second) in level_sizes(size, depth):
        level = int(name.removeprefix("down").removeprefix("up"))
        width = base * 2 ** (level - 1)
        if name.startswith("up"):
            # Each output value of the up-convolution adds up one tap of every input channel.
            add(f"{name}.upconv", width, top, width * (4 * channels + 1), 2 * channels)
            add(f"{name}.concat", 2 * width, top)
            channels = 2 * width
        elif level > 1:
            add(f"{name}.pool", channels, top)
        conv(f"{name}.conv1", width, channels, first, 3)
        conv(f"{name}.conv2", width, width, second, 3)
        channels = width
    conv("out", n_classes, channels, layers[-1]["shape"][1], 1)
    return layers


def training_memory(size, in_channels=1, n_classes=2, depth=5, base=64):
    """Return about how many bytes a training step on a tile of `size` needs on the CPU, float32.

    Counted: every map that the backward needs again (the up-convolved ones live on in their
    concatenation), two maps of the largest kind for the gradients on their way, parameters with
    velocity and gradients, one transformed filter bank of the widest layer (36 values for 9), and
    165 MB for Python and its libraries. `tests/test_memory.py` holds it against a measurement.
    """
    layers = layer_table(size, in_channels, n_classes, depth, base)
    maps = sum(layer["bytes"] for layer in layers if not layer["name"].endswith("upconv"))
    largest = max(layer["bytes"] for layer in layers)
    parameters = 4 * sum(layer["parameters"] for layer in layers)
    widest = base * 2 ** (depth - 1)
    return maps + 2 * largest + 3 * parameters + 4 * 36 * widest**2 + 165_000_000
