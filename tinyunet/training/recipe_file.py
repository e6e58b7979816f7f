"""How a run's probabilities become masks and cells, in postprocessing.json of its folder.

Written when the run has scored its best weights on the slices that it held out; edit it to use
another threshold by default. Lesson: lessons/12-scores.md.
"""

import json
from pathlib import Path

from tinyunet._files import open_regular, printable
from tinyunet.inference.recipe import Recipe
from tinyunet.training.settings_file import write_json

NAME = "postprocessing.json"


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Keep a recipe in a run folder.

    Parameters
    ----------
    folder : Path
        The run folder.
    recipe : Recipe
        What `predict` is to do by default.
    """
    write_json(Path(folder) / NAME, recipe.to_dict())


def read_recipe(folder: Path) -> Recipe | None:
    """Read the recipe of a run folder.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    Recipe or None
        None where nothing was chosen.

    Raises
    ------
    ValueError
        If the file is damaged.
    OSError
        If it is no regular file.
    """
    path = Path(folder) / NAME
    try:
        with open_regular(path, "rb") as file:
            text = file.read()
    except FileNotFoundError:
        return None
    try:
        return Recipe.from_dict(json.loads(text.decode()))
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: damaged ({printable(error)})") from error
