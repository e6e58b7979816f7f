"""How a network's probabilities become cells: a function with its settings, as a file holds it.

A run chooses its threshold on the slices that it held out, a network of the package has its own;
both are kept as a small dictionary, {"function": …, "settings": {…}}. Lesson:
`lessons/13-touching-cells.md`.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from typing import Any

from tinyunet.arrays import Array
from tinyunet.inference.cores import cores_to_cells
from tinyunet.inference.postprocess import probabilities_to_cells

PLAIN = "probabilities_to_cells"
DEFAULTS = {"threshold": 0.5, "min_size": 20, "border": 2, "grow": 0}


@dataclass(frozen=True)
class Recipe:
    """A function that makes cells, and its settings.

    Attributes
    ----------
    function : str
        Its name. "probabilities_to_cells" gets the probability of "no background", (H, W), all
        others the probabilities of all classes, (K, H, W).
    settings : dict
        Its keyword arguments.
    objects : bool
        Whether cells are what the network is for, and not one way to look at its classes.
    chosen : str
        Where the settings come from, in words; empty for the defaults.
    """

    function: str = PLAIN
    settings: dict[str, Any] = field(default_factory=lambda: dict(DEFAULTS))
    objects: bool = False
    chosen: str = ""

    def __post_init__(self) -> None:
        known = inspect.signature(_find(self.function)).parameters
        wrong = [name for name in self.settings if name not in list(known)[1:]]
        if wrong:
            raise ValueError(f"{self.function} takes no {wrong[0]}: {', '.join(list(known)[1:])}")
        for name, value in self.settings.items():
            _check_value(name, value, known[name].annotation)

    @property
    def threshold(self) -> float:
        """The probability above which a pixel is no background."""
        return float(self.settings.get("threshold", DEFAULTS["threshold"]))

    def changed(self, **settings: Any) -> "Recipe":
        """Return the recipe with some settings replaced.

        Parameters
        ----------
        **settings
            By name.

        Returns
        -------
        Recipe
            A new one.

        Raises
        ------
        ValueError
            For settings that the function does not take, and values of another kind.
        """
        return replace(self, settings={**self.settings, **settings})

    def cells(self, probabilities: Array) -> Array:
        """Turn the probabilities of an image into numbered cells.

        Parameters
        ----------
        probabilities : array, shape (K, H, W)
            Of its classes, the background first.

        Returns
        -------
        array, shape (H, W), int32
            Cells 1 to n, 0 on background.

        Raises
        ------
        ValueError
            For settings out of range.
        """
        probability = 1 - probabilities[0] if self.function == PLAIN else probabilities
        return _find(self.function)(probability, **self.settings)

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` takes.

        Returns
        -------
        dict
            Of a kind that JSON can hold.
        """
        return {
            "function": self.function,
            "settings": dict(self.settings),
            "objects": self.objects,
            "chosen": self.chosen,
        }

    @classmethod
    def from_dict(cls, content: Any) -> "Recipe":
        """Make a recipe of what a file holds.

        Parameters
        ----------
        content : dict
            With "settings", and maybe "function", "objects" and "chosen".

        Returns
        -------
        Recipe
            Complete: settings that are not there have their defaults.

        Raises
        ------
        ValueError
            For what is none.
        """
        if not isinstance(content, dict) or not isinstance(content.get("settings"), dict):
            raise ValueError("no settings of a function that makes cells")
        function = content.get("function", PLAIN)
        defaults = DEFAULTS if function == PLAIN else {}
        settings = {**defaults, **content["settings"]}
        chosen = str(content.get("chosen", ""))
        return cls(function, settings, bool(content.get("objects", False)), chosen)


_ACCEPTED: dict[type, tuple[type, str]] = {
    bool: (bool, "true or false"),
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
}


def _check_value(name: str, value: Any, annotation: type) -> None:
    """Refuse a setting of another kind now, and not when a stack has been predicted."""
    accepted, words = _ACCEPTED[annotation]
    if not isinstance(value, accepted) or isinstance(value, bool) != (annotation is bool):
        raise ValueError(f"{name} must be {words}, got {value!r}")


def _find(name: str) -> Callable[..., Array]:
    """The function of that name that makes cells."""
    functions = {one.__name__: one for one in (probabilities_to_cells, cores_to_cells)}
    if name not in functions:
        raise ValueError(f"there is no function {name!r} that makes cells")
    return functions[name]
