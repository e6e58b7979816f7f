"""Ranks as threads of one process: a communicator with those methods of mpi4py's that we call."""

import threading

import numpy as np

from tinyunet.training.parallel import MpiRanks


class Comm:
    """One rank's end of the exchange; all ends share `barrier` and `board`."""

    def __init__(self, rank, barrier, board):
        self.rank, self.barrier, self.board = rank, barrier, board

    def Get_rank(self):
        return self.rank

    def Get_size(self):
        return len(self.board)

    def _exchange(self, sent):
        self.board[self.rank] = np.array(sent)
        self.barrier.wait()
        found = list(self.board)
        self.barrier.wait()
        return found

    def Allgather(self, sent, received):
        received[...] = np.stack(self._exchange(sent)).reshape(received.shape)

    def Alltoall(self, sent, received):
        received[...] = np.stack([theirs[self.rank] for theirs in self._exchange(sent)])

    def Bcast(self, buffer, root):
        buffer[...] = self._exchange(buffer)[root]

    def Abort(self, code):
        raise SystemExit(code)


def run_ranks(size, work):
    """Call work(ranks) in a thread a rank; return what each returned, or its error."""
    barrier, board, ends = threading.Barrier(size, timeout=60), [None] * size, [None] * size

    def one(rank):
        try:
            with MpiRanks(Comm(rank, barrier, board)) as ranks:
                ends[rank] = work(ranks)
        except (Exception, SystemExit) as error:
            ends[rank] = error

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends
