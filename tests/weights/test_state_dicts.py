"""PyTorch's files and safetensors: what PyTorch 2.13 wrote, and networks with torchvision's names of parameters."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import check_message
from test_parity import difference, images, randomize

import zoo
from zoo.errors import UserError
from zoo.weights import files, loading, safetensors, sources, state_dict

TINY = Path(__file__).with_name("tiny.pt")  # torch.save({"epoch": 3, "state_dict": {...}, ...}) of PyTorch 2.13


def test_what_pytorch_wrote():
    found = {name: stored.read() for name, stored in state_dict.read_state_dict(TINY)[0].items()}
    numbers = np.arange(12.0).reshape(3, 4)
    expected = {"conv.weight": (np.arange(24) / 8).reshape(2, 3, 2, 2), "conv.bias": [0.5, -1], "bn.weight": [1, 1],
                "bn.bias": [0, 0], "bn.running_mean": [0, 0], "bn.running_var": [1, 1], "turned": numbers.T,
                "cut": numbers[1:, 2:], "half": [1.5, -2], "brain": [1.5, -3], "double": [[1 / 3]], "parameter": [7]}
    assert sorted(found) == sorted(expected)  # without bn.num_batches_tracked, which is no float
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    with files.open_weights_file(TINY) as contents:
        assert (contents.naming, [len(row) for row in contents.layers.values()][:2]) == ("torch", [2, 4])


def write_safetensors(path, tensors):
    """As the format says."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, values in tensors.items():
        raw = np.ascontiguousarray(values, "<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def test_safetensors_types(tmp_path):
    rows = {"F16": np.array([1.5, -2], "<f2"), "BF16": np.array([0x3FC0, 0xC040], "<u2"), "F64": np.array([0.1, 0.2])}
    header, data = {}, b""
    for name, values in {**rows, "I64": np.array([1, 2])}.items():
        header[name] = {"dtype": name, "shape": [2], "data_offsets": [len(data), len(data) + values.nbytes]}
        data += values.tobytes()
    text = json.dumps(header).encode()
    (tmp_path / "a").write_bytes(len(text).to_bytes(8, "little") + text + data)
    found = {name: stored.read().tolist() for name, stored in safetensors.read_safetensors(tmp_path / "a").items()}
    assert found == {"F16": [1.5, -2], "BF16": [1.5, -3], "F64": [0.1, 0.2]}


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


# torchvision's vgg: features is a row of convolution, perhaps normalisation, ReLU and pools; classifier.0, .3 and .6
VGG16 = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]


def torch_vgg16(torch, width, grid, classes, batch_norm):
    nn = torch.nn
    features, channels = [], 3
    for step in VGG16:
        if step == "M":
            features.append(nn.MaxPool2d(2, 2))
            continue
        filters = int(step * width)
        normalised = [nn.BatchNorm2d(filters)] if batch_norm else []
        features += [nn.Conv2d(channels, filters, 3, padding=1), *normalised, nn.ReLU()]
        channels = filters
    units = int(4096 * width)
    classifier = [nn.Linear(channels * grid, units), nn.ReLU(), nn.Dropout(), nn.Linear(units, units), nn.ReLU(),
                  nn.Dropout(), nn.Linear(units, classes)]
    return nn.ModuleDict({"features": nn.Sequential(*features), "classifier": nn.Sequential(*classifier)})


def stirred(torch, model):
    """Random weights and statistics at which signals neither die nor explode."""
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


@pytest.mark.parametrize("batch_norm, ending", [(False, "pt"), (True, "safetensors")])
def test_vgg16_as_torchvision_has_it(batch_norm, ending, tmp_path):
    torch = pytest.importorskip("torch")
    model = stirred(torch, torch_vgg16(torch, 0.05, 2 * 3, 7, batch_norm))
    batch = images(2, 64, 96, 3)
    with torch.no_grad():
        x = model["features"](torch.from_numpy(batch.transpose(0, 3, 1, 2).copy()))
        expected = model["classifier"](x.flatten(1)).numpy()
    path = tmp_path / f"vgg.{ending}"
    if ending == "pt":
        torch.save(model.state_dict(), path)
    else:
        state = model.state_dict().items()
        write_safetensors(path, {name: each.numpy() for name, each in state if each.is_floating_point()})
    ours = zoo.build("vgg16", (64, 96, 3), 7, width=0.05, batch_norm=batch_norm, weights=str(path),
                     classifier_activation=None)
    assert difference(np.asarray(keras.ops.convert_to_numpy(ours(batch, training=False))), expected) < 1e-5
    with pytest.raises(UserError) as error:
        zoo.build("vgg19", (64, 96, 3), 7, width=0.05, batch_norm=batch_norm, weights=str(path))
    check_message(error.value, "vgg19", path)


def test_inception_v3_as_torchvision_names_it(tmp_path):
    """Against PyTorch, with average pools that leave the padding out, which torchvision's count."""
    torch = pytest.importorskip("torch")
    import torchvision_like

    model = stirred(torch, torchvision_like.inception_v3(7, 0.1))
    batch = images(2, 107, 75, 3)
    with torch.no_grad():
        expected = model(torch.from_numpy(batch.transpose(0, 3, 1, 2).copy())).numpy()
    torch.save(model.state_dict(), tmp_path / "v3.pth")
    ours = zoo.build("inception_v3", (107, 75, 3), 7, width=0.1, weights=str(tmp_path / "v3.pth"),
                     classifier_activation=None)  # scale=True, which the file shows
    assert ours.get_layer("stem_a_3x3").strides == (2, 2)  # the paper's stem
    assert difference(np.asarray(keras.ops.convert_to_numpy(ours(batch, training=False))), expected) < 1e-4
    with pytest.raises(UserError) as error:
        zoo.build("inception_v3", (107, 75, 3), 7, width=0.1, scale=False, weights=str(tmp_path / "v3.pth"))
    check_message(error.value, "inception_v3", tmp_path / "v3.pth", "stem_a_3x3_bn", "--model-option scale=true")


def test_alexnet_as_torchvision_has_it(tmp_path):
    """At 224x224, where the means before its dense layers change nothing."""
    torch = pytest.importorskip("torch")
    nn, widths = torch.nn, (8, 24, 48, 32, 32, 512, 512)  # an eighth
    c1, c2, c3, c4, c5, fc6, fc7 = widths
    model = stirred(torch, nn.ModuleDict({
        "features": nn.Sequential(
            nn.Conv2d(3, c1, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(c1, c2, 5, padding=2), nn.ReLU(),
            nn.MaxPool2d(3, 2), nn.Conv2d(c2, c3, 3, padding=1), nn.ReLU(), nn.Conv2d(c3, c4, 3, padding=1), nn.ReLU(),
            nn.Conv2d(c4, c5, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2), nn.AdaptiveAvgPool2d(6)),
        "classifier": nn.Sequential(nn.Dropout(), nn.Linear(c5 * 36, fc6), nn.ReLU(), nn.Dropout(), nn.Linear(fc6, fc7),
                                    nn.ReLU(), nn.Linear(fc7, 7))}))
    batch = images(2, 224, 224, 3)
    with torch.no_grad():
        x = model["features"](torch.from_numpy(batch.transpose(0, 3, 1, 2).copy()))
        expected = model["classifier"](x.flatten(1)).numpy()
    torch.save(model.state_dict(), tmp_path / "alexnet.pth")
    ours = zoo.build("alexnet_2014", classes=7, width=0.125, weights=str(tmp_path / "alexnet.pth"),
                     classifier_activation=None)
    assert difference(np.asarray(keras.ops.convert_to_numpy(ours(batch, training=False))), expected) < 1e-5
    with pytest.raises(UserError) as error:
        zoo.build("alexnet", classes=7, width=0.125, weights=str(tmp_path / "alexnet.pth"))
    check_message(error.value, "alexnet", tmp_path / "alexnet.pth", 0, 8)


def narrow_vgg16():
    """Return (a backbone of vgg16, {torchvision's name of a parameter: array} of it)."""
    model = zoo.build("vgg16", (32, 32, 3), width=0.02, include_top=False)
    randomize(model)
    tensors, place = {}, 0
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            tensors |= {f"features.{place}.weight": kernel.transpose(3, 2, 0, 1).copy(), f"features.{place}.bias": bias}
            place += 2
        elif layer.name.startswith("pool"):
            place += 1
    return model, tensors


def check_backbone(path, model, left=0):
    again = zoo.build("vgg16", (32, 32, 3), width=0.02, include_top=False)
    report = loading.load_weights(again, "vgg16", path, include_top=False)
    assert (report.num_matched, len(report.unexpected)) == (13, left)
    assert all(map(np.array_equal, again.get_weights(), model.get_weights()))
    return report


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "backbone.", "encoder.", "net.",
                                    "_orig_mod.module.", "module.backbone.", "model.net.encoder."])
def test_prefixes(prefix, tmp_path):
    model, tensors = narrow_vgg16()
    tensors = {prefix + name: values for name, values in tensors.items()}
    tensors |= {"classifier.weight": np.zeros((2, 8)), "classifier.bias": np.zeros(2)}  # a head, which has none
    write_safetensors(tmp_path / "a.safetensors", tensors)
    check_backbone(tmp_path / "a.safetensors", model, left=1)


def test_two_networks_in_a_file(tmp_path):
    _, tensors = narrow_vgg16()
    write_safetensors(tmp_path / "a.safetensors", {
        prefix + name: values for prefix in ("model.", "encoder.") for name, values in tensors.items()})
    with pytest.raises(UserError) as error:
        check_backbone(tmp_path / "a.safetensors", None)
    check_message(error.value, tmp_path / "a.safetensors", "features.0.weight", "encoder.features.0.weight")


def torch_tensors(torch, tensors):
    return {name: torch.from_numpy(values) for name, values in tensors.items()}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "bfloat16"])
def test_both_formats_of_pytorch(zipped, dtype, tmp_path):
    """Until 1.5, in which torchvision's VGG files are, and since."""
    torch = pytest.importorskip("torch")
    model, tensors = narrow_vgg16()
    model.set_weights([np.round(values * 16) / 16 for values in model.get_weights()])  # which every type can hold
    tensors = {name: np.round(values * 16) / 16 for name, values in tensors.items()}
    state = {name: each.to(getattr(torch, dtype)) for name, each in torch_tensors(torch, tensors).items()}
    shared = torch.arange(10.0)
    state |= {"head.weight": shared[4:8].reshape(2, 2).T, "head.bias": shared[:2], "steps": torch.tensor(7),
              "phase": torch.zeros(2, dtype=torch.complex64)}
    torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    check_backbone(tmp_path / "a.pth", model, left=1)
    found, _ = state_dict.read_state_dict(tmp_path / "a.pth")
    assert found["head.weight"].read().tolist() == [[4, 6], [5, 7]] and found["head.bias"].read().tolist() == [0, 1]
    assert "steps" not in found and "phase" not in found


@pytest.mark.parametrize("where, wrap", [
    ("state_dict", lambda state: {"state_dict": state}), ("model", lambda state: {"model": state, "epoch": 3}),
    ("net", lambda state: {"net": state}), ("ema", lambda state: {"ema": state}),
    ("model_ema", lambda state: {"model_ema": {"module." + name: each for name, each in state.items()}}),
    ("state_dict_ema", lambda state: {"state_dict_ema": state, "state_dict": {}}),
    ("model.state_dict", lambda state: {"model": {"state_dict": state}}),
    ("model", lambda state: {"model": state, "model_ema": {name: each * 0 for name, each in state.items()}})])
def test_wrappers(where, wrap, tmp_path):
    torch = pytest.importorskip("torch")
    model, tensors = narrow_vgg16()
    torch.save(wrap(torch_tensors(torch, tensors)), tmp_path / "a.pth")
    check_message(check_backbone(tmp_path / "a.pth", model).kind, f"'{where}'")


@pytest.mark.parametrize("zipped", [False, True])
def test_objects_beside_the_weights(zipped, tmp_path):
    """Nothing of them is made: they need not even be there to be imported."""
    torch = pytest.importorskip("torch")
    import argparse
    import collections
    import pathlib

    model, tensors = narrow_vgg16()
    network = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    torch.save({"args": argparse.Namespace(lr=0.1, layers=[1, 2]), "best": np.float64(0.9), "history": np.arange(3),
                "optimizer": optimizer.state_dict(), "whole": network, "path": pathlib.PurePosixPath("a"),
                "dtype": torch.float16, "device": torch.device("cpu"), "size": torch.Size([1]),
                "counts": collections.Counter("aab"), "names": {"a", "b"}, "queue": collections.deque([1]),
                "groups": collections.defaultdict(list, a=[1]),
                "model": torch_tensors(torch, tensors)}, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    check_backbone(tmp_path / "a.pth", model)


@pytest.mark.parametrize("where", ["", "['model']", "['network']"])
def test_a_whole_model_in_place_of_its_weights(where, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    model, tensors = narrow_vgg16()
    features = [layer for widths in VGG16 for layer in ([torch.nn.MaxPool2d(2, 2)] if widths == "M" else [
        torch.nn.Conv2d(1, 1, 1), torch.nn.ReLU()])]
    whole = torch.nn.Sequential()
    whole.features = torch.nn.Sequential(*features)
    for name, values in tensors.items():
        setattr(whole.features[int(name.split(".")[1])], name.split(".")[2],
                torch.nn.Parameter(torch.from_numpy(values)))
    torch.save({"epoch": 1, where[2:-2]: whole} if where else whole, tmp_path / "a.pth")
    with pytest.raises(UserError) as error:
        check_backbone(tmp_path / "a.pth", model)
    check_message(error.value, tmp_path / "a.pth", "torch.nn.modules.container.Sequential")
    _, start, rest = str(error.value).partition("import torch; ")
    lines = (start + rest).split("; ")
    assert len(lines) == 2
    monkeypatch.chdir(tmp_path)
    exec("\n".join(lines), {})  # what it says to type
    check_backbone(tmp_path / "weights.pt", model)
