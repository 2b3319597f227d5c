"""ResNets against keras.applications (in test_parity.py) and against PyTorch (tests/torch_resnet.py)."""

import keras
import numpy as np
import pytest
from test_parity import random_images, relative_difference, randomize

import zoo
from zoo.weights import torchvision

torch = pytest.importorskip("torch")

import torch_resnet  # noqa: E402


def copy_to_torch(model, module):
    """Copy the weights of a model to a PyTorch module with torchvision's names, one layer of which it leaves out."""
    state = module.state_dict()
    names = torchvision.map_resnet({name.rpartition(".")[0] for name in state})
    for name, tensor in state.items():
        layer, _, variable = name.rpartition(".")
        if variable == "num_batches_tracked":
            continue
        values = dict(zip(("weight", "bias", "running_mean", "running_var"),
                          get_torch_arrays(model.get_layer(names[layer])), strict=False))
        tensor.copy_(torch.from_numpy(values[variable].copy()))
    return module.eval()


def get_torch_arrays(layer):
    kernel, *others = layer.get_weights()
    return [kernel.transpose((3, 2, 0, 1) if kernel.ndim == 4 else None), *others]


def compare_with_torch(model, module):
    randomize(model)
    copy_to_torch(model, module)
    batch = random_images(2, *model.input_shape[1:])
    with torch.no_grad():
        expected = module(torch.from_numpy(batch.transpose(0, 3, 1, 2).copy())).numpy()
    assert sum(parameter.numel() for parameter in module.parameters()) == sum(
        int(np.prod(variable.shape)) for variable in model.trainable_weights)
    return relative_difference(keras.ops.convert_to_numpy(model(batch, training=False)), expected)


@pytest.mark.parametrize("depth, shape", [
    (20, (32, 32, 3)), (20, (29, 38, 3)), (32, (32, 32, 3)), (44, (32, 32, 3)), (56, (32, 32, 3)),
    pytest.param(110, (32, 32, 3), marks=pytest.mark.slow)])
def test_cifar_networks_equal_the_paper_in_pytorch(depth, shape):
    model = zoo.build(f"resnet{depth}", shape, 10, classifier_activation=None)
    assert compare_with_torch(model, torch_resnet.cifar(depth, 10)) < 1e-4


@pytest.mark.parametrize("name, stem, shape, options", [
    ("resnet18_v1", "paper", (64, 48, 3), {}), ("resnet34_v1", "paper", (75, 45, 3), {}),
    ("resnet18_v1", "small", (32, 21, 3), {}), ("resnet50", "paper", (64, 75, 3), {"v1_5": True}),
    ("resnet50", "small", (32, 21, 3), {"v1_5": True})])
def test_equal_to_torchvision(name, stem, shape, options):
    model = zoo.build(name, shape, 7, width=0.25, stem=stem, classifier_activation=None, **options)
    assert compare_with_torch(model, torch_resnet.imagenet(name, 7, 0.25, small_stem=stem == "small")) < 1e-4
