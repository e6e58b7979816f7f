"""The card of a network that comes with the package.

Lesson: lessons/13-touching-cells.md.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyunet._files import printable
from tinyunet.inference.recipe import Recipe

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Card:
    """What there is to know about a network.

    Attributes
    ----------
    name : str
        The word that stands for it.
    weights : Path
        Its safetensors file.
    recipe : Recipe
        How its probabilities become cells.
    about : dict
        The whole card, as JSON holds it.
    """

    name: str
    weights: Path
    recipe: Recipe
    about: dict[str, Any]

    @property
    def title(self) -> str:
        """What it is for, in a line."""
        return printable(self.about.get("title", self.name))

    @property
    def typical_diameter(self) -> float | None:
        """Pixels across a typical object of its training, None where the card does not say."""
        return self.about.get("typical_diameter")


def names() -> list[str]:
    """List the networks that come with the package.

    Returns
    -------
    list of str
        Their words.
    """
    return sorted(path.stem for path in FOLDER.glob("*.json") if _weights(path.stem).is_file())


def read_card(name: str) -> Card:
    """Read the card of a network.

    Parameters
    ----------
    name : str
        One of `names`.

    Returns
    -------
    Card
        What it says.

    Raises
    ------
    FileNotFoundError
        If there is no such network.
    ValueError
        If the card is damaged.
    """
    if name not in names():
        raise FileNotFoundError(f"{name}: no such network: there is {', '.join(names()) or 'none'}")
    path = FOLDER / f"{name}.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        recipe = Recipe.from_dict({**about["postprocessing"], "objects": True})
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: damaged ({printable(error)})") from error
    return Card(name, _weights(name), recipe, about)


def _weights(name: str) -> Path:
    return FOLDER / f"{name}.safetensors"
