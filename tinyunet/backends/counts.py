"""Count first: the operations and bytes of a training step, and the times no GPU can beat.

A step needs F floating-point operations and must move at least B bytes (each input read once, each
output written once). On a chip that does f operations and moves b bytes a second, F / f and B / b
are two lower bounds; the larger is the one a step runs into. Counts are for the whole step:
forward, backward and update, of float32 arrays. Lesson: lessons/15-fast-on-a-gpu.md.
"""

from dataclasses import dataclass

from tinyunet.backends.cuda.winograd import tile_counts
from tinyunet.nn import architecture

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
    def weights(self) -> int:
        """How many numbers the weight tensor has."""
        taps = {"conv3x3": 9, "conv1x1": 1, "upconv": 4}[self.kind]
        return taps * self.channels * self.out_channels

    def product(self, winograd: bool = False) -> int:
        """Operations of one of its matrix products: forward, or either gradient, of one image."""
        if self.kind == "upconv":  # each input pixel meets every weight
            return 2 * self.weights * self.size**2
        if winograd and self.kind == "conv3x3":
            rows, columns = tile_counts(self.out_size, self.out_size)
            return 2 * 36 * self.channels * self.out_channels * rows * columns
        return 2 * self.weights * self.out_size**2

    @property
    def inputs(self) -> int:
        """Numbers that enter it, of one image."""
        return self.channels * self.size**2

    @property
    def outputs(self) -> int:
        """Numbers that leave it, of one image."""
        return self.out_channels * self.out_size**2

    @property
    def tiles(self) -> tuple[int, int, int]:
        """Numbers in Winograd's v, m (of one image) and u: see backends/cuda/winograd.cu."""
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

    def lower_bounds(
        self, operations_per_second: float, bytes_per_second: float, winograd: bool = True
    ) -> tuple[float, float]:
        """Return the two lower bounds of a step in milliseconds: (arithmetic, memory)."""
        operations = self.winograd if winograd else self.direct
        moved = self.bytes + (self.winograd_bytes if winograd else 0)
        return 1e3 * operations / operations_per_second, 1e3 * moved / bytes_per_second


def layers(
    size: int, depth: int = 5, base_channels: int = 64, in_channels: int = 1, n_classes: int = 2
) -> list[Layer]:
    """Return the convolutions of the U in order. Raises ValueError if `size` does not fit."""
    walk = architecture.unet_layers(in_channels, n_classes, depth, base_channels)
    return [
        Layer(
            layer.name,
            "upconv" if layer.kind == "upconv" else f"conv{layer.kernel}x{layer.kernel}",
            layer.in_channels,
            layer.out_channels,
            entering,
            leaving,
            layer.kernel == 3,
        )
        for layer, entering, leaving in architecture.trace_sizes(walk, size)
        if layer.weight_shape is not None
    ]


def count_step(
    size: int,
    depth: int = 5,
    base_channels: int = 64,
    in_channels: int = 1,
    n_classes: int = 2,
    batch: int = 1,
) -> Counts:
    """Return the `Counts` of one training step on `batch` square tiles of `size` pixels."""
    direct = winograd = moved = own = 0
    walk = layers(size, depth, base_channels, in_channels, n_classes)
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
    moved += FLOAT * batch * _copied_numbers(size, depth, base_channels)
    return Counts(direct, winograd, moved, own)


def _least_numbers(layer: Layer, products: int, batch: int) -> int:
    """Numbers that a layer's forward and backward read and write, if each does so once."""
    forward = layer.inputs + layer.outputs
    backward = layer.inputs + layer.outputs * (2 if layer.has_relu else 1)
    backward += layer.inputs if products == 3 else 0
    return batch * (forward + backward) + 3 * layer.weights


def _copied_numbers(size: int, depth: int, base_channels: int) -> int:
    """Numbers that pooling, cropping and their backward passes read and write, of one image."""
    walk = architecture.unet_layers(1, 2, depth, base_channels)
    numbers = 0
    for layer, entering, leaving in architecture.trace_sizes(walk, size):
        full = layer.in_channels * entering**2  # what enters, in numbers
        if layer.kind == "pool":
            pooled = layer.out_channels * leaving**2
            numbers += pooled  # forward: the convolution before it still has its windows
            numbers += full + pooled + full  # and backward
            numbers += full + 3 * full  # the crop's gradient placed; its sum with the pooling's
        elif layer.kind == "concat":
            numbers += 2 * 2 * full  # the concatenation: two halves, read and written
            numbers += full  # the skip's half of its gradient
    return numbers
