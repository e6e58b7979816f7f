"""What several commands share: options, a progress bar, numbers as text."""

import argparse
import json
import os
import sys
from pathlib import Path

# Seconds between two drawings of a bar: a log file needs fewer than a screen.
_INTERVAL = 0.3 if sys.stderr.isatty() else 10


def add_device(parser):
    """Add --device and --threads."""
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, gpu or gpu:N (auto takes a GPU if it can)"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (all cores)")


def use_threads(arguments):
    """Let numba and BLAS use --threads; without it their own environment variables decide."""
    if arguments.threads is None:
        return
    cores = os.cpu_count() or 1
    if not 1 <= arguments.threads <= cores:
        raise ValueError(f"--threads {arguments.threads}: this machine has 1 to {cores}")
    from tinyunet.kernels.threads import set_threads

    set_threads(arguments.threads)


def add_json(parser):
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def slice_range(text):
    """Parse "20:24" into (20, 24): the first slice and the one behind the last."""
    parts = text.split(":")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not a range of slices like 20:24")
    first, end = int(parts[0]), int(parts[1])
    if first >= end:
        raise argparse.ArgumentTypeError(
            f"the range {text} is empty: slices {first} up to, not including, {end}"
        )
    return first, end


def note(text):
    """Tell the user something that is not the result."""
    print(text, file=sys.stderr, flush=True)


def as_json(result):
    """Print a dict as JSON on stdout; NaN becomes null, which JSON can say."""

    def clean(value):
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [clean(item) for item in value]
        if isinstance(value, float) and value != value:
            return None
        return value

    print(json.dumps(clean(result), indent=2, allow_nan=False))


def size_text(n_bytes):
    """Return 1536 as "1.5 kB" and so on."""
    for unit in ("bytes", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "bytes" else f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} GB"


def check_output(path, suffixes=None, inputs=()):
    """Return `path` as a Path if a file can be made there, or say now, not hours later, why not.

    `inputs`: files that the result must not overwrite.
    """
    path = Path(path)
    if any(path.exists() and Path(i).exists() and path.samefile(i) for i in inputs):
        raise FileExistsError(f"{path}: is an input of this command: name another file")
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder, but the result is a file")
    if suffixes and path.suffix.lower() not in suffixes:
        raise ValueError(f"{path}: must end in {' or '.join(suffixes)}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder to write {path.name} into")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{path.parent}: no permission to write {path.name} into it")
    return path


class Bar:
    """A progress bar on stderr for `train`: step, loss, validation, time left."""

    def __init__(self, total, done=0):
        from tqdm import tqdm

        self._bar = tqdm(
            total=total, initial=done, unit="step", dynamic_ncols=True, mininterval=_INTERVAL
        )
        self._mean = self._wrong = None

    def __call__(self, step, loss, val_wrong):
        """Show that `step` is done."""
        self._mean = loss if self._mean is None else 0.95 * self._mean + 0.05 * loss
        if val_wrong is not None:
            self._wrong = val_wrong
        self._shown = f"loss {self._mean:.4f}"
        if self._wrong is not None:
            self._shown += f", {100 * self._wrong:.2f} % wrong"
        self._advance(step)

    def _advance(self, step):
        self._bar.set_postfix_str(self._shown, refresh=False)
        self._bar.update(step - self._bar.n)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._bar.close()


class TimeBar(Bar):
    """The same for a run that the clock ends: seconds instead of steps."""

    def __init__(self, seconds):
        import time

        from tqdm import tqdm

        self._clock, self._begun = time.perf_counter, time.perf_counter()
        form = "{l_bar}{bar}| {n:.0f}/{total:.0f} s{postfix}"
        self._bar = tqdm(total=seconds, dynamic_ncols=True, bar_format=form, mininterval=_INTERVAL)
        self._mean = self._wrong = None

    def _advance(self, step):
        self._bar.set_postfix_str(f"step {step}, {self._shown}", refresh=False)
        elapsed = min(self._clock() - self._begun, self._bar.total)
        self._bar.update(elapsed - self._bar.n)
