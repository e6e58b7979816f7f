"""What NVIDIA's compiler says of each kernel: registers, stack, spills, shared memory.

No GPU needed: nvcc, if it is on the path, compiles for a card that is named by its compute
capability. Tests ask through CuPy and NVRTC as well.
"""

import re
import shutil
import subprocess
import tempfile
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
