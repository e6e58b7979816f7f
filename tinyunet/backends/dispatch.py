"""Which implementation stands in for which operation, and when: asked from top to bottom.

A row is (operation, implementation, condition): the implementation is a function of the backend,
which checks nothing, lays the arrays out and starts the kernels. When the operation is called, the
condition is asked with the same arguments; the first row that says yes computes instead of the
operation's text. A GPU's rows and the CPU's never apply to the same arrays. `made_here` is the
condition of a backward pass: its cache must be one that the same backend's forward pass made.
Lessons: lessons/14-fast-on-a-cpu.md, lessons/15-fast-on-a-gpu.md.
"""

from tinyunet import nn
from tinyunet.backends.cpu import operations as cpu
from tinyunet.backends.cuda import operations as cuda
from tinyunet.nn.operation import Implementation, register

# fmt: off
TABLE = (
    # On a GPU: float32 arrays of CuPy's; kernels in CUDA C, products by cuBLAS.
    (nn.conv2d,                         cuda.conv2d,                         cuda.supports_conv2d),
    (nn.conv2d_backward,                cuda.conv2d_backward,                cuda.made_here),
    (nn.conv2d_relu,                    cuda.conv2d_relu,                    cuda.supports_conv2d),
    (nn.conv2d_relu_backward,           cuda.conv2d_relu_backward,           cuda.made_here),
    (nn.conv2d_relu_max_pool,           cuda.conv2d_relu_max_pool,           cuda.supports_conv2d),
    (nn.max_pool2d,                     cuda.max_pool2d,                     cuda.supports),
    (nn.max_pool2d_backward,            cuda.max_pool2d_backward,            cuda.made_here),
    (nn.max_pool2d_skip_backward,       cuda.max_pool2d_skip_backward,       cuda.made_here),
    (nn.up_conv2d,                      cuda.up_conv2d,                      cuda.supports),
    (nn.up_conv2d_backward,             cuda.up_conv2d_backward,             cuda.made_here),
    (nn.up_conv2d_concat,               cuda.up_conv2d_concat,               cuda.supports),
    (nn.center_crop_concat,             cuda.center_crop_concat,             cuda.supports),
    (nn.center_crop_concat_backward,    cuda.center_crop_concat_backward,    cuda.made_here),
    (nn.softmax_cross_entropy,          cuda.softmax_cross_entropy,          cuda.supports_loss),
    (nn.softmax_cross_entropy_backward, cuda.softmax_cross_entropy_backward, cuda.made_loss_here),
    (nn.momentum_update,                cuda.momentum_update,                cuda.supports_update),
    # On a CPU: float32 arrays of NumPy's; kernels in numba.
    (nn.conv2d,                         cpu.conv2d,                          cpu.supports_1x1),
    (nn.conv2d_backward,                cpu.conv2d_backward,                 cpu.made_here),
    (nn.conv2d_relu,                    cpu.conv2d_relu,                     cpu.supports_3x3),
    (nn.conv2d_relu_backward,           cpu.conv2d_relu_backward,            cpu.made_here),
    (nn.conv2d_relu_max_pool,           cpu.conv2d_relu_max_pool,            cpu.supports_3x3_pool),
    (nn.max_pool2d,                     cpu.max_pool2d,                      cpu.supports),
    (nn.max_pool2d_backward,            cpu.max_pool2d_backward,             cpu.made_here),
    (nn.max_pool2d_skip_backward,       cpu.max_pool2d_skip_backward,        cpu.made_here),
    (nn.up_conv2d,                      cpu.up_conv2d,                       cpu.supports),
    (nn.up_conv2d_backward,             cpu.up_conv2d_backward,              cpu.made_here),
    (nn.up_conv2d_concat,               cpu.up_conv2d_concat,                cpu.supports),
    (nn.center_crop_concat,             cpu.center_crop_concat,              cpu.supports),
    (nn.softmax_cross_entropy,          cpu.softmax_cross_entropy,           cpu.supports_loss),
    (nn.softmax_cross_entropy_backward, cpu.softmax_cross_entropy_backward,  cpu.made_loss_here),
    (nn.momentum_update,                cpu.momentum_update,                 cpu.supports_update),
)
# fmt: on

for _row in TABLE:
    register(Implementation(*_row))
