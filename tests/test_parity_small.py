"""The small networks of the nineties and of 2013 to 2015 against their papers' formulas, written out in NumPy."""

import keras
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from test_parity import call, conv, relative_difference, random_images, randomize, relu, get_weights

import zoo
from zoo.models.lenet_1998 import BITMAPS, parse_codes


def conv_same(x, kernel, bias):
    return conv(x, kernel, bias, pad=kernel.shape[0] // 2)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def compute_padded_size(size, window, stride):
    """Return the size that the windows of Caffe and pylearn2 cover: every pixel is in a window."""
    return int(np.ceil((size - window) / stride)) * stride + window


def ceil_windows(x, window, stride):
    """Return windows (n, height, width, channels, window, window) over x, NaN beyond its border."""
    missing = [compute_padded_size(size, window, stride) - size for size in x.shape[1:3]]
    x = np.pad(x, [(0, 0), (0, missing[0]), (0, missing[1]), (0, 0)], constant_values=np.nan)
    return sliding_window_view(x, (window, window), axis=(1, 2))[:, ::stride, ::stride]


def ceil_max_pool(x, window, stride):
    return np.nanmax(ceil_windows(x, window, stride), axis=(-2, -1))


def ceil_mean_pool(x, window, stride):
    return np.nanmean(ceil_windows(x, window, stride), axis=(-2, -1))


def batch_norm(x, weights, name):
    gamma, beta, mean, variance = weights[name]
    return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta


# ------------------------------------------------------------------------------------------------------------- lenet5

# Table I: the feature maps of S2 that each feature map of C3 reads.
TABLE_I = ["012", "123", "234", "345", "045", "015", "0123", "1234", "2345", "0345", "0145", "0125", "0134", "1245",
           "0235", "012345"]


def squash(x):
    return 1.7159 * np.tanh(2 / 3 * x)


def subsample(x, coefficient, bias):
    """Sum four neighbors, multiply by the coefficient of the feature map, and add its bias."""
    height, width = x.shape[1] // 2, x.shape[2] // 2
    y = np.zeros((len(x), height, width, x.shape[3]))
    for row in range(height):
        for column in range(width):
            for map_ in range(x.shape[3]):
                window = x[:, 2 * row:2 * row + 2, 2 * column:2 * column + 2, map_]
                y[:, row, column, map_] = window.sum(axis=(1, 2)) * coefficient[map_] + bias[map_]
    return squash(y)


def sparse_conv(x, kernels, bias):
    """Compute C3 by loops over table I. `kernels`: 5x5 for each link, those of the first feature map first."""
    y = np.zeros((len(x), 10, 10, 16)) + bias
    link = 0
    for output, maps in enumerate(TABLE_I):
        for map_ in map(int, maps):
            y[..., output] += conv(x[..., map_:map_ + 1], kernels[..., link].reshape(5, 5, 1, 1))[..., 0]
            link += 1
    assert link == 60
    return squash(y)


def lenet5_1998(x, weights):
    """Figure 2, section II-B and equation 7; returns the negative distances."""
    x = squash(conv(x, *weights["C1"]))
    x = subsample(x, *weights["S2"])
    x = sparse_conv(x, *weights["C3"])
    x = subsample(x, *weights["S4"])
    x = squash(conv(x, *weights["C5"]))[:, 0, 0]
    kernel, bias = weights["F6"]
    x = squash(x @ kernel + bias)
    codes, = weights["output"]
    return -np.stack([((x - code) ** 2).sum(axis=1) for code in codes], axis=1)


@pytest.mark.parametrize("shape, classes", [((32, 32, 1), 10), ((28, 31, 3), 4)])
def test_lenet5_1998_equals_the_paper_in_numpy(shape, classes):
    model = zoo.build("lenet5_1998", shape, classes, classifier_activation=None)
    codes = model.get_layer("output").get_weights()
    randomize(model)
    model.get_layer("output").set_weights(codes)
    batch = random_images(3, *shape)
    padded = np.float64(batch) if shape[0] == 32 else np.pad(np.float64(batch), [(0, 0), (2, 2), (0, 1), (0, 0)])
    assert relative_difference(model.predict(batch, verbose=0), lenet5_1998(padded, get_weights(model))) < 1e-5


def test_the_codes_stay_fixed_in_training():
    model = zoo.build("lenet5_1998", classifier_activation=None)
    codes, before = model.get_layer("output").get_weights()[0], model.get_layer("F6").get_weights()[0]
    assert codes.shape == (10, 84) and set(codes.ravel()) == {-1, 1}
    model.compile(keras.optimizers.SGD(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(random_images(4, 32, 32, 1), np.arange(4), verbose=0)
    assert not np.array_equal(model.get_layer("F6").get_weights()[0], before)
    np.testing.assert_array_equal(model.get_layer("output").get_weights()[0], codes)


def test_the_codes_are_clearly_different():
    codes = np.array(parse_codes(BITMAPS))
    distances = [(code != other).sum() for row, code in enumerate(codes) for other in codes[:row]]
    assert len(distances) == 45 and min(distances) >= 17  # of 84


# ---------------------------------------------------------------------------------------------------------- lenet5_bn

def lenet5_bn(x, weights):
    """The network of the course notes with all four options."""
    x = batch_norm(conv_same(x, *weights["conv1"]), weights, "conv1_bn")
    x = sliding_window_view(x, (2, 2), axis=(1, 2))[:, ::2, ::2].max(axis=(-2, -1))
    x = np.tanh(batch_norm(x, weights, "pool1_bn"))
    x = batch_norm(conv(x, *weights["conv2"]), weights, "conv2_bn")
    kernel, bias = weights["fc3"]
    x = relu(batch_norm(x.reshape(len(x), -1) @ kernel + bias, weights, "fc3_bn"))
    kernel, bias = weights["fc4"]
    return x @ kernel + bias


def test_lenet5_bn_equals_numpy():
    model = zoo.build("lenet5_bn", (14, 17, 3), 10, width=0.2, classifier_activation=None, bn_after_conv1=True,
                      bn_after_pool1=True, bn_after_conv2=True, dense_at_the_end=True)
    randomize(model)
    batch = random_images(3, 14, 17, 3)
    assert relative_difference(call(model, batch), lenet5_bn(np.float64(batch), get_weights(model))) < 1e-5


def test_lenet5_bn_clamps_its_logits_without_the_dense_layer():
    model = zoo.build("lenet5_bn", (14, 17, 3), 10, width=0.2, classifier_activation=None)
    randomize(model)
    logits = call(model, random_images(8, 14, 17, 3))
    assert logits.min() == 0 and logits.max() > 0


# ------------------------------------------------------------------------------------------------ networks in network

def nin(x, weights):
    """The authors' Caffe file."""
    for stage, kernel_size in ((1, 5), (2, 5), (3, 3)):
        for layer in (f"{kernel_size}x{kernel_size}", "1x1_1", "1x1_2"):
            x = relu(conv_same(x, *weights[f"mlpconv{stage}_{layer}"]))
        if stage < 3:
            x = (ceil_max_pool if stage == 1 else ceil_mean_pool)(x, 3, 2)
    return x.mean(axis=(1, 2))


@pytest.mark.parametrize("shape", [(32, 32, 3), (21, 26, 1)])
def test_nin_equals_numpy(shape):
    model = zoo.build("nin", shape, 10, width=0.1, classifier_activation=None)
    randomize(model)
    batch = random_images(3, *shape)
    assert relative_difference(call(model, batch), nin(np.float64(batch), get_weights(model))) < 1e-5


# ----------------------------------------------------------------------------------------------------------- highways

def highway(x, weights, name):
    """Equation 3: H(x) T(x) + x (1 - T(x))."""
    transformed = relu(conv_same(x, *weights[f"{name}_transform"]))
    gate = sigmoid(conv_same(x, *weights[f"{name}_gate"]))
    return transformed * gate + x * (1 - gate)


def highway_mnist(x, weights):
    x = relu(conv(x, *weights["conv1"]))
    for stage, depth, window in ((1, 2, 3), (2, 3, 3), (3, 3, 2)):
        for layer in range(1, depth + 1):
            x = highway(x, weights, f"highway{stage}_{layer}")
        x = ceil_max_pool(x, window, 2)
    kernel, bias = weights["fc"]
    return x.reshape(len(x), -1) @ kernel + bias


def highway_cifar(x, weights):
    for stage, depth in ((1, 4), (2, 5), (3, 5)):
        x = relu(conv_same(x, *weights[f"conv{stage}"]))
        for layer in range(1, depth + 1):
            x = highway(x, weights, f"highway{stage}_{layer}")
        x = ceil_max_pool(x, 2, 2) if stage < 3 else x
    x = relu(conv(x, *weights["conv4"])).mean(axis=(1, 2))
    kernel, bias = weights["fc"]
    return x @ kernel + bias


@pytest.mark.parametrize("name, reference, shape, width", [
    ("highway_mnist", highway_mnist, (28, 28, 1), 1), ("highway_mnist", highway_mnist, (23, 30, 3), 0.3),
    ("highway", highway_cifar, (19, 25, 3), 0.2)])
def test_highways_equal_the_paper_in_numpy(name, reference, shape, width):
    model = zoo.build(name, shape, 10, width=width, classifier_activation=None)
    randomize(model)
    batch = random_images(3, *shape)
    assert relative_difference(call(model, batch), reference(np.float64(batch), get_weights(model))) < 1e-5


@pytest.mark.parametrize("name, bias", [("highway", -2), ("highway_mnist", -1)])
def test_the_gates_start_almost_closed(name, bias):
    weights = get_weights(zoo.build(name, width=0.1))
    gates = [array for layer, (_, array) in weights.items() if layer.endswith("_gate")]
    assert len(gates) == {"highway": 14, "highway_mnist": 8}[name]
    assert all((array == bias).all() for array in gates)
    assert all((array[-1] == 0).all() for layer, array in weights.items() if not layer.endswith("_gate"))


# -------------------------------------------------------------------------------------------------------------- maxout

def maxout_units(x, pieces):
    return x.reshape(*x.shape[:-1], -1, pieces).max(axis=-1)


def maxout_mnist(x, weights):
    """The authors' mnist.yaml."""
    for name, pad, pieces, window in (("conv1", 0, 2, 4), ("conv2", 3, 2, 4), ("conv3", 3, 4, 2)):
        x = ceil_max_pool(maxout_units(conv(x, *weights[name], pad=pad), pieces), window, 2)
    kernel, bias = weights["fc4"]
    return x.reshape(len(x), -1) @ kernel + bias


def maxout_cifar(x, weights):
    """The authors' cifar10.yaml."""
    for name, pad, window in (("conv1", 4, 4), ("conv2", 3, 4), ("conv3", 3, 2)):
        x = ceil_max_pool(maxout_units(conv(x, *weights[name], pad=pad), 2), window, 2)
    kernel, bias = weights["fc4"]
    x = maxout_units(x.reshape(len(x), -1) @ kernel + bias, 5)
    kernel, bias = weights["fc5"]
    return x @ kernel + bias


@pytest.mark.parametrize("name, reference, shape, width", [
    ("maxout_mnist", maxout_mnist, (28, 28, 1), 1), ("maxout_mnist", maxout_mnist, (17, 22, 3), 0.3),
    ("maxout", maxout_cifar, (23, 18, 3), 0.1)])
def test_maxouts_equal_numpy(name, reference, shape, width):
    model = zoo.build(name, shape, 10, width=width, classifier_activation=None)
    randomize(model)
    batch = random_images(3, *shape)
    assert relative_difference(call(model, batch), reference(np.float64(batch), get_weights(model))) < 1e-5


# ---------------------------------------------------------------------------------------------------------------- MSRA

def prelu(x, slope):
    return np.maximum(x, 0) + slope * np.minimum(x, 0)


def pyramid_pool(x):
    """Return maxima over 7x7, 3x3, 2x2 and 1x1 bins that cover the feature map as evenly as possible."""
    maxima = []
    for bins in (7, 3, 2, 1):
        rows, columns = ([(size * index // bins, -(-size * (index + 1) // bins)) for index in range(bins)]
                         for size in x.shape[1:3])
        maxima += [x[:, top:bottom, left:right].max(axis=(1, 2)) for top, bottom in rows for left, right in columns]
    return np.concatenate(maxima, axis=1)


def msra_a(x, weights, small):
    """Table 3."""
    x = conv(x, *weights["conv1"], pad=1) if small else conv(x, *weights["conv1"], stride=2, pad=3)
    x = prelu(x, *weights["conv1_prelu"])
    for stage in (2, 3, 4):
        if stage > 2 or not small:
            x = x[:, :x.shape[1] // 2 * 2, :x.shape[2] // 2 * 2]  # an odd row or column is in no window
            x = np.maximum.reduce([x[:, row::2, column::2] for row in (0, 1) for column in (0, 1)])
        for layer in range(1, 6):
            x = prelu(conv_same(x, *weights[f"conv{stage}_{layer}"]), *weights[f"conv{stage}_{layer}_prelu"])
    x = pyramid_pool(x)
    for name in ("fc6", "fc7"):
        kernel, bias = weights[name]
        x = prelu(x @ kernel + bias, *weights[f"{name}_prelu"])
    kernel, bias = weights["fc8"]
    return x @ kernel + bias


@pytest.mark.parametrize("stem, shape", [("paper", (64, 75, 3)), ("small", (32, 32, 3)), ("small", (19, 30, 1))])
def test_msra_a_equals_the_paper_in_numpy(stem, shape):
    model = zoo.build("msra_a", shape, 10, width=0.05, stem=stem, classifier_activation=None)
    randomize(model)
    batch = random_images(2, *shape)
    expected = msra_a(np.float64(batch), get_weights(model), small=stem == "small")
    assert relative_difference(call(model, batch), expected) < 1e-5


def test_msra_has_a_slope_for_each_channel_and_the_papers_initial_weights():
    keras.utils.set_random_seed(0)
    weights = get_weights(zoo.build("msra_a", (32, 32, 3), 10, width=0.1))
    slopes = {name: array for name, (array, *_) in weights.items() if name.endswith("_prelu")}
    assert len(slopes) == 16 + 2 and all((array == 0.25).all() for array in slopes.values())
    assert {slope.size for slope in slopes.values()} == {9, 25, 51, 409}
    for name, (kernel, *bias) in weights.items():
        if name not in slopes:
            fan_in = np.prod(kernel.shape[:-1])
            assert np.abs(bias).max() == 0
            if kernel.size > 20_000:  # enough to distinguish it from the value without the slope, which is 3% larger
                assert kernel.std() == pytest.approx(np.sqrt(2 / (1.0625 * fan_in)), rel=0.015)


# ------------------------------------------------------------------------------------------------------------- starts

@pytest.mark.parametrize("name, first, second", [
    ("nin", "mlpconv2_1x1_1", "mlpconv2_1x1_2"), ("highway", "highway1_1_transform", "highway1_1_gate"),
    ("highway", "highway1_1_gate", "highway1_2_gate"), ("msra_a", "conv3_2", "conv3_3")])
def test_layers_of_the_same_shape_start_with_different_weights(name, first, second):
    weights = get_weights(zoo.build(name, (32, 32, 3), width=0.2))
    assert weights[first][0].shape == weights[second][0].shape
    assert not np.array_equal(weights[first][0], weights[second][0])


def test_the_initial_weights_are_those_of_the_authors():
    keras.utils.set_random_seed(0)
    nins = get_weights(zoo.build("nin"))
    assert all(kernel.std() == pytest.approx(0.05, rel=0.05) for kernel, _ in nins.values())
    highways = get_weights(zoo.build("highway"))
    for name, (kernel, _) in highways.items():
        expected = 0.05 if name == "fc" else np.sqrt(2 / np.prod(kernel.shape[:-1]))
        assert kernel.std() == pytest.approx(expected, rel=0.1)
    maxouts = get_weights(zoo.build("maxout_mnist"))
    assert all(0.0049 < np.abs(kernel).max() <= 0.005 for kernel, _ in maxouts.values())
    lenet = get_weights(zoo.build("lenet5_1998"))
    for name, fan_in in (("C1", 25), ("C5", 400), ("F6", 120)):
        kernel, bias = lenet[name]
        assert 0.9 * 2.4 / fan_in < np.abs(kernel).max() <= 2.4 / fan_in
        assert np.abs(bias).max() == 0
