"""Two devices train like one: logical CPU devices, in processes of their own."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import check_message
from PIL import Image

from zoo.data.splits import Split
from zoo.errors import UserError
from zoo.training import augmentation, run_files
from zoo.training.batches import EvaluationBatches, TrainingBatches
from zoo.training.distribution import data_parallel
from zoo.training.npz_file import read_arrays

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """
import json, sys
from dataclasses import replace
from pathlib import Path

backend, devices, folder, dropout, sessions, changes, aux_names = sys.argv[1:]
devices, folder, aux_names = int(devices), Path(folder), json.loads(aux_names)
if backend == "tensorflow":
    import tensorflow as tf
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0],
                                               [tf.config.LogicalDeviceConfiguration()] * devices)
import keras, numpy as np
from keras import layers
from test_resume import StopAfterSteps, CALM
from zoo.data.datasets import Dataset
from zoo.data.splits import Split
from zoo.training import trainer
from zoo.training.distribution import data_parallel

def make_split(count, seed):
    rng = np.random.default_rng(seed)
    return Split(rng.integers(0, 256, (count, 16, 16, 1), np.uint8), rng.integers(0, 3, count), np.arange(count))

def make_model():
    keras.utils.set_random_seed(5)
    image = keras.Input((16, 16, 1), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 64, -2, name="preprocessing")(image)
    x = layers.Conv2D(4, 3, strides=2, use_bias=False, name="conv")(x)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="bn")(x))
    x = layers.Dropout(float(dropout), name="drop")(layers.Flatten(name="flatten")(x))
    outputs = {name: layers.Dense(3, name=f"{name}_out")(x) for name in ("main", *aux_names)}
    return keras.Model(image, outputs if aux_names else outputs["main"], name="small")

data = Dataset(None, make_split(51, 1), make_split(21, 2), None, "", ())  # the last batches: 3 and 5 images
(folder / "checkpoints").mkdir(parents=True)
if devices == 1:
    sharing = data_parallel.SINGLE_DEVICE
elif backend == "tensorflow":
    from zoo.training.distribution import tensorflow_strategy
    sharing = data_parallel.DataParallel(2, tensorflow_strategy.create_mirrored_strategy())
else:
    sharing = data_parallel.distribute_over_devices(backend, 0)
assert sharing.devices == devices
for steps in json.loads(sessions):
    with sharing.scope():
        recipe = replace(CALM, **json.loads(changes))
        trainer.train_model(make_model(), data, recipe, 7, folder, StopAfterSteps(steps), aux_names, sharing)
"""
CHANGES = {"epochs": 3, "ema_momentum": 0.9, "weight_decay": 1e-3, "global_clipnorm": 1.0,
           "augmentation": "flip crop=2 mixup=1"}


def train_in_process(backend, devices, folder, dropout=0.0, sessions=(10**6,), changes=CHANGES, aux_names=()):
    """Train in a process with `devices` devices; return (history, arrays of the last checkpoint)."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install '.[{backend}]'")
    environment = {**os.environ, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3",
                   "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
                   "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests")))}
    process = subprocess.run([sys.executable, "-c", PROGRAM, backend, str(devices), str(folder), str(dropout),
                              json.dumps(sessions), json.dumps(changes), json.dumps(dict.fromkeys(aux_names, 0.3))],
                             env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return run_files.read_history_rows(folder), read_arrays(folder / "checkpoints" / "last.npz")


def assert_equal_training(first, second):
    (history, arrays), (other_history, other_arrays) = first, second
    assert len(history) == len(other_history) and [*arrays] == [*other_arrays]
    for row, other_row in zip(history, other_history, strict=True):
        assert row == pytest.approx(other_row, rel=1e-4, abs=1e-5)
    for name in arrays:
        if not name.startswith(("seeds/", "progress/")):
            np.testing.assert_allclose(arrays[name], other_arrays[name], rtol=0, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("backend", [pytest.param("tensorflow", marks=pytest.mark.slow), "jax"])
def test_two_devices_train_as_one(backend, tmp_path):
    single, double = (train_in_process(backend, devices, tmp_path / str(devices)) for devices in (1, 2))
    assert_equal_training(single, double)
    assert int(single[1]["optimizer/nesterov/iteration"]) == 21  # 7 steps per epoch
    # the weights have changed
    assert np.abs(single[1]["trained/conv/kernel"] - single[1]["weights/conv/kernel"]).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_resume_exactly_where_they_were_interrupted(backend, tmp_path):
    uninterrupted = train_in_process(backend, 2, tmp_path / "whole", dropout=0.5)
    resumed = train_in_process(backend, 2, tmp_path / "parts", dropout=0.5, sessions=(3, 9, 10**6))
    assert uninterrupted[0] == resumed[0]
    different = [name for name in uninterrupted[1] if not np.array_equal(uninterrupted[1][name], resumed[1][name])]
    assert [name for name in different if name != "progress/seconds"] == []


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_with_auxiliary_classifiers(backend, tmp_path):
    assert_equal_training(*(train_in_process(backend, devices, tmp_path / str(devices), aux_names=("aux1",))
                            for devices in (1, 2)))


class RecordingSplit(Split):
    """A Split of different 2x2 images that records which are read."""

    def __init__(self, count):
        super().__init__(np.arange(count * 4, dtype=np.uint8).reshape(count, 2, 2, 1), np.arange(count) % 3,
                         np.arange(count))
        self.read_indices = []

    def batch(self, indices):
        self.read_indices += np.asarray(indices).tolist()
        return super().batch(indices)


@pytest.mark.parametrize("augment", ["", "crop=1", "mixup=0.4 crop=1"])
@pytest.mark.parametrize("size, devices, hosts, copies", [(8, 2, 1, 1), (3, 2, 1, 2), (1, 2, 1, 2), (6, 4, 1, 2),
                                                         (6, 4, 2, 2), (5, 8, 4, 8), (16, 8, 2, 1)])
def test_shards_of_training_batches(size, devices, hosts, copies, augment):
    split = RecordingSplit(16 + size)  # the second batch is the last, of `size` images
    batches = TrainingBatches(split, 3, 16, 5, augmentation.parse_augmentation(augment))
    full_batch = keras.tree.flatten(batches[1])
    assert len(full_batch[0]) == size
    indices = [np.flatnonzero((full_batch[0] == image).all((1, 2, 3)))[0] for image in full_batch[0]]
    assert indices == list(range(size))
    shards, num_read = [], []
    for host in range(hosts):
        split.read_indices = []
        shards.append(data_parallel.DataParallel(devices, None, host, hosts).shard_batches(batches)[1])
        num_read.append(len(set(split.read_indices)))
    sharded = [np.concatenate(parts) for parts in zip(*(keras.tree.flatten(shard) for shard in shards), strict=True)]
    weights, images = sharded.pop(), [int(np.flatnonzero((full_batch[0] == image).all((1, 2, 3)))[0])
                                      for image in sharded[0]]
    assert len(images) % devices == 0 and {len(shard[2]) for shard in shards} == {len(images) // hosts}
    for array, expected in zip(sharded, full_batch, strict=True):
        np.testing.assert_array_equal(array, expected[images])
    np.testing.assert_allclose(np.bincount(images, weights), np.ones(size))  # each image counts once
    assert images[:size] == list(range(size)) and len(images) == size * copies
    per_host = len(images) // hosts
    # a host reads only the images that it needs
    assert max(num_read) <= min(size, per_host + (1 if "mixup" in augment else 0))


def test_shards_of_evaluation_batches():
    batches = EvaluationBatches(RecordingSplit(7), 4)
    (first, last), (images, labels) = ([data_parallel.DataParallel(2, None, host, 2).shard_batches(batches)[1]
                                        for host in (0, 1)],
                                       batches[1])
    assert len(images) == 3 and [len(shard[2]) for shard in (first, last)] == [3, 3]
    for index, expected in enumerate((images, labels)):
        np.testing.assert_array_equal(np.concatenate([first[index], last[index]]), np.concatenate([expected, expected]))


def test_a_single_device_changes_nothing():
    batches = EvaluationBatches(RecordingSplit(3), 2)
    assert data_parallel.SINGLE_DEVICE.shard_batches(batches) is batches
    for backend, gpus in (("torch", 1), ("jax", 1), ("tensorflow", 0)):
        assert data_parallel.distribute_over_devices(backend, gpus) is data_parallel.SINGLE_DEVICE


def test_fewer_gpus_than_requested():
    with pytest.raises(UserError) as error:
        data_parallel.distribute_over_devices("tensorflow", 4)
    check_message(error.value, "tensorflow", 1, 4, "--gpu")


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="JAX is not installed")
def test_two_devices_fine_tune_as_one(tmp_path):
    """Two stages, class weights and a logger, by the command line; a last batch of 3 images."""
    rng = np.random.default_rng(0)
    for label, (name, count) in enumerate((("red", 24), ("green", 12), ("blue", 8))):
        (tmp_path / "images" / name).mkdir(parents=True)
        for index in range(count):
            pixels = rng.integers(0, 120, (32, 32, 3), np.uint8)
            pixels[:, :, label] += 60
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{index}.png")
    histories = []
    for devices in (1, 2):
        environment = {**os.environ, "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
        subprocess.run([sys.executable, "-m", "zoo", "finetune", "resnet18", "--weights", "cifar10", "--backend", "jax",
                        "--gpu", "none", "--data", "images", "--two-stage", "--head-epochs", "1", "--epochs", "2",
                        "--freeze", "none", "--batch-size", "8", "--class-weight", "balanced", "--log", "tensorboard",
                        "--name", str(devices)],
                       cwd=tmp_path, env={**environment, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
        run = tmp_path / "runs" / str(devices)
        histories.append([run_files.read_history_rows(folder) for folder in (run / "stage1", run)])
        assert [*(run / "tensorboard").iterdir()] and [*(run / "stage1" / "tensorboard").iterdir()]
    for single_rows, double_rows in zip(*histories, strict=True):
        assert len(single_rows) == len(double_rows) > 0
        for expected, actual in zip(single_rows, double_rows, strict=True):
            assert actual == pytest.approx(expected, rel=1e-3, abs=1e-5)
