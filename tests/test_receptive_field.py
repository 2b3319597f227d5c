"""Receptive fields of zoo.analysis.receptive_field, by hand; test_descriptions.py has those of every network."""

import keras
import pytest
from keras import layers
from test_model_summary import summarize_layers

from zoo import layers as zoo_layers
from zoo.analysis import summary
from zoo.analysis.layer_memory import LAYER_MEMORY_RULES
from zoo.analysis.receptive_field import WINDOW_FINDERS
from zoo.layers import (
    CeilAveragePooling2D,
    CeilMaxPooling2D,
    ChannelPadding,
    Highway,
    LocalResponseNormalization,
    Maxout,
    ScaledAdd,
    SparseConv2D,
    SpatialPyramidPooling2D,
    TrainableSubsampling,
)

WHOLE_IMAGE = ("all", None)


def get_fields(model_summary):
    return {layer.name: (layer.receptive_field, layer.output_stride) for layer in model_summary.layers}


def compute_last_field(shape, *steps):
    return [*get_fields(summarize_layers(shape, *steps)).values()][-1]


@pytest.mark.parametrize("layer, field, stride", [  # after a convolution of 3x3 with stride 2: field 3, stride 2
    (layers.Conv2D(1, 3), (7, 7), (2, 2)),
    (layers.Conv2D(1, (1, 7), (1, 2), padding="same"), (3, 15), (2, 4)),
    (layers.Conv2D(1, 3, dilation_rate=2), (11, 11), (2, 2)),
    (layers.DepthwiseConv2D(5), (11, 11), (2, 2)),
    (layers.SeparableConv2D(1, 3, 2), (7, 7), (4, 4)),
    (layers.MaxPooling2D(3, 2), (7, 7), (4, 4)),
    (layers.AveragePooling2D((2, 1)), (5, 3), (4, 2)),
    (CeilMaxPooling2D(3, 2), (7, 7), (4, 4)),
    (CeilAveragePooling2D(4, 3), (9, 9), (6, 6)),
    (CeilMaxPooling2D(30, 1), (19, 19), (2, 2)),  # the feature map has 9 pixels, to which the window shrinks
    (TrainableSubsampling(2), (5, 5), (4, 4)),
    (SparseConv2D([[0], [1, 2]], 5), (11, 11), (2, 2)),
    *((elementwise, (3, 3), (2, 2)) for elementwise in (
        LocalResponseNormalization(2, 1e-4, 0.75, 3), Maxout(2), ChannelPadding(6), layers.PReLU(), layers.ReLU(),
        layers.Dense(3),
        layers.BatchNormalization(), layers.Activation("tanh"), layers.Dropout(0.5), layers.ZeroPadding2D(3))),
    *((global_layer, "all", None) for global_layer in (
        layers.GlobalAveragePooling2D(), layers.GlobalMaxPooling2D(keepdims=True), layers.Flatten(),
        SpatialPyramidPooling2D((2, 1)))),
    *((unknown, None, None) for unknown in (
        layers.Conv2DTranspose(1, 3), layers.UpSampling2D(), layers.Reshape((81, 4)), layers.Lambda(lambda x: x))),
], ids=lambda value: getattr(value, "name", None))
def test_a_layer_after_a_convolution(layer, field, stride):
    assert compute_last_field((20, 20, 3), layers.Conv2D(4, 3, 2, name="before"), layer) == (field, stride)


def test_the_input_image():
    assert compute_last_field((8, 8, 3)) == ((1, 1), (1, 1))
    assert compute_last_field((8, 3)) == ((1,), (1,))
    assert compute_last_field((8,)) == WHOLE_IMAGE


def test_layers_after_one_that_reads_the_whole_image():
    assert compute_last_field((8, 8, 3), layers.GlobalAveragePooling2D(keepdims=True),
                              layers.Conv2D(2, 1)) == WHOLE_IMAGE
    assert compute_last_field((8, 8, 3), layers.Reshape((64, 3)), layers.Dense(2)) == (None, None)  # unknown
    assert compute_last_field((8, 8, 3), layers.Reshape((192,)), layers.Dense(2)) == WHOLE_IMAGE


def test_of_several_paths_the_largest_counts():
    image = keras.Input((16, 16, 4), name="image")
    wide = layers.Conv2D(4, (1, 7), padding="same", name="wide")(image)
    tall = layers.Conv2D(4, (3, 1), padding="same", name="tall")(image)
    gated = Highway(name="gate")([image, wide, tall])
    residual = ScaledAdd(0.1, name="residual")([gated, tall])
    squeezed = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(residual)
    excited = layers.Multiply(name="excite")([residual, layers.Dense(4, name="fc")(squeezed)])
    outputs = keras.ops.relu(layers.Conv2D(2, 3, 2, name="conv")(excited))
    fields = get_fields(summary.summarize_model(keras.Model(image, outputs)))
    assert (fields["wide"], fields["tall"]) == (((1, 7), (1, 1)), ((3, 1), (1, 1)))
    assert fields["gate"] == fields["residual"] == ((3, 7), (1, 1))
    assert fields["squeeze"] == fields["fc"] == WHOLE_IMAGE
    assert fields["excite"] == ("all", (1, 1)) and fields["conv"] == [*fields.values()][-1] == ("all", (2, 2))


def test_a_shared_layer_has_the_field_of_its_last_call():
    image, shared = keras.Input((16, 16, 3), name="image"), layers.Conv2D(3, 3, 2, name="twice")
    assert get_fields(summary.summarize_model(keras.Model(image, shared(shared(image)))))["twice"] == ((7, 7), (4, 4))


def test_pixel_scaling_is_pixelwise():
    scaling = zoo_layers.PixelScaling([1 / 255] * 3, [0.0] * 3, "bgr", name="scaling")
    assert compute_last_field((9, 9, 3), scaling, layers.Conv2D(2, 3, 2, name="conv")) == ((3, 3), (2, 2))


@pytest.mark.parametrize("name", [name for name in zoo_layers.__all__ if name != "scaled_tanh"])
def test_every_layer_of_zoo_is_known(name):
    layer_class = getattr(zoo_layers, name)
    tables = [WINDOW_FINDERS] * (name not in ("RBF", "SpatialPyramidPooling2D"))  # these two give vectors
    for table in (*tables, LAYER_MEMORY_RULES):
        assert any(layer_class in (key if isinstance(key, tuple) else (key,)) for key in table)
