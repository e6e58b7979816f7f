"""Two thousand steps take no more memory than two hundred: `pytest -m slow -s` shows the bytes.

In a process of its own, which begins with nothing that other tests have left. The same program with
a leak planted must be found out, so that the bounds are known to mean something.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
FIRST, LAST = 200, 2000
STEPS = LAST - FIRST
TRACED = 64 * STEPS  # bytes: one small object a step is more
RESIDENT = 1024 * STEPS  # bytes: one map of the tile a step is more

PROGRAM = """
import gc, json, sys, tracemalloc, warnings
import numpy as np
sys.path.insert(0, sys.argv[1])
from runs import tiny, tiny_dataset
from tinyunet.training.loop import train
from tinyunet.training.observer import Observer

out, first, last, leak = sys.argv[2], *map(int, sys.argv[3:])
found, kept = {}, []

def measure(step):
    gc.collect()
    status = open("/proc/self/status").read()
    resident = 1024 * int(status.split("VmRSS:")[1].split()[0])
    found[step] = {"traced": tracemalloc.get_traced_memory()[0], "resident": resident}

class Measuring(Observer):
    def step(self, step, loss):
        if leak:
            kept.append(np.ones(leak, np.uint8))
        if step == first:
            tracemalloc.start()
        if step in (first, last):
            measure(step)

settings = tiny(tile=20, steps=last, val_every=100, checkpoint_every=100, lr=1e-4)
train(tiny_dataset(), settings, out, "cpu", observer=Measuring())
print(json.dumps(found))
"""


def grown(folder, leak):
    """Return the bytes that came between the two measurements, by what measured them."""
    arguments = [str(HERE.parent), str(folder / "run"), str(FIRST), str(LAST), str(leak)]
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before, after = json.loads(done.stdout.splitlines()[-1]).values()
    return {name: after[name] - before[name] for name in before}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc/self/status")
def test_two_thousand_steps_take_the_memory_of_two_hundred(tmp_path):
    more = grown(tmp_path, leak=0)
    print(f"\nfrom step {FIRST} to step {LAST}: {more}")
    assert more["traced"] < TRACED
    assert more["resident"] < RESIDENT


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc/self/status")
def test_a_leak_of_one_map_a_step_would_be_found(tmp_path):
    more = grown(tmp_path, leak=4 * 20 * 20)
    assert more["traced"] > TRACED
    assert more["resident"] > RESIDENT
