"""Exercise 12: V_Rand of two label maps.

Lesson: lessons/12-scores.md.

n_ij is how many pixels cell i of the ground truth shares with cell j of the prediction; 0 is
membrane. Pixels where the ground truth is membrane are left out everywhere. The n_0 remaining
pixels that the prediction calls membrane count as cells of one pixel each.

    a  = Σ_i (Σ_{j≥0} n_ij)²          b  = Σ_{j≥1} (Σ_i n_ij)² + n_0
    ab = Σ_{i,j≥1} n_ij² + n_0        V_Rand = 2 ab / (a + b)

Check: `tinyunet check 12`.
"""


def v_rand(truth, prediction):
    """Return V_Rand.

    Parameters
    ----------
    truth, prediction : (H, W), integers. Numbers of cells may be missing; truth has a cell.

    Returns
    -------
    v_rand : one number in 0 … 1.
    """
