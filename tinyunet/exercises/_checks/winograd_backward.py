"""Check of exercise 15: the adjoint of Winograd's convolution.

Lesson: `lessons/14-fast-on-a-cpu.md`.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from tinyunet.arrays import Array
from tinyunet.exercises._checks.gradients import ONES
from tinyunet.exercises._checks.winograd import AT, BT, G, direct, draw
from tinyunet.exercises.task import Case, Mistake, Output, Task

Gradients = tuple[Array, Array]


def backward(dy: Array, d: Array, g: Array, at: Array, gm: Array, bt: Array) -> Gradients:
    """The right answer, without Winograd: (dd, dg) of the direct convolution."""
    dd = np.zeros_like(d)
    for a, b in np.ndindex(g.shape):
        dd[a : a + dy.shape[0], b : b + dy.shape[1]] += dy * g[a, b]
    return dd, direct(d, dy)


def _through(formula: Callable[..., Array]) -> Callable[..., Array]:
    """Another formula of (dM, U, V, at, gm, bt)."""
    return lambda dy, d, g, at, gm, bt: formula(
        at.T @ dy @ at, gm @ g @ gm.T, bt @ d @ bt.T, at, gm, bt
    )


def _of_dy(change: Callable[[Array], Array]) -> Callable[..., Gradients]:
    return lambda dy, *inputs: backward(change(dy), *inputs)


MISTAKES = (
    Mistake(ONES, _of_dy(np.ones_like)),
    Mistake("your {name} takes dy transposed: dM = A dY Aᵀ, in this order",
            _of_dy(lambda dy: dy.T)),
    Mistake("your {name} takes dy turned by 180°: it lies as y does",
            _of_dy(lambda dy: dy[::-1, ::-1])),
    Mistake("you return (dg, dd): the tile's gradient comes first",
            lambda *inputs: backward(*inputs)[::-1]),
)  # fmt: skip
DG = (
    Mistake("your dg multiplies dM by U: the derivative by U is the *other* factor, V",
            _through(lambda dm, u, v, at, gm, bt: gm.T @ (dm * u) @ gm)),
    Mistake("you multiply dM and V as matrices: ⊙ is element by element, and so is its backward "
            "pass", _through(lambda dm, u, v, at, gm, bt: gm.T @ (dm @ v) @ gm)),
    Mistake("your dg does not take the input into account: dU = dM ⊙ V",
            _through(lambda dm, u, v, at, gm, bt: gm.T @ dm @ gm)),
    Mistake("your dg is still dU, 6×6: go back through G with Gᵀ dU G",
            _through(lambda dm, u, v, at, gm, bt: dm * v)),
    Mistake("your dg goes back through G on one side only: Gᵀ dU G",
            _through(lambda dm, u, v, at, gm, bt: gm.T @ (dm * v))),
    Mistake("your dg undoes G with its (pseudo-)inverse: a backward pass takes the transpose, "
            "Gᵀ dU G (lesson 14, \"The trap\")",
            _through(lambda dm, u, v, at, gm, bt: np.linalg.pinv(gm) @ (dm * v)
                     @ np.linalg.pinv(gm).T)),
    Mistake("your dg takes d where it should take V = Bᵀ d B: dU = dM ⊙ V",
            lambda dy, d, g, at, gm, bt: gm.T @ ((at.T @ dy @ at) * d) @ gm),
    Mistake("your dg has a V of Bᵀ's transpose: V = bt d btᵀ",
            lambda dy, d, g, at, gm, bt: gm.T @ ((at.T @ dy @ at) * (bt.T @ d @ bt)) @ gm),
    Mistake("your dg is counted twice", lambda *inputs: 2 * backward(*inputs)[1]),
)  # fmt: skip
DD = (
    Mistake("your dd has a flipped kernel",
            lambda dy, d, g, *m: backward(dy, d, g[::-1, ::-1], *m)[0]),
    Mistake("your dd has a transposed kernel: U = G g Gᵀ, in this order",
            lambda dy, d, g, *m: backward(dy, d, g.T, *m)[0]),
    Mistake("your dd multiplies dM by V: the derivative by V is the *other* factor, U",
            _through(lambda dm, u, v, at, gm, bt: bt.T @ (dm * v) @ bt)),
    Mistake("you go back through Bᵀ with Bᵀ itself, and the factors are exchanged too: dV = dM ⊙ "
            "U, dd = B dV Bᵀ",
            _through(lambda dm, u, v, at, gm, bt: bt @ (dm * v) @ bt.T)),
    Mistake("you go back through Bᵀ with Bᵀ itself: the adjoint of d ↦ Bᵀ d B is dV ↦ B dV Bᵀ "
            "(lesson 14, \"The trap\")",
            _through(lambda dm, u, v, at, gm, bt: bt @ (dm * u) @ bt.T)),
    Mistake("you undo Bᵀ with its inverse: a backward pass takes the transpose, B dV Bᵀ "
            "(lesson 14, \"The trap\")",
            _through(lambda dm, u, v, at, gm, bt: np.linalg.inv(bt) @ (dm * u)
                     @ np.linalg.inv(bt).T)),
    Mistake("you undo Bᵀ with its inverse: a backward pass takes the transpose, B dV Bᵀ "
            "(lesson 14, \"The trap\")",
            _through(lambda dm, u, v, at, gm, bt: np.linalg.inv(bt).T @ (dm * u)
                     @ np.linalg.inv(bt))),
    Mistake("your dd is still dV: go back with B dV Bᵀ",
            _through(lambda dm, u, v, at, gm, bt: dm * u)),
    Mistake("your dd goes back through B on one side only: B dV Bᵀ",
            _through(lambda dm, u, v, at, gm, bt: bt.T @ (dm * u))),
    Mistake("you multiply dM and U as matrices: ⊙ is element by element",
            _through(lambda dm, u, v, at, gm, bt: bt.T @ (dm @ u) @ bt)),
    Mistake("your dd does not take the filter into account: dV = dM ⊙ U",
            _through(lambda dm, u, v, at, gm, bt: bt.T @ dm @ bt)),
    Mistake("your dd is counted twice", lambda *inputs: 2 * backward(*inputs)[0]),
)  # fmt: skip


@cache
def _cases() -> list[Case]:
    title = "dd and dg against the loops, for a random upstream gradient"
    return [Case(title, (*draw(seed), AT, G, BT)) for seed in range(3)]


TASKS = (
    Task(
        "winograd_tile_backward",
        backward,
        (Output("dd", DD, "that of d,"), Output("dg", DG, "that of g,")),
        _cases,
        MISTAKES,
    ),
)
