"""Keras models of a network with a custom head: the backbone is loaded, the head is skipped."""

import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest
from helpers import check_message
from test_keras_files import write_without_names
from test_parity import randomize

import zoo
from zoo import registry
from zoo.errors import UserError
from zoo.weights import files, sources

SHAPE, WIDTH = (32, 32, 3), 0.0625
WIDTHS = [[4, 4], [8, 8], [16, 16, 16], [32, 32, 32], [32, 32, 32]]  # a sixteenth of VGG-16
MODEL_CONFIG = registry.resolve_model_config("vgg16", SHAPE, width=WIDTH)


def build_vgg16(after_conv=None):
    """Build a narrow VGG-16 without its top, with the layer names of keras.applications.

    after_conv: function of a tensor, applied after each convolution.
    """
    image = x = keras.Input(SHAPE)
    for block, widths in enumerate(WIDTHS, start=1):
        for index, filters in enumerate(widths, start=1):
            x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"block{block}_conv{index}")(x)
            x = after_conv(x) if after_conv else x
        x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    model = keras.Model(image, x, name="vgg16")
    randomize(model)
    return model


def normalize(x):
    return keras.layers.BatchNormalization()(x)


def squeeze_and_excite(x, names=(None, None)):
    scale = keras.layers.Dense(1, name=names[0])(keras.layers.GlobalAveragePooling2D()(x))
    return keras.layers.Multiply()([x, keras.layers.Dense(x.shape[-1], activation="sigmoid", name=names[1])(scale)])


def add_flat_head(backbone):
    x = keras.layers.GlobalAveragePooling2D()(backbone.output)
    return keras.Model(backbone.input, keras.layers.Dense(2)(keras.layers.Dense(8, activation="relu")(x)))


def add_dense_on_features(backbone):
    return keras.Model(backbone.input, keras.layers.Dense(5)(backbone.output))


def add_nested_head(backbone):
    image = keras.Input(SHAPE)
    x = keras.layers.GlobalAveragePooling2D()(backbone(keras.layers.Rescaling(1 / 255)(image)))
    x = keras.layers.BatchNormalization()(keras.layers.Dropout(0.5)(keras.layers.Dense(8)(x)))
    model = keras.Model(image, keras.layers.Dense(2)(x))
    model.compile("adam", "mse")
    return model


def add_head_to_frozen(backbone):
    backbone.trainable = False
    return add_nested_head(backbone)


def add_sequential_head(backbone):
    return keras.Sequential([backbone, keras.layers.Flatten(), keras.layers.Dense(2)])


def add_head_and_normalization(backbone):
    return keras.Sequential([keras.Input(SHAPE), keras.layers.Normalization(), backbone, keras.layers.Flatten(),
                             keras.layers.Dense(2)])


class Subclassed(keras.Model):
    def __init__(self, backbone):
        super().__init__()
        self.backbone, self.classifier = backbone, keras.layers.Dense(2)

    def call(self, images):
        return self.classifier(self.backbone(images))


def load_backbone(path):
    """Return a backbone of zoo with the weights of a file, and the Report."""
    model = zoo.build("vgg16", SHAPE, width=WIDTH, include_top=False)
    report = sources.resolve_weights_source(path, "vgg16").load_into(model, MODEL_CONFIG, include_top=False)
    return model, report


def check_backbone(path, backbone, num_unexpected):
    model, report = load_backbone(path)
    assert (report.num_matched, len(report.unexpected)) == (13, num_unexpected), path
    assert all(map(np.array_equal, model.get_weights(), backbone.get_weights()))


@pytest.mark.parametrize("build, num_unexpected", [
    (add_flat_head, 2), (add_dense_on_features, 1), (add_nested_head, 3), (add_head_to_frozen, 3),
    (add_sequential_head, 1), (add_head_and_normalization, 2)])
def test_a_backbone_with_a_head(build, num_unexpected, tmp_path):
    backbone = build_vgg16()
    model = build(backbone)
    model.save(tmp_path / "a.h5")
    model.save(tmp_path / "a.keras")
    model.save_weights(tmp_path / "a.weights.h5")
    for file in ("a.h5", "a.keras", "a.weights.h5"):
        check_backbone(tmp_path / file, backbone, num_unexpected)
    if build is add_flat_head:
        write_without_names(tmp_path / "a.weights.h5", tmp_path / "b.weights.h5")
        check_backbone(tmp_path / "b.weights.h5", backbone, num_unexpected)


def test_a_subclassed_model(tmp_path):
    backbone = build_vgg16()
    model = Subclassed(backbone)
    model(np.zeros((1, *SHAPE), np.float32))
    model.save_weights(tmp_path / "a.weights.h5")
    check_backbone(tmp_path / "a.weights.h5", backbone, 1)


@pytest.mark.parametrize("pattern", ["_layer_checkpoint_dependencies/{}/vars", "layers\\{}/vars"])
def test_layouts_of_2023(pattern, tmp_path):
    """Layouts of tf.keras 2.12 to 2.15, whose numbering has gaps, and of Windows."""
    backbone = build_vgg16()
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        for index, layer in enumerate(layer for layer in backbone.layers if layer.weights):
            group = file.create_group(pattern.format(f"conv2d_{2 * index}" if index else "conv2d"))
            for array_index, array in enumerate(layer.get_weights()):
                group[str(array_index)] = array
        file.create_group("optimizer/vars")["0"] = np.zeros(3, np.float32)
        file.create_group("metrics/mean/vars")["0"] = np.float32(3)
    check_backbone(tmp_path / "a.weights.h5", backbone, 0)


def test_a_network_with_other_layers_is_refused(tmp_path):
    keras.Sequential([build_vgg16(normalize), keras.layers.Flatten(),
                      keras.layers.Dense(2)]).save(tmp_path / "bn.h5")
    base = build_vgg16()
    keras.Model(base.input, keras.layers.Conv2D(32, 1, name="block5_conv4")(base.output)).save(tmp_path / "deep.h5")
    for file, layer in (("bn.h5", "batch_normalization"), ("deep.h5", "block5_conv4")):
        with pytest.raises(UserError) as error:
            load_backbone(tmp_path / file)
        check_message(error.value, "vgg16", tmp_path / file)
        assert layer in str(error.value)


def test_dense_layers_in_the_blocks_are_refused(tmp_path):
    """Squeeze and excitation: the convolutions fit, but their features are those of another network."""
    model = add_flat_head(build_vgg16(squeeze_and_excite))
    model.save(tmp_path / "a.h5")
    model.save_weights(tmp_path / "a.weights.h5")
    write_without_names(tmp_path / "a.weights.h5", tmp_path / "b.weights.h5")
    for file in ("a.h5", "a.weights.h5", "b.weights.h5"):
        with pytest.raises(UserError) as error:
            load_backbone(tmp_path / file)
        check_message(error.value, "vgg16", tmp_path / file)
        assert "dense" in str(error.value)
    base = build_vgg16()
    squeezed = squeeze_and_excite(base.output, ("block5_squeeze", "block5_excite"))  # named as a part of a block
    keras.Model(base.input, squeezed).save(tmp_path / "named.h5")
    with pytest.raises(UserError) as error:
        load_backbone(tmp_path / "named.h5")
    check_message(error.value, "vgg16", tmp_path / "named.h5", "block5_squeeze", "block5_excite")


HOLD_OPEN = """
import sys, h5py
with h5py.File(sys.argv[1], sys.argv[2]) as file:
    print("open", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("mode", ["a", "r"])
def test_a_file_that_another_process_has_open(mode, tmp_path):
    add_flat_head(build_vgg16()).save(tmp_path / "a.h5")
    with subprocess.Popen([sys.executable, "-c", HOLD_OPEN, tmp_path / "a.h5", mode], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"open\n"
        try:
            if mode == "r":
                assert load_backbone(tmp_path / "a.h5")[1].num_matched == 13
            else:
                with pytest.raises(UserError) as error:
                    load_backbone(tmp_path / "a.h5")
                check_message(error.value, tmp_path / "a.h5", "process")
        finally:
            process.stdin.close()


def test_a_disk_without_locks(tmp_path, monkeypatch):
    add_flat_head(build_vgg16()).save(tmp_path / "a.h5")
    original_file = h5py.File

    def file(path, mode, locking=None):
        if locking is None:
            raise OSError("Unable to synchronously open file (unable to lock file, errno = 37, error message = "
                          "'No locks available')")
        return original_file(path, mode, locking=locking)

    monkeypatch.setattr(h5py, "File", file)
    assert load_backbone(tmp_path / "a.h5")[1].num_matched == 13


@pytest.mark.parametrize("stem", ["paper", "small"])
def test_a_keras_file_without_layer_names_has_them_in_its_config(stem, tmp_path):
    """The layout of Keras 3 until about 3.9: only config.json identifies the network."""
    model = zoo.build("xception", (96, 96, 3), 4, width=WIDTH, stem=stem)
    model.save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as source:
        (tmp_path / "named.h5").write_bytes(source.read("model.weights.h5"))
        write_without_names(tmp_path / "named.h5", tmp_path / "bare.h5")
        with zipfile.ZipFile(tmp_path / "b.keras", "w") as target:
            target.writestr("config.json", source.read("config.json"))
            target.write(tmp_path / "bare.h5", "model.weights.h5")
    with files.open_weights_file(tmp_path / "bare.h5") as contents:
        assert contents.naming == "counted"
    reloaded = zoo.build("xception", (96, 96, 3), 4, width=WIDTH, stem=stem, weights=str(tmp_path / "b.keras"))
    assert reloaded.get_layer("block1_conv1").strides == model.get_layer("block1_conv1").strides
    assert all(map(np.array_equal, reloaded.get_weights(), model.get_weights()))


@pytest.mark.parametrize("nested", ["", "backbone", "head", "backbone after normalization"])
def test_numbered_layers_of_a_head_come_after_those_of_the_backbone(nested, tmp_path):
    """In the layout of Keras 3 until about 3.9; a nested backbone is a group, whose name sorts after the head's."""
    backbone = zoo.build("xception", (96, 96, 3), include_top=False, width=WIDTH, stem="paper")
    randomize(backbone)
    image, features = backbone.input, backbone.output
    if nested == "backbone":
        image = keras.Input((96, 96, 3))
        features = backbone(image)
    elif nested == "backbone after normalization":
        image = keras.Input((96, 96, 3))
        features = backbone(keras.layers.BatchNormalization()(image))
    x = keras.layers.GlobalAveragePooling2D()(features)
    head = [keras.layers.BatchNormalization()] * ("after" not in nested) + [keras.layers.Dense(2)]
    for layer in [keras.Sequential(head)] if nested == "head" else head:
        x = layer(x)
    model = keras.Model(image, x)
    model.save(tmp_path / "a.keras")
    model.save_weights(tmp_path / "a.weights.h5")
    write_without_names(tmp_path / "a.weights.h5", tmp_path / "b.weights.h5")
    with zipfile.ZipFile(tmp_path / "a.keras") as source, zipfile.ZipFile(tmp_path / "b.keras", "w") as target:
        target.writestr("config.json", source.read("config.json"))
        target.write(tmp_path / "b.weights.h5", "model.weights.h5")
    for file in ("b.weights.h5", "b.keras"):
        reloaded = zoo.build("xception", (96, 96, 3), include_top=False, width=WIDTH, stem="paper",
                             weights=str(tmp_path / file))
        assert all(map(np.array_equal, reloaded.get_weights(), backbone.get_weights())), file


def test_a_fitted_model_has_metrics(tmp_path):
    backbone = build_vgg16()
    backbone.trainable = False
    model = add_flat_head(backbone)
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.zeros((1, *SHAPE), np.float32), np.zeros((1, 2), np.float32), verbose=0)
    for file in ("a.h5", "a.keras", "a.weights.h5"):
        (model.save_weights if file == "a.weights.h5" else model.save)(tmp_path / file)
        check_backbone(tmp_path / file, backbone, 2)


def test_bfloat16(tmp_path):
    keras.config.set_dtype_policy("bfloat16")
    try:
        backbone = build_vgg16()
    finally:
        keras.config.set_dtype_policy("float32")
    backbone.save_weights(tmp_path / "a.weights.h5")
    model, _ = load_backbone(tmp_path / "a.weights.h5")
    for values, expected in zip(model.get_weights(), backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(values, np.asarray(expected, np.float32))
