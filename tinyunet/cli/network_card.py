"""The card of a network that comes with the package, as `tinyunet info NAME` prints it.

Lesson: lessons/13-touching-cells.md.
"""

import textwrap
from typing import Any

from tinyunet._files import printable
from tinyunet.networks import Card


def print_card(card: Card) -> None:
    """Print what a network of the package is, its scores, and the rest of its card as it stands.

    Parameters
    ----------
    card : Card
        The network's.
    """
    print(f"\n{card.name}: {card.title}")
    if card.typical_diameter:
        print(f"made for objects about {card.typical_diameter:g} pixels across")
    settings = ", ".join(f"{name} {value}" for name, value in card.recipe.settings.items())
    print(f"cells by {card.recipe.function}: {settings}")
    if card.about.get("diameters"):
        low, high = card.about["diameters"]
        print(f"96 of 100 that it learned from were {low:g} to {high:g} pixels across")
    shown = ["title", "typical_diameter", "diameters", "postprocessing"]
    scores = card.about.get("scores")
    if isinstance(scores, dict) and all(_of_objects(found) for found in scores.values()):
        _print_scores(scores)
        shown.append("scores")
    for name, value in card.about.items():
        if name not in shown:
            print(
                *textwrap.wrap(f"{name}: {_in_words(value)}", 78, subsequent_indent="  "), sep="\n"
            )


def _of_objects(found: Any) -> bool:
    """Whether these are the scores that lessons/runs/nuclei_network.py writes."""
    return isinstance(found, dict) and {"SEG", "IoU", "F1", "AP"} <= set(found)


def _print_scores(scores: dict[str, Any]) -> None:
    """A row a part of the held-out images: SEG, IoU, and F1 and AP at several IoUs."""
    columns = ("SEG", "IoU", "F1 0.5", "F1 0.7", "F1 0.9", "AP 0.5", "AP 0.7")
    print(f"{'scores':<16}" + "".join(f"{column:>8}" for column in columns))
    for part, found in scores.items():
        values = [
            found[name] if not at else found[name][at]
            for name, _, at in (column.partition(" ") for column in columns)
        ]
        print(f"{part:<16}" + "".join(f"{value:>8.3f}" for value in values))


def _in_words(value: Any) -> str:
    """A value of JSON in a line."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_in_words(item)}" for name, item in value.items())
    if isinstance(value, list):
        return "; ".join(map(_in_words, value))
    return printable(f"{value:g}" if isinstance(value, float) else value)
