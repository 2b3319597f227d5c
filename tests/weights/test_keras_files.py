"""Files of keras.applications' models, written here with random weights, in each layout that exists."""

import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest
from helpers import check_message
from test_parity import THEIRS, difference, images, randomize

import zoo
from zoo import registry
from zoo.errors import UserError
from zoo.weights import layer_names, loading, pretrained, sources


def published_layout(saved, path):
    """Copy what stands under model_weights in an old file to the top of a new one, as the published files have it."""
    with h5py.File(saved) as whole, h5py.File(path, "w") as bare:
        for name, group in whole["model_weights"].items():
            whole["model_weights"].copy(group, bare, name)
        for name, value in whole["model_weights"].attrs.items():
            bare.attrs[name] = value


def without_names(saved, path):
    """As Keras 3 wrote before it added the names of layers."""
    with h5py.File(saved) as named, h5py.File(path, "w") as bare:
        named.copy("layers", bare)
        bare["layers"].visititems(lambda _, each: each.attrs.pop("name", None) and None)


def answers(model, batch):
    return np.asarray(keras.ops.convert_to_numpy(model(batch, training=False)))


def theirs(name, **how):
    make, shape = THEIRS[name]
    model = make(weights=None, input_shape=shape, classes=10, **how)
    randomize(model)
    batch = images(2, *shape)
    return model, batch, answers(model, batch)


LARGE = {"vgg19", "inception_v3", "inception_resnet_v2", "xception"}  # to write and read, in seconds


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LARGE)) for name in THEIRS])
def test_both_old_layouts(name, tmp_path):
    model, batch, expected = theirs(name)
    model.save(tmp_path / "model.h5")
    published_layout(tmp_path / "model.h5", tmp_path / "weights.h5")
    ours = zoo.build(name, THEIRS[name][1], 10, weights=str(tmp_path / "weights.h5"))
    assert difference(answers(ours, batch), expected) < 1e-5
    randomize(ours, 7)
    model_config = registry.resolve_model_config(name, THEIRS[name][1], 10, stem="paper")
    report = sources.resolve_weights_source(tmp_path / "model.h5", name).load_into(ours, model_config, True)
    assert difference(answers(ours, batch), expected) < 1e-5
    assert (report.num_matched, report.unexpected) == (sum(bool(layer.weights) for layer in model.layers), ())


@pytest.mark.parametrize("name", ["vgg16", pytest.param("xception", marks=pytest.mark.slow)])
def test_keras_3s_own_layouts(name, tmp_path):
    model, batch, expected = theirs(name, include_top=False, pooling="avg")
    model.save(tmp_path / "a.keras")
    model.save_weights(tmp_path / "b.weights.h5")
    without_names(tmp_path / "b.weights.h5", tmp_path / "c.weights.h5")
    ours = zoo.build(name, THEIRS[name][1], include_top=False, pooling="avg", stem="paper")
    model_config = registry.resolve_model_config(name, THEIRS[name][1], stem="paper")
    kinds = []
    for file in ("a.keras", "b.weights.h5", "c.weights.h5"):
        randomize(ours, 7)
        kinds.append(sources.resolve_weights_source(tmp_path / file, name).load_into(ours, model_config, False).kind)
        assert difference(answers(ours, batch), expected) < 1e-5, file
    assert kinds[0] == kinds[1] != kinds[2]  # the last has no names


def test_names_do_not_depend_on_what_was_built_before(tmp_path):
    """The numbers of the second model's layers go on where the first one's ended."""
    first, second = (keras.applications.InceptionV3(weights=None, include_top=False, input_shape=(75, 75, 3))
                     for _ in range(2))
    assert "conv2d" not in [layer.name for layer in second.layers]
    named = {layer.name: layer.get_weights()[0].shape for layer in second.layers if layer.weights}
    ours = zoo.build("inception_v3", (75, 75, 3), include_top=False, stem="paper")
    pairs = layer_names.pair_keras_layers(list(named), ours, "inception_v3")
    numbers = {ours: int(name.rpartition("_")[2]) for name, ours in pairs.items() if name.startswith("conv2d")}
    # creation order, as the paper's figures run: ours is alphabetical within a module
    for module in range(11):
        inside = sorted(name for name in numbers if name.startswith(f"mixed{module}_"))
        assert [numbers[name] for name in inside] == sorted(numbers[name] for name in inside)
    assert numbers["stem_a_3x3"] == min(numbers.values()) and len(numbers) == 94


def test_a_top_may_be_left_over_and_nothing_else(tmp_path):
    model, batch, _ = theirs("vgg16")
    model.save(tmp_path / "vgg.h5")
    ours = zoo.build("vgg16", (48, 32, 3), include_top=False, weights=str(tmp_path / "vgg.h5"))
    kernel = model.get_layer("block5_conv3").get_weights()[0]
    assert np.array_equal(ours.get_layer("conv5_3").get_weights()[0], kernel)
    with pytest.raises(UserError) as error:
        zoo.build("vgg16", (32, 32, 3), 7, weights=str(tmp_path / "vgg.h5"))
    check_message(error.value, "vgg16", "fc8", "4096x10", "4096x7", "classes=10", "include_top=False")
    with pytest.raises(UserError) as error:
        zoo.build("vgg16", (64, 32, 3), 10, weights=str(tmp_path / "vgg.h5"))
    check_message(error.value, "vgg16", "fc6", "512x4096", "1024x4096", "input_shape")


def test_another_networks_file_is_refused(tmp_path):
    keras.applications.VGG19(weights=None, include_top=False, input_shape=(32, 32, 3)).save(tmp_path / "vgg19.h5")
    for name, parts in (("vgg16", ["block3_conv4, block4_conv4, block5_conv4"]), ("xception", [0, 14, 78])):
        with pytest.raises(UserError) as error:
            zoo.build(name, (75, 75, 3), include_top=False, weights=str(tmp_path / "vgg19.h5"))
        check_message(error.value, name, tmp_path / "vgg19.h5", *parts)
        assert name == "xception" or str(error.value).count("_conv") == 3


def test_what_does_not_fit_changes_nothing(tmp_path):
    model = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    model.save(tmp_path / "all.h5")
    with h5py.File(tmp_path / "all.h5", "r+") as file:
        group = file["model_weights/block5_conv3"]
        name = group.attrs["weight_names"][0]
        del group[name]
        group[name] = np.zeros((3, 3, 512, 511), "float32")
    ours = zoo.build("vgg16", (32, 32, 3), include_top=False)
    before = ours.get_weights()
    with pytest.raises(UserError) as error:
        loading.load_weights(ours, "vgg16", tmp_path / "all.h5")
    check_message(error.value, "vgg16", 12, 1, "conv5_3", "3x3x512x511", "3x3x512x512")
    assert all(map(np.array_equal, ours.get_weights(), before))


def test_the_papers_stem_is_built_for_weights_of_others(tmp_path):
    keras.applications.Xception(weights=None, include_top=False, input_shape=(71, 71, 3)).save(tmp_path / "x.h5")
    ours = zoo.build("xception", (96, 96, 3), include_top=False, weights=str(tmp_path / "x.h5"))
    assert ours.get_layer("block1_conv1").strides == (2, 2)
    with pytest.raises(UserError) as error:
        zoo.build("xception", (96, 96, 3), include_top=False, weights=str(tmp_path / "x.h5"), stem="small")
    check_message(error.value, tmp_path / "x.h5", "xception", "stem")


def test_our_own_files_of_any_network(tmp_path):
    model = zoo.build("maxout", (28, 28, 1), 10, width=0.1)
    randomize(model)
    model.save(tmp_path / "a.keras")
    model.save_weights(tmp_path / "b.weights.h5")
    for file in ("a.keras", "b.weights.h5"):
        again = zoo.build("maxout", (28, 28, 1), 10, width=0.1, weights=str(tmp_path / file))
        assert all(map(np.array_equal, again.get_weights(), model.get_weights()))


def test_imagenet_is_what_keras_fetches():
    """Files and hashes as keras.applications' source has them, typed again from there."""
    assert pretrained.IMAGENET_WEIGHTS["vgg19"].with_top == (
        "vgg19_weights_tf_dim_ordering_tf_kernels.h5", "cbe5617147190e668d6c5d5026f83318")
    assert pretrained.IMAGENET_WEIGHTS["xception"].without_top == (
        "xception_weights_tf_dim_ordering_tf_kernels_notop.h5", "b0042744bf5b25fce3cb969f33bebb97")
    for name, known in pretrained.IMAGENET_WEIGHTS.items():
        source = zipless(THEIRS[name][0])
        for file, md5 in (known.with_top, known.without_top):
            assert md5 in source
            assert known.folder in source and (file in source or name == "inception_resnet_v2")


def zipless(function):
    """Return the text of the module that a function of keras.applications comes from."""
    import inspect

    return open(inspect.getsourcefile(inspect.unwrap(function))).read()


def test_offline_one_line_says_what_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(pretrained, "KERAS_URL", (tmp_path / "nowhere").as_uri() + "/")
    with pytest.raises(UserError) as error:
        zoo.build("vgg16", weights="imagenet", include_top=False)
    file = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    check_message(error.value, f"{(tmp_path / 'nowhere').as_uri()}/vgg16/{file}", tmp_path / "models" / file)


@pytest.mark.parametrize("name, how, parts", [
    ("vgg16", {"classes": 10}, (1000, 10, "include_top=False")),
    ("vgg16", {"input_shape": (64, 64, 1), "include_top": False}, ("vgg16", "64x64x1")),
    ("xception", {"width": 0.5}, ("xception", "width", 1)),
    ("vgg16", {"batch_norm": True}, ("vgg16", "batch_norm", "False")),
    ("resnet34", {}, ("resnet34", "vgg16, vgg19, inception_v3, inception_resnet_v2, xception", "None"))])
def test_imagenet_is_refused_for_another_network(name, how, parts):
    with pytest.raises(UserError) as error:
        zoo.build(name, **{"weights": "imagenet", **how})
    check_message(error.value, "'imagenet'", *parts)


def test_mnists_weights_come_with_the_package():
    """On 500 images of the packaged digits; they are MNIST's, of which the network has seen many."""
    from zoo.data.datasets import load_dataset_by_name

    model = zoo.build("lenet5", weights="mnist")
    pixels, labels = load_dataset_by_name("digits").test.batch(np.arange(500))
    found = answers(model, (pixels / 255 - 0.1307) / 0.3081).argmax(axis=1)
    assert (found == labels).mean() > 0.98


def test_a_file_of_the_package_is_packed():
    setup = (pretrained.__file__.replace("zoo/weights/pretrained.py", "setup.cfg"))
    assert "zoo.weights = *.npz" in open(setup).read()


def test_keras_files_are_stored_not_packed(tmp_path):
    """A .keras file that somebody has compressed is read as well."""
    model = zoo.build("lenet5")
    model.save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as plain, zipfile.ZipFile(tmp_path / "b.keras", "w", 8) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    shutil.move(tmp_path / "b.keras", tmp_path / "b.zip")
    again = zoo.build("lenet5", weights=str(tmp_path / "b.zip"))
    assert all(map(np.array_equal, again.get_weights(), model.get_weights()))
