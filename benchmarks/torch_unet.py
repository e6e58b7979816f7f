"""The same figure in PyTorch: the peer that benchmarks and comparison tests measure against.

Figure 1 of the paper with the package's own parameter names (`down1.conv1.weight`,
`up4.upconv.weight`, `out.weight`), so that a state dictionary travels both ways without renaming:
no padding, the skip cropped to its centre and put first, no ReLU after the up-convolution.
"""

import torch
from torch import nn


class DoubleConv(nn.Module):
    """Two 3×3 convolutions without padding, each followed by ReLU."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3)

    def forward(self, x):
        return torch.relu(self.conv2(torch.relu(self.conv1(x))))


class Up(DoubleConv):
    """A 2×2 up-convolution that halves the channels, the skip beside it, a double convolution."""

    def __init__(self, in_channels, out_channels):
        super().__init__(in_channels, out_channels)
        self.upconv = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)

    def forward(self, x, skip):
        x = self.upconv(x)
        top = (skip.shape[2] - x.shape[2]) // 2
        left = (skip.shape[3] - x.shape[3]) // 2
        skip = skip[:, :, top : top + x.shape[2], left : left + x.shape[3]]
        return super().forward(torch.cat([skip, x], dim=1))


class TorchUNet(nn.Module):
    """`down1` … `down{depth}` (the last is the bottom of the U), `up{depth-1}` … `up1`, `out`."""

    def __init__(self, in_channels, n_classes, depth, base):
        super().__init__()
        self.depth = depth
        channels = [in_channels] + [base * 2**level for level in range(depth)]
        for level in range(1, depth + 1):
            setattr(self, f"down{level}", DoubleConv(channels[level - 1], channels[level]))
        for level in range(depth - 1, 0, -1):
            setattr(self, f"up{level}", Up(channels[level + 1], channels[level]))
        self.out = nn.Conv2d(base, n_classes, 1)

    def forward(self, x):
        skips = []
        for level in range(1, self.depth):
            x = getattr(self, f"down{level}")(x)
            skips.append(x)
            x = nn.functional.max_pool2d(x, 2)
        x = getattr(self, f"down{self.depth}")(x)
        for level in range(self.depth - 1, 0, -1):
            x = getattr(self, f"up{level}")(x, skips.pop())
        return self.out(x)


def torch_unet(in_channels=1, n_classes=2, depth=5, base=64):
    """The network of figure 1 as an `nn.Module`, with PyTorch's own initial parameters."""
    return TorchUNet(in_channels, n_classes, depth, base)
