"""Networks that come with the package: weights, and a card that says what they are.

A network is two files of this folder, WORD.safetensors and WORD.json. The card holds "title",
"postprocessing" (a recipe: function and settings), "typical_diameter" in pixels,
"average" (versions of an image to predict, 1 to 8), and whatever else
there is to say: data, split, recipe, command, scores, licence, where it fails. `card.py` reads it,
`model.py` finds what `tinyunet predict` and `tinyunet.load` are given: a word, a run, a file.
Lesson: lessons/13-touching-cells.md.
"""

from tinyunet.networks.card import Card, names, read_card
from tinyunet.networks.model import Model, find_model

__all__ = ["Card", "Model", "find_model", "names", "read_card"]
