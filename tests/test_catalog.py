"""Every network of the catalogue: counts, shapes, names, options, sizes; what they must be stands in tests/papers.

Counts and shapes need no weights: inside a StatelessScope Keras builds a model without allocating any.
"""

import functools
import importlib
import math
import re
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from test_parity import randomize
from zoo.catalog import SPECS, blueprint

NETWORKS = sorted(SPECS)
PAPERS = Path(__file__).parent / "papers"
FACTS = {name: facts for file in sorted({spec.file for spec in SPECS.values()}) if (PAPERS / f"{file}.py").exists()
         for name, facts in importlib.import_module(f"papers.{file}").FACTS.items()}


def test_every_network_has_its_papers_facts():
    assert sorted(FACTS) == NETWORKS


def unallocated(name, *arguments, **keywords):
    try:
        with keras.StatelessScope(initialize_variables=False):
            return zoo.build(name, *arguments, **keywords)
    finally:
        keras.utils.clear_session()  # forgets the variables, which the next scope to end would allocate after all


@functools.cache
def as_in_the_paper(name):
    """With the side classifiers."""
    return unallocated(name, aux=bool(SPECS[name].sides))


def counts(model):
    return (sum(math.prod(each.shape) for each in model.weights),
            sum(math.prod(each.shape) for each in model.trainable_weights))


def answer(model, images):
    return keras.ops.convert_to_numpy(model(images, training=False))


def answers(model, images):
    """Return {output: array}, whether there are side classifiers or not."""
    found = model(images, training=False)
    found = found if isinstance(found, dict) else {"main": found}
    return {name: keras.ops.convert_to_numpy(each) for name, each in found.items()}


def pictures(count, *shape):
    return np.random.default_rng(0).normal(size=(count, *shape)).astype("float32")


def small_shape(name):
    """Of a picture that every network takes at a small width."""
    return FACTS[name].narrow_shape


def narrowest(name):
    return 1.0 if SPECS[name].only_width else 0.1


# ---------------------------------------------------------------------------------------------------------- counts

@pytest.mark.parametrize("name", NETWORKS)
def test_the_papers_count(name):
    model = unallocated(name)
    assert counts(model) == FACTS[name].parameters == SPECS[name].parameters
    assert model.count_params() == FACTS[name].parameters[0]
    assert model.name == name


@pytest.mark.parametrize("name", [name for name in NETWORKS if SPECS[name].small_below])
def test_the_small_stems_count(name):
    model = unallocated(name, (32, 32, 3), 10, stem="small")
    assert counts(model) == FACTS[name].small == SPECS[name].small_parameters


@pytest.mark.parametrize("name, keywords, expected", [
    (name, *row) for name in NETWORKS for row in FACTS[name].variants])
def test_counts_of_variants(name, keywords, expected):
    assert counts(unallocated(name, **keywords)) == expected


@pytest.mark.parametrize("name, width, expected", [
    (name, *row) for name in NETWORKS for row in FACTS[name].narrow.items()])
def test_width(name, width, expected):
    assert unallocated(name, FACTS[name].narrow_shape, 10, width=width).count_params() == expected


def test_every_network_has_a_narrow_count():
    assert [name for name in NETWORKS if not FACTS[name].narrow] == [name for name in NETWORKS if SPECS[name].only_width]


# ---------------------------------------------------------------------------------------------------------- shapes

@pytest.mark.parametrize("name", NETWORKS)
def test_the_papers_stages(name):
    model = as_in_the_paper(name)
    stages = FACTS[name].stages
    assert {layer: model.get_layer(layer).output.shape[1:] for layer in stages} == stages
    assert model.input_shape[1:] == FACTS[name].input_shape == SPECS[name].input_shape
    main = model.output_shape["main"] if SPECS[name].sides else model.output_shape
    assert main == (None, FACTS[name].classes)


@pytest.mark.parametrize("name, sides, grid", [(name, *row) for name in NETWORKS for row in FACTS[name].grids.items()])
def test_picture_sizes(name, sides, grid):
    for channels in (1, 3):
        model = unallocated(name, (*sides, channels), 7)
        assert model.get_layer(FACTS[name].features).output.shape[1:] == (*grid, FACTS[name].width)
        assert model.input_shape[1:] == (*sides, channels)
        assert model.output_shape == (None, 7)


@pytest.mark.parametrize("name", NETWORKS)
def test_stems(name):
    stems = FACTS[name].stems
    assert {side: blueprint(name, (side, side, 3)).stem for side in stems} == stems
    if SPECS[name].small_below:
        assert blueprint(name, (64, 64, 3), stem="paper").stem == "paper"
        assert blueprint(name, (64, 999, 3)).stem == blueprint(name, (999, 64, 3)).stem == stems[64]


@pytest.mark.parametrize("name", [name for name in NETWORKS if SPECS[name].small_below])
def test_auto_keeps_the_papers_stem_where_it_leaves_four(name):
    side = SPECS[name].small_below
    for short, least in ((side, 4), (side - 1, 3)):
        grid = unallocated(name, (short, short, 3), include_top=False, stem="paper").output_shape[1:3]
        assert grid == (least, least)


def test_resnets_paper_stem_on_small_pictures():
    model = unallocated("resnet34", (32, 32, 3), include_top=False, stem="paper")
    assert model.output_shape == (None, 1, 1, 512)


def test_resnets_small_stem_on_large_pictures():
    model = unallocated("resnet34", (128, 128, 3), include_top=False, stem="small")
    assert model.output_shape == (None, 16, 16, 512)


@pytest.mark.parametrize("name", NETWORKS)
def test_without_a_top(name):
    facts = FACTS[name]
    assert SPECS[name].features == facts.features
    body = unallocated(name, include_top=False)
    assert body.output_shape[1:] == (*facts.grids[facts.input_shape[:2]], facts.width)
    assert body.layers[-1].name == facts.features
    assert body.output is body.get_layer(facts.features).output

    names = [layer.name for layer in unallocated(name).layers]
    assert names[: len(body.layers)] == [layer.name for layer in body.layers]  # the head comes after it, whole


@pytest.mark.parametrize("name", NETWORKS)
def test_without_a_top_pooled(name):
    for pooling in ("avg", "max"):
        model = unallocated(name, small_shape(name), include_top=False, pooling=pooling)
        assert model.output_shape == (None, FACTS[name].width)


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
    return [{}, *legal(spec)] + [{"stem": "small"}] * bool(spec.small_below) + [{"aux": True}] * bool(spec.sides)


@pytest.mark.parametrize("name, keywords", [(name, each) for name in NETWORKS for each in kinds(SPECS[name])])
def test_names_of_layers(name, keywords):
    names, again = ([layer.name for layer in unallocated(name, (28, 28, 3), 10, **keywords).layers]
                    for _ in range(2))
    assert names == again  # a name that Keras made up would have another number the second time
    assert len(set(names)) == len(names)
    assert [each for each in names if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", each)] == []


@pytest.mark.parametrize("name", NETWORKS)
def test_every_legal_option_builds_and_changes_something(name):
    shape, aux = small_shape(name), bool(SPECS[name].sides)
    plain = unallocated(name, shape, aux=aux)
    for options in legal(SPECS[name]):
        changed = unallocated(name, shape, aux=aux, **options)
        assert changed.output_shape == plain.output_shape
        assert changed.get_config() != plain.get_config()


@pytest.mark.parametrize("name", NETWORKS)
def test_options_and_their_defaults(name):
    assert SPECS[name].options == FACTS[name].options
    assert SPECS[name].sides == FACTS[name].sides


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
    shape, aux = (28, 28, 1), bool(SPECS[name].sides)
    model = zoo.build(name, shape, 10, width=narrowest(name), aux=aux)
    without = zoo.build(name, shape, 10, width=narrowest(name), aux=aux, classifier_activation=None)
    randomize(without)
    model.set_weights(without.get_weights())
    images = pictures(3, *shape)
    probabilities, logits = answers(model, images), answers(without, images)
    assert list(probabilities) == list(logits) == ["main", *SPECS[name].sides]
    for output in logits:
        assert probabilities[output].dtype == logits[output].dtype == np.float32
        assert np.ptp(logits[output], axis=1).min() > 0.01
        assert np.abs(logits[output].sum(axis=1) - 1).max() > 1e-3  # they are no probabilities
        powers = np.exp(logits[output].astype("float64") - logits[output].max(axis=1, keepdims=True))
        expected = powers / powers.sum(axis=1, keepdims=True)
        # a logit of 100 is known to 1e-5, of which the exponential makes 1e-5 of the probability
        np.testing.assert_allclose(probabilities[output], expected, rtol=1e-4, atol=1e-7)


def test_another_activation():
    model = zoo.build("lenet5", classifier_activation="sigmoid")
    logits = zoo.build("lenet5", classifier_activation=None)
    logits.set_weights(model.get_weights())
    images = pictures(3, 28, 28, 1)
    expected = 1 / (1 + np.exp(-answer(logits, images).astype("float64")))
    np.testing.assert_allclose(answer(model, images), expected, rtol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_mixed_bfloat16(name, mixed_bfloat16):
    model = zoo.build(name, (28, 28, 1), 10, width=narrowest(name))
    assert model.get_layer(SPECS[name].features).compute_dtype == "bfloat16"
    probabilities = answer(model, pictures(2, 28, 28, 1))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)  # bfloat16 would miss by 1e-3


@pytest.mark.parametrize("name", NETWORKS)
def test_small_pictures_run(name):
    side = SPECS[name].least_side
    model = zoo.build(name, (side, side + 3, 2), 3, width=narrowest(name), aux=bool(SPECS[name].sides))
    found = answers(model, pictures(2, side, side + 3, 2))
    assert {output: each.shape for output, each in found.items()} == dict.fromkeys(("main", *SPECS[name].sides), (2, 3))
