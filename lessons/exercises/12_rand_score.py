"""Exercise 12: V_Rand of two label maps.

Lesson: lessons/12-scores.md.

n_ij is how many pixels cell i of the truth shares with cell j of the proposal; 0 is membrane.
Pixels where the truth is membrane are left out everywhere. The n_0 remaining pixels that the
proposal calls membrane count as cells of one pixel each.

    a  = Σ_i (Σ_{j≥0} n_ij)²          b  = Σ_{j≥1} (Σ_i n_ij)² + n_0
    ab = Σ_{i,j≥1} n_ij² + n_0        V_Rand = 2 ab / (a + b)

Check: `tinyunet check 12`.
"""

import numpy as np


def v_rand(proposal, truth):
    """Return V_Rand, a number in 0 … 1, for two integer maps (H, W); truth has a cell."""
