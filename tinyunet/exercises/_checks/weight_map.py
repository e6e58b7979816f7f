"""Check of exercise 08: the weight map by brute force.

Lesson: `lessons/08-weight-map.md`.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tinyunet.arrays import Array
from tinyunet.exercises.task import Case, Mistake, Output, Task

Distances = Callable[[Array], tuple[Array, Array]]
TOLERANCE = 1e-6


def _far(cells: Array, norm: Callable[[Array], Array], cell: Any) -> Array:
    """The distance of every pixel to the nearest pixel of a cell (None: to each of any cell)."""
    pixels = np.argwhere(cells == cell if cell is not None else cells != 0)
    points = np.argwhere(np.ones(cells.shape, bool))
    distances = norm(points[:, None] - pixels)  # (H·W, pixels)
    if cell is None:
        return np.sort(distances, axis=1).T.reshape(-1, *cells.shape)
    return distances.min(axis=1).reshape(cells.shape)


def _euclidean(offsets: Array) -> Array:
    return np.sqrt((offsets**2).sum(axis=-1))


def _two_nearest(
    norm: Callable[[Array], Array] = _euclidean, keep: slice = slice(None), first: int = 0
) -> Distances:
    """d1 and d2, with another norm, of some cells only, or of others than the nearest two."""

    def distances(cells: Array) -> tuple[Array, Array]:
        numbers = np.unique(cells[cells != 0])[keep]
        nobody = np.full(cells.shape, np.inf)
        found = sorted_stack([_far(cells, norm, cell) for cell in numbers], nobody)
        return found[first], found[first + 1]

    return distances


def sorted_stack(maps: list[Array], nobody: Array) -> Array:
    """Return distance maps sorted pixel by pixel, with two more where nobody is."""
    return np.sort(np.stack([*maps, nobody, nobody, nobody]), axis=0)


def _two_farthest(cells: Array) -> tuple[Array, Array]:
    numbers = np.unique(cells[cells != 0])
    found = np.sort(np.stack([_far(cells, _euclidean, cell) for cell in numbers]), axis=0)
    return found[-1], found[-2]


def _nearest_and_farthest(cells: Array) -> tuple[Array, Array]:
    numbers = np.unique(cells[cells != 0])
    found = np.sort(np.stack([_far(cells, _euclidean, cell) for cell in numbers]), axis=0)
    return found[0], found[-1]


def _nearest_pixels(cells: Array) -> tuple[Array, Array]:
    """Of whichever cell: the trap of the lesson."""
    far = _far(cells, _euclidean, None)
    return far[0], far[1]


def _centres(cells: Array) -> tuple[Array, Array]:
    """Distances to the cells' centres in place of their nearest pixels."""
    points = np.argwhere(np.ones(cells.shape, bool))
    middles = [np.argwhere(cells == cell).mean(axis=0) for cell in np.unique(cells[cells != 0])]
    far = [_euclidean(points - middle).reshape(cells.shape) for middle in middles]
    d = sorted_stack(far, np.full(cells.shape, np.inf))
    return d[0], d[1]


def balanced(cells: Array) -> tuple[float, float]:
    """Return w_c of background and cells."""
    n, inside = cells.size, np.count_nonzero(cells)
    return (1.0, 1.0) if inside in (0, n) else (n / (2 * (n - inside)), n / (2 * inside))


def _counts(formula: Callable[..., float]) -> Callable[[Array], tuple[float, float]]:
    """w_c from (pixels, pixels of the class, pixels of the other)."""

    def classes(cells: Array) -> tuple[float, float]:
        n, inside = cells.size, np.count_nonzero(cells)
        return formula(n, n - inside, inside), formula(n, inside, n - inside)

    return classes


def _gauss(d1: Array, d2: Array, w0: float, sigma: float) -> Array:
    return w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))


def _map(
    border: Callable[..., Array] = _gauss,
    distances: Distances | None = None,
    classes: Callable[[Array], tuple[float, float]] = balanced,
    inside: bool = False,
    joined: Callable[[Array, Array], Array] = np.add,
) -> Callable[..., Array]:
    """Equation 2 with one of its parts changed."""

    def made(cells: Array, w0: float, sigma: float) -> Array:
        background, foreground = classes(cells)
        base = np.where(cells != 0, foreground, background)
        d1, d2 = (distances or _two_nearest())(cells)
        term = border(d1, d2, w0, sigma)
        return np.where((cells == 0) | inside, joined(base, term), base)

    return made


weight_map = _map()


def _exponent(power: Callable[..., Array]) -> Callable[..., Array]:
    """The right answer with another exponent of (d1, d2, sigma)."""
    return _map(lambda d1, d2, w0, sigma: w0 * np.exp(power(d1, d2, sigma)))


MISTAKES = (
    Mistake("your border term is missing, or 0 everywhere: w0 · exp(−(d1 + d2)² / (2σ²)). (Do you "
            "ask for cells by their numbers? A mask has no second cell)",
            _map(lambda d1, d2, w0, sigma: 0 * w0)),
    Mistake("your border term divides by σ²: it is 2σ²",
            _exponent(lambda d1, d2, s: -((d1 + d2) ** 2) / s**2)),
    Mistake("your border term divides by 2σ: it is 2σ²",
            _exponent(lambda d1, d2, s: -((d1 + d2) ** 2) / (2 * s))),
    Mistake("your border term divides by (2σ)²: it is 2σ²",
            _exponent(lambda d1, d2, s: -((d1 + d2) ** 2) / (2 * s) ** 2)),
    Mistake("your border term divides by 2 and multiplies by σ²: put 2σ² into brackets",
            _exponent(lambda d1, d2, s: -((d1 + d2) ** 2) / 2 * s**2)),
    Mistake("you square d1 and d2 one by one: equation 2 squares their sum",
            _exponent(lambda d1, d2, s: -(d1**2 + d2**2) / (2 * s**2))),
    Mistake("your d1 + d2 is not squared", _exponent(lambda d1, d2, s: -(d1 + d2) / (2 * s**2))),
    Mistake("your exponent is positive: exp(−(d1 + d2)² / (2σ²)) falls with the distance",
            _exponent(lambda d1, d2, s: (d1 + d2) ** 2 / (2 * s**2))),
    Mistake("your d2 equals d1: the second distance is to another *cell*, not to another pixel of "
            "the nearest one", _exponent(lambda d1, d2, s: -((2 * d1) ** 2) / (2 * s**2))),
    Mistake("your d2 goes to the second nearest *pixel*, mostly of the same cell: it must go to "
            "the second nearest cell (lesson 08, \"The trap\")", _map(distances=_nearest_pixels)),
    Mistake("your border term takes d1 alone: d1 + d2",
            _exponent(lambda d1, d2, s: -(d1**2) / (2 * s**2))),
    Mistake("your border term takes d2 alone: d1 + d2",
            _exponent(lambda d1, d2, s: -(d2**2) / (2 * s**2))),
    Mistake("your border term takes d2 − d1: it is their sum that measures the gap",
            _exponent(lambda d1, d2, s: -((d2 - d1) ** 2) / (2 * s**2))),
    Mistake("your border term takes d1 · d2: it is their sum that measures the gap",
            _exponent(lambda d1, d2, s: -((d1 * d2) ** 2) / (2 * s**2))),
    Mistake("your border term stands inside the cells as well: it belongs to the background",
            _map(inside=True)),
    Mistake("your border term is subtracted: equation 2 adds",
            _map(lambda d1, d2, w0, sigma: -_gauss(d1, d2, w0, sigma))),
    Mistake("your w0 is always 10: it is an argument",
            _map(lambda d1, d2, w0, sigma: _gauss(d1, d2, 10, sigma))),
    Mistake("your sigma is always 5: it is an argument",
            _map(lambda d1, d2, w0, sigma: _gauss(d1, d2, w0, 5))),
    Mistake("your distances are cut to whole numbers", _map(
        lambda d1, d2, w0, sigma: _gauss(np.floor(d1), np.floor(d2), w0, sigma))),
    Mistake("your d2 is the distance to the farthest cell: it is that to the second nearest",
            _map(distances=_nearest_and_farthest)),
    Mistake("your border term is not multiplied by w0",
            _map(lambda d1, d2, w0, sigma: _gauss(d1, d2, 1, sigma) * (w0 > 0))),
    Mistake("your border term is not multiplied by w0",
            _map(lambda d1, d2, w0, sigma: _gauss(d1, d2, 1, sigma))),
    Mistake("your border term is multiplied by w_c: equation 2 adds",
            _map(joined=lambda base, term: base * (1 + term))),
    Mistake("your w_c is lost where the border term stands: equation 2 adds the two",
            _map(joined=lambda base, term: term)),
    Mistake("your w_c is lost where the border term stands: equation 2 adds the two",
            _map(joined=lambda base, term: base * term)),
    Mistake("you take the larger of w_c and the border term: equation 2 adds",
            _map(joined=np.maximum)),
    Mistake("your distances are squared (the root is missing)",
            _map(distances=_two_nearest(lambda o: (o**2).sum(axis=-1)))),
    Mistake("your distances are rows plus columns: they go straight, by Pythagoras",
            _map(distances=_two_nearest(lambda o: np.abs(o).sum(axis=-1)))),
    Mistake("your distances are the larger of rows and columns: they go straight, by Pythagoras",
            _map(distances=_two_nearest(lambda o: np.abs(o).max(axis=-1)))),
    Mistake("your distances are one too small: they go from pixel centre to pixel centre, so a "
            "pixel beside a cell is at distance 1",
            _exponent(lambda d1, d2, s: -((d1 + d2 - 2) ** 2) / (2 * s**2))),
    Mistake("your distances go to the cells' centres: they go to their nearest pixels",
            _map(distances=_centres)),
    Mistake("your last cell is left out: range(1, cells.max()) ends before it",
            _map(distances=_two_nearest(keep=slice(None, -1)))),
    Mistake("your first cell is left out", _map(distances=_two_nearest(keep=slice(1, None)))),
    Mistake("your distances are those of the farthest two cells: sort upwards, take the first two",
            _map(distances=_two_farthest)),
    Mistake("your distances are those of the second and third nearest cell: the first two",
            _map(distances=_two_nearest(first=1))),
    Mistake("your w_c is missing: n / (2 n_c), cells and background balanced",
            _map(classes=lambda cells: (1.0, 1.0))),
    Mistake("your w_c is n / n_c: with two classes n / (2 n_c), so that its mean is 1",
            _map(classes=_counts(lambda n, own, other: n / own))),
    Mistake("your w_c is 1 / n_c: n / (2 n_c), so that its mean is 1",
            _map(classes=_counts(lambda n, own, other: 1 / own))),
    Mistake("your w_c are swapped: the rarer class weighs more",
            _map(classes=_counts(lambda n, own, other: n / (2 * other)))),
    Mistake("your w_c is the class's own share n_c / n: the rarer class weighs more, n / (2 n_c)",
            _map(classes=_counts(lambda n, own, other: own / n))),
    Mistake("your w_c is the other class's share: n / (2 n_c), so that its mean is 1",
            _map(classes=_counts(lambda n, own, other: other / n))),
    Mistake("your w_c is the quotient of the classes: n / (2 n_c), so that its mean is 1",
            _map(classes=_counts(lambda n, own, other: other / own))),
    Mistake("where there is only one class w_c is 1, not n / (2n)",
            _map(classes=lambda cells: (0.5, 0.5) if np.count_nonzero(cells) in (0, cells.size)
                 else balanced(cells))),
)  # fmt: skip


def _page(text: str) -> Array:
    """An image of cells from digits, a dot for the background."""
    return np.array([[0 if c == "." else int(c) for c in line] for line in text.split()])


THREE = _page("............ .1111....... .1111....777 .1111....777 .........777 "
              "..2222..777. ..2222..777. ..2222...... ............")  # fmt: skip
FOUR = _page("....... .33.... .33..5. ..3..5. .....55 .....55 4...... 44...8. 44...88 4...... "
             ".......")  # fmt: skip


@cache
def _cases() -> list[Case]:
    def case(title: str, cells: Array, w0: float, sigma: float, level: int, general: bool) -> Case:
        return Case(title, (cells, w0, sigma), {}, level, general, TOLERANCE)

    classes = "w_c, the class weights (w0 = 0: no border term)"
    equation = "equation 2: three cells and four, several w0 and sigma"
    two = "equation 2: two cells"
    one = "awkward images: one cell alone"
    single = "awkward images: no cell, cells only"
    return [
        case(classes, THREE, 0.0, 5.0, 1, True),
        case(classes, FOUR, 0.0, 3.0, 1, True),
        case(equation, THREE, 10.0, 3.0, 2, True),
        case(equation, FOUR, 7.0, 5.0, 2, True),
        case(equation, FOUR * (FOUR != 8), 4.0, 1.25, 2, True),
        case(two, THREE * (THREE != 7), 6.0, 4.0, 2, True),
        case(one, (THREE == 1) * 6, 10.0, 3.0, 3, False),
        case(single, np.zeros((3, 4), np.int64), 10.0, 3.0, 3, False),
        case(single, np.full((2, 3), 4), 10.0, 3.0, 3, False),
    ]


TASKS = (
    Task("weight_map", weight_map, (Output("weight map", MISTAKES, "that of cells,"),), _cases),
)
