"""Reference solution of exercise 16."""


def forward(x, params, depth, ops):
    cache, skips = {}, {}

    def conv_relu(name, x):
        z = ops.conv2d(x, params[f"{name}.weight"], params[f"{name}.bias"])
        cache[name] = x, z
        return ops.relu(z)

    for level in range(1, depth + 1):
        if level > 1:
            cache[f"pool{level}"] = x
            x = ops.max_pool2d(x)
        x = conv_relu(f"down{level}.conv1", x)
        x = conv_relu(f"down{level}.conv2", x)
        skips[level] = x
    for level in range(depth - 1, 0, -1):
        name = f"up{level}.upconv"
        cache[name] = x
        x = ops.up_conv2d(x, params[f"{name}.weight"], params[f"{name}.bias"])
        cache[f"concat{level}"] = skips[level], x
        x = ops.center_crop_concat(skips[level], x)
        x = conv_relu(f"up{level}.conv1", x)
        x = conv_relu(f"up{level}.conv2", x)
    cache["out"] = x
    return ops.conv2d(x, params["out.weight"], params["out.bias"]), cache


def backward(dlogits, cache, params, depth, ops):
    grads, dskips = {}, {}

    def store(name, gradients):
        dx, grads[f"{name}.weight"], grads[f"{name}.bias"] = gradients
        return dx

    def conv_relu_backward(name, dy):
        x, z = cache[name]
        dz = ops.relu_backward(dy, z)
        return store(name, ops.conv2d_backward(dz, x, params[f"{name}.weight"]))

    dx = store("out", ops.conv2d_backward(dlogits, cache["out"], params["out.weight"]))
    for level in range(1, depth):
        dx = conv_relu_backward(f"up{level}.conv2", dx)
        dx = conv_relu_backward(f"up{level}.conv1", dx)
        dskips[level], dx = ops.center_crop_concat_backward(dx, *cache[f"concat{level}"])
        name = f"up{level}.upconv"
        dx = store(name, ops.up_conv2d_backward(dx, cache[name], params[f"{name}.weight"]))
    for level in range(depth, 0, -1):
        if level < depth:
            dx = dx + dskips[level]
        dx = conv_relu_backward(f"down{level}.conv2", dx)
        dx = conv_relu_backward(f"down{level}.conv1", dx)
        if level > 1:
            dx = ops.max_pool2d_backward(dx, cache[f"pool{level}"])
    return grads
