"""Mistakes of exercise 06, softmax and cross-entropy."""

from solutions.mistakes import ARRAYS, LOOPS, NUMBERS

_MEAN = "[known].sum() / max(known.sum(), 1)"
_LOG_P = "log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))"
_SHIFT = "shifted = logits - logits.max(axis=1, keepdims=True)"
_SKIP = "        if label == -1:\n            continue\n        z = logits[n, :, i, j]\n"
_PICK = "picked = np.take_along_axis(log_p, np.where(known, labels, 0)[:, None], axis=1)[:, 0]"
_P = "p = powers / powers.sum(axis=1, keepdims=True)"
_POWERS = "powers = np.exp(logits - logits.max(axis=1, keepdims=True))"
_NAIVE = "np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)"
_SHARE = "share = weight_map * known / max(known.sum(), 1)"
_LOSS = "-(weight_map * picked)[known].sum() / max(known.sum(), 1)"


def _log_p(new, expected):
    """Another log p in the forward pass with arrays, where `shifted` is there already."""
    return (ARRAYS, f"    {_LOG_P}\n", f"    {new}\n", expected)


ROWS = [
    # The formula.
    (ARRAYS, "return -(weight_map", "return (weight_map", "your loss has the wrong sign"),
    (LOOPS, "total -= weight_map", "total += weight_map", "your loss has the wrong sign"),
    (ARRAYS, "-(weight_map * picked)", "-picked", "your loss leaves the weights out"),
    (ARRAYS, _MEAN, "[known].sum()", "your loss is a sum instead of a mean"),
    (LOOPS, "return total / count if count else 0.0", "return total",
     "your loss is a sum instead of a mean"),
    (ARRAYS, _MEAN, "[known].sum() / max(weight_map[known].sum(), 1)",
     "divided by the sum of the weights"),
    (ARRAYS, _MEAN, "[known].sum() / len(labels)", "a mean over images of a sum over pixels"),
    (ARRAYS, _MEAN, "[known].sum() / labels[0].size", "divided by the pixels of one image"),
    (ARRAYS, _MEAN, f"{_MEAN} / logits.shape[1]", "divided by the number of classes as well"),
    (ARRAYS, _LOG_P, _LOG_P.replace("np.log(", "np.log2("), NUMBERS),
    (ARRAYS, _LOSS, f"{_LOSS} / np.log(2)", "your loss is in bits"),
    (ARRAYS, "weight_map * picked", "weight_map**2 * picked", "the weights squared"),
    _log_p("log_p = logits", "takes the logits themselves for log p"),
    _log_p("log_p = shifted", "takes the logits minus their largest for log p"),
    _log_p("log_p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)",
           "takes p for log p"),
    _log_p("log_p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True) - 1",
           "adds up 1 − p"),
    _log_p("log_p = -(1 - np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)) ** 2",
           "the squared distance"),
    _log_p("log_p = -np.log(1 + np.exp(-logits))", "your p is the sigmoid of the label's logit"),
    _log_p("log_p = logits - np.log(np.exp(logits).sum())", "divides by the sum over all pixels"),
    (ARRAYS, "np.where(known, labels, 0)[:, None]", "logits.argmax(axis=1)[:, None]",
     "the most probable class for the label"),
    # Softmax along the wrong axis.
    (ARRAYS, f"{_SHIFT}\n    {_LOG_P}",
     "shifted = logits - logits.max(axis=0, keepdims=True)\n"
     "    log_p = shifted - np.log(np.exp(shifted).sum(axis=0, keepdims=True))",
     "your softmax runs over the images (axis 0)"),
    (ARRAYS, f"{_SHIFT}\n    {_LOG_P}",
     "shifted = logits - logits.max(axis=2, keepdims=True)\n"
     "    log_p = shifted - np.log(np.exp(shifted).sum(axis=2, keepdims=True))",
     "your softmax runs down the columns (axis 2)"),
    (ARRAYS, _LOG_P, _LOG_P.replace("axis=1", "axis=-1"), NUMBERS),
    (LOOPS, "z = logits[n, :, i, j]\n        shifted", "z = logits[:, 0, i, j]\n        shifted",
     "stopped at line"),
    # Binary cross-entropy.
    (ARRAYS, f"    {_PICK}\n    return {_LOSS}",
     "    p, y = np.exp(log_p), np.arange(logits.shape[1])[:, None, None] == labels[:, None]\n"
     "    bce = -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(axis=1)\n"
     "    return (weight_map * bce)[known].sum() / known.sum()",
     "the binary cross-entropy of every class, added up"),
    (ARRAYS, f"    {_PICK}\n    return {_LOSS}",
     "    p = 1 / (1 + np.exp(-logits))\n"
     "    y = np.arange(logits.shape[1])[:, None, None] == labels[:, None]\n"
     "    bce = -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(axis=1)\n"
     "    return (weight_map * bce)[known].sum() / known.sum()",
     "the binary cross-entropy of sigmoids"),
    (ARRAYS, f"    {_PICK}\n    return {_LOSS}",
     "    p, y = np.exp(log_p), np.arange(logits.shape[1])[:, None, None] == labels[:, None]\n"
     "    bce = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(axis=1)\n"
     "    return (weight_map * bce)[known].sum() / known.sum()", NUMBERS),
    # Without infinities.
    _log_p(f"log_p = np.log({_NAIVE})", "exp overflows"),
    (ARRAYS, _SHIFT, "shifted = logits", "exp overflows"),
    (LOOPS, "shifted = z - z.max()", "shifted = z", "exp overflows"),
    (ARRAYS, _SHIFT, "shifted = logits - logits.max()", "the largest logit of all pixels"),
    (ARRAYS, _SHIFT, "shifted = logits - logits.max(axis=(1, 2, 3), keepdims=True)",
     "the largest logit of all pixels"),
    _log_p("log_p = np.log(np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True))",
           "log p of a p that is 0 in a float is −∞"),
    _log_p("log_p = np.log(np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True) + 1e-7)",
           "about 1e-07, is added to your p"),
    _log_p("log_p = np.log(np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True) + 1e-12)",
           "about 1e-12, is added to your p"),
    _log_p("log_p = np.log(np.maximum(np.exp(shifted) / np.exp(shifted).sum(axis=1, "
           "keepdims=True), 1e-10))", "about 1e-10, is added to your p, or p is cut off"),
    _log_p("log_p = np.log(np.clip(np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True), "
           "1e-3, 1))", "about 1e-03, is added to your p, or p is cut off"),
    _log_p(f"log_p = np.log({_NAIVE} + 1e-7)", "about 1e-07, is added to your p"),
    (LOOPS, "shifted = z - z.max()", "shifted = np.clip(z, -500, 500)", NUMBERS),
    # Pixels without a label.
    (LOOPS, _SKIP, "        z = logits[n, :, i, j]\n", "a label of −1 reads the last class"),
    (ARRAYS, _MEAN, "[known].sum() / labels.size", "your n counts all pixels"),
    (LOOPS, "        if label == -1:\n            continue\n        z = logits[n, :, i, j]\n"
     "        shifted", "        count += label == -1\n        if label == -1:\n"
     "            continue\n        z = logits[n, :, i, j]\n        shifted",
     "your n counts all pixels"),
    (LOOPS, "        if label == -1:\n            continue\n        z = logits[n, :, i, j]\n"
     "        shifted", "        if label <= 0:\n            continue\n"
     "        z = logits[n, :, i, j]\n        shifted", "leave out the pixels of class 0 as well"),
    (ARRAYS, "max(known.sum(), 1)\n\n", "known.sum()\n\n", "if no pixel has a label, n is 0"),
    (LOOPS, "return total / count if count else 0.0", "return total / count", "stopped at line"),
    (ARRAYS, "(weight_map * picked)[known].sum()", "(weight_map * picked).sum()", NUMBERS),
    # Form.
    (ARRAYS, f"return {_LOSS}", "return -(weight_map * picked)", "your loss must be one number"),
    (LOOPS, "return total / count if count else 0.0", "print(total / max(count, 1))",
     "softmax_cross_entropy returns None"),
    # The gradient.
    (ARRAYS, "(p - one_hot) * share", "p * share", "never takes the label into account"),
    (ARRAYS, "(p - one_hot) * share", "-one_hot * share", "stopped at line"),
    (ARRAYS, "(p - one_hot) * share", "(0 - one_hot) * share", "only −1 at the label"),
    (ARRAYS, "(p - one_hot) * share", "(p - 1) * one_hot * share", "0 elsewhere"),
    (ARRAYS, "(p - one_hot) * share", "(one_hot - p) * share", "dlogits has the wrong sign"),
    (ARRAYS, _SHARE, "share = known / max(known.sum(), 1)", "dlogits leaves the weights out"),
    (ARRAYS, _SHARE, "share = weight_map * known", "dlogits is of a sum instead of a mean"),
    (ARRAYS, _SHARE, "share = weight_map * known / max(weight_map[known].sum(), 1)",
     "dlogits is divided by the sum of the weights"),
    (ARRAYS, _SHARE, "share = weight_map * known / len(labels)", "divided by the number of images"),
    (ARRAYS, "return ((p - one_hot)", "return (p * (1 - p) * (p - one_hot)", "p(1 − p) once more"),
    (ARRAYS, "return ((p - one_hot)", "return (-(one_hot / p)", "with respect to p, −w / (n p)"),
    (ARRAYS, f"{_POWERS}\n    {_P}", f"p = {_NAIVE}", "exp overflows"),
    (ARRAYS, _POWERS, "powers = np.exp(logits - logits.max())", "the largest logit of all pixels"),
    (ARRAYS, _P, "p = powers / powers.sum(axis=-1, keepdims=True)", NUMBERS),
    (ARRAYS, f"{_POWERS}\n    {_P}", "z = np.exp(logits - logits.max(axis=3, keepdims=True))\n"
     "    p = z / z.sum(axis=3, keepdims=True)", "softmax runs along the rows (axis 3)"),
    (ARRAYS, f"{_POWERS}\n    {_P}", "p = 1 / (1 + np.exp(-logits))", "your p is a sigmoid"),
    (ARRAYS, f"{_POWERS}\n    {_P}", "p = logits", "takes the logits for p"),
    (LOOPS, "        if label == -1:\n            continue\n        z = logits[n, :, i, j]\n"
     "        powers", "        z = logits[n, :, i, j]\n        powers",
     "pixels without a label get p in yours"),
    (ARRAYS, _SHARE, "share = weight_map / max(known.sum(), 1)",
     "pixels without a label get p in yours"),
    (ARRAYS, _SHARE, "share = weight_map * known / labels.size", "your n counts all pixels"),
    (ARRAYS, ".astype(logits.dtype)", ".astype(np.float64)", "float64 for float32"),
    # The lesson's traps in the other form.
    (ARRAYS, _SHIFT, f"logits = np.maximum(logits, 0)\n    {_SHIFT}", "go through a ReLU first"),
    (LOOPS, "        shifted = z", "        z = np.maximum(z, 0)\n        shifted = z",
     "go through a ReLU first"),
    (ARRAYS, _POWERS, f"logits = np.maximum(logits, 0)\n    {_POWERS}", "go through a ReLU first"),
    (LOOPS, "log_p = shifted - math.log(np.exp(shifted).sum())",
     "log_p = np.log(np.exp(shifted) / np.exp(shifted).sum() + 1e-7)", "is added to your p"),
    (LOOPS, "log_p = shifted - math.log(np.exp(shifted).sum())",
     "log_p = np.log(np.exp(z) / np.exp(z).sum())", "exp overflows"),
    (LOOPS, "log_p = shifted - math.log(np.exp(shifted).sum())",
     "log_p = np.log(np.exp(shifted) / np.exp(shifted).sum())", "log p of a p that is 0"),
    (LOOPS, "        shifted = z - z.max()\n        log_p = shifted - math.log(np.exp(shifted).sum())",
     "        log_p = z - np.log(np.exp(logits[n, :, i]).sum(axis=1))",
     "your softmax runs along the rows (axis 3)"),
    (LOOPS, "        shifted = z - z.max()\n        log_p = shifted - math.log(np.exp(shifted).sum())",
     "        log_p = z - np.log(np.exp(logits[:, :, i, j]).sum(axis=0))",
     "your softmax runs over the images (axis 0)"),
    (LOOPS, "    return total / count if count else 0.0", "        return total / count",
     NUMBERS),
    # More of the kinds that a student makes.
    (LOOPS, "log_p[label]\n", "log_p[label - 1]\n", "labels count from 0"),
    (ARRAYS, "shifted = logits - logits.max(axis=1, keepdims=True)",
     "logits -= logits.max(axis=1, keepdims=True)\n    shifted = logits",
     "changed its argument logits in place"),
    (LOOPS, "target = 1.0 if k == label else 0.0",
     "target = 1.0 if k == label else 1.0 / len(p)",
     NUMBERS),
    (LOOPS, "- target) / count",
     "- target) / (count * len(p))",
     "2 being the number of classes: a mean"),
    (LOOPS, "dlogits = np.zeros_like(logits)",
     "dlogits = np.zeros(logits.shape, int)",
     "keeps no fractions"),
    (ARRAYS, "log_p = shifted - np.log(", "log_p = shifted - np.log10(", NUMBERS),
    (LOOPS, "            dlogits[n, k", "            dlogits[0, k", NUMBERS),
    (LOOPS, "            dlogits[n, k, i, j] = weight_map[n, i, j] * (p[k] - target) / count\n    return dlogits",
     "            dlogits[n, k, i, j] = weight_map[n, i, j] * (p[k] - target) / count\n        return dlogits",
     "is right at the first pixel and 0 at all others"),
    (LOOPS, "weight_map[n, i, j] * log_p", "weight_map[0, i, j] * log_p", NUMBERS),
]  # fmt: skip
