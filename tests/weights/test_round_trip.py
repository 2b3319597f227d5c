"""Our own models as Keras saves them, loaded back: every network, in every layout, with equal outputs."""

import keras
import numpy as np
import pytest
from test_parity import images, randomize

import zoo
from zoo import registry
from zoo.weights import sources

FAST = ("lenet5_1998", "vgg16")  # layers of our own; one that keras.applications has
NETWORKS = [pytest.param(name, marks=[pytest.mark.slow] * (name not in FAST)) for name in registry.MODELS]


def build(name, **how):
    """A narrow network for 10 classes of the smallest images that suit, with the small stem where there is one."""
    spec = registry.get_model_info(name)
    side = max(32, spec.min_size)
    return zoo.build(name, (side, side, spec.input_shape[2]), 10, width=None if spec.fixed_width else 0.0625,
                     classifier_activation=None, **how)


def outputs(model):
    return keras.ops.convert_to_numpy(model(images(2, *model.input_shape[1:]), training=False))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_saved_model_loads_back(name, tmp_path):
    model = build(name)
    randomize(model)
    expected = outputs(model)
    assert np.isfinite(expected).all() and np.ptp(expected, axis=0).max() > 1e-4  # the weights matter
    model.save(tmp_path / "a.h5")
    model.save(tmp_path / "a.keras")
    model.save_weights(tmp_path / "a.weights.h5")
    for file in ("a.h5", "a.keras", "a.weights.h5"):
        again = build(name, weights=str(tmp_path / file))
        np.testing.assert_array_equal(outputs(again), expected, err_msg=file)
        source = sources.resolve_weights_source(tmp_path / file, name)
        assert not source.has_paper_stem and source.scaling is None, file
        assert source.count_classes() == (None if name == "lenet5_1998" else 10)  # whose codes are of ten classes


@pytest.mark.parametrize("name, option", [("vgg16", "batch_norm"), pytest.param("inception_v2", "scale",
                                                                                marks=pytest.mark.slow)])
def test_an_option_that_adds_weights_is_known_from_the_file(name, option, tmp_path):
    default = registry.get_model_info(name).options[option]
    model = build(name, **{option: not default})
    randomize(model)
    model.save(tmp_path / "a.h5")
    np.testing.assert_array_equal(outputs(build(name, weights=str(tmp_path / "a.h5"))), outputs(model))
    with pytest.raises(zoo.errors.UserError, match=f"give {option}={not default}"):
        build(name, weights=str(tmp_path / "a.h5"), **{option: default})


@pytest.mark.parametrize("name", [
    "xception", *(pytest.param(name, marks=pytest.mark.slow) for name in ("inception_v3", "inception_resnet_v2"))])
def test_a_backbone_with_a_head_of_ones_own_is_still_ours(name, tmp_path):
    """A head may be called as keras.applications' is, and have layers with automatic names."""
    backbone = build(name, include_top=False, pooling="avg")
    randomize(backbone)
    x = keras.layers.BatchNormalization()(keras.layers.Dense(4)(backbone.output))
    model = keras.Model(backbone.input, keras.layers.Dense(3, activation="softmax", name="predictions")(x))
    model.save(tmp_path / "a.h5")
    again = build(name, include_top=False, pooling="avg", weights=str(tmp_path / "a.h5"))
    np.testing.assert_array_equal(outputs(again), outputs(backbone))
