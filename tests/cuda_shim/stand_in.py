"""A GPU that is none, below a real CuPy: `python tests/cuda_shim/stand_in.py COMMAND …`.

CuPy's own host code runs unchanged. Below it lie, loaded before anything else, libraries by the
names of CUDA's driver, NVRTC and cuBLAS; CUDA's runtime, which CuPy's wheels carry inside, leads to
the first of them (stand_in.cpp). Kernels are compiled for the CPU. So streams, events, graphs,
memory, devices and every argument of every call pass through the code that a GPU would see; what is
not there is the GPU: no two threads ever run at the same time, and times mean nothing.

Environment: STAND_IN_ORDER (eager, late, random; STAND_IN_SEED), STAND_IN_DEVICES (1),
STAND_IN_ARCH (80), STAND_IN_MEMORY (bytes), STAND_IN_NO_GRAPHS (any text: graphs are refused),
STAND_IN_NVRTC ("real": kernels are compiled by NVIDIA's compiler and not run).
"""

import os
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from translate import COMPILER, FOLDER

FLAGS = ("-std=c++17", "-O2", "-fPIC", "-shared", "-w", "-fvisibility=hidden")


def cuda_of_cupy():
    """Return the major version of CUDA that the installed CuPy is made for, or None."""
    for major in (13, 12):
        try:
            metadata.distribution(f"cupy-cuda{major}x")
        except metadata.PackageNotFoundError:
            continue
        return major
    return None


def problem():
    """Return what keeps the stand-in from working here, or None."""
    if cuda_of_cupy() is None:
        return "CuPy (cupy-cuda13x or cupy-cuda12x) is not installed"
    if COMPILER is None:
        return "no C++ compiler (g++, c++ or clang++)"
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        return "the stand-in needs Linux on x86-64"
    return None


def build(folder):
    """Compile the libraries into `folder`, if they are not there, and return their paths."""
    major = cuda_of_cupy()
    driver = folder / "libcuda.so.1"
    _compile(["stand_in.cpp"], driver, major, "-ldl")
    libraries = [driver]
    empty = folder / "empty.cpp"  # for cublasLt, half a gigabyte that CuPy looks for beside cuBLAS
    empty.touch()
    for name in ("nvrtc", "cublas", "cublasLt"):
        path, versions = folder / f"lib{name}.so.{major}", folder / f"{name}.map"
        versions.write_text(f"{path.name} {{ global: {name}*; }};\n", encoding="utf-8")
        sources = [empty if name == "cublasLt" else f"{name}.cpp"]
        if name == "cublas":
            sources.append(_missing_of_cublas(folder))
        _compile(sources, path, major, driver, f"-Wl,--version-script={versions}")
        libraries.append(path)
    return libraries


def _compile(sources, path, major, *more):
    sources = [FOLDER / source for source in sources]
    newest = max(file.stat().st_mtime for file in (*sources, *FOLDER.glob("*.h")))
    if path.exists() and path.stat().st_mtime > newest:
        return
    begun = path.with_suffix(f".{os.getpid()}")
    command = [COMPILER, *FLAGS, f"-DSTAND_IN_CUDA={major}", *sources, "-o", begun]
    subprocess.run([*command, f"-Wl,-soname,{path.name}", *more], check=True)
    begun.rename(path)


def _missing_of_cublas(folder):
    """Write functions that say "not supported" for all that CuPy names and cublas.cpp has not."""
    path = folder / "missing_of_cublas.cpp"
    if not path.exists():
        (binding,) = find_spec("cupy_backends.cuda.libs").submodule_search_locations
        (binding,) = Path(binding).glob("cublas.*.so")
        named = set(re.findall(rb"\0(cublas\w+)(?=\0)", binding.read_bytes()))
        head = 'extern "C" __attribute__((visibility("default"), weak)) int '
        path.write_text("".join(f"{head}{name.decode()}() {{ return 15; }}\n" for name in named))
    return path


def nvrtc_library():
    """Return the path of NVRTC from a wheel of NVIDIA's, or None."""
    spec = find_spec("nvidia")
    for folder in spec.submodule_search_locations if spec else ():
        for path in sorted(Path(folder).glob("*/lib/libnvrtc.so.*")):
            if "builtins" not in path.name:
                return path
    return None


def environment(folder, **settings):
    """Return the environment in which a process finds the stand-in; libraries go to `folder`."""
    libraries = build(folder)
    if settings.get("STAND_IN_NVRTC") == "real":
        del libraries[1]
    compiler = f"env -u LD_PRELOAD '{sys.executable}' '{FOLDER / 'compile.py'}'"
    return (
        os.environ
        | {
            "LD_PRELOAD": " ".join(map(str, libraries)),
            "STAND_IN_COMPILE": compiler,
            "STAND_IN_CACHE": str(folder),
            "CUPY_CACHE_DIR": str(folder / "cupy"),
            "CUPY_ACCELERATORS": "",  # CUB's kernels are in the wheel, for GPUs only
        }
        | settings
    )


if __name__ == "__main__":
    if problem() is not None:
        sys.exit(problem())
    place = Path(os.environ.get("STAND_IN_CACHE") or tempfile.mkdtemp())
    place.mkdir(parents=True, exist_ok=True)
    given = {name: text for name, text in os.environ.items() if name.startswith("STAND_IN_")}
    made = environment(place, **given | {"STAND_IN_CACHE": str(place)})
    os.execvpe(sys.argv[1], sys.argv[1:], made)
