"""Every network of the catalogue: counts, shapes, names, options, sizes. A new network needs a row in each table here.

Counts and shapes are those of the papers and of other people's ports. They need no weights: inside a StatelessScope
Keras builds a model without allocating any.
"""

import math
import re

import keras
import numpy as np
import pytest

import zoo
from zoo.catalog import SPECS, blueprint

NETWORKS = sorted(SPECS)


def unallocated(name, *arguments, **keywords):
    try:
        with keras.StatelessScope(initialize_variables=False):
            return zoo.build(name, *arguments, **keywords)
    finally:
        keras.utils.clear_session()  # forgets the variables, which the next scope to end would allocate after all


def counts(model):
    return (sum(math.prod(each.shape) for each in model.weights),
            sum(math.prod(each.shape) for each in model.trainable_weights))


def answer(model, images):
    return keras.ops.convert_to_numpy(model(images, training=False))


def pictures(count, *shape):
    return np.random.default_rng(0).normal(size=(count, *shape)).astype("float32")


# ---------------------------------------------------------------------------------------------------------- counts

PAPER = {  # all, trainable
    "lenet5": (61_706, 61_706),
    "vgg16": (138_357_544, 138_357_544),
    "vgg19": (143_667_240, 143_667_240),
    "resnet34": (21_811_112, 21_795_880),
}
SMALL_STEM = {"resnet34": (21_295_562, 21_280_330)}  # 32x32x3, 10 classes


@pytest.mark.parametrize("name", NETWORKS)
def test_the_papers_count(name):
    model = unallocated(name)
    assert counts(model) == PAPER[name] == SPECS[name].parameters
    assert model.count_params() == PAPER[name][0]
    assert model.name == name


@pytest.mark.parametrize("name", [name for name in NETWORKS if SPECS[name].small_below])
def test_the_small_stems_count(name):
    assert counts(unallocated(name, (32, 32, 3), 10, stem="small")) == SMALL_STEM[name] == SPECS[name].small_parameters


@pytest.mark.parametrize("name, keywords, expected", [
    ("lenet5", {"input_shape": (32, 32, 1)}, (61_706, 61_706)),
    ("lenet5", {"input_shape": (32, 32, 3)}, (62_006, 62_006)),
    ("vgg16", {"include_top": False}, (14_714_688, 14_714_688)),
    ("vgg19", {"include_top": False}, (20_024_384, 20_024_384)),
    ("vgg16", {"input_shape": (32, 32, 3), "classes": 10}, (33_638_218, 33_638_218)),
    ("vgg16", {"input_shape": (32, 32, 3), "classes": 100}, (34_006_948, 34_006_948)),
    ("vgg19", {"input_shape": (32, 32, 3), "classes": 100}, (39_316_644, 39_316_644)),
    ("vgg16", {"input_shape": (32, 32, 3), "classes": 100, "batch_norm": True}, (34_023_844, 34_015_396)),
    ("vgg19", {"input_shape": (32, 32, 3), "classes": 100, "batch_norm": True}, (39_338_660, 39_327_652)),
    ("resnet34", {"input_shape": (32, 32, 3), "classes": 100}, (21_341_732, 21_326_500)),
])
def test_counts_of_variants(name, keywords, expected):
    assert counts(unallocated(name, **keywords)) == expected


def lenet5_count(c1, c3, c5, f6):
    return (25 + 1) * c1 + (25 * c1 + 1) * c3 + (25 * c3 + 1) * c5 + (c5 + 1) * f6 + (f6 + 1) * 10


def vgg_count(convolutions, dense):
    chain = [3, *convolutions]
    body = sum((9 * before + 1) * after for before, after in zip(chain, convolutions, strict=False))
    return body + (convolutions[-1] + 1) * dense + (dense + 1) * dense + (dense + 1) * 10  # 1x1 when it leaves the body


def resnet34_count(first, second, third, fourth):
    count, before = 9 * 3 * first, first
    for stage, (width, blocks) in enumerate(((first, 3), (second, 4), (third, 6), (fourth, 3))):
        for number in range(blocks):
            count += 4 * before + 9 * before * width + 4 * width + 9 * width * width
            count += before * width if number == 0 and stage > 0 else 0  # the 1x1 projection
            before = width
    return count + 4 * fourth + (fourth + 1) * 10


NARROW = {  # at 32x32x3 (lenet5: 28x28x1) with 10 classes
    ("lenet5", 0.5): lenet5_count(3, 8, 60, 42),
    ("lenet5", 0.1): lenet5_count(1, 1, 12, 8),
    ("vgg16", 0.5): vgg_count((32, 32, 64, 64, *[128] * 3, *[256] * 6), 2048),
    ("vgg16", 0.1): vgg_count((6, 6, 12, 12, *[25] * 3, *[51] * 6), 409),
    ("vgg19", 0.5): vgg_count((32, 32, 64, 64, *[128] * 4, *[256] * 8), 2048),
    ("vgg19", 0.1): vgg_count((6, 6, 12, 12, *[25] * 4, *[51] * 8), 409),
    ("resnet34", 0.5): resnet34_count(32, 64, 128, 256),
    ("resnet34", 0.1): resnet34_count(6, 12, 25, 51),
}


def test_the_arithmetic_of_the_narrow_ones():
    assert lenet5_count(6, 16, 120, 84) == 61_706
    assert vgg_count((64, 64, 128, 128, *[256] * 3, *[512] * 6), 4096) == 33_638_218
    assert resnet34_count(64, 128, 256, 512) == 21_295_562


@pytest.mark.parametrize("width", [0.5, 0.1])
@pytest.mark.parametrize("name", NETWORKS)
def test_width(name, width):
    shape = (28, 28, 1) if name == "lenet5" else (32, 32, 3)
    assert unallocated(name, shape, 10, width=width).count_params() == NARROW[name, width]


def test_the_narrowest_has_one_of_each():
    assert zoo.build("resnet34", (32, 32, 3), 10, width=1e-9).count_params() == resnet34_count(1, 1, 1, 1)


# ---------------------------------------------------------------------------------------------------------- shapes

STAGES = {  # what the papers' tables say, at the paper's size
    "lenet5": {"C1": (28, 28, 6), "S2": (14, 14, 6), "C3": (10, 10, 16), "S4": (5, 5, 16), "C5": (120,), "F6": (84,),
               "output": (10,)},
    "vgg16": {"conv1_2": (224, 224, 64), "pool1": (112, 112, 64), "conv2_2": (112, 112, 128), "pool2": (56, 56, 128),
              "conv3_3": (56, 56, 256), "pool3": (28, 28, 256), "conv4_3": (28, 28, 512), "pool4": (14, 14, 512),
              "conv5_3": (14, 14, 512), "pool5": (7, 7, 512), "fc6": (4096,), "fc7": (4096,), "fc8": (1000,)},
    "vgg19": {"conv1_2": (224, 224, 64), "pool1": (112, 112, 64), "conv2_2": (112, 112, 128), "pool2": (56, 56, 128),
              "conv3_4": (56, 56, 256), "pool3": (28, 28, 256), "conv4_4": (28, 28, 512), "pool4": (14, 14, 512),
              "conv5_4": (14, 14, 512), "pool5": (7, 7, 512), "fc6": (4096,), "fc7": (4096,), "fc8": (1000,)},
    "resnet34": {"conv1": (112, 112, 64), "pool1": (56, 56, 64), "conv2_3_add": (56, 56, 64),
                 "conv3_4_add": (28, 28, 128), "conv4_6_add": (14, 14, 256), "conv5_3_add": (7, 7, 512),
                 "conv5_relu": (7, 7, 512), "pool5": (512,), "fc": (1000,)},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_papers_stages(name):
    model = unallocated(name)
    assert {layer: model.get_layer(layer).output.shape[1:] for layer in STAGES[name]} == STAGES[name]
    assert model.input_shape[1:] == ((28, 28, 1) if name == "lenet5" else (224, 224, 3))


LAST_GRID = {  # rows x columns of `features`, by rows x columns of the picture; stem="auto"
    "lenet5": {(12, 12): (1, 1), (28, 28): (5, 5), (32, 32): (5, 5), (64, 64): (13, 13), (96, 80): (21, 17)},
    "vgg16": {(16, 16): (1, 1), (28, 28): (1, 1), (32, 32): (1, 1), (64, 64): (2, 2), (96, 80): (3, 2),
              (16, 64): (1, 2), (150, 150): (4, 4)},
    "vgg19": {(16, 16): (1, 1), (28, 28): (1, 1), (32, 32): (1, 1), (64, 64): (2, 2), (96, 80): (3, 2),
              (16, 64): (1, 2), (150, 150): (4, 4)},
    "resnet34": {(28, 28): (4, 4), (32, 32): (4, 4), (64, 64): (8, 8), (96, 80): (12, 10), (97, 97): (4, 4),
                 (224, 224): (7, 7), (97, 96): (13, 12)},
}
LAST_WIDTH = {"lenet5": 16, "vgg16": 512, "vgg19": 512, "resnet34": 512}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name, sides, grid", [(name, *row) for name in NETWORKS for row in LAST_GRID[name].items()])
def test_picture_sizes(name, sides, grid, channels):
    model = unallocated(name, (*sides, channels), 7)
    assert model.get_layer(SPECS[name].features).output.shape[1:] == (*grid, LAST_WIDTH[name])
    assert model.input_shape[1:] == (*sides, channels)
    assert model.output_shape == (None, 7)


STEM = {  # what stem="auto" is, by the side of the picture
    "lenet5": {28: "paper", 32: "paper", 64: "paper", 96: "paper", 97: "paper", 224: "paper"},
    "vgg16": {28: "paper", 32: "paper", 64: "paper", 96: "paper", 97: "paper", 224: "paper"},
    "vgg19": {28: "paper", 32: "paper", 64: "paper", 96: "paper", 97: "paper", 224: "paper"},
    "resnet34": {28: "small", 32: "small", 64: "small", 96: "small", 97: "paper", 224: "paper"},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_stems(name):
    assert {side: blueprint(name, (side, side, 3)).stem for side in STEM[name]} == STEM[name]
    assert blueprint(name, (64, 64, 3), stem="paper").stem == "paper"


@pytest.mark.parametrize("side, grid", [(32, (1, 1)), (96, (3, 3)), (97, (4, 4))])
def test_resnets_paper_stem_on_small_pictures(side, grid):
    model = unallocated("resnet34", (side, side, 3), include_top=False, stem="paper")
    assert model.output_shape == (None, *grid, 512)


def test_resnets_small_stem_on_large_pictures():
    model = unallocated("resnet34", (128, 128, 3), include_top=False, stem="small")
    assert model.output_shape == (None, 16, 16, 512)


FEATURES = {"lenet5": "S4", "vgg16": "pool5", "vgg19": "pool5", "resnet34": "conv5_relu"}
NO_TOP = {"lenet5": (5, 5, 16), "vgg16": (7, 7, 512), "vgg19": (7, 7, 512), "resnet34": (7, 7, 512)}


@pytest.mark.parametrize("name", NETWORKS)
def test_without_a_top(name):
    assert SPECS[name].features == FEATURES[name]
    body = unallocated(name, include_top=False)
    assert body.output_shape == (None, *NO_TOP[name])
    assert body.layers[-1].name == FEATURES[name]
    assert body.output is body.get_layer(FEATURES[name]).output

    names = [layer.name for layer in unallocated(name).layers]
    assert names[: len(body.layers)] == [layer.name for layer in body.layers]  # the head comes after it, whole

    channels = NO_TOP[name][-1]
    assert unallocated(name, include_top=False, pooling="avg").output_shape == (None, channels)
    assert unallocated(name, include_top=False, pooling="max").output_shape == (None, channels)


@pytest.mark.parametrize("pooling, reduce", [("avg", np.mean), ("max", np.max)])
def test_pooling(pooling, reduce):
    grid = zoo.build("vgg16", (64, 32, 3), include_top=False, width=0.05)
    pooled = zoo.build("vgg16", (64, 32, 3), include_top=False, width=0.05, pooling=pooling)
    pooled.set_weights(grid.get_weights())
    images = pictures(2, 64, 32, 3)
    expected = reduce(answer(grid, images), axis=(1, 2))
    np.testing.assert_allclose(answer(pooled, images), expected, rtol=1e-5)


# ---------------------------------------------------------------------------------------------------- names, options

def legal(spec):
    """Each option of a network, off its default, alone."""
    for name, default in spec.options.items():
        if isinstance(default, bool):
            yield {name: not default}
        elif isinstance(default, float):
            yield {name: 0}
            yield {name: 0.25}
        else:
            raise AssertionError(f"{spec.name}: say here which values {name} can have")


def kinds(spec):
    """Keyword arguments that give a network other layers."""
    return [{}, *legal(spec)] + ([{"stem": "small"}] if spec.small_below else [])


@pytest.mark.parametrize("side", [28, 128])
@pytest.mark.parametrize("name, keywords", [(name, each) for name in NETWORKS for each in kinds(SPECS[name])])
def test_names_of_layers(name, keywords, side):
    names, again = ([layer.name for layer in unallocated(name, (side, side, 3), 10, **keywords).layers]
                    for _ in range(2))
    assert names == again  # a name that Keras made up would have another number the second time
    assert len(set(names)) == len(names)
    assert [each for each in names if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", each)] == []


@pytest.mark.parametrize("name, options", [(name, options) for name in NETWORKS for options in legal(SPECS[name])])
def test_every_legal_option_builds_and_changes_something(name, options):
    shape = SPECS[name].input_shape
    plain, changed = unallocated(name, shape), unallocated(name, shape, **options)
    assert changed.output_shape == plain.output_shape
    assert changed.get_config() != plain.get_config()


OPTIONS = {"lenet5": {}, "vgg16": {"batch_norm": False, "dropout": 0.5}, "vgg19": {"batch_norm": False, "dropout": 0.5},
           "resnet34": {}}


@pytest.mark.parametrize("name", NETWORKS)
def test_options_and_their_defaults(name):
    assert SPECS[name].options == OPTIONS[name]


def test_the_option_dropout_reaches_both_layers():
    model = unallocated("vgg19", (32, 32, 3), 10, dropout=0.3)
    assert [(layer.name, layer.rate) for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [
        ("drop6", 0.3), ("drop7", 0.3)]


def test_every_batch_normalisation_has_pytorchs_constants():
    found = [layer for model in (unallocated("resnet34", (32, 32, 3), 10), unallocated("vgg16", batch_norm=True))
             for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(found) == 33 + 13
    assert {(layer.epsilon, layer.momentum) for layer in found} == {(1e-5, 0.9)}


# ---------------------------------------------------------------------------------------------------------- outputs

@pytest.fixture
def mixed_bfloat16():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_and_probabilities(name):
    shape = (28, 28, 1)
    model = zoo.build(name, shape, 10, width=0.1)
    without = zoo.build(name, shape, 10, width=0.1, classifier_activation=None)
    without.set_weights(model.get_weights())
    images = pictures(3, *shape)
    images *= 5 / np.abs(answer(without, images)).max()  # without biases logits grow as pixels do: up to 5
    probabilities, logits = answer(model, images), answer(without, images)
    assert 1 < np.abs(logits).max() < 25
    assert probabilities.dtype == logits.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert np.abs(logits.sum(axis=1) - 1).max() > 1e-3  # they are no probabilities

    powers = np.exp(logits.astype("float64") - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(probabilities, powers / powers.sum(axis=1, keepdims=True), rtol=1e-4)


def test_another_activation():
    model = zoo.build("lenet5", classifier_activation="sigmoid")
    logits = zoo.build("lenet5", classifier_activation=None)
    logits.set_weights(model.get_weights())
    images = pictures(3, 28, 28, 1)
    expected = 1 / (1 + np.exp(-answer(logits, images).astype("float64")))
    np.testing.assert_allclose(answer(model, images), expected, rtol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_mixed_bfloat16(name, mixed_bfloat16):
    model = zoo.build(name, (28, 28, 1), 10, width=0.1)
    assert model.get_layer(SPECS[name].features).compute_dtype == "bfloat16"
    probabilities = answer(model, pictures(2, 28, 28, 1))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)  # bfloat16 would miss by 1e-3


@pytest.mark.parametrize("name", NETWORKS)
def test_small_pictures_run(name):
    side = SPECS[name].least_side
    model = zoo.build(name, (side, side + 3, 2), 3, width=0.05)
    assert answer(model, pictures(2, side, side + 3, 2)).shape == (2, 3)
