"""The training loop: one big tile a step, validation on slices held out, checkpoints.

    for step in 1 … steps:
        loss = step(tile)             a random tile → forward → loss → backward pass → SGD
        every val_every steps         validate
        every checkpoint_every steps  save all that the next step depends on

Paper: section 3. Lesson: lessons/11-training.md.
"""

import os
import time
import warnings
from collections import deque
from collections.abc import Iterator
from numbers import Real
from typing import SupportsFloat

import numpy as np

from tinyunet.arrays import Array, Device, to_numpy
from tinyunet.images import Dataset
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet
from tinyunet.training import state
from tinyunet.training.checkpoint import save_checkpoint, save_weights
from tinyunet.training.failures import (
    CollapseWatch,
    DivergedError,
    gradient_norms,
    rate_and_last,
)
from tinyunet.training.follow import begin, compare, decide
from tinyunet.training.graceful_shutdown import Stop, graceful_shutdown
from tinyunet.training.history import add_to_history, describe_start
from tinyunet.training.observer import Observer, TrainingResult
from tinyunet.training.plan import Plan, make_plan
from tinyunet.training.ranks import SINGLE, Ranks
from tinyunet.training.run_folder import RunFolder
from tinyunet.training.settings import Settings
from tinyunet.training.step import make_step, prepared_device, training_gradients
from tinyunet.training.tiles import Tile, TileFeed, prepare_slices, workers_beside_a_gpu
from tinyunet.training.validation import Validation, validate


def train(
    dataset: Dataset,
    settings: Settings,
    out: str | os.PathLike[str],
    device: str | Device = "auto",
    resume: bool = False,
    observer: Observer | None = None,
    seconds: float | None = None,
    command: str | None = None,
) -> TrainingResult:
    """Train a network on a data set; `tinyunet.train` is this with reading and a report.

    Ctrl-C and SIGTERM end the run after the current step, with a checkpoint.

    Parameters
    ----------
    dataset : Dataset
        Slices without labels are left out, and those in ``settings.val`` are only validated on.
    settings : Settings
        Of the run.
    out : path
        The run folder.
    device : str or Device
        "auto", "cpu", "gpu" or "gpu:1".
    resume : bool
        Go on with the run in `out`, if there is one.
    observer : Observer, optional
        Is told what happens.
    seconds : float, optional
        Stop early, as if ``settings.steps`` were reached, after this time.
    command : str, optional
        What was typed, for the history.

    Returns
    -------
    TrainingResult
        How the run ended.

    Raises
    ------
    ValueError
        For settings that do not go with the data or with the run to be resumed.
    OSError
        For a folder that cannot be used.
    DivergedError
        When the loss is no number any more.
    """
    plan = make_plan(dataset, settings, device)
    with RunFolder(out, resume) as folder:
        return run_plan(plan, folder, observer, seconds, command)


def run_plan(
    plan: Plan,
    folder: RunFolder,
    observer: Observer | None = None,
    seconds: float | None = None,
    command: str | None = None,
    ranks: Ranks = SINGLE,
) -> TrainingResult:
    """Do what a plan says in a run folder that is open; the rest is as in `train`.

    Parameters
    ----------
    plan : Plan
        What to do.
    folder : RunFolder
        Where.
    observer : Observer, optional
        Is told what happens.
    seconds : float, optional
        Stop early after this time, 0 or more.
    command : str, optional
        What was typed, for the history.
    ranks : Ranks, optional
        Processes that learn together; this one is rank 0, the others call `follow.follow`.

    Returns
    -------
    TrainingResult
        How the run ended.

    Raises
    ------
    ValueError, OSError, DivergedError
        As `train` does.
    """
    if seconds is not None and not (isinstance(seconds, Real) and seconds >= 0):  # nor NaN
        raise ValueError(f"seconds must be a number of at least 0, got {seconds!r}")
    ranks.tell(plan.settings.to_dict())
    compare(plan, ranks)
    with (
        graceful_shutdown() as stop,
        prepared_device(plan.device, plan.settings, plan.in_channels, plan.dataset.n_classes),
    ):
        run = _Run(plan, folder, observer or Observer(), ranks)
        run.start_or_resume(command)
        return run.loop(stop, seconds)


class _Run:
    """A run's slices, network, optimiser, counters and folder."""

    def __init__(self, plan: Plan, folder: RunFolder, observer: Observer, ranks: Ranks) -> None:
        self.plan, self.folder, self.observer, self.ranks = plan, folder, observer, ranks
        self.settings = s = plan.settings
        self.net = UNet(*plan.shape, s.dropout, s.seed, device=plan.device)
        self.net.normalisation = "image"
        self.optimiser = SGD(self.net.params, s.lr, s.momentum)
        self.take_step = make_step(self.net, self.optimiser, s.tile, ranks)
        self.progress = state.Progress()
        # (step, loss, tile) of the steps that were started and whose loss was not looked at yet
        self._started: deque[tuple[int, SupportsFloat, Tile]] = deque()

    def start_or_resume(self, command: str | None) -> None:
        """Take up the folder's run where its last checkpoint left it, or begin one."""
        folder, fingerprint = self.folder, self.plan.fingerprint
        fresh = not folder.resuming or self._check_same_run().steps != self.settings.steps
        if there := folder.last.exists():
            self.progress = state.load(folder, self.net, self.optimiser)
        if (steps := self.settings.steps) < self.progress.step:
            done = self.progress.step
            raise ValueError(f"steps {steps}: the run has done {done}; wanted that many or more")
        self.observer.begin(self.progress.step, self.settings.steps)
        self._prepare()
        if fresh:
            folder.write_settings(self.settings, fingerprint)
        if not there:  # new, or killed before its first checkpoint
            folder.open_log(0)
            self._save()
        if self.progress.step < self.settings.steps:
            about = self.plan.dataset, fingerprint, self.plan.device, command, self.progress.step
            add_to_history(folder.history_file, describe_start(*about))
        begin(self.net, self.optimiser, self.progress.step, self.ranks)

    def _prepare(self) -> None:
        """Make the weight maps; by now the observer may have compiled what makes them."""
        self.training = prepare_slices(self.plan.training, self.settings)
        self.validation = prepare_slices(self.plan.validation, self.settings)
        self.watch = CollapseWatch(self.training, self.settings.lr)

    def loop(self, stop: Stop, seconds: float | None = None) -> TrainingResult:
        """Run the remaining steps; a checkpoint at intervals, at the end, and when stopped."""
        s, now, ending = self.settings, self.progress, False
        begun = time.perf_counter()
        until = float("inf") if seconds is None else begun + seconds
        workers = workers_beside_a_gpu() if self.net.device.is_gpu else 1
        with TileFeed(self.training, s, now.step + 1, workers, 2 * workers) as feed:
            while now.step < s.steps and not ending:
                self._start_step(feed.next_tile())
                done = now.step == s.steps or time.perf_counter() > until
                done, stop.signal = decide(done, stop.signal, self.ranks)
                ending = done or stop.signal is not None
                validating = bool(self.validation) and (now.step % s.val_every == 0 or done)
                saving = ending or now.step % s.checkpoint_every == 0
                # A GPU computes this step while the loss of the one before is read and written.
                late = 0 if validating or saving else self.take_step.in_flight
                for step, loss in self._read_losses(late):
                    self._finish_step(step, loss, validating and step == now.step, done)
                if saving:
                    self._save()
            taken = time.perf_counter() - begun
            waited = feed.waited / taken if now.loss is not None else 0.0
        return TrainingResult(now.step, now.loss, now.best, now.last, taken, waited, stop.signal)

    def _start_step(self, tile: Tile) -> None:
        """Learn from `tile`; on a GPU this only begins here."""
        self.progress.step += 1
        self.optimiser.lr = self.settings.lr_at(self.progress.step)
        self.optimiser.momentum = self.settings.momentum_at(self.progress.step)
        self._started.append((self.progress.step, self.take_step(tile), tile))

    def _read_losses(self, late: int) -> Iterator[tuple[int, float]]:
        """Yield (step, loss) of the steps started, but for the last `late` of them."""
        while len(self._started) > late:
            step, started, tile = self._started.popleft()
            loss = float(started)
            if not np.isfinite(loss):
                self._diverged(step, loss, tile)
            yield step, loss

    def _finish_step(self, step: int, loss: float, validating: bool, done: bool) -> None:
        """Validate if it is time, write the step's line, tell the observer."""
        self.progress.loss = loss
        found = self._validate(done) if validating else None
        log = self.folder.log
        log.add(step, loss, found and found[0])
        self.observer.step(step, loss)
        if found:
            log.flush()
            self.observer.validated(*found)

    def _validate(self, done: bool) -> tuple[Validation, Array]:
        """Score the slices held out; keep the weights if they were never better."""
        now = self.progress
        self._check_weights()
        try:
            validation, probabilities = validate(self.net, self.validation, self.settings, now.step)
        except FloatingPointError as error:
            raise DivergedError(f"{error}, at step {now.step} ({self._rate_and_last()}") from error
        now.last = validation
        if now.best is None or validation.loss < now.best.loss:
            now.best = validation
            meta = {"tile": self.settings.tile, "step": now.step}
            rate = validation.pixel_error_rate
            save_weights(self.folder.best, self.net, **meta, val_pixel_error_rate=rate)
        if warning := self.watch.look(validation, done):
            warnings.warn(warning)
        return validation, probabilities

    def _save(self) -> None:
        """Write the checkpoint: all that the next step depends on, and how long the log is."""
        self._check_weights()
        size = self.folder.log.flush()
        tensors, meta = state.collect(self.net, self.optimiser, self.progress)
        meta |= {"tile": self.settings.tile, "log_size": size}
        save_checkpoint(self.folder.last, tensors, meta)

    def _check_same_run(self) -> Settings:
        """Return the settings that the run was started with; only the steps may differ."""
        started_with, its_data = self.folder.read_settings()
        differences = self.settings.differences(started_with)
        if self.plan.fingerprint != its_data:
            differences.append("the images or labels are not those that it was started with")
        if differences:
            raise ValueError(f"{self.folder.path}: cannot be resumed so: {'; '.join(differences)}")
        return started_with

    def _check_weights(self) -> None:
        """A finite loss may still give a step into infinity: such weights are not to be kept."""
        bad = [n for n, p in self.net.params.items() if not np.isfinite(to_numpy(p)).all()]
        if bad:
            raise DivergedError(
                f"the weights became NaN or infinite at step {self.progress.step} "
                f"({self._rate_and_last()}; not finite: {', '.join(bad)}"
            )

    def _diverged(self, step: int, loss: float, tile: Tile) -> None:
        """Raise the error of a loss that is no number, with the gradients' norms."""
        _, gradients = training_gradients(self.net, *tile)  # once more, for they were not kept
        raise DivergedError(
            f"the loss became {loss} at step {step} ({self._rate_and_last()}; "
            f"gradient norms: {gradient_norms(gradients)}"
        )

    def _rate_and_last(self) -> str:
        return rate_and_last(self.optimiser, self.folder.last)
