"""Mistakes of exercise 11, the step of training."""

from solutions.mistakes import LOOPS, NUMBERS

_FORWARD = "logits, cache = net.forward(image, train=True)"
_STEP = "    optimiser.step(grads)\n"
_LOSS = "loss, loss_cache = nn.softmax_cross_entropy(logits, labels, weight_map)"
_RETURN = "    return loss"

ROWS = [
    (LOOPS, ", train=True", "", "drop-out is switched off"),
    (LOOPS, "labels, weight_map)\n    dl", "labels)\n    dl", "you leave the weights out"),
    (LOOPS, _RETURN, "    return nn.softmax_cross_entropy(logits, labels)[0]",
     "in the gradient and not in the loss"),
    (LOOPS, "(loss_cache)", "(nn.softmax_cross_entropy(logits, labels)[1])",
     "in the loss and not in its gradient"),
    (LOOPS, _STEP, "", "your step changes nothing"),
    (LOOPS, _STEP, _STEP * 2, "your step updates twice"),
    (LOOPS, "step(grads)", "step({name: -g for name, g in grads.items()})", "uphill"),
    (LOOPS, "step(grads)", "step({name: 2 * g for name, g in grads.items()})", "are doubled"),
    (LOOPS, "step(grads)", "step({name: g / labels.size for name, g in grads.items()})",
     "divided by the number of pixels once more"),
    (LOOPS, _STEP, "    for name, g in grads.items():\n        net.params[name] -= optimiser.lr * g\n",
     "forgets the velocity of the one before"),
    (LOOPS, _STEP, "    type(optimiser)(net.params, optimiser.lr, optimiser.momentum).step(grads)\n",
     "forgets the velocity of the one before"),
    (LOOPS, _STEP, "    for v in optimiser.velocity.values():\n        v[...] = 0\n" + _STEP,
     "forgets the velocity of the one before"),
    (LOOPS, _RETURN, "    logits, _ = net.forward(image, train=True)\n"
     "    return nn.softmax_cross_entropy(logits, labels, weight_map)[0]",
     "a second forward pass, after the update"),
    (LOOPS, _RETURN, "    logits, _ = net.forward(image)\n"
     "    return nn.softmax_cross_entropy(logits, labels, weight_map)[0]",
     "a second forward pass, after the update"),
    (LOOPS, f"    {_FORWARD}\n    {_LOSS}\n",
     "    evaluated = nn.softmax_cross_entropy(net.forward(image)[0], labels, weight_map)[0]\n"
     f"    {_FORWARD}\n    {_LOSS}\n    loss = evaluated\n",
     "a forward pass without drop-out"),
    (LOOPS, f"    {_LOSS}\n", f"    logits = nn.softmax(logits)\n    {_LOSS}\n",
     "you take the softmax before softmax_cross_entropy"),
    (LOOPS, _RETURN, "    return loss * labels.size", "multiplied by the number of pixels"),
    (LOOPS, _RETURN, "    return loss / labels.size", "divided by the number of pixels once more"),
    (LOOPS, _RETURN, "    return loss / weight_map.mean()", "divided by the mean weight"),
    (LOOPS, _RETURN, "    return loss + 0.001 * sum((p**2).sum() for p in net.params.values())",
     NUMBERS),
    (LOOPS, f"    {_FORWARD}\n", f"    net.forward(image, train=True)\n    {_FORWARD}\n", NUMBERS),
    (LOOPS, _RETURN, "    return logits", "your loss is an array of shape"),
    (LOOPS, _RETURN, "    return loss, grads", "your loss is tuple"),
    (LOOPS, _RETURN, "", "training_step returns None"),
    (LOOPS, "net.backward(dlogits, cache)", "net.backward(loss, cache)", "stopped at line"),
    (LOOPS, "step(grads)", "step(dlogits)", "stopped at line"),
    (LOOPS, _FORWARD, f"image *= 1.5\n    {_FORWARD}", "changed its argument image in place"),
    # More of the kinds that a student makes.
    (LOOPS, "net.backward(dlogits, cache)",
     "net.backward(dlogits * weight_map[:, None], cache)",
     "your weights are in the gradient twice"),
    (LOOPS, "labels, weight_map)\n    dl",
     "labels, weight_map / weight_map.mean())\n    dl",
     "you divide the weight map by its mean"),
    (LOOPS, "net.forward(image, train=True)", "net.forward(image / 255, train=True)", NUMBERS),
    (LOOPS, "(logits, labels, weight_map)", "(logits, 1 - labels, weight_map)", NUMBERS),
    (LOOPS, "    return loss", "    return round(float(loss), 2)", NUMBERS),
    (LOOPS, "optimiser.step(grads)",
     "optimiser.step({name: g.clip(-0.001, 0.001) for name, g in grads.items()})",
     NUMBERS),
    (LOOPS, "optimiser.step(grads)",
     "optimiser.step({name: 0 * g if 'bias' in name else g for name, g in grads.items()})",
     "your biases do not move"),
    (LOOPS, "    optimiser.step(grads)\n",
     "    optimiser.lr *= 0.9\n    optimiser.step(grads)\n",
     "off by a factor 0.9"),
    (LOOPS, "optimiser.step(grads)",
     "optimiser.step({**grads, 'out.weight': 0 * grads['out.weight']})",
     NUMBERS),
]  # fmt: skip
