"""Models of zoo, saved by Keras and loaded again: every network, in every layout, with equal outputs."""

import keras
import numpy as np
import pytest
from test_parity import random_images, randomize

import zoo
from zoo import registry
from zoo.weights import sources

FAST = ("lenet5_1998", "vgg16")  # one with custom layers; one that is in keras.applications
NETWORKS = [pytest.param(name, marks=[pytest.mark.slow] * (name not in FAST))
            for name in registry.select_models("image")]


def build_narrow(name, **keywords):
    """Build a narrow network for 10 classes of the smallest supported images, with the small stem if there is one."""
    spec = registry.get_model_info(name)
    size = max(32, spec.min_size)
    return zoo.build(name, (size, size, spec.input_shape[2]), 10, width=None if spec.fixed_width else 0.0625,
                     classifier_activation=None, **keywords)


def compute_outputs(model):
    return keras.ops.convert_to_numpy(model(random_images(2, *model.input_shape[1:]), training=False))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_saved_model_loads_back(name, tmp_path):
    model = build_narrow(name)
    randomize(model)
    expected = compute_outputs(model)
    assert np.isfinite(expected).all() and np.ptp(expected, axis=0).max() > 1e-4  # the weights matter
    model.save(tmp_path / "a.h5")
    model.save(tmp_path / "a.keras")
    model.save_weights(tmp_path / "a.weights.h5")
    for file in ("a.h5", "a.keras", "a.weights.h5"):
        reloaded = build_narrow(name, weights=str(tmp_path / file))
        np.testing.assert_array_equal(compute_outputs(reloaded), expected, err_msg=file)
        source = sources.resolve_weights_source(tmp_path / file, name)
        assert not source.has_paper_stem and source.scaling is None, file
        assert source.count_classes() == (None if name == "lenet5_1998" else 10)  # its codes are of ten classes


@pytest.mark.parametrize("name, option", [("vgg16", "batch_norm"), pytest.param("inception_v2", "scale",
                                                                                marks=pytest.mark.slow)])
def test_an_option_that_adds_weights_is_known_from_the_file(name, option, tmp_path):
    default = registry.get_model_info(name).options[option]
    model = build_narrow(name, **{option: not default})
    randomize(model)
    model.save(tmp_path / "a.h5")
    np.testing.assert_array_equal(compute_outputs(build_narrow(name, weights=str(tmp_path / "a.h5"))),
                                  compute_outputs(model))
    with pytest.raises(zoo.errors.UserError, match=f"give {option}={not default}"):
        build_narrow(name, weights=str(tmp_path / "a.h5"), **{option: default})


@pytest.mark.parametrize("name", [
    "xception", *(pytest.param(name, marks=pytest.mark.slow) for name in ("inception_v3", "inception_resnet_v2"))])
def test_a_backbone_with_a_custom_head_is_recognized(name, tmp_path):
    """A head can have the name of keras.applications' head, and layers with automatic names."""
    backbone = build_narrow(name, include_top=False, pooling="avg")
    randomize(backbone)
    x = keras.layers.BatchNormalization()(keras.layers.Dense(4)(backbone.output))
    model = keras.Model(backbone.input, keras.layers.Dense(3, activation="softmax", name="predictions")(x))
    model.save(tmp_path / "a.h5")
    reloaded = build_narrow(name, include_top=False, pooling="avg", weights=str(tmp_path / "a.h5"))
    np.testing.assert_array_equal(compute_outputs(reloaded), compute_outputs(backbone))
