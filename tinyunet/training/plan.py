"""What a run is going to do, split and checked before any of it is done.

Lesson: lessons/11-training.md.
"""

from dataclasses import dataclass

from tinyunet._machine import total_memory
from tinyunet._text import size_text
from tinyunet.arrays import Device, select_device
from tinyunet.images import Dataset
from tinyunet.images.split import fingerprint, split
from tinyunet.nn.architecture import count_parameters
from tinyunet.nn.memory import training_memory
from tinyunet.training.settings import Settings


@dataclass(frozen=True)
class Plan:
    """A run that could begin; make one with `make_plan`.

    Attributes
    ----------
    settings : Settings
        Of the run.
    device : Device
        Where the network is to live.
    dataset, training, validation : Dataset
        All slices; those to learn from; those held out.
    fingerprint : str
        Of all data.
    """

    settings: Settings
    device: Device
    dataset: Dataset
    training: Dataset
    validation: Dataset
    fingerprint: str

    @property
    def in_channels(self) -> int:
        """Channels of the images."""
        return self.dataset.images[0].shape[0]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """in_channels, n_classes, depth and base_channels: what makes the network."""
        s = self.settings
        return self.in_channels, self.dataset.n_classes, s.depth, s.base_channels

    @property
    def n_parameters(self) -> int:
        """How many numbers the network learns."""
        return count_parameters(*self.shape)

    @property
    def memory(self) -> int:
        """About how many bytes a step takes."""
        return training_memory(self.settings.tile, *self.shape)


def make_plan(dataset: Dataset, settings: Settings, device: str | Device = "auto") -> Plan:
    """Split the data and check that settings, data and machine go together.

    Parameters
    ----------
    dataset : Dataset
        Slices without labels are left out, and those in ``settings.val`` are only validated on.
    settings : Settings
        Of the run.
    device : str or Device
        "auto", "cpu", "gpu" or "gpu:1".

    Returns
    -------
    Plan
        What the run will do.

    Raises
    ------
    ValueError
        If they do not go together; the message says why.
    """
    chosen = select_device(device)
    if settings.precision != "float32" and not chosen.is_gpu:
        raise ValueError(f"precision {settings.precision!r} needs a GPU: this run is on the CPU")
    training, validation = split(dataset, settings)
    plan = Plan(settings, chosen, dataset, training, validation, fingerprint(dataset))
    if not chosen.is_gpu and plan.memory > total_memory(chosen):  # a GPU's is told when it is full
        raise ValueError(
            f"a step needs about {size_text(plan.memory)} of memory, this machine has "
            f"{size_text(total_memory(chosen))}: choose a smaller tile, base or depth"
        )
    return plan
