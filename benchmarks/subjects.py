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

SIDE, CLASSES = 32, 10
RATE = 1e-3  # low: labels at random are learnt by heart, and no loss may leave the finite numbers
CHANGES = "flip rotation=25 shift=0.1"


def pictures(count):
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, SIDE, SIDE, 3), np.uint8), rng.integers(0, CLASSES, count)


def network_of(name, more):
    from zoo import registry
    from zoo.training import saved

    return saved.on_pixels(registry.blueprint(name, (SIDE, SIDE, 3), CLASSES, **more), (0.5,) * 3, (0.25,) * 3, None)


def zoo_subject(name, batch, more, count, precision):
    import numpy as np

    from zoo.data.splits import Split
    from zoo.training import augmentation, evaluation, fit, reading, trainee
    from zoo.training.bar import Bar
    from zoo.training.batch_statistics import BatchStatistics
    from zoo.training.batches import TrainingBatches
    from zoo.training.callbacks import Records
    from zoo.training.checkpoints import Progress
    from zoo.training.distribution import parallel
    from zoo.training.leaving import Leave
    from zoo.training.recipe import Recipe

    images, labels = pictures(count)
    split = Split(images, labels, np.arange(count))
    recipe = Recipe(batch_size=batch, epochs=1000, learning_rate=RATE, augment=CHANGES)
    network, changes = network_of(name, more), augmentation.parse(CHANGES)
    model = trainee.of(network, changes)
    batches = TrainingBatches(split, CLASSES, batch, 0, changes)
    metrics = fit.prepare(model, network, recipe, batches.steps, {})
    folder = Path(tempfile.mkdtemp())
    (folder / "checkpoints").mkdir()
    progress = Progress()
    statistics = BatchStatistics(network, split, CLASSES, batch, 0, parallel.ALONE)
    callbacks = [Records(folder, recipe, batches, metrics, progress, statistics,
                         lambda: {"val_loss": 0.0, "val_accuracy": 0.0}, Leave()),
                 Bar(1000, batches.steps, progress, open(os.devnull, "w"))]

    def train():
        epoch = progress.epoch
        steps = reading.ahead(batches.between(epoch * batches.steps, (epoch + 2) * batches.steps))
        model.fit(steps, initial_epoch=epoch, epochs=epoch + 2, steps_per_epoch=batches.steps, shuffle=False, verbose=0,
                  callbacks=[*callbacks])
        return count, progress.timings[-1]["seconds"]

    def step():
        together = model.steps_per_execution
        model.fit(reading.ahead(batches.between(0, together)), epochs=1, steps_per_epoch=together, shuffle=False,
                  verbose=0)
        return together

    def ask():
        began = time.perf_counter()
        evaluation.logits(network, split, batch)
        return count, time.perf_counter() - began

    return {"step": step, "training": train, "inference": ask,
            "first epoch": lambda: (count, progress.timings[0]["seconds"])}


def bare_subject(name, batch, more, count, precision):
    import tensorflow as tf

    from zoo.training import augment, augmentation, fit, trainee
    from zoo.training.batches import one_hot
    from zoo.training.recipe import Recipe

    images, labels = pictures(batch)
    changes, network = augmentation.parse(CHANGES), network_of(name, more)
    model = trainee.of(network, changes)
    fit.prepare(model, network, Recipe(batch_size=batch, learning_rate=RATE, augment=CHANGES), count // batch, {})
    numbers = augment.numbers(changes, images.shape[1:], 0, 0, 0, batch)
    model.make_train_function()
    data = iter(tf.data.Dataset.from_tensors(((images, numbers), one_hot(labels, CLASSES))).repeat())
    steps = count // batch

    def step():
        float(model.train_function(data)["loss"])
        return model.steps_per_execution

    def train():
        began = time.perf_counter()
        for _ in range(0, steps, model.steps_per_execution):
            logs = model.train_function(data)
        float(logs["loss"])
        return count, time.perf_counter() - began

    return {"step": step, "training": train}


def tutorial_subject(name, batch, more, count, precision):
    import keras
    import numpy as np

    from zoo import registry
    from zoo.models import builder

    images, labels = pictures(count)
    images = images.astype(np.float32) / 255
    network = builder.build(registry.blueprint(name, (SIDE, SIDE, 3), CLASSES, **more))
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), keras.layers.RandomFlip("horizontal"),
                              keras.layers.RandomRotation(25 / 360, fill_mode="constant"),
                              keras.layers.RandomTranslation(0.1, 0.1, fill_mode="constant"), network])
    model.compile(keras.optimizers.SGD(RATE, momentum=0.9, nesterov=True), "sparse_categorical_crossentropy",
                  metrics=["accuracy"])

    def step():
        model.fit(images[:batch], labels[:batch], batch_size=batch, verbose=0)
        return 1

    def train():
        began = time.perf_counter()
        model.fit(images, labels, batch_size=batch, verbose=0)
        return count, time.perf_counter() - began

    def ask():
        began = time.perf_counter()
        model.predict(images, batch_size=batch, verbose=0)
        return count, time.perf_counter() - began

    return {"step": step, "training": train, "inference": ask}


def pytorch_subject(name, batch, more, count, precision):
    import math

    import torch
    from eager import Eager
    from torch.nn import functional

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    images, labels = pictures(count)
    data = torch.utils.data.TensorDataset(torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels))
    model = Eager(network_of(name, more)).to(memory_format=torch.channels_last)
    made = torch.optim.SGD(model.parameters(), RATE, momentum=0.9, nesterov=True, weight_decay=5e-4)
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
        train(torch.utils.data.Subset(data, range(batch)))
        return 1

    def train(data=data):
        model.train()
        began = time.perf_counter()
        for pixels, truth in torch.utils.data.DataLoader(data, batch, shuffle=True):
            made.zero_grad()
            with cast():
                loss = functional.cross_entropy(
                    model(changed(ready(pixels)).contiguous(memory_format=torch.channels_last)).float(), truth)
            loss.backward()
            made.step()
        return count, time.perf_counter() - began

    @torch.no_grad()
    def ask():
        model.eval()
        began = time.perf_counter()
        for pixels, _ in torch.utils.data.DataLoader(data, batch):
            with cast():
                model(ready(pixels).contiguous(memory_format=torch.channels_last))
        return count, time.perf_counter() - began

    return {"step": step, "training": train, "inference": ask}


PREPARED = {"zoo": zoo_subject, "bare": bare_subject, "tutorial": tutorial_subject, "pytorch": pytorch_subject}
