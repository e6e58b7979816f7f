"""The package in four functions: train, load, predict, evaluate. They take arrays or paths.

    tinyunet.train("images.tif", "labels.tif", "RUN", val="20%", steps=3000)
    probabilities = tinyunet.predict("RUN", image)
    scores = tinyunet.evaluate(ground_truth, probabilities[1])

`training.py` has the first, `prediction.py` load and predict, `evaluation.py` the last; `inputs.py`
makes images of what they are given. Lesson: lessons/11-training.md.
"""

from tinyunet.api.evaluation import evaluate
from tinyunet.api.prediction import load, predict
from tinyunet.api.training import train

__all__ = ["evaluate", "load", "predict", "train"]
