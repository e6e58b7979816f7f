"""Sixteen float32 numbers as one value: what the processor's vector registers hold.

Lesson: lessons/14-fast-on-a-cpu.md. numba turns most loops over channels into vector instructions
by itself, but only after checks, at run time, that the arrays do not overlap, and it keeps sums in
memory where they should stay in registers. With a handful of channels the checks cost more than the
arithmetic. So here is a number type that *is* a vector, one for sixteen channels of a pixel:

    load(a, i)                     the numbers a[i] … a[i + 15], counted through the whole array
    store(v, a, i)                 v back into a[i] … a[i + 15]
    multiply_add(a, i, v, total)   total + a[i] · v, one instruction
    relu(v)                        v where not v <= 0, else 0: a NaN stays and is noticed
    keep_positive(v, y)            v where y > 0, else 0: ReLU's backward
    larger(u, v)                   the larger of both, by element, and NaN where either is
    where_greater(u, v, a, b)      a where u > v, else b; of four single numbers, too
    zeros()                        sixteen zeros
    u + v, u - v, number * v       by element

A register of AVX-512 holds sixteen; where registers are smaller LLVM takes two or four. The
functions exist inside `@jit` functions only, arrays must be C-ordered float32, and *nobody checks
the index*.
"""

import operator

import numpy as np

from tinyunet.kernels.jit import numba

# Not plain numbers: to numba each of those is a type of its own when it is handed to a function,
# and the function is compiled once more.
LANES, NONE = np.intp(16), np.intp(0)


def sixteens(channels):
    """`channels` filled up to whole vectors."""
    return -(-channels // LANES) * LANES


def _not_compiled(*_):
    raise TypeError("vectors of numbers exist inside compiled functions only")


load = store = multiply_add = relu = keep_positive = larger = where_greater = zeros = _not_compiled

if numba is not None:
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

    _FLOATS = ir.VectorType(ir.FloatType(), int(LANES))
    _CONTRACT = ("contract",)  # lets LLVM make one instruction of a product and a sum

    class Vector(types.Type):
        """The type of a vector of LANES float32 numbers."""

        def __init__(self):
            super().__init__(name="Vector")

    vector = Vector()

    @register_model(Vector)
    class _VectorModel(models.PrimitiveModel):
        def __init__(self, manager, kind):
            super().__init__(manager, kind, _FLOATS)

    def _place(context, builder, kind, array, index):
        """The address of array[index], counted through the whole array."""
        if kind.layout != "C" or kind.dtype != types.float32:
            raise TypeError(f"vectors come from C-ordered float32 arrays: got {kind}")
        return builder.gep(context.make_array(kind)(context, builder, array).data, [index])

    def _broadcast(builder, number):
        """The number in all lanes."""
        nothing, index = ir.Constant(_FLOATS, ir.Undefined), ir.IntType(32)
        first = builder.insert_element(nothing, number, index(0))
        return builder.shuffle_vector(
            first, nothing, ir.Constant(ir.VectorType(index, int(LANES)), [0] * int(LANES))
        )

    @intrinsic
    def load(typing, array, index):
        def generate(context, builder, signature, arguments):
            place = _place(context, builder, signature.args[0], *arguments)
            return builder.load(builder.bitcast(place, _FLOATS.as_pointer()), align=4)

        return vector(array, types.intp), generate

    @intrinsic
    def store(typing, value, array, index):
        def generate(context, builder, signature, arguments):
            value, array, index = arguments
            place = _place(context, builder, signature.args[1], array, index)
            builder.store(value, builder.bitcast(place, _FLOATS.as_pointer()), align=4)
            return context.get_dummy_value()

        return types.void(vector, array, types.intp), generate

    @intrinsic
    def multiply_add(typing, array, index, value, total):
        def generate(context, builder, signature, arguments):
            array, index, value, total = arguments
            number = builder.load(_place(context, builder, signature.args[0], array, index))
            kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
            fused = cgutils.get_or_insert_function(
                builder.module, kind, f"llvm.fmuladd.v{LANES}f32"
            )
            return builder.call(fused, [_broadcast(builder, number), value, total])

        return vector(array, types.intp, vector, vector), generate

    @intrinsic
    def relu(typing, value):
        def generate(context, builder, signature, arguments):
            zero = ir.Constant(_FLOATS, None)
            return builder.select(
                builder.fcmp_ordered("<=", arguments[0], zero), zero, arguments[0]
            )

        return vector(vector), generate

    @intrinsic
    def keep_positive(typing, value, sign):
        def generate(context, builder, signature, arguments):
            value, sign = arguments
            zero = ir.Constant(_FLOATS, None)
            return builder.select(builder.fcmp_ordered(">", sign, zero), value, zero)

        return vector(vector, vector), generate

    @intrinsic
    def larger(typing, u, v):
        def generate(context, builder, signature, arguments):
            u, v = arguments
            second = builder.or_(
                builder.fcmp_ordered(">", v, u), builder.fcmp_unordered("uno", v, v)
            )
            return builder.select(second, v, u)

        return vector(vector, vector), generate

    @intrinsic
    def where_greater(typing, u, v, a, b):
        def generate(context, builder, signature, arguments):
            u, v, a, b = arguments
            return builder.select(builder.fcmp_ordered(">", u, v), a, b)

        return u(u, u, u, u), generate

    @intrinsic
    def zeros(typing):
        def generate(context, builder, signature, arguments):
            return ir.Constant(_FLOATS, None)

        return vector(), generate

    def _define(operation, instruction):
        """Let `operation` work on two vectors, or on a number and a vector."""

        @type_callable(operation)
        def type_of_result(context):
            def typer(a, b):
                if b == vector and a in (vector, types.float32):
                    return vector
                return None

            return typer

        @lower_builtin(operation, vector, vector)
        def between(context, builder, signature, arguments):
            return getattr(builder, instruction)(*arguments, flags=_CONTRACT)

        @lower_builtin(operation, types.float32, vector)
        def with_number(context, builder, signature, arguments):
            number, value = arguments
            return getattr(builder, instruction)(
                _broadcast(builder, number), value, flags=_CONTRACT
            )

    _define(operator.add, "fadd")
    _define(operator.sub, "fsub")
    _define(operator.mul, "fmul")
