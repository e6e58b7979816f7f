"""CUDA C to C++ for this CPU: the words that shim.h does not explain are put in other words.

Imports nothing but Python: every kernel that the stand-in compiles comes through here.
"""

import re
import shutil
from itertools import pairwise
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
HEADER = FOLDER / "shim.h"
COMPILER = shutil.which("g++") or shutil.which("c++") or shutil.which("clang++")
# A GPU stops at an address that is no multiple of what is moved there; this CPU would not mind.
ALIGNED = ("-fsanitize=alignment", "-fsanitize-undefined-trap-on-error")
FLAGS = ("-std=c++17", "-O1", "-ffp-contract=off", "-fPIC", "-shared", "-w", *ALIGNED)


def translated(text):
    """Return CUDA C as C++, with a function `bind_…` that prepares a launch for each kernel."""
    return f'#include "{HEADER}"\n{without_asm(text)}\n{launchers(text)}'


_ASM = re.compile(r"\basm(?: volatile)?\((?P<text>(?:\s*\"[^\"]*\")+)(?P<operands>[^;]*)\);")
_OPERAND = re.compile(r'"[=+]?([frln])"\(((?:[^()]|\([^()]*\))*)\)')


def without_asm(text):
    """Return CUDA C with each asm statement as a call: of its instruction's name, in namespace ptx.

    `asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(word) : "f"(x))` becomes
    `ptx::cvt_rna_tf32_f32(word, x)`. Raises ValueError for a statement that does not use each of
    its operands.
    """
    return _ASM.sub(_call, text)


def _call(match):
    instruction = "".join(re.findall(r'"([^"]*)"', match["text"]))
    name, _, rest = instruction.rstrip(";").partition(" ")
    bound = _OPERAND.findall(match["operands"])
    used = [int(number) for number in re.findall(r"%(\d+)", rest)]
    if sorted(set(used)) != list(range(len(bound))):
        raise ValueError(f"{name} uses operands {used}, but {len(bound)} are bound")
    arguments = ", ".join(bound[number][1] for number in used)
    return f"ptx::{re.sub(r'[.:]', '_', name)}({arguments});"


_FUNCTION = re.compile(r"^\S[^;{}\n]*?\b(?!__launch)(\w+)\((?=[^;{}]*?\) \{$)", re.MULTILINE)
_KERNEL = re.compile(r'extern "C" +__global__ +void\s+(?:__launch_bounds__\([^)]*\)\s+)?(\w+)')


def launchers(text):
    """Return C code that prepares a launch of each kernel of `text`: see `prepare` in shim.h."""
    head = (
        'extern "C" void* bind_{0}(const unsigned* grid, const unsigned* block, void** arguments, '
        "bool (*is_here)(const void*))"
    )
    body = "{{ return shim::prepare({0}, grid, block, arguments, is_here, {1}); }}"
    waiting = _waiting(text)
    return "\n".join(
        f"{head} {body}".format(kernel, "true" if kernel in waiting else "false")
        for kernel in _KERNEL.findall(text)
    )


def _waiting(text):
    """Return the names of the functions that have a barrier in them, or in what they call."""
    starts = [(match[1], match.start()) for match in _FUNCTION.finditer(text)]
    bodies = {}
    for (name, start), (_, end) in pairwise([*starts, ("", len(text))]):
        bodies[name] = set(re.findall(r"\w+", text[start:end])) - {name}
    waiting = {"__syncthreads", "load_matrices", "run_mma"}
    while more := {name for name, words in bodies.items() if words & waiting} - waiting:
        waiting |= more
    return waiting
