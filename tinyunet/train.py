"""The training loop: one big tile a step, validation on slices set aside, checkpoints.

    for step in 1 … steps:
        a random tile → forward → weighted cross-entropy → backward → SGD with momentum

Paper: section 3. Lesson: lessons/11-training.md.
"""

import time
from collections import deque
from dataclasses import dataclass

import numpy as np

from tinyunet import ops
from tinyunet.arrays import select_device, to_numpy
from tinyunet.checkpoint import (
    architecture,
    load_checkpoint,
    save_checkpoint,
    save_weights,
    strip_prefix,
)
from tinyunet.data.split import fingerprint, split
from tinyunet.feed import TileFeed, prepare_slices, workers_beside_a_gpu
from tinyunet.kernels import gpu, gpu_memory
from tinyunet.kernels.gpu_graph import GraphStep
from tinyunet.model import UNet
from tinyunet.optim import SGD
from tinyunet.rundir import RunFolder
from tinyunet.stopping import stopping_gently
from tinyunet.tiling import memory_available
from tinyunet.validation import validate


@dataclass(frozen=True)
class TrainingResult:
    """How a run ended. `interrupted` is None or the signal's number that stopped it early.

    The best validation is that of the smallest loss: weighted as in training, it counts the borders
    between cells and needs no threshold. `best_wrong` is its fraction of wrong pixels, `val_loss`
    and `val_wrong` are the last one's; None without validation. `seconds` counts this process only;
    `waited` is the share of them that the network waited for tiles.
    """

    steps: int
    loss: float | None
    best_step: int | None
    best_loss: float | None
    best_wrong: float | None
    val_loss: float | None
    val_wrong: float | None
    seconds: float
    waited: float
    interrupted: int | None


class DivergedError(RuntimeError):
    """The loss became NaN or infinite; the message names the step, the rate and the norms."""


def train(dataset, settings, out, device="auto", resume=False, progress=None, seconds=None):
    """Train a network on `dataset` into the run folder `out`; return a `TrainingResult`.

    dataset : a `tinyunet.data.Dataset`; slices without truth are left out, and those in
        `settings.val` are only validated on.
    progress : called as progress(step, loss, val_wrong) after every step, val_wrong None where
        not validated.
    seconds : stop early, as if `settings.steps` were reached, after this time.

    Raises ValueError for settings that do not go with the data or with the run to be resumed,
    OSError for a folder that cannot be used, and DivergedError when the loss is no number any more.
    Ctrl-C and SIGTERM end the run after the current step, with a checkpoint.
    """
    training, validation = split(dataset, settings)
    device = select_device(device)
    if settings.precision != "float32" and not device.is_gpu:
        raise ValueError(f"precision {settings.precision!r} needs a GPU: this run is on the CPU")
    with (
        RunFolder(out, resume) as folder,
        stopping_gently() as stop,
        gpu.precision(settings.precision),
        gpu_memory.explained(memory_available(device), *_size_of(dataset, settings)),
    ):
        run = _Run(training, validation, settings, folder, device)
        run.start_or_resume(fingerprint(dataset))
        return run.loop(stop, progress, seconds)


def _size_of(dataset, s):
    """Return tile, depth, base, channels and classes: what the memory of a step depends on."""
    return s.tile, s.depth, s.base, dataset.images[0].shape[0], dataset.n_classes


def training_gradients(net, x, labels, weights):
    """Return (loss, gradients) of one tile: forward, loss, and all the way back."""
    to = net.device.asarray
    logits, cache = net.forward(x, train=True)
    weights = None if weights is None else to(weights)
    loss, loss_cache = ops.softmax_cross_entropy(logits, to(labels), weights)
    return loss, net.backward(ops.softmax_cross_entropy_backward(loss_cache), cache, consume=True)


_SCORES = ("best_step", "best_loss", "best_wrong", "val_loss", "val_wrong")
_STATE = ("rng", "log_size", "step", "loss", *_SCORES)


class _Run:
    """A run's network, optimiser, counters and folder."""

    def __init__(self, training, validation, settings, folder, device):
        self.settings, self.folder = settings, folder
        self.training = prepare_slices(training, settings)
        self.validation = prepare_slices(validation, settings)
        s = settings
        shape = training.images[0].shape[0], training.n_classes, s.depth, s.base
        self.net = UNet(*shape, s.dropout, s.seed, device=device)
        self.sgd = SGD(self.net.params, s.rate, s.momentum)
        self.graph = None
        if self.net.device.is_gpu:
            self.graph = GraphStep(self.net, self.sgd, (1, self.net.in_channels, s.tile, s.tile))
        self.step, self.loss = 0, None
        self._unread = deque()  # (step, loss, tile) of the steps whose loss nobody has looked at
        for name in _SCORES:
            setattr(self, name, None)

    def start_or_resume(self, data):
        """Take up the folder's run where its last checkpoint left it, or begin one."""
        if self.folder.resuming:
            self._check_same_run(data)
        else:
            self.folder.write_settings(self.settings, data)
        if self.folder.last.exists():
            self._load()
        else:  # new, or killed before its first checkpoint
            self.folder.open_log(0)
            self._save()

    def loop(self, stop, progress, seconds=None):
        """Run the remaining steps; a checkpoint at intervals, at the end, and when stopped."""
        s, begun, last = self.settings, time.perf_counter(), False
        until = float("inf") if seconds is None else begun + seconds
        workers = 1 if self.graph is None else workers_beside_a_gpu()
        with TileFeed(self.training, s, self.step + 1, workers, 2 * workers) as feed:
            while self.step < s.steps and not last:
                self._one_step(feed.next_tile())
                done = self.step == s.steps or time.perf_counter() > until
                validating = self.validation and (self.step % s.val_every == 0 or done)
                saving = done or self.step % s.checkpoint_every == 0
                # A GPU computes this step while the loss of the one before is read and written.
                rows = self._log(0 if self.graph is None or validating or saving else 1, validating)
                last = done or stop.signal is not None
                if last or saving:
                    rows += self._log(0)
                    self._save()
                for row in rows if progress is not None else ():
                    progress(*row)
            taken = time.perf_counter() - begun
            waited = feed.waited / taken if self.loss is not None else 0.0
        scores = (getattr(self, name) for name in _SCORES)
        return TrainingResult(self.step, self.loss, *scores, taken, waited, stop.signal)

    def _one_step(self, tile):
        self.step += 1
        self.sgd.rate = self.settings.rate_at(self.step)
        if self.graph is not None:
            loss = self.graph.step(*tile)  # only started: recorded once, replayed from then on
        else:
            loss, grads = training_gradients(self.net, *tile)
            self._check_loss(self.step, float(loss), tile, grads)
            self.sgd.step(grads)
        self._unread.append((self.step, loss, tile))

    def _check_loss(self, step, loss, tile, grads=None):
        if not np.isfinite(loss):
            if grads is None:  # the recorded step keeps none: once more by hand, for the norms
                _, grads = training_gradients(self.net, *tile)
            raise DivergedError(self._post_mortem(step, loss, grads))

    def _log(self, late, validating=False):
        """Read and log all losses but the last `late`; return (step, loss, val_wrong) of each."""
        rows = []
        while len(self._unread) > late:
            step, loss, tile = self._unread.popleft()
            loss = float(loss)
            self._check_loss(step, loss, tile)
            validated = self._validate() if validating and not self._unread else (None, None)
            self.folder.log(step, loss, *validated)
            self.loss = loss
            rows.append((step, loss, validated[1]))
        return rows

    def _check_weights(self):
        """A finite loss may still give a step into infinity: such weights are not to be kept."""
        bad = [n for n, p in self.net.params.items() if not np.isfinite(to_numpy(p)).all()]
        if bad:
            raise DivergedError(
                f"the weights became NaN or infinite at step {self.step} ({self._rate_and_last()}; "
                f"not finite: {', '.join(bad)}"
            )

    def _validate(self):
        self._check_weights()
        self.val_loss, self.val_wrong = validate(self.net, self.validation, self.settings)
        if self.best_loss is None or self.val_loss < self.best_loss:
            self.best_step, self.best_loss, self.best_wrong = (
                self.step,
                self.val_loss,
                self.val_wrong,
            )
            meta = {"tile": self.settings.tile, "step": self.step, "val_wrong": self.val_wrong}
            save_weights(self.folder.best, self.net, **meta)
        return self.val_loss, self.val_wrong

    def _save(self):
        """Write the checkpoint: all that the next step depends on, and how long the log is."""
        self._check_weights()
        tensors = {f"params/{name}": to_numpy(p) for name, p in self.net.params.items()}
        tensors |= {f"velocity/{name}": to_numpy(v) for name, v in self.sgd.velocity.items()}
        meta = {
            "architecture": architecture(self.net),
            "tile": self.settings.tile,
            "step": self.step,
            "loss": self.loss,
            "rng": self.net.rng.bit_generator.state,
            "log_size": self.folder.flush_log(),
            **{name: getattr(self, name) for name in _SCORES},
        }
        save_checkpoint(self.folder.last, tensors, meta)

    def _load(self):
        tensors, meta = load_checkpoint(self.folder.last)
        missing = [name for name in _STATE if name not in meta]
        velocity = strip_prefix(tensors, "velocity/")
        if missing or not velocity:
            raise ValueError(
                f"{self.folder.last}: holds weights only, no state of training to go on from "
                f"(missing: {', '.join(missing) or 'velocity'})"
            )
        self.folder.check_checkpoint(meta)
        self.net.load(strip_prefix(tensors, "params/"))
        for name, value in velocity.items():
            self.sgd.velocity[name][...] = self.net.device.asarray(value)
        for name in _STATE[2:]:
            setattr(self, name, meta[name])
        try:
            self.net.rng.bit_generator.state = meta["rng"]
        except (KeyError, TypeError, ValueError) as error:
            reason = f"state of the generator is damaged ({error})"
            raise ValueError(f"{self.folder.last}: {reason}") from error
        self.folder.open_log(meta["log_size"])

    def _check_same_run(self, data):
        started_with, its_data = self.folder.read_settings()
        differences = self.settings.differences(started_with)
        if data != its_data:
            differences.append("the images or labels are not those that it was started with")
        if differences:
            raise ValueError(f"{self.folder.path}: cannot be resumed so: {'; '.join(differences)}")

    def _post_mortem(self, step, loss, grads):
        norms = {name: float(np.linalg.norm(to_numpy(g))) for name, g in grads.items()}
        listed = ", ".join(f"{name} {norm:.3g}" for name, norm in norms.items() if "weight" in name)
        return (
            f"the loss became {loss} at step {step} ({self._rate_and_last()}; "
            f"gradient norms: {listed}"
        )

    def _rate_and_last(self):
        return (
            f"learning rate {self.sgd.rate:g}, momentum {self.sgd.momentum:g}); a smaller rate may "
            f"hold; the last good checkpoint is {self.folder.last}"
        )
