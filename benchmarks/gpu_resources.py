"""What NVIDIA's compiler says of each kernel: registers, stack, spills, shared memory.

No GPU needed: nvcc, if it is on the path, compiles for a card that is named by its compute
capability. Tests ask through CuPy and NVRTC as well. And what the innermost loop of a kernel
with products is made of, by nvdisasm (of CUDA, or of the package nvidia-cuda-nvdisasm):

    python benchmarks/gpu_resources.py [--arch 90]
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tinyunet.backends.cuda.launch import OPTIONS
from tinyunet.backends.cuda.sources import SOURCES, source

_REPORT = re.compile(
    r"Compiling entry function '(?P<kernel>\w+)'.*?(?P<stack>\d+) bytes stack frame, "
    r"(?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads.*?"
    r"Used (?P<registers>\d+) registers(?P<rest>[^\n]*)",
    re.DOTALL,
)


class Resources(NamedTuple):
    """Of a kernel: registers a thread; bytes of stack, of spills, and of static shared memory."""

    registers: int
    stack: int
    spills: int
    shared: int


def resources_in(log):
    """Return {kernel: Resources} from the output of `ptxas -v`."""
    found = {}
    for match in _REPORT.finditer(log):
        shared = re.search(r"(\d+) bytes smem", match["rest"])
        spills = int(match["stores"]) + int(match["loads"])
        numbers = int(match["registers"]), int(match["stack"]), spills
        found[match["kernel"]] = Resources(*numbers, int(shared[1]) if shared else 0)
    return found


def compile_with_nvcc(arch):
    """Return {kernel: Resources} of all kernels for compute capability `arch`, {} without nvcc."""
    if shutil.which("nvcc") is None:
        return {}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in SOURCES:
            path = Path(folder) / name
            path.write_text(source(name), encoding="utf-8")
            target = ["-cubin", f"-arch=sm_{arch}", "-ftz=true", "-Xptxas", "-v"]  # as CuPy does
            command = ["nvcc", *OPTIONS, *target, str(path), "-o", f"{path}.cubin"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found |= resources_in(done.stdout + done.stderr)
    return found


TENSOR_SOURCES = ("tf32.cu", "bf16.cu")
_INSTRUCTION = re.compile(r"^\s+/\*[0-9a-f]+\*/\s")
_BRANCH = re.compile(r"\bBRA `\((\.L_x_\d+)\)")


def find_nvdisasm():
    """Return the path of NVIDIA's disassembler, from the path or from its package, or None."""
    found = shutil.which("nvdisasm")
    spec = find_spec("nvidia") if found is None else None
    for folder in spec.submodule_search_locations if spec else ():
        for path in sorted(Path(folder).glob("*/bin/nvdisasm")):
            found = str(path)
    return found


def loops_of(arch, sources=TENSOR_SOURCES, product="HMMA"):
    """Return {kernel: (instructions, of them products)} of the innermost loops of `sources`.

    The products of the tensor cores are "HMMA", those of single float32 numbers "FFMA".
    """
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in sources:
            path = Path(folder) / name
            path.write_text(source(name), encoding="utf-8")
            target = ["-cubin", f"-arch=sm_{arch}", "-ftz=true"]
            command = ["nvcc", *OPTIONS, *target, str(path), "-o", f"{path}.cubin"]
            subprocess.run(command, check=True)
            command = [find_nvdisasm(), "-c", f"{path}.cubin"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found |= loops_in(done.stdout, product)
    return found


def loops_in(listing, product="HMMA"):
    """Return the same of a listing by nvdisasm.

    A loop goes from a label to a branch back to it. Of those with products the shortest counts: the
    stage that is repeated along k.
    """
    found = {}
    for text in re.split(r"^\.text\.", listing, flags=re.MULTILINE)[1:]:
        kernel, *lines = text.splitlines()
        labels, loops = {}, []
        for place, line in enumerate(lines):
            if line.startswith(".L_x_"):
                labels[line.strip().rstrip(":")] = place
            branch = _BRANCH.search(line)
            if branch and branch[1] in labels:
                body = [
                    one for one in lines[labels[branch[1]] : place + 1] if _INSTRUCTION.match(one)
                ]
                loops.append((len(body), sum(product in one for one in body)))
        loops = [loop for loop in loops if loop[1]]
        if loops:
            found[kernel.rstrip(":")] = min(loops)
    return found


def main():
    """Print both for one generation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", type=int, default=90, help="compute capability to compile for")
    args = parser.parse_args()
    if shutil.which("nvcc") is None:
        sys.exit("nvcc is not on the path")
    for kernel, of in compile_with_nvcc(args.arch).items():
        print(f"{kernel:24} {of.registers:4} registers, stack {of.stack}, spills {of.spills}")
    if find_nvdisasm() is None:
        sys.exit("nvdisasm is not installed: pip install nvidia-cuda-nvdisasm")
    loops = loops_of(args.arch) | loops_of(args.arch, ["fused.cu"], "FFMA")
    for kernel, (instructions, matrix) in loops.items():
        share = instructions / matrix
        print(f"{kernel:24} {instructions:4} instructions for {matrix} products, {share:.1f} each")


if __name__ == "__main__":
    main()
