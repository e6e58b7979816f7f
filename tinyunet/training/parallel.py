"""Ranks that average their gradients: MPI between processes, NCCL between GPUs.

    Alltoall    rank r gets piece r of every rank's gradients, and adds the pieces in ranks' order
    Allgather   every rank gets all means

A ring all-reduce sends the same number of bytes, but each piece is added in another order, which
differs between libraries. In the order of the ranks the result is that of one process that adds
the gradients of the same tiles, bit for bit. Lesson: lessons/17-several-devices.md.
"""

import json
import os
from collections.abc import Iterable
from types import TracebackType
from typing import Any

import numpy as np

from tinyunet._text import first_line
from tinyunet.arrays import Array, Device, array_module, gpu_problem, nccl_group, to_numpy
from tinyunet.training.ranks import SINGLE, Gradients, Loss, RankError, Ranks

# What launchers tell the processes that they start: how many there are.
_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS")


def find_ranks() -> Ranks:
    """Return the ranks that this process was started with.

    Returns
    -------
    Ranks
        `SINGLE` unless `mpirun`, `mpiexec` or ``srun --mpi=pmi2`` started several processes.

    Raises
    ------
    ImportError
        If it did and mpi4py is not installed.
    ValueError
        If mpi4py was built for another MPI than the `mpirun` that was called.
    """
    told = next((os.environ[name] for name in _SIZES if name in os.environ), "1")
    if told == "1" or not told.isdigit():
        return SINGLE
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: no MPI library is found
        reason = first_line(error)
        raise ImportError(
            f"started as {told} processes, but mpi4py is not installed, or cannot be loaded "
            f'({reason}): pip install "tinyunet[parallel]"'
        ) from error
    world = MPI.COMM_WORLD
    if str(world.Get_size()) != told:
        raise ValueError(
            f"started as {told} processes, but mpi4py sees {world.Get_size()}: it was built for "
            "another MPI than this mpirun"
        )
    return MpiRanks(world)


class MpiRanks(Ranks):
    """The processes of an MPI communicator.

    Every exchange that may meet a rank's end is a `share` of the same form: a flag, "I failed", and
    a number. So a rank that ends with an error says so to those that wait for its next number, and
    nobody waits for ever. (A process that is killed ends the others through `mpirun`.)

    Parameters
    ----------
    world : mpi4py.MPI.Comm
        Or what has its `Allgather`, `Alltoall`, `Bcast`, `Get_rank` and `Get_size`.
    """

    def __init__(self, world: Any) -> None:
        self._world = world
        self.rank, self.size = world.Get_rank(), world.Get_size()
        self._nccl: Any = None
        self._sent: Array | None = None  # the gradients of this rank, in one piece
        self._failed: list[int] = []

    def device(self, name: str) -> str:
        """Give each rank of a machine a GPU of its own.

        Parameters
        ----------
        name : str
            What was asked for.

        Returns
        -------
        str
            "gpu:N" for "gpu", and for "auto" where there is one, N counting the ranks of this
            machine; other names as they are.
        """
        if name not in ("auto", "gpu") or (name == "auto" and gpu_problem() is not None):
            return name
        from mpi4py import MPI

        return f"gpu:{self._world.Split_type(MPI.COMM_TYPE_SHARED).Get_rank()}"

    def use(self, device: Device) -> None:
        """Exchange gradients between GPUs directly, if all ranks have one.

        Parameters
        ----------
        device : Device
            Of this rank.
        """
        if all(self.share(float(device.is_gpu))):
            with device.current():
                self._nccl = nccl_group(self.size, self.rank)

    def share(self, value: float) -> list[float]:
        """As in `Ranks`.

        Parameters
        ----------
        value : float
            This rank's.

        Returns
        -------
        list of float
            One of each rank.
        """
        return self._share(False, value)

    def _share(self, failed: bool, value: float) -> list[float]:
        told = np.empty((self.size, 2))
        self._world.Allgather(np.array([failed, value], np.float64), told)
        if told[:, 0].any():
            self._failed = [rank for rank in range(self.size) if told[rank, 0]]
            raise RankError(f"rank {self._failed[0]} ended with an error")
        return told[:, 1].tolist()

    def tell(self, content: Any = None) -> Any:
        """As in `Ranks`.

        Parameters
        ----------
        content
            What JSON can hold.

        Returns
        -------
        object
            Rank 0's.
        """
        text = json.dumps(content).encode() if self.rank == 0 else b""
        size = int(self.share(len(text))[0])
        buffer = np.frombuffer(bytearray(text or size), np.uint8)
        self._world.Bcast(buffer, root=0)
        return json.loads(buffer.tobytes())

    def copy(self, arrays: Iterable[Array]) -> None:
        """As in `Ranks`.

        Parameters
        ----------
        arrays : iterable of array
            Written in place.
        """
        self.share(0)
        for array in arrays:
            host = np.ascontiguousarray(to_numpy(array))
            self._world.Bcast(host, root=0)
            array[...] = array_module(array).asarray(host)

    def mean(self, loss: Loss, gradients: Gradients) -> tuple[Loss, Gradients]:
        """As in `Ranks`.

        Parameters
        ----------
        loss : number
            Of this rank's tile.
        gradients : dict
            Of this rank's tile.

        Returns
        -------
        loss : float
            The mean.
        gradients : dict
            The means, views of one array that the next call overwrites. After a loss that is not
            finite they are those that came: nobody is going to use them.
        """
        losses = self.share(float(loss))
        mean_loss = sum(losses[1:], losses[0]) / self.size
        if not np.isfinite(mean_loss):
            return mean_loss, gradients
        sent = self._in_one_piece(gradients)  # (size, n)
        xp = array_module(sent)
        pieces = xp.empty_like(sent)
        self._all_to_all(sent, pieces)
        mean = pieces[0]
        for piece in pieces[1:]:
            mean += piece
        mean /= self.size
        self._all_gather(mean, sent)
        flat, begin, means = sent.ravel(), 0, {}
        for name, gradient in gradients.items():
            end = begin + gradient.size
            means[name] = flat[begin:end].reshape(gradient.shape)
            begin = end
        return mean_loss, means

    def _in_one_piece(self, gradients: Gradients) -> Array:
        """Copy the gradients into an array with a row for each rank, zeros at its end."""
        first = next(iter(gradients.values()))
        total = sum(gradient.size for gradient in gradients.values())
        if self._sent is None:
            shape = self.size, -(-total // self.size)
            self._sent = array_module(first).zeros(shape, first.dtype)
        flat, begin = self._sent.ravel(), 0
        for gradient in gradients.values():
            flat[begin : begin + gradient.size] = gradient.ravel()
            begin += gradient.size
        return self._sent

    def _all_to_all(self, sent: Array, received: Array) -> None:
        if self._nccl is not None:
            self._nccl.all_to_all(sent, received)
        else:
            host = np.empty(received.shape, received.dtype)
            self._world.Alltoall(to_numpy(sent), host)
            received[...] = array_module(received).asarray(host)

    def _all_gather(self, piece: Array, whole: Array) -> None:
        if self._nccl is not None:
            self._nccl.all_gather(piece, whole, piece.size)
        else:
            host = np.empty(whole.shape, whole.dtype)
            self._world.Allgather(to_numpy(piece), host)
            whole[...] = array_module(whole).asarray(host)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the others; one error is told once, by rank 0 if it has it."""
        if error is not None and not isinstance(error, Exception):
            self._world.Abort(130)  # a second Ctrl-C: perhaps in the middle of an exchange
        if isinstance(error, RankError):
            raise SystemExit(2)  # who failed has spoken, and left already
        try:
            self._share(error is not None, 0)
        except RankError:
            if error is None or (self.rank > 0 and 0 in self._failed):
                raise SystemExit(2) from error
        if error is not None and self.rank > 0:
            raise ValueError(f"rank {self.rank}: {error}") from error
