"""What `isbi2012` returns: the scores of a stack, and the report behind them.

Lesson: `lessons/12-scores.md`. Each class is frozen; its fields are read as attributes or, where a
name is at hand as a string, as in a dict: `scores.v_rand`, `scores["v_rand"]`, `dict(scores)`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any


class _Record(Mapping[str, Any]):
    """The fields of a dataclass as a mapping, in their order; equal to a dict of the same items."""

    def __getitem__(self, name: str) -> Any:
        if name not in self.__dataclass_fields__:  # type: ignore[attr-defined]
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return (field.name for field in fields(self))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(fields(self))  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """Return everything in it as dicts, lists and plain numbers, fit for JSON.

        Returns
        -------
        dict
            Field by field.
        """
        return asdict(self)  # type: ignore[call-overload]


@dataclass(frozen=True, eq=False)
class Scores(_Record):
    """The scores of the ISBI 2012 challenge for a slice or a stack.

    Attributes
    ----------
    pixel_error : float
        1 - max F of white pixels over 11 thresholds; small is good.
    rand_error : float
        1 - V_Rand; small is good.
    warping_error : float
        `warping_pixels` over all pixels; small is good.
    warping_pixels : int
        Merger and split pixels at the best of 10 thresholds; small is good.
    v_rand, v_rand_thinned, v_info, v_info_thinned : float
        In 0..1; large is good.
    pixel_error_rate : float
        The fraction of pixels that are wrong at 0.5 (the challenge's pixel error is an F-score at
        the best threshold); small is good.
    """

    pixel_error: float
    rand_error: float
    warping_error: float
    warping_pixels: int
    v_rand: float
    v_rand_thinned: float
    v_info: float
    v_info_thinned: float
    pixel_error_rate: float


@dataclass(frozen=True, eq=False)
class WarpingCost(_Record):
    """The warping error at one threshold.

    Attributes
    ----------
    threshold : float
        At which the prediction is cut.
    warping_error : float
        `warping_pixels` over all pixels.
    warping_pixels : int
        `mergers` and `splits` together.
    mergers, splits : int
        Pixels of each kind.
    """

    threshold: float
    warping_error: float
    warping_pixels: int
    mergers: int
    splits: int


@dataclass(frozen=True, eq=False)
class Report(_Record):
    """The scores of a stack with the thresholds that won and the whole sweep.

    Attributes
    ----------
    thresholds : list of float
        The 11 thresholds.
    scores : Scores
        Of the stack.
    winners : dict of str to float
        The threshold that won each score but `pixel_error_rate` (that one is cut at 0.5).
    warping_at_v_rand : WarpingCost
        The warping error at the threshold that wins V_Rand. A prediction that is black at some
        threshold has warping error 0 there, and that threshold wins; this one says what the
        segmentation that one would use costs.
    tables : dict of str to list
        `pixel_f_score`, `v_rand`, `v_rand_thinned`, `v_info`, `v_info_thinned`,
        `warping_mergers`, `warping_splits` and `warping_pixels` at each threshold. (V_info may
        hold NaN; at the last threshold the warping error is not judged.)
    slices : list of Report
        Each slice as if it had been scored alone; empty in these.
    """

    thresholds: list[float] = field(repr=False)
    scores: Scores
    winners: dict[str, float]
    warping_at_v_rand: WarpingCost
    tables: dict[str, list] = field(repr=False)
    slices: list["Report"] = field(repr=False)
