"""The memory that zoo.analysis.memory estimates: tiny models by hand, and every network."""

import keras
import pytest
from keras import layers
from helpers import check_text
from test_model_summary import NETWORKS, described, of

import zoo
from zoo.analysis import summary
from zoo.analysis.memory import LAYER_MEMORY_RULES, MemoryEstimate
from zoo.errors import UserError
from zoo.layers import LocalResponseNormalization

GIB = 2**30


def taken(shape, *steps):
    return of(shape, *steps).memory


def test_a_chain_by_hand():
    """In numbers of 4 bytes: the picture 8x8x1 = 64, conv 8x8x4 = 256, pool 4x4x4 = 64, flat the same, fc 2."""
    found = taken((8, 8, 1), layers.Conv2D(4, 3, padding="same", activation="relu", name="conv"),
                  layers.MaxPooling2D(2, name="pool"), layers.Flatten(name="flat"), layers.Dense(2, name="fc"))
    assert (found.parameters, found.trainable_parameters, found.largest_weight) == (4 * 170, 4 * 170, 4 * 128)
    # Picture, ReLU's output, pool's, and a byte for each of its maxima
    assert found.saved_activations == 4 * (64 + 256 + 64) + 64
    # the most is there while the convolution learns: picture, its output, the model's, its gradient, its workspace
    assert found.training_peak == 4 * (64 + 256 + 2 + 256 + 256)
    assert found.inference_peak == 4 * (64 + 256 + 256)  # picture, convolution and its workspace


def test_writing_over_what_nobody_else_reads():
    norm = layers.BatchNormalization(name="norm")
    found = taken((10,), layers.Dense(100, name="fc"), norm, layers.ReLU(name="act"))
    assert found.inference_peak == 4 * (10 + 100) and found.saved_activations == 4 * (10 + 100 + 100)
    assert found.trainable_parameters == 4 * (1100 + 200) and found.parameters == 4 * (1100 + 400)

    image = keras.Input((10,), name="image")
    fc = layers.Dense(100, name="fc")(image)
    both = layers.Add(name="sum")([fc, layers.ReLU(name="act")(fc)])  # fc is read again: ReLU has a place of its own
    assert summary.summarize_model(keras.Model(image, both)).memory.inference_peak == 4 * (10 + 200)


def test_what_some_layers_keep():
    def more(*steps):
        """Return the bytes kept beside the picture of 4x4x8."""
        return taken((4, 4, 8), *steps).saved_activations - 512

    assert more(layers.Conv2D(8, 1)) == 0  # its input, the picture; its output nobody needs
    assert more(layers.Conv2D(8, 1), layers.Activation("linear")) == 0
    assert more(layers.Conv2D(8, 1), layers.Activation("tanh")) == 512
    assert more(layers.Conv2D(8, 1), layers.Dropout(0.5)) == 128 and more(layers.Conv2D(8, 1), layers.Dropout(0)) == 0
    assert more(layers.Conv2D(8, 1), layers.AveragePooling2D(2)) == 0
    assert more(layers.Conv2D(8, 1), LocalResponseNormalization(2, 1e-4, 0.75)) == 4 * 512
    assert more(layers.Conv2D(8, 1), layers.Lambda(lambda x: x * x, output_shape=(4, 4, 8))) == 2 * 512  # not known
    assert more(layers.MaxPooling2D(2), layers.Dropout(0.5)) == 0  # nothing before them learns
    assert more(layers.MaxPooling2D(2), layers.Conv2D(8, 1)) == 128


def test_half_precision_takes_half_for_activations_alone():
    found = taken((10,), layers.Dense(100, activation="relu", dtype="mixed_float16", name="fc"),
                  layers.Dense(2, dtype="float32", name="top"))
    assert found.saved_activations == 4 * 10 + 2 * 100 and found.parameters == 4 * 1302


def test_frozen_weights_have_no_gradients_and_slots():
    def bytes_of(trainable):
        fc = layers.Dense(100, name="fc", trainable=trainable)
        return taken((10,), fc, layers.Dense(2, name="top"))

    free, frozen = bytes_of(True), bytes_of(False)
    assert (free.parameters,
            free.trainable_parameters) == (4 * 1302, 4 * 1302) and frozen.trainable_parameters == 4 * 202
    assert frozen.saved_activations == free.saved_activations == 4 * 110


def test_a_layer_in_two_places_has_its_weights_once():
    image, twice = keras.Input((8,), name="image"), layers.Dense(8, name="twice")
    found = summary.summarize_model(keras.Model(image, twice(twice(image)))).memory
    assert found.parameters == 4 * 72 and found.saved_activations == 4 * 16


def test_what_has_no_fixed_size_has_no_estimate():
    assert taken((None, None, 3), layers.Conv2D(4, 3)) is None
    assert taken((8,), keras.Sequential([keras.Input((8,)), layers.Dense(3)])) is None


# ------------------------------------------------------------------------------------------------- batches and limits

def test_the_sums():
    memory = MemoryEstimate(parameters=1000, trainable_parameters=800, largest_weight=500, saved_activations=70,
                            training_peak=100, inference_peak=30)
    assert memory.estimate_training(10) == 1000 + 800 * (1 + 1 + 2) + 1200
    assert memory.estimate_training(10, "adam") == memory.estimate_training(10) + 800
    assert memory.estimate_inference(1) == 1000 + 2 * 500 and memory.estimate_inference(100) == 1000 + 3600


@pytest.mark.parametrize("limit", [10, 2000, 4200, 4319, 4320, 5000, 123_456])
def test_the_max_batch_size_is_the_largest(limit):
    memory = MemoryEstimate(parameters=1000, trainable_parameters=800, largest_weight=500, saved_activations=70,
                            training_peak=100, inference_peak=30)
    for largest, takes in ((memory.compute_max_training_batch(limit), memory.estimate_training),
                           (memory.compute_max_inference_batch(limit), memory.estimate_inference)):
        assert largest == 0 or takes(largest) <= limit
        assert takes(largest + 1) > limit


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network(name):
    memory = described(name)["memory"]
    image = memory["image"]
    height, width, channels = described(name)["input_shape"]
    assert 4 * height * width * channels < image["saved_activations"] <= image["training"]
    assert image["inference"] < image["training"]
    assert memory["parameters"] == 4 * described(name)["parameters"]
    assert (memory["batch_size"], memory["limit_gib"]) == (128, 8)
    assert memory["inference"]["bytes"] < memory["training"]["sgd"]["bytes"] < memory["training"]["adam"]["bytes"]
    assert 0 < memory["training"]["adam"]["max_batch_size"] <= memory["training"]["sgd"]["max_batch_size"]
    assert memory["training"]["sgd"]["max_batch_size"] < memory["inference"]["max_batch_size"]


@pytest.mark.parametrize("name", NETWORKS)
def test_what_every_layer_of_a_network_does_with_memory_is_known(name):
    classes = [each for kinds in LAYER_MEMORY_RULES for each in (kinds if isinstance(kinds, tuple) else (kinds,))]
    known = {"Activation", *(each.__name__ for each in classes)}
    assert {layer["class_name"] for stage in described(name)["stages"] for layer in stage["layers"]} <= known


def test_batch_and_limit_are_those_asked_for():
    memory = zoo.describe("lenet5", batch_size=64, memory_limit_gib=0.5)["memory"]
    assert (memory["batch_size"], memory["limit_gib"]) == (64, 0.5)
    more = zoo.describe("lenet5", batch_size=memory["training"]["sgd"]["max_batch_size"], memory_limit_gib=0.5)["memory"]
    assert 0.999 * GIB / 2 < more["training"]["sgd"]["bytes"] <= GIB / 2
    assert zoo.describe("lenet5", memory_limit_gib=0.0001)["memory"]["training"]["sgd"]["max_batch_size"] == 0


@pytest.mark.parametrize("keywords, given", [
    ({"batch_size": 0}, "0"), ({"batch_size": 1.5}, "1.5"), ({"batch_size": True}, "True"), ({"memory_limit_gib": 0}, "0"),
    ({"memory_limit_gib": float("nan")}, "nan"), ({"memory_limit_gib": float("inf")}, "inf"), ({"memory_limit_gib": "8"}, "'8'")])
def test_mistakes(keywords, given):
    with pytest.raises(UserError) as error:
        zoo.describe("lenet5", **keywords)
    check_text(str(error.value), *keywords, given)
