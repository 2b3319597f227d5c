"""The Inceptions that keras.applications lacks, against an independent implementation of the figures in NumPy."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from test_parity import call, conv, relative_difference, random_images, max_pool, randomize, relu, get_weights

import zoo

SAME = {"1x1": (0, 0), "3x3": (1, 1), "1x7": (0, 3), "7x1": (3, 0), "1x3": (0, 1), "3x1": (1, 0), "7x7": (3, 3)}


def pad_image(x, rows, columns, value=0.0):
    return np.pad(x, [(0, 0), rows, columns, (0, 0)], constant_values=value)


def average_pool(x):
    """Average 3x3 windows at the same size, without the padding."""
    sums, ones = (sliding_window_view(pad_image(array, (1, 1), (1, 1)), (3, 3), axis=(1, 2)).sum(axis=(-2, -1))
                  for array in (x, np.ones_like(x)))
    return sums / ones


def get_stride2_padding(n):
    """Return TensorFlow's "same" padding of a window of 3 with stride 2."""
    return (0, 1) if n % 2 == 0 else (1, 1)


class Network:
    """Runs the figures.

    Operations: '3x3', '3x3 v', '3x3/2 v', 'avg', 'max', 'max/2', 'max/2 v'; 'v' is valid padding, '/2' is stride 2.
    """

    def __init__(self, model):
        self.weights = get_weights(model)

    def unit(self, x, name, stride=1, padding=None):
        kernel, = self.weights[name]
        *gamma, beta, mean, variance = self.weights[f"{name}_bn"]
        x = pad_image(x, *padding) if padding else x
        x = (conv(x, kernel, stride=stride) - mean) / np.sqrt(variance + 1e-3) * (gamma[0] if gamma else 1.0) + beta
        return relu(x)

    def step(self, x, operation, name):
        kernel, _, valid = operation.partition(" ")
        kind, _, half = kernel.partition("/")
        if kind == "avg":
            return average_pool(x)
        if kind == "max" and not half:
            return max_pool(pad_image(x, (1, 1), (1, 1), -np.inf), 3, 1)
        if kind == "max":
            return max_pool(x if valid else pad_image(x, *map(get_stride2_padding, x.shape[1:3]), -np.inf), 3, 2)
        padding = None
        if not valid:
            padding = [(amount, amount) for amount in SAME[kind]]
            padding = [get_stride2_padding(n) for n in x.shape[1:3]] if half and kind == "3x3" else padding
            padding = [(2, 3) if n % 2 == 0 else (3, 3) for n in x.shape[1:3]] if half and kind == "7x7" else padding
        return self.unit(x, f"{name}_{kind}", 2 if half else 1, padding)

    def chain(self, x, operations, name):
        for letter, operation in zip("abcdefgh", operations, strict=False):
            x = self.step(x, operation, f"{name}{letter}")
        return x

    def fork(self, x, name, *chains):
        return np.concatenate([self.chain(x, operations, f"{name}_{branch}")
                               for branch, operations in enumerate(chains, 1)], -1)

    def wide(self, x, name, branch, *operations):
        """Return the outputs of an 8x8 branch that ends in parallel 1x3 and 3x1 convolutions."""
        x = self.chain(x, operations, f"{name}_{branch}")
        letter = "abcdefgh"[len(operations)]
        return [self.step(x, "1x3", f"{name}_{branch}{letter}_1a"), self.step(x, "3x1", f"{name}_{branch}{letter}_2a")]

    def residual(self, x, name, scale, *chains):
        kernel, bias = self.weights[f"{name}_linear"]
        return relu(x + scale * conv(self.fork(x, f"{name}_mixed", *chains), kernel, bias))

    def classify(self, x, name="fc"):
        kernel, bias = self.weights[name]
        return x.mean(axis=(1, 2)) @ kernel + bias


def inception_v2(net, x):
    x = net.chain(x, ["7x7/2", "max/2"], "conv1_")
    x = net.chain(x, ["1x1", "3x3", "max/2"], "conv2_")
    for name in ("3a", "3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b"):
        if name in ("3c", "4e"):
            x = net.fork(x, name, ["1x1", "3x3/2"], ["1x1", "3x3", "3x3/2"], ["max/2"])
        else:
            pool = "max" if name == "5b" else "avg"
            x = net.fork(x, name, ["1x1"], ["1x1", "3x3"], ["1x1", "3x3", "3x3"], [pool, "1x1"])
    return net.classify(x)


def stem_v4(net, x):
    x = net.chain(x, ["3x3/2 v", "3x3 v", "3x3"], "stem_")
    x = net.fork(x, "stem_d", ["max/2 v"], ["3x3/2 v"])
    x = net.fork(x, "stem_e", ["1x1", "3x3 v"], ["1x1", "1x7", "7x1", "3x3 v"])
    return net.fork(x, "stem_f", ["3x3/2 v"], ["max/2 v"])


def inception_v4(net, x):
    x = stem_v4(net, x)
    for index in range(1, 5):
        x = net.fork(x, f"A_{index}", ["1x1"], ["1x1", "3x3"], ["1x1", "3x3", "3x3"], ["avg", "1x1"])
    x = net.fork(x, "reductionA", ["3x3/2 v"], ["1x1", "3x3", "3x3/2 v"], ["max/2 v"])
    for index in range(1, 8):
        x = net.fork(x, f"B_{index}", ["1x1"], ["1x1", "1x7", "7x1"], ["1x1", "7x1", "1x7", "7x1", "1x7"],
                     ["avg", "1x1"])
    x = net.fork(x, "reductionB", ["1x1", "3x3/2 v"], ["1x1", "1x7", "7x1", "3x3/2 v"], ["max/2 v"])
    for index in range(1, 4):
        name = f"C_{index}"
        x = np.concatenate([net.chain(x, ["1x1"], f"{name}_1"), *net.wide(x, name, 2, "1x1"),
                            *net.wide(x, name, 3, "1x1", "3x1", "1x3"), net.chain(x, ["avg", "1x1"], f"{name}_4")], -1)
    return net.classify(x)


def residual_modules(net, x, reduction_b):
    for index in range(1, 6):
        x = net.residual(x, f"A_{index}", 0.17, ["1x1"], ["1x1", "3x3"], ["1x1", "3x3", "3x3"])
    x = net.fork(x, "reductionA", ["3x3/2 v"], ["1x1", "3x3", "3x3/2 v"], ["max/2 v"])
    for index in range(1, 11):
        x = net.residual(x, f"B_{index}", 0.10, ["1x1"], ["1x1", "1x7", "7x1"])
    x = net.fork(x, "reductionB", *reduction_b)
    for index in range(1, 6):
        x = net.residual(x, f"C_{index}", 0.20, ["1x1"], ["1x1", "1x3", "3x1"])
    return net.classify(x)


REDUCTION_B = (["1x1", "3x3/2 v"], ["1x1", "3x3/2 v"], ["1x1", "3x3", "3x3/2 v"], ["max/2 v"])


def inception_resnet_v1(net, x):
    x = net.chain(x, ["3x3/2 v", "3x3 v", "3x3", "max/2 v", "1x1", "3x3 v", "3x3/2 v"], "stem_")
    return residual_modules(net, x, REDUCTION_B)


def inception_resnet_v2_paper(net, x):
    return residual_modules(net, stem_v4(net, x), REDUCTION_B)


@pytest.mark.parametrize("network, shape, scale", [
    (inception_v2, (46, 33, 3), True), (inception_v4, (75, 76, 3), True), (inception_resnet_v1, (75, 76, 3), False),
    (inception_resnet_v2_paper, (76, 75, 1), False)])
def test_equal_to_the_figures_in_numpy(network, shape, scale):
    model = zoo.build(network.__name__, shape, 10, width=1 / 16, stem="paper", classifier_activation=None, scale=scale)
    randomize(model)
    batch = random_images(2, *shape)
    actual, expected = call(model, batch), network(Network(model), np.float64(batch))
    # float64 against 60 to 150 convolutions in float32, as in test_parity
    assert relative_difference(actual, expected) < 1e-4
