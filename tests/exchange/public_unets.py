"""The paper's network in the naming of two public PyTorch implementations, without padding."""

import torch
from torch import nn


def _double(in_channels, out_channels):
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3), nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, 3), nn.ReLU(),
    )  # fmt: skip


def _crop(skip, x):
    top, left = (skip.shape[2] - x.shape[2]) // 2, (skip.shape[3] - x.shape[3]) // 2
    return skip[:, :, top : top + x.shape[2], left : left + x.shape[3]]


class _DoubleConv(nn.Module):
    def __init__(self, *channels):
        super().__init__()
        self.double_conv = _double(*channels)

    def forward(self, x):
        return self.double_conv(x)


class _Down(nn.Module):
    def __init__(self, *channels):
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), _DoubleConv(*channels))

    def forward(self, x):
        return self.maxpool_conv(x)


class _Up(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
        self.conv = _DoubleConv(in_channels, out_channels)

    def forward(self, x, skip):
        x = self.up(x)
        return self.conv(torch.cat([_crop(skip, x), x], dim=1))  # the skip first


class DoubleConvUNet(nn.Module):
    def __init__(self, in_channels, n_classes, depth, base):
        super().__init__()
        width = [base * 2**k for k in range(depth)]
        self.inc = _DoubleConv(in_channels, base)
        for k in range(1, depth):
            setattr(self, f"down{k}", _Down(width[k - 1], width[k]))
            setattr(self, f"up{k}", _Up(width[depth - k], width[depth - k - 1]))
        self.outc = nn.Module()
        self.outc.conv = nn.Conv2d(base, n_classes, 1)
        self.depth = depth

    def forward(self, x):
        maps = [self.inc(x)]
        for k in range(1, self.depth):
            maps.append(getattr(self, f"down{k}")(maps[-1]))
        x = maps.pop()
        for k in range(1, self.depth):
            x = getattr(self, f"up{k}")(x, maps.pop())
        return self.outc.conv(x)


class _Block(nn.Module):
    def __init__(self, *channels):
        super().__init__()
        self.block = _double(*channels)

    def forward(self, x):
        return self.block(x)


class _UpBlock(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
        self.conv_block = _Block(in_channels, out_channels)

    def forward(self, x, bridge):
        up = self.up(x)
        return self.conv_block(torch.cat([up, _crop(bridge, up)], 1))  # the skip second


class DownPathUNet(nn.Module):
    def __init__(self, in_channels, n_classes, depth, base):
        super().__init__()
        width = [in_channels] + [base * 2**k for k in range(depth)]
        self.down_path = nn.ModuleList(_Block(width[k], width[k + 1]) for k in range(depth))
        self.up_path = nn.ModuleList(
            _UpBlock(width[k + 1], width[k]) for k in range(depth - 1, 0, -1)
        )
        self.last = nn.Conv2d(base, n_classes, 1)

    def forward(self, x):
        blocks = []
        for k, down in enumerate(self.down_path):
            x = down(x)
            if k != len(self.down_path) - 1:
                blocks.append(x)
                x = nn.functional.max_pool2d(x, 2)
        for up in self.up_path:
            x = up(x, blocks.pop())
        return self.last(x)
