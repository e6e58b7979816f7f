"""Mistakes of exercise 15, Winograd's backward pass."""

from solutions.mistakes import LOOPS, NUMBERS

_DM = "dm = at.T @ dy @ at"
_DD = "dd = bt.T @ (dm * u) @ bt"
_DG = "dg = gm.T @ (dm * v) @ gm"

ROWS = [
    (LOOPS, _DG, "dg = gm.T @ (dm * u) @ gm", "your dg multiplies dM by U"),
    (LOOPS, _DD, "dd = bt.T @ (dm * v) @ bt", "your dd multiplies dM by V"),
    (LOOPS, _DG, "dg = gm.T @ (dm @ v) @ gm", "you multiply dM and V as matrices"),
    (LOOPS, _DD, "dd = bt.T @ (dm @ u) @ bt", "you multiply dM and U as matrices"),
    (LOOPS, _DD, "dd = bt @ (dm * u) @ bt.T", "you go back through Bᵀ with Bᵀ itself"),
    (LOOPS, _DD, "dd = bt @ (dm * v) @ bt.T", "the factors are exchanged too"),
    (LOOPS, _DD, "inverse = np.linalg.inv(bt)\n    dd = inverse @ (dm * u) @ inverse.T",
     "you undo Bᵀ with its inverse"),
    (LOOPS, _DD, "inverse = np.linalg.inv(bt)\n    dd = inverse.T @ (dm * u) @ inverse",
     "you undo Bᵀ with its inverse"),
    (LOOPS, _DG, "inverse = np.linalg.pinv(gm)\n    dg = inverse @ (dm * v) @ inverse.T",
     "your dg undoes G with its (pseudo-)inverse"),
    (LOOPS, _DD, "dd = dm * u", "your dd is still dV"),
    (LOOPS, _DG, "dg = dm * v", "your dg is still dU, 6×6"),
    (LOOPS, _DD, "dd = bt.T @ (dm * u)", "your dd goes back through B on one side only"),
    (LOOPS, _DG, "dg = gm.T @ (dm * v)", "your dg goes back through G on one side only"),
    (LOOPS, _DD, "dd = bt.T @ dm @ bt", "your dd does not take the filter into account"),
    (LOOPS, _DG, "dg = gm.T @ dm @ gm", "your dg does not take the input into account"),
    (LOOPS, _DM, "dm = at.T @ at", NUMBERS),
    (LOOPS, _DM, "dm = at @ dy @ at.T", "stopped at line"),
    (LOOPS, _DM, "dm = at.T @ np.ones_like(dy) @ at", "for an upstream gradient of ones"),
    (LOOPS, _DM, "dm = at.T @ dy.T @ at", "takes dy transposed"),
    (LOOPS, _DM, "dm = at.T @ dy[::-1, ::-1] @ at", "takes dy turned by 180°"),
    (LOOPS, "u = gm @ g @ gm.T", "u = gm @ g[::-1, ::-1] @ gm.T", "your dd has a flipped kernel"),
    (LOOPS, "u = gm @ g @ gm.T", "u = gm @ g.T @ gm.T", "your dd has a transposed kernel"),
    (LOOPS, "v = bt @ d @ bt.T", "v = d", "your dg takes d where it should take V"),
    (LOOPS, "v = bt @ d @ bt.T", "v = bt.T @ d @ bt", "your dg has a V of Bᵀ's transpose"),
    (LOOPS, "return dd, dg", "return dg, dd", "you return (dg, dd)"),
    (LOOPS, "return dd, dg", "return dd, dg.T", "your dg looks transposed"),
    (LOOPS, "return dd, dg", "return dd.T, dg", "your dd looks transposed"),
    (LOOPS, "return dd, dg", "return dd, dg[::-1, ::-1]", "your dg is flipped"),
    (LOOPS, "return dd, dg", "return -dd, dg", "your dd has the wrong sign"),
    (LOOPS, "return dd, dg", "return dd, 2 * dg", "your dg is counted twice"),
    (LOOPS, "return dd, dg", "return dd, dg / 16", "your dg is off by a factor 0.0625"),
    (LOOPS, "return dd, dg", "return dd", "must return (dd, dg)"),
    (LOOPS, _DG, "dg = gm.T @ (dm * v * u) @ gm", NUMBERS),
    # More of the kinds that a student makes.
    (LOOPS, "dd = bt.T @ (dm * u) @ bt",
     "dd = bt.T @ (dm * u.T) @ bt",
     "your dd has a transposed kernel"),
    (LOOPS, "dm = at.T @ dy @ at", "dm = 2 * at.T @ dy @ at", "your dd is counted twice"),
    (LOOPS, "dm = at.T @ dy @ at", "dm = at.T @ (dy * dy) @ at", NUMBERS),
    (LOOPS, "dg = gm.T @ (dm * v) @ gm", "dg = gm.T @ (dm + v) @ gm", NUMBERS),
    (LOOPS, "    return dd, dg", "    return dd, np.sign(dg)", NUMBERS),
    (LOOPS, "    return dd, dg", "    return dd * u, dg", NUMBERS),
    (LOOPS, "    return dd, dg", "    return dd.astype(int), dg", "keeps no fractions"),
    (LOOPS, "    u = gm", "    dy *= 2\n    u = gm", "changed its argument dy in place"),
]  # fmt: skip
