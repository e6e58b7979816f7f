"""The ISBI 2012 challenge's slices, fetched from a public address and checked.

The one place in the package that uses the network. Every file's SHA-256 is known in advance
(isbi2012.json beside this file); what has been fetched once stays in the user's cache.

Lesson: lessons/11-training.md.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tinyunet._text import first_line
from tinyunet.images.names import FileName
from tinyunet.images.stack import open_stack
from tinyunet.images.write import write_stack

SOURCES = Path(__file__).with_name("isbi2012.json")
# the challenge's file and where its slices lie at the source
STACKS = {
    "train-volume.tif": "train/image/",
    "train-labels.tif": "train/label/",
    "test-volume.tif": "test/",
}


def download_isbi2012(
    out_dir: FileName,
    cache: FileName | None = None,
    base_url: str | None = None,
    report: Callable[[str], object] = print,
    overwrite: bool = False,
    sources: dict[str, Any] | None = None,
    retries: int = 2,
) -> dict[str, Path]:
    """Fetch the training and test slices and write them as the challenge's three stacks.

    Parameters
    ----------
    out_dir : str or Path
        Made if missing.
    cache : str or Path, optional
        A folder for the fetched files (the default: the user's cache folder).
    base_url : str, optional
        Another address with the same files.
    report : function
        Called with each line for the user: licence, citations, what was written.
    overwrite : bool
        Whether stacks that are there are replaced.
    sources : dict, optional
        Another in the form of isbi2012.json.
    retries : int
        Of each file.

    Returns
    -------
    dict
        {name: path} of train-volume.tif, train-labels.tif and test-volume.tif.

    Raises
    ------
    ImportError
        Without pooch.
    OSError
        Where the network fails (run again: files already fetched are kept), or where a stack is
        there already.
    ValueError
        For a wrong checksum.
    """
    sources = sources or json.loads(SOURCES.read_text(encoding="utf-8"))
    out_dir = Path(out_dir)
    if out_dir.exists() and not out_dir.is_dir():
        raise NotADirectoryError(f"{out_dir}: is a file: wanted a folder for the stacks")
    paths = {name: out_dir / name for name in STACKS}
    for path in paths.values():
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path}: is there already; remove it or choose another folder")
    report(sources["license_note"])
    for citation in sources["citations"]:
        report(f"cite: {citation}")

    fetched = _fetch_all(sources, cache, base_url or sources["base_url"], retries)
    stacks = {}
    for name, folder in STACKS.items():
        slices = sorted((f for f in fetched if re.fullmatch(folder + r"\d+\.png", f)), key=_number)
        stacks[name] = open_stack([fetched[f] for f in slices], labels="labels" in name)
        if stacks[name].shape is None:
            raise ValueError(f"{sources['base_url']}{folder}: slices differ in size")
    out_dir.mkdir(parents=True, exist_ok=True)
    for name, stack in stacks.items():
        write_stack(paths[name], [stack.page(i) for i in range(len(stack))])
        height, width = stack.sizes[0]
        report(f"{paths[name]}: {len(stack)} slices of {height}×{width}")
    return paths


def _number(file: str) -> int:
    return int(Path(file).stem)


def _fetch_all(
    sources: dict[str, Any], cache: FileName | None, base_url: str, retries: int
) -> dict[str, str]:
    """{name at the source: file in the cache}, every one with the right checksum."""
    try:
        import pooch
    except ImportError:
        raise ImportError(
            'the download needs pooch: pip install "tinyunet[download]"', name="pooch"
        ) from None

    pooch.get_logger().setLevel("WARNING")  # our own report is enough
    shelf = pooch.create(
        path=Path(cache) if cache else pooch.os_cache("tinyunet") / "isbi2012",
        base_url=base_url.rstrip("/") + "/",
        registry={name: f"sha256:{digest}" for name, digest in sources["sha256"].items()},
        retry_if_failed=retries,
    )
    return {name: _fetch(shelf, name, pooch.HTTPDownloader(timeout=30)) for name in shelf.registry}


def _fetch(shelf: Any, name: str, downloader: Any) -> str:
    try:
        return shelf.fetch(name, downloader=downloader)
    except OSError as error:  # requests' exceptions are OSErrors
        import requests

        url = shelf.get_url(name)
        why = first_line(error)
        if isinstance(error, requests.ConnectionError | requests.Timeout):
            why = f"no connection to {urlsplit(url).hostname}"
        raise OSError(f"cannot fetch {url}: {why}") from None
    except ValueError as error:
        raise ValueError(
            f"{shelf.get_url(name)}: not the file that was expected: {first_line(error)}"
        ) from None
