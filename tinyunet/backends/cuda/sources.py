"""The CUDA C sources of the GPU path, and what their kernels' signatures say.

Each source is one module for the compiler; its `#include "….cuh"` lines are replaced by the file's
text, so that the compiler needs no search path. The signatures are read from the sources: Python
checks every argument of a launch against them. Lesson: lessons/15-fast-on-a-gpu.md.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
SOURCES = ("winograd.cu", "fused.cu", "layers.cu", "direct.cu", "tf32.cu", "bf16.cu")

_INCLUDE = re.compile(r'^#include "(\w+\.cuh)"$', re.MULTILINE)
_KERNEL = re.compile(
    r'extern "C" __global__ void\s+(?:__launch_bounds__\((?P<threads>\d+)(?:, \d+)?\)\s+)?'
    r"(?P<name>\w+)\((?P<parameters>[^)]*)\)"
)
_FUNCTION = re.compile(
    r"^(?:extern|__device__)[^{;]*?(?P<name>\w+)\([^)]*\) \{$(?P<body>.*?)^\}$",
    re.MULTILINE | re.DOTALL,
)
_NULLABLE = re.compile(r"(\w+) [=!]= nullptr")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel: `type` is the C type, without `const` and `*`.

    A pointer may be null if the kernel or what is called from it compares that name with nullptr.
    """

    name: str
    type: str
    is_pointer: bool
    may_be_null: bool = False


@dataclass(frozen=True)
class Signature:
    """A kernel's source file, parameters in order, and most threads a block may have."""

    source: str
    parameters: tuple[Parameter, ...]
    threads: int


@cache
def source(name: str) -> str:
    """Return the text of source `name`, its includes written out, each where it comes first."""
    return _written_out(name, set())


def _written_out(name: str, seen: set[str]) -> str:
    if name in seen:
        return ""
    seen.add(name)
    text = (FOLDER / name).read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda match: _written_out(match[1], seen), text)


@cache
def signatures() -> dict[str, Signature]:
    """Return {kernel: Signature} of all kernels in all sources."""
    found = {}
    for name in SOURCES:
        bodies = {match["name"]: match["body"] for match in _FUNCTION.finditer(source(name))}
        for match in _KERNEL.finditer(source(name)):
            nullable = _nullable(match["name"], bodies)
            parameters = tuple(_parameter(p, nullable) for p in match["parameters"].split(","))
            found[match["name"]] = Signature(name, parameters, int(match["threads"] or 256))
    return found


def _nullable(kernel: str, bodies: dict[str, str]) -> set[str]:
    """Return the names that `kernel` compares with null, itself or in what is called from it."""
    reached, ahead = set(), {kernel}
    while ahead:
        reached |= ahead
        words = {word for name in ahead for word in re.findall(r"\w+", bodies[name])}
        ahead = words & set(bodies) - reached
    return {name for function in reached for name in _NULLABLE.findall(bodies[function])}


def _parameter(text: str, nullable: set[str]) -> Parameter:
    """Read one parameter, such as "const float* x"; `nullable` names those that may be null."""
    type_, name = text.replace("const ", "").split()
    is_pointer = type_.endswith("*")
    return Parameter(name, type_.rstrip("*"), is_pointer, is_pointer and name in nullable)
