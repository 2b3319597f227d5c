"""Every network of the catalogue: counts, shapes, names, options, sizes; what they must be stands in tests/papers.

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
from test_parity import randomize

import zoo
from zoo.models import builder
from zoo.registry import MODELS, resolve_model_config

NETWORKS = sorted(MODELS)
PAPERS = Path(__file__).parent / "papers"
FACTS = {name: facts for file in sorted({spec.module for spec in MODELS.values()}) if (PAPERS / f"{file}.py").exists()
         for name, facts in importlib.import_module(f"papers.{file}").FACTS.items()}


# Seconds to build: counts and shapes are in every run, the rest for inception_resnet_v2_paper only
LARGE = {"inception_resnet_v1", "inception_resnet_v2", "inception_v2", "inception_v3", "inception_v4", "xception"}


def slow_if_large(rows):
    """Mark the rows of the large networks, names or tuples that begin with them."""
    rows = [row if isinstance(row, tuple) else (row,) for row in rows]
    return [pytest.param(*row, marks=[pytest.mark.slow] * (row[0] in LARGE)) for row in rows]


def test_every_network_has_its_papers_facts():
    assert sorted(FACTS) == NETWORKS


def unallocated(name, *arguments, **keywords):
    return _unallocated(name, *arguments, *keywords.items())


@functools.lru_cache(maxsize=200)  # the tests share a few builds of each network, of which some take seconds
def _unallocated(name, *arguments):
    positional = [each for each in arguments if not (isinstance(each, tuple) and isinstance(each[0], str))]
    keywords = dict(each for each in arguments if isinstance(each, tuple) and isinstance(each[0], str))

    def build():
        with keras.StatelessScope(initialize_variables=False):
            return zoo.build(name, *positional, **keywords)

    with ThreadPoolExecutor(1) as thread:  # the next scope in a thread would allocate the variables after all
        return thread.submit(build).result()


def as_in_the_paper(name):
    """With the side classifiers."""
    return unallocated(name, aux=True) if MODELS[name].aux_loss_weights else unallocated(name)


def counts(model):
    return (sum(math.prod(each.shape) for each in model.weights),
            sum(math.prod(each.shape) for each in model.trainable_weights))


def answer(model, images):
    return keras.ops.convert_to_numpy(model(images, training=False))


def pictures(count, *shape):
    return np.random.default_rng(0).normal(size=(count, *shape)).astype("float32")


def narrowest(name):
    return 1.0 if MODELS[name].fixed_width else 0.1


# ---------------------------------------------------------------------------------------------------------- counts

@pytest.mark.parametrize("name", NETWORKS)
def test_the_papers_count(name):
    model = unallocated(name)
    assert counts(model) == FACTS[name].parameters == MODELS[name].parameters
    assert model.count_params() == FACTS[name].parameters[0]
    assert model.name == name


@pytest.mark.parametrize("name", [name for name in NETWORKS if MODELS[name].small_stem_below])
def test_the_small_stems_count(name):
    model = unallocated(name, (32, 32, 3), 10, stem="small")
    assert counts(model) == FACTS[name].small == MODELS[name].small_stem_parameters


@pytest.mark.parametrize("name, keywords, expected", [
    (name, *row) for name in NETWORKS for row in FACTS[name].variants])
def test_counts_of_variants(name, keywords, expected):
    assert counts(unallocated(name, **keywords)) == expected


@pytest.mark.parametrize("name, width, expected", slow_if_large([
    (name, *row) for name in NETWORKS for row in FACTS[name].narrow.items()]))
def test_width(name, width, expected):
    assert unallocated(name, FACTS[name].narrow_shape, 10, width=width).count_params() == expected


def test_every_network_has_a_narrow_count():
    for name in NETWORKS:
        assert bool(FACTS[name].narrow) != bool(MODELS[name].fixed_width), name


# ---------------------------------------------------------------------------------------------------------- shapes

@pytest.mark.parametrize("name", NETWORKS)
def test_the_papers_stages(name):
    model = as_in_the_paper(name)
    stages = FACTS[name].stages
    assert {layer: model.get_layer(layer).output.shape[1:] for layer in stages} == stages
    assert model.input_shape[1:] == FACTS[name].input_shape == MODELS[name].input_shape
    main = model.output["main"] if MODELS[name].aux_loss_weights else model.output
    assert main.shape == (None, FACTS[name].classes)


@pytest.mark.parametrize("name, sides, grid", slow_if_large([
    (name, *row) for name in NETWORKS for row in FACTS[name].grids.items()]))
def test_picture_sizes(name, sides, grid):
    model = unallocated(name, (*sides, 3), include_top=False)
    assert model.output_shape == (None, *grid, FACTS[name].width)
    assert model.input_shape == (None, *sides, 3)


@pytest.mark.parametrize("name", slow_if_large([name for name in NETWORKS if not MODELS[name].fixed_width]))
def test_a_picture_that_is_not_square_at_half_of_the_width(name):
    model = unallocated(name, (96, 80, 3), 7, width=0.5)
    assert model.output_shape == (None, 7)


@pytest.mark.parametrize("name", slow_if_large(NETWORKS))
def test_one_channel(name):
    grey, colour = (unallocated(name, (28, 28, channels), 7) for channels in (1, 3))
    assert grey.input_shape == (None, 28, 28, 1)
    assert grey.output_shape == colour.output_shape == (None, 7)
    assert counts(grey)[0] < counts(colour)[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_stems(name):
    stems = FACTS[name].stems
    assert {side: resolve_model_config(name, (side, side, 3)).stem for side in stems} == stems
    if MODELS[name].small_stem_below:
        assert resolve_model_config(name, (75, 75, 3), stem="paper").stem == "paper"
        assert resolve_model_config(name,
                                    (64, 999, 3)).stem == resolve_model_config(name, (999, 64, 3)).stem == stems[64]


@pytest.mark.parametrize("name", slow_if_large([name for name in NETWORKS if MODELS[name].small_stem_below]))
def test_auto_keeps_the_papers_stem_where_it_leaves_four(name):
    side = MODELS[name].small_stem_below
    assert FACTS[name].grids[side, side] == (4, 4)  # which test_picture_sizes builds
    short = unallocated(name, (side - 1, side - 1, 3), include_top=False, stem="paper")
    assert short.output_shape[1:3] == (3, 3)


@pytest.mark.parametrize("name", slow_if_large([name for name in NETWORKS if MODELS[name].small_stem_below]))
def test_the_papers_stem_on_the_least_pictures(name):
    side = max(MODELS[name].min_size, MODELS[name].paper_stem_min_size)
    model = unallocated(name, (side, side, 3), 10, stem="paper", aux=bool(MODELS[name].aux_loss_weights))
    assert min(model.get_layer(MODELS[name].feature_layer).output.shape[1:3]) >= 1
    if MODELS[name].paper_stem_min_size:
        smaller = dataclasses.replace(resolve_model_config(name, (side, side, 3), stem="paper"),
                                      input_shape=(side - 1, side, 3))
        with pytest.raises(ValueError, match="zero or negative"):  # Keras's own words: nothing is left
            builder.build_model(smaller)


def test_resnets_paper_stem_on_small_pictures():
    model = unallocated("resnet34", (32, 32, 3), include_top=False, stem="paper")
    assert model.output_shape == (None, 1, 1, 512)


def test_resnets_small_stem_on_large_pictures():
    model = unallocated("resnet34", (128, 128, 3), include_top=False, stem="small")
    assert model.output_shape == (None, 16, 16, 512)


@pytest.mark.parametrize("name", slow_if_large(NETWORKS))
def test_without_a_top(name):
    facts = FACTS[name]
    assert MODELS[name].feature_layer == facts.features
    body = unallocated(name, (28, 28, 3), include_top=False)
    assert body.layers[-1].name == facts.features
    assert body.output is body.get_layer(facts.features).output

    names = [layer.name for layer in unallocated(name, (28, 28, 3), 10).layers]
    assert names[: len(body.layers)] == [layer.name for layer in body.layers]  # the head comes after it, whole


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
        if name in spec.choices:
            yield from ({name: value} for value in spec.choices[name] if value != default)
        elif isinstance(default, bool):
            yield {name: not default}
        elif isinstance(default, float):
            yield {name: 0}
            yield {name: 0.25}
        else:
            raise AssertionError(f"{spec.name}: say here which values {name} can have")


def kinds(spec):
    """Keyword arguments that give a network other layers."""
    return [{}, *legal(spec)] + [{"stem": "small"}] * bool(spec.small_stem_below) + [{"aux": True}] * bool(spec.aux_loss_weights)


@pytest.mark.parametrize("name, keywords", slow_if_large([
    (name, each) for name in NETWORKS for each in kinds(MODELS[name])]))
def test_names_of_layers(name, keywords):
    names = [layer.name for layer in unallocated(name, (28, 28, 3), 10, **keywords).layers]
    assert len(set(names)) == len(names)
    assert [each for each in names if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", each)] == []
    # Keras's own names are the class's with a number that counts on from build to build
    assert [each for each in names if re.fullmatch(r"(conv2d|dense|batch_normalization|re_lu|activation|concatenate|add"
                                                   r"|dropout|.*pooling2d|zero_padding2d|p_re_lu|keras_tensor)(_\d+)?",
                                                   each)] == []


@pytest.mark.parametrize("name", slow_if_large(NETWORKS))
def test_every_build_has_the_same_names(name):
    names, again = ([layer.name for layer in unallocated(name, (28, 28, 3), classes).layers] for classes in (10, 9))
    assert names == again  # a name that Keras made up would have another number the second time


@pytest.mark.parametrize("name", slow_if_large(NETWORKS))
def test_every_legal_option_builds_and_changes_something(name):
    plain = unallocated(name, (28, 28, 3), 10)
    for options in legal(MODELS[name]):
        changed = unallocated(name, (28, 28, 3), 10, **options)
        assert changed.output_shape == plain.output_shape
        if set(options) - set(MODELS[name].aux_options) or set(options) & set(MODELS[name].backbone_options):
            assert changed.get_config() != plain.get_config()


@pytest.mark.parametrize("name", [name for name in NETWORKS if MODELS[name].aux_loss_weights])
def test_options_of_side_classifiers(name):
    plain = unallocated(name, (28, 28, 3), 10, aux=True)
    for options in legal(MODELS[name]):
        if set(options) & set(MODELS[name].aux_options):
            changed = unallocated(name, (28, 28, 3), 10, aux=True, **options)
            assert any(changed.get_layer(layer.name).get_config() != layer.get_config() for layer in plain.layers
                       if layer.name.startswith("aux"))


@pytest.mark.parametrize("name", NETWORKS)
def test_options_and_their_defaults(name):
    assert MODELS[name].options == FACTS[name].options
    assert MODELS[name].aux_loss_weights == FACTS[name].sides


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


@pytest.mark.parametrize("name", slow_if_large(NETWORKS))
def test_logits_and_probabilities(name):
    side, outputs = MODELS[name].min_size, {"main": "predictions"}
    outputs |= {each: f"{each}_predictions" for each in MODELS[name].aux_loss_weights}
    model = zoo.build(name, (side, side + 3, 2), 5, width=narrowest(name), aux=bool(MODELS[name].aux_loss_weights))
    randomize(model)
    reading = keras.Model(model.input, {output: [model.get_layer(layer).input, model.get_layer(layer).output]
                                        for output, layer in outputs.items()})
    for logits, probabilities in reading(pictures(3, side, side + 3, 2), training=False).values():
        logits, probabilities = map(keras.ops.convert_to_numpy, (logits, probabilities))
        assert probabilities.shape == (3, 5)
        assert probabilities.dtype == np.float32
        assert np.ptp(logits, axis=1).min() > 0
        powers = np.exp(logits.astype("float64") - logits.max(axis=1, keepdims=True))
        # a logit of 100 is known to 1e-5, of which the exponential makes 1e-5 of the probability
        np.testing.assert_allclose(probabilities, powers / powers.sum(axis=1, keepdims=True), rtol=1e-4, atol=1e-7)

    without = unallocated(name, (28, 28, 3), 10, classifier_activation=None)
    assert without.get_layer("predictions").activation is keras.activations.linear
    assert without.get_layer("predictions").dtype_policy.name == "float32"


def test_another_activation():
    model = zoo.build("lenet5", classifier_activation="sigmoid")
    logits = zoo.build("lenet5", classifier_activation=None)
    logits.set_weights(model.get_weights())
    images = pictures(3, 28, 28, 1)
    expected = 1 / (1 + np.exp(-answer(logits, images).astype("float64")))
    np.testing.assert_allclose(answer(model, images), expected, rtol=1e-5)


@pytest.mark.parametrize("name", slow_if_large(NETWORKS))
def test_mixed_bfloat16(name, mixed_bfloat16):
    model = zoo.build(name, (28, 28, 1), 10, width=narrowest(name))
    assert model.get_layer(MODELS[name].feature_layer).compute_dtype == "bfloat16"
    probabilities = answer(model, pictures(2, 28, 28, 1))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)  # bfloat16 would miss by 1e-3
