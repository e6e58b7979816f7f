"""Check of exercise 05: several maps, cropped to the smallest and put one behind the other.

Lesson: `lessons/05-the-u.md`, which has two maps; any number is for the learner.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from tinyunet.arrays import Array
from tinyunet.exercises._checks.gradients import upstream
from tinyunet.exercises.diagnose import TOLERANCE_FLOAT32
from tinyunet.exercises.task import Case, Mistake, Output, Task

Shape = tuple[int, ...]
Place = Callable[[Shape, Shape], tuple[slice, slice]]

EVEN = "one skip whose remainders are even"
ODD = "odd remainders of 1, 3, 5 and 7: the crop lies half a pixel to the top left"
# Each line: the maps' shapes, the last one's being the size of all. Remainders in the comment.
TWO_EVEN = (
    ((2, 3, 11, 15), (2, 4, 7, 9)),  # 4, 6
    ((3, 5, 14, 7), (3, 2, 4, 5)),  # 10, 2
)
TWO_ODD = (
    ((2, 3, 10, 11), (2, 4, 7, 6)),  # 3, 5
    ((3, 5, 9, 11), (3, 2, 8, 4)),  # 1, 7
)
MORE = (
    ((2, 5, 10, 12), (2, 3, 8, 9), (2, 4, 7, 6)),  # 3, 6 and 1, 3
    ((3, 2, 11, 6), (3, 7, 5, 13), (3, 4, 8, 9), (3, 5, 4, 5)),
)
NOTHING = (((2, 3, 5, 7), (2, 4, 5, 7)), ((2, 3, 9, 7), (2, 4, 5, 7)), ((1, 1, 3, 3),) * 2)


def _centre(skip: Shape, x: Shape) -> tuple[slice, slice]:
    top, left = (skip[2] - x[2]) // 2, (skip[3] - x[3]) // 2
    return slice(top, top + x[2]), slice(left, left + x[3])


def _concat(place: Place = _centre) -> Callable[..., Array]:
    """Crop all maps to the last one's size, at `place`, and put them one behind the other."""

    def made(*maps: Array) -> Array:
        crops = [m[:, :, place(m.shape, maps[-1].shape)[0],
                   place(m.shape, maps[-1].shape)[1]] for m in maps[:-1]]  # fmt: skip
        return np.concatenate([*crops, maps[-1]], axis=1)

    return made


center_crop_concat = _concat()


def _backward(place: Place = _centre) -> Callable[..., tuple[Array, ...]]:
    def made(dy: Array, *maps: Array) -> tuple[Array, ...]:
        gradients, first = [], 0
        for m in maps[:-1]:
            gradient = np.zeros_like(m)
            rows, columns = place(m.shape, maps[-1].shape)
            gradient[:, :, rows, columns] = dy[:, first : first + m.shape[1]]
            gradients.append(gradient)
            first += m.shape[1]
        return (*gradients, dy[:, first:].copy())

    return made


center_crop_concat_backward = _backward()


def _from(top: Callable[[int], int], left: Callable[[int], int]) -> Place:
    """A crop that begins at other functions of the remainder."""

    def place(skip: Shape, x: Shape) -> tuple[slice, slice]:
        row, column = top(skip[2] - x[2]), left(skip[3] - x[3])
        return slice(row, row + x[2]), slice(column, column + x[3])

    return place


def _cut(skip: Shape, x: Shape) -> tuple[slice, slice]:
    """top : -top, which is empty where top is 0."""
    top, left = (skip[2] - x[2]) // 2, (skip[3] - x[3]) // 2
    return slice(top, -top), slice(left, -left)


def _to_the_end(skip: Shape, x: Shape) -> tuple[slice, slice]:
    """top : H − top, one too many where the remainder is odd."""
    top, left = (skip[2] - x[2]) // 2, (skip[3] - x[3]) // 2
    return slice(top, skip[2] - top), slice(left, skip[3] - left)


def _top_for_both(skip: Shape, x: Shape) -> tuple[slice, slice]:
    top = (skip[2] - x[2]) // 2
    return slice(top, top + x[2]), slice(top, top + x[3])


def _left_for_both(skip: Shape, x: Shape) -> tuple[slice, slice]:
    left = (skip[3] - x[3]) // 2
    return slice(left, left + x[2]), slice(left, left + x[3])


PLACES = (
    ("you crop the top left corner: the skip's centre is what lies over x (lesson 05)",
     _from(lambda r: 0, lambda r: 0)),
    ("you crop the bottom right corner: the skip's centre is what lies over x (lesson 05)",
     _from(lambda r: r, lambda r: r)),
    ("your crop is one pixel too far to the bottom right where a remainder is odd: it rounds down, "
     "(H − h) // 2", _from(lambda r: -(-r // 2), lambda r: -(-r // 2))),
    ("your crop lies elsewhere where a remainder is 3 or 7: round() goes to the even neighbour, "
     "round(1.5) is 2. The remainder rounds down, (H − h) // 2",
     _from(lambda r: round(r / 2), lambda r: round(r / 2))),
    ("your columns are cropped with the rows' remainder (`top` for both): left = (W − w) // 2",
     _top_for_both),
    ("your rows are cropped with the columns' remainder (`left` for both): top = (H − h) // 2",
     _left_for_both),
    ("your crop has top and left exchanged: rows begin at (H − h) // 2",
     lambda skip, x: (slice((skip[3] - x[3]) // 2, (skip[3] - x[3]) // 2 + x[2]),
                      slice((skip[2] - x[2]) // 2, (skip[2] - x[2]) // 2 + x[3]))),
    ("you crop the rows in the middle and the columns at the left",
     _from(lambda r: r // 2, lambda r: 0)),
    ("you crop the columns in the middle and the rows at the top",
     _from(lambda r: 0, lambda r: r // 2)),
    ("a slice from `top` to H − top has one row too many where the remainder is odd: end it at "
     "top + h", _to_the_end),
    ("a slice `top:-top` is empty where top is 0, since -0 is 0: end it at top + h", _cut),
)  # fmt: skip


def _channels(*orders: Callable[[list[Array]], list[Array]]) -> tuple[Callable[..., Array], ...]:
    """The right crops in another order, or not all of them."""

    def of(order: Callable[[list[Array]], list[Array]]) -> Callable[..., Array]:
        def made(*maps: Array) -> Array:
            y, ends = center_crop_concat(*maps), np.cumsum([m.shape[1] for m in maps])
            return np.concatenate(order(np.split(y, ends[:-1], axis=1)), axis=1)

        return made

    return tuple(of(order) for order in orders)


_REVERSED, _X_FIRST, _NO_X, _FIRST_SKIP, _LAST_SKIP = _channels(
    lambda parts: parts[::-1],
    lambda parts: [parts[-1], *parts[:-1]],
    lambda parts: parts[:-1],
    lambda parts: [parts[0], parts[-1]],
    lambda parts: parts[-2:],
)


def _added(*maps: Array) -> Array:
    parts = [_concat()(m, maps[-1])[:, : m.shape[1]] for m in maps[:-1]]
    return sum(parts) + maps[-1]


_ORDER = "your channels are in another order: the maps as they are given, the skip first and x last"
FORWARD = (
    *(Mistake(says, _concat(place)) for says, place in PLACES),
    Mistake(_ORDER, _X_FIRST),
    Mistake(_ORDER, _REVERSED),
    Mistake("your y is only the crops: x is missing behind them", _NO_X),
    Mistake("your y holds the first and the last map only: all of *maps", _FIRST_SKIP),
    Mistake("your y holds the last two maps only: all of *maps", _LAST_SKIP),

)  # fmt: skip


def _in_order(order: Callable[[int], list[int]]) -> Callable[..., tuple[Array, ...]]:
    """The backward pass of a concatenation in another order of the maps."""

    def made(dy: Array, *maps: Array) -> tuple[Array, ...]:
        places = order(len(maps))
        ends = np.cumsum([maps[k].shape[1] for k in places])[:-1]
        parts = dict(zip(places, np.split(dy, ends, axis=1), strict=True))
        sorted_dy = np.concatenate([parts[k] for k in range(len(maps))], axis=1)
        return center_crop_concat_backward(sorted_dy, *maps)

    return made


def _as_crop(dy: Array, *maps: Array) -> tuple[Array, ...]:
    """The crops' gradients, without the zeros around them."""
    return tuple(np.split(dy, np.cumsum([m.shape[1] for m in maps])[:-1], axis=1))


def _ones_outside(dy: Array, *maps: Array) -> tuple[Array, ...]:
    right = center_crop_concat_backward(dy, *maps)
    cropped = center_crop_concat_backward(np.ones_like(dy), *maps)
    return tuple(g + (c == 0) for g, c in zip(right, cropped, strict=True))


def _first_channels(dy: Array, *maps: Array) -> tuple[Array, ...]:
    """Every map gets the first channels of dy."""
    gradients = []
    for m in maps:
        part = np.concatenate([dy[:, : m.shape[1]], dy[:, : maps[-1].shape[1]]], axis=1)
        gradients.append(center_crop_concat_backward(part, m, maps[-1])[0])
    return tuple(gradients)


def _behind_the_first(dy: Array, *maps: Array) -> tuple[Array, ...]:
    """Two maps are meant: x gets the channels behind the first skip's, however many follow."""
    right = list(center_crop_concat_backward(dy, *maps))
    right[-1] = dy[:, maps[0].shape[1] :]
    return tuple(right)


BACKWARD = (
    *(Mistake("your {name} lies in the wrong place: " + says.replace("you crop", "it is put at"),
              _backward(place)) for says, place in PLACES),
    Mistake("your {name} is 1 where the pixels were cut away: they do not count in y, so 0",
            _ones_outside),
    Mistake("your {name} is as large as the crop: the skip was larger, and the pixels that were "
            "cut away get a gradient of 0", _as_crop),
    *(Mistake("your {name} takes channels of another map: dy's first channels belong to the first "
              "map, then come the next one's", _in_order(order))
      for order in (lambda n: [n - 1, *range(n - 1)], lambda n: list(range(n))[::-1])),
    Mistake("your {name} takes the first channels of dy: each map's begin where those of the one "
            "before end", _first_channels),
    Mistake("your {name} takes all channels behind the first map's: with three maps or more only "
            "the last ones are x's", _behind_the_first),
    *(m for m in upstream(center_crop_concat_backward) if "return" not in m.says
      and "last image" not in m.says),
)  # fmt: skip


def _draw(shapes: tuple[Shape, ...]) -> tuple[Array, ...]:
    """Return random maps, and dy last."""
    rng = np.random.default_rng(5)
    maps = [rng.standard_normal(shape) for shape in shapes]
    channels = sum(shape[1] for shape in shapes)
    return (*maps, rng.standard_normal((shapes[-1][0], channels, *shapes[-1][2:])))


def _cases(backward: bool, names: int | None = None) -> list[Case]:
    """The cases of the forward or the backward pass."""
    function = "center_crop_concat" + "_backward" * backward

    def case(title: str, shapes: tuple[Shape, ...], level: int, general: bool = True) -> Case:
        *maps, dy = _draw(shapes)
        inputs = (dy, *maps) if backward else tuple(maps)
        sizes = {"images": len(dy), "channels": dy.shape[1], "maps": len(maps)}
        return Case(f"{function}: {title}", inputs, sizes, level, general)

    cases = [case(EVEN, shapes, 1) for shapes in TWO_EVEN]
    cases += [case("nothing to crop", shapes, 2, False) for shapes in NOTHING]
    cases += [case(ODD, shapes, 3) for shapes in TWO_ODD]
    cases += [case("several maps, each with remainders of its own", s, 4) for s in MORE]
    arrays = tuple(a.astype(np.float32) for a in cases[0].inputs)
    title = f"{function}: float32 in, float32 out"
    cases.append(Case(title, arrays, {}, 4, False, TOLERANCE_FLOAT32, np.float32))
    return cases


@cache
def _forward_cases() -> list[Case]:
    return _cases(False)


@cache
def _backward_cases() -> list[Case]:
    return _cases(True)


def _gradients(dy: Array, *maps: Array) -> tuple[Output, ...]:
    """What the results of the backward pass are called."""
    skips = ["dskip"] if len(maps) == 2 else [f"dskip{k}" for k in range(1, len(maps))]
    return tuple(Output(name, axes="that of its map,") for name in [*skips, "dx"])


TASKS = (
    Task("center_crop_concat", center_crop_concat,
         (Output("y", FORWARD, "(N, C1 + C2 + …, h, w)"),), _forward_cases),
    Task("center_crop_concat_backward", center_crop_concat_backward, _gradients, _backward_cases,
         BACKWARD, joint=True),
)  # fmt: skip
