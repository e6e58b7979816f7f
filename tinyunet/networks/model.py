"""What a command or a function is given as a network: a word, a run folder, or a file.

Lesson: lessons/11-training.md.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from tinyunet.inference.recipe import Recipe
from tinyunet.networks.card import Card, names, read_card
from tinyunet.training.checkpoint import find_weights
from tinyunet.training.recipe_file import NAME, read_recipe


@dataclass(frozen=True)
class Model:
    """Where the weights of a network are, and how its probabilities become cells.

    Attributes
    ----------
    weights : Path
        A safetensors file.
    recipe : Recipe
        The run's, the card's, or the defaults.
    card : Card or None
        Of a network that comes with the package.
    """

    weights: Path
    recipe: Recipe
    card: Card | None = None

    @property
    def average(self) -> int:
        """Over how many turned and flipped versions to predict, unless somebody says so."""
        return 1 if self.card is None else int(self.card.about.get("average", 1))


def find_model(path: str | os.PathLike[str], which: str | None = None) -> Model:
    """Find the network that is meant.

    Parameters
    ----------
    path : path or str
        A run folder, a safetensors file, or a word of `names`. A file, or a folder that holds
        weights, of that name goes before the word.
    which : {"best", "last"}, optional
        Of a run folder; None takes the best weights, or the last if nothing was held out.

    Returns
    -------
    Model
        The weights need not be readable.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If the card or the run's postprocessing.json is damaged.
    """
    try:
        weights = find_weights(path, which)
    except FileNotFoundError as error:
        if str(path) in names():
            if which is not None:
                raise ValueError(f"{path}: comes with one set of weights, not {which}") from None
            card = read_card(str(path))
            return Model(card.weights, card.recipe, card)
        if Path(path).exists() or not names() or os.sep in str(path):
            raise
        words = ", ".join(names())
        raise FileNotFoundError(f"{error}; networks of the package: {words}") from None
    if weights.stem not in ("best", "last"):
        return Model(weights, Recipe())
    recipe = read_recipe(weights.parent)
    if recipe is None:
        return Model(weights, Recipe())
    return Model(weights, replace(recipe, chosen=f"{recipe.chosen or 'set'} ({NAME})"))
