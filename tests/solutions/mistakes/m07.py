"""Mistakes of exercise 07, the first weights and the step."""

from solutions.mistakes import LOOPS, NUMBERS

_ROOT = "return math.sqrt(2 / incoming)"
_UP = "        incoming = shape[0]\n"
_CONV = "        incoming = math.prod(shape[1:])\n"
_V = "velocity = momentum * velocity + grad"
_P = "param = param - lr * velocity"
_KIND = '    if kind == "up-convolution":\n        incoming = shape[0]\n    else:\n'


def _v(new, expected):
    return (LOOPS, f"    {_V}\n", f"    {new}\n", expected)


def _p(new, expected):
    return (LOOPS, f"    {_P}\n", f"    {new}\n", expected)


ROWS = [
    (LOOPS, _ROOT, "return 2 / incoming", "that is the variance 2/N"),
    (LOOPS, _ROOT, "return math.sqrt(1 / incoming)", "a ReLU throws half of the square away"),
    (LOOPS, _ROOT, "return 1 / incoming", "that is 1/N"),
    (LOOPS, _ROOT, "return math.sqrt(2) / incoming", "the root is over the fraction"),
    (LOOPS, _ROOT, "return math.sqrt(6 / incoming)", "of a uniform distribution"),
    (LOOPS, _ROOT, "return math.sqrt(incoming / 2)", "the other way round"),
    (LOOPS, _ROOT, "return math.sqrt(2 / (incoming + 1))", "counts the bias as well"),
    (LOOPS, _ROOT, "return math.sqrt(3 / incoming)", "off by a factor 1.22474"),
    (LOOPS, _ROOT, "return math.sqrt(2 / incoming) / 2", "off by a factor 0.5"),
    (LOOPS, f"{_UP}    else:\n{_CONV}", "        incoming = 4 * shape[1]\n    else:\n"
     "        incoming = shape[0] * shape[2] * shape[3]\n", "counts what goes out of a pixel"),
    (LOOPS, f"{_UP}    else:\n{_CONV}", "        incoming = shape[0] + 4 * shape[1]\n    else:\n"
     "        incoming = (shape[0] + shape[1]) * shape[2] * shape[3]\n", "that is Glorot's"),
    (LOOPS, _CONV, "        incoming = shape[1]\n", "forgets the taps of the kernel"),
    (LOOPS, _CONV, "        incoming = shape[1] * shape[2]\n", "the taps along one side only"),
    (LOOPS, _CONV, "        incoming = shape[2] * shape[3]\n", NUMBERS),
    (LOOPS, _UP, "        incoming = 4 * shape[0]\n", "counts four taps"),
    (LOOPS, _UP, "        incoming = shape[1]\n", "for an up-convolution takes axis 1"),
    (LOOPS, f"{_KIND}{_CONV}", "    incoming = math.prod(shape[1:])\n",
     "you treat the up-convolution as a convolution"),
    (LOOPS, f"{_KIND}{_CONV}", "    incoming = shape[0]\n",
     "you treat the convolution as an up-convolution"),
    (LOOPS, f"{_KIND}{_CONV}", "    incoming = math.prod(shape)\n", "counts the output channels too"),
    (LOOPS, _CONV, "        incoming = shape[0] * shape[2] * shape[3]\n", "takes axis 0"),
    (LOOPS, _ROOT, "return 2 // incoming", NUMBERS),
    # The step.
    _v("velocity = momentum * velocity + (1 - momentum) * grad", "damps the gradient by 1"),
    _v("velocity = momentum * velocity + lr * grad", "is in your velocity, and again in the step"),
    (LOOPS, f"    {_V}\n    {_P}\n", "    velocity = momentum * velocity + lr * grad\n"
     "    param = param - velocity\n", "the learning rate is in your velocity: it comes in when"),
    (LOOPS, f"    {_V}\n    {_P}\n", "    velocity = momentum * velocity - lr * grad\n"
     "    param = param + velocity\n", "your velocity is −lr · g added up"),
    (LOOPS, f"    {_V}\n    {_P}\n", "    velocity = momentum * velocity - grad\n"
     "    param = param + lr * velocity\n", "points downhill already"),
    _v("velocity = momentum * velocity - grad", "your velocity subtracts the gradient"),
    _v("velocity = momentum * (velocity + grad)", "momentum multiplies the gradient as well"),
    _v("velocity = velocity + momentum * grad", "in place of the velocity"),
    _v("velocity = velocity + grad", "your velocity forgets nothing"),
    _v("velocity = grad.copy()", "your velocity is the gradient alone"),
    _v("velocity = velocity.copy()", "your velocity stays as it was"),
    _v("velocity = momentum * velocity", "your velocity lacks the gradient"),
    _v("velocity = (1 - momentum) * velocity + momentum * grad", NUMBERS),
    _v("velocity += grad", "changed its argument velocity in place"),
    _v("velocity = (momentum or 0.5) * velocity + grad", NUMBERS),
    _p("param = param + lr * velocity", "your step goes uphill"),
    _p("param = param - lr * grad", "moves along the gradient"),
    (LOOPS, f"    {_V}\n    {_P}\n", "    param = param - lr * velocity\n"
     "    velocity = momentum * velocity + grad\n", "moves along the old velocity"),
    _p("param = param - lr * (grad + momentum * velocity)", "that is Nesterov's momentum"),
    _p("param = param - velocity", "your step has no learning rate"),
    _p("param = param - velocity / lr", "divides by the learning rate"),
    _p("param = param - lr * momentum * velocity", "multiplies by momentum once more"),
    _p("param = param - lr * (1 - momentum) * velocity", "has 1 − momentum in front"),
    _p("param = -lr * velocity", "you return the step instead of the new parameter"),
    _p("param = param.copy()", "your parameter stays as it was"),
    _p("param = param - lr * velocity - 0.001 * param", NUMBERS),
    _p("param -= lr * velocity", "changed its argument param in place"),
    (LOOPS, "return param, velocity", "return velocity, param", "the parameter comes first"),
    (LOOPS, "return param, velocity", "return param", "yours returns ndarray"),
    # More of the kinds that a student makes.
    (LOOPS, "param = param - lr * velocity", "param = param - lr**2 * velocity", NUMBERS),
    (LOOPS, "+ grad", "+ grad.mean()", NUMBERS),
    (LOOPS, "+ grad", "+ __import__('numpy').sign(grad)", NUMBERS),
    (LOOPS, "+ grad", "+ __import__('numpy').clip(grad, -1, 1)", NUMBERS),
    (LOOPS, "math.prod(shape[1:])", "math.prod(shape[:-1])", NUMBERS),
    (LOOPS, "math.sqrt(2 / incoming)",
     "math.sqrt(2 / incoming) if kind == 'convolution' else math.sqrt(1 / incoming)",
     NUMBERS),
    (LOOPS, "    velocity = momentum * velocity + grad\n    param = param - lr * velocity\n",
     "    velocity = momentum * velocity + grad\n    param = param - lr * (momentum * velocity + grad)\n",
     "that is Nesterov's momentum"),
    (LOOPS, "    return param, velocity",
     "    return param, grad",
     "you return the gradient in the place of the velocity"),
]  # fmt: skip
