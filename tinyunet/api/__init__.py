"""The package in five functions: train, load, predict, predict_cells, evaluate.

They take arrays or paths.

    tinyunet.train("images.tif", "labels.tif", "RUN", val="20%", steps=3000)
    probabilities = tinyunet.predict("RUN", image)
    scores = tinyunet.evaluate(ground_truth, probabilities[1])
    cells = tinyunet.predict_cells("nuclei", image)

`training.py` has the first, `evaluation.py` the last, `prediction.py` those between; `inputs.py`
makes images of what they are given. Lesson: lessons/11-training.md.
"""

from tinyunet.api.evaluation import evaluate
from tinyunet.api.prediction import load, predict, predict_cells
from tinyunet.api.training import train

__all__ = ["evaluate", "load", "predict", "predict_cells", "train"]
