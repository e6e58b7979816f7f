"""The download against a server on loopback: whole, wrong, missing and dead."""

import functools
import hashlib
import http.server
import json
import threading

import numpy as np
import pytest
import tifffile
from PIL import Image

from tinyunet.images.download import SOURCES, STACKS, download_isbi2012

pytest.importorskip("pooch", reason="pooch is not installed: no download")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def site(tmp_path):
    """A little source of 11 slices each on loopback: (folder, address, sources, slices)."""
    rng = np.random.default_rng(0)
    folder, digests, slices = tmp_path / "site", {}, {}
    for name, where in STACKS.items():
        (folder / where).mkdir(parents=True, exist_ok=True)
        slices[name] = rng.integers(0, 256, (11, 12, 14)).astype("u1")
        for i in range(11):
            file = folder / where / f"{i}.png"
            Image.fromarray(slices[name][i]).save(file)
            digests[f"{where}{i}.png"] = hashlib.sha256(file.read_bytes()).hexdigest()
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=folder)
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/"
    sources = {
        "base_url": address,
        "license_note": "non-commercial",
        "citations": ["A", "B"],
        "sha256": digests,
    }
    yield folder, address, sources, slices
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(tmp_path, sources, **options):
    lines = []
    options = {"cache": tmp_path / "cache", "retries": 0, "report": lines.append, **options}
    return download_isbi2012(tmp_path / "out", sources=sources, **options), lines


def test_three_stacks_in_the_order_of_the_slices(tmp_path, site):
    _, _, sources, slices = site
    paths, lines = fetch(tmp_path, sources)
    assert list(paths) == ["train-volume.tif", "train-labels.tif", "test-volume.tif"]
    for name, path in paths.items():
        assert path == tmp_path / "out" / name
        assert np.array_equal(tifffile.imread(path), slices[name])
    assert lines[:3] == ["non-commercial", "cite: A", "cite: B"]
    assert lines[3:] == [f"{path}: 11 slices of 12×14" for path in paths.values()]


def test_what_was_fetched_stays_in_the_cache(tmp_path, site):
    folder, _, sources, slices = site
    fetch(tmp_path, sources)
    (folder / "test" / "3.png").unlink()
    with pytest.raises(FileExistsError, match=r"train-volume.tif: is there already; remove it"):
        fetch(tmp_path, sources)
    (tmp_path / "out" / "test-volume.tif").write_bytes(b"")
    paths, _ = fetch(tmp_path, sources, overwrite=True)
    assert np.array_equal(tifffile.imread(paths["test-volume.tif"]), slices["test-volume.tif"])


def test_a_wrong_checksum(tmp_path, site):
    folder, address, sources, _ = site
    (folder / "train/label/7.png").write_bytes(b"something else")
    with pytest.raises(ValueError, match="not the file that was expected: SHA256") as error:
        fetch(tmp_path, sources)
    assert str(error.value).startswith(f"{address}train/label/7.png: ")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_missing_file_and_another_address(tmp_path, site):
    _, address, sources, _ = site
    with pytest.raises(OSError, match="404") as error:
        fetch(tmp_path, sources, base_url=address + "elsewhere")
    assert str(error.value).startswith(f"cannot fetch {address}elsewhere/train/image/0.png: ")
    sources["base_url"] = "http://127.0.0.1:9/"
    paths, _ = fetch(tmp_path, sources, base_url=address.rstrip("/"))
    assert all(path.exists() for path in paths.values())


def test_a_dead_network(tmp_path, site):
    _, _, sources, _ = site
    sources["base_url"] = "http://127.0.0.1:9/"
    with pytest.raises(OSError, match=r"cannot fetch http://127.0.0.1:9/train/image/0.png: ") as e:
        fetch(tmp_path, sources)
    assert str(e.value).endswith("0.png: no connection to 127.0.0.1")
    assert not (tmp_path / "out").exists()


def test_slices_of_other_sizes(tmp_path, site):
    folder, address, sources, _ = site
    Image.fromarray(np.zeros((5, 5), "u1")).save(folder / "test/2.png")
    digest = hashlib.sha256((folder / "test/2.png").read_bytes()).hexdigest()
    sources["sha256"]["test/2.png"] = digest
    with pytest.raises(ValueError, match=f"{address}test/: slices differ in size"):
        fetch(tmp_path, sources)
    assert not (tmp_path / "out").exists()


def test_without_pooch(tmp_path, monkeypatch, site):
    monkeypatch.setitem(__import__("sys").modules, "pooch", None)
    with pytest.raises(ImportError, match=r'needs pooch: pip install "tinyunet\[download\]"'):
        fetch(tmp_path, site[2])


def test_the_real_list():
    sources = json.loads(SOURCES.read_text(encoding="utf-8"))
    assert len(sources["sha256"]) == 90
    for where in STACKS.values():
        assert all(len(sources["sha256"][f"{where}{i}.png"]) == 64 for i in range(30))
    assert sources["base_url"].startswith("https://")
    assert len(set(sources["sha256"].values())) == 90
    assert "non-commercial" in sources["license_note"]
    assert len(sources["citations"]) == 2
