"""The layers of zoo.layers against their formulas, written out in NumPy one number at a time."""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops
from helpers import check_text

from zoo import layers as nn

ROOT = Path(__file__).resolve().parents[1]
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
C3 = ((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5), (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5),
      (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5), (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5))


def random_array(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def call(layer, *inputs):
    return ops.convert_to_numpy(layer(inputs[0] if len(inputs) == 1 else list(inputs)))


def assert_close(actual, expected):
    """Assert that the largest difference is at most 1e-5 of the largest value."""
    assert actual.dtype == np.float32 and actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= 1e-5 * np.abs(expected).max()


def iterate_indices(array):
    return np.ndindex(*array.shape)


# ------------------------------------------------------------------------------------- LocalResponseNormalization

def lrn_by_loops(x, bias, alpha, beta, depth):
    x, y = np.float64(x), np.zeros(x.shape)
    for *at, channel in iterate_indices(x):
        total = 0.0
        for neighbor in range(channel - depth // 2, channel + depth // 2 + 1):
            if 0 <= neighbor < x.shape[-1]:
                total += x[(*at, neighbor)] ** 2
        y[(*at, channel)] = x[(*at, channel)] / (bias + alpha * total) ** beta
    return y


@pytest.mark.parametrize("shape, constants", [
    ((2, 3, 5, 7), (2.0, 0.3, 0.75, 5)),
    ((2, 4, 3, 2), (1.0, 0.3, 0.75, 5)),  # fewer channels than neighbors
    ((3, 1, 2, 1), (1.0, 2.0, 0.5, 3)),
    ((3, 6), (0.5, 1.5, 1.2, 1)),
    ((1, 2, 2, 23), (1.0, 1e-4 / 5, 0.75, 11)),
])
def test_response_normalization(shape, constants):
    x = 10 * random_array(*shape)
    assert_close(call(nn.LocalResponseNormalization(*constants), x), lrn_by_loops(x, *constants))


def test_response_normalization_by_hand():
    layer = nn.LocalResponseNormalization(bias=1, alpha=1, beta=1, depth=3)
    assert_close(call(layer, np.float32([[1, 2, -3, 0]])), np.array([[1 / 6, 2 / 15, -3 / 14, 0]]))


@pytest.mark.parametrize("policy, x, constants", [
    ("mixed_float16", [[300.0, -400.0, 500.0]], (1.0, 1e-5, 0.75, 3)),  # float16 ends at 65,504, below each square
    ("mixed_bfloat16", [[0.5, -1.0, 0.25]], (1.0, 0.002, 100.0, 3)),  # bfloat16 rounds 1.002 to 1, here a factor of 0.8
    # rounding the input first gives an error of a tenth
    ("mixed_bfloat16", [[0.503, -1.003, 0.25]], (0.5, 1.0, 10.0, 3)),
])
def test_response_normalization_never_computes_in_half_precision(policy, x, constants):
    half = policy.removeprefix("mixed_")
    x = np.float32(x)
    actual = nn.LocalResponseNormalization(*constants, dtype=policy)(x)
    assert keras.backend.standardize_dtype(actual.dtype) == half
    rounded = ops.cast(nn.LocalResponseNormalization(*constants)(x), half)
    actual, rounded = (ops.convert_to_numpy(ops.cast(array, "float32")) for array in (actual, rounded))
    assert np.array_equal(actual, rounded)
    exact = lrn_by_loops(x, *constants)
    assert np.abs(actual - exact).max() < 0.005 * np.abs(exact).max()  # one rounding, at the end


# ----------------------------------------------------------------------------------------------- Maxout, sums, gates

@pytest.mark.parametrize("shape, pieces", [((2, 3, 5, 12), 3), ((4, 10), 5), ((2, 3, 4), 1), ((2, 1, 1, 2), 2)])
def test_maxout(shape, pieces):
    x = random_array(*shape)
    expected = np.zeros((*shape[:-1], shape[-1] // pieces))
    for *at, unit in iterate_indices(expected):
        expected[(*at, unit)] = max(x[(*at, unit * pieces + piece)] for piece in range(pieces))
    assert_close(call(nn.Maxout(pieces), x), expected)


def test_maxout_takes_consecutive_channels():
    assert call(nn.Maxout(2), np.float32([[1, 2, 8, 4, -6, -5]])).tolist() == [[2, 8, -5]]


def test_highway():
    x, transformed, gate = (random_array(2, 3, 5, 4, seed=seed) for seed in range(3))
    expected = np.zeros(x.shape)
    for at in iterate_indices(x):
        expected[at] = np.float64(transformed[at]) * gate[at] + np.float64(x[at]) * (1 - np.float64(gate[at]))
    assert_close(call(nn.Highway(), x, transformed, gate), expected)
    outputs = call(nn.Highway(), np.float32([[2, 2, 2]]), np.float32([[10, 10, 10]]), np.float32([[0, 0.25, 1]]))
    assert outputs.tolist() == [[2, 4, 10]]  # closed gate: the input; open gate: the transform


def test_scaled_add():
    x, residual = random_array(2, 3, 5, 4), random_array(2, 3, 5, 4, seed=1)
    assert_close(call(nn.ScaledAdd(0.17), x, residual), np.float64(x) + 0.17 * np.float64(residual))
    assert call(nn.ScaledAdd(0.25), np.float32([[1, 2]]), np.float32([[8, -4]])).tolist() == [[3, 1]]


def test_channel_padding():
    x = random_array(2, 3, 5, 4)
    expected = np.zeros((2, 3, 5, 6), "float32")
    for at in iterate_indices(x):
        expected[at] = x[at]
    assert np.array_equal(call(nn.ChannelPadding(6), x), expected)
    assert call(nn.ChannelPadding(3), np.float32([[1, 2]])).tolist() == [[1, 2, 0]]
    assert call(nn.ChannelPadding(2), np.float32([[1, 2]])).tolist() == [[1, 2]]


# ------------------------------------------------------------------------------------------------------- LeNet-5's own

def test_scaled_tanh():
    x = np.linspace(-4, 4, 33, dtype="float32")
    expected = np.array([1.7159 * math.tanh(2 * float(value) / 3) for value in x])
    assert_close(ops.convert_to_numpy(nn.scaled_tanh(ops.convert_to_tensor(x))), expected)
    assert expected[20] == pytest.approx(1, abs=1e-4) and x[20] == 1  # the purpose of the constants


def randomize_weights(layer, *shape):
    """Build `layer` for inputs of a shape and set random weights; return them by name."""
    layer.build((None, *shape))
    layer.set_weights([random_array(*weight.shape, seed=seed) for seed, weight in enumerate(layer.weights, start=1)])
    return {weight.name: np.float64(ops.convert_to_numpy(weight)) for weight in layer.weights}


@pytest.mark.parametrize("size, pool_size", [((6, 4), 2), ((5, 7), 2), ((7, 9), 3)])
def test_trainable_subsampling(size, pool_size):
    layer = nn.TrainableSubsampling(pool_size, activation=nn.scaled_tanh)
    weights, x = randomize_weights(layer, *size, 3), random_array(2, *size, 3)
    expected = np.zeros((2, size[0] // pool_size, size[1] // pool_size, 3))
    for image, row, column, channel in iterate_indices(expected):
        total = 0.0
        for y in range(row * pool_size, row * pool_size + pool_size):
            for z in range(column * pool_size, column * pool_size + pool_size):
                total += x[image, y, z, channel]
        a = weights["coefficient"][channel] * total + weights["bias"][channel]
        expected[image, row, column, channel] = 1.7159 * math.tanh(2 / 3 * a)
    assert_close(call(layer, x), expected)


def test_trainable_subsampling_sums():
    layer = nn.TrainableSubsampling()
    layer.build((None, 2, 2, 1))
    layer.set_weights([np.array([0.5]), np.array([3.0])])
    assert call(layer, np.float32([1, 2, 3, 4]).reshape(1, 2, 2, 1)).item() == 0.5 * 10 + 3


def test_trainable_subsampling_starts_within_the_papers_limit():
    layer = nn.TrainableSubsampling()
    layer.build((None, 28, 28, 1000))
    coefficient, bias = layer.get_weights()
    assert layer.count_params() == 2000 and not bias.any()
    assert coefficient.min() < -0.58 and 0.58 < coefficient.max() and np.abs(coefficient).max() <= 0.6


@pytest.mark.parametrize("table, size, kernel_size", [
    (C3, (6, 8), 5),
    (((1,), (0, 2), (0, 1, 2)), (5, 4), 3),
    (((0,),), (1, 2), 1),
])
def test_sparse_convolution(table, size, kernel_size):
    inputs = 1 + max(map(max, table))
    layer = nn.SparseConv2D(table, kernel_size, activation="relu")
    weights, x = randomize_weights(layer, *size, inputs), random_array(2, *size, inputs)
    expected = np.zeros((2, size[0] - kernel_size + 1, size[1] - kernel_size + 1, len(table)))
    for image, row, column, output_map in iterate_indices(expected):
        total, link = weights["bias"][output_map], sum(map(len, table[:output_map]))
        for input_map in table[output_map]:
            for y in range(kernel_size):
                for z in range(kernel_size):
                    total += weights["kernel"][y, z, link] * x[image, row + y, column + z, input_map]
            link += 1
        expected[image, row, column, output_map] = max(total, 0.0)
    assert_close(call(layer, x), expected)


def test_sparse_convolution_by_hand():
    layer = nn.SparseConv2D([[1, 0], [1]], 1)  # a row's order does not matter
    layer.build((None, 1, 1, 2))
    layer.set_weights([np.array([2.0, 3.0, 5.0]).reshape(1, 1, 3), np.array([0.5, 0.25])])
    x = np.float32([10, 100]).reshape(1, 1, 1, 2)
    assert call(layer, x).ravel().tolist() == [2 * 10 + 3 * 100 + 0.5, 5 * 100 + 0.25]


def test_sparse_convolution_of_lenet5():
    keras.utils.set_random_seed(0)
    layer = nn.SparseConv2D(C3, 5)
    layer.build((None, 14, 14, 6))
    assert {weight.name: tuple(weight.shape) for weight in layer.weights} == {"kernel": (5, 5, 60), "bias": (16,)}
    assert layer.count_params() == 1516
    kernel, bias = layer.get_weights()
    start = 0
    for inputs in C3:  # the fewer inputs a feature map has, the larger its initial kernels
        magnitudes, limit = np.abs(kernel[:, :, start : start + len(inputs)]), 2.4 / (25 * len(inputs))
        assert 0.9 * limit < magnitudes.max() <= limit * (1 + 1e-6)
        start += len(inputs)
    assert not bias.any()


def test_rbf():
    codes = np.sign(random_array(10, 84, seed=5))
    x, expected = 1.7 * random_array(3, 84), np.zeros((3, 10))
    for image, label in iterate_indices(expected):
        expected[image, label] = -sum((float(x[image, j]) - codes[label, j]) ** 2 for j in range(84))
    layer = nn.RBF(codes.tolist())
    assert_close(call(layer, x), expected)
    assert layer.trainable_weights == [] and layer.count_params() == 840
    assert np.array_equal(layer.get_weights()[0], codes)
    assert call(nn.RBF(((1, 1), (-1, 1))), np.float32([[1, 1], [0, 3]])).tolist() == [[0, -4], [-5, -5]]


@pytest.mark.parametrize("policy", POLICIES[1:])
def test_rbf_never_computes_in_half_precision(policy):
    near = 16 + 2**-7  # 16 in half precision
    x = np.full((1, 300), near, "float32")
    x[0, 0] = -near
    codes = [[1] * 300, [-1] + [1] * 299]
    expected = [[-(near + 1) ** 2 - 299 * (near - 1) ** 2, -300 * (near - 1) ** 2]]
    assert_close(call(nn.RBF(codes, dtype=policy), x), np.array(expected))


# ----------------------------------------------------------------------------------------------------------- pooling

def caffe_pool(x, pool_size, stride, reduce):
    """Pool with the windows of Caffe's pooling_layer.cpp, each clipped to the image."""
    batch, *size, channels = x.shape
    counts, windows = [], []
    for length in size:
        window = min(pool_size, length)
        count = math.ceil((length - window) / stride) + 1
        if (count - 1) * stride >= length:
            count -= 1
        counts.append(count)
        windows.append(window)
    y = np.zeros((batch, *counts, channels))
    for image, row, column, channel in iterate_indices(y):
        top, left = row * stride, column * stride
        y[image, row, column, channel] = reduce(
            [float(x[image, i, j, channel]) for i in range(top, min(top + windows[0], size[0]))
             for j in range(left, min(left + windows[1], size[1]))])
    return y


def mean(values):
    return sum(values) / len(values)


POOLS = [(nn.CeilMaxPooling2D, max), (nn.CeilAveragePooling2D, mean)]


@pytest.mark.parametrize("layer, reduce", POOLS)
@pytest.mark.parametrize("rows, columns, pool_size, stride", [
    (33, 12, 4, 2),  # 16 rows, where "same" has 17
    (8, 7, 3, 2),  # extends beyond the bottom, not the right
    (7, 8, 3, 2),
    (6, 6, 3, 2),
    (8, 11, 2, 2),
    (9, 10, 5, 3),
    (2, 5, 3, 2),  # the window shrinks to 2 rows
    (1, 1, 3, 2),
    (5, 4, 1, 3),  # a third window along the rows would start outside
    (6, 9, 2, 5),
])
def test_ceil_pooling(layer, reduce, rows, columns, pool_size, stride):
    x = random_array(2, rows, columns, 3) - 4  # negative, so that a zero from padding would be detected
    assert_close(call(layer(pool_size, stride), x), caffe_pool(x, pool_size, stride, reduce))


@pytest.mark.parametrize("layer, expected", [(nn.CeilMaxPooling2D, [[4, 5], [7, 8]]),
                                             (nn.CeilAveragePooling2D, [[2, 3.5], [6.5, 8]])])
def test_ceil_pooling_by_hand(layer, expected):
    x = np.arange(9, dtype="float32").reshape(1, 3, 3, 1)  # 0 1 2, 3 4 5, 6 7 8
    assert call(layer(2, 2), x)[0, :, :, 0].tolist() == expected


@pytest.mark.parametrize("policy", POLICIES[1:])
@pytest.mark.parametrize("layer, reduce", POOLS)
def test_ceil_pooling_in_half_precision(policy, layer, reduce):
    # integers, which half precision represents exactly
    x = np.float32(np.random.default_rng(0).integers(-9, 0, (2, 6, 7, 3)))
    actual = ops.convert_to_numpy(ops.cast(layer(3, 2, dtype=policy)(x), "float32"))
    expected = caffe_pool(x, 3, 2, reduce)
    assert actual.shape == expected.shape and np.abs(actual - expected).max() <= (0 if reduce is max else 0.06)


@pytest.mark.parametrize("rows, columns, bins", [
    (7, 7, (7, 3, 2, 1)), (14, 14, (7, 3, 2, 1)), (13, 10, (6, 3, 2, 1)),
    (5, 9, (7, 3, 2, 1)), (2, 3, (7, 3, 2, 1)), (1, 1, (4, 1, 2)), (1, 6, (3,)),
])
def test_spatial_pyramid(rows, columns, bins):
    x, expected = random_array(2, rows, columns, 3) - 4, []
    for image in x:
        flat = []
        for n in bins:
            for i in range(n):
                for j in range(n):
                    top, bottom = math.floor(i * rows / n), math.ceil((i + 1) * rows / n)
                    left, right = math.floor(j * columns / n), math.ceil((j + 1) * columns / n)
                    for channel in range(3):
                        flat.append(max(image[y, z, channel] for y in range(top, bottom) for z in range(left, right)))
        expected.append(flat)
    assert_close(call(nn.SpatialPyramidPooling2D(bins), x), np.array(expected))


def test_spatial_pyramid_by_hand():
    x = np.stack([np.arange(9.0).reshape(3, 3), -np.arange(9.0).reshape(3, 3)], axis=-1)[None]
    pooled = call(nn.SpatialPyramidPooling2D((2, 1)), np.float32(x))
    assert pooled.tolist() == [[4, 0, 5, -1, 7, -3, 8, -4, 8, 0]]  # the bins of 2 share the middle row and column


# -------------------------------------------------------------------------------------------------------- PixelScaling

def test_pixels_by_hand():
    color, gray = np.uint8([[[[10, 20, 30]]]]), np.uint8([[[[10]]]])
    layer = nn.PixelScaling([1, 2, 0.5], [-1, 0, 3])
    assert_close(call(layer, color), np.array([[[[9, 40, 18]]]]))
    assert_close(call(layer, gray), np.array([[[[9, 20, 8]]]]))
    assert_close(call(nn.PixelScaling([1, 2, 0.5], [-1, 0, 3], "bgr"), color), np.array([[[[18, 40, 9]]]]))


# --------------------------------------------------------------------------------------------------- as Keras layers

LAYERS = {  # name: (layer, shapes of its inputs without the batch)
    "lrn": (lambda **also: nn.LocalResponseNormalization(2.0, 1e-4, 0.75, depth=3, **also), [(5, 6, 4)]),
    "maxout": (lambda **also: nn.Maxout(2, **also), [(5, 6, 4)]),
    "highway": (lambda **also: nn.Highway(**also), [(5, 6, 4)] * 3),
    "scaled_add": (lambda **also: nn.ScaledAdd(0.2, **also), [(5, 6, 4)] * 2),
    "channels": (lambda **also: nn.ChannelPadding(6, **also), [(5, 6, 4)]),
    "subsampling": (lambda **also: nn.TrainableSubsampling(3, activation=nn.scaled_tanh, **also), [(7, 6, 4)]),
    "sparse": (lambda **also: nn.SparseConv2D([[3, 1], [0]], 3, activation="tanh", **also), [(7, 6, 4)]),
    "rbf": (lambda **also: nn.RBF([[1, -1, 1], [-1, -1, 1]], **also), [(3,)]),
    "max": (lambda **also: nn.CeilMaxPooling2D(3, 2, **also), [(8, 7, 4)]),
    "average": (lambda **also: nn.CeilAveragePooling2D(3, 2, **also), [(8, 7, 4)]),
    "pixels": (lambda **also: nn.PixelScaling([1, 2, 0.5], [-1, 0, 3], "bgr", **also), [(5, 6, 3)]),
    "pyramid": (lambda **also: nn.SpatialPyramidPooling2D((3, 1), **also), [(4, 7, 4)]),
}


def test_every_layer_is_tested():
    public = {getattr(nn, name) for name in nn.__all__} - {nn.scaled_tanh}
    assert {type(make()) for make, _ in LAYERS.values()} == public


@pytest.mark.parametrize("make", [make for make, _ in LAYERS.values()], ids=LAYERS)
def test_a_config_makes_the_same_layer(make):
    layer = make(name="mine")
    config = layer.get_config()
    copy = type(layer).from_config(json.loads(json.dumps(config)))
    assert copy.get_config() == config and copy.name == "mine"


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("make, shapes", LAYERS.values(), ids=LAYERS)
def test_symbolic_and_actual_outputs_have_the_same_shape_and_dtype(make, shapes, policy):
    layer = make(dtype=policy)
    symbols = [keras.Input(shape) for shape in shapes]
    symbol = layer(symbols[0] if len(symbols) == 1 else symbols)
    inputs = [random_array(2, *shape) for shape in shapes]
    outputs = layer(inputs[0] if len(inputs) == 1 else inputs)
    dtype = "float32" if isinstance(layer, nn.RBF) else layer.compute_dtype
    assert (2, *symbol.shape[1:]) == tuple(outputs.shape) and symbol.shape[0] is None
    assert symbol.dtype == dtype == keras.backend.standardize_dtype(outputs.dtype)
    assert np.isfinite(ops.convert_to_numpy(ops.cast(outputs, "float32"))).all()


@pytest.mark.parametrize("make, pins", [
    (lambda: nn.LocalResponseNormalization(2.0, 1e-4, 0.75, depth=4), ("depth", "4")),
    (lambda: nn.LocalResponseNormalization(0.0, 1e-4, 0.75), ("bias=0.0", "alpha=0.0001")),
    (lambda: nn.Maxout(0), ("pieces", "1", "0")),
    (lambda: nn.Maxout(3)(random_array(2, 4)), ("Maxout", "3", "4")),
    (lambda: nn.ChannelPadding(0), ("channels", "1", "0")),
    (lambda: nn.ChannelPadding(3)(random_array(2, 4)), ("ChannelPadding", "3", "4")),
    (lambda: nn.TrainableSubsampling(0), ("pool_size", "1", "0")),
    (lambda: nn.TrainableSubsampling(3)(random_array(1, 2, 4, 1)), ("2x4", "3x3")),
    (lambda: nn.SparseConv2D([[0], []], 3), ("table", "[[0], []]")),
    (lambda: nn.SparseConv2D([[0, 0]], 3), ("table", "[[0, 0]]")),
    (lambda: nn.SparseConv2D([[0]], 0), ("kernel_size", "1", "0")),
    (lambda: nn.SparseConv2D([[5]], 1)(random_array(1, 2, 2, 2)), ("table", "5", "2")),
    (lambda: nn.SparseConv2D([[0]], 3)(random_array(1, 2, 4, 1)), ("2x4", "3x3")),
    (lambda: nn.RBF([[1, -1], [1]]), ("codes", "+1", "-1")),
    (lambda: nn.RBF([[1, 0]]), ("codes", "+1", "-1")),
    (lambda: nn.RBF([[1, -1]])(random_array(2, 3)), ("2", "(2, 3)")),
    (lambda: nn.CeilMaxPooling2D(0, 2), ("pool_size", "strides", "1", "0", "2")),
    (lambda: nn.CeilAveragePooling2D(2, 0), ("pool_size", "strides", "1", "2", "0")),
    (lambda: nn.PixelScaling([1], [0, 0]), ("scale", "offset", "[1]", "[0, 0]")),
    (lambda: nn.PixelScaling([1], [0], "gbr"), ("rgb", "bgr", "'gbr'")),
    (lambda: nn.SpatialPyramidPooling2D(()), ("bins", "1", "()")),
])
def test_invalid_arguments_are_refused(make, pins):
    with pytest.raises(ValueError) as error:
        make()
    check_text(str(error.value), *pins)
    assert "\n" not in str(error.value)


def make_model():
    """Return a model with all the layers."""
    image = keras.Input((13, 14, 3))
    x = layers.Conv2D(8, 3, padding="same", activation=nn.scaled_tanh, name="conv1")(image)
    x = nn.LocalResponseNormalization(1.0, 0.1, 0.75, name="norm")(x)
    x = nn.Maxout(2, name="maxout")(x)
    gate = layers.Conv2D(4, 1, activation="sigmoid", name="gate")(x)
    x = nn.Highway(name="highway")([x, layers.Conv2D(4, 3, padding="same", name="transform")(x), gate])
    x = nn.ScaledAdd(0.3, name="add")([x, layers.Conv2D(4, 1, name="residual")(x)])
    x = nn.SparseConv2D([[0, 1], [2], [3, 0, 1]], 3, activation=nn.scaled_tanh, name="sparse")(x)
    x = nn.ChannelPadding(5, name="channels")(x)
    x = layers.Concatenate(name="join")([nn.CeilMaxPooling2D(3, 2, name="max")(x),
                                         nn.CeilAveragePooling2D(3, 2, name="average")(x)])
    x = nn.TrainableSubsampling(activation=nn.scaled_tanh, name="subsampling")(x)
    x = nn.SpatialPyramidPooling2D((2, 1), name="pyramid")(x)
    x = layers.Dense(7, name="dense")(x)
    return keras.Model(image, nn.RBF([[1, -1, 1, -1, 1, -1, 1], [1, 1, 1, 1, -1, -1, -1]], name="output")(x))


@pytest.mark.parametrize("policy", POLICIES)
def test_a_step_of_training_changes_every_weight_but_the_codes(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = make_model()
    finally:
        keras.config.set_dtype_policy(before)
    old = {weight.path: ops.convert_to_numpy(weight) for weight in model.weights}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # A scaled loss can overflow at first, and its step would be skipped.
    model.compile(keras.optimizers.SGD(0.01), loss, auto_scale_loss=False)
    model.fit(random_array(4, 13, 14, 3), np.array([0, 1, 1, 0]), verbose=0)
    for weight in model.weights:
        new = ops.convert_to_numpy(weight)
        assert np.isfinite(new).all()
        assert np.array_equal(new, old[weight.path]) == (weight.name == "codes"), weight.path
    assert sum(len(layer.trainable_weights) for layer in model.layers) == len(model.weights) - 1


@pytest.fixture(scope="module")
def saved_folder(tmp_path_factory):
    """Write a folder with the model as a .keras file, images, and its outputs for them."""
    folder = tmp_path_factory.mktemp("saved")
    model = make_model()
    rng = np.random.default_rng(3)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    images = random_array(5, 13, 14, 3)
    model.save(folder / "network.keras")
    np.savez(folder / "images.npz", images=images, expected=ops.convert_to_numpy(model(images)))
    return folder


def compare_in_process(folder, load, backend):
    code = f"""
import sys
{load}
import numpy as np
folder = sys.argv[1]
arrays = np.load(f"{{folder}}/images.npz")
outputs = model.predict(arrays["images"], verbose=0)
print(np.abs(outputs - arrays["expected"]).max() / np.abs(arrays["expected"]).max())
"""
    process = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, cwd=ROOT,
                             env={**os.environ, "KERAS_BACKEND": backend})
    assert process.returncode == 0, process.stderr
    return float(process.stdout.split()[-1])


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_saved_model_gives_the_same_outputs_on_each_backend(saved_folder, backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"the backend {backend} is not installed")
    load = "import zoo.layers, keras; model = keras.saving.load_model(sys.argv[1] + '/network.keras')"
    assert compare_in_process(saved_folder, load, backend) < 1e-5


def test_zoo_load_finds_the_layers(saved_folder):
    """In a process that has not imported them; it is the test of the saved model on the default backend, too."""
    load = "import zoo; model = zoo.load(sys.argv[1] + '/network.keras')"
    assert compare_in_process(saved_folder, load, keras.backend.backend()) < 1e-5
