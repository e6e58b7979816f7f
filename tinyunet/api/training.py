"""`tinyunet.train`: images and labels, of files or arrays, into a run folder.

Lesson: lessons/11-training.md.
"""

import dataclasses
from typing import Any

from tinyunet.api.inputs import FileName, Images, as_dataset
from tinyunet.arrays import Device
from tinyunet.images import Dataset
from tinyunet.report import Display, score_and_report
from tinyunet.training.held_out import Share, held_out_range
from tinyunet.training.loop import run_plan
from tinyunet.training.observer import TrainingResult
from tinyunet.training.plan import make_plan
from tinyunet.training.run_folder import RunFolder
from tinyunet.training.settings import Settings


def train(
    images: Images | Dataset,
    labels: Images | None = None,
    out: FileName = "",
    *,
    val: tuple[int, int] | str | float | None = None,
    in_channels: int = 1,
    n_classes: int = 2,
    kind: str = "auto",
    ignore: int | None = None,
    device: str | Device = "auto",
    resume: bool = False,
    seconds: float | None = None,
    progress: bool = True,
    **settings: Any,
) -> TrainingResult:
    """Train a U-Net on images and their labels, into a run folder.

    Parameters
    ----------
    images : path, array or sequence of arrays, or Dataset
        A TIFF stack, folder or Cell Tracking sequence; or (N, H, W), (N, C, H, W) or (N, H, W, C),
        or a list of such images of any sizes. Each is normalised by itself.
    labels : path, array or sequence of arrays, shape (N, H, W), optional
        0/1 or 0/255 masks, class numbers, or object numbers; None in a list for an image without.
        A Cell Tracking sequence finds its own, a `Dataset` has its own.
    out : path
        The run folder.
    val : (first, behind the last) or share, optional
        Slices that are held out: a range, or "20%" or 0.2 for the last fifth.
    in_channels, n_classes : int, optional
        Channels of the images and classes of the labels.
    kind : {"auto", "classes", "instances"}, optional
        What the numbers in the labels are; "auto" takes arrays for classes and goes by the names
        of files.
    ignore : int, optional
        The label of pixels without ground truth.
    device : str or Device, optional
        "auto", "cpu", "gpu" or "gpu:1".
    resume : bool, optional
        Go on with the run in `out`, if there is one.
    seconds : float, optional
        Stop early after this time, 0 or more.
    progress : bool, optional
        Whether there is a bar on stderr.
    **settings
        Those of `Settings`: ``steps=3000, base_channels=16, lr=0.01, …``.

    Returns
    -------
    TrainingResult
        How the run ended.

    Raises
    ------
    ValueError
        For images, labels and settings that do not go together; the message names what came and
        what is accepted.
    OSError
        For files that cannot be read, and a folder that cannot be used.
    tinyunet.training.failures.DivergedError
        When the loss is no number any more.
    """
    with RunFolder(out, resume) as folder:
        share = _share(val)
        if val is not None and share is None:
            settings["val"] = val
        checked = folder.settings(_known(settings))
        dataset = as_dataset(images, labels, in_channels, n_classes, kind, ignore)
        if share is not None:
            checked = dataclasses.replace(checked, val=held_out_range(dataset, share))
        plan = make_plan(dataset, checked, device)
        with Display(plan, folder.path, progress, seconds) as display:
            result = run_plan(plan, folder, display, seconds)
        score_and_report(folder.path, plan, result)
        return result


def _share(val: Any) -> Share | None:
    """The share of the slices that `val` means, None for a range of them or nothing."""
    if isinstance(val, str):
        try:
            percent = float(val.removesuffix("%")) if val.endswith("%") else None
        except ValueError:
            percent = None
        if percent is None:
            raise ValueError(f"val {val!r} is not a share like '20%' or a range like (20, 24)")
        return Share(percent / 100)
    return Share(float(val)) if isinstance(val, float) else None


def _known(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings, if there are such; else an error that lists what there is."""
    names = [field.name for field in dataclasses.fields(Settings)]
    unknown = [name for name in settings if name not in names]
    if unknown:
        raise ValueError(f"no such setting: {', '.join(unknown)}; there are {', '.join(names)}")
    return settings
