"""Compile sources for the GPU that is there, through CuPy: `gpu_compile.py winograd.cu …`.

Prints each kernel's registers, stack and spills as the compiler says them. CuPy keeps the machine
code, so that whoever runs after this finds it.
"""

import io
import sys
import time

from gpu_resources import resources_in

from tinyunet.arrays import gpu_problem, select_device
from tinyunet.backends.cuda.launch import OPTIONS, CupyGpu
from tinyunet.backends.cuda.sources import signatures, source


def compile_one(xp, name):
    """Compile as the package does, then with the compiler's report; return whether none spills."""
    begun = time.perf_counter()
    module = CupyGpu(xp, 0).compile(name)
    kernels = [kernel for kernel, of in signatures().items() if of.source == name]
    for kernel in kernels:
        module.get_function(kernel)
    seconds = time.perf_counter() - begun
    print(f"{name}: {len(kernels)} kernels in {seconds:.1f} s", flush=True)
    log = io.StringIO()
    report = xp.RawModule(code=source(name), options=(*OPTIONS, "--ptxas-options=-v"))
    report.compile(log_stream=log)
    found = resources_in(log.getvalue())
    for kernel, (registers, stack, spills, shared) in found.items():
        text = f"{registers} registers, stack {stack}, spills {spills}, shared {shared}"
        print(f"  {kernel:24} {text}", flush=True)
    return not any(of.stack or of.spills for of in found.values())


def main():
    """Compile all that are named."""
    if gpu_problem():
        sys.exit(f"no GPU: {gpu_problem()}")
    xp = select_device("gpu").xp
    ended = [compile_one(xp, name) for name in sys.argv[1:]]
    if not all(ended):
        sys.exit("a kernel spills")


if __name__ == "__main__":
    main()
