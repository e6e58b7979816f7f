"""What every operation should give, computed on the CPU in float64: a file to take to the GPU.

    python benchmarks/gpu_references.py FILE.safetensors

The cases are in gpu_cases.py. Their inputs come from a seed and are rounded to bf16, so that tf32
and bf16 multiply them exactly and one tolerance fits all precisions. The upstream gradients are in
the file too: they are zero where the float32 of a GPU might decide otherwise, at a ReLU or at a
maximum.
"""

import sys

import numpy as np
from gpu_cases import CASES, inputs
from safetensors.numpy import save_file

from tinyunet import nn
from tinyunet.nn.operation import plain


def references(names=CASES):
    """Return {"case/result": array} of the cases, with the upstream gradients among them."""
    found = {}
    with plain():
        for name in names:
            arrays, draw = inputs(name)
            arrays = [a.astype(float) if a.dtype.kind == "f" else a for a in arrays]
            found |= {
                f"{name}/{what}": np.array(array, np.float32, order="C")
                for what, array in _with_gradients(name, arrays, draw).items()
            }
    return found


def _with_gradients(name, arrays, draw):
    """Return a case's results, and the upstream gradients that it has asked for."""
    drawn = {}

    def upstream(what, shape, undecided):
        drawn[what] = np.where(undecided(), 0, draw(shape)).astype(float)
        return drawn[what]

    return CASES[name].run(nn, upstream, *arrays) | drawn


if __name__ == "__main__":
    made = references()
    save_file(made, sys.argv[1])
    size = sum(a.nbytes for a in made.values()) / 1e6
    print(f"{len(made)} arrays of {len(CASES)} cases, {size:.1f} MB: {sys.argv[1]}")
