"""The GPU path counted: launches, bytes, operations and what they should take. No GPU needed.

    python benchmarks/gpu_count.py [--works 64:572 16:284] [--write]

The package's own step runs on shapes alone (tinyunet/backends/cuda/counting.py), so the table is of
the code as it is. Registers and spills are the compiler's (nvcc, where it is installed). A time is
the larger of two quotients, bytes over what a card copies and operations over a rate, and the gap
between two kernels of a graph; it is an estimate, no more, until a card has been asked.
"""

import argparse
from pathlib import Path

from gpu_resources import compile_with_nvcc

from tinyunet.backends.counts import FLOAT, layers
from tinyunet.backends.cuda.counting import count_training_step
from tinyunet.backends.cuda.fused import DEPTH
from tinyunet.nn.precision import PRECISIONS

# Bytes a second, read and written, that a large copy is said to reach; not measured by us.
COPY = {"H100": 3.0e12, "H200": 4.3e12}
START, END = "<!-- gpu_count -->\n", "<!-- end of gpu_count -->\n"
WORKS = [(64, 572), (64, 284), (16, 572), (16, 284)]
BARS = {(64, "float32"): 0.70, (64, "tf32"): 1.00, (64, "bf16"): 1.20, (16, "float32"): 0.50}
OF_COPY = 0.9  # that a kernel of ours should reach
OF_FULL = 2 / 3  # of the full rate of products: what a good kernel reaches
PRODUCTS = {"float32": 50e12, "tf32": 300e12, "bf16": 550e12}  # cuBLAS, large products, both cards
GAP = 1.5e-6  # seconds between two kernels of a graph
OF_LAYER = 7  # kernels of PyTorch's: y, bias, ReLU; dy of the ReLU, dbias, dx, dweight
PROCESSORS, CLOCK = 132, 1.7e9  # multiprocessors, each with four schedulers; Hz
RESIDENT = 2  # blocks of a kernel with products on a multiprocessor, by its registers and memory
OF_UNITS = 0.62  # of a Hopper card's tensor-core rate mma.sync reaches; all of it needs wgmma
UNITS = {"tf32": 494e12, "bf16": 989e12}
OF_ISSUE = 0.75  # of the instructions that could be issued
# What only brings the factors into another form, or adds up parts: a design that keeps all maps as
# its products want them (bf16, channels last), or Winograd's V and M in shared memory, has none.
AROUND = ("pack_", "sum_outputs", "sum_filter", "transform_input", "transform_gradient",
          "input_gradient", "inverse_output")  # fmt: skip
# Instructions that the six warps of a block of fused.cu issue together, from listings of sm_90 too,
# on maps of even width. For a chunk: in fused_conv_32 two warps bring patches (473 each), four
# bring u (70), and all go through the loop (460; 96 products in 113 instructions, four times). For
# the rest of a block: above all the way back from 36 positions, sixteen times 385.
FUSED = {
    "fused_conv_16": (4800, 8300),
    "fused_conv_32": (4000, 8300),
    "fused_gradient_16": (3630, 12000),
    "fused_gradient_32": (5770, 20800),
}
# The loops of nvcc 13.0 for sm_90 (nvdisasm): instructions and matrix instructions in a stage.
LOOPS = {
    "conv_tf32_128": (193, 32),
    "conv_tf32_64": (154, 16),
    "filters_tf32_128": (325, 32),
    "filters_tf32_64": (284, 16),
    "conv_bf16_128": (193, 32),
    "conv_bf16_64": (154, 16),
    "filters_bf16_128": (170, 32),
    "filters_bf16_64": (194, 16),
}


def rate_of(launch, precision):
    """Return the operations a second that a launch can reach, by what it is made of."""
    if launch.kernel == "product":  # a block for each 128 × 128, of which a card runs 132 at once
        return PRODUCTS[precision] * min(1.0, launch.blocks / PROCESSORS)
    waves = launch.blocks / (RESIDENT * PROCESSORS)
    if launch.kernel in FUSED:
        chunk, rest = FUSED[launch.kernel]
        instructions = launch.operations / operations_of_chunk(launch.kernel) * chunk
        seconds = (instructions + launch.blocks * rest) / (OF_ISSUE * 4 * PROCESSORS * CLOCK)
        return launch.operations / seconds * waves / -(-waves // 1)
    if launch.kernel not in LOOPS:
        return PRODUCTS["float32"]
    instructions, matrix = LOOPS[launch.kernel]
    kind = "tf32" if "tf32" in launch.kernel else "bf16"
    operations = {"tf32": 2048, "bf16": 4096}[kind] * matrix / instructions
    by_issue = OF_ISSUE * operations * 4 * PROCESSORS * CLOCK
    return min(by_issue, OF_UNITS * UNITS[kind]) * waves / -(-waves // 1)


def operations_of_chunk(kernel):
    """Return the operations of a chunk of fused.cu: 512 sums of each position, or 256."""
    return 2 * 36 * DEPTH * (256 if kernel == "fused_gradient_16" else 512)


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
    passes = moved / (OF_COPY * COPY[card]) + OF_LAYER * len(walk) * GAP
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


def totals_of(rows):
    """Return (launches, bytes, operations, {card: seconds}) of all kernels together."""
    launches, moved, operations = (sum(row[i] for row in rows.values()) for i in range(3))
    return launches, moved, operations, {c: sum(row[3][c] for row in rows.values()) for c in COPY}


def kernel_table(counted, precision, resources):
    """Yield one precision's table: a row a kernel, the works' times in columns."""
    (first, *_), works = counted, list(counted)
    names = [f"{base}:{tile}" for base, tile in works]
    yield f"| kernel in {precision} | registers | stack, spills | launches | MB | GFLOP | " + (
        " | ".join(f"ms at {name}" for name in names) + " |"
    )
    yield "| --- " * (6 + len(names)) + "|"
    kernels = list(counted[first][precision])
    kernels += sorted({k for work in works for k in counted[work][precision]} - set(kernels))
    for kernel in kernels:
        known, row = resources.get(kernel), counted[first][precision].get(kernel)
        sizes = f"{known.registers} | {known.stack}, {known.spills}" if known else " | "
        done = f"{row[2] / 1e9:.1f}" if row and row[2] else ""
        work = f"{row[0]} | {row[1] / 1e6:.0f} | {done}" if row else " | | "
        rows = [counted[one][precision].get(kernel) for one in works]
        cells = [_times(row[3]) if row else "" for row in rows]
        yield f"| `{kernel}` | {sizes} | {work} | {' | '.join(cells)} |"


def _times(seconds):
    """Milliseconds on each card."""
    return ", ".join(f"{1e3 * seconds[card]:.2f}" for card in COPY)


def summary_table(counted):
    """Yield the sums beside PyTorch's estimate and the bar, a row a work and precision."""
    cards = " and ".join(COPY)
    yield f"| base:tile | precision | launches | GB | GFLOP | ms, {cards} | PyTorch | share | bar |"
    yield "| --- " * 9 + "|"
    for (base, tile), found in counted.items():
        for precision, rows in found.items():
            launches, moved, operations, seconds = totals_of(rows)
            ranges = {card: pytorch_estimate(tile, base, precision, card) for card in COPY}
            shares = shares_of(base, tile, precision, seconds)
            peers = " and ".join(f"{fast:.1f} to {slow:.1f}" for fast, slow in ranges.values())
            yield (
                f"| {base}:{tile} | {precision} | {launches} | {moved / 1e9:.2f} "
                f"| {operations / 1e9:.0f} | {_times(seconds)} | {peers} "
                f"| {min(shares):.2f} to {max(shares):.2f} | {verdict(base, precision, shares)} |"
            )


def limit_table(counted):
    """Yield what is left of the share with products at the card's full rate, and nothing around.

    Two lower bounds, of what a better product alone could bring, and of what a design could that
    also needs no packing, no slices and no transforms of its own; and that design with products at
    a rate that a good kernel has.
    """
    columns = ["base:tile", "precision", "now", "products at full rate", "nothing around them"]
    columns += ["and at two thirds of the rate", "bar"]
    yield f"| {' | '.join(columns)} |"
    yield "| --- " * 7 + "|"
    for (base, tile), found in counted.items():
        for precision, rows in found.items():
            if (base, precision) not in BARS:
                continue
            shares = [
                shares_of(base, tile, precision, {card: sum(times) for card, times in each.items()})
                for each in bounds(rows, precision)
            ]
            cells = [f"{min(values):.2f} to {max(values):.2f}" for values in shares]
            bar = f"{BARS[base, precision]:.2f}"
            yield f"| {' | '.join([f'{base}:{tile}', precision, *cells, bar])} |"


def bounds(rows, precision):
    """Return four {card: seconds of each kernel}: as it is, and three limits of other designs."""
    full = UNITS.get(precision, PRODUCTS["float32"])

    def at(rate):
        return {
            card: {
                kernel: max(moved / (OF_COPY * COPY[card]), operations / rate) + count * GAP
                if operations
                else seconds[card]
                for kernel, (count, moved, operations, seconds) in rows.items()
            }
            for card in COPY
        }

    def alone(times):
        return {
            card: {kernel: s for kernel, s in each.items() if not kernel.startswith(AROUND)}
            for card, each in times.items()
        }

    now = {card: {kernel: row[3][card] for kernel, row in rows.items()} for card in COPY}
    found = now, at(full), alone(at(full)), alone(at(OF_FULL * full))
    return [{card: each[card].values() for card in COPY} for each in found]


def shares_of(base, tile, precision, seconds):
    """Return the shares of PyTorch's time, on each card against its fast and its slow estimate."""
    return [
        1e3 * seconds[card] / peer
        for card in COPY
        for peer in pytorch_estimate(tile, base, precision, card)
    ]


def verdict(base, precision, shares):
    """Return the bar and whether the design can reach it, by the estimates on both sides."""
    bar = BARS.get((base, precision))
    if bar is None:
        return ""
    if max(shares) <= bar:
        return f"{bar:.2f}: within reach"
    return f"{bar:.2f}: {'out of reach' if min(shares) > bar else 'open'}"


def report(works, resources):
    """Return all tables as Markdown."""
    counted = {}
    for base, tile in works:
        counted[base, tile] = {
            precision: count_kernels(
                count_training_step(tile, base_channels=base, precision=precision), precision
            )
            for precision in PRECISIONS
        }
    parts = [summary_table(counted), limit_table(counted)]
    parts += [kernel_table(counted, precision, resources) for precision in PRECISIONS]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def work(text):
    """Return (base, tile) of "64:572"."""
    base, tile = text.split(":")
    return int(base), int(tile)


def main():
    """Print the tables, or put them in their place in the README of this folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--works", type=work, nargs="+", default=WORKS, metavar="BASE:TILE")
    parser.add_argument("--arch", type=int, default=90, help="compute capability to compile for")
    parser.add_argument("--write", action="store_true", help="into README.md of this folder")
    args = parser.parse_args()
    tables = report(args.works, compile_with_nvcc(args.arch))
    if not args.write:
        print(tables, end="")
        return
    page = Path(__file__).with_name("README.md")
    before, rest = page.read_text(encoding="utf-8").split(START)
    page.write_text(before + START + tables + END + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
