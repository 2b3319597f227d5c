"""Inspection of models: features, attributions and their images, against arrays computed by hand."""

import importlib.util
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops
from helpers import check_message, check_text, slow_if_large

import zoo
from zoo import registry
from zoo.analysis import attribution, feature_graph
from zoo.errors import UserError
from zoo.plots import colormaps, feature_maps, inspection_plots
from zoo.plots.inspected_model import InspectedModel, build_inspected_untrained
from zoo.plots.inspection import ImageInspection

RANDOM = np.random.default_rng(7)


def make_linear_model(ending="softmax"):
    """Return (model, weights (4, 4, 3, classes)); the scores of the model are sums of pixels with these weights."""
    image = keras.Input((4, 4, 3), dtype="uint8")
    x = layers.Flatten()(layers.Rescaling(1.0, name="pixels")(image))
    if ending == "softmax":
        out = layers.Dense(5, activation="softmax", name="fc")(x)
    else:
        out = {"activation": layers.Activation("softmax", name="end"), "layer": layers.Softmax(name="end"),
               "function": ops.softmax, "logits": lambda x: x,
               "nested": keras.Sequential([keras.Input((5,)), layers.Softmax()], name="end"),
               "cast": lambda x: layers.Activation("linear", dtype="float32")(layers.Softmax()(x)),
               "reshaped": lambda x: ops.reshape(layers.Softmax()(layers.Reshape((1, 5))(x)), (-1, 5)),
               }[ending](layers.Dense(5, name="fc")(x))
    model = keras.Model(image, out)
    kernel = RANDOM.normal(0, 0.01, (48, 5)).astype("float32")
    model.get_layer("fc").set_weights([kernel, np.arange(5, dtype="float32")])
    return model, kernel


def make_averaging_model():
    """Build convolution, average pooling and scores, whose Grad-CAM is known (Selvaraju et al. 2017, section 3)."""
    image = keras.Input((8, 6, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(image)
    x = layers.Dense(3, name="fc")(layers.GlobalAveragePooling2D(name="mean")(x))
    return keras.Model(image, layers.Softmax(name="predictions")(x))


def build_graph_and_scores(model, shape):
    model = feature_graph.select_main_output(model)
    graph = feature_graph.build_feature_graph(model, shape)
    return model, graph, attribution.build_score_model(graph)


# ------------------------------------------------------------------------------------------------------------ features

def test_features_are_what_the_layers_give():
    model, images = make_averaging_model(), RANDOM.random((3, 8, 6, 3), "float32")
    features = zoo.features(model, images, ["mean", "conv"])
    assert list(features) == ["mean", "conv"] and features["conv"].dtype == np.float32
    expected = keras.Model(model.input, model.get_layer("conv").output).predict(images, verbose=0)
    assert features["conv"] == pytest.approx(expected, abs=1e-6)
    assert features["mean"] == pytest.approx(expected.mean(axis=(1, 2)), abs=1e-6)
    assert list(zoo.features(model, images, "all")) == ["conv", "mean", "fc", "predictions"]
    assert zoo.features(model, images, "fc").keys() == {"fc"}


def test_more_images_than_a_batch_stay_in_order():
    model, _ = make_linear_model("logits")
    images = RANDOM.integers(0, 256, (70, 4, 4, 3), np.uint8)
    assert zoo.features(model, images, "pixels")["pixels"] == pytest.approx(images.astype("float32"))


def test_a_shared_layer_gives_its_last_output_in_this_model():
    twice = layers.Dense(2, use_bias=False, name="twice")
    twice(keras.Input((2,)))  # by another model, first
    image = keras.Input((1, 1, 2))
    model = keras.Model(image, twice(twice(layers.Flatten()(image))))
    twice.set_weights([np.array([[0, 2], [1, 0]], "float32")])
    assert zoo.features(model, [[[[3, 5]]]], "twice")["twice"].tolist() == [[6, 10]]  # (5, 6), then (6, 10)


def test_a_sequential_model_and_half_precision():
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(2, 3, dtype="mixed_float16", name="conv")])
    features = zoo.features(model, np.ones((1, 4, 4, 1)), "conv")["conv"]
    assert features.dtype == np.float32 and features.shape == (1, 2, 2, 2)


def test_the_model_is_unchanged():
    model, images = make_averaging_model(), RANDOM.random((1, 8, 6, 3), "float32")
    before, config = model.predict(images, verbose=0), model.get_config()
    zoo.features(model, images, "all")
    assert np.array_equal(model.predict(images, verbose=0), before) and model.get_config() == config


def test_auxiliary_outputs_are_left_out():
    model = zoo.build("googlenet", (32, 32, 3), 10, width=0.125, aux=True)
    features = zoo.features(model, np.zeros((1, 32, 32, 3)), "all")
    assert features["predictions"].shape == (1, 10) and not any(name.startswith("aux") for name in features)


@pytest.mark.parametrize("layer_names, pins", [
    ("cnv", ("'cnv'", "'conv'", "stages", "predictions", "all")), (["conv", 5], ("5",)),
    ([], ("'stages'", "'all'", "[]"))])
def test_a_layer_that_does_not_exist(layer_names, pins):
    with pytest.raises(UserError) as error:
        zoo.features(make_averaging_model(), np.zeros((1, 8, 6, 3)), layer_names)
    check_text(str(error.value), *pins)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("images", [np.zeros((8, 6, 3)), np.zeros((1, 8, 8, 3)), np.zeros((0, 8, 6, 3)), "a.png"])
def test_images_that_do_not_fit(images):
    with pytest.raises(UserError, match=r"8 ?x ?6 ?x ?3"):
        zoo.features(make_averaging_model(), images, "conv")


def test_images_of_different_sizes():
    with pytest.raises(UserError) as error:
        zoo.features(make_averaging_model(), [np.zeros((8, 6, 3)), np.zeros((4, 6, 3))], "conv")
    check_message(error.value, "images", "array")


@pytest.mark.parametrize("model, parts", [
    (keras.Sequential([layers.Dense(2)]), ("keras.Input",)), ("resnet18", ("'resnet18'", "keras.Model")),
    (keras.Sequential([keras.Input((4,)), layers.Dense(2)]), ("(batch, height, width, channels)",))])
def test_models_that_cannot_be_inspected(model, parts):
    with pytest.raises(UserError) as error:
        zoo.features(model, np.zeros((1, 4, 4, 3)), "all")
    check_message(error.value, *parts)


# ---------------------------------------------------------------------------------------------- attributions

@pytest.mark.parametrize("ending", ["softmax", "activation", "layer", "function", "logits", "nested", "cast",
                                    "reshaped"])
def test_scores_are_those_before_the_softmax(ending):
    model, kernel = make_linear_model(ending)
    pixels = RANDOM.integers(0, 256, (4, 4, 3), np.uint8)
    _, _, score = build_graph_and_scores(model, (4, 4, 3))
    expected = pixels.reshape(1, -1) @ kernel.astype("float64") + np.arange(5)
    assert ops.convert_to_numpy(score(np.float32(pixels)[None])) == pytest.approx(expected, rel=1e-4)


def test_a_softmax_inside_a_nested_model_stays_in_the_model():
    inner = keras.Sequential([keras.Input((48,)), layers.Dense(5, activation="softmax", name="fc")], name="inner")
    image = keras.Input((4, 4, 3))
    model = keras.Model(image, inner(layers.Flatten()(image)))
    inner.set_weights([np.zeros((48, 5)), np.arange(5)])
    images = np.zeros((1, 4, 4, 3), "float32")
    _, _, score = build_graph_and_scores(model, (4, 4, 3))
    assert ops.convert_to_numpy(score(images))[0] == pytest.approx(np.arange(5))
    probabilities = np.exp(np.arange(5)) / np.exp(np.arange(5)).sum()
    assert model.predict(images, verbose=0)[0] == pytest.approx(probabilities, abs=1e-6)
    assert zoo.features(model, images, "inner")["inner"][0] == pytest.approx(probabilities, abs=1e-6)


@pytest.mark.parametrize("make_end", [
    lambda: layers.Dense(5, activation="sigmoid"), lambda: layers.Dense(5, activation="tanh"),
    lambda: keras.Sequential([layers.Dense(5), layers.Activation("sigmoid")])])
def test_outputs_that_are_neither_probabilities_nor_logits_are_refused(make_end):
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(2, 1), layers.Flatten(), make_end()])
    subject = InspectedModel(feature_graph.select_main_output(model), None, "labels", "")
    view = ImageInspection(subject, np.zeros((4, 4, 1), np.uint8), "all", "black.png")
    for name in ("prediction", "saliency", "occlusion", "gradcam"):
        with pytest.raises(UserError, match="sigmoid|tanh"):
            getattr(view, name)
    assert len(view.feature_maps) == 3


def test_saliency_of_a_sum_of_pixels_is_its_weights():
    model, kernel = make_linear_model()
    _, _, score = build_graph_and_scores(model, (4, 4, 3))
    saliency = attribution.saliency(score, RANDOM.integers(0, 256, (4, 4, 3), np.uint8), [4, 0])
    expected = np.abs(kernel.reshape(4, 4, 3, 5)).max(axis=2)
    assert saliency == pytest.approx(np.stack([expected[..., 4], expected[..., 0]]), rel=1e-5)


def test_grad_cam_of_means_is_the_class_activation_map():
    model, pixels = make_averaging_model(), RANDOM.integers(0, 256, (8, 6, 3), np.uint8)
    single, graph, _ = build_graph_and_scores(model, (8, 6, 3))
    assert attribution.find_last_feature_map(single, graph) == "conv"
    heatmaps = attribution.grad_cam(single, graph, pixels, "conv", [2, 1])
    feature_map = zoo.features(model, pixels[None], "conv")["conv"][0]
    weights = model.get_layer("fc").get_weights()[0]
    # each position has 1 / 48 of the mean
    expected = np.maximum(np.einsum("ijk,kc->cij", feature_map, weights / 48), 0)
    # the weights are random; a sum of four terms of about 1 is accurate to 1e-6, and can be near 0
    assert heatmaps == pytest.approx(expected[[2, 1]], rel=1e-4, abs=1e-5)


def test_grad_cam_of_a_layer_called_twice_is_that_of_its_last_call():
    """As if the two calls were two layers with the same weights."""
    pixels, heatmaps = RANDOM.integers(0, 256, (8, 6, 3), np.uint8), []
    first, second = (layers.Conv2D(3, 3, padding="same", name=name) for name in ("conv", "last"))
    head = layers.Dense(4)
    for last in (first, second):
        image = keras.Input((8, 6, 3))
        x = last(layers.ReLU()(first(image)))
        model = keras.Model(image, head(layers.GlobalMaxPooling2D()(x)))
        second.set_weights(first.get_weights()) if last is second else None
        single, graph, _ = build_graph_and_scores(model, (8, 6, 3))
        heatmaps.append(attribution.grad_cam(single, graph, pixels, last.name, [0, 1, 2, 3]))
    assert heatmaps[0].any() and heatmaps[0] == pytest.approx(heatmaps[1], rel=1e-4, abs=1e-4)


def test_grad_cam_needs_a_feature_map():
    single, graph, _ = build_graph_and_scores(make_averaging_model(), (8, 6, 3))
    with pytest.raises(UserError) as error:
        attribution.grad_cam(single, graph, np.zeros((8, 6, 3), np.uint8), "mean", [0])
    check_text(str(error.value), "Grad-CAM", "mean", "4")


def test_a_scaled_image_is_no_feature_map():
    image = keras.Input((8, 8, 1), dtype="uint8")
    x = layers.ZeroPadding2D(1)(layers.Normalization()(layers.Rescaling(1 / 255)(image)))
    single, graph, _ = build_graph_and_scores(keras.Model(image, layers.Dense(3)(layers.Flatten()(x))), (8, 8, 1))
    with pytest.raises(UserError, match="Grad-CAM"):
        attribution.find_last_feature_map(single, graph)


def test_occlusion_finds_the_only_pixel_that_counts():
    """The probability of class 1 is the brightness of the pixel at row 2, column 7; a gray patch covers it."""
    image = keras.Input((10, 10, 1), dtype="uint8")
    dense = layers.Dense(2, name="fc")
    model = keras.Model(image, dense(layers.Flatten()(layers.Rescaling(1.0)(image))))
    kernel = np.zeros((100, 2), "float32")
    kernel[2 * 10 + 7, 1] = 1
    dense.set_weights([kernel, np.array([0, -192], "float32")])
    pixels = np.full((10, 10, 1), 255, np.uint8)
    _, _, score = build_graph_and_scores(model, (10, 10, 1))
    maps, patch_size = attribution.occlusion(score, pixels, [1])
    assert patch_size == (2, 2) and maps.shape == (1, 9, 9)  # 2 is a fifth of 10: nine positions without gaps
    expected = np.zeros((9, 9))
    expected[1:3, 6:8] = 1  # rows 1 or 2 and columns 6 or 7 are where such a patch begins
    assert maps[0] == pytest.approx(expected, abs=1e-6)


def test_the_drop_of_a_patch_is_drawn_where_the_patch_was():
    drops = np.zeros((2, 10, 9))  # for an image of 50 x 10: patches of 10 x 2 pixels, 40 / 9 and 1 pixels apart
    drops[0, -1, -1] = 6
    drops[1] = 3
    corner, constant = attribution.average_over_patches(drops, (50, 10))
    assert np.argwhere(corner).min(axis=0).tolist() == [40, 8] and corner[49, 9] == 6
    # at row 40 there are three patches, which begin at 31, 36 and 40; at column 8 two, which begin at 7 and 8
    assert corner[40, 8] == pytest.approx(6 / 3 / 2)
    assert constant == pytest.approx(np.full((50, 10), 3))
    view = inspect_network("lenet5")
    assert view.occlusion_maps.shape == (3, 32, 32)


def test_a_model_without_classes_has_no_attributions():
    model = zoo.build("lenet5", include_top=False)
    graph = feature_graph.build_feature_graph(feature_graph.select_main_output(model), (28, 28, 1))
    with pytest.raises(UserError) as error:
        attribution.build_score_model(graph)
    check_text(str(error.value), "feature-maps", "filters", "hypercolumn")  # which need no classes


PROGRAM = """
import sys
import numpy as np
sys.path[:0] = sys.argv[2:]
from test_inspection import make_averaging_model, build_graph_and_scores
import keras
from zoo.analysis import attribution

keras.utils.set_random_seed(1)
model = make_averaging_model()
random = np.random.default_rng(3)
model.set_weights([random.normal(0, 0.1, weight.shape) for weight in model.get_weights()])
pixels = random.integers(0, 256, (8, 6, 3), np.uint8)
single, graph, score = build_graph_and_scores(model, (8, 6, 3))
np.savez(sys.argv[1], cam=attribution.grad_cam(single, graph, pixels, "conv", [0, 1, 2]),
         saliency=attribution.saliency(score, pixels, [0, 1, 2]), occlusion=attribution.occlusion(score, pixels,
         [0])[0])
"""


def run_on_backend(backend, path):
    folder = Path(__file__).resolve().parent
    environment = {**os.environ, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", PROGRAM, path, folder, *folder.parents[:2]], env=environment, check=True)
    with np.load(path) as file:
        return dict(file)


@pytest.fixture(scope="module")
def on_tensorflow(tmp_path_factory):
    return run_on_backend("tensorflow", tmp_path_factory.mktemp("tensorflow") / "expected.npz")


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_same_on_each_backend(backend, tmp_path, request):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install '.[{backend}]'")
    actual, expected = run_on_backend(backend, tmp_path / "actual.npz"), request.getfixturevalue("on_tensorflow")
    for key, values in expected.items():
        # measured: at most 5e-6 of the largest value, for occlusion, which subtracts probabilities in float32
        assert values.any() and np.abs(actual[key] - values).max() < 3e-5 * np.abs(values).max(), key


# ---------------------------------------------------------------------------------------------------- maps and images

def test_dead_and_constant_maps_are_marked_and_counted():
    values = np.zeros((1, 2, 2, 5), "float32")
    values[0, ..., 1] = 3
    values[0, 0, 0, 2] = 1
    values[0, ..., 3] = -1
    values[0, ..., 4] = [[np.nan, 1], [2, 3]]
    output = feature_maps.analyze_output("conv", "3x3 conv, 5", values)
    assert [output.get_status(index) for index in range(5)] == ["dead", "constant", "", "constant", ""]
    assert re.findall(r"\d+",
                      output.summary) == ["2", "2", "5", "1", "2", "1"]  # 2x2, 5 maps: dead, constant, not finite
    tiles = feature_maps.draw_map_tiles(output, 3)
    assert tiles.shape == (3, 2, 2, 3) and (tiles[0] == feature_maps.DEAD_COLOR).all()
    assert (tiles[1] == feature_maps.CONSTANT_COLOR).all()
    assert tiles[2, 0, 0].tolist() == [253, 231, 36] and tiles[2, 1, 1].tolist() == [68, 1, 84]  # the ends of viridis


def test_units_without_spatial_axes():
    output = feature_maps.analyze_output("fc", "dense, 4", np.array([[0, 1, 0, 2]], "float32"))
    assert not output.is_spatial and re.findall(r"\d+", output.summary) == ["4", "2"]  # two of the four are 0
    assert feature_maps.draw_vector_strip(output).shape == (1, 4, 3)
    assert re.findall(r"\d+", feature_maps.analyze_output("fc", "", np.array([[1, 2]], "float32")).summary) == ["2"]


def test_the_hypercolumn_is_the_mean_of_all_maps():
    """A map that increases from left to right, and three maps of half the size that increase downwards."""
    across, down = np.zeros((1, 4, 4, 1), "float32"), np.zeros((1, 2, 2, 3), "float32")
    across[0, ..., 0], down[0, 1] = [0, 1, 2, 3], 5
    means, hypercolumn = feature_maps.compute_hypercolumn([feature_maps.analyze_output("a", "", across),
                                                           feature_maps.analyze_output("b", "", down)], (4, 4))
    assert means[0] == pytest.approx(np.tile([0, 1 / 3, 2 / 3, 1], (4, 1)), abs=1e-6)
    expected_column = np.array([0, 0.25, 0.75, 1])  # the middles of two pixels enlarged to four
    assert means[1] == pytest.approx(np.tile(expected_column[:, None], (1, 4)), abs=1e-6)
    assert hypercolumn == pytest.approx((means[0] + 3 * means[1]) / 4, abs=1e-6)


def test_filters_are_gray_where_their_weights_are_zero():
    kernels = np.zeros((2, 1, 2, 1), "float32")
    kernels[0, 0, 0], kernels[1, 0, 1] = 2, -2
    assert feature_maps.draw_filter_tiles(kernels)[..., 0].tolist() == [[[255, 128]], [[128, 0]]]


def test_overlays_of_an_image():
    heat = colormaps.colorize_heatmap(np.array([[0, 1]], "float32"), (1, 2))
    assert heat[0, 0, 3] == 0 and heat[0, 1, 3] == 230
    signed = colormaps.colorize_diverging(np.array([[-2, 0, 1]], "float32"), (1, 3))
    assert signed[0].tolist() == [[0, 114, 178, 230], [0, 114, 178, 0], [213, 94, 0, 115]]
    assert colormaps.colorize_heatmap(np.zeros((2, 2), "float32"), (4, 4))[..., 3].max() == 0
    image = np.full((1, 2, 3), 100, np.uint8)
    assert colormaps.blend_overlay(heat, image)[0, 0].tolist() == [100, 100, 100]
    assert colormaps.upsample_to_rgb(np.zeros((28, 14, 1), np.uint8)).shape == (224, 112, 3)


def inspect_network(name, layer_names="stages", width=0.125):
    spec = registry.get_model_info(name)
    model_config = registry.resolve_model_config(name, (32, 32, spec.input_shape[2]), 10,
                                                 1.0 if spec.fixed_width else width)
    pixels = RANDOM.integers(0, 256, model_config.input_shape, np.uint8)
    return ImageInspection(build_inspected_untrained(model_config), pixels, layer_names, "noise.png")


@pytest.mark.parametrize("name", slow_if_large(registry.select_models("image")))
def test_every_network_can_be_inspected(name):
    """The stages, from large feature maps to scores, the bar chart and the maps. The slow test covers gradients."""
    view = inspect_network(name)
    shapes = [feature_map.values.shape for feature_map in view.feature_maps]
    assert len(shapes) >= 3 and all(a[0] >= b[0] for a, b in zip(shapes, shapes[1:], strict=False)), shapes
    assert sum(feature_map.is_spatial
               for feature_map in view.feature_maps) >= 2 and view.feature_maps[-1].num_maps == 10
    assert sum(probability for _, probability in view.prediction) == pytest.approx(1, abs=1e-5)
    assert all(np.isfinite(feature_map.values).all() for feature_map in view.feature_maps)
    assert view.hypercolumn[2].shape == (224, 224)
    assert attribution.find_last_feature_map(view.inspected_model.model, view.graph) in view.graph.tensors
    assert view.filters[1].shape[3] == view.pixels.shape[2]


@pytest.mark.parametrize("name", ["lenet5_1998", "xception"])
def test_all_kinds_of_plots(name):
    view = inspect_network(name)
    for kind in inspection_plots.INSPECTION_PLOTS:
        assert inspection_plots.plot_inspection(view, kind, 4).get_size_inches().min() > 1, kind


@pytest.mark.parametrize("targets, labels", [(["owl", "2"], [3, 2]), ([0], [0])])
def test_attributions_of_classes_that_are_asked_for(targets, labels):
    model, kernel = make_linear_model()
    subject = InspectedModel(feature_graph.select_main_output(model), ("ant", "bee", "cat", "owl", "pig"), "sum", "")
    view = ImageInspection(subject, RANDOM.integers(0, 256, (4, 4, 3), np.uint8), "all", "noise.png", targets)
    expected = np.abs(kernel.reshape(4, 4, 3, 5)).max(axis=2)
    assert view.saliency == pytest.approx(np.stack([expected[..., label] for label in labels]), rel=1e-5)
    with pytest.raises(UserError, match="'howl'.*'owl'"):
        ImageInspection(subject, view.pixels, "all", "noise.png", ["howl"])


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.select_models("image"))
def test_gradients_of_every_network(name):
    view = inspect_network(name)
    for kind in (view.gradcam[0][1], view.saliency, view.occlusion[0]):
        assert np.isfinite(kind).all() and len(kind) == 3
    assert view.saliency.max() > 0


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_letters_without_a_font_cause_no_warning(suffix, tmp_path):
    model, _ = make_linear_model()
    names = tuple(f"\ue000{index}" for index in range(5))  # of the private use area: no font has it
    view = ImageInspection(InspectedModel(model, names, "sum", ""), np.zeros((4, 4, 3), np.uint8), "all", "black.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inspection_plots.save_inspection_plot(view, "prediction", 4, tmp_path / f"a.{suffix}")
    assert (tmp_path / f"a.{suffix}").stat().st_size > 1000


def test_too_many_layers_for_one_figure():
    view = inspect_network("nin", "all", width=1.0)
    with pytest.raises(UserError, match="layers=.*page"):
        inspection_plots.plot_inspection(view, "feature-maps", 1024)


def test_a_foreign_model_without_stage_names():
    model = keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), classes=5)
    view = ImageInspection(InspectedModel(model, None, "MobileNetV2", "random"), np.zeros((32, 32, 3), np.uint8),
                           "stages", "black.png")
    assert len(view.feature_maps) >= 4 and view.feature_maps[-1].name == "predictions"
    assert view.filters[0] == "Conv1" and view.filters[1].shape == (32, 3, 3, 3)
