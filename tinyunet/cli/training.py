"""What `train` and `demo` share: announce, compile, run, tell.

Lesson: lessons/11-training.md.
"""

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tinyunet import geometry
from tinyunet._progress import Progress
from tinyunet._text import duration, plural, size_text
from tinyunet.cli import common
from tinyunet.report import Display
from tinyunet.report.commands import predict_command
from tinyunet.training.history import read_history
from tinyunet.training.observer import TrainingResult
from tinyunet.training.plan import Plan
from tinyunet.training.warm_up import warm_up


def announce(plan: Plan) -> None:
    """Say what was found and what it will take, before any of it is done.

    Parameters
    ----------
    plan : Plan
        Of the run.
    """
    s = plan.settings
    output = geometry.output_size(s.tile, s.depth)
    training, held_out = len(plan.training.labelled()), len(plan.validation.labelled())
    common.note(plan.dataset.describe())
    common.note(f"training on {plural(training, 'slice')}, validating on {held_out}")
    if not held_out:
        common.note(
            "nothing is held out, so nobody will know how good the network is: --val 20% holds out "
            "the last fifth"
        )
    common.note(
        f"network: depth {s.depth}, base {s.base_channels}, {plan.n_parameters:,} parameters; "
        f"tile {s.tile} → {output}"
    )
    common.note(
        f"device: {plan.device.name}; a step needs about {size_text(plan.memory)} of memory"
    )


class Watch(Display):
    """What the command line shows of a run: where it goes on, compiling, and then as `Display`."""

    def begin(self, step: int, steps: int) -> None:
        """Say where the run goes on, compile what it needs, and start the bar.

        Parameters
        ----------
        step : int
            How many steps were done before.
        steps : int
            How many there will be.
        """
        if step:
            common.note(f"going on after step {step:,} of {steps:,}")
        if step < steps:
            compile_first(self.plan)
        super().begin(step, steps)


def compile_first(plan: Plan) -> None:
    """Compile all that a run needs, with a bar of its own, before the run's clock starts.

    Parameters
    ----------
    plan : Plan
        Of the run.
    """
    with ExitStack() as stack:
        bars: list[Progress] = []

        def show(done: int, total: int, name: str) -> None:
            if not bars:
                common.note("compiling for this processor; later starts load it")
                bars.append(stack.enter_context(Progress(total)))
            bars[0].update(done, f"compiling: {name}" if name else "compiled")

        taken = warm_up(plan, show)
    if bars:
        common.note(f"compiled in {duration(taken)}")


def command_line(argv: Sequence[str] | None = None) -> str:
    """Return what was typed, as the shell would take it again.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after the program's name; None takes the process's.

    Returns
    -------
    str
        The line.
    """
    return shlex.join(["tinyunet", *(sys.argv[1:] if argv is None else argv)])


def report(result: TrainingResult, folder: Path, as_json: bool) -> None:
    """Print how the run ended.

    Parameters
    ----------
    result : TrainingResult
        How it did.
    folder : Path
        The run folder.
    as_json : bool
        Whether a program reads it.
    """
    if as_json:
        common.as_json({**dataclasses.asdict(result), "run": str(folder)})
        return
    if result.interrupted is not None:
        print(f"stopped after step {result.steps}: go on with --resume")
    else:
        print(f"{plural(result.steps, 'step')} in {folder}, the last loss {result.loss:.4f}")
    if result.best is not None:
        print(
            f"best validation: loss {result.best.loss:.4f}, "
            f"{100 * result.best.pixel_error_rate:.2f} % of the pixels wrong, at step "
            f"{result.best.step}"
        )
    print(
        f"time: {duration(result.seconds)}, of which {100 * result.waited:.1f} % waiting for tiles"
    )
    print(f"report: {folder / 'report.html'}")
    if result.interrupted is None:
        print(f"next: {predict_command(folder, read_history(folder / 'history.json'))}")
