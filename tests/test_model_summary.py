"""The counts of zoo.analysis.summary, against arithmetic by hand and the papers' numbers, and zoo.describe.
"""

import gc
import math
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from keras import layers
from helpers import check_text

import zoo
from zoo.analysis import summary
from zoo.analysis.description import read_docstring_sections
from zoo.errors import UserError
from zoo.layers import RBF, Maxout, SparseConv2D, TrainableSubsampling

def summarize_without_weights(make):
    def inside():
        with keras.StatelessScope(initialize_variables=False):
            return summary.summarize_model(make())

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(inside).result()


def summarize_layers(shape, *steps):
    """Return the ModelSummary of a sequence of layers."""
    x = image = keras.Input(shape, name="image")
    for step in steps:
        x = step(x)
    return summary.summarize_model(keras.Model(image, x))


# ------------------------------------------------------------------------------------------------- a layer by itself

@pytest.mark.parametrize("shape, layer, parameters, multiply_adds", [
    ((7, 5, 3), layers.Conv2D(4, 3, name="x"), 4 * (27 + 1), 5 * 3 * 4 * 27),
    ((7, 5, 3), layers.Conv2D(4, (1, 3), padding="same", use_bias=False, name="x"), 4 * 9, 7 * 5 * 4 * 9),
    ((7, 5, 3), layers.Conv2D(4, 3, 2, padding="same", name="x"), 4 * 28, 4 * 3 * 4 * 27),
    ((8, 8, 4), layers.Conv2D(6, 3, groups=2, name="x"), 6 * (9 * 2 + 1), 36 * 6 * 9 * 2),
    ((8, 8, 4), layers.Conv2D(6, 3, dilation_rate=2, name="x"), 6 * 37, 16 * 6 * 36),
    ((8, 8, 4), layers.DepthwiseConv2D(3, 2, depth_multiplier=2, name="x"), 8 * (9 + 1), 9 * 8 * 9),
    ((8, 8, 4), layers.SeparableConv2D(6, 3, name="x"), 36 + 24 + 6, 36 * (4 * 9 + 4 * 6)),
    ((8, 8, 4), layers.Conv2DTranspose(6, 3, 2, name="x"), 36 * 6 + 6, 64 * 4 * 9 * 6),
    ((20, 3), layers.Conv1D(4, 5, name="x"), 4 * 16, 16 * 4 * 15),
    ((12,), layers.Dense(5, name="x"), 65, 60),
    ((7, 12), layers.Dense(5, name="x"), 65, 7 * 60),
    ((7, 5, 3), layers.BatchNormalization(name="x"), 12, 0),
    ((7, 5, 3), layers.PReLU(shared_axes=[1, 2], name="x"), 3, 0),
    ((7, 5, 3), layers.MaxPooling2D(2, name="x"), 0, 0),
    ((7, 5, 3), layers.Dropout(0.5, name="x"), 0, 0),
    ((8, 8, 3), SparseConv2D([[0, 1], [2], [0, 2]], 3, name="x"), 5 * 9 + 3, 36 * 5 * 9),
    ((7, 5, 3), TrainableSubsampling(2, name="x"), 6, 3 * 2 * 3),
    ((5,), RBF([[1, -1, 1, -1, 1], [1, 1, 1, 1, 1]], name="x"), 10, 10),
    ((7, 5, 6), Maxout(2, name="x"), 0, 0),
])
def test_a_layer_counted_by_hand(shape, layer, parameters, multiply_adds):
    model_summary = summarize_layers(shape, layer)
    assert (model_summary.parameters, model_summary.multiply_adds,
            model_summary.uncounted_layers) == (parameters, multiply_adds, ())
    (stage,) = model_summary.stages
    assert (stage.parameters, stage.multiply_adds, stage.layers) == (parameters, multiply_adds, ("x",))
    assert stage.shape == layer.output.shape[1:]


def test_channels_first():
    model_summary = summarize_layers((3, 8, 8), layers.Conv2D(4, 3, data_format="channels_first", name="x"))
    assert model_summary.multiply_adds == 36 * 4 * 27


def test_attributes_of_layers():
    image, conv, pool, dense = summarize_layers(
        (8, 8, 3), layers.Conv2D(4, (3, 1), 2, name="a_1"), layers.MaxPooling2D(2, name="a_2"),
        layers.Dense(5, name="b")).layers
    assert (image.name, image.class_name, image.shape) == ("image", "InputLayer", (8, 8, 3))
    assert (conv.class_name, conv.filters, conv.kernel_size, conv.strides) == ("Conv2D", 4, (3, 1), (2, 2))
    assert (pool.class_name, pool.filters, pool.kernel_size, pool.strides) == ("MaxPooling2D", None, (2, 2), (2, 2))
    assert (dense.class_name, dense.filters, dense.kernel_size, dense.strides) == ("Dense", 5, None, None)


def test_inputs_of_layers():
    image = keras.Input((8, 8, 3), name="image")
    other = keras.Input((8, 8, 3), name="other")
    shared = layers.Conv2D(3, 1, name="twice")
    first = shared(image)
    joined = layers.Concatenate(name="join")([other, first, other])
    gated = keras.ops.multiply(layers.Conv2D(3, 1, name="mix")(joined), first)
    model_summary = summary.summarize_model(keras.Model([image, other], [gated, shared(gated)]))
    gate = next(layer.name for layer in model_summary.layers if layer.class_name == "Multiply")
    assert {layer.name: layer.inputs for layer in model_summary.layers} == {
        "image": (), "other": (), "twice": ("image", gate), "join": ("other", "twice"), "mix": ("join",),
        gate: ("mix", "twice")}


def test_frozen_layers_are_not_trainable():
    frozen = layers.Dense(5, name="a")
    frozen.trainable = False
    model_summary = summarize_layers((3,), frozen, layers.BatchNormalization(name="b"))
    assert [(stage.parameters, stage.trainable_parameters) for stage in model_summary.stages] == [(20, 0), (20, 10)]
    assert (model_summary.parameters, model_summary.trainable_parameters) == (40, 10)


# ---------------------------------------------------------------------------------------------------------- the flow

def test_layers_are_ordered_by_the_data_flow():
    image = keras.Input((8, 8, 3), name="image")
    second_layer = layers.Conv2D(2, 1, padding="same", name="fork_2")  # created first, second in the order
    stem = layers.Conv2D(4, 3, padding="same", name="stem_1")(image)
    second_branch = second_layer(stem)
    first_branch = layers.Conv2D(2, 3, padding="same", name="fork_1a")(stem)
    first_branch = layers.Conv2D(5, 3, padding="same", name="fork_1b")(first_branch)
    joined = layers.Concatenate(name="fork")([first_branch, second_branch])
    aux = layers.Dense(3, name="aux1_fc")(layers.GlobalAveragePooling2D(name="aux1_pool")(stem))
    main = layers.Dense(4, name="fc")(layers.Flatten(name="flat")(joined))
    model_summary = summary.summarize_model(keras.Model(image, {"main": main, "aux1": aux}))
    assert [item.name for item in model_summary.layers] == [
        "image", "stem_1", "fork_1a", "fork_1b", "fork_2", "fork", "flat", "fc", "aux1_pool", "aux1_fc"]
    assert [(item.name, item.shape) for item in model_summary.stages] == [
        ("stem", (8, 8, 4)), ("fork", (8, 8, 7)), ("flat", (448,)), ("fc", (4,)), ("aux1", (3,))]


def test_a_shared_layer_computes_twice_and_has_its_weights_once():
    image = keras.Input((8, 8, 3), name="image")
    shared = layers.Conv2D(3, 3, name="twice")
    shared(keras.Input((30, 30, 3)))  # also called in another model
    model_summary = summary.summarize_model(keras.Model(image, shared(layers.ReLU(name="act")(shared(image)))))
    assert (model_summary.parameters, model_summary.multiply_adds) == (84, (36 + 16) * 81)
    assert [(stage.name, stage.shape) for stage in model_summary.stages] == [("act", (6, 6, 3)), ("twice", (4, 4, 3))]


def test_operations_are_layers_too():
    image = keras.Input((4, 6), name="image")
    model_summary = summary.summarize_model(keras.Model(image, keras.ops.relu(layers.Dense(6, name="fc")(image)) + 1))
    assert [layer.class_name for layer in model_summary.layers] == ["InputLayer", "Dense", "Relu", "Add"]
    assert model_summary.multiply_adds == 4 * 36 and model_summary.stages[-1].shape == (4, 6)


def test_nested_and_sequential_models():
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="conv"), layers.Flatten(name="flat")],
                             name="inner")
    assert summary.summarize_model(inner).multiply_adds == 36 * 4 * 27
    model_summary = summarize_layers((8, 8, 3), inner, layers.Dense(2, name="fc"))
    assert [(stage.name, stage.parameters, stage.multiply_adds) for stage in model_summary.stages] == [
        ("inner", 112, 36 * 4 * 27), ("fc", 290, 288)]


@pytest.mark.parametrize("calls_before", [0, 1])
def test_a_nested_functional_model_is_the_output(calls_before):
    inner_image, image = keras.Input((8, 8, 3)), keras.Input((8, 8, 3), name="image")
    inner = keras.Model(inner_image, layers.Dense(2)(layers.Flatten()(inner_image)), name="inner")
    for _ in range(calls_before):
        inner(keras.Input((8, 8, 3)))  # in another model
    model_summary = summary.summarize_model(keras.Model(image, inner(layers.ReLU(name="act")(image))))
    assert [(item.name, item.inputs) for item in model_summary.layers] == [("image", ()), ("act", ("image",)),
                                                                           ("inner", ("act",))]
    twice = summary.summarize_model(keras.Model(image, [inner(image), inner(layers.ReLU(name="act")(image))]))
    assert (twice.parameters, twice.multiply_adds) == (386, 2 * 384)


@keras.saving.register_keras_serializable("test_model_summary")
class Unknown(layers.Layer):
    def build(self, shape):
        self.weight = self.add_weight(shape=(shape[-1],))

    def call(self, x):
        return x * self.weight


def test_layers_that_cannot_be_counted_are_listed():
    image = keras.Input((4, 6), name="image")
    unknown, product = Unknown(name="strange"), layers.Dot(2, name="product")
    dense = layers.Dense(2, name="fc")(unknown(image))
    model_summary = summary.summarize_model(keras.Model(image, product([dense, dense])))
    assert model_summary.uncounted_layers == ("strange", "product")
    assert (model_summary.parameters, model_summary.multiply_adds) == (6 + 14, 4 * 12)
    assert {layer.name: layer.multiply_adds for layer in model_summary.layers}["strange"] is None


def test_unknown_sizes_cannot_be_counted():
    model_summary = summarize_layers((None, None, 3), layers.Conv2D(4, 3, name="conv"),
                                     layers.GlobalAveragePooling2D(name="pool"), layers.Dense(2, name="fc"))
    assert (model_summary.uncounted_layers, model_summary.parameters, model_summary.multiply_adds) == (("conv",), 122,
                                                                                                       8)
    assert model_summary.stages[0].shape == (None, None, 4)


def test_a_functional_model_of_a_class_with_its_own_arguments():
    class Net(keras.Model):
        def __init__(self, classes, **keywords):
            image = keras.Input((8, 8, 3), name="image")
            flat = layers.Flatten(name="flat")(image)
            super().__init__(image, {"main": layers.Dense(classes, name="fc")(flat), "also": flat}, **keywords)

    model_summary = summary.summarize_model(Net(5, name="net"))
    assert [layer.name for layer in model_summary.layers] == ["image", "flat", "fc"]
    assert model_summary.parameters == 193 * 5
    nested = summarize_layers((8, 8, 3), Net(5, name="net"))
    assert (nested.parameters, nested.multiply_adds) == (193 * 5, 192 * 5)


def test_a_subclassed_model_is_refused():
    class Coded(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(UserError) as error:
        summary.summarize_model(Coded(name="coded"))
    check_text(str(error.value), "'coded'", "Coded", "keras.Model(inputs, outputs)")


# ------------------------------------------------------------------------------------------- published multiply-adds

@pytest.mark.parametrize("make, multiply_adds", [
    (keras.applications.VGG16, 15_470_264_320),
    (keras.applications.ResNet50V2, 3_482_255_360),
    (keras.applications.InceptionV3, 5_713_216_096),
    (keras.applications.InceptionResNetV2, 13_155_794_016),
    (keras.applications.Xception, 8_357_403_496),
], ids=lambda value: getattr(value, "__name__", ""))
def test_keras_applications(make, multiply_adds):
    model_summary = summarize_without_weights(lambda: make(weights=None))
    assert (model_summary.multiply_adds, model_summary.uncounted_layers) == (multiply_adds, ())


@pytest.mark.parametrize("name, keywords, multiply_adds", [
    ("resnet34", {"input_shape": (32, 32, 3), "classes": 10}, 1_159_402_496),
    ("resnet34", {"input_shape": (32, 32, 3), "classes": 100}, 1_159_448_576),
    ("vgg16", {"input_shape": (32, 32, 3), "classes": 100}, 332_480_512),
    ("vgg19", {"input_shape": (32, 32, 3), "classes": 100, "batch_norm": True}, 417_415_168),
    ("lenet5", {"input_shape": (32, 32, 3)}, 651_720),
    ("lenet5_bn", {"dense_at_the_end": True}, 38_940_772),
    ("alexnet", {"groups": 1}, 1_135_256_096),
    ("googlenet", {"classes": 10}, 1_581_658_112),
    ("googlenet", {"aux": True}, 1_591_044_096),
    ("googlenet", {"aux": True, "classes": 10}, 1_588_002_816),
    ("inception_v3", {"aux": True}, 5_718_899_296),
    ("nin", {"classes": 100}, 223_592_448),
    ("highway", {"classes": 100}, 330_835_728),
    ("highway_mnist", {"width": 0.5}, 8_028_576),
    ("maxout", {"classes": 100}, 732_335_696),
])
def test_variants(name, keywords, multiply_adds):
    assert zoo.describe(name, **keywords)["multiply_adds"] == multiply_adds


# -------------------------------------------------------------------------------------------------------- describing

def test_docstring_sections():
    description = read_docstring_sections("vgg")
    assert description["summary"] == "VGG, configurations D (VGG-16) and E (VGG-19)."
    assert description["paper_differences"].startswith("weights are initialized with Glorot and Bengio's uniform "
                                                       "distribution, with which, as the paper found")
    assert "Other implementations" not in description["paper_differences"]


def test_a_description_of_the_requested_model():
    description = zoo.describe("vgg16", (32, 40, 1), 7, width=0.5, batch_norm=True)
    assert (description["input_shape"], description["classes"], description["stem"],
            description["width"]) == ([32, 40, 1], 7, "paper", 0.5)
    assert description["options"] == {"batch_norm": True, "dropout": 0.5} and description["aux"] is False
    assert description["parameters"] == zoo.build("vgg16", (32, 40, 1), 7, width=0.5, batch_norm=True).count_params()
    assert description["paper"] == {
        "authors": "Simonyan, Zisserman", "year": 2014, "identifier": "arXiv:1409.1556",
        "title": "Very Deep Convolutional Networks for Large-Scale Image Recognition",
        "url": "https://arxiv.org/abs/1409.1556"}
    assert zoo.describe("resnet34", (32, 32, 3))["stem"] == "small"
    assert zoo.describe("lenet5")["paper"]["url"] == "https://doi.org/10.1109/5.726791"


def test_errors_are_those_of_build():
    for name, arguments, keywords, pins in (
            ("resnet43", (), {}, ("'resnet43'", "'resnet44'")), ("vgg16", ((8, 8, 3),), {}, ("vgg16", "16", "8x8")),
            ("vgg16", (), {"aux": True}, ("aux", "googlenet", "inception_v3", "True")),
            ("vgg16", (), {"batchnorm": True}, ("batchnorm", "batch_norm"))):
        with pytest.raises(UserError) as error:
            zoo.describe(name, *arguments, **keywords)
        check_text(str(error.value), *pins)


def test_describing_leaves_nothing_behind():
    """No weights, now or after the next scope of Keras, and no automatic name is used up."""
    def count_weights():
        gc.collect()
        return sum(math.prod(variable.shape) for variable in gc.get_objects() if isinstance(variable, keras.Variable))

    keras.utils.clear_session()
    before = count_weights()
    zoo.describe("vgg16")
    assert count_weights() == before
    with keras.StatelessScope():
        pass
    assert count_weights() == before
    assert layers.Dense(1).name == "dense"


def test_describing_does_not_change_an_existing_model():
    """A model that is built before is unchanged after."""
    model = zoo.build("lenet5")
    weights = model.get_weights()
    zoo.describe("lenet5")
    assert all(np.array_equal(before, after) for before, after in zip(weights, model.get_weights(), strict=True))
    with keras.StatelessScope(initialize_variables=False):
        assert zoo.describe("lenet5") == zoo.describe("lenet5")
