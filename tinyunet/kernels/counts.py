"""Count first: the operations and bytes of a training step, and the times no GPU can beat.

A step needs F floating-point operations and must move at least B bytes (each input read once, each
output written once). On a chip that does f operations and moves b bytes a second, F / f and B / b
are two floors; the larger is the one a step runs into. Counts are for the whole step: forward,
backward and update, of float32 arrays. Lesson: lessons/15-fast-on-a-gpu.md.
"""

from dataclasses import dataclass

from tinyunet import geometry
from tinyunet.kernels.gpu_conv import tile_counts

FLOAT = 4  # bytes


@dataclass(frozen=True)
class Layer:
    """A convolution: `kind` is "conv3x3", "conv1x1" or "upconv", sizes are of square maps."""

    name: str
    kind: str
    channels: int
    out_channels: int
    size: int
    out_size: int
    has_relu: bool = True

    @property
    def weights(self):
        """How many numbers the weight tensor has."""
        taps = {"conv3x3": 9, "conv1x1": 1, "upconv": 4}[self.kind]
        return taps * self.channels * self.out_channels

    def product(self, winograd=False):
        """Operations of one of its matrix products: forward, or either gradient, of one image."""
        if self.kind == "upconv":  # each input pixel meets every weight
            return 2 * self.weights * self.size**2
        if winograd and self.kind == "conv3x3":
            rows, columns = tile_counts(self.out_size, self.out_size)
            return 2 * 36 * self.channels * self.out_channels * rows * columns
        return 2 * self.weights * self.out_size**2

    @property
    def inputs(self):
        """Numbers that enter it, of one image."""
        return self.channels * self.size**2

    @property
    def outputs(self):
        """Numbers that leave it, of one image."""
        return self.out_channels * self.out_size**2

    @property
    def tiles(self):
        """Numbers in Winograd's v, m (of one image) and u: see kernels/cuda/winograd.cu."""
        rows, columns = tile_counts(self.out_size, self.out_size)
        tiles = 36 * rows * columns
        return self.channels * tiles, self.out_channels * tiles, 4 * self.weights


@dataclass(frozen=True)
class Counts:
    """Operations (direct; Winograd for 3×3) and bytes (the least; Winograd's own on top)."""

    direct: int
    winograd: int
    bytes: int
    winograd_bytes: int

    def floors(self, operations_per_second, bytes_per_second, winograd=True):
        """Return the two floors of a step in milliseconds: (arithmetic, memory)."""
        operations = self.winograd if winograd else self.direct
        moved = self.bytes + (self.winograd_bytes if winograd else 0)
        return 1e3 * operations / operations_per_second, 1e3 * moved / bytes_per_second


def layers(size, depth=5, base=64, in_channels=1, n_classes=2):
    """Return the convolutions of the U in order. Raises ValueError if `size` does not fit."""
    found = []
    sizes = dict(geometry.level_sizes(size, depth))

    def double(name, channels, out_channels):
        first, second, third = sizes[name]
        found.append(Layer(f"{name}.conv1", "conv3x3", channels, out_channels, first, second))
        found.append(Layer(f"{name}.conv2", "conv3x3", out_channels, out_channels, second, third))

    channels = in_channels
    for level in range(1, depth + 1):
        width = base * 2 ** (level - 1)
        double(f"down{level}", channels, width)
        channels = width
    for level in range(depth - 1, 0, -1):
        width, name = base * 2 ** (level - 1), f"up{level}"
        doubled = sizes[name][0]
        up = Layer(f"{name}.upconv", "upconv", 2 * width, width, doubled // 2, doubled, False)
        found.append(up)
        double(name, 2 * width, width)
    last = found[-1].out_size
    found.append(Layer("out", "conv1x1", base, n_classes, last, last, False))
    return found


def count_step(size, depth=5, base=64, in_channels=1, n_classes=2, batch=1):
    """Return the `Counts` of one training step on `batch` square tiles of `size` pixels."""
    direct = winograd = moved = own = 0
    walk = layers(size, depth, base, in_channels, n_classes)
    for layer in walk:
        products = 2 if layer is walk[0] else 3  # nobody asks for the gradient of the image
        direct += batch * products * layer.product()
        winograd += batch * products * layer.product(winograd=True)
        moved += FLOAT * _least_numbers(layer, products, batch)
        if layer.kind == "conv3x3":
            v, m, u = layer.tiles
            # forward: v, m, u written and read; backward: v and dm, read once a product, du, and
            # for dx also u and dv
            numbers = 2 * (v + m) * batch + 2 * u + (2 * v + products * m) * batch + 2 * u
            numbers += (2 * v * batch + 2 * u) if products == 3 else 0
            own += FLOAT * numbers
    moved += FLOAT * 5 * sum(layer.weights + layer.out_channels for layer in walk)  # p, v, g; p, v
    moved += FLOAT * batch * _copied_numbers(size, depth, base)
    return Counts(direct, winograd, moved, own)


def _least_numbers(layer, products, batch):
    """Numbers that a layer's forward and backward read and write, if each does so once."""
    forward = layer.inputs + layer.outputs
    backward = layer.inputs + layer.outputs * (2 if layer.has_relu else 1)
    backward += layer.inputs if products == 3 else 0
    return batch * (forward + backward) + 3 * layer.weights


def _copied_numbers(size, depth, base):
    """Numbers that pooling, cropping and their backwards read and write, of one image."""
    sizes = dict(geometry.level_sizes(size, depth))
    numbers = 0
    for level in range(1, depth):
        width = base * 2 ** (level - 1)
        full = width * sizes[f"down{level}"][-1] ** 2
        pooled = full // 4
        half = width * sizes[f"up{level}"][0] ** 2  # of a concatenation
        numbers += pooled  # max-pool forward: the convolution before it still has its windows
        numbers += full + pooled + full  # and backward
        numbers += 2 * 2 * half  # concatenation
        numbers += (
            half + full + 3 * full
        )  # the crop's backward; the sum with the pooling's gradient
    return numbers
