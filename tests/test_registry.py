"""Every network of the registry: counts, shapes, names, options, sizes; the expected values are in tests/papers.

Counts and shapes need no weights: inside a StatelessScope Keras builds a model without allocating any.
"""

import dataclasses
import functools
import importlib
import math
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import slow_if_large
from test_parity import randomize

import zoo
from zoo.models import builder
from zoo.catalogue import MODELS
from zoo.registry import resolve_model_config, select_models

NETWORKS, IMAGE_NETWORKS = sorted(MODELS), sorted(select_models("image"))  # tests/texts has the other sizes
PAPERS = Path(__file__).parent / "papers"
FACTS = {name: facts for file in sorted({spec.module for spec in MODELS.values()}) if (PAPERS / f"{file}.py").exists()
         for name, facts in importlib.import_module(f"papers.{file}").FACTS.items()}


def test_every_network_has_its_papers_facts():
    assert sorted(FACTS) == NETWORKS


def build_without_weights(name, *arguments, **keywords):
    return _build_without_weights(name, *arguments, *keywords.items())


@functools.lru_cache(maxsize=200)  # the tests share a few builds of each network, some of which take seconds
def _build_without_weights(name, *arguments):
    positional = [argument for argument in arguments
                  if not (isinstance(argument, tuple) and isinstance(argument[0], str))]
    keywords = dict(argument for argument in arguments if isinstance(argument, tuple) and isinstance(argument[0], str))

    def build():
        with keras.StatelessScope(initialize_variables=False):
            return zoo.build(name, *positional, **keywords)

    with ThreadPoolExecutor(1) as thread:  # otherwise the next scope in the same thread would allocate the variables
        return thread.submit(build).result()


def build_as_in_paper(name):
    """Build a network with its auxiliary classifiers."""
    return build_without_weights(name, aux=True) if MODELS[name].aux_loss_weights else build_without_weights(name)


def count_parameters(model):
    return (sum(math.prod(variable.shape) for variable in model.weights),
            sum(math.prod(variable.shape) for variable in model.trainable_weights))


def call_model(model, images):
    return keras.ops.convert_to_numpy(model(images, training=False))


def random_images(count, *shape):
    return np.random.default_rng(0).normal(size=(count, *shape)).astype("float32")


def get_min_width(name):
    return 1.0 if MODELS[name].fixed_width else 0.1


# ---------------------------------------------------------------------------------------------------------- counts

@pytest.mark.parametrize("name", NETWORKS)
def test_the_papers_parameter_count(name):
    model = build_without_weights(name)
    assert count_parameters(model) == FACTS[name].parameters == MODELS[name].parameters
    assert model.count_params() == FACTS[name].parameters[0]
    assert model.name == name


@pytest.mark.parametrize("name", ["inception_v2", "inception_v3", "inception_v4", "inception_resnet_v1",
                                  "inception_resnet_v2", "inception_resnet_v2_paper", "xception"])
def test_batch_normalization_has_slims_constants(name):
    constants = {(layer.epsilon, layer.momentum) for layer in build_without_weights(name).layers
                 if isinstance(layer, keras.layers.BatchNormalization)}
    assert constants == {(1e-3, 0.99)}


@pytest.mark.parametrize("name", [name for name in NETWORKS if MODELS[name].small_stem_below])
def test_the_small_stems_parameter_count(name):
    model = build_without_weights(name, (32, 32, 3), 10, stem="small")
    assert count_parameters(model) == FACTS[name].small == MODELS[name].small_stem_parameters


@pytest.mark.parametrize("name, keywords, expected", [
    (name, *row) for name in NETWORKS for row in FACTS[name].variants])
def test_counts_of_variants(name, keywords, expected):
    assert count_parameters(build_without_weights(name, **keywords)) == expected


@pytest.mark.parametrize("name, width, expected", slow_if_large([
    (name, *row) for name in NETWORKS for row in FACTS[name].narrow.items()]))
def test_width(name, width, expected):
    assert build_without_weights(name, FACTS[name].narrow_shape, 10, width=width).count_params() == expected


def test_every_network_has_a_narrow_count():
    for name in NETWORKS:
        assert bool(FACTS[name].narrow) != bool(MODELS[name].fixed_width), name


# ---------------------------------------------------------------------------------------------------------- shapes

@pytest.mark.parametrize("name", NETWORKS)
def test_the_papers_stages(name):
    model = build_as_in_paper(name)
    stages = FACTS[name].stages
    assert {layer: model.get_layer(layer).output.shape[1:] for layer in stages} == stages
    assert model.input_shape[1:] == FACTS[name].input_shape == MODELS[name].input_shape
    main = model.output["main"] if MODELS[name].aux_loss_weights else model.output
    assert main.shape == (None, FACTS[name].classes)


@pytest.mark.parametrize("name, size, feature_size", slow_if_large([
    (name, *row) for name in IMAGE_NETWORKS for row in FACTS[name].grids.items()]))
def test_feature_map_sizes(name, size, feature_size):
    model = build_without_weights(name, (*size, 3), include_top=False)
    assert model.output_shape == (None, *feature_size, FACTS[name].width)
    assert model.input_shape == (None, *size, 3)


@pytest.mark.parametrize("name", slow_if_large([name for name in IMAGE_NETWORKS if not MODELS[name].fixed_width]))
def test_a_non_square_image_at_half_width(name):
    model = build_without_weights(name, (96, 80, 3), 7, width=0.5)
    assert model.output_shape == (None, 7)


@pytest.mark.parametrize("name", slow_if_large(IMAGE_NETWORKS))
def test_one_channel(name):
    gray, color = (build_without_weights(name, (28, 28, channels), 7) for channels in (1, 3))
    assert gray.input_shape == (None, 28, 28, 1)
    assert gray.output_shape == color.output_shape == (None, 7)
    assert count_parameters(gray)[0] < count_parameters(color)[0]


@pytest.mark.parametrize("name", IMAGE_NETWORKS)
def test_stems(name):
    stems = FACTS[name].stems
    assert {size: resolve_model_config(name, (size, size, 3)).stem for size in stems} == stems
    if MODELS[name].small_stem_below:
        assert resolve_model_config(name, (75, 75, 3), stem="paper").stem == "paper"
        assert resolve_model_config(name,
                                    (64, 999, 3)).stem == resolve_model_config(name, (999, 64, 3)).stem == stems[64]


@pytest.mark.parametrize("name", slow_if_large([name for name in NETWORKS if MODELS[name].small_stem_below]))
def test_auto_uses_the_papers_stem_if_at_least_four_pixels_are_left(name):
    size = MODELS[name].small_stem_below
    assert FACTS[name].grids[size, size] == (4, 4)  # built in test_feature_map_sizes
    smaller = build_without_weights(name, (size - 1, size - 1, 3), include_top=False, stem="paper")
    assert smaller.output_shape[1:3] == (3, 3)


@pytest.mark.parametrize("name", slow_if_large([name for name in NETWORKS if MODELS[name].small_stem_below]))
def test_the_papers_stem_on_the_smallest_images(name):
    size = max(MODELS[name].min_size, MODELS[name].paper_stem_min_size)
    model = build_without_weights(name, (size, size, 3), 10, stem="paper", aux=bool(MODELS[name].aux_loss_weights))
    assert min(model.get_layer(MODELS[name].feature_layer).output.shape[1:3]) >= 1
    if MODELS[name].paper_stem_min_size:
        smaller = dataclasses.replace(resolve_model_config(name, (size, size, 3), stem="paper"),
                                      input_shape=(size - 1, size, 3))
        with pytest.raises(ValueError, match="zero or negative"):  # Keras's message: no pixels are left
            builder.build_model(smaller)


def test_resnets_paper_stem_on_small_images():
    model = build_without_weights("resnet34", (32, 32, 3), include_top=False, stem="paper")
    assert model.output_shape == (None, 1, 1, 512)


def test_resnets_small_stem_on_large_images():
    model = build_without_weights("resnet34", (128, 128, 3), include_top=False, stem="small")
    assert model.output_shape == (None, 16, 16, 512)


@pytest.mark.parametrize("name", slow_if_large(IMAGE_NETWORKS))
def test_without_a_top(name):
    facts = FACTS[name]
    assert MODELS[name].feature_layer == facts.features
    backbone = build_without_weights(name, (28, 28, 3), include_top=False)
    assert backbone.layers[-1].name == facts.features
    assert backbone.output is backbone.get_layer(facts.features).output

    names = [layer.name for layer in build_without_weights(name, (28, 28, 3), 10).layers]
    assert names[: len(backbone.layers)] == [layer.name for layer in backbone.layers]  # the whole head follows


@pytest.mark.parametrize("pooling, reduce", [("avg", np.mean), ("max", np.max)])
def test_pooling(pooling, reduce):
    backbone = zoo.build("vgg16", (64, 32, 3), include_top=False, width=0.05)
    pooled = zoo.build("vgg16", (64, 32, 3), include_top=False, width=0.05, pooling=pooling)
    pooled.set_weights(backbone.get_weights())
    images = random_images(2, 64, 32, 3)
    expected = reduce(call_model(backbone, images), axis=(1, 2))
    np.testing.assert_allclose(call_model(pooled, images), expected, rtol=1e-5)


# ---------------------------------------------------------------------------------------------------- names, options

def list_options(spec):
    """Yield each option of a network with a value other than its default."""
    for name, default in spec.options.items():
        if name in spec.choices:
            yield from ({name: value} for value in spec.choices[name] if value != default)
        elif isinstance(default, bool):
            yield {name: not default}
        elif isinstance(default, float):
            yield {name: 0}
            yield {name: 0.25}
        else:
            raise AssertionError(f"{spec.name}: say here which values {name} can have")


def list_variants(spec):
    """Return keyword arguments that change the layers of a network."""
    variants = [{}, *list_options(spec)] + [{"stem": "small"}] * bool(spec.small_stem_below)
    return variants + [{"aux": True}] * bool(spec.aux_loss_weights)


@pytest.mark.parametrize("name, keywords", slow_if_large([
    (name, layer_name) for name in IMAGE_NETWORKS for layer_name in list_variants(MODELS[name])]))
def test_names_of_layers(name, keywords):
    names = [layer.name for layer in build_without_weights(name, (28, 28, 3), 10, **keywords).layers]
    assert len(set(names)) == len(names)
    assert [layer_name for layer_name in names if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", layer_name)] == []
    # Keras's automatic names are the class name with a number that increases from build to build
    automatic = (r"(conv2d|dense|batch_normalization|re_lu|activation|concatenate|add|dropout|.*pooling2d"
                 r"|zero_padding2d|p_re_lu|keras_tensor)(_\d+)?")
    assert [layer_name for layer_name in names if re.fullmatch(automatic, layer_name)] == []


@pytest.mark.parametrize("name", slow_if_large(IMAGE_NETWORKS))
def test_every_build_has_the_same_names(name):
    names, names_of_second = ([layer.name for layer in build_without_weights(name, (28, 28, 3), classes).layers]
                              for classes in (10, 9))
    assert names == names_of_second  # an automatic name would have another number the second time


@pytest.mark.parametrize("name", slow_if_large(IMAGE_NETWORKS))
def test_every_legal_option_builds_and_changes_something(name):
    default = build_without_weights(name, (28, 28, 3), 10)
    for options in list_options(MODELS[name]):
        variant = build_without_weights(name, (28, 28, 3), 10, **options)
        assert variant.output_shape == default.output_shape
        if set(options) - set(MODELS[name].aux_options) or set(options) & set(MODELS[name].backbone_options):
            assert variant.get_config() != default.get_config()


@pytest.mark.parametrize("name", [name for name in NETWORKS if MODELS[name].aux_loss_weights])
def test_options_of_auxiliary_classifiers(name):
    default = build_without_weights(name, (28, 28, 3), 10, aux=True)
    for options in list_options(MODELS[name]):
        if set(options) & set(MODELS[name].aux_options):
            variant = build_without_weights(name, (28, 28, 3), 10, aux=True, **options)
            assert any(variant.get_layer(layer.name).get_config() != layer.get_config() for layer in default.layers
                       if layer.name.startswith("aux"))


@pytest.mark.parametrize("name", NETWORKS)
def test_options_and_their_defaults(name):
    assert MODELS[name].options == FACTS[name].options
    assert MODELS[name].aux_loss_weights == FACTS[name].aux_loss_weights


def test_the_option_dropout_reaches_both_layers():
    model = build_without_weights("vgg19", (32, 32, 3), 10, dropout=0.3)
    assert [(layer.name, layer.rate) for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [
        ("drop6", 0.3), ("drop7", 0.3)]


def test_every_batch_normalization_has_pytorchs_constants():
    norm_layers = [layer for model in (build_without_weights("resnet34", (32, 32, 3), 10),
                                       build_without_weights("vgg16", batch_norm=True))
                   for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(norm_layers) == 33 + 13
    assert {(layer.epsilon, layer.momentum) for layer in norm_layers} == {(1e-5, 0.9)}


# ---------------------------------------------------------------------------------------------------------- outputs

@pytest.fixture
def mixed_bfloat16():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("name", slow_if_large(IMAGE_NETWORKS))
def test_logits_and_probabilities(name):
    size, outputs = MODELS[name].min_size, {"main": "predictions"}
    outputs |= {aux: f"{aux}_predictions" for aux in MODELS[name].aux_loss_weights}
    model = zoo.build(name, (size, size + 3, 2), 5, width=get_min_width(name), aux=bool(MODELS[name].aux_loss_weights))
    randomize(model)
    reader = keras.Model(model.input, {output: [model.get_layer(layer).input, model.get_layer(layer).output]
                                       for output, layer in outputs.items()})
    for logits, probabilities in reader(random_images(3, size, size + 3, 2), training=False).values():
        logits, probabilities = map(keras.ops.convert_to_numpy, (logits, probabilities))
        assert probabilities.shape == (3, 5)
        assert probabilities.dtype == np.float32
        assert np.ptp(logits, axis=1).min() > 0
        exponentials = np.exp(logits.astype("float64") - logits.max(axis=1, keepdims=True))
        # a logit of 100 is accurate to 1e-5, which the exponential turns into 1e-5 of the probability
        np.testing.assert_allclose(probabilities, exponentials / exponentials.sum(axis=1, keepdims=True), rtol=1e-4,
                                   atol=1e-7)

    logits_model = build_without_weights(name, (28, 28, 3), 10, classifier_activation=None)
    assert logits_model.get_layer("predictions").activation is keras.activations.linear
    assert logits_model.get_layer("predictions").dtype_policy.name == "float32"


def test_another_activation():
    model = zoo.build("lenet5", classifier_activation="sigmoid")
    logits = zoo.build("lenet5", classifier_activation=None)
    logits.set_weights(model.get_weights())
    images = random_images(3, 28, 28, 1)
    expected = 1 / (1 + np.exp(-call_model(logits, images).astype("float64")))
    np.testing.assert_allclose(call_model(model, images), expected, rtol=1e-5)


@pytest.mark.parametrize("name", slow_if_large(IMAGE_NETWORKS))
def test_mixed_bfloat16(name, mixed_bfloat16):
    model = zoo.build(name, (28, 28, 1), 10, width=get_min_width(name))
    assert model.get_layer(MODELS[name].feature_layer).compute_dtype == "bfloat16"
    probabilities = call_model(model, random_images(2, 28, 28, 1))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)  # bfloat16 would miss by 1e-3
