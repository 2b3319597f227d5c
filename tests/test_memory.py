"""The memory that zoo.analysis.memory estimates for tiny models, by hand; test_descriptions.py has every network."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers
from helpers import check_text
from test_model_summary import summarize_layers

import zoo
from zoo.analysis import summary
from zoo.analysis.memory import OPTIMIZER_SLOTS, MemoryEstimate
from zoo.errors import UserError
from zoo.layers import LocalResponseNormalization
from zoo.training import optimizers, recipes
from zoo.training.recipe import Recipe

GIB = 2**30


def estimate_memory(shape, *steps):
    return summarize_layers(shape, *steps).memory


def test_a_chain_by_hand():
    """In numbers of 4 bytes: the image 8x8x1 = 64, conv 8x8x4 = 256, pool 4x4x4 = 64, flat the same, fc 2."""
    memory = estimate_memory((8, 8, 1), layers.Conv2D(4, 3, padding="same", activation="relu", name="conv"),
                             layers.MaxPooling2D(2, name="pool"), layers.Flatten(name="flat"),
                             layers.Dense(2, name="fc"))
    assert (memory.parameters, memory.trainable_parameters, memory.largest_weight) == (4 * 170, 4 * 170, 4 * 128)
    # image, output of ReLU, output of the pooling, and a byte for each of its maxima
    assert memory.saved_activations == 4 * (64 + 256 + 64) + 64
    # the peak is at the convolution's gradients: image, its output, the model's, its gradient, its workspace
    assert memory.training_peak == 4 * (64 + 256 + 2 + 256 + 256)
    assert memory.inference_peak == 4 * (64 + 256 + 256)  # image, convolution and its workspace


def test_in_place_operations():
    norm = layers.BatchNormalization(name="norm")
    memory = estimate_memory((10,), layers.Dense(100, name="fc"), norm, layers.ReLU(name="act"))
    assert memory.inference_peak == 4 * (10 + 100) and memory.saved_activations == 4 * (10 + 100 + 100)
    assert memory.trainable_parameters == 4 * (1100 + 200) and memory.parameters == 4 * (1100 + 400)

    image = keras.Input((10,), name="image")
    fc = layers.Dense(100, name="fc")(image)
    added = layers.Add(name="sum")([fc, layers.ReLU(name="act")(fc)])  # fc is read again: ReLU cannot run in place
    assert summary.summarize_model(keras.Model(image, added)).memory.inference_peak == 4 * (10 + 200)


def test_activations_saved_by_some_layers():
    def count_bytes(*steps):
        """Return the bytes that are saved beside the image of 4x4x8."""
        return estimate_memory((4, 4, 8), *steps).saved_activations - 512

    assert count_bytes(layers.Conv2D(8, 1)) == 0  # its input is the image; its output is not needed
    assert count_bytes(layers.Conv2D(8, 1), layers.Activation("linear")) == 0
    assert count_bytes(layers.Conv2D(8, 1), layers.Activation("tanh")) == 512
    assert count_bytes(layers.Conv2D(8, 1), layers.Dropout(0.5)) == 128 and count_bytes(layers.Conv2D(8, 1),
                                                                                        layers.Dropout(0)) == 0
    assert count_bytes(layers.Conv2D(8, 1), layers.AveragePooling2D(2)) == 0
    assert count_bytes(layers.Conv2D(8, 1), LocalResponseNormalization(2, 1e-4, 0.75)) == 4 * 512
    # unknown layer
    assert count_bytes(layers.Conv2D(8, 1), layers.Lambda(lambda x: x * x, output_shape=(4, 4, 8))) == 2 * 512
    assert count_bytes(layers.MaxPooling2D(2), layers.Dropout(0.5)) == 0  # no trainable layer before them
    assert count_bytes(layers.MaxPooling2D(2), layers.Conv2D(8, 1)) == 128


def test_half_precision_halves_only_activations():
    memory = estimate_memory((10,), layers.Dense(100, activation="relu", dtype="mixed_float16", name="fc"),
                             layers.Dense(2, dtype="float32", name="top"))
    assert memory.saved_activations == 4 * 10 + 2 * 100 and memory.parameters == 4 * 1302


def test_frozen_weights_have_no_gradients_and_slots():
    def estimate(trainable):
        fc = layers.Dense(100, name="fc", trainable=trainable)
        return estimate_memory((10,), fc, layers.Dense(2, name="top"))

    trained, frozen = estimate(True), estimate(False)
    assert (trained.parameters,
            trained.trainable_parameters) == (4 * 1302, 4 * 1302) and frozen.trainable_parameters == 4 * 202
    assert frozen.saved_activations == trained.saved_activations == 4 * 110


def test_a_shared_layer_has_its_weights_once():
    image, shared = keras.Input((8,), name="image"), layers.Dense(8, name="twice")
    memory = summary.summarize_model(keras.Model(image, shared(shared(image)))).memory
    assert memory.parameters == 4 * 72 and memory.saved_activations == 4 * 16


def test_models_without_a_fixed_size_have_no_estimate():
    assert estimate_memory((None, None, 3), layers.Conv2D(4, 3)) is None
    assert estimate_memory((8,), keras.Sequential([keras.Input((8,)), layers.Dense(3)])) is None


def test_strings_have_no_estimate():
    texts = keras.Input((1,), dtype="string", name="texts")
    tokens = layers.TextVectorization(10, output_sequence_length=4, name="tokens")(texts)
    model_summary = summary.summarize_model(keras.Model(texts, layers.Embedding(10, 3, name="embedding")(tokens)))
    assert (model_summary.memory, model_summary.parameters) == (None, 30)


# ------------------------------------------------------------------------------------------------- batches and limits

def test_the_sums():
    memory = MemoryEstimate(parameters=1000, trainable_parameters=800, largest_weight=500, saved_activations=70,
                            training_peak=100, inference_peak=30)
    assert memory.estimate_training(10) == 1000 + 800 * (1 + 1 + 2) + 1200
    assert memory.estimate_training(10, "adam") == memory.estimate_training(10) + 800
    assert memory.estimate_inference(1) == 1000 + 2 * 500 and memory.estimate_inference(100) == 1000 + 3600


@pytest.mark.parametrize("name", OPTIMIZER_SLOTS)
def test_the_values_that_an_optimizer_stores(name):
    optimizer = optimizers.make_optimizer(replace(Recipe(), optimizer=name, **recipes.OPTIMIZER_DEFAULTS[name]), 1)
    parameter = keras.Variable(np.zeros((3, 5)))
    optimizer.build([parameter])
    assert sum(tuple(variable.shape) == (3, 5) for variable in optimizer.variables) == OPTIMIZER_SLOTS[name]


@pytest.mark.parametrize("limit", [10, 2000, 4200, 4319, 4320, 5000, 123_456])
def test_the_max_batch_size_is_the_largest(limit):
    memory = MemoryEstimate(parameters=1000, trainable_parameters=800, largest_weight=500, saved_activations=70,
                            training_peak=100, inference_peak=30)
    for largest, estimate in ((memory.compute_max_training_batch(limit), memory.estimate_training),
                              (memory.compute_max_inference_batch(limit), memory.estimate_inference)):
        assert largest == 0 or estimate(largest) <= limit
        assert estimate(largest + 1) > limit


def test_batch_size_and_limit_are_the_requested_ones():
    memory = zoo.describe("lenet5", batch_size=64, memory_limit_gib=0.5)["memory"]
    assert (memory["batch_size"], memory["limit_gib"]) == (64, 0.5)
    larger = zoo.describe("lenet5", batch_size=memory["training"]["sgd"]["max_batch_size"],
                          memory_limit_gib=0.5)["memory"]
    assert 0.999 * GIB / 2 < larger["training"]["sgd"]["bytes"] <= GIB / 2
    assert zoo.describe("lenet5", memory_limit_gib=0.0001)["memory"]["training"]["sgd"]["max_batch_size"] == 0


@pytest.mark.parametrize("keywords, value", [
    ({"batch_size": 0}, "0"), ({"batch_size": 1.5}, "1.5"), ({"batch_size": True}, "True"),
    ({"memory_limit_gib": 0}, "0"),
    ({"memory_limit_gib": float("nan")}, "nan"), ({"memory_limit_gib": float("inf")}, "inf"),
    ({"memory_limit_gib": "8"}, "'8'")])
def test_invalid_arguments(keywords, value):
    with pytest.raises(UserError) as error:
        zoo.describe("lenet5", **keywords)
    check_text(str(error.value), *keywords, value)
