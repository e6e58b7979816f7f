"""Prediction: tiling, the network over the tiles, post-processing.

`tiling.py` says where tiles lie, `normalise.py` prepares the image as the training's were,
`predict.py` does it, `_arguments.py` has the words for what does not fit; `postprocess.py` makes
cells of probabilities, `cores.py` of those of
rims and cores, `recipe.py` says with which settings. Lesson: lessons/10-overlap-tile.md.
"""
