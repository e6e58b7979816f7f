"""Training in one process, and what it would ask of others: the interface of several ranks.

A rank is one of the processes that `mpirun` started. In one process nothing is exchanged: `Ranks`
answers all questions itself. `parallel.MpiRanks` answers them with the other processes.
Lesson: lessons/17-several-devices.md.
"""

import hashlib
from collections.abc import Iterable
from types import TracebackType
from typing import Any, SupportsFloat, TypeAlias

from tinyunet.arrays import Array, Device

Loss: TypeAlias = SupportsFloat
Gradients: TypeAlias = dict[str, Array]


class RankError(RuntimeError):
    """Another rank ended with an error, which it tells itself."""


class Ranks:
    """One process on its own; use it as a context manager.

    Attributes
    ----------
    rank : int
        The number of this process, from 0. Rank 0 writes the files and speaks.
    size : int
        How many there are.
    """

    rank = 0
    size = 1

    def device(self, name: str) -> str:
        """Choose the device of this rank.

        Parameters
        ----------
        name : str
            What was asked for.

        Returns
        -------
        str
            The same, unless several ranks share a machine's GPUs.
        """
        return name

    def use(self, device: Device) -> None:
        """Prepare the exchange of gradients.

        Parameters
        ----------
        device : Device
            Where they lie.
        """

    def share(self, value: float) -> list[float]:
        """Tell all ranks a number.

        Parameters
        ----------
        value : float
            This rank's.

        Returns
        -------
        list of float
            One of each rank, the same list on all of them.

        Raises
        ------
        RankError
            If another rank ended with an error instead.
        """
        return [value]

    def tell(self, content: Any = None) -> Any:
        """Give all ranks what rank 0 has.

        Parameters
        ----------
        content
            What JSON can hold; only rank 0's counts.

        Returns
        -------
        object
            Rank 0's.
        """
        return content

    def copy(self, arrays: Iterable[Array]) -> None:
        """Fill the arrays with those of rank 0.

        Parameters
        ----------
        arrays : iterable of array
            Of the same shapes and in the same order on all ranks; written in place.
        """

    def mean(self, loss: Loss, gradients: Gradients) -> tuple[Loss, Gradients]:
        """Average what the ranks learned from their tiles.

        Parameters
        ----------
        loss : number
            Of this rank's tile.
        gradients : dict
            Of this rank's tile.

        Returns
        -------
        loss : number
            The mean over the ranks.
        gradients : dict
            The mean over the ranks, the same on all of them to the bit.
        """
        return loss, gradients

    def agree(self, what: str, text: str) -> None:
        """Make sure that all ranks were given the same.

        Parameters
        ----------
        what : str
            Its name, for the message.
        text : str
            What must be equal.

        Raises
        ------
        ValueError
            If it is not, on all ranks.
        """
        digest = int(hashlib.sha256(text.encode()).hexdigest()[:13], 16)  # a float64 holds it
        digests = self.share(float(digest))
        other = [rank for rank, theirs in enumerate(digests) if theirs != digests[0]]
        if other:
            raise ValueError(f"rank {other[0]} was given other {what} than rank 0")

    def __enter__(self) -> "Ranks":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass


SINGLE = Ranks()
