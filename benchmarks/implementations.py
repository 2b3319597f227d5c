"""What throughput.py measures: each subject is prepared once, in a process of its own, and then works in turns.

A subject gives {mode: function}; each function works on about `count` pictures and returns (pictures, seconds). But
"step" makes as few training steps as there can be in one call and returns how many; "first epoch" tells of an epoch
that has been, the first of the process, with its compilation.
"""

import functools
import os
import tempfile
import time
from pathlib import Path

IMAGE_SIZE, NUM_CLASSES = 32, 10
LEARNING_RATE = 1e-3  # low: labels at random are learnt by heart, and no loss may leave the finite numbers
AUGMENTATION = "flip rotation=25 shift=0.1"


def make_images(count):
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8), rng.integers(0, NUM_CLASSES, count)


def build_model(name, model_options):
    from zoo import registry
    from zoo.training import model_loading

    model_config = registry.resolve_model_config(name, (IMAGE_SIZE, IMAGE_SIZE, 3), NUM_CLASSES, **model_options)
    return model_loading.build_with_preprocessing(model_config, (0.5,) * 3, (0.25,) * 3, None)


def prepare_zoo(name, batch_size, model_options, num_images, precision):
    import numpy as np

    from zoo.data.splits import Split
    from zoo.training import augmentation, evaluation, model_building, prefetch, trainer
    from zoo.training.progress_bar import ProgressBar
    from zoo.training.batch_statistics import BatchStatistics
    from zoo.training.batches import TrainingBatches
    from zoo.training.callbacks import CheckpointAndLog
    from zoo.training.checkpoints import Progress
    from zoo.training.distribution import data_parallel
    from zoo.training.stopping import Stopper
    from zoo.training.recipe import Recipe

    images, labels = make_images(num_images)
    split = Split(images, labels, np.arange(num_images))
    recipe = Recipe(batch_size=batch_size, epochs=1000, learning_rate=LEARNING_RATE, augmentation=AUGMENTATION)
    network, changes = build_model(name, model_options), augmentation.parse_augmentation(AUGMENTATION)
    model = model_building.add_augmentation(network, changes)
    batches = TrainingBatches(split, NUM_CLASSES, batch_size, 0, changes)
    metrics = trainer.compile_model(model, network, recipe, batches.steps_per_epoch, {})
    folder = Path(tempfile.mkdtemp())
    (folder / "checkpoints").mkdir()
    progress = Progress()
    statistics = BatchStatistics(network, split, NUM_CLASSES, batch_size, 0, data_parallel.SINGLE_DEVICE)
    callbacks = [CheckpointAndLog(folder, recipe, batches, metrics, progress, statistics,
                                  lambda: {"val_loss": 0.0, "val_accuracy": 0.0}, Stopper()),
                 ProgressBar(1000, batches.steps_per_epoch, progress, open(os.devnull, "w"))]

    def train():
        epoch = progress.epoch
        steps = prefetch.prefetch_batches(batches.slice_steps(epoch * batches.steps_per_epoch,
                                                              (epoch + 2) * batches.steps_per_epoch))
        model.fit(steps, initial_epoch=epoch, epochs=epoch + 2, steps_per_epoch=batches.steps_per_epoch, shuffle=False,
                  verbose=0, callbacks=[*callbacks])
        return num_images, progress.timings[-1]["seconds"]

    def step():
        together = model.steps_per_execution
        model.fit(prefetch.prefetch_batches(batches.slice_steps(0, together)), epochs=1, steps_per_epoch=together,
                  shuffle=False, verbose=0)
        return together

    def ask():
        began = time.perf_counter()
        evaluation.predict_logits(network, split, batch_size)
        return num_images, time.perf_counter() - began

    return {"step": step, "training": train, "inference": ask,
            "first epoch": lambda: (num_images, progress.timings[0]["seconds"])}


def prepare_bare(name, batch_size, model_options, num_images, precision):
    import tensorflow as tf

    from zoo.training import augmentation, augmentation_layer, model_building, trainer
    from zoo.training.batches import one_hot
    from zoo.training.recipe import Recipe

    images, labels = make_images(batch_size)
    changes, network = augmentation.parse_augmentation(AUGMENTATION), build_model(name, model_options)
    model = model_building.add_augmentation(network, changes)
    trainer.compile_model(model, network,
                          Recipe(batch_size=batch_size, learning_rate=LEARNING_RATE, augmentation=AUGMENTATION),
                          num_images // batch_size, {})
    numbers = augmentation_layer.draw_augmentation_parameters(changes, images.shape[1:], 0, 0, 0, batch_size)
    model.make_train_function()
    data = iter(tf.data.Dataset.from_tensors(((images, numbers), one_hot(labels, NUM_CLASSES))).repeat())
    steps = num_images // batch_size

    def step():
        float(model.train_function(data)["loss"])
        return model.steps_per_execution

    def train():
        began = time.perf_counter()
        for _ in range(0, steps, model.steps_per_execution):
            logs = model.train_function(data)
        float(logs["loss"])
        return num_images, time.perf_counter() - began

    return {"step": step, "training": train}


def prepare_tutorial(name, batch_size, model_options, num_images, precision):
    import keras
    import numpy as np

    from zoo import registry
    from zoo.models import builder

    images, labels = make_images(num_images)
    images = images.astype(np.float32) / 255
    network = builder.build_model(registry.resolve_model_config(name, (IMAGE_SIZE, IMAGE_SIZE, 3), NUM_CLASSES,
                                                                **model_options))
    model = keras.Sequential([keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3)), keras.layers.RandomFlip("horizontal"),
                              keras.layers.RandomRotation(25 / 360, fill_mode="constant"),
                              keras.layers.RandomTranslation(0.1, 0.1, fill_mode="constant"), network])
    model.compile(keras.optimizers.SGD(LEARNING_RATE, momentum=0.9, nesterov=True), "sparse_categorical_crossentropy",
                  metrics=["accuracy"])

    def step():
        model.fit(images[:batch_size], labels[:batch_size], batch_size=batch_size, verbose=0)
        return 1

    def train():
        began = time.perf_counter()
        model.fit(images, labels, batch_size=batch_size, verbose=0)
        return num_images, time.perf_counter() - began

    def ask():
        began = time.perf_counter()
        model.predict(images, batch_size=batch_size, verbose=0)
        return num_images, time.perf_counter() - began

    return {"step": step, "training": train, "inference": ask}


def prepare_pytorch(name, batch_size, model_options, num_images, precision):
    import math

    import torch
    from pytorch_eager import EagerModel
    from torch.nn import functional

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    images, labels = make_images(num_images)
    data = torch.utils.data.TensorDataset(torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels))
    model = EagerModel(build_model(name, model_options)).to(memory_format=torch.channels_last)
    made = torch.optim.SGD(model.parameters(), LEARNING_RATE, momentum=0.9, nesterov=True, weight_decay=5e-4)
    cast = functools.partial(torch.autocast, "cpu", torch.bfloat16, enabled=precision == "bfloat16")

    def changed(pixels):
        angle = (torch.rand(len(pixels)) * 2 - 1) * math.radians(25)
        mirror = torch.randint(0, 2, (len(pixels),)) * 2.0 - 1
        shift = (torch.rand(len(pixels), 2) * 2 - 1) * 0.2
        turn = torch.stack([torch.stack([mirror * angle.cos(), -angle.sin(), shift[:, 0]], 1),
                            torch.stack([mirror * angle.sin(), angle.cos(), shift[:, 1]], 1)], 1)
        return functional.grid_sample(pixels, functional.affine_grid(turn, list(pixels.shape), align_corners=False),
                                      align_corners=False)

    def ready(pixels):
        return (pixels.float() / 255 - 0.5) / 0.25

    def step():
        train(torch.utils.data.Subset(data, range(batch_size)))
        return 1

    def train(data=data):
        model.train()
        began = time.perf_counter()
        for pixels, truth in torch.utils.data.DataLoader(data, batch_size, shuffle=True):
            made.zero_grad()
            with cast():
                loss = functional.cross_entropy(
                    model(changed(ready(pixels)).contiguous(memory_format=torch.channels_last)).float(), truth)
            loss.backward()
            made.step()
        return num_images, time.perf_counter() - began

    @torch.no_grad()
    def ask():
        model.eval()
        began = time.perf_counter()
        for pixels, _ in torch.utils.data.DataLoader(data, batch_size):
            with cast():
                model(ready(pixels).contiguous(memory_format=torch.channels_last))
        return num_images, time.perf_counter() - began

    return {"step": step, "training": train, "inference": ask}


PREPARE_FUNCTIONS = {"zoo": prepare_zoo, "bare": prepare_bare, "tutorial": prepare_tutorial, "pytorch": prepare_pytorch}
