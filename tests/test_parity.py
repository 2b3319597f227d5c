"""The networks against second implementations: keras.applications, and the papers written out in NumPy."""

import keras
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import zoo


def difference(found, expected):
    """The largest difference, relative to the largest value."""
    assert found.shape == expected.shape
    assert np.abs(expected).max() > 0
    return np.abs(found - expected).max() / np.abs(expected).max()


def randomize(model, seed=0):
    """Give every weight a random value at which signals neither die nor explode; biases and statistics too."""
    rng = np.random.default_rng(seed)
    values = []
    for variable in model.weights:
        shape = tuple(variable.shape)
        if len(shape) > 1:  # a kernel
            values.append(rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape))
        elif variable.name in ("gamma", "moving_variance"):
            values.append(rng.uniform(0.2, 1.2, shape))
        else:
            values.append(rng.normal(0, 0.2, shape))
    model.set_weights(values)


def images(*shape):
    return np.random.default_rng(1).normal(size=shape).astype("float32")


# ------------------------------------------------------------------------------------------------ keras.applications

THEIRS = {"vgg16": keras.applications.VGG16, "vgg19": keras.applications.VGG19}


def against_keras(name, shape, classes, include_top):
    ours = zoo.build(name, shape, classes, include_top=include_top)
    theirs = THEIRS[name](weights=None, input_shape=shape, classes=classes, include_top=include_top)
    randomize(ours)
    theirs.set_weights(ours.get_weights())  # both in the order of creation
    batch = images(2, *shape)
    return difference(ours.predict(batch, verbose=0), theirs.predict(batch, verbose=0))


@pytest.mark.parametrize("name", THEIRS)
def test_vgg_without_a_top_equals_keras(name):
    assert against_keras(name, (64, 64, 3), 1000, include_top=False) < 1e-5


@pytest.mark.parametrize("name", THEIRS)
def test_vgg_equals_keras(name):
    assert against_keras(name, (32, 32, 3), 10, include_top=True) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", THEIRS)
def test_vgg_equals_keras_at_the_papers_size(name):
    assert against_keras(name, (224, 224, 3), 1000, include_top=True) < 1e-5


# ------------------------------------------------------------------------------------------------------------- NumPy

def conv(x, kernel, bias=0.0, stride=1, pad=0):
    x = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    windows = sliding_window_view(x, kernel.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("nyxcij,ijco->nyxo", windows, kernel, optimize=True) + bias


def max_pool(x, side, stride):
    return sliding_window_view(x, (side, side), axis=(1, 2))[:, ::stride, ::stride].max(axis=(-2, -1))


def relu(x):
    return np.maximum(x, 0)


def weights_of(model):
    return {layer.name: [np.float64(each) for each in layer.get_weights()] for layer in model.layers if layer.weights}


def lenet5(x, weights):
    """Figure 2 of the paper, with ReLU and the maximum, on a 28x28 picture padded to 32x32."""
    x = relu(conv(x, *weights["C1"], pad=2))
    x = max_pool(x, 2, 2)
    x = relu(conv(x, *weights["C3"]))
    x = max_pool(x, 2, 2)
    kernel, bias = weights["C5"]
    x = relu(conv(x, kernel.reshape(5, 5, 16, 120), bias))[:, 0, 0]  # a convolution over the whole of S4
    for name in ("F6", "output"):
        kernel, bias = weights[name]
        x = x @ kernel + bias
        x = relu(x) if name == "F6" else x
    return x


def test_lenet5_equals_the_paper_in_numpy():
    model = zoo.build("lenet5", classifier_activation=None)
    randomize(model)
    batch = images(4, 28, 28, 1)
    assert difference(model.predict(batch, verbose=0), lenet5(np.float64(batch), weights_of(model))) < 1e-5


def resnet34(x, weights, small):
    """The authors' Torch code: shared pre-activation where the shape changes, none after the stem's own."""
    def bn_relu(x, name):
        gamma, beta, mean, variance = weights[f"{name}_bn"]
        return relu((x - mean) / np.sqrt(variance + 1e-5) * gamma + beta)

    def kernel(name):
        return weights[name][0]

    if small:
        x = conv(x, kernel("conv1"), pad=1)
    else:
        x = bn_relu(conv(x, kernel("conv1"), stride=2, pad=3), "conv1")
        x = max_pool(np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=-np.inf), 3, 2)
    for stage, blocks in ((2, 3), (3, 4), (4, 6), (5, 3)):
        for number in range(1, blocks + 1):
            name, stride = f"conv{stage}_{number}", 2 if stage > 2 and number == 1 else 1
            after_the_stem = name == "conv2_1" and not small
            active = x if after_the_stem else bn_relu(x, f"{name}_preact")
            shortcut = conv(active, kernel(f"{name}_shortcut"), stride=stride) if stride == 2 else x
            y = conv(active, kernel(f"{name}_conv1"), stride=stride, pad=1)
            y = conv(bn_relu(y, f"{name}_conv1"), kernel(f"{name}_conv2"), pad=1)
            x = shortcut + y
    x = bn_relu(x, "conv5").mean(axis=(1, 2))
    fc, bias = weights["fc"]
    return x @ fc + bias


@pytest.mark.parametrize("stem, shape", [("paper", (64, 48, 3)), ("paper", (45, 71, 3)), ("small", (16, 24, 3)),
                                         ("small", (21, 17, 1))])
def test_resnet34_equals_the_authors_code_in_numpy(stem, shape):
    model = zoo.build("resnet34", shape, 10, width=0.125, stem=stem, classifier_activation=None)
    randomize(model)
    batch = images(2, *shape)
    expected = resnet34(np.float64(batch), weights_of(model), small=stem == "small")
    # NumPy in float64 against 33 convolutions in float32, each of which rounds sums of up to 576 terms: measured 5e-7
    # to 2e-6. The smallest mistake worth catching, Keras's own epsilon of 1e-3, makes 1e-2.
    assert difference(model.predict(batch, verbose=0), expected) < 1e-4


def test_vgg_with_batch_norm_equals_numpy():
    model = zoo.build("vgg16", (28, 40, 3), 10, width=0.05, batch_norm=True, classifier_activation=None)
    randomize(model)
    weights = weights_of(model)
    batch = images(2, 28, 40, 3)
    x = np.pad(np.float64(batch), [(0, 0), (2, 2), (0, 0), (0, 0)])  # 28 is padded to 32, 40 is large enough
    for stage, depth in ((1, 2), (2, 2), (3, 3), (4, 3), (5, 3)):
        for layer in range(1, depth + 1):
            x = conv(x, *weights[f"conv{stage}_{layer}"], pad=1)
            gamma, beta, mean, variance = weights[f"conv{stage}_{layer}_bn"]
            x = relu((x - mean) / np.sqrt(variance + 1e-5) * gamma + beta)
        x = max_pool(x, 2, 2)
    x = x.reshape(len(x), -1)
    for name in ("fc6", "fc7", "fc8"):
        kernel, bias = weights[name]
        x = x @ kernel + bias
        x = relu(x) if name != "fc8" else x
    assert difference(model.predict(batch, verbose=0), x) < 1e-4  # 16 layers in float32, as above
