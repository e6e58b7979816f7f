"""Exercise 15: Winograd's backward pass, the adjoint.

Lesson: lessons/14-fast-on-a-cpu.md.

Y = Aᵀ [U ⊙ V] A with U = G g Gᵀ and V = Bᵀ d B is made of linear steps and one product. Read it
upwards: each linear step Z = P X Pᵀ has the adjoint dX = Pᵀ dZ P, and a product U ⊙ V gives each
factor the other one. The matrices are those of exercise 14.

Check: `tinyunet check 15`.
"""


def winograd_tile_backward(dy, d, g, at, gm, bt):
    """Return the gradients of the tile and of the filter.

    Parameters
    ----------
    dy : (4, 4), the upstream gradient.
    d : (6, 6), the tile.
    g : (3, 3), the filter.
    at, gm, bt : (4, 6), (6, 3), (6, 6).

    Returns
    -------
    dd, dg : (6, 6) and (3, 3).
    """
