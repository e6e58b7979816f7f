"""The GPU path counted: launches, bytes, operations and what they should take. No GPU needed.

    python benchmarks/gpu_count.py [--base 64 --tile 572]

The package's own step runs on shapes alone (tinyunet/backends/cuda/counting.py), so the table is of
the code as it is. Registers and spills are the compiler's (nvcc, where it is installed). A time is
the larger of two quotients, bytes over what a card copies and operations over a rate, and the gap
between two kernels of a graph; it is an estimate, no more, until a card has been asked.
"""

import argparse

from gpu_resources import compile_with_nvcc

from tinyunet.backends.counts import FLOAT, layers
from tinyunet.backends.cuda.counting import count_training_step
from tinyunet.nn.precision import PRECISIONS

COPY = {
    "H100": 3.0e12,
    "H200": 4.3e12,
}  # bytes a second, read and written, measured by a large copy
OF_COPY = 0.9  # that a kernel of ours should reach
PRODUCTS = {"float32": 50e12, "tf32": 300e12, "bf16": 550e12}  # cuBLAS, large products, both cards
GAP = 1.5e-6  # seconds between two kernels of a graph
PROCESSORS, CLOCK = 132, 1.7e9  # multiprocessors, each with four schedulers; Hz
RESIDENT = 2  # blocks of a tensor-core kernel on a multiprocessor, by its registers and memory
OF_UNITS = 0.62  # of a Hopper card's tensor-core rate mma.sync reaches; all of it needs wgmma
UNITS = {"tf32": 494e12, "bf16": 989e12}
OF_ISSUE = 0.75  # of the instructions that could be issued
# The loops' machine code for sm_90 (nvdisasm): instructions and matrix instructions in a stage.
LOOPS = {
    "conv_tf32_128": (206, 32),
    "conv_tf32_64": (165, 16),
    "filters_tf32_128": (325, 32),
    "filters_tf32_64": (284, 16),
    "conv_bf16_128": (206, 32),
    "conv_bf16_64": (165, 16),
    "filters_bf16_128": (170, 32),
    "filters_bf16_64": (194, 16),
}


def rate_of(launch, precision):
    """Return the operations a second that a launch can reach, by what it is made of."""
    if launch.kernel == "product":  # a block for each 128 × 128, of which a card runs 132 at once
        return PRODUCTS[precision] * min(1.0, launch.blocks / PROCESSORS)
    if launch.kernel not in LOOPS:
        return PRODUCTS["float32"]
    instructions, matrix = LOOPS[launch.kernel]
    kind = "tf32" if "tf32" in launch.kernel else "bf16"
    operations = {"tf32": 2048, "bf16": 4096}[kind] * matrix / instructions
    by_issue = OF_ISSUE * operations * 4 * PROCESSORS * CLOCK
    waves = launch.blocks / (RESIDENT * PROCESSORS)
    return min(by_issue, OF_UNITS * UNITS[kind]) * waves / -(-waves // 1)


def seconds_of(launch, precision, card):
    """Return the estimated time of a launch."""
    moving = launch.bytes / (OF_COPY * COPY[card])
    return max(moving, launch.operations / rate_of(launch, precision)) + GAP


def pytorch_estimate(size, base, precision, card):
    """Return (fast, slow) milliseconds of PyTorch's step: its convolutions, and its other passes.

    Every pass over a map that cuDNN does not do is a kernel: bias, ReLU, its gradient, the bias's
    gradient. In bf16 maps take two bytes. Convolutions in float32: by Winograd F(2×2) at best, or
    directly; on tensor cores at 0.45 to 0.75 of the units' rate.
    """
    walk = layers(size, base_channels=base)
    numbers = sum(3 * (layer.inputs + layer.outputs) + 8 * layer.outputs for layer in walk)
    item = 2 if precision == "bf16" else FLOAT
    parameters = sum(layer.weights for layer in walk)
    moved = item * numbers + 28 * parameters
    operations = sum(3 * layer.product() for layer in walk)
    passes = moved / (OF_COPY * COPY[card])
    if precision == "float32":
        rates = (2.25 * PRODUCTS["float32"] * 0.9, PRODUCTS["float32"] * 0.9)
    else:
        rates = (0.75 * UNITS[precision], 0.45 * UNITS[precision])
    return [1e3 * (operations / rate + passes) for rate in rates]


def count_kernels(step, precision):
    """Return {kernel: (launches, bytes, operations, {card: seconds})}, the longest first."""
    rows = {}
    for launch in step.launches:
        count, moved, operations, times = rows.get(launch.kernel, (0, 0, 0, dict.fromkeys(COPY, 0)))
        times = {card: times[card] + seconds_of(launch, precision, card) for card in COPY}
        moved, operations = moved + launch.bytes, operations + launch.operations
        rows[launch.kernel] = count + 1, moved, operations, times
    return dict(sorted(rows.items(), key=lambda row: -row[1][3]["H100"]))


def print_table(base, tile, precision, resources):
    """Print one precision's kernels and the sum, and PyTorch's estimate beside it."""
    step = count_training_step(tile, base_channels=base, precision=precision)
    rows = count_kernels(step, precision)
    print(f"\n{precision}, base {base}, tile {tile}: {len(step.launches)} launches")
    print("| kernel | launches | registers | spills | MB | GFLOP | ms H100 | ms H200 |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for kernel, (count, moved, operations, times) in rows.items():
        known = resources.get(kernel)
        shown = (known.registers, known.spills + known.stack) if known else ("", "")
        work = f"{operations / 1e9:.1f}" if operations else ""
        spans = " | ".join(f"{1e3 * times[card]:.2f}" for card in COPY)
        print(
            f"| {kernel} | {count} | {shown[0]} | {shown[1]} | {moved / 1e6:.0f} | {work} "
            f"| {spans} |"
        )
    moved = sum(row[1] for row in rows.values())
    totals = {card: 1e3 * sum(row[3][card] for row in rows.values()) for card in COPY}
    spans = " | ".join(f"{total:.1f}" for total in totals.values())
    operations = sum(row[2] for row in rows.values())
    print(
        f"| all | {len(step.launches)} | | | {moved / 1e6:.0f} | {operations / 1e9:.0f} | {spans} |"
    )
    for card, total in totals.items():
        fast, slow = pytorch_estimate(tile, base, precision, card)
        share = f"{total / slow:.2f} to {total / fast:.2f}"
        print(f"PyTorch on an {card}: {fast:.1f} to {slow:.1f} ms estimated; share {share}")


def main():
    """Print the tables of all precisions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=int, default=64)
    parser.add_argument("--tile", type=int, default=572)
    parser.add_argument("--arch", type=int, default=90, help="compute capability to compile for")
    args = parser.parse_args()
    resources = compile_with_nvcc(args.arch)
    for precision in PRECISIONS:
        print_table(args.base, args.tile, precision, resources)


if __name__ == "__main__":
    main()
