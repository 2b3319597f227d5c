"""The text networks: shapes, options and refusals; counts are in tests/papers, which test_registry.py compares."""

import keras
import numpy as np
import pytest
from helpers import check_message

import zoo
from zoo.cli import summary
from zoo.diagrams.diagram import draw_diagram, make_source_from_config
from zoo.errors import UserError
from zoo.catalogue import MODELS
from zoo.registry import resolve_model_config, select_models

NETWORKS = list(select_models("text"))
SMALL = {"vocabulary": 30}


def random_tokens(count, length, vocabulary=30, seed=0):
    return np.random.default_rng(seed).integers(0, vocabulary, (count, length), np.int32)


def randomize(model, seed=0):
    """Give all weights random values of a size that keeps the outputs apart."""
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(0, 0.2, weight.shape).astype("float32") for weight in model.weights])


def call_model(model, tokens):
    return keras.ops.convert_to_numpy(model(tokens, training=False))


def get_weights(model):
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def convolve(x, kernel, bias):
    """Correlate (n, length, channels) with (window, channels, filters), one position at a time, and apply ReLU."""
    window = len(kernel)
    positions = [np.tensordot(x[:, start:start + window], kernel, 2) for start in range(x.shape[1] - window + 1)]
    return np.maximum(np.stack(positions, axis=1) + bias, 0)


def test_both_networks_are_for_texts():
    assert NETWORKS == ["text_cnn", "text_cnn_kim"]
    assert {*select_models("image")} == {*MODELS} - {*NETWORKS}


def test_text_cnn_against_numpy():
    model = zoo.build("text_cnn", (13,), 3, width=0.1, **SMALL)
    randomize(model)
    weights, tokens = get_weights(model), random_tokens(4, 13)
    x = convolve(weights["embedding"][0][tokens], *weights["conv"])
    x = x[:, :8].reshape(4, 4, 2, 6).max(axis=2)  # the ninth position is left over
    x = np.maximum(x.reshape(4, 24) @ weights["fc1"][0] + weights["fc1"][1], 0)
    expected = softmax(x @ weights["fc2"][0] + weights["fc2"][1])
    assert np.ptp(expected, axis=0).max() > 0.01
    np.testing.assert_allclose(call_model(model, tokens), expected, rtol=1e-4, atol=1e-6)


def test_kims_network_against_numpy():
    model = zoo.build("text_cnn_kim", (9,), 3, width=0.1, **SMALL)
    randomize(model)
    weights, tokens = get_weights(model), random_tokens(4, 9)
    x = weights["embedding"][0][tokens]
    maxima = [convolve(x, *weights[f"windows_conv{window}"]).max(axis=1) for window in (3, 4, 5)]
    expected = softmax(np.concatenate(maxima, axis=1) @ weights["fc"][0] + weights["fc"][1])
    assert np.ptp(expected, axis=0).max() > 0.01
    np.testing.assert_allclose(call_model(model, tokens), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_network_in_pytorch(name):
    torch = pytest.importorskip("torch")
    model = zoo.build(name, (20,), 2, width=0.25, classifier_activation=None, **SMALL)
    randomize(model)
    weights, tokens = {layer: [torch.tensor(array) for array in arrays]
                       for layer, arrays in get_weights(model).items()}, random_tokens(5, 20)
    x = torch.nn.functional.embedding(torch.tensor(tokens).long(), weights["embedding"][0]).transpose(1, 2)

    def conv(layer):  # Keras's kernels are (window, channels, filters), PyTorch's (filters, channels, window)
        kernel, bias = weights[layer]
        return torch.relu(torch.nn.functional.conv1d(x, kernel.permute(2, 1, 0), bias))

    def dense(features, layer):
        return torch.nn.functional.linear(features, weights[layer][0].T, weights[layer][1])

    if name == "text_cnn":
        pooled = torch.nn.functional.max_pool1d(conv("conv"), 2)
        logits = dense(torch.relu(dense(pooled.transpose(1, 2).flatten(1), "fc1")), "fc2")
    else:
        logits = dense(torch.cat([conv(f"windows_conv{window}").amax(2) for window in (3, 4, 5)], 1), "fc")
    np.testing.assert_allclose(call_model(model, tokens), logits.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name, rates", [("text_cnn", [0.5, 0.5, 0.3]), ("text_cnn_kim", [0.5])])
def test_dropout(name, rates):
    model = zoo.build(name, **SMALL)
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == rates
    without = zoo.build(name, **SMALL, dropout=False if name == "text_cnn" else 0.0)
    assert not any(layer.rate for layer in without.layers if isinstance(layer, keras.layers.Dropout))


@pytest.mark.parametrize("name", NETWORKS)
def test_tokens_in_probabilities_out(name):
    model = zoo.build(name, (MODELS[name].min_size,), 5, width=0.1, **SMALL)
    assert (model.input.dtype, model.input.name) == ("int32", "text")
    assert model.get_layer("embedding").input_dim == 30
    probabilities = call_model(model, random_tokens(3, MODELS[name].min_size))
    assert probabilities.shape == (3, 5) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_without_a_top(name):
    backbone = zoo.build(name, (20,), include_top=False, **SMALL)
    assert backbone.layers[-1].name == MODELS[name].feature_layer
    names = [layer.name for layer in zoo.build(name, (20,), **SMALL).layers]
    assert names[: len(backbone.layers)] == [layer.name for layer in backbone.layers]
    assert zoo.build(name, (20,), 7, **SMALL).layers[-1].output.shape == (None, 7)


@pytest.mark.parametrize("pooling, reduce", [("avg", np.mean), ("max", np.max)])
def test_pooling(pooling, reduce):
    backbone, pooled = (zoo.build("text_cnn", (20,), include_top=False, pooling=pooling, **SMALL)
                        for pooling in (None, pooling))
    pooled.set_weights(backbone.get_weights())
    tokens = random_tokens(2, 20)
    np.testing.assert_allclose(call_model(pooled, tokens), reduce(call_model(backbone, tokens), axis=1), rtol=1e-5)


@pytest.mark.parametrize("name, arguments, parts", [
    ("text_cnn", {"input_shape": (5,)}, ("text_cnn", 6, "tokens", 5, "--sequence-length")),
    ("text_cnn_kim", {"input_shape": (4,)}, ("text_cnn_kim", 5, "tokens", 4)),
    ("text_cnn", {"input_shape": (32, 32, 3)}, ("(length)", "(100,)", "(32, 32, 3)")),
    ("text_cnn", {"input_shape": 100}, ("(length)", 100)),
    ("lenet5", {"input_shape": (100,)}, ("(height, width, channels)", "(100,)")),
    ("text_cnn", {"vocabulary": 4}, ("vocabulary", 5, "1,000,000", 4)),
    ("text_cnn", {"vocabulary": 2.5}, ("vocabulary", "int", 2.5)),
    ("text_cnn_kim", {"include_top": False, "pooling": "avg"}, ("text_cnn_kim", "'avg'")),
    ("text_cnn", {"weights": "imagenet"}, ("'imagenet'", "text_cnn", "weights=None")),
    ("text_cnn", {"stem": "small"}, ("text_cnn", "'auto'")),
])
def test_refusals(name, arguments, parts):
    with pytest.raises(UserError) as error:
        zoo.build(name, **arguments)
    check_message(error.value, *parts)


@pytest.mark.parametrize("arguments, parts", [
    (("text_cnn", "--image-size", "32"), ("--image-size", "images", "text_cnn", "texts")),
    (("text_cnn", "--channels", "3"), ("--channels", "images", "text_cnn", "texts")),
    (("lenet5", "--sequence-length", "50"), ("--sequence-length", "texts", "lenet5", "images")),
    (("text_cnn", "--sequence-length", "0"), ("--sequence-length", 1, "'0'")),
    (("text_cnn", "--preset", "small"), ("--preset", "small", "text_cnn", "--width")),
])
def test_refusals_of_the_summary(arguments, parts, capsys):
    assert summary.main([*arguments]) == 2
    check_message(capsys.readouterr().err.strip(), *parts)


def test_a_summary_at_another_length(capsys):
    assert summary.main(["text_cnn", "--sequence-length", "50", "--model-option", "vocabulary=10000"]) == 0
    printed = capsys.readouterr().out
    assert "3,019,586" in printed and "4,145,664" in printed


def test_receptive_fields_count_tokens():
    stages = {stage["name"]: stage for stage in zoo.describe("text_cnn")["stages"]}
    assert {name: (stages[name]["receptive_field"], stages[name]["output_stride"])
            for name in ("embedding", "conv", "pool")} == {"embedding": ([1], [1]), "conv": ([5], [1]),
                                                           "pool": ([6], [2])}


def test_volumes_are_refused():
    source = make_source_from_config(resolve_model_config("text_cnn"))
    with pytest.raises(UserError) as error:
        draw_diagram(source, None, "blocks", "light", None, "volumes")
    check_message(error.value, "volumes", "text_cnn", "'boxes'")
