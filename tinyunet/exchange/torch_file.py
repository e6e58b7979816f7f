"""State dictionaries of PyTorch: written and read by PyTorch itself, or as safetensors.

`.pt` and `.pth` are PyTorch's own format: it writes them, and reads them with `weights_only`, which
refuses whatever is not a tensor. `.safetensors` needs no PyTorch. Names: `torch_names.py`. The
layers are those of lessons/05-the-u.md.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np

from tinyunet._files import atomic_write, printable
from tinyunet._text import first_line
from tinyunet.arrays import to_numpy
from tinyunet.exchange._libraries import needs
from tinyunet.exchange.torch_names import LAYOUTS, from_state, to_layout
from tinyunet.nn import UNet

SUFFIXES = (".pt", ".pth", ".safetensors")


def export_torch(net: UNet, path: str | Path, layout: str = "tinyunet") -> None:
    """Write a network's parameters as a state dictionary.

    Parameters
    ----------
    net : UNet
        The network.
    path : str or Path
        `.pt` or `.pth` (by PyTorch), or `.safetensors`.
    layout : {"tinyunet", "double_conv", "down_path"}, optional
        Whose names to use.

    Raises
    ------
    ImportError
        If PyTorch is needed and not installed.
    ValueError
        For another suffix or layout.
    OSError
        If the file cannot be written; what was there before stays.
    """
    path = _checked(path)
    if layout not in LAYOUTS:
        raise ValueError(f"layout {layout!r} is not one of {', '.join(LAYOUTS)}")
    params = {name: to_numpy(value) for name, value in net.params.items()}
    state = {n: np.ascontiguousarray(v) for n, v in to_layout(params, net.layers, layout).items()}
    if path.suffix == ".safetensors":
        from safetensors.numpy import save

        with atomic_write(path) as temporary:
            temporary.write_bytes(save(state))
        return
    torch = needs("torch")
    with atomic_write(path) as temporary:
        torch.save({name: torch.from_numpy(value) for name, value in state.items()}, temporary)


def import_torch(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any], str]:
    """Read a state dictionary of any known layout.

    Parameters
    ----------
    path : str or Path
        `.pt`, `.pth` or `.safetensors`.

    Returns
    -------
    params, architecture, layout
        As `torch_names.from_state` returns them.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If PyTorch is needed and not installed.
    ValueError
        For a file that is damaged or no state dictionary, and, naming the parameter, for one that
        is not the paper's network.
    """
    path = _checked(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    state = _safetensors(path) if path.suffix == ".safetensors" else _torch(path)
    try:
        return from_state(state)
    except ValueError as error:
        raise ValueError(f"{path}: {printable(error)}") from error


def _checked(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path}: a state dictionary ends in {', '.join(SUFFIXES)}")
    return path


def _safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"{path}: not a whole safetensors file ({printable(error)})") from error


def _torch(path: Path) -> dict[str, np.ndarray]:
    torch = needs("torch")
    from pickle import UnpicklingError

    content = io.BytesIO(path.read_bytes())  # so that an OSError below is about the contents
    try:
        state = torch.load(content, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, KeyError, OSError, ValueError) as error:
        first = printable(first_line(error))
        raise ValueError(f"{path}: PyTorch cannot read it as plain tensors ({first})") from error
    for key in ("state_dict", "model_state_dict", "model"):  # checkpoints put it one deeper
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(torch.is_tensor(v) for v in state.values()):
        raise ValueError(f"{path}: no state dictionary of tensors")
    return {name.removeprefix("module."): value.float().numpy() for name, value in state.items()}
