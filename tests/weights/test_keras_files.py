"""Files of keras.applications models, written here with random weights, in every existing layout."""

import shutil
import zipfile
from collections import Counter

import h5py
import keras
import numpy as np
import pytest
from helpers import check_message
from test_parity import REFERENCES, relative_difference, random_images, randomize

import zoo
from zoo import registry
from zoo.errors import UserError
from zoo.weights import layer_names, loading, pretrained, sources


def write_published_layout(source_path, path):
    """Copy model_weights of an old file to the top level of a new one, as in the published files."""
    with h5py.File(source_path) as source, h5py.File(path, "w") as target:
        for name, group in source["model_weights"].items():
            source["model_weights"].copy(group, target, name)
        for name, value in source["model_weights"].attrs.items():
            target.attrs[name] = value


def write_without_names(source_path, path):
    """Write the layout of Keras 3 before it added layer names."""
    with h5py.File(source_path) as source, h5py.File(path, "w") as target:
        source.copy("layers", target)
        target["layers"].visititems(lambda _, group: group.attrs.pop("name", None) and None)


def predict(model, batch):
    return np.asarray(keras.ops.convert_to_numpy(model(batch, training=False)))


def build_reference(name, **keywords):
    make, shape = REFERENCES[name]
    model = make(weights=None, input_shape=shape, classes=10, **keywords)
    randomize(model)
    batch = random_images(2, *shape)
    return model, batch, predict(model, batch)


LARGE = REFERENCES.keys() - {"vgg16"}  # these take seconds to write and read


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LARGE))
                                  for name in REFERENCES])
def test_both_old_layouts(name, tmp_path):
    model, batch, expected = build_reference(name)
    model.save(tmp_path / "model.h5")
    write_published_layout(tmp_path / "model.h5", tmp_path / "weights.h5")
    model_of_zoo = zoo.build(name, REFERENCES[name][1], 10, weights=str(tmp_path / "weights.h5"))
    assert relative_difference(predict(model_of_zoo, batch), expected) < 1e-5
    randomize(model_of_zoo, 7)
    model_config = registry.resolve_model_config(name, REFERENCES[name][1], 10, stem="paper")
    report = sources.resolve_weights_source(tmp_path / "model.h5", name).load_into(model_of_zoo, model_config, True)
    assert relative_difference(predict(model_of_zoo, batch), expected) < 1e-5
    assert (report.num_matched, report.unexpected) == (sum(bool(layer.weights) for layer in model.layers), ())


@pytest.mark.parametrize("name", ["vgg16", pytest.param("xception", marks=pytest.mark.slow)])
def test_layouts_of_keras_3(name, tmp_path):
    model, batch, expected = build_reference(name, include_top=False, pooling="avg")
    model.save(tmp_path / "a.keras")
    model.save_weights(tmp_path / "b.weights.h5")
    write_without_names(tmp_path / "b.weights.h5", tmp_path / "c.weights.h5")
    model_of_zoo = zoo.build(name, REFERENCES[name][1], include_top=False, pooling="avg", stem="paper")
    model_config = registry.resolve_model_config(name, REFERENCES[name][1], stem="paper")
    kinds = []
    for file in ("a.keras", "b.weights.h5", "c.weights.h5"):
        randomize(model_of_zoo, 7)
        kinds.append(sources.resolve_weights_source(tmp_path / file, name).load_into(model_of_zoo, model_config,
                                                                                     False).kind)
        assert relative_difference(predict(model_of_zoo, batch), expected) < 1e-5, file
    assert kinds[0] == kinds[1] != kinds[2]  # the last has no names


@pytest.mark.parametrize("name, function", [("resnet50", "ResNet50"), ("resnet50_v2", "ResNet50V2")])
def test_layers_without_names_are_in_the_order_of_keras_applications(name, function):
    """Layers that have equal shapes, such as the two that end a block, are told apart by their order alone."""
    reference = getattr(keras.applications, function)(weights=None, include_top=False, input_shape=(32, 32, 3))
    model = zoo.build(name, (32, 32, 3), width=0.0625, include_top=False, stem="paper")
    counts, zoo_names = Counter(), {}
    for layer in reference.layers:
        key = layer_names.to_snake_case(type(layer).__name__)
        zoo_names[f"{key}_{counts[key]}" if counts[key] else key] = layer_names.translate_layer_name(layer.name, name)
        counts[key] += 1
    with_weights = [layer.name for layer in model.layers if layer.weights]
    pairs = layer_names.pair_by_class([*zoo_names], loading.list_classes(model))
    paired = {zoo_name: zoo_names[file_name] for file_name, zoo_name in pairs.items()}
    assert len(with_weights) > 100 and [paired[layer] for layer in with_weights] == with_weights


def test_layer_names_do_not_depend_on_models_built_before(tmp_path):
    """The numbers of the second model's layers continue those of the first model."""
    first, second = (keras.applications.InceptionV3(weights=None, include_top=False, input_shape=(75, 75, 3))
                     for _ in range(2))
    assert "conv2d" not in [layer.name for layer in second.layers]
    shapes = {layer.name: layer.get_weights()[0].shape for layer in second.layers if layer.weights}
    model_of_zoo = zoo.build("inception_v3", (75, 75, 3), include_top=False, stem="paper")
    pairs = layer_names.pair_keras_layers(list(shapes), loading.list_classes(model_of_zoo), "inception_v3")
    number_of = {zoo_name: int(name.rpartition("_")[2]) for name, zoo_name in pairs.items()
                 if name.startswith("conv2d")}
    # creation order, as in the paper's figures: names in zoo are alphabetical within a module
    for module in range(11):
        module_names = sorted(name for name in number_of if name.startswith(f"mixed{module}_"))
        assert [number_of[name] for name in module_names] == sorted(number_of[name] for name in module_names)
    assert number_of["stem_a_3x3"] == min(number_of.values()) and len(number_of) == 94


def test_only_a_top_can_be_skipped(tmp_path):
    model, batch, _ = build_reference("vgg16")
    model.save(tmp_path / "vgg.h5")
    model_of_zoo = zoo.build("vgg16", (48, 32, 3), include_top=False, weights=str(tmp_path / "vgg.h5"))
    kernel = model.get_layer("block5_conv3").get_weights()[0]
    assert np.array_equal(model_of_zoo.get_layer("conv5_3").get_weights()[0], kernel)
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


def test_weights_that_do_not_fit_change_nothing(tmp_path):
    model = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    model.save(tmp_path / "all.h5")
    with h5py.File(tmp_path / "all.h5", "r+") as file:
        group = file["model_weights/block5_conv3"]
        name = group.attrs["weight_names"][0]
        del group[name]
        group[name] = np.zeros((3, 3, 512, 511), "float32")
    model_of_zoo = zoo.build("vgg16", (32, 32, 3), include_top=False)
    before = model_of_zoo.get_weights()
    with pytest.raises(UserError) as error:
        loading.load_weights(model_of_zoo, "vgg16", tmp_path / "all.h5")
    check_message(error.value, "vgg16", 12, 1, "conv5_3", "3x3x512x511", "3x3x512x512")
    assert all(map(np.array_equal, model_of_zoo.get_weights(), before))


def test_the_papers_stem_is_used_for_foreign_weights(tmp_path):
    keras.applications.Xception(weights=None, include_top=False, input_shape=(71, 71, 3)).save(tmp_path / "x.h5")
    model_of_zoo = zoo.build("xception", (96, 96, 3), include_top=False, weights=str(tmp_path / "x.h5"))
    assert model_of_zoo.get_layer("block1_conv1").strides == (2, 2)
    with pytest.raises(UserError) as error:
        zoo.build("xception", (96, 96, 3), include_top=False, weights=str(tmp_path / "x.h5"), stem="small")
    check_message(error.value, tmp_path / "x.h5", "xception", "stem")


def test_files_of_zoo_for_any_network(tmp_path):
    model = zoo.build("maxout", (28, 28, 1), 10, width=0.1)
    randomize(model)
    model.save(tmp_path / "a.keras")
    model.save_weights(tmp_path / "b.weights.h5")
    for file in ("a.keras", "b.weights.h5"):
        reloaded = zoo.build("maxout", (28, 28, 1), 10, width=0.1, weights=str(tmp_path / file))
        assert all(map(np.array_equal, reloaded.get_weights(), model.get_weights()))


@pytest.mark.parametrize("change", [lambda arrays: arrays | {"C1/scale": np.ones(6, np.float32)},
                                    lambda arrays: {path.replace("bias", "b").replace("kernel", "a"): array
                                                    for path, array in arrays.items()}])
def test_an_npz_file_with_other_variables_is_refused(change, tmp_path):
    model = zoo.build("lenet5")
    arrays = {variable.path: np.asarray(variable) for variable in model.weights}
    np.savez(tmp_path / "a.npz", **arrays)
    zoo.build("lenet5", weights=str(tmp_path / "a.npz"))
    np.savez(tmp_path / "b.npz", **change(arrays))
    with pytest.raises(UserError) as error:
        zoo.build("lenet5", weights=str(tmp_path / "b.npz"))
    check_message(error.value, "lenet5", tmp_path / "b.npz", "C1")


def test_imagenet_files_are_those_of_keras():
    """Files and hashes from the source of keras.applications."""
    assert pretrained.IMAGENET_WEIGHTS["vgg19"].with_top == (
        "vgg19_weights_tf_dim_ordering_tf_kernels.h5", "cbe5617147190e668d6c5d5026f83318")
    assert pretrained.IMAGENET_WEIGHTS["xception"].without_top == (
        "xception_weights_tf_dim_ordering_tf_kernels_notop.h5", "b0042744bf5b25fce3cb969f33bebb97")
    assert pretrained.IMAGENET_WEIGHTS["resnet101_v2"].with_top == (
        "resnet101v2_weights_tf_dim_ordering_tf_kernels.h5", "6343647c601c52e1368623803854d971")
    resnet_source = read_module_source(REFERENCES["resnet50"][0])  # the files of all ResNets
    for name, weights in pretrained.IMAGENET_WEIGHTS.items():
        source = resnet_source if name in layer_names.RESNETS else read_module_source(REFERENCES[name][0])
        for file, md5 in (weights.with_top, weights.without_top):
            assert md5 in source
            assert weights.folder in source
            assert file in source or name == "inception_resnet_v2" or f'"{file.partition("_")[0]}": (' in source


def read_module_source(function):
    """Return the source of the module of a function of keras.applications."""
    import inspect

    return open(inspect.getsourcefile(inspect.unwrap(function))).read()


def test_offline_the_error_names_the_file_and_its_location(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(pretrained, "KERAS_URL", (tmp_path / "nowhere").as_uri() + "/")
    with pytest.raises(UserError) as error:
        zoo.build("vgg16", weights="imagenet", include_top=False)
    file = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    check_message(error.value, f"{(tmp_path / 'nowhere').as_uri()}/vgg16/{file}", tmp_path / "models" / file)


@pytest.mark.parametrize("name, keywords, parts", [
    ("vgg16", {"classes": 10}, (1000, 10, "include_top=False")),
    ("vgg16", {"input_shape": (64, 64, 1), "include_top": False}, ("vgg16", "64x64x1")),
    ("xception", {"width": 0.5}, ("xception", "width", 1)),
    ("vgg16", {"batch_norm": True}, ("vgg16", "batch_norm", "False")),
    ("resnet50", {"v1_5": True}, ("resnet50", "v1_5", "False")),
    ("resnet34", {}, ("resnet34", "vgg16, vgg19, inception_v3, inception_resnet_v2, xception, resnet50", "None"))])
def test_imagenet_is_refused_for_another_network(name, keywords, parts):
    with pytest.raises(UserError) as error:
        zoo.build(name, **{"weights": "imagenet", **keywords})
    check_message(error.value, "'imagenet'", *parts)


def test_mnist_weights_are_bundled():
    """On 500 images of the packaged digits; they are from MNIST, and the network was trained on many of them."""
    from zoo.data.datasets import load_dataset_by_name

    model = zoo.build("lenet5", weights="mnist")
    pixels, labels = load_dataset_by_name("digits").test.batch(np.arange(500))
    predictions = predict(model, (pixels / 255 - 0.1307) / 0.3081).argmax(axis=1)
    assert (predictions == labels).mean() > 0.98


def test_bundled_weights_are_in_the_package():
    setup = (pretrained.__file__.replace("zoo/weights/pretrained.py", "setup.cfg"))
    assert "zoo.weights = *.npz" in open(setup).read()


def test_compressed_keras_files_can_be_read(tmp_path):
    """A .keras file that was compressed afterwards can also be read."""
    model = zoo.build("lenet5")
    model.save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as source, zipfile.ZipFile(tmp_path / "b.keras", "w", 8) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    shutil.move(tmp_path / "b.keras", tmp_path / "b.zip")
    reloaded = zoo.build("lenet5", weights=str(tmp_path / "b.zip"))
    assert all(map(np.array_equal, reloaded.get_weights(), model.get_weights()))
