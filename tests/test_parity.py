"""The networks against independent implementations: keras.applications, and the papers in NumPy."""

import math

import keras
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import zoo
from zoo.catalogue import MODELS


def relative_difference(actual, expected):
    """Return the largest difference, relative to the largest value."""
    assert actual.shape == expected.shape
    assert np.abs(expected).max() > 0
    return np.abs(actual - expected).max() / np.abs(expected).max()


def randomize(model, seed=0):
    """Set all weights, biases and statistics to random values with which activations neither vanish nor explode."""
    rng = np.random.default_rng(seed)
    values = []
    for variable in model.weights:
        shape = tuple(variable.shape)
        if variable.name == "depthwise_kernel":
            values.append(rng.normal(0, np.sqrt(2 / np.prod(shape[:2])), shape))
        elif len(shape) > 1:  # a kernel
            values.append(rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape))
        elif variable.name in ("gamma", "moving_variance"):
            values.append(rng.uniform(0.2, 1.2, shape))
        else:
            values.append(rng.normal(0, 0.2, shape))
    model.set_weights(values)


def call(model, batch):
    """Return the model's outputs for a batch; `predict` would first compile a function, which takes longer."""
    return keras.tree.map_structure(keras.ops.convert_to_numpy, model(batch, training=False))


def random_images(*shape):
    return np.random.default_rng(1).normal(size=shape).astype("float32")


# ------------------------------------------------------------------------------------------------ keras.applications

# name: (model of keras.applications, its smallest input shape)
REFERENCES = {"vgg16": (keras.applications.VGG16, (32, 32, 3)),
              "vgg19": (keras.applications.VGG19, (32, 32, 3)),
              "inception_v3": (keras.applications.InceptionV3, (75, 75, 3)),
              "inception_resnet_v2": (keras.applications.InceptionResNetV2, (75, 75, 3)),
              "xception": (keras.applications.Xception, (71, 71, 3)),
              "resnet50": (keras.applications.ResNet50, (32, 32, 3)),
              "resnet101": (keras.applications.ResNet101, (32, 32, 3)),
              "resnet152": (keras.applications.ResNet152, (32, 32, 3)),
              "resnet50_v2": (keras.applications.ResNet50V2, (32, 32, 3)),
              "resnet101_v2": (keras.applications.ResNet101V2, (32, 32, 3)),
              "resnet152_v2": (keras.applications.ResNet152V2, (32, 32, 3))}
SLOW_REFERENCES = {"inception_resnet_v2", "resnet101", "resnet152", "resnet101_v2", "resnet152_v2"}


def compare_with_keras(name, shape, classes, include_top):
    model = zoo.build(name, shape, classes, include_top=include_top, stem="paper")
    reference = REFERENCES[name][0](weights=None, input_shape=shape, classes=classes, include_top=include_top)
    randomize(model)
    reference.set_weights(model.get_weights())  # both have the same order of layers
    batch = random_images(2, *shape)
    return relative_difference(call(model, batch), call(reference, batch))


@pytest.mark.slow
@pytest.mark.parametrize("name", REFERENCES)
def test_equal_to_keras_without_a_top(name):
    height, width, channels = REFERENCES[name][1]
    assert compare_with_keras(name, (height + 1, width + 6, channels), 1000, include_top=False) < 1e-5


@pytest.mark.parametrize("name", [
    # these take 20 s
    pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW_REFERENCES)) for name in REFERENCES])
def test_equal_to_keras(name):
    assert compare_with_keras(name, REFERENCES[name][1], 10, include_top=True) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", REFERENCES)
def test_equal_to_keras_at_the_papers_size(name):
    assert compare_with_keras(name, MODELS[name].input_shape, 1000, include_top=True) < 1e-5


# ------------------------------------------------------------------------------------------------------------- NumPy

def conv(x, kernel, bias=0.0, stride=1, pad=0):
    x = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    windows = sliding_window_view(x, kernel.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("nyxcij,ijco->nyxo", windows, kernel, optimize=True) + bias


def max_pool(x, pool_size, stride):
    return sliding_window_view(x, (pool_size, pool_size), axis=(1, 2))[:, ::stride, ::stride].max(axis=(-2, -1))


def relu(x):
    return np.maximum(x, 0)


def get_weights(model):
    return {layer.name: [np.float64(array) for array in layer.get_weights()] for layer in model.layers if layer.weights}


def lenet5(x, weights):
    """Figure 2 of the paper, with ReLU and the maximum, on a 28x28 image padded to 32x32."""
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
    batch = random_images(4, 28, 28, 1)
    assert relative_difference(model.predict(batch, verbose=0), lenet5(np.float64(batch), get_weights(model))) < 1e-5


def resnet34(x, weights, small):
    """The authors' Torch code: shared pre-activation where the shape changes, none directly after the stem."""
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
        for index in range(1, blocks + 1):
            name, stride = f"conv{stage}_{index}", 2 if stage > 2 and index == 1 else 1
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
    batch = random_images(2, *shape)
    expected = resnet34(np.float64(batch), get_weights(model), small=stem == "small")
    # NumPy in float64 against 33 convolutions in float32, each of which rounds sums of up to 576 terms: measured 5e-7
    # to 2e-6. The smallest error worth catching, Keras's default epsilon of 1e-3, gives 1e-2.
    assert relative_difference(call(model, batch), expected) < 1e-4


def test_vgg_with_batch_norm_equals_numpy():
    model = zoo.build("vgg16", (28, 40, 3), 10, width=0.05, batch_norm=True, classifier_activation=None)
    randomize(model)
    weights = get_weights(model)
    batch = random_images(2, 28, 40, 3)
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
    assert relative_difference(call(model, batch), x) < 1e-4  # 16 layers in float32, as above


def response_norm(x, k, alpha):
    """Section 3.3 of AlexNet's paper: n = 5, beta = 0.75."""
    sums = np.zeros_like(x)
    for channel in range(x.shape[-1]):
        sums[..., channel] = (x[..., max(0, channel - 2):channel + 3] ** 2).sum(axis=-1)
    return x / (k + alpha * sums) ** 0.75


def caffe_pool(x, pool_size=3, stride=2):
    """Max pooling whose windows are clipped at the right and bottom borders."""
    height, width = (math.ceil((max(n, pool_size) - pool_size) / stride) * stride + pool_size for n in x.shape[1:3])
    x = np.pad(x, [(0, 0), (0, height - x.shape[1]), (0, width - x.shape[2]), (0, 0)], constant_values=-np.inf)
    return max_pool(x, pool_size, stride)


def towers(x, kernel, bias, pad):
    """A convolution with two groups of channels."""
    (first, second), half = np.split(x, 2, axis=-1), kernel.shape[-1] // 2
    return np.concatenate([conv(first, kernel[..., :half], bias[:half], pad=pad),
                           conv(second, kernel[..., half:], bias[half:], pad=pad)], axis=-1)


def dense(x, weights, names):
    for name in names:
        kernel, bias = weights[name]
        x = relu(x @ kernel + bias)
    return x


def alexnet(x, weights, small):
    """Figure 2; `small`: 5x5 with stride 1 first."""
    x = relu(conv(x, *weights["conv1"], pad=2) if small else conv(x, *weights["conv1"], stride=4))
    x = caffe_pool(response_norm(x, 2.0, 1e-4))
    x = relu(towers(x, *weights["conv2"], pad=2))
    x = caffe_pool(response_norm(x, 2.0, 1e-4))
    x = relu(conv(x, *weights["conv3"], pad=1))
    x = relu(towers(x, *weights["conv4"], pad=1))
    x = caffe_pool(relu(towers(x, *weights["conv5"], pad=1)))
    x = dense(x.reshape(len(x), -1), weights, ("fc6", "fc7"))
    kernel, bias = weights["fc8"]
    return x @ kernel + bias


@pytest.mark.parametrize("stem, shape", [("paper", (123, 99, 3)), ("small", (32, 41, 1))])
def test_alexnet_equals_the_paper_in_numpy(stem, shape):
    model = zoo.build("alexnet", shape, 10, width=0.125, stem=stem, classifier_activation=None)
    randomize(model)
    batch = 50 * random_images(2, *shape)  # bright enough for the normalization to have an effect
    expected = alexnet(np.float64(batch), get_weights(model), stem == "small")
    assert relative_difference(call(model, batch), expected) < 1e-5


def alexnet_2014(x, weights, small):
    """One tower, no normalization, pooling without windows beyond the border."""
    x = relu(conv(x, *weights["conv1"], pad=2, stride=1 if small else 4))
    x = relu(conv(max_pool(x, 3, 2), *weights["conv2"], pad=2))
    x = relu(conv(max_pool(x, 3, 2), *weights["conv3"], pad=1))
    x = relu(conv(x, *weights["conv4"], pad=1))
    x = max_pool(relu(conv(x, *weights["conv5"], pad=1)), 3, 2)
    x = dense(x.reshape(len(x), -1), weights, ("fc6", "fc7"))
    kernel, bias = weights["fc8"]
    return x @ kernel + bias


@pytest.mark.parametrize("stem, shape", [("paper", (123, 99, 3)), ("small", (32, 41, 1))])
def test_alexnet_2014_in_numpy(stem, shape):
    model = zoo.build("alexnet_2014", shape, 10, width=0.125, stem=stem, classifier_activation=None)
    randomize(model)
    batch = random_images(2, *shape)
    expected = alexnet_2014(np.float64(batch), get_weights(model), stem == "small")
    assert relative_difference(call(model, batch), expected) < 1e-5


def googlenet(x, weights, small):
    """Return {output: logits} of BVLC's network."""
    def conv_relu(x, name, **keywords):
        return relu(conv(x, *weights[name], **keywords))

    def logits(x, name):
        kernel, bias = weights[name]
        return x @ kernel + bias

    def auxiliary_classifier(x, name):
        rows, columns = (min(5, n) for n in x.shape[1:3])
        x = sliding_window_view(x, (rows, columns), axis=(1, 2))[:, ::3, ::3].mean(axis=(-2, -1))
        x = conv_relu(x, f"{name}_conv")
        return logits(dense(x.reshape(len(x), -1), weights, [f"{name}_fc1"]), f"{name}_fc2")

    x = conv_relu(x, "conv1", stride=1 if small else 2, pad=3)
    x = response_norm(x if small else caffe_pool(x), 1.0, 1e-4 / 5)
    x = response_norm(conv_relu(conv_relu(x, "conv2_reduce"), "conv2", pad=1), 1.0, 1e-4 / 5)
    x = x if small else caffe_pool(x)
    outputs = {}
    for module in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"):
        padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=-np.inf)
        x = np.concatenate([conv_relu(x, f"{module}_1a_1x1"),
                            conv_relu(conv_relu(x, f"{module}_2a_1x1"), f"{module}_2b_3x3", pad=1),
                            conv_relu(conv_relu(x, f"{module}_3a_1x1"), f"{module}_3b_5x5", pad=2),
                            conv_relu(max_pool(padded, 3, 1), f"{module}_4b_1x1")], axis=-1)
        if module in ("4a", "4d"):
            name = {"4a": "aux1", "4d": "aux2"}[module]
            outputs[name] = auxiliary_classifier(x, name)
        x = caffe_pool(x) if module in ("3b", "4e") else x
    return {"main": logits(x.mean(axis=(1, 2)), "fc"), **outputs}


def test_googlenet_starts_as_bvlcs():
    keras.utils.set_random_seed(0)
    weights = get_weights(zoo.build("googlenet", (32, 32, 3), 10, width=0.25, aux=True))
    for name, (kernel, bias) in weights.items():
        limit = math.sqrt(3 / math.prod(kernel.shape[:-1]))
        assert np.abs(kernel).max() <= 1.000001 * limit
        if kernel.size > 2_000:
            assert kernel.std() == pytest.approx(limit / math.sqrt(3), rel=0.05)
        np.testing.assert_allclose(bias, 0 if name in ("fc", "aux1_fc2", "aux2_fc2") else 0.2, rtol=1e-6)


@pytest.mark.parametrize("stem, shape", [("paper", (129, 96, 3)), ("small", (28, 33, 1))])
def test_googlenet_equals_bvlcs_in_numpy(stem, shape):
    model = zoo.build("googlenet", shape, 10, width=0.125, stem=stem, aux=True, classifier_activation=None)
    randomize(model)
    batch = 50 * random_images(2, *shape)
    actual, expected = call(model, batch), googlenet(np.float64(batch), get_weights(model),
                                                                  stem == "small")
    assert {name: relative_difference(actual[name], logits) < 1e-5
            for name, logits in expected.items()} == dict.fromkeys(
        ("main", "aux1", "aux2"), True)
