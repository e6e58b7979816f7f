"""Mistakes of exercise 14, Winograd's convolution."""

from solutions.mistakes import LOOPS, NUMBERS

_U = "return np.array([g[0], (g[0] + g[1] + g[2]) / 2, (g[0] - g[1] + g[2]) / 2, g[2]])"
_PLUS, _MINUS = "(g[0] + g[1] + g[2]) / 2", "(g[0] - g[1] + g[2]) / 2"
_Y = "return np.array([m0 + m1 + m2, m1 - m2 - m3])"
_TILE = "return at @ (u * v) @ at.T"

ROWS = [
    (LOOPS, _PLUS, "g[0] + g[1] + g[2]", "your u1 misses its ½"),
    (LOOPS, _MINUS, "g[0] - g[1] + g[2]", "your u2 misses its ½"),
    (LOOPS, f"{_PLUS}, {_MINUS}", "g[0] + g[1] + g[2], g[0] - g[1] + g[2]",
     "both middle values of your u miss their ½"),
    (LOOPS, f"{_PLUS}, {_MINUS}", "g[0] + g[1] + g[2] / 2, g[0] - g[1] + g[2] / 2",
     "only g2 is halved in your u"),
    (LOOPS, f"{_PLUS}, {_MINUS}", f"{_MINUS}, {_PLUS}", "middle values of your u are exchanged"),
    (LOOPS, _U, f"{_U} / 2", "your u is off by a factor 0.5"),
    (LOOPS, _U, "return np.array([g[0] / 2, (g[0] + g[1] + g[2]) / 2, (g[0] - g[1] + g[2]) / 2, "
     "g[2] / 2])", "your whole u is halved"),
    (LOOPS, _U, _U.replace("[g[0], ", "[g[2], ").replace(", g[2]]", ", g[0]]"),
     "your u0 and u3 are exchanged"),
    (LOOPS, _U, _U.replace("return ", "g = g[::-1]\n    return "), "your u0 and u3 are exchanged"),
    (LOOPS, _MINUS, "(g[0] + g[1] - g[2]) / 2", NUMBERS),
    (LOOPS, _MINUS, "(g[0] - g[1] - g[2]) / 2", "your u2 subtracts g2"),
    (LOOPS, _MINUS, "(g[1] - g[0] - g[2]) / 2", "your u2 has the wrong sign"),
    (LOOPS, _MINUS, _PLUS, "your u2 does not subtract g1"),
    (LOOPS, f"{_PLUS}, {_MINUS}", "(g[0] + g[2]) / 2, (g[0] + g[2]) / 2",
     "your middle values lack g1"),
    (LOOPS, _U, _U.replace(" / 2", " / 3"), "are divided by 3"),
    (LOOPS, _U, _U.replace("np.array", ""), "no array of numbers: it is list"),
    # f23.
    (LOOPS, "m1 - m2 - m3", "m1 - m2 + m3", "m3 has the wrong sign"),
    (LOOPS, "m1 - m2 - m3", "m1 + m2 - m3", "m2 has the wrong sign in your y1"),
    (LOOPS, "m1 - m2 - m3", "m1 + m2 + m3", "m2 and m3 have the wrong sign"),
    (LOOPS, "m1 - m2 - m3", "m1 - m2", "m3 is missing in your y1"),
    (LOOPS, "m0 + m1 + m2", "m1 + m2", "m0 is missing in your y0"),
    (LOOPS, "m0 + m1 + m2", "m0 + m1 - m2", "m2 has the wrong sign in your y0"),
    (LOOPS, "(d[2] - d[1]) * u[2]", "(d[1] - d[2]) * u[2]", "m2 has the wrong sign in both"),
    (LOOPS, "(d[1] - d[3]) * u[3]", "(d[3] - d[1]) * u[3]", "m3 has the wrong sign"),
    (LOOPS, "(d[0] - d[2]) * u[0]", "(d[2] - d[0]) * u[0]", "m0 is d2 − d0 in yours"),
    (LOOPS, "(d[0] - d[2]) * u[0]", "(d[0] + d[2]) * u[0]", "m0 adds where it subtracts"),
    (LOOPS, "(d[1] + d[2]) * u[1]", "(d[1] - d[2]) * u[1]", "m1 subtracts where it adds"),
    (LOOPS, "(d[0] - d[2]) * u[0]", "(d[0] - d[1]) * u[0]", NUMBERS),
    (LOOPS, "(d[1] + d[2]) * u[1]", "(d[1] + d[2]) * u[2]", NUMBERS),
    (LOOPS, _Y, _Y.replace("m0 + m1 + m2, m1 - m2 - m3", "m1 - m2 - m3, m0 + m1 + m2"),
     "your y0 and y1 are exchanged"),
    (LOOPS, _Y, f"{_Y} / 2", "your y is halved"),
    (LOOPS, _Y, "m1, m2 = m1 / 2, m2 / 2\n    " + _Y, "the middle products are halved once more"),
    (LOOPS, "m0 = (d[0] - d[2]) * u[0]", "m0 = d[0] * u[0] - d[2] * u[0]", "5 times"),
    (LOOPS, _Y, "g = u[0], u[1] - u[2], u[3]\n"
     "    return np.array([sum(d[i + a] * g[a] for a in range(3)) for i in range(2)])",
     "multiplies data by filter 10 times"),
    (LOOPS, _Y, _Y.replace("np.array([", "sum([").replace("])", "])"), "the sum of both outputs"),
    # The tile.
    (LOOPS, "gm @ g @ gm.T", "gm @ g[::-1, ::-1] @ gm.T", "your kernel is flipped"),
    (LOOPS, "gm @ g @ gm.T", "gm @ g.T @ gm.T", "your kernel is transposed"),
    (LOOPS, "bt @ d @ bt.T", "bt @ d.T @ bt.T", "your tile is transposed"),
    (LOOPS, "(u * v)", "(u @ v)", "you multiply U and V as matrices"),
    (LOOPS, "(u * v)", "(v @ u)", "you multiply V and U as matrices"),
    (LOOPS, "(u * v)", "(u + v)", "you add U and V"),
    (LOOPS, "bt @ d @ bt.T", "bt.T @ d @ bt", "your input transform is Bᵀ's transpose"),
    (LOOPS, "bt @ d @ bt.T", "bt @ d @ bt", "has Bᵀ on both sides"),
    (LOOPS, "bt @ d @ bt.T", "bt @ d", "has B on one side only"),
    (LOOPS, "bt @ d @ bt.T", "d", "your input is not transformed"),
    (LOOPS, "gm @ g @ gm.T", "gm.T @ g @ gm", "stopped at line"),
    (LOOPS, _TILE, "return u * v", "still in Winograd's 6×6 space"),
    (LOOPS, _TILE, "return at @ (u * v)", "transformed along one axis only"),
    (LOOPS, _TILE, "return (u * v)[:4, :4]", "the top left corner of M"),
    (LOOPS, _TILE, "return (at @ (u * v) @ at.T).T", "swapping axes 0 and 1"),
    (LOOPS, _TILE, "return at.T @ (u * v) @ at", "stopped at line"),
]  # fmt: skip
