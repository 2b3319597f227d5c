"""The implementations that throughput.py compares; each is prepared once, in a process of its own (workers.py).

A prepare function returns {task: function}. Each function processes about `num_images` images and returns (number of
images, seconds), with two exceptions: "step" runs as few training steps as one call allows and returns their number;
"first epoch" returns the number of images and the seconds of the first epoch of the process, including compilation.
"""

import functools
import os
import tempfile
import time
from pathlib import Path

IMAGE_SIZE, NUM_CLASSES = 32, 10
LEARNING_RATE = 1e-3  # low: the model memorizes random labels, and the loss must stay finite
AUGMENTATION = "flip rotation=25 shift=0.1"


def make_images(count):
    """Return (images, labels): `count` random images and labels."""
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8), rng.integers(0, NUM_CLASSES, count)


def build_model(name, model_options):
    from zoo import registry
    from zoo.training import model_loading

    model_config = registry.resolve_model_config(name, (IMAGE_SIZE, IMAGE_SIZE, 3), NUM_CLASSES, **model_options)
    return model_loading.build_with_preprocessing(model_config, (0.5,) * 3, (0.25,) * 3, None)


def prepare_zoo(name, batch_size, model_options, num_images, precision):
    """Prepare what zoo.train does in an epoch."""
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
    model, transforms = build_model(name, model_options), augmentation.parse_augmentation(AUGMENTATION)
    training_model = model_building.add_augmentation(model, transforms)
    batches = TrainingBatches(split, NUM_CLASSES, batch_size, 0, transforms)
    metrics = trainer.compile_model(training_model, model, recipe, batches.steps_per_epoch, {})
    folder = Path(tempfile.mkdtemp())
    (folder / "checkpoints").mkdir()
    progress = Progress()
    statistics = BatchStatistics(model, split, NUM_CLASSES, batch_size, 0, data_parallel.SINGLE_DEVICE)
    callbacks = [CheckpointAndLog(folder, recipe, batches, metrics, progress, statistics,
                                  lambda: {"val_loss": 0.0, "val_accuracy": 0.0}, Stopper()),
                 ProgressBar(1000, batches.steps_per_epoch, progress, open(os.devnull, "w"))]

    def train():
        epoch = progress.epoch
        two_epochs = prefetch.prefetch_batches(batches.slice_steps(epoch * batches.steps_per_epoch,
                                                                   (epoch + 2) * batches.steps_per_epoch))
        training_model.fit(two_epochs, initial_epoch=epoch, epochs=epoch + 2, steps_per_epoch=batches.steps_per_epoch,
                           shuffle=False, verbose=0, callbacks=[*callbacks])
        return num_images, progress.timings[-1]["seconds"]

    def step():
        steps = training_model.steps_per_execution
        training_model.fit(prefetch.prefetch_batches(batches.slice_steps(0, steps)), epochs=1, steps_per_epoch=steps,
                           shuffle=False, verbose=0)
        return steps

    def predict():
        start = time.perf_counter()
        evaluation.predict_logits(model, split, batch_size)
        return num_images, time.perf_counter() - start

    return {"step": step, "training": train, "inference": predict,
            "first epoch": lambda: (num_images, progress.timings[0]["seconds"])}


def prepare_bare(name, batch_size, model_options, num_images, precision):
    """Prepare zoo's compiled training step on one batch that is already on the device."""
    import tensorflow as tf

    from zoo.training import augmentation, augmentation_layer, model_building, trainer
    from zoo.training.batches import one_hot
    from zoo.training.recipe import Recipe

    images, labels = make_images(batch_size)
    transforms, model = augmentation.parse_augmentation(AUGMENTATION), build_model(name, model_options)
    training_model = model_building.add_augmentation(model, transforms)
    trainer.compile_model(training_model, model,
                          Recipe(batch_size=batch_size, learning_rate=LEARNING_RATE, augmentation=AUGMENTATION),
                          num_images // batch_size, {})
    parameters = augmentation_layer.draw_augmentation_parameters(transforms, images.shape[1:], 0, 0, 0, batch_size)
    training_model.make_train_function()
    data = iter(tf.data.Dataset.from_tensors(((images, parameters), one_hot(labels, NUM_CLASSES))).repeat())
    steps = num_images // batch_size

    def step():
        float(training_model.train_function(data)["loss"])
        return training_model.steps_per_execution

    def train():
        start = time.perf_counter()
        for _ in range(0, steps, training_model.steps_per_execution):
            logs = training_model.train_function(data)
        float(logs["loss"])  # waits for the result
        return num_images, time.perf_counter() - start

    return {"step": step, "training": train}


def prepare_tutorial(name, batch_size, model_options, num_images, precision):
    """Prepare `model.fit` on NumPy arrays with Keras's augmentation layers, as in a tutorial."""
    import keras
    import numpy as np

    from zoo import registry
    from zoo.models import builder

    images, labels = make_images(num_images)
    images = images.astype(np.float32) / 255
    classifier = builder.build_model(registry.resolve_model_config(name, (IMAGE_SIZE, IMAGE_SIZE, 3), NUM_CLASSES,
                                                                   **model_options))
    model = keras.Sequential([keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3)), keras.layers.RandomFlip("horizontal"),
                              keras.layers.RandomRotation(25 / 360, fill_mode="constant"),
                              keras.layers.RandomTranslation(0.1, 0.1, fill_mode="constant"), classifier])
    model.compile(keras.optimizers.SGD(LEARNING_RATE, momentum=0.9, nesterov=True), "sparse_categorical_crossentropy",
                  metrics=["accuracy"])

    def step():
        model.fit(images[:batch_size], labels[:batch_size], batch_size=batch_size, verbose=0)
        return 1

    def train():
        start = time.perf_counter()
        model.fit(images, labels, batch_size=batch_size, verbose=0)
        return num_images, time.perf_counter() - start

    def predict():
        start = time.perf_counter()
        model.predict(images, batch_size=batch_size, verbose=0)
        return num_images, time.perf_counter() - start

    return {"step": step, "training": train, "inference": predict}


def prepare_pytorch(name, batch_size, model_options, num_images, precision):
    """Prepare an eager PyTorch loop over a DataLoader."""
    import math

    import torch
    from pytorch_eager import EagerModel
    from torch.nn import functional

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    images, labels = make_images(num_images)
    data = torch.utils.data.TensorDataset(torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels))
    model = EagerModel(build_model(name, model_options)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE, momentum=0.9, nesterov=True, weight_decay=5e-4)
    autocast = functools.partial(torch.autocast, "cpu", torch.bfloat16, enabled=precision == "bfloat16")

    def augment(pixels):
        angle = (torch.rand(len(pixels)) * 2 - 1) * math.radians(25)
        flip = torch.randint(0, 2, (len(pixels),)) * 2.0 - 1
        shift = (torch.rand(len(pixels), 2) * 2 - 1) * 0.2
        theta = torch.stack([torch.stack([flip * angle.cos(), -angle.sin(), shift[:, 0]], 1),
                             torch.stack([flip * angle.sin(), angle.cos(), shift[:, 1]], 1)], 1)
        return functional.grid_sample(pixels, functional.affine_grid(theta, list(pixels.shape), align_corners=False),
                                      align_corners=False)

    def normalize(pixels):
        return (pixels.float() / 255 - 0.5) / 0.25

    def step():
        train(torch.utils.data.Subset(data, range(batch_size)))
        return 1

    def train(data=data):
        model.train()
        start = time.perf_counter()
        for pixels, batch_labels in torch.utils.data.DataLoader(data, batch_size, shuffle=True):
            optimizer.zero_grad()
            with autocast():
                inputs = augment(normalize(pixels)).contiguous(memory_format=torch.channels_last)
                loss = functional.cross_entropy(model(inputs).float(), batch_labels)
            loss.backward()
            optimizer.step()
        return num_images, time.perf_counter() - start

    @torch.no_grad()
    def predict():
        model.eval()
        start = time.perf_counter()
        for pixels, _ in torch.utils.data.DataLoader(data, batch_size):
            with autocast():
                model(normalize(pixels).contiguous(memory_format=torch.channels_last))
        return num_images, time.perf_counter() - start

    return {"step": step, "training": train, "inference": predict}


PREPARE_FUNCTIONS = {"zoo": prepare_zoo, "bare": prepare_bare, "tutorial": prepare_tutorial, "pytorch": prepare_pytorch}
