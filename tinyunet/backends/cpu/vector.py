"""Sixteen float32 numbers as one value: what the processor's vector registers hold.

Lesson: lessons/14-fast-on-a-cpu.md. A compiler turns loops over channels into vector instructions
by itself, but only after checks, at run time, that the arrays do not overlap, and it keeps sums in
memory where they should stay in registers. With a handful of channels the checks cost more than the
arithmetic. So kernels (tracing.py) are written with vectors of sixteen channels of a pixel:

    load(a, i), store(v, a, i)   the numbers a[i] … a[i + 15], counted through the whole array
    load(a, i, n), store(…, n)   only the first n of them: the others are 0, or left as they are
    number(a, i)                 a[i], sixteen times
    copy(a, i, b, j)             b[j] = a[i], one number
    u + v, u - v, u * v          element by element; one of them may be a plain number
    u > v, u <= v, is_nan(v)     conditions, element by element, with & and |, for `where`
    Sums(vectors)                a list of vectors that change in a loop, and stay in registers
    scratch(n)                   room for n vectors on the stack

A register of AVX-512 holds sixteen numbers; where registers are smaller LLVM takes two or four.
"""

import numpy as np

from tinyunet._numba import numba
from tinyunet.backends.cpu.tracing import Condition, Index, Numbers, Traced, builder, span, where

VECTOR = 16

if numba is not None:
    from llvmlite import ir
    from numba.core import cgutils

    _SHORT = ir.IntType(32)
    _FLOATS = ir.VectorType(ir.FloatType(), VECTOR)
    _SHORTS = ir.VectorType(_SHORT, VECTOR)
    _CONTRACT = ("contract",)  # lets LLVM make one instruction of a product and a sum


class Vector(Traced):
    """Sixteen float32 numbers."""

    @staticmethod
    def constant(number):
        """LLVM's value of a plain number, sixteen times."""
        return ir.Constant(_FLOATS, [float(np.float32(number))] * VECTOR)

    def __add__(self, other):
        return self.do("fadd", other, flags=_CONTRACT)

    def __sub__(self, other):
        return self.do("fsub", other, flags=_CONTRACT)

    def __rsub__(self, other):
        return self.do("fsub", other, turned=True, flags=_CONTRACT)

    def __mul__(self, other):
        return self.do("fmul", other, flags=_CONTRACT)

    def __gt__(self, other):
        return Condition(builder().fcmp_ordered(">", self.value, self.of(other)))

    def __le__(self, other):
        return Condition(builder().fcmp_ordered("<=", self.value, self.of(other)))

    __radd__, __rmul__ = __add__, __mul__


class Rounded(Vector):
    """Sixteen numbers whose products are rounded before they are added.

    In a sum of two products only one can be fused with the addition. LLVM chooses, and its releases
    choose differently; so where such sums decide the last digits, nothing is fused.
    """

    def __mul__(self, other):
        return self.do("fmul", other)

    __rmul__ = __mul__


# Arithmetic ---------------------------------------------------------------------------------------
def zeros():
    """Sixteen zeros."""
    return Vector(Vector.constant(0))


def is_nan(vector):
    """Where the vector is NaN."""
    return Condition(builder().fcmp_unordered("uno", vector.value, vector.value))


def later_wins(u, v):
    """Where v is the maximum of both: not where they are equal, but where it is NaN."""
    return (v > u) | is_nan(v)


def larger(u, v):
    """The larger of both, element by element, and NaN where either is."""
    return where(later_wins(u, v), v, u)


def relu(vector):
    """The vector where not <= 0, else 0: a NaN stays and is noticed."""
    return where(vector <= 0, 0, vector)


def relu_gradient(dy, y):
    """dy where the ReLU with the result y lets it pass: where not y <= 0, so at a NaN, too."""
    return where(y <= 0, 0, dy)


# Memory -------------------------------------------------------------------------------------------
def load(a, index, n=None):
    """The numbers of `a` from `index` on: sixteen, or the first n and zeros."""
    place = a.at(index, _FLOATS)
    if n is None:
        return Vector(builder().load(place, align=4))
    values = place, ir.Constant(_SHORT, 4), _first(n), Vector.constant(0)
    return Vector(_call("llvm.masked.load.v16f32.p0v16f32", _FLOATS, *values))


def store(vector, a, index, n=None):
    """Store the vector, or its first n numbers, into `a` from `index` on."""
    place = a.at(index, _FLOATS)
    if n is None:
        builder().store(vector.value, place, align=4)
        return
    values = vector.value, place, ir.Constant(_SHORT, 4), _first(n)
    _call("llvm.masked.store.v16f32.p0v16f32", ir.VoidType(), *values)


def add_to(a, index, vector, n=None):
    """Add the vector, or its first n numbers, to those of `a` from `index` on."""
    store(load(a, index, n) + vector, a, index, n)


def number(a, index):
    """The number a[index], sixteen times."""
    return Vector(_broadcast(_FLOATS, builder().load(a.at(index))))


def copy(a, i, b, j):
    """b[j] = a[i]."""
    builder().store(builder().load(a.at(i)), b.at(j))


def clear(a, index, n):
    """a[index] … a[index + n - 1] = 0."""
    whole = n // VECTOR * VECTOR
    for i in span(0, whole, VECTOR):
        store(zeros(), a, index + i)
    store(zeros(), a, index + whole, n - whole)


def scratch(n):
    """Room for n vectors on the stack."""
    place = cgutils.alloca_once(builder(), _FLOATS, size=n)
    place.align = 64
    return Numbers(builder().bitcast(place, ir.FloatType().as_pointer()))


class Sums:
    """Some vectors that change in a loop: `sums[i] += …`. LLVM keeps them in registers."""

    def __init__(self, vectors):
        self.places = [cgutils.alloca_once(builder(), _FLOATS) for _ in vectors]
        for i, vector in enumerate(vectors):
            self[i] = vector

    def __len__(self):
        return len(self.places)

    def __getitem__(self, i):
        return Vector(builder().load(self.places[i]))

    def __setitem__(self, i, vector):
        builder().store(vector.value, self.places[i])


def _broadcast(kind, number):
    """The number in all sixteen places."""
    nothing = ir.Constant(kind, ir.Undefined)
    first = builder().insert_element(nothing, number, ir.Constant(_SHORT, 0))
    return builder().shuffle_vector(first, nothing, ir.Constant(_SHORTS, None))


def _first(n):
    """The bits that are set in the first n of sixteen places."""
    numbers = _broadcast(_SHORTS, builder().trunc(Index.of(n), _SHORT))
    return builder().icmp_signed("<", ir.Constant(_SHORTS, list(range(VECTOR))), numbers)


def _call(name, result, *values):
    """Call one of LLVM's own functions."""
    kind = ir.FunctionType(result, [value.type for value in values])
    function = cgutils.get_or_insert_function(builder().module, kind, name)
    return builder().call(function, values)
