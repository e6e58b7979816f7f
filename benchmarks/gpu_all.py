"""Every check and benchmark of the GPU path in one call, in less than nine minutes.

    python benchmarks/gpu_all.py --out FOLDER

Each part runs as a process of its own with a limit of its own, and leaves its table in FOLDER
(`1-machine.txt`, …; figures as JSON beside it); the last lines, also in `summary.txt`, say how each
ended. A part that fails or runs out of time does not stop the others, unless the first finds no
GPU. Exits with 1 if any did.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LIMIT = 530  # seconds in all; each part gets its own limit or what is left
MACHINE = """
import platform, numpy, tinyunet
from tinyunet.arrays import gpu_problem, select_device
print("python", platform.python_version(), "numpy", numpy.__version__, tinyunet.__file__)
if gpu_problem():
    raise SystemExit(f"no GPU: {gpu_problem()}")
xp = select_device("gpu").xp
facts = xp.cuda.runtime.getDeviceProperties(0)
print("cupy", xp.__version__, "runtime", xp.cuda.runtime.runtimeGetVersion())
print(facts["name"].decode(), facts["multiProcessorCount"], "multiprocessors")
start, stop = xp.cuda.Event(), xp.cuda.Event()
def time(work, repeat=10):
    work(); start.record()
    for _ in range(repeat): work()
    stop.record(); stop.synchronize()
    return xp.cuda.get_elapsed_time(start, stop) / repeat / 1e3
n = min(1 << 30, xp.cuda.runtime.memGetInfo()[0] // 16)
a = xp.arange(n, dtype="float32") % 7 - 3; b = xp.empty_like(a)
print(f"copy {2 * a.nbytes / time(lambda: xp.copyto(b, a)) / 1e12:.2f} TB/s, read and write")
from tinyunet.kernels.gpu_launch import CupyGpu
m = a[: 1 << 26].reshape(1, 8192, 8192); gpu = CupyGpu(xp)
for name in ("float32", "tf32", "bf16"):
    rate = 2 * 8192**3 / time(lambda: gpu.product(m, m, precision=name), 3) / 1e12
    print(f"product in {name}: {rate:.0f} TFLOP/s")
"""
SANITIZED = """
import sys; sys.path.insert(0, "benchmarks")
import gpu_agreement as a
from tinyunet.kernels import gpu
a.TILE, a.OPTIONS = 44, {"base": 4, "depth": 3}
for precision in a.LIMITS:
    with gpu.precision(precision):
        a.train("gpu", 1)
print("three steps done")
"""


# Tests of both array modules, their CuPy half; and what needs a GPU or CuPy anyway.
ON_GPU = ("-k", "cupy or test_cuda_device or real")


def parts(out):
    """Return [(name, command, seconds allowed)] in order of importance."""
    python = sys.executable
    tests = sorted(str(p) for p in (ROOT / "tests").glob("test_*.py") if _runs_on_gpu(p))

    def bench(script, *arguments):
        json = out / f"{script}{'-'.join(a for a in arguments if a.isdigit())}.json"
        return [python, str(HERE / f"{script}.py"), *arguments, "--json", str(json)]

    found = [
        ("machine", [python, "-c", MACHINE], 60),
        ("agreement", bench("gpu_agreement"), 90),
        ("ladder-64-572", bench("ladder_gpu", "--base", "64", "--tile", "572", "--kernels"), 100),
        ("ladder-16-572", bench("ladder_gpu", "--base", "16", "--tile", "572"), 60),
        ("ladder-16-284", bench("ladder_gpu", "--base", "16", "--tile", "284"), 60),
        ("predict", bench("predict_gpu"), 60),
        ("tests", [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *ON_GPU, *tests], 180),
    ]
    if shutil.which("compute-sanitizer"):
        command = ["compute-sanitizer", "--tool", "memcheck", "--error-exitcode", "9"]
        found.append(("sanitizer", [*command, python, "-c", SANITIZED], 90))
    return found


def _runs_on_gpu(path):
    """Return whether a test file has anything to do with the GPU."""
    text = path.read_text(encoding="utf-8")
    return path.name.startswith("test_cuda") or "to_device" in text or "device)" in text


def run(number, name, command, limit, out):
    """Run one part, write what it prints, and return its line of the summary."""
    path = out / f"{number}-{name}.txt"
    begun = time.monotonic()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])}
    with open(path, "w", encoding="utf-8") as file:
        try:
            code = subprocess.run(
                command, stdout=file, stderr=subprocess.STDOUT, timeout=limit, cwd=ROOT,
                env=environment,
            ).returncode  # fmt: skip
            ended = "ok" if code == 0 else f"FAILED ({code})"
        except subprocess.TimeoutExpired:
            ended = f"OUT OF TIME ({limit:.0f} s)"
    lines = path.read_text(encoding="utf-8").strip().splitlines()
    print(f"== {name}: {ended}", *lines[-25:], sep="\n", flush=True)
    return f"{path.name:24} {time.monotonic() - begun:6.1f} s  {ended}"


def main():
    """Run all parts within the time, print and write the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the tables")
    out = parser.parse_args().out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    end, summary = time.monotonic() + LIMIT, []
    for number, (name, command, limit) in enumerate(parts(out), start=1):
        left = end - time.monotonic()
        if left < 5:
            summary.append(f"{number}-{name}: NOT RUN, no time left")
            continue
        summary.append(run(number, name, command, min(limit, left), out))
        if number == 1 and not summary[0].endswith("ok"):
            break  # there is no GPU to check, and the part has said why
    (out / "summary.txt").write_text("\n".join(summary) + "\n", encoding="utf-8")
    print("\n".join(["== summary", *summary]))
    sys.exit(0 if all(line.endswith("ok") for line in summary) else 1)


if __name__ == "__main__":
    main()
