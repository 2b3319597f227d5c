"""Files of PyTorch and safetensors: a file of PyTorch 2.13, and networks with torchvision's parameter names."""

import json
from collections import OrderedDict, defaultdict
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import check_message
from test_parity import relative_difference, random_images, randomize

import zoo
from zoo.errors import UserError
from zoo.weights import files, loading, safetensors, sources, state_dict

TINY = Path(__file__).with_name("tiny.pt")  # torch.save({"epoch": 3, "state_dict": {...}, ...}) of PyTorch 2.13


def test_a_file_of_pytorch():
    arrays = {name: stored.read() for name, stored in state_dict.read_state_dict(TINY)[0].items()}
    matrix = np.arange(12.0).reshape(3, 4)
    expected = {"conv.weight": (np.arange(24) / 8).reshape(2, 3, 2, 2), "conv.bias": [0.5, -1], "bn.weight": [1, 1],
                "bn.bias": [0, 0], "bn.running_mean": [0, 0], "bn.running_var": [1, 1], "turned": matrix.T,
                "cut": matrix[1:, 2:], "half": [1.5, -2], "brain": [1.5, -3], "double": [[1 / 3]], "parameter": [7]}
    assert sorted(arrays) == sorted(expected)  # without bn.num_batches_tracked, which is an integer
    for name, values in expected.items():
        np.testing.assert_array_equal(arrays[name], values)
    with files.open_weights_file(TINY) as contents:
        assert (contents.naming,
                [len(layer_arrays) for layer_arrays in contents.layers.values()][:2]) == ("torch", [2, 4])


def write_safetensors(path, tensors):
    """Write tensors as the format specifies."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, values in tensors.items():
        raw = np.ascontiguousarray(values, "<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def test_safetensors_types(tmp_path):
    values_by_type = {"F16": np.array([1.5, -2], "<f2"), "BF16": np.array([0x3FC0, 0xC040], "<u2"),
                      "F64": np.array([0.1, 0.2])}
    header, data = {}, b""
    for name, values in {**values_by_type, "I64": np.array([1, 2])}.items():
        header[name] = {"dtype": name, "shape": [2], "data_offsets": [len(data), len(data) + values.nbytes]}
        data += values.tobytes()
    text = json.dumps(header).encode()
    (tmp_path / "a").write_bytes(len(text).to_bytes(8, "little") + text + data)
    arrays = {name: stored.read().tolist() for name, stored in safetensors.read_safetensors(tmp_path / "a").items()}
    assert arrays == {"F16": [1.5, -2], "BF16": [1.5, -3], "F64": [0.1, 0.2]}


def test_the_number_of_classes_of_a_file(tmp_path):
    write_safetensors(tmp_path / "a.safetensors", {
        "classifier.4.weight": np.zeros((5, 4)), "classifier.4.bias": np.zeros(5),
        "classifier.6.weight": np.zeros((7, 5)), "classifier.6.bias": np.zeros(7)})
    assert sources.resolve_weights_source(tmp_path / "a.safetensors", "alexnet_2014").count_classes() == 7
    model = zoo.build("lenet5", classes=6)
    for file in ("a.weights.h5", "a.keras"):
        (model.save_weights if file.endswith("h5") else model.save)(tmp_path / file)
        assert sources.resolve_weights_source(tmp_path / file, "lenet5").count_classes() == 6
    write_safetensors(tmp_path / "b.safetensors", {"classifier.4.bias": np.zeros(5)})
    assert sources.resolve_weights_source(tmp_path / "b.safetensors", "alexnet_2014").count_classes() is None


# torchvision's vgg: features is a sequence of convolution, optional normalization, ReLU and pooling; the dense layers
# are classifier.0, .3 and .6
VGG16 = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]


def make_torch_vgg16(torch, width, num_pixels, classes, batch_norm):
    nn = torch.nn
    features, channels = [], 3
    for step in VGG16:
        if step == "M":
            features.append(nn.MaxPool2d(2, 2))
            continue
        filters = int(step * width)
        normalization = [nn.BatchNorm2d(filters)] if batch_norm else []
        features += [nn.Conv2d(channels, filters, 3, padding=1), *normalization, nn.ReLU()]
        channels = filters
    units = int(4096 * width)
    classifier = [nn.Linear(channels * num_pixels, units), nn.ReLU(), nn.Dropout(), nn.Linear(units, units), nn.ReLU(),
                  nn.Dropout(), nn.Linear(units, classes)]
    return nn.ModuleDict({"features": nn.Sequential(*features), "classifier": nn.Sequential(*classifier)})


def randomize_torch(torch, model):
    """Set random weights and statistics with which activations neither vanish nor explode."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.dim() > 1:
                tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5)
            elif name.endswith(("running_var", "bn.weight")):
                tensor.uniform_(0.2, 1.2)
            elif tensor.dim():
                tensor.normal_(0, 0.2)
    return model.eval()


@pytest.mark.parametrize("batch_norm, ending", [(False, "pt"), (True, "safetensors"), (True, "npz")])
def test_vgg16_of_torchvision(batch_norm, ending, tmp_path):
    torch = pytest.importorskip("torch")
    model = randomize_torch(torch, make_torch_vgg16(torch, 0.05, 2 * 3, 7, batch_norm))
    batch = random_images(2, 64, 96, 3)
    with torch.no_grad():
        x = model["features"](torch.from_numpy(batch.transpose(0, 3, 1, 2).copy()))
        expected = model["classifier"](x.flatten(1)).numpy()
    path = tmp_path / f"vgg.{ending}"
    if ending == "pt":
        torch.save(model.state_dict(), path)
    elif ending == "npz":  # integers, num_batches_tracked, among them
        np.savez(path, **{name: tensor.numpy() for name, tensor in model.state_dict().items()})
    else:
        state = model.state_dict().items()
        write_safetensors(path, {name: tensor.numpy() for name, tensor in state if tensor.is_floating_point()})
    model_of_zoo = zoo.build("vgg16", (64, 96, 3), 7, width=0.05, batch_norm=batch_norm, weights=str(path),
                             classifier_activation=None)
    assert relative_difference(np.asarray(keras.ops.convert_to_numpy(model_of_zoo(batch, training=False))),
                               expected) < 1e-5
    with pytest.raises(UserError) as error:
        zoo.build("vgg19", (64, 96, 3), 7, width=0.05, batch_norm=batch_norm, weights=str(path))
    check_message(error.value, "vgg19", path)


def test_a_backbone_without_its_top(tmp_path):
    torch = pytest.importorskip("torch")
    model = make_torch_vgg16(torch, 0.05, 2 * 3, 7, False)
    torch.save({f"features.{name}": tensor for name, tensor in model["features"].state_dict().items()},
               tmp_path / "a.pt")
    with pytest.raises(UserError) as error:
        zoo.build("vgg16", (64, 96, 3), 7, width=0.05, weights=str(tmp_path / "a.pt"))
    check_message(error.value, tmp_path / "a.pt", 13, "fc6", "include_top=False")
    assert zoo.build("vgg16", (64, 96, 3), include_top=False, width=0.05, weights=str(tmp_path / "a.pt"))


def test_inception_v3_with_the_names_of_torchvision(tmp_path):
    """Against PyTorch, with average pooling that excludes the padding, which torchvision includes."""
    torch = pytest.importorskip("torch")
    import torchvision_like

    model = randomize_torch(torch, torchvision_like.inception_v3(7, 0.1))
    batch = random_images(2, 107, 75, 3)
    with torch.no_grad():
        expected = model(torch.from_numpy(batch.transpose(0, 3, 1, 2).copy())).numpy()
    torch.save(model.state_dict(), tmp_path / "v3.pth")
    model_of_zoo = zoo.build("inception_v3", (107, 75, 3), 7, width=0.1, weights=str(tmp_path / "v3.pth"),
                             classifier_activation=None)  # scale=True is inferred from the file
    assert model_of_zoo.get_layer("stem_a_3x3").strides == (2, 2)  # the paper's stem
    assert relative_difference(np.asarray(keras.ops.convert_to_numpy(model_of_zoo(batch, training=False))),
                               expected) < 1e-4
    with pytest.raises(UserError) as error:
        zoo.build("inception_v3", (107, 75, 3), 7, width=0.1, scale=False, weights=str(tmp_path / "v3.pth"))
    check_message(error.value, "inception_v3", tmp_path / "v3.pth", "stem_a_3x3_bn", "--model-option scale=true")


def test_alexnet_of_torchvision(tmp_path):
    """At 224x224, where the average pooling before its dense layers has no effect."""
    torch = pytest.importorskip("torch")
    nn, widths = torch.nn, (8, 24, 48, 32, 32, 512, 512)  # an eighth
    c1, c2, c3, c4, c5, fc6, fc7 = widths
    model = randomize_torch(torch, nn.ModuleDict({
        "features": nn.Sequential(
            nn.Conv2d(3, c1, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(c1, c2, 5, padding=2), nn.ReLU(),
            nn.MaxPool2d(3, 2), nn.Conv2d(c2, c3, 3, padding=1), nn.ReLU(), nn.Conv2d(c3, c4, 3, padding=1), nn.ReLU(),
            nn.Conv2d(c4, c5, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2), nn.AdaptiveAvgPool2d(6)),
        "classifier": nn.Sequential(nn.Dropout(), nn.Linear(c5 * 36, fc6), nn.ReLU(), nn.Dropout(), nn.Linear(fc6, fc7),
                                    nn.ReLU(), nn.Linear(fc7, 7))}))
    batch = random_images(2, 224, 224, 3)
    with torch.no_grad():
        x = model["features"](torch.from_numpy(batch.transpose(0, 3, 1, 2).copy()))
        expected = model["classifier"](x.flatten(1)).numpy()
    torch.save(model.state_dict(), tmp_path / "alexnet.pth")
    model_of_zoo = zoo.build("alexnet_2014", classes=7, width=0.125, weights=str(tmp_path / "alexnet.pth"),
                             classifier_activation=None)
    assert relative_difference(np.asarray(keras.ops.convert_to_numpy(model_of_zoo(batch, training=False))),
                               expected) < 1e-5
    with pytest.raises(UserError) as error:
        zoo.build("alexnet", classes=7, width=0.125, weights=str(tmp_path / "alexnet.pth"))
    check_message(error.value, "alexnet", tmp_path / "alexnet.pth", 0, 8, "alexnet_2014")


@pytest.mark.parametrize("name", ["resnet18_v1", "resnet34_v1", "resnet50"])
def test_resnets_of_torchvision(name, tmp_path):
    torch = pytest.importorskip("torch")
    import torch_resnet

    model = randomize_torch(torch, torch_resnet.imagenet(name, 7, 0.125))
    batch = random_images(2, 64, 75, 3)
    with torch.no_grad():
        expected = model(torch.from_numpy(batch.transpose(0, 3, 1, 2).copy())).numpy()
    torch.save(model.state_dict(), tmp_path / "resnet.pth")
    source = sources.resolve_weights_source(tmp_path / "resnet.pth", name)
    assert source.implied_options == ({"v1_5": True} if name == "resnet50" else {})
    assert source.count_classes() == 7 and source.scaling.scale[0] == pytest.approx(1 / (255 * 0.229))
    arguments = {"input_shape": (64, 75, 3), "classes": 7, "width": 0.125, "weights": str(tmp_path / "resnet.pth")}
    model_of_zoo = zoo.build(name, **arguments, classifier_activation=None)
    assert model_of_zoo.get_layer("conv1").strides == (2, 2)  # the paper's stem
    assert relative_difference(np.asarray(keras.ops.convert_to_numpy(model_of_zoo(batch, training=False))),
                               expected) < 1e-4
    with pytest.raises(UserError) as error:
        zoo.build(name, **{**arguments, "stem": "small"})
    check_message(error.value, "resnet.pth", name, "stem")


def test_torchvisions_resnet50_is_version_1_5(tmp_path):
    torch = pytest.importorskip("torch")
    import torch_resnet

    torch.save(torch_resnet.imagenet("resnet50", 7, 0.125).state_dict(), tmp_path / "resnet.pth")
    arguments = {"input_shape": (64, 64, 3), "classes": 7, "width": 0.125, "weights": str(tmp_path / "resnet.pth")}
    with pytest.raises(UserError) as error:
        zoo.build("resnet50", **arguments, v1_5=False)
    check_message(error.value, "resnet50", tmp_path / "resnet.pth", "--model-option v1_5=true")
    released = zoo.build("resnet50", (64, 64, 3), 7, width=0.125, stem="paper")
    released.save_weights(tmp_path / "a.weights.h5")
    assert sources.resolve_weights_source(tmp_path / "a.weights.h5", "resnet50").implied_options == {"v1_5": False}
    with pytest.raises(UserError) as error:
        zoo.build("resnet50", **{**arguments, "weights": str(tmp_path / "a.weights.h5")}, stem="paper", v1_5=True)
    check_message(error.value, "resnet50", "a.weights.h5", "--model-option v1_5=false")
    with pytest.raises(UserError) as error:
        zoo.build("resnet34_v1", **arguments)
    check_message(error.value, "resnet34_v1", tmp_path / "resnet.pth")


def make_narrow_vgg16():
    """Return (a backbone of vgg16, {parameter name in torchvision: array})."""
    model = zoo.build("vgg16", (32, 32, 3), width=0.02, include_top=False)
    randomize(model)
    tensors, index = {}, 0
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            tensors |= {f"features.{index}.weight": kernel.transpose(3, 2, 0, 1).copy(), f"features.{index}.bias": bias}
            index += 2
        elif layer.name.startswith("pool"):
            index += 1
    return model, tensors


class OwnDict(OrderedDict):
    """A subclass, as some training programs have, which is not imported when the file is read."""


def check_backbone(path, model, num_unexpected=0):
    reloaded = zoo.build("vgg16", (32, 32, 3), width=0.02, include_top=False)
    report = loading.load_weights(reloaded, "vgg16", path, include_top=False)
    assert (report.num_matched, len(report.unexpected)) == (13, num_unexpected)
    assert all(map(np.array_equal, reloaded.get_weights(), model.get_weights()))
    return report


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "backbone.", "encoder.", "net.",
                                    "_orig_mod.module.", "module.backbone.", "model.net.encoder.", "teacher.",
                                    "module.encoder_q.", "model.0.", "vgg16.", "student.backbone.", "_forward_module."])
def test_prefixes(prefix, tmp_path):
    model, tensors = make_narrow_vgg16()
    tensors = {prefix + name: values for name, values in tensors.items()}
    tensors |= {"classifier.weight": np.zeros((2, 8)), "classifier.bias": np.zeros(2)}  # a head, without a prefix
    write_safetensors(tmp_path / "a.safetensors", tensors)
    check_backbone(tmp_path / "a.safetensors", model, num_unexpected=1)


@pytest.mark.parametrize("prefixes, names", [
    (("model.", "encoder."), ("features.0.weight", "encoder.features.0.weight")),
    (("student.", "teacher."), ("student.features.0.weight", "teacher.features.0.weight"))])
def test_two_networks_in_a_file(tmp_path, prefixes, names):
    _, tensors = make_narrow_vgg16()
    write_safetensors(tmp_path / "a.safetensors", {
        prefix + name: values for prefix in prefixes for name, values in tensors.items()})
    with pytest.raises(UserError) as error:
        check_backbone(tmp_path / "a.safetensors", None)
    check_message(error.value, tmp_path / "a.safetensors", *names)


def test_two_networks_under_unknown_keys(tmp_path):
    torch = pytest.importorskip("torch")
    state = convert_to_torch(torch, make_narrow_vgg16()[1])
    torch.save({"student": state, "teacher": state}, tmp_path / "a.pth")
    with pytest.raises(UserError) as error:
        check_backbone(tmp_path / "a.pth", None)
    check_message(error.value, tmp_path / "a.pth", "'student'", "'teacher'")


def convert_to_torch(torch, tensors):
    return {name: torch.from_numpy(values) for name, values in tensors.items()}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "bfloat16"])
def test_both_formats_of_pytorch(zipped, dtype, tmp_path):
    """The format until 1.5, that of torchvision's VGG files, and the current one."""
    torch = pytest.importorskip("torch")
    model, tensors = make_narrow_vgg16()
    model.set_weights([np.round(values * 16) / 16 for values in model.get_weights()])  # exact in every dtype
    tensors = {name: np.round(values * 16) / 16 for name, values in tensors.items()}
    state = {name: tensor.to(getattr(torch, dtype)) for name, tensor in convert_to_torch(torch, tensors).items()}
    shared = torch.arange(10.0)
    state |= {"head.weight": shared[4:8].reshape(2, 2).T, "head.bias": shared[:2], "steps": torch.tensor(7),
              "phase": torch.zeros(2, dtype=torch.complex64)}
    torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    check_backbone(tmp_path / "a.pth", model, num_unexpected=1)
    stored, _ = state_dict.read_state_dict(tmp_path / "a.pth")
    assert stored["head.weight"].read().tolist() == [[4, 6], [5, 7]] and stored["head.bias"].read().tolist() == [0, 1]
    assert "steps" not in stored and "phase" not in stored


@pytest.mark.parametrize("location, wrap", [
    ("state_dict", lambda state: {"state_dict": state}), ("model", lambda state: {"model": state, "epoch": 3}),
    ("net", lambda state: {"net": state}), ("ema", lambda state: {"ema": state}),
    ("model_ema", lambda state: {"model_ema": {"module." + name: tensor for name, tensor in state.items()}}),
    ("state_dict_ema", lambda state: {"state_dict_ema": state, "state_dict": {}}),
    ("model.state_dict", lambda state: {"model": {"state_dict": state}}),
    ("params", lambda state: {"params": state, "params_ema": {name: tensor * 0 for name, tensor in state.items()}}),
    ("params_ema", lambda state: {"params_ema": state}), ("ema_state_dict", lambda state: {"ema_state_dict": state}),
    ("teacher", lambda state: {"teacher": state, "optimizer": {"state": {0: {"step": state["features.0.bias"]}}}}),
    ("model", lambda state: {"model": defaultdict(int, state)}), ("net", lambda state: {"net": OwnDict(state)}),
    ("model", lambda state: {"model": state, "model_ema": {name: tensor * 0 for name, tensor in state.items()}})])
def test_wrappers(location, wrap, tmp_path):
    torch = pytest.importorskip("torch")
    model, tensors = make_narrow_vgg16()
    torch.save(wrap(convert_to_torch(torch, tensors)), tmp_path / "a.pth")
    check_message(check_backbone(tmp_path / "a.pth", model).kind, f"'{location}'")


@pytest.mark.parametrize("zipped", [False, True])
def test_objects_beside_the_weights(zipped, tmp_path):
    """None of them is created: their classes need not even be importable."""
    torch = pytest.importorskip("torch")
    import argparse
    import collections
    import pathlib

    model, tensors = make_narrow_vgg16()
    network = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    torch.save({"args": argparse.Namespace(lr=0.1, layers=[1, 2]), "best": np.float64(0.9), "history": np.arange(3),
                "optimizer": optimizer.state_dict(), "whole": network, "whole_optimizer": optimizer,
                "path": pathlib.PurePosixPath("a"),
                "dtype": torch.float16, "device": torch.device("cpu"), "size": torch.Size([1]),
                "counts": collections.Counter("aab"), "names": {"a", "b"}, "queue": collections.deque([1]),
                "groups": collections.defaultdict(list, a=[1]),
                "model": convert_to_torch(torch, tensors)}, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    check_backbone(tmp_path / "a.pth", model)


@pytest.mark.parametrize("location", ["", "['model']", "['network']"])
def test_a_model_saved_instead_of_its_weights(location, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    model, tensors = make_narrow_vgg16()
    features = [layer for widths in VGG16 for layer in ([torch.nn.MaxPool2d(2, 2)] if widths == "M" else [
        torch.nn.Conv2d(1, 1, 1), torch.nn.ReLU()])]
    saved_model = torch.nn.Sequential()
    saved_model.features = torch.nn.Sequential(*features)
    for name, values in tensors.items():
        setattr(saved_model.features[int(name.split(".")[1])], name.split(".")[2],
                torch.nn.Parameter(torch.from_numpy(values)))
    torch.save({"epoch": 1, location[2:-2]: saved_model} if location else saved_model, tmp_path / "a.pth")
    with pytest.raises(UserError) as error:
        check_backbone(tmp_path / "a.pth", model)
    check_message(error.value, tmp_path / "a.pth", "torch.nn.modules.container.Sequential")
    _, start, rest = str(error.value).partition("import torch; ")
    lines = (start + rest).split("; ")
    assert len(lines) == 2
    monkeypatch.chdir(tmp_path)
    exec("\n".join(lines), {})  # the commands of the message
    check_backbone(tmp_path / "weights.pt", model)


@pytest.mark.parametrize("convert", ["numpy", "quantized", "sparse"])
def test_arrays_that_are_not_plain_tensors(convert, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    model, tensors = make_narrow_vgg16()
    model.set_weights([np.round(values * 8) / 8 for values in model.get_weights()])  # exact when quantized
    tensors = {name: np.round(values * 8) / 8 for name, values in tensors.items()}
    convert = {"numpy": lambda tensor: tensor.numpy(), "sparse": lambda tensor: tensor.to_sparse(),
               "quantized": lambda tensor: torch.quantize_per_tensor(tensor, 1 / 8, 0, torch.qint8)}[convert]
    torch.save({name: convert(tensor) for name, tensor in convert_to_torch(torch, tensors).items()}, tmp_path / "a.pth")
    with pytest.raises(UserError) as error:
        check_backbone(tmp_path / "a.pth", model)
    check_message(error.value, tmp_path / "a.pth")
    _, start, rest = str(error.value).partition("import torch; ")
    monkeypatch.chdir(tmp_path)
    exec("\n".join((start + rest).split("; ")), {})  # the commands of the message
    check_backbone(tmp_path / "weights.pt", model)
