"""The ISBI 2012 challenge's slices, fetched from a public address and checked.

The one place in the package that uses the network. Every file's SHA-256 is known in advance
(isbi2012.json beside this file); what has been fetched once stays in the user's cache.

Lesson: lessons/11-training.md.
"""

import json
import re
from pathlib import Path

from tinyunet.data.stack import open_stack
from tinyunet.data.tiff import first_line
from tinyunet.data.write import write_stack

SOURCES = Path(__file__).with_name("isbi2012.json")
# the challenge's file and where its slices lie at the source
STACKS = {
    "train-volume.tif": "train/image/",
    "train-labels.tif": "train/label/",
    "test-volume.tif": "test/",
}


def download_isbi2012(
    out_dir, cache=None, base_url=None, report=print, overwrite=False, sources=None, retries=2
):
    """Fetch the training and test slices and write them as the challenge's three stacks.

    Parameters: `out_dir`, made if missing; `cache`, a folder for the fetched files (the default:
    the user's cache folder); `base_url`, another address with the same files; `report`, called
    with each line for the user: licence, citations, what was written; `overwrite=True` replaces
    stacks that are there; `sources`, another dict in the form of isbi2012.json; `retries` a file.
    Returns {name: path} of train-volume.tif, train-labels.tif and test-volume.tif.
    Raises ImportError without pooch, FileExistsError, OSError where the network fails (run again:
    files already fetched are kept), ValueError for a wrong checksum.
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
        report(f"{paths[name]}: {len(stack)} slices of {stack.shape[1]}×{stack.shape[2]}")
    return paths


def _number(file):
    return int(Path(file).stem)


def _fetch_all(sources, cache, base_url, retries):
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


def _fetch(shelf, name, downloader):
    try:
        return shelf.fetch(name, downloader=downloader)
    except OSError as error:  # requests' exceptions are OSErrors
        raise OSError(f"cannot fetch {shelf.get_url(name)}: {first_line(error)}") from None
    except ValueError as error:
        raise ValueError(
            f"{shelf.get_url(name)}: not the file that was expected: {first_line(error)}"
        ) from None
