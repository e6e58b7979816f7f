"""Reference solution of exercise 15."""

import numpy as np  # noqa: F401 - for the mistakes that are planted here


def winograd_tile_backward(dy, d, g, at, gm, bt):
    u = gm @ g @ gm.T
    v = bt @ d @ bt.T
    dm = at.T @ dy @ at
    dd = bt.T @ (dm * u) @ bt
    dg = gm.T @ (dm * v) @ gm
    return dd, dg
