"""Mistakes of exercise 16, the U."""

from solutions.mistakes import LOOPS, NUMBERS

_OUT = 'return ops.conv2d(x, params["out.weight"], params["out.bias"]), cache'
_Z = '        z = ops.conv2d(x, params[f"{name}.weight"], params[f"{name}.bias"])\n'
_UP = 'x = ops.up_conv2d(x, params[f"{name}.weight"], params[f"{name}.bias"])'
_KEEP = "        skips[level] = x\n"
_CONCAT = "x = ops.center_crop_concat(skips[level], x)"
_ADD = "            dx = dx + dskips[level]\n"
_RELU = "        return ops.relu(z)\n"
_DZ = "        dz = ops.relu_backward(dy, z)\n"
_BOTH = 'dskips[level], dx = ops.center_crop_concat_backward(dx, *cache[f"concat{level}"])'
_CONV2 = '        x = conv_relu(f"down{level}.conv2", x)\n'

ROWS = [
    # Forward.
    (LOOPS, _OUT, 'x = ops.conv2d(x, params["out.weight"], params["out.bias"])\n'
     "    return ops.relu(x), cache", "the last convolution has none"),
    (LOOPS, _OUT, 'x = ops.conv2d(x, params["out.weight"], params["out.bias"])\n    import numpy '
     "as np\n    p = np.exp(x - x.max(axis=1, keepdims=True))\n"
     "    return p / p.sum(axis=1, keepdims=True), cache", "your logits went through a softmax"),
    (LOOPS, _RELU, "        return z\n", "your network has no ReLU"),
    (LOOPS, _RELU, '        return ops.relu(z) if "down" in name else z\n',
     "your expanding path has no ReLU"),
    (LOOPS, _RELU, '        return ops.relu(z) if "conv1" in name else z\n',
     "your second convolutions have no ReLU"),
    (LOOPS, _RELU, '        return ops.relu(z) if "conv2" in name else z\n',
     "your first convolutions have no ReLU"),
    (LOOPS, _Z, "        x = ops.relu(x)\n" + _Z, NUMBERS),
    (LOOPS, _UP, _UP.replace("x = ", "x = ops.relu(") + ")", "a ReLU behind your up-convolutions"),
    (LOOPS, _KEEP, '        skips[level] = cache[f"down{level}.conv2"][1]\n',
     "your skips are taken before the ReLU"),
    (LOOPS, _CONV2 + _KEEP, "        skips[level] = x\n" + _CONV2,
     "your skips are the maps of conv1"),
    (LOOPS, _KEEP, "        skips[level] = 0 * x\n", "your skips are zeros"),
    (LOOPS, _CONCAT, f"{_CONCAT}\n        import numpy as np\n        half = x.shape[1] // 2\n"
     "        x = np.concatenate([x[:, half:], x[:, :half]], axis=1)",
     "stands in front of the skip"),
    (LOOPS, _CONCAT, "x = ops.center_crop_concat(x, skips[level])", NUMBERS),
    (LOOPS, _CONCAT, "x = ops.center_crop_concat(skips[1], x)", "stopped at line"),
    (LOOPS, _CONCAT, "x = ops.center_crop_concat(x, x)", NUMBERS),
    (LOOPS, _CONCAT, "import numpy as np\n        h, w = x.shape[2:]\n"
     "        x = np.concatenate([skips[level][:, :, :h, :w], x], axis=1)", NUMBERS),
    (LOOPS, _Z, _Z.replace('params[f"{name}.bias"]', '0 * params[f"{name}.bias"]'),
     "your 3×3 convolutions have no bias"),
    (LOOPS, "def forward(x, params, depth, ops):\n", "def forward(x, params, depth, ops):\n"
     '    params = {k: 0 * p if "bias" in k else p for k, p in params.items()}\n',
     "your biases are left out: conv2d"),
    (LOOPS, _UP, _UP.replace('params[f"{name}.bias"]', '0 * params[f"{name}.bias"]'),
     "your up-convolutions have no bias"),
    (LOOPS, _OUT, _OUT.replace('params["out.bias"]', '0 * params["out.bias"]'),
     "your last convolution has no bias"),
    (LOOPS, "        if level > 1:\n            cache", "        if level > 2:\n            cache",
     "stopped at line"),
    (LOOPS, _CONV2, "", "yours is 2 larger along both"),
    (LOOPS, "range(depth - 1, 0, -1)", "range(1, depth)", "stopped at line"),
    (LOOPS, "range(1, depth + 1)", "range(1, depth)", "stopped at line"),
    (LOOPS, _OUT, _OUT.replace(", cache", ""), "forward must return (logits, cache)"),
    (LOOPS, _OUT, "return x, cache", "your logits has shape"),
    (LOOPS, '_relu(f"down{level}.conv2"', '_relu(f"down{level}.conv1"', "stopped at line"),
    # Backward.
    (LOOPS, _ADD, "            pass\n", "misses what came through the skip"),
    (LOOPS, _ADD, "            dx = dskips[level]\n", "holds what came through the skip alone"),
    (LOOPS, _ADD, "            dx = dx + 2 * dskips[level]\n", "counts the skip's gradient twice"),
    (LOOPS, _ADD, "            dx = (dx + dskips[level]) / 2\n", "takes the mean of the skip's"),
    (LOOPS, _ADD, "            dx = dx - dskips[level]\n", "subtracts the skip's gradient"),
    (LOOPS, _ADD, "            dx = dx * dskips[level]\n", NUMBERS),
    (LOOPS, _DZ, "        dz = dy\n", "goes through no ReLU"),
    (LOOPS, _DZ, '        dz = dy if "conv2" in name else ops.relu_backward(dy, z)\n',
     "leaves out the ReLU behind conv2"),
    (LOOPS, _DZ, '        dz = dy if "conv1" in name else ops.relu_backward(dy, z)\n',
     "leaves out the ReLU behind conv1"),
    (LOOPS, _DZ, '        dz = dy if "up" in name else ops.relu_backward(dy, z)\n',
     "has no ReLU in the expanding path"),
    (LOOPS, _DZ, '        dz = dy if "down" in name else ops.relu_backward(dy, z)\n',
     "goes through no ReLU"),
    (LOOPS, _DZ, "        dz = ops.relu_backward(z, dy)\n", "relu_backward are exchanged"),
    (LOOPS, _BOTH, "down = dx[:, : dx.shape[1] // 2]\n        " + _BOTH + "\n        dx = down",
     "get the skip's channels of the gradient"),
    (LOOPS, _BOTH, _BOTH.replace("dskips[level], dx =", "dx, dskips[level] ="), "stopped at line"),
    (LOOPS, '            dx = ops.max_pool2d_backward(dx, cache[f"pool{level}"])\n',
     "            dx = dx.repeat(2, axis=2).repeat(2, axis=3)\n",
     "hands the gradient to all four pixels of a window"),
    (LOOPS, 'ops.max_pool2d_backward(dx, cache[f"pool{level}"])',
     'ops.max_pool2d_backward(cache[f"pool{level}"], dx)', "stopped at line"),
    (LOOPS, "ops.conv2d_backward(dz, x, params", "ops.conv2d_backward(dz, z, params",
     NUMBERS),
    (LOOPS, "dx = store(\"out\", ops", "dlogits = ops.relu_backward(dlogits, ops.conv2d("
     'cache["out"], params["out.weight"], params["out.bias"]))\n    dx = store("out", ops',
     "a ReLU at the last convolution"),
    (LOOPS, "return dx\n\n    def conv_relu_backward", "return dx / len(dx)\n\n"
     "    def conv_relu_backward", "is off by a factor 0.5"),
    (LOOPS, "    return grads", "    return {k: g / len(dlogits) for k, g in grads.items()}",
     "off by a factor 0.5"),
    (LOOPS, "    return grads", "    return {k: -g for k, g in grads.items()}", "the wrong sign"),
    (LOOPS, "    return grads", '    del grads["out.bias"]\n    return grads', "have no out.bias"),
    (LOOPS, "    return grads", '    grads["x"] = dx\n    return grads', "which is no parameter"),
    (LOOPS, "    return grads", "    return list(grads)", "must return a dict"),
    (LOOPS, "dx, grads[f\"{name}.weight\"], grads[f\"{name}.bias\"] = gradients",
     "dx, grads[f\"{name}.bias\"], grads[f\"{name}.weight\"] = gradients", "has shape"),
    (LOOPS, "    return grads", "    return {k: params[k] - g for k, g in grads.items()}", NUMBERS),
    # More of the kinds that a student makes.
    (LOOPS, '            cache[f"pool{level}"] = x\n            x = ops.max_pool2d(x)\n'
     '        x = conv_relu(f"down{level}.conv1", x)\n        x = conv_relu(f"down{level}.conv2", x)\n',
     '            cache[f"pool{level}"] = x\n            x = ops.max_pool2d(x)\n'
     '        x = conv_relu(f"down{level}.conv2", x)\n        x = conv_relu(f"down{level}.conv1", x)\n',
     "stopped at line"),
    (LOOPS, '        dx = conv_relu_backward(f"up{level}.conv2", dx)\n'
     '        dx = conv_relu_backward(f"up{level}.conv1", dx)\n',
     '        dx = conv_relu_backward(f"up{level}.conv1", dx)\n'
     '        dx = conv_relu_backward(f"up{level}.conv2", dx)\n',
     "stopped at line"),
    (LOOPS, 'dx, grads[f"{name}.weight"], grads[f"{name}.bias"] = gradients',
     'dx, grads[f"{name}.weight"], b = gradients\n        grads[f"{name}.bias"] = 0 * b',
     "is zero everywhere"),
    (LOOPS, "        if level < depth:\n            dx = dx + dskips[level]",
     "        if level < depth - 1:\n            dx = dx + dskips[level]",
     "misses what came through the skip"),
    (LOOPS, "            dx = dx + dskips[level]\n",
     "            dx = dx + dskips[1]\n",
     "stopped at line"),
    (LOOPS, "    for level in range(1, depth):\n        dx = conv",
     "    for level in range(depth - 1, 0, -1):\n        dx = conv",
     "stopped at line"),
    (LOOPS, 'dx = store(name, ops.up_conv2d_backward(dx, cache[name], params[f"{name}.weight"]))',
     'store(name, ops.up_conv2d_backward(dx, cache[name], params[f"{name}.weight"]))\n'
     '        dx = dx[:, :, ::2, ::2].repeat(2, axis=1)',
     NUMBERS),
    (LOOPS, '        x = ops.up_conv2d(x, params[f"{name}.weight"], params[f"{name}.bias"])',
     '        x = ops.up_conv2d(x, params[f"{name}.weight"][:, :, ::-1, ::-1], params[f"{name}.bias"])',
     NUMBERS),
    (LOOPS, "return grads\n",
     'return {k: g if "bias" in k else g * 2 for k, g in grads.items()}\n',
     "off by a factor 2"),
    (LOOPS, "        skips[level] = x\n", "        skips[level] = x[:, ::-1]\n", NUMBERS),
]  # fmt: skip
