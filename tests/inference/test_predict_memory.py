"""Memory is bounded by the tile, not by the image: `benchmarks/predict_memory.py` in small."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_memory_is_bounded_by_the_tile(tmp_path):
    command = [sys.executable, "benchmarks/predict_memory.py", "--sizes", "1024", "4096"]
    command += ["--tile", "512", "--folder", str(tmp_path), "--json", str(tmp_path / "rows.json")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    small, large = json.loads((tmp_path / "rows.json").read_text())
    assert (small["size"], large["size"]) == (1024, 4096)
    # Sixteen times the pixels, no more memory: 16 MiB is what allocators and threads come to.
    for row in (small, large):
        assert row["peak_mib"] <= row["told_for_tile_mib"] + 16
    assert large["peak_mib"] < large["image_and_out_mib"]
    assert large["peak_mib"] <= small["peak_mib"] + 16
