"""Kernels that are traced: Python writes down the instructions, LLVM makes machine code of them.

Lesson: lessons/14-fast-on-a-cpu.md. A function with the decorator `@kernel` is compiled when it is
first called. Python runs its body once for that, with an `Index` where there will be a whole number
and a `Vector` (vector.py) where there will be sixteen float32 numbers, and each operation on such a
value writes down one instruction for LLVM. Lists, helper functions and loops over `range` are over
by then and cost nothing when the kernel runs: a helper such as `input_1d` works on plain numbers,
too, and needs no compiling of its own. What is to be repeated or decided when the kernel runs says
so:

    for i in span(first, last, step)   a loop, as with `range`; its body is run once here
    with when(condition)               a branch
    for holds in cases(condition)      two branches; the body is run twice here, for True and False
    where(condition, a, b)             a or b, without a branch

The arguments of a kernel are C-ordered float32 arrays and whole numbers; it returns nothing, it
stores; and *nobody checks the index*. This is far less than numba can compile, and ready in a fifth
of the time: what takes long is to find out what a loop over arrays may mean in Python.
"""

import inspect

from tinyunet._numba import jit, numba

_builders = []  # of the kernel that Python runs just now: numba compiles one at a time

if numba is not None:
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    INDEX = ir.IntType(64)


def builder():
    """What writes down instructions for the kernel that is being traced."""
    return _builders[-1]


def kernel(function):
    """Compile `function` by tracing it: see above."""
    names = ", ".join(inspect.signature(function).parameters)
    # numba compiles this; by the file's name and the line it finds its own in the cache.
    line = "\n" * (function.__code__.co_firstlineno - 1)
    source = f"{line}def {function.__name__}({names}): trace({names})"
    scope = {"trace": _tracer(function), "__name__": function.__module__}
    exec(compile(source, inspect.getfile(function), "exec"), scope)
    entry = scope[function.__name__]
    entry.__doc__ = function.__doc__
    return jit(entry)


def _tracer(function):
    """What numba calls where `function` is called: it writes down the instructions."""
    if numba is None:
        return function

    def declare(typing, *kinds):
        kinds = [kind if isinstance(kind, types.Array) else types.intp for kind in kinds]

        def generate(context, builder, _, values):
            _builders.append(builder)
            try:
                function(*(_traced(context, *pair) for pair in zip(kinds, values, strict=True)))
            finally:
                _builders.pop()
            return context.get_dummy_value()

        return types.void(*kinds), generate

    parameter, names = inspect.Parameter, ["typing", *inspect.signature(function).parameters]
    declare.__signature__ = inspect.Signature(
        [parameter(name, parameter.POSITIONAL_ONLY) for name in names]
    )
    return intrinsic(declare)


def _traced(context, kind, value):
    """What stands for an argument while a kernel is traced."""
    if not isinstance(kind, types.Array):
        return Index(value)
    if kind.layout != "C" or kind.dtype != types.float32:
        raise TypeError(f"a kernel takes C-ordered float32 arrays: got {kind}")
    array = context.make_array(kind)(context, builder(), value)
    shape = [Index(size) for size in cgutils.unpack_tuple(builder(), array.shape, kind.ndim)]
    return Numbers(array.data, shape, Index(array.nitems))


class Traced:
    """A value that there will be when the kernel runs."""

    __array_ufunc__ = None  # a NumPy number leaves `number * value` to the value

    def __init__(self, value):
        self.value = value

    @classmethod
    def of(cls, other):
        """LLVM's value of `other`, a value of this class or a plain number."""
        return other.value if isinstance(other, cls) else cls.constant(other)

    def do(self, instruction, other, turned=False, **options):
        """Write down one instruction on this value and another, `turned` round if asked for."""
        pair = (self.of(other), self.value) if turned else (self.value, self.of(other))
        return type(self)(getattr(builder(), instruction)(*pair, **options))


class Condition(Traced):
    """True or false, once or for each of sixteen numbers."""

    def __and__(self, other):
        return self.do("and_", other)

    def __or__(self, other):
        return self.do("or_", other)


class Index(Traced):
    """A whole number; what is divided is not negative."""

    @staticmethod
    def constant(number):
        """LLVM's value of a plain number."""
        return ir.Constant(INDEX, int(number))

    def compare(self, sign, other):
        """The condition of one of Python's signs."""
        return Condition(builder().icmp_signed(sign, self.value, self.of(other)))

    def __add__(self, other):
        return self.do("add", other)

    def __sub__(self, other):
        return self.do("sub", other)

    def __rsub__(self, other):
        return self.do("sub", other, turned=True)

    def __mul__(self, other):
        return self.do("mul", other)

    def __floordiv__(self, other):
        return self.do("udiv", other)

    def __mod__(self, other):
        return self.do("urem", other)

    def __and__(self, other):
        return self.do("and_", other)

    def __lt__(self, other):
        return self.compare("<", other)

    def __le__(self, other):
        return self.compare("<=", other)

    def __gt__(self, other):
        return self.compare(">", other)

    def __ge__(self, other):
        return self.compare(">=", other)

    __radd__, __rmul__ = __add__, __mul__


class Numbers(Traced):
    """An array: the address of its first number, its shape and its size."""

    def __init__(self, value, shape=None, size=None):
        super().__init__(value)
        self.shape, self.size = shape, size

    def at(self, index, kind=None):
        """The address of number `index`, or of something of another kind that begins there."""
        place = builder().gep(self.value, [Index.of(index)])
        return place if kind is None else builder().bitcast(place, kind.as_pointer())

    def __add__(self, index):
        return Numbers(self.at(index))


def span(first, last=None, step=1):
    """An index that runs as that of `range` does, when the kernel runs."""
    if last is None:
        first, last = 0, first
    ends = [Index.of(end) for end in (first, last, step)]
    with cgutils.for_range_slice(builder(), *ends, inc=True) as (index, _):
        yield Index(index)


def when(condition):
    """`with when(condition):` what is done if the condition holds."""
    return builder().if_then(condition.value)


def cases(condition):
    """True, for what is done if the condition holds, and False, for what is done if not."""
    with builder().if_else(condition.value) as (then, otherwise):
        with then:
            yield True
        with otherwise:
            yield False


def where(condition, a, b):
    """a where the condition holds, else b: two of one class, or one and a plain number, or two."""
    kind = next((type(value) for value in (a, b) if isinstance(value, Traced)), Index)
    return kind(builder().select(condition.value, kind.of(a), kind.of(b)))


def least(a, b):
    """The lesser of two indices."""
    return where(a < b, a, b)


def most(a, b):
    """The greater of two indices."""
    return where(a > b, a, b)


def round_up(n, multiple):
    """The least multiple of `multiple` that is not below n: of an index or a plain number."""
    return (n + (multiple - 1)) // multiple * multiple
