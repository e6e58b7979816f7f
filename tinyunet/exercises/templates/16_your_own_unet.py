"""Exercise 16: your own U-Net.

Lesson: lessons/05a-forward-and-backward.md.

The U of figure 1 out of your own operations: `ops` holds the functions of your exercises 01 to 06
(`ops.conv2d(x, weight, bias)`, `ops.conv2d_backward(dy, x, weight)`, and so on), which must lie
beside this file. Do those first. The check compares your network with the package's, then trains it
for a few steps and shows the loss.

Level 1 … depth going down: from level 2 on first a 2×2 max-pool, then conv1 + ReLU, conv2 + ReLU.
Level depth − 1 … 1 going up: the up-convolution, the skip of that level cropped and put in front,
conv1 + ReLU, conv2 + ReLU. Last the 1×1 convolution "out", without ReLU. No drop-out. Parameters:
"down1.conv1.weight", "down1.conv1.bias", "up1.upconv.weight", "up1.conv1.weight", …, "out.bias".
Put into the cache what your backward pass will want.

Check: `tinyunet check 16`.
"""


def forward(x, params, depth, ops):
    """Return the logits, and what the backward pass needs.

    Parameters
    ----------
    x : (N, 1, H, W), floats; H and W fit the depth.
    params : {name: array}. They stay as they are.
    depth : int, the number of levels, at least 1.
    ops : the operations.

    Returns
    -------
    logits : (N, n_classes, H', W').
    cache : whatever you like.
    """


def backward(dlogits, cache, params, depth, ops):
    """Return the gradients: forward, read upwards.

    Parameters
    ----------
    dlogits : (N, n_classes, H', W'), the upstream gradient.
    cache : what your forward pass returned.
    params, depth, ops : as above.

    Returns
    -------
    grads : {name: gradient} with the names and shapes of params.
    """
