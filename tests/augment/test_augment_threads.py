"""Samples made by several threads and by a child of fork: in a process of its own, for what can go
wrong there (numba's parallel runtime) ends the process.
"""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys, threading
import numpy as np
from tinyunet.augment import draw_transform, apply_transform, resample

resample.usable_cores = lambda: 3
image = np.random.default_rng(0).random((40, 50))
transforms = [draw_transform(np.random.default_rng(seed), image.shape) for seed in range(8)]
expected = [apply_transform(transform, image).image for transform in transforms]
wrong = []

def work():
    for transform, right in zip(transforms, expected):
        got = apply_transform(transform, image, parallel=True).image
        if not np.array_equal(got, right):
            wrong.append(transform)

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if hasattr(os, "fork"):
    child = os.fork()
    work()
    if child == 0:
        os._exit(len(wrong))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == 0, f"the child of fork ended with {code}"
assert not wrong
print("equal")
"""


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("layer", ["workqueue", "omp", None])
def test_threads_and_a_child_of_fork_make_what_one_thread_makes(layer):
    environment = dict(os.environ)
    if layer is not None:
        environment["NUMBA_THREADING_LAYER"] = layer
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "equal\n"), done.stderr
