"""Inception v3 in PyTorch with torchvision's module names, implemented from the paper's figures and those names.

Average pooling excludes the padding.
"""

import torch
from torch import nn
from torch.nn import functional as f


class Unit(nn.Module):
    def __init__(self, channels, filters, kernel, **keywords):
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, kernel, bias=False, **keywords)
        self.bn = nn.BatchNorm2d(filters, eps=0.001)

    def forward(self, x):
        return f.relu(self.bn(self.conv(x)))


def average_pool(x):
    return f.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


class Mixed(nn.Module):
    """A module: `chains` are branches, lists of (name, filters, (rows, columns), stride)."""

    def __init__(self, channels, width, chains, kind):
        super().__init__()
        self.kind, self.chains = kind, []
        for chain in chains:
            names, size = [], channels
            for name, filters, (rows, columns), stride in chain:
                filters = int(filters * width)
                padding = (rows // 2, columns // 2) if stride == 1 else 0
                self.add_module(name, Unit(size, filters, (rows, columns), stride=stride, padding=padding))
                names.append(name)
                if not name.endswith("a"):  # the layer named b has the same input as a
                    size = filters
            self.chains.append(names)

    def run(self, names, x):
        for name in names:
            x = getattr(self, name)(x)
        return x

    def forward(self, x):
        outputs = []
        for names in self.chains:
            if names[-1].endswith("b"):  # two parallel last layers
                branch_input = self.run(names[:-2], x)
                outputs += [getattr(self, name)(branch_input) for name in names[-2:]]
            else:
                outputs.append(self.run(names, average_pool(x) if names == ["branch_pool"] else x))
        return torch.cat([*outputs, f.max_pool2d(x, 3, 2)] if self.kind == "smaller" else outputs, 1)


def make_unit(name, filters, rows, columns=None, stride=1):
    return name, filters, (rows, columns or rows), stride


def make_grid35(pool):
    return [[make_unit("branch1x1", 64, 1)], [make_unit("branch5x5_1", 48, 1), make_unit("branch5x5_2", 64, 5)],
            [make_unit("branch3x3dbl_1", 64, 1), make_unit("branch3x3dbl_2", 96, 3),
             make_unit("branch3x3dbl_3", 96, 3)],
            [make_unit("branch_pool", pool, 1)]]


def make_grid17(c):
    return [[make_unit("branch1x1", 192, 1)],
            [make_unit("branch7x7_1", c, 1), make_unit("branch7x7_2", c, 1, 7), make_unit("branch7x7_3", 192, 7, 1)],
            [make_unit("branch7x7dbl_1", c, 1), make_unit("branch7x7dbl_2", c, 7, 1),
             make_unit("branch7x7dbl_3", c, 1, 7),
             make_unit("branch7x7dbl_4", c, 7, 1), make_unit("branch7x7dbl_5", 192, 1, 7)],
            [make_unit("branch_pool", 192, 1)]]


TO_17 = [[make_unit("branch3x3", 384, 3, stride=2)],
         [make_unit("branch3x3dbl_1", 64, 1), make_unit("branch3x3dbl_2", 96, 3),
          make_unit("branch3x3dbl_3", 96, 3, stride=2)]]
TO_8 = [[make_unit("branch3x3_1", 192, 1), make_unit("branch3x3_2", 320, 3, stride=2)],
        [make_unit("branch7x7x3_1", 192, 1), make_unit("branch7x7x3_2", 192, 1, 7),
         make_unit("branch7x7x3_3", 192, 7, 1), make_unit("branch7x7x3_4", 192, 3, stride=2)]]
GRID8 = [[make_unit("branch1x1", 320, 1)],
         [make_unit("branch3x3_1", 384, 1), make_unit("branch3x3_2a", 384, 1, 3), make_unit("branch3x3_2b", 384, 3, 1)],
         [make_unit("branch3x3dbl_1", 448, 1), make_unit("branch3x3dbl_2", 384, 3),
          make_unit("branch3x3dbl_3a", 384, 1, 3), make_unit("branch3x3dbl_3b", 384, 3, 1)],
         [make_unit("branch_pool", 192, 1)]]
MODULES = {"Mixed_5b": (make_grid35(32), ""), "Mixed_5c": (make_grid35(64), ""), "Mixed_5d": (make_grid35(64), ""),
           "Mixed_6a": (TO_17, "smaller"), "Mixed_6b": (make_grid17(128), ""), "Mixed_6c": (make_grid17(160), ""),
           "Mixed_6d": (make_grid17(160), ""), "Mixed_6e": (make_grid17(192), ""), "Mixed_7a": (TO_8, "smaller"),
           "Mixed_7b": (GRID8, ""), "Mixed_7c": (GRID8, "")}


class Inception(nn.Module):
    def __init__(self, classes, width):
        super().__init__()
        w = [int(filters * width) for filters in (32, 32, 64, 80, 192)]
        self.Conv2d_1a_3x3 = Unit(3, w[0], 3, stride=2)
        self.Conv2d_2a_3x3 = Unit(w[0], w[1], 3)
        self.Conv2d_2b_3x3 = Unit(w[1], w[2], 3, padding=1)
        self.Conv2d_3b_1x1 = Unit(w[2], w[3], 1)
        self.Conv2d_4a_3x3 = Unit(w[3], w[4], 3)
        channels = w[4]
        for name, (chains, kind) in MODULES.items():
            module = Mixed(channels, width, chains, kind)
            self.add_module(name, module)
            with torch.no_grad():
                channels = module.eval()(torch.zeros(1, channels, 9, 9)).shape[1]
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(f.max_pool2d(x, 3, 2)))
        x = f.max_pool2d(x, 3, 2)
        for name in MODULES:
            x = getattr(self, name)(x)
        return self.fc(x.mean((2, 3)))


def inception_v3(classes, width):
    return Inception(classes, width)
