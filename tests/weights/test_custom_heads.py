"""Keras models that people have made of a network and a head of their own: the backbone is read, the head left over."""

import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest
from helpers import check_message
from test_keras_files import without_names
from test_parity import randomize

import zoo
from zoo import registry
from zoo.errors import UserError
from zoo.weights import files, sources

SHAPE, WIDTH = (32, 32, 3), 0.0625
WIDTHS = [[4, 4], [8, 8], [16, 16, 16], [32, 32, 32], [32, 32, 32]]  # of VGG-16, a sixteenth
BLUEPRINT = registry.resolve_model_config("vgg16", SHAPE, width=WIDTH)


def vgg16(normalize=False):
    """A narrow VGG-16 without its top, its layers named as keras.applications names them."""
    image = x = keras.Input(SHAPE)
    for block, widths in enumerate(WIDTHS, start=1):
        for place, filters in enumerate(widths, start=1):
            x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"block{block}_conv{place}")(x)
            x = keras.layers.BatchNormalization()(x) if normalize else x
        x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    model = keras.Model(image, x, name="vgg16")
    randomize(model)
    return model


def flat(backbone):
    x = keras.layers.GlobalAveragePooling2D()(backbone.output)
    return keras.Model(backbone.input, keras.layers.Dense(2)(keras.layers.Dense(8, activation="relu")(x)))


def dense_on_features(backbone):
    return keras.Model(backbone.input, keras.layers.Dense(5)(backbone.output))


def nested(backbone):
    image = keras.Input(SHAPE)
    x = keras.layers.GlobalAveragePooling2D()(backbone(keras.layers.Rescaling(1 / 255)(image)))
    x = keras.layers.BatchNormalization()(keras.layers.Dropout(0.5)(keras.layers.Dense(8)(x)))
    model = keras.Model(image, keras.layers.Dense(2)(x))
    model.compile("adam", "mse")
    return model


def frozen(backbone):
    backbone.trainable = False
    return nested(backbone)


def sequential(backbone):
    return keras.Sequential([backbone, keras.layers.Flatten(), keras.layers.Dense(2)])


def with_normalization(backbone):
    return keras.Sequential([keras.Input(SHAPE), keras.layers.Normalization(), backbone, keras.layers.Flatten(),
                             keras.layers.Dense(2)])


class Subclassed(keras.Model):
    def __init__(self, backbone):
        super().__init__()
        self.backbone, self.classifier = backbone, keras.layers.Dense(2)

    def call(self, images):
        return self.classifier(self.backbone(images))


def loaded(path):
    """A backbone of ours with the weights of a file, and the Report."""
    ours = zoo.build("vgg16", SHAPE, width=WIDTH, include_top=False)
    report = sources.resolve_weights_source(path, "vgg16").load_into(ours, BLUEPRINT, include_top=False)
    return ours, report


def check(path, backbone, left):
    ours, report = loaded(path)
    assert (report.num_matched, len(report.unexpected)) == (13, left), path
    assert all(map(np.array_equal, ours.get_weights(), backbone.get_weights()))


@pytest.mark.parametrize("build, left", [
    (flat, 2), (dense_on_features, 1), (nested, 3), (frozen, 3), (sequential, 1), (with_normalization, 2)])
def test_a_backbone_with_a_head(build, left, tmp_path):
    backbone = vgg16()
    model = build(backbone)
    model.save(tmp_path / "a.h5")
    model.save(tmp_path / "a.keras")
    model.save_weights(tmp_path / "a.weights.h5")
    for file in ("a.h5", "a.keras", "a.weights.h5"):
        check(tmp_path / file, backbone, left)
    if build is flat:
        without_names(tmp_path / "a.weights.h5", tmp_path / "b.weights.h5")
        check(tmp_path / "b.weights.h5", backbone, left)


def test_a_subclassed_model(tmp_path):
    backbone = vgg16()
    model = Subclassed(backbone)
    model(np.zeros((1, *SHAPE), np.float32))
    model.save_weights(tmp_path / "a.weights.h5")
    check(tmp_path / "a.weights.h5", backbone, 1)


@pytest.mark.parametrize("pattern", ["_layer_checkpoint_dependencies/{}/vars", "layers\\{}/vars"])
def test_layouts_of_2023(pattern, tmp_path):
    """Of tf.keras 2.12 to 2.15, whose numbers have gaps, and on Windows."""
    backbone = vgg16()
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        for number, layer in enumerate(layer for layer in backbone.layers if layer.weights):
            group = file.create_group(pattern.format(f"conv2d_{2 * number}" if number else "conv2d"))
            for place, array in enumerate(layer.get_weights()):
                group[str(place)] = array
        file.create_group("optimizer/vars")["0"] = np.zeros(3, np.float32)
    check(tmp_path / "a.weights.h5", backbone, 0)


def test_a_network_with_other_layers_is_no_head(tmp_path):
    keras.Sequential([vgg16(normalize=True), keras.layers.Flatten(), keras.layers.Dense(2)]).save(tmp_path / "bn.h5")
    base = vgg16()
    keras.Model(base.input, keras.layers.Conv2D(32, 1, name="block5_conv4")(base.output)).save(tmp_path / "deep.h5")
    for file, layer in (("bn.h5", "batch_normalization"), ("deep.h5", "block5_conv4")):
        with pytest.raises(UserError) as error:
            loaded(tmp_path / file)
        check_message(error.value, "vgg16", tmp_path / file)
        assert layer in str(error.value)


HOLDS = """
import sys, h5py
with h5py.File(sys.argv[1], sys.argv[2]) as file:
    print("open", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("mode", ["a", "r"])
def test_a_file_that_another_process_has_open(mode, tmp_path):
    flat(vgg16()).save(tmp_path / "a.h5")
    with subprocess.Popen([sys.executable, "-c", HOLDS, tmp_path / "a.h5", mode], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"open\n"
        try:
            if mode == "r":
                assert loaded(tmp_path / "a.h5")[1].num_matched == 13
            else:
                with pytest.raises(UserError) as error:
                    loaded(tmp_path / "a.h5")
                check_message(error.value, tmp_path / "a.h5", "process")
        finally:
            process.stdin.close()


def test_a_disk_without_locks(tmp_path, monkeypatch):
    flat(vgg16()).save(tmp_path / "a.h5")
    whole = h5py.File

    def file(path, mode, locking=None):
        if locking is None:
            raise OSError("Unable to synchronously open file (unable to lock file, errno = 37, error message = "
                          "'No locks available')")
        return whole(path, mode, locking=locking)

    monkeypatch.setattr(h5py, "File", file)
    assert loaded(tmp_path / "a.h5")[1].num_matched == 13


@pytest.mark.parametrize("stem", ["paper", "small"])
def test_a_keras_file_without_names_tells_them_in_its_config(stem, tmp_path):
    """As Keras 3 wrote until about 3.9: whose network it is shows in config.json alone."""
    model = zoo.build("xception", (96, 96, 3), 4, width=WIDTH, stem=stem)
    model.save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as plain:
        (tmp_path / "named.h5").write_bytes(plain.read("model.weights.h5"))
        without_names(tmp_path / "named.h5", tmp_path / "bare.h5")
        with zipfile.ZipFile(tmp_path / "b.keras", "w") as bare:
            bare.writestr("config.json", plain.read("config.json"))
            bare.write(tmp_path / "bare.h5", "model.weights.h5")
    with files.open_weights_file(tmp_path / "bare.h5") as contents:
        assert contents.naming == "counted"
    again = zoo.build("xception", (96, 96, 3), 4, width=WIDTH, stem=stem, weights=str(tmp_path / "b.keras"))
    assert again.get_layer("block1_conv1").strides == model.get_layer("block1_conv1").strides
    assert all(map(np.array_equal, again.get_weights(), model.get_weights()))
