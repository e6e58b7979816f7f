"""What must hold for all sizes: linearity, adjoints, conserved sums, seamless tiles.

Each property is a function of small drawn shapes and a seed. The suite tries a few dozen cases of
each, always the same ones; `pytest -m slow tests/test_properties.py` tries many more, new ones
every time. Where the network has a fast path, float32 goes through it and float64 does not.

An operation A and its backward Aᵀ are judged by ⟨A x, y⟩ = ⟨x, Aᵀ y⟩: it holds for random x and y
only if every single element of the backward is right. The symmetries of scores and weight maps
are in test_properties_symmetry.py.
"""

import numpy as np
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from properties import (
    TOLERANCE,
    Draw,
    channels,
    check_adjoint,
    check_close,
    dot,
    dtypes,
    holds_for,
    images,
    length,
    many_more,
    seeds,
    sides,
)

from tinyunet import UNet, geometry, nn
from tinyunet import _numba as jit
from tinyunet.augment import Transform, apply_transform
from tinyunet.augment.field import source_coordinates
from tinyunet.augment.reference import sample_cubic, sample_linear
from tinyunet.backends.cpu import operations as cpu
from tinyunet.inference.predict import predict_tiled
from tinyunet.nn.im2col import col2im, im2col
from tinyunet.nn.sgd import SGD

kernel_sides = st.sampled_from([(1, 1), (3, 3), (2, 2), (1, 4), (5, 3)])
drawn = {"n": images, "c": channels, "o": channels, "h": sides, "w": sides, "seed": seeds}


def convolution(n, c, o, h, w, kernel, seed, dtype):
    """x and weight of a convolution whose output has h×w pixels, and the drawer of more arrays."""
    draw = Draw(seed, dtype)
    x = draw(n, c, h + kernel[0] - 1, w + kernel[1] - 1)
    return draw, x, draw(o, c, *kernel)


@holds_for(**drawn, kernel=kernel_sides, dtype=dtypes)
def test_a_convolution_is_linear_in_the_image(n, c, o, h, w, kernel, seed, dtype):
    draw, x1, weight = convolution(n, c, o, h, w, kernel, seed, dtype)
    x2, none = draw(*x1.shape), np.zeros(o, dtype)
    a, b = np.array([1.5, -0.75], dtype)
    y1, y2, y = (nn.conv2d(x, weight, none)[0] for x in (x1, x2, a * x1 + b * x2))
    check_close(y, a * y1 + b * y2, dtype, scale=1 + np.abs(y1).max() + np.abs(y2).max())


@holds_for(**drawn, kernel=kernel_sides, dtype=dtypes)
def test_a_convolution_is_linear_in_weight_and_bias(n, c, o, h, w, kernel, seed, dtype):
    draw, x, w1 = convolution(n, c, o, h, w, kernel, seed, dtype)
    w2, b1, b2 = draw(*w1.shape), draw(o), draw(o)
    y1, y2 = nn.conv2d(x, w1, b1)[0], nn.conv2d(x, w2, b2)[0]
    y = nn.conv2d(x, w1 - 2 * w2, b1 - 2 * b2)[0]
    check_close(y, y1 - 2 * y2, dtype, scale=1 + np.abs(y1).max() + np.abs(y2).max())


@holds_for(**drawn, kernel=kernel_sides, dtype=dtypes)
def test_conv2d_backward_is_the_adjoint_in_all_three_arguments(n, c, o, h, w, kernel, seed, dtype):
    draw, x, weight = convolution(n, c, o, h, w, kernel, seed, dtype)
    bias, none = draw(o), np.zeros(o, dtype)
    dy = draw(n, o, h, w)
    dx, dweight, dbias = nn.conv2d_backward(dy, nn.conv2d(x, weight, bias)[1])
    other_x, other_weight = draw(*x.shape), draw(*weight.shape)
    check_adjoint((other_x, nn.conv2d(other_x, weight, none)[0]), (dy, dx), dtype)
    check_adjoint((other_weight, nn.conv2d(x, other_weight, none)[0]), (dy, dweight), dtype)
    of_bias = np.broadcast_to(bias[:, None, None], dy.shape)
    check_adjoint((bias, of_bias), (dy, dbias), dtype)


@holds_for(**drawn, dtype=dtypes, need_dx=st.booleans())
def test_conv2d_relu_backward_is_the_adjoint_at_fixed_decisions(
    n, c, o, h, w, seed, dtype, need_dx
):
    """Where the output is positive, the operation is a convolution; elsewhere it is nothing."""
    draw, x, weight = convolution(n, c, o, h, w, (3, 3), seed, dtype)
    bias, none = draw(o), np.zeros(o, "f8")
    y, cache = nn.conv2d_relu(x, weight, bias)
    assert isinstance(cache, cpu.Saved) == (dtype == "float32" and jit.available())
    dy = draw(n, o, h, w)
    dx, dweight, dbias = nn.conv2d_relu_backward(dy.copy(), cache, need_dx)
    open_ = dy * (y > 0)
    other = draw(*weight.shape)
    exact = nn.conv2d(x.astype("f8"), other.astype("f8"), none)[0]
    check_adjoint((other, exact), (open_, dweight), dtype)
    check_adjoint((bias, np.broadcast_to(bias[:, None, None], dy.shape)), (open_, dbias), dtype)
    if need_dx:
        other = draw(*x.shape)
        exact = nn.conv2d(other.astype("f8"), weight.astype("f8"), none)[0]
        check_adjoint((other, exact), (open_, dx), dtype)
    else:
        assert dx is None


@holds_for(**drawn, dtype=dtypes)
def test_up_conv2d_is_linear_and_its_backward_is_the_adjoint(n, c, o, h, w, seed, dtype):
    draw = Draw(seed, dtype)
    x, weight, bias = draw(n, c, h, w), draw(c, o, 2, 2), draw(o)
    none = np.zeros(o, dtype)
    y, cache = nn.up_conv2d(x, weight, bias)
    dy = draw(n, o, 2 * h, 2 * w)
    dx, dweight, dbias = nn.up_conv2d_backward(dy, cache)
    other_x, other_weight = draw(*x.shape), draw(*weight.shape)
    through_x = nn.up_conv2d(other_x, weight, none)[0]
    check_adjoint((other_x, through_x), (dy, dx), dtype)
    check_adjoint((other_weight, nn.up_conv2d(x, other_weight, none)[0]), (dy, dweight), dtype)
    check_adjoint((bias, np.broadcast_to(bias[:, None, None], dy.shape)), (dy, dbias), dtype)
    both = nn.up_conv2d(x + other_x, weight, bias)[0]
    check_close(both, y + through_x, dtype, scale=1 + np.abs(both).max())


@holds_for(**drawn, dtype=dtypes)
def test_pooling_conserves_gradient_and_is_the_adjoint_of_choosing(n, c, o, h, w, seed, dtype):
    """At fixed decisions pooling picks one pixel of four; its adjoint puts the gradient there."""
    draw = Draw(seed, dtype)
    x = np.round(draw(n, c, 2 * h, 2 * w))  # with ties
    y, cache = nn.max_pool2d(x)
    dy = draw(n, c, h, w)
    dx = nn.max_pool2d_backward(dy, cache)
    windows = dx.reshape(n, c, h, 2, w, 2)
    check_close(windows.sum(axis=(3, 5)), dy, dtype)  # so the whole sum is conserved too
    check_close(dx.sum(), dy.sum(dtype="f8"), dtype, scale=np.abs(dy).sum())
    assert ((windows != 0).sum(axis=(3, 5)) == 1).all()
    # ⟨P x, dy⟩ = ⟨x, Pᵀ dy⟩ for the very x that decided, where P x is y
    check_adjoint((x, y), (dy, dx), dtype)


@holds_for(**drawn, dtype=dtypes, more=st.tuples(st.integers(0, 5), st.integers(0, 5)))
def test_crop_and_concatenation_conserve_gradient(n, c, o, h, w, seed, dtype, more):
    draw = Draw(seed, dtype)
    skip, x = draw(n, c, h + more[0], w + more[1]), draw(n, o, h, w)
    y, cache = nn.center_crop_concat(skip, x)
    dy = draw(*y.shape)
    dskip, dx = nn.center_crop_concat_backward(dy, cache)
    assert (dskip.shape, dx.shape) == (skip.shape, x.shape)
    assert abs(dot(skip, dskip) + dot(x, dx) - dot(y, dy)) <= 1e-12 * length(y) * length(dy)
    # nothing is computed: the same numbers, each once
    came = np.sort(np.concatenate([dskip[dskip != 0], dx.ravel()]))
    assert_array_equal(came, np.sort(dy.ravel()))


@holds_for(**drawn, dtype=dtypes, rate=st.floats(0, 0.9))
def test_dropout_is_linear_and_its_own_adjoint(n, c, o, h, w, seed, dtype, rate):
    draw = Draw(seed, dtype)
    x, dy = draw(n, c, h, w), draw(n, c, h, w)
    rng = np.random.default_rng(seed)
    y, cache = nn.dropout(x, rate, rng)
    check_adjoint((x, y), (dy, nn.dropout_backward(dy, cache)), dtype)
    twice, _ = nn.dropout(2 * x, rate, np.random.default_rng(seed))
    assert_array_equal(twice, 2 * y)
    kept = y != 0
    check_close(y[kept], x[kept] / (1 - rate), dtype)


@holds_for(**drawn, kernel=kernel_sides, dtype=dtypes)
def test_col2im_is_the_adjoint_of_im2col(n, c, o, h, w, kernel, seed, dtype):
    draw, x, _ = convolution(n, c, o, h, w, kernel, seed, dtype)
    columns = im2col(x, kernel)
    assert columns.shape == (n, c * kernel[0] * kernel[1], h * w)
    dcolumns = draw(*columns.shape)
    check_adjoint((x, columns), (dcolumns, col2im(dcolumns, x.shape, kernel)), dtype)


@holds_for(**drawn, dtype=dtypes)
def test_relu_scales_and_is_its_own_adjoint_at_fixed_decisions(n, c, o, h, w, seed, dtype):
    draw = Draw(seed, dtype)
    x, dy = draw(n, c, h, w), draw(n, c, h, w)
    y, cache = nn.relu(x)
    check_adjoint((x, y), (dy, nn.relu_backward(dy, cache)), dtype)
    assert_array_equal(nn.relu(4 * x)[0], 4 * y)
    assert_array_equal(y - nn.relu(-x)[0], x)


@holds_for(n=images, k=st.integers(2, 6), h=sides, w=sides, seed=seeds, dtype=dtypes)
def test_cross_entropy_of_shifted_logits_and_scaled_weights(n, k, h, w, seed, dtype):
    draw = Draw(seed, dtype)
    # multiples of 1/1024 and whole shifts: their sums are exact in float32 as well
    logits, weights = np.rint(3072 * draw(n, k, h, w)) / 1024, np.abs(draw(n, h, w))
    labels = draw.rng.integers(0, k, (n, h, w))

    def loss_and_gradient(logits, weights):
        loss, cache = nn.softmax_cross_entropy(logits, labels, weights)
        return float(loss), nn.softmax_cross_entropy_backward(cache)

    loss, gradient = loss_and_gradient(logits, weights)
    largest = weights.max() / labels.size  # of p − 1, which is rounded as 1 is
    # softmax does not see what is added to all classes of a pixel
    shifted = loss_and_gradient(logits + np.rint(20 * draw(n, 1, h, w)), weights)
    atol = TOLERANCE[dtype] * weights.max()  # likewise where p is almost 1, and log p almost 0
    assert_allclose(shifted[0], loss, rtol=TOLERANCE[dtype], atol=atol)
    check_close(shifted[1], gradient, dtype, scale=largest)
    # so no gradient lies in that direction
    check_close(gradient.sum(axis=1), np.zeros((n, h, w)), dtype, scale=largest)
    # and the loss is linear in the weights, a pixel at a time
    scale = 3 * np.abs(draw(n, h, w))
    assert_allclose(loss_and_gradient(logits, 4 * weights)[0], 4 * loss, rtol=TOLERANCE[dtype])
    scaled = loss_and_gradient(logits, scale * weights)[1]
    check_close(scaled, scale[:, None] * gradient, dtype, scale=largest * scale.max())
    # the gradient pulls the label's logit up and all others down, by less than w / n
    own = np.take_along_axis(gradient, labels[:, None], axis=1)[:, 0]
    assert (own <= 0).all()
    assert (np.abs(gradient) <= weights[:, None] / labels.size * (1 + 1e-6)).all()


@holds_for(
    shapes=st.lists(st.tuples(sides, sides), min_size=1, max_size=3),
    rate=st.floats(1e-3, 10),
    momentum=st.floats(0, 0.99),
    steps=st.integers(1, 4),
    seed=seeds,
    dtype=dtypes,
)
def test_sgd_is_linear_in_the_gradients(shapes, rate, momentum, steps, seed, dtype):
    """Far enough from convex: the steps add up, those of g + h are those of g and of h."""
    draw = Draw(seed, dtype)

    def path(gradients):
        params = {str(i): np.zeros(shape, dtype) for i, shape in enumerate(shapes)}
        sgd = SGD(params, rate, momentum)
        for grads in gradients:
            sgd.step(dict(zip(params, grads, strict=True)))
        return [np.concatenate([v.ravel() for v in d.values()]) for d in (params, sgd.velocity)]

    g, h = ([[draw(*shape) for shape in shapes] for _ in range(steps)] for _ in range(2))
    both = [[2 * a + b for a, b in zip(*pair, strict=True)] for pair in zip(g, h, strict=True)]
    sums = zip(path(g), path(h), path(both), strict=True)
    for of_g, of_h, of_both in sums:
        scale = 2 * np.abs(of_g).max() + np.abs(of_h).max()
        check_close(of_both, 2 * of_g + of_h, dtype, scale=scale)
    # a constant gradient g: v = (1 + m + m² …) g
    (velocity,) = {tuple(path([g[0]] * steps)[1])}
    series = sum(momentum**i for i in range(steps))
    first = np.concatenate([a.ravel() for a in g[0]])
    check_close(np.array(velocity), series * first, dtype)


@st.composite
def networks(draw, deepest=3):
    """(net, tile): a small network of any depth, biases not zero, and a tile that fits."""
    depth = draw(st.integers(1, deepest))
    net = UNet(
        in_channels=draw(st.integers(1, 3)),
        n_classes=draw(st.integers(2, 4)),
        depth=depth,
        base_channels=draw(st.integers(1, 4 if depth < 4 else 1)),
        dropout=draw(st.sampled_from([0, 0.4])),
        seed=draw(seeds),
        dtype=draw(dtypes),
        device="cpu",
    )
    for name, value in net.params.items():
        if name.endswith("bias"):
            value[...] = net.rng.uniform(-0.2, 0.2, value.shape)
    sizes = geometry.legal_sizes(depth, geometry.smallest_size(depth) + 14)
    return net, (draw(st.sampled_from(sizes)), draw(st.sampled_from(sizes)))


@holds_for(network=networks(), n=st.integers(1, 2), seed=seeds)
def test_the_whole_backward_is_linear_in_the_upstream_gradient(network, n, seed):
    net, tile = network
    draw = Draw(seed, net.dtype)
    x = draw(n, net.in_channels, *tile)
    logits, cache = net.forward(x, train=True)
    u, v = draw(*logits.shape), draw(*logits.shape)

    def back(dlogits):
        grads, dx = net.backward(dlogits, cache, input_gradient=True)
        return {**grads, "x": dx}

    of_u, of_v, of_both = back(u.copy()), back(v.copy()), back(2 * u - v)
    # Rounding is relative to the terms that were added up, and where they cancel a whole tensor may
    # be nothing but rounding: so to the network's largest gradient, not to the tensor's.
    scale = max(2 * np.abs(of_u[name]).max() + np.abs(of_v[name]).max() for name in of_u)
    for name, gradient in of_both.items():
        expected = 2 * of_u[name].astype("f8") - of_v[name]
        check_close(gradient, expected, net.dtype.name, scale=scale)


@holds_for(network=networks(), seed=seeds)
def test_the_logits_gradient_of_the_last_layer_is_conserved(network, seed):
    """The last bias is added everywhere: its gradient is the whole upstream gradient, by class."""
    net, tile = network
    draw = Draw(seed, net.dtype)
    logits, cache = net.forward(draw(1, net.in_channels, *tile))
    dlogits = draw(*logits.shape)
    grads = net.backward(dlogits.copy(), cache)
    scale = np.abs(dlogits).sum(axis=(0, 2, 3)).max()
    expected = dlogits.sum(axis=(0, 2, 3), dtype="f8")
    check_close(grads["out.bias"], expected, net.dtype.name, scale=scale)


@holds_for(
    network=networks(deepest=4),  # from depth 4 on a tile's output is no multiple of the step
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    more=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    average=st.sampled_from([1, 1, 2, 5]),
    seed=seeds,
)
def test_tiles_equal_the_whole(network, height, width, more, average, seed):
    """Any image, any tile that can be laid side by side: the map of one pass over all of it."""
    net, _ = network
    image = Draw(seed, net.dtype)(net.in_channels, height, width)
    s = geometry.scale(net.depth)
    tile = tuple(geometry.input_size(s + m * s // 2, net.depth) for m in more)
    shape = (net.n_classes, height, width)
    whole = geometry.input_size(max(height, width), net.depth)
    in_one = predict_tiled(net, image, whole, average, out=np.empty(shape))
    in_tiles = predict_tiled(net, image, tile, average, out=np.empty(shape))
    assert_allclose(in_tiles, in_one, rtol=0, atol={8: 1e-12, 4: 2e-5}[net.dtype.itemsize])
    assert_allclose(in_tiles.sum(axis=0), 1, rtol=0, atol=1e-5)


@st.composite
def transforms(draw):
    """A transform of a small frame: any angle, flips, elastic or not."""
    size = draw(st.tuples(st.integers(1, 20), st.integers(1, 20)))
    rng = np.random.default_rng(draw(seeds))
    grid = draw(st.sampled_from([None, (3, 3), (2, 4)]))
    return Transform(
        size=size,
        centre=tuple(rng.uniform(-5, 25, 2)),
        angle=float(draw(st.sampled_from([0, 90, 180, 270, 33.3, -71]))),
        flip=draw(st.tuples(st.booleans(), st.booleans())),
        displacement=None if grid is None else rng.normal(0, 4, (2, *grid)),
    )


@holds_for(transform=transforms(), h=st.integers(1, 20), w=st.integers(1, 20), seed=seeds)
def test_resampling_is_linear_in_the_image_and_keeps_what_is_constant(transform, h, w, seed):
    draw = Draw(seed)
    a, b = draw(2, h, w), draw(2, h, w)
    points = source_coordinates(transform)
    for sample in (sample_cubic, sample_linear):
        both = sample(a - 3 * b, points)
        check_close(both, sample(a, points) - 3 * sample(b, points), "float64", scale=9)
        assert_allclose(sample(np.full((1, h, w), 7.0), points), 7, rtol=1e-12)
    for plain in (False, True):  # the compiled pass and the plain one, image and weights at once
        of_a, of_b, of_both = (
            apply_transform(transform, image, weight_map=image, plain=plain)
            for image in (a, b, a - 3 * b)
        )
        for kind in ("image", "weight_map"):
            parts = getattr(of_a, kind) - 3 * getattr(of_b, kind)
            check_close(getattr(of_both, kind), parts, "float64", scale=9)


@holds_for(transform=transforms(), h=st.integers(1, 20), w=st.integers(1, 20), seed=seeds)
def test_a_window_of_a_transform_is_cut_out_of_the_whole(transform, h, w, seed):
    image = Draw(seed)(h, w)
    labels = (image > 0).astype(np.uint8)
    rng = np.random.default_rng(seed)
    origin = tuple(int(rng.integers(0, n)) for n in transform.size)
    size = tuple(
        int(rng.integers(1, n - o + 1)) for n, o in zip(transform.size, origin, strict=True)
    )
    cut = tuple(slice(o, o + n) for o, n in zip(origin, size, strict=True))
    for plain in (False, True):
        whole = apply_transform(transform, image, labels, plain=plain)
        window = apply_transform(transform, image, labels, origin=origin, size=size, plain=plain)
        assert_array_equal(window.image, whole.image[cut])
        assert_array_equal(window.labels, whole.labels[cut])


@holds_for(transform=transforms(), factor=st.floats(-2, 2), seed=seeds)
def test_the_displacement_is_linear_in_its_vectors(transform, factor, seed):
    vectors = Draw(seed)(2, 3, 4)

    def displaced(vectors):
        numbers = {**transform.to_dict(), "displacement": vectors}
        return source_coordinates(Transform(**numbers))

    rest = displaced(None)
    moved = displaced(vectors) - rest
    assert_allclose(displaced(factor * vectors) - rest, factor * moved, rtol=0, atol=1e-11)
    # one vector for all control points moves every pixel by just that
    same = displaced(np.broadcast_to(vectors[:, :1, :1], (2, 3, 4))) - rest
    expected = np.broadcast_to(vectors[:, :1, :1], same.shape)
    assert_allclose(same, expected, rtol=0, atol=1e-11)


test_many_more_cases = many_more(globals())
