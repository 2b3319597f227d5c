"""ResNets against keras.applications (in test_parity.py) and against PyTorch (tests/torch_resnet.py)."""

import keras
import pytest
from test_parity import random_images, relative_difference, randomize

import zoo
from zoo.weights import torchvision

torch = pytest.importorskip("torch")

import torch_resnet  # noqa: E402


VARIABLES = ("weight", "bias", "running_mean", "running_var")


def list_torchvision_layers(module):
    """Yield (layer name in zoo, module) of a network with torchvision's names."""
    modules = {name: part for name, part in module.named_modules() if hasattr(part, "weight")}
    names = torchvision.map_resnet(modules)
    return ((names[name], part) for name, part in modules.items())


def compare_with_torch(model, module, layers):
    """Return the relative difference of the outputs, after copying the model's random weights to `module`.

    Both compute in float32, through up to 164 layers: less than 1e-4, for the reasons in test_parity.py.
    """
    randomize(model)
    names = []
    with torch.no_grad():
        for name, part in layers:
            kernel, *others = model.get_layer(name).get_weights()
            kernel = kernel.transpose({4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[kernel.ndim])
            for variable, array in zip(VARIABLES, [kernel, *others], strict=False):
                getattr(part, variable).copy_(torch.from_numpy(array))
            names.append(name)
        batch = random_images(2, *model.input_shape[1:])
        expected = module.eval()(torch.from_numpy(batch.transpose(0, 3, 1, 2).copy())).numpy()
    assert sorted(names) == sorted(layer.name for layer in model.layers if layer.weights)
    return relative_difference(keras.ops.convert_to_numpy(model(batch, training=False)), expected)


@pytest.mark.parametrize("depth, shape", [
    (20, (32, 32, 3)), (20, (29, 38, 3)), *(
        pytest.param(depth, (32, 32, 3), marks=pytest.mark.slow) for depth in (32, 44, 56, 110))])
def test_cifar_networks_equal_the_paper_in_pytorch(depth, shape):
    model = zoo.build(f"resnet{depth}", shape, 10, classifier_activation=None)
    module = torch_resnet.cifar(depth, 10)
    assert compare_with_torch(model, module, list_torchvision_layers(module)) < 1e-4


@pytest.mark.parametrize("depth", [pytest.param(depth, marks=pytest.mark.slow) for depth in (110, 164)])
def test_cifar_networks_with_preactivation_equal_a_second_implementation_in_pytorch(depth):
    model = zoo.build(f"resnet{depth}_v2", (29, 16, 3), 10, classifier_activation=None)
    module = torch_resnet.PreActivation(depth, 10)
    assert compare_with_torch(model, module, module.list_layers()) < 1e-4


@pytest.mark.parametrize("name, stem, shape, options", [
    ("resnet18_v1", "paper", (64, 48, 3), {}), ("resnet34_v1", "paper", (75, 45, 3), {}),
    ("resnet18_v1", "small", (32, 21, 3), {}), ("resnet50", "paper", (64, 75, 3), {"v1_5": True}),
    ("resnet50", "small", (32, 21, 3), {"v1_5": True})])
def test_equal_to_torchvision(name, stem, shape, options):
    model = zoo.build(name, shape, 7, width=0.25, stem=stem, classifier_activation=None, **options)
    module = torch_resnet.imagenet(name, 7, 0.25, small_stem=stem == "small")
    assert compare_with_torch(model, module, list_torchvision_layers(module)) < 1e-4
