"""ResNets in PyTorch with torchvision's module names, written from the papers: a slow second implementation.

PostActivation: He et al. 2015 (arXiv:1512.03385); PreActivation: He et al. 2016 (arXiv:1603.05027) for CIFAR.
"""

import torch
from torch import nn
from torch.nn import functional as f


class PostActivation(nn.Module):
    """`outputs` are the channels after each stage, whose numbers of blocks are `depths`."""

    def __init__(self, depths, outputs, classes, *, bottleneck=False, cifar=False, small_stem=False):
        super().__init__()
        self.bottleneck, self.pad, self.small = bottleneck, cifar, cifar or small_stem
        channels = outputs[0] // 4 if bottleneck else outputs[0]
        self.conv1 = nn.Conv2d(3, channels, 3 if self.small else 7, 1 if self.small else 2, 1 if self.small else 3,
                               bias=False)
        self.bn1, self.fc = nn.BatchNorm2d(channels), nn.Linear(outputs[-1], classes)
        self.stages = []
        for stage, (depth, filters) in enumerate(zip(depths, outputs, strict=True), start=1):
            blocks = nn.Sequential()
            for index in range(depth):
                stride = 2 if stage > 1 and index == 0 else 1
                blocks.append(self.make_block(channels, filters, stride))
                channels = filters
            self.add_module(f"layer{stage}", blocks)
            self.stages.append(blocks)

    def make_block(self, channels, filters, stride):
        block, inner = nn.Module(), filters // 4 if self.bottleneck else filters
        shapes = [(channels, inner, 1, 1), (inner, inner, 3, stride), (inner, filters, 1, 1)] if self.bottleneck else \
            [(channels, filters, 3, stride), (filters, filters, 3, 1)]
        for index, (before, after, kernel, step) in enumerate(shapes, start=1):
            block.add_module(f"conv{index}", nn.Conv2d(before, after, kernel, step, kernel // 2, bias=False))
            block.add_module(f"bn{index}", nn.BatchNorm2d(after))
        if not self.pad and (stride > 1 or channels != filters):
            block.downsample = nn.Sequential(nn.Conv2d(channels, filters, 1, stride, bias=False),
                                             nn.BatchNorm2d(filters))
        return block

    def forward(self, x):
        x = f.relu(self.bn1(self.conv1(x)))
        x = x if self.small else f.max_pool2d(x, 3, 2, 1)
        for block in (block for stage in self.stages for block in stage):
            y = x
            for index in (1, 2, 3) if self.bottleneck else (1, 2):
                y = getattr(block, f"bn{index}")(getattr(block, f"conv{index}")(y))
                y = y if index == (3 if self.bottleneck else 2) else f.relu(y)
            x = block.downsample(x) if hasattr(block, "downsample") else shorten(x, y)
            x = f.relu(x + y)
        return self.fc(x.mean((2, 3)))


def shorten(x, y):
    """Return the identity, or where `y` is smaller and wider, every second pixel with channels of zeros (option A)."""
    if x.shape != y.shape:
        zeros = x.new_zeros(len(x), y.shape[1] - x.shape[1], *y.shape[2:])
        x = torch.cat([x[:, :, ::2, ::2], zeros], 1)
    return x


def imagenet(name, classes, width, **keywords):
    """Return torchvision's resnet18, 34, 50, ... at a multiple of its width."""
    bottleneck = name not in ("resnet18_v1", "resnet34_v1")
    depths = {"resnet18_v1": (2, 2, 2, 2), "resnet101": (3, 4, 23, 3), "resnet152": (3, 8, 36, 3)}
    outputs = [int(filters * width) for filters in ((256, 512, 1024, 2048) if bottleneck else (64, 128, 256, 512))]
    return PostActivation(depths.get(name, (3, 4, 6, 3)), outputs, classes, bottleneck=bottleneck, **keywords)


def cifar(depth, classes):
    return PostActivation([(depth - 2) // 6] * 3, (16, 32, 64), classes, cifar=True)


class PreActivation(nn.Module):
    """The authors' networks for CIFAR, in which every block has its normalization, shared with its first shortcut."""

    def __init__(self, depth, classes):
        super().__init__()
        self.is_wide = depth == 164
        self.conv1, channels = nn.Conv2d(3, 16, 3, 1, 1, bias=False), 16
        self.blocks = nn.ModuleList()
        for stage, filters in enumerate((64, 128, 256) if self.is_wide else (16, 32, 64)):
            for index in range(18):
                block, stride, inner = nn.Module(), 2 if stage and index == 0 else 1, filters // 4
                block.is_first = index == 0
                block.bns, block.convs = nn.ModuleList(), nn.ModuleList()
                shapes = [(channels, inner, 1, stride), (inner, inner, 3, 1), (inner, filters, 1, 1)] if self.is_wide \
                    else [(channels, filters, 3, stride), (filters, filters, 3, 1)]
                for before, after, kernel, step in shapes:
                    block.bns.append(nn.BatchNorm2d(before))
                    block.convs.append(nn.Conv2d(before, after, kernel, step, kernel // 2, bias=False))
                if self.is_wide and block.is_first:
                    block.project = nn.Conv2d(channels, filters, 1, stride, bias=False)
                self.blocks.append(block)
                channels = filters
        self.bn, self.fc = nn.BatchNorm2d(channels), nn.Linear(channels, classes)

    def forward(self, x):
        x = self.conv1(x)
        for block in self.blocks:
            y = f.relu(block.bns[0](x))
            if block.is_first:  # the two paths split after the activation
                x = y
            x = block.project(x) if hasattr(block, "project") else x
            for norm, convolution in zip([None, *block.bns[1:]], block.convs, strict=True):
                y = convolution(y if norm is None else f.relu(norm(y)))
            x = shorten(x, y) + y
        return self.fc(f.relu(self.bn(x)).mean((2, 3)))

    def list_layers(self):
        """Yield (layer name in zoo, module)."""
        yield "conv1", self.conv1
        for number, block in enumerate(self.blocks):
            name = f"conv{number // 18 + 2}_{number % 18 + 1}"
            names = ["conv1_bn" if number == 0 else f"{name}_preact_bn", f"{name}_conv1_bn", f"{name}_conv2_bn"]
            yield from zip(names, block.bns, strict=False)
            yield from ((f"{name}_conv{index}", module) for index, module in enumerate(block.convs, start=1))
            if hasattr(block, "project"):
                yield f"{name}_shortcut", block.project
        yield "conv4_bn", self.bn
        yield "fc", self.fc
