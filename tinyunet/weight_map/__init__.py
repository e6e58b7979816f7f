"""The weight map of equation 2, and the borders that part touching cells.

Lesson: `lessons/08-weight-map.md`. Paper: section 3, equation 2 and figure 3.

| file | what it holds |
| --- | --- |
| `separate.py` | a border of background cut between touching cells |
| `cores.py` | objects as rims and cores, for a network of three classes |
| `distances.py` | d1 and d2: the two nearest distinct cells of every pixel, in numba |
| `equation2.py` | class weights plus border term: the map |
| `reference.py` | all of it again, one distance transform a cell; the fast path is tested to it |

What labels mean, cells by number or a mask, is found out in `images/instances.py`.
"""

from tinyunet.images.instances import find_instances
from tinyunet.weight_map.distances import two_nearest_distances
from tinyunet.weight_map.equation2 import class_weights, weight_map
from tinyunet.weight_map.separate import separate_touching

__all__ = [
    "class_weights",
    "find_instances",
    "separate_touching",
    "two_nearest_distances",
    "weight_map",
]
