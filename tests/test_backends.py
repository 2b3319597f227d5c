"""The same weights and images give the same outputs on TensorFlow, JAX and PyTorch, for every network."""

import functools
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_parity import relative_difference

from zoo.registry import select_models

PROGRAM = """
import sys
import keras, numpy as np
import zoo
from test_parity import random_images, randomize

path, *names = sys.argv[1:]
logits_by_output = {}
for name in names:
    spec = zoo.registry.MODELS[name]
    model = zoo.build(name, (32, 32, spec.input_shape[2]), 10, width=1.0 if spec.fixed_width else 0.125,
                      aux=bool(spec.aux_loss_weights), classifier_activation=None)
    randomize(model)
    outputs = model.predict(random_images(2, *model.input_shape[1:]), verbose=0)
    outputs = outputs if isinstance(outputs, dict) else {"main": outputs}
    logits_by_output |= {f"{name} {output}": logits for output, logits in outputs.items()}
np.savez(path, **logits_by_output)
"""
MODULES = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}


def compute_outputs(backend, names, path):
    environment = {**os.environ, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3",
                   "PYTHONPATH": os.pathsep.join(str(Path(__file__).parents[depth]) for depth in (0, 1))}
    subprocess.run([sys.executable, "-c", f"import zoo.registry\n{PROGRAM}", path, *names], env=environment, check=True)
    with np.load(path) as file:
        return dict(file)


@pytest.fixture(scope="module")
def references(tmp_path_factory):
    """Return a function that computes the outputs of networks on TensorFlow, once."""
    return functools.cache(lambda names: compute_outputs("tensorflow", names, tmp_path_factory.mktemp("tf") / "x.npz"))


def compare_backends(backend, names, folder, references):
    if importlib.util.find_spec(MODULES[backend]) is None:
        pytest.skip(f"{backend} is not installed: pip install '.[{backend}]'")
    expected, actual = references(names), compute_outputs(backend, names, folder / f"{backend}.npz")
    assert sorted(expected) == sorted(actual)  # predict gives a dict of outputs in another order on each
    assert len(expected) >= len(names)
    # the same sums in float32 in another order, through up to 164 layers: see test_parity.py
    differences = {key: relative_difference(actual[key], expected[key]) for key in expected}
    assert {key: value for key, value in differences.items() if not value < 1e-4} == {}


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_two_networks(backend, tmp_path, references):
    compare_backends(backend, ("alexnet", "lenet5_1998"), tmp_path, references)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_every_network(backend, tmp_path, references):
    compare_backends(backend, tuple(select_models("image")), tmp_path, references)
