"""Training: settings, tiles, one step, the loop, validation, the run folder.

What decides a run is in `settings.py`; `plan.py` puts settings, data (`held_out.py`: which slices
only validate) and device together and checks them. `loop.py` runs it: tiles from `tiles.py`, the
step in `step.py`, scores from `validation.py`; `observer.py` is told, `failures.py` has the words
for what goes wrong, `graceful_shutdown.py` turns Ctrl-C into a wish, `warm_up.py` compiles before
the clock starts. A run lives in a folder (`run_folder.py`) that one process at a time may write to
(`run_lock.py`): `settings_file.py`, `log.py`, `history.py`; all that the next step depends on is
`state.py`, weights and networks as files are `checkpoint.py` on top of `tensor_file.py`, and the
threshold that the run chose is `recipe_file.py`. Processes that learn together under MPI enter by
`parallel.py`; `ranks.py` is what the loop knows of them, `follow.py` what all but the first do.
Lesson: lessons/11-training.md.
"""
