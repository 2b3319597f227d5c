"""PyTorch checkpoints as training programs write them: names, wrappers, heads, and what is not the network itself."""

import functools

import keras
import numpy as np
import pytest
from helpers import check_message
from test_parity import random_images, randomize, relative_difference
from test_state_dicts import make_torch_vgg16, randomize_torch, write_safetensors

import zoo
from zoo.errors import UserError
from zoo.weights import loading

WIDTH = 0.125


def build_backbone():
    return zoo.build("resnet18_v1", (32, 32, 3), width=WIDTH, include_top=False, stem="paper")


@pytest.fixture(scope="module")
def resnet():
    """Return (a backbone of resnet18_v1, {parameter name in torchvision: array})."""
    model = build_backbone()
    randomize(model)
    tensors = {}
    for layer in model.layers:
        for variable, values in zip(layer.weights, layer.get_weights(), strict=True):
            parameter = {"kernel": "weight", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
                         "moving_variance": "running_var"}[variable.name]
            values = values.transpose(3, 2, 0, 1) if values.ndim == 4 else values
            tensors[f"{convert_name(layer.name)}.{parameter}"] = values.copy()
    return model, tensors


def convert_name(name):
    """Return torchvision's name of a layer: layer1.0.bn2 for conv2_1_conv2_bn."""
    block, _, part = name.rpartition("_conv")
    if name.startswith("conv1"):
        return name if name == "conv1" else "bn1"
    stage, index = (block or name).split("_")[:2]
    kind = "bn" if name.endswith("_bn") else "conv"
    inner = (f"downsample.{int(kind == 'bn')}" if "shortcut" in name else f"{kind}{part[0]}")
    return f"layer{int(stage[4:]) - 1}.{int(index) - 1}.{inner}"


def make_tensors(**shapes):
    return {name.replace("__", "."): np.ones(shape, np.float32) for name, shape in shapes.items()}


build_backbone_once = functools.cache(build_backbone)


def load_backbone(path):
    """Return a backbone, the same one in every test, with the weights of a file, and the LoadReport."""
    model = build_backbone_once()
    randomize(model, 7)
    return model, loading.load_weights(model, "resnet18_v1", path, include_top=False)


def check_backbone(path, expected, num_unexpected):
    model, report = load_backbone(path)
    assert len(report.unexpected) == num_unexpected, report
    assert all(map(np.array_equal, model.get_weights(), expected.get_weights()))


HEAD = {"fc__weight": (7, 64), "fc__bias": 7}
DETECTOR = {"backbone__fpn__inner_blocks__0__0__weight": (4, 64, 1, 1), "rpn__head__conv__0__0__weight": (4, 4, 3, 3),
            "rpn__head__conv__0__0__bias": 4}
PROJECTION = {"projector__0__weight": (8, 64), "projector__1__weight": 8, "projector__1__running_mean": 8,
              "projector__2__weight": 8, "projector__3__weight": 8}


@pytest.mark.parametrize("prefix, others, num_unexpected", [
    ("", HEAD, 1), ("resnet.", HEAD, 1), ("base_model.", {}, 0), ("module.encoder_q.", PROJECTION, 4),
    ("backbone.body.", DETECTOR, 2), ("backbone.0.body.", DETECTOR, 2), ("model.", {"criterion__weight": 7}, 1),
    ("resnet.", {"resnet__fc__weight": (9, 64), "fc__weight": (7, 9)}, 2),  # a head on the head
    ("encoder.", {"decoder__blocks__0__conv1__0__weight": (4, 64, 3, 3), "mean": (1, 3, 1, 1)}, 1)])
def test_a_resnet_in_any_module(prefix, others, num_unexpected, resnet, tmp_path):
    model, tensors = resnet
    write_safetensors(tmp_path / "a.safetensors", {prefix + name: values for name, values in tensors.items()}
                      | make_tensors(**others))
    check_backbone(tmp_path / "a.safetensors", model, num_unexpected)


@pytest.mark.parametrize("prefix", ["", "0.", "features.", "model.backbone."])
def test_the_children_of_a_resnet_in_a_sequence(prefix, resnet, tmp_path):
    """nn.Sequential(*list(resnet.children())[:-1]), as in fastai and many scripts: the head is a sequence beside it."""
    model, tensors = resnet
    children = ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool"]
    renamed = {}
    for name, values in tensors.items():
        child, _, rest = name.partition(".")
        renamed[f"{prefix}{children.index(child)}.{rest}"] = values
    write_safetensors(tmp_path / "a.safetensors", renamed | make_tensors(**{"10__weight": (7, 64)}))
    check_backbone(tmp_path / "a.safetensors", model, 1)


@pytest.mark.parametrize("prefix", ["", "resnet."])
def test_a_resnet_of_transformers(prefix, resnet, tmp_path):
    """Names as in the file of microsoft/resnet-18: resnet.encoder.stages.0.layers.0.layer.0.convolution.weight."""
    model, tensors = resnet
    renamed = {}
    for name, values in tensors.items():
        module, _, variable = name.rpartition(".")
        kind = "normalization" if "bn" in module or module.endswith("downsample.1") else "convolution"
        place = "embedder.embedder"
        if module.startswith("layer"):
            stage, block, part = module.removeprefix("layer").split(".", 2)
            part = "shortcut" if "downsample" in part else f"layer.{int(part[-1]) - 1}"
            place = f"encoder.stages.{int(stage) - 1}.layers.{block}.{part}"
        renamed[f"{prefix}{place}.{kind}.{variable}"] = values
    assert prefix + "encoder.stages.0.layers.0.layer.0.convolution.weight" in renamed
    head = {"classifier.1.weight": np.ones((7, 64), np.float32), "classifier.1.bias": np.ones(7, np.float32)}
    write_safetensors(tmp_path / "a.safetensors", renamed | head)
    check_backbone(tmp_path / "a.safetensors", model, 1)
    whole = zoo.build("resnet18_v1", (32, 32, 3), 7, width=WIDTH, weights=str(tmp_path / "a.safetensors"))
    assert whole.get_layer("fc").get_weights()[1].tolist() == [1] * 7


@pytest.mark.parametrize("prefix", ["", "resnet."])
@pytest.mark.parametrize("others", [
    {"layer1__0__se__fc__0__weight": (1, 8), "layer1__0__se__fc__2__weight": (8, 1)},  # squeeze and excitation
    {"layer1__0__conv3__weight": (8, 8, 3, 3)}, {"layer1__0__gamma": 8}, {"conv1__weight_mask": (8, 3, 7, 7)}])
def test_other_layers_in_the_backbone_are_refused(prefix, others, resnet, tmp_path):
    tensors = resnet[1] | make_tensors(**others, **HEAD)
    write_safetensors(tmp_path / "a.safetensors", {prefix + name: values for name, values in tensors.items()})
    with pytest.raises(UserError) as error:
        load_backbone(tmp_path / "a.safetensors")
    unexpected = {name.replace("__", ".").removesuffix(".weight") for name in others}
    check_message(error.value, tmp_path / "a.safetensors", "resnet18_v1", *unexpected)


def test_numbers_that_programs_add_are_ignored(resnet, tmp_path):
    model, tensors = resnet
    others = {"bn1__num_batches_tracked": (), "layer1__0__bn1__num_batches_tracked": (), "conv1__total_ops": 1,
              "total_params": 1, **HEAD}
    write_safetensors(tmp_path / "a.safetensors", tensors | make_tensors(**others))
    check_backbone(tmp_path / "a.safetensors", model, 1)


@pytest.mark.parametrize("prefixes", [("", "ema."), ("encoder_q.", "encoder_k."), ("model.", "model.teacher."),
                                      ("", "module.")])
def test_two_networks_are_not_called_damage(prefixes, resnet, tmp_path):
    write_safetensors(tmp_path / "a.safetensors", {
        prefix + name: values for prefix in prefixes for name, values in resnet[1].items()})
    with pytest.raises(UserError) as error:
        load_backbone(tmp_path / "a.safetensors")
    check_message(error.value, tmp_path / "a.safetensors", "conv1.weight")
    assert "damaged" not in str(error.value)


def test_a_whole_network_beside_the_weights_of_its_loss(resnet, tmp_path):
    """A LightningModule with a weighted loss. Layers after the head are another network."""
    state = {f"model.{name}": values for name, values in (resnet[1] | make_tensors(**HEAD)).items()}
    arguments = {"input_shape": (32, 32, 3), "classes": 7, "width": WIDTH}
    write_safetensors(tmp_path / "a.safetensors", state | make_tensors(criterion__weight=7))
    model = zoo.build("resnet18_v1", **arguments, weights=str(tmp_path / "a.safetensors"))
    assert model.get_layer("fc").get_weights()[1].tolist() == [1] * 7
    write_safetensors(tmp_path / "b.safetensors", state | make_tensors(fc__weight=(3, 7)))
    with pytest.raises(UserError) as error:
        zoo.build("resnet18_v1", **arguments, weights=str(tmp_path / "b.safetensors"))
    check_message(error.value, tmp_path / "b.safetensors", "resnet18_v1", "fc")


def test_a_resnet_for_small_images(resnet, tmp_path):
    """Many programs replace conv1 by 3x3 for CIFAR, and the pooling by nothing: the small stem, on request."""
    kernel = np.random.default_rng(0).normal(size=(8, 3, 3, 3)).astype(np.float32)
    write_safetensors(tmp_path / "a.safetensors", resnet[1] | {"conv1.weight": kernel})
    arguments = {"input_shape": (32, 32, 3), "width": WIDTH, "include_top": False,
                 "weights": str(tmp_path / "a.safetensors")}
    with pytest.raises(UserError) as error:
        zoo.build("resnet18_v1", **arguments)
    check_message(error.value, tmp_path / "a.safetensors", "conv1", "--stem small")
    model = zoo.build("resnet18_v1", **arguments, stem="small")
    assert np.array_equal(model.get_layer("conv1").get_weights()[0], kernel.transpose(2, 3, 1, 0))


def test_a_resnet_of_pytorch_cifar(resnet, tmp_path):
    """kuangliu/pytorch-cifar: {"net": state}, with layer2.0.shortcut.0 and linear, and a 3x3 convolution first."""
    torch = pytest.importorskip("torch")
    tensors = {f"module.{name.replace('downsample', 'shortcut')}": torch.from_numpy(values)
               for name, values in resnet[1].items()}
    tensors |= {"module.conv1.weight": torch.ones(8, 3, 3, 3), "module.linear.weight": torch.ones(7, 64),
                "module.linear.bias": torch.arange(7.0)}
    torch.save({"net": tensors, "acc": 95.0, "epoch": 3}, tmp_path / "ckpt.pth")
    model = zoo.build("resnet18_v1", (32, 32, 3), 7, width=WIDTH, stem="small", weights=str(tmp_path / "ckpt.pth"))
    for name in ("conv3_1_shortcut", "conv3_1_shortcut_bn", "conv5_2_conv2"):
        assert all(map(np.array_equal, model.get_layer(name).get_weights(), resnet[0].get_layer(name).get_weights()))
    assert model.get_layer("fc").get_weights()[1].tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_a_resnet20_of_pytorch_is_refused(tmp_path):
    """Its shortcuts have no weights, and pad the channels on both sides (akamaster), or on one, as in the paper."""
    tensors = {}
    for layer in zoo.build("resnet20").layers:
        for variable in layer.weights:
            name = {"kernel": "weight", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
                    "moving_variance": "running_var"}.get(variable.name, variable.name)
            module = "linear" if layer.name == "fc" else convert_name(layer.name)
            tensors[f"{module}.{name}"] = np.asarray(variable).T.copy()
    write_safetensors(tmp_path / "a.safetensors", tensors)
    with pytest.raises(UserError) as error:
        zoo.build("resnet20", weights=str(tmp_path / "a.safetensors"))
    check_message(error.value, tmp_path / "a.safetensors", "resnet20")


@pytest.mark.parametrize("checksums", [True, False])
def test_a_file_without_checksums(checksums, resnet, tmp_path):
    torch = pytest.importorskip("torch")
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(checksums)
    try:
        torch.save({name: torch.from_numpy(values) for name, values in resnet[1].items()}, tmp_path / "a.pth")
    finally:
        torch.serialization.set_crc32_options(before)
    check_backbone(tmp_path / "a.pth", resnet[0], 0)


@pytest.mark.parametrize("prefix, other", [("module.encoder_q.", "module.encoder_k."), ("ema.", ""),
                                           ("model.teacher.", "model."), ("module.", "")])
@pytest.mark.parametrize("wrapper", [None, "state_dict"])
def test_the_line_that_extracts_one_of_two_networks(prefix, other, wrapper, resnet, tmp_path, monkeypatch):
    """Momentum contrast and a moving average: two networks in one state dict."""
    torch = pytest.importorskip("torch")
    state = {prefix + name: torch.from_numpy(values) for name, values in resnet[1].items()}
    state |= {other + name: torch.zeros(values.shape) for name, values in resnet[1].items()}
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, tmp_path / "a.pth")
    with pytest.raises(UserError) as error:
        load_backbone(tmp_path / "a.pth")
    check_message(error.value, tmp_path / "a.pth", "torch.save")
    _, start, rest = str(error.value).partition("import torch; ")
    monkeypatch.chdir(tmp_path)
    exec(start + rest, {})
    check_backbone(tmp_path / "weights.pt", resnet[0], 0)


@pytest.mark.parametrize("location, wrap", [
    ("state_dict", lambda state, tensor: {"epoch": 3, "state_dict": state, "best_acc1": tensor([76.1])}),
    ("state_dict", lambda state, tensor: {"state_dict": state, "loss": tensor(0.5)}),
    ("weights", lambda state, tensor: {"params": {"lr": 0.1}, "weights": state}),
    ("own", lambda state, tensor: {"params": {"lr": tensor([0.1])}, "own": state, "confusion": tensor([[1.0, 2.0]])}),
    ("own", lambda state, tensor: {"own": state, "statistics": {"mean": tensor([1.0]), "std": tensor([1.0])}}),
    ("own.model", lambda state, tensor: {"own": {"model": state, "epoch": 3}, "rng_state": tensor([1, 2])}),
    ("", lambda state, tensor: {**state, "fc._extra_state": {"scale": tensor([[1.0]])}})])
def test_tensors_beside_the_state_dict(location, wrap, resnet, tmp_path):
    torch = pytest.importorskip("torch")
    model, tensors = resnet
    torch.save(wrap({name: torch.from_numpy(values) for name, values in tensors.items()}, torch.tensor),
               tmp_path / "a.pth")
    reloaded, report = load_backbone(tmp_path / "a.pth")
    assert report.kind.endswith(f" under '{location}'" if location else "state dict")
    assert all(map(np.array_equal, reloaded.get_weights(), model.get_weights()))


def test_the_line_that_extracts_one_of_several_networks(resnet, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    state = {name: torch.from_numpy(values) for name, values in resnet[1].items()}
    torch.save({"model": {"generator": state, "discriminator": state}}, tmp_path / "a.pth")
    with pytest.raises(UserError) as error:
        load_backbone(tmp_path / "a.pth")
    check_message(error.value, tmp_path / "a.pth", "'generator'", "'discriminator'")
    assert "damaged" not in str(error.value)
    _, start, rest = str(error.value).partition("import torch; ")
    monkeypatch.chdir(tmp_path)
    exec(start + rest, {})
    check_backbone(tmp_path / "weights.pt", resnet[0], 0)


def rename_to_timm(state, map_size):
    """Rename the dense layers of a VGG as in timm, where the first two are convolutions."""
    names = {"classifier.0": "pre_logits.fc1", "classifier.3": "pre_logits.fc2", "classifier.6": "head.fc"}
    renamed = {}
    for name, tensor in state.items():
        module, _, variable = name.rpartition(".")
        size = {"classifier.0": map_size, "classifier.3": (1, 1)}.get(module)
        tensor = tensor.reshape(len(tensor), -1, *size) if size and variable == "weight" else tensor
        renamed[f"{names.get(module, module)}.{variable}"] = tensor
    return renamed


def wrap_features(state, map_size):
    """Rename as PyTorch's ImageNet example, which puts DataParallel around the features alone."""
    return {name.replace("features.", "features.module."): tensor for name, tensor in state.items()}


@pytest.mark.parametrize("rename", [lambda state, map_size: state, rename_to_timm, wrap_features])
def test_a_second_dense_layer_as_long_as_the_flattened_map(rename, tmp_path):
    """Only the kernel of the first one is in another order in PyTorch."""
    torch = pytest.importorskip("torch")
    width = 1 / 64  # 2x4x8 flattened, and 64 units
    model = randomize_torch(torch, make_torch_vgg16(torch, width, 2 * 4, 7, False))
    batch = random_images(2, 64, 128, 3)
    with torch.no_grad():
        x = model["features"](torch.from_numpy(batch.transpose(0, 3, 1, 2).copy()))
        assert x[0].numel() == 64 == model["classifier"][3].in_features
        expected = model["classifier"](x.flatten(1)).numpy()
    torch.save(rename(model.state_dict(), (2, 4)), tmp_path / "a.pt")
    model_of_zoo = zoo.build("vgg16", (64, 128, 3), 7, width=width, weights=str(tmp_path / "a.pt"),
                             classifier_activation=None)
    assert relative_difference(np.asarray(keras.ops.convert_to_numpy(model_of_zoo(batch, training=False))),
                               expected) < 1e-5
    assert zoo.build("vgg16", (32, 32, 3), width=width, include_top=False, weights=str(tmp_path / "a.pt"))
