"""All that the next step depends on, as a checkpoint holds it.

Parameters and momentum; the state of the generator that draws drop-out; the step's number, which is
all that the tiles need; the best validation so far; and how long the log was.
Lesson: lessons/11-training.md.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tinyunet._files import check_regular
from tinyunet.arrays import Array, to_numpy
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet
from tinyunet.training.checkpoint import architecture, load_checkpoint, strip_prefix
from tinyunet.training.run_folder import RunFolder
from tinyunet.training.validation import Validation


@dataclass
class Progress:
    """How far a run is.

    Attributes
    ----------
    step : int
        The last step that was started.
    loss : float or None
        The last loss that was read.
    best, last : Validation or None
        The validation of the smallest loss, and the newest.
    """

    step: int = 0
    loss: float | None = None
    best: Validation | None = None
    last: Validation | None = None


def collect(
    net: UNet, optimiser: SGD, progress: Progress
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Collect what a checkpoint holds.

    Parameters
    ----------
    net : UNet
        The network.
    optimiser : SGD
        Of its parameters.
    progress : Progress
        How far the run is.

    Returns
    -------
    tensors : dict
        NumPy arrays by name.
    meta : dict
        The rest, of a kind that JSON can hold.
    """
    tensors = {f"params/{name}": to_numpy(p) for name, p in net.params.items()}
    tensors |= {f"velocity/{name}": to_numpy(v) for name, v in optimiser.velocity.items()}
    meta = {
        "architecture": architecture(net),
        "normalisation": net.normalisation,
        "rng": net.rng.bit_generator.state,
        **asdict(progress),
    }
    return tensors, meta


def load(folder: RunFolder, net: UNet, optimiser: SGD) -> Progress:
    """Go on from a run's last checkpoint: fill the network and the optimiser, open the log.

    Parameters
    ----------
    folder : RunFolder
        Has the checkpoint.
    net : UNet
        A network of its architecture.
    optimiser : SGD
        Of its parameters.

    Returns
    -------
    Progress
        How far the run was.

    Raises
    ------
    ValueError
        For a checkpoint that is not of this run, or holds no state of training.
    """
    check_regular(folder.last)
    tensors, meta = load_checkpoint(folder.last)
    velocity = strip_prefix(tensors, "velocity/")
    missing = [name for name in ("rng", "log_size", "step", "loss") if name not in meta]
    if missing or not velocity:
        raise ValueError(
            f"{folder.last}: holds weights only, no state of training to go on from "
            f"(missing: {', '.join(missing) or 'velocity'})"
        )
    folder.check_checkpoint(meta)
    progress = _progress(folder, meta)
    net.load(strip_prefix(tensors, "params/"))
    for name, value in velocity.items():
        optimiser.velocity[name][...] = net.device.asarray(value)
    try:
        net.rng.bit_generator.state = meta["rng"]
    except (KeyError, TypeError, ValueError) as error:
        reason = f"state of the generator is damaged ({error})"
        raise ValueError(f"{folder.last}: {reason}") from error
    folder.open_log(meta["log_size"])
    return progress


def _progress(folder: RunFolder, meta: Mapping[str, Any]) -> Progress:
    try:
        best, last = (_validation(meta, name) for name in ("best", "last"))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder.last}: its scores are damaged ({error})") from error
    return Progress(meta["step"], meta["loss"], best, last)


def _validation(meta: Mapping[str, Any], name: str) -> Validation | None:
    """The validation `name`, "best" or "last", of a checkpoint of this version or of 1.0."""
    if name in meta:
        found = meta[name]
        if found is None:
            return None
        return Validation(**{**found, "predicted": tuple(found["predicted"])})
    old = "best" if name == "best" else "val"  # best_loss, best_wrong, best_step; val_loss, …
    if meta[f"{old}_loss"] is None:
        return None
    step = meta["best_step"] if name == "best" else meta["step"]
    return Validation(int(step), float(meta[f"{old}_loss"]), float(meta[f"{old}_wrong"]))
