"""Smoke test: every model must overfit 32 random images or texts, and its saved files must load in another process.

Each is built, initialized, and given its loss and optimizer as `zoo.train --preset small` does with the default recipe.
The differences: no augmentation, and a learning rate that is constant after ten steps of warm-up, in proportion to the
batch size of 32.
"""

import math
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from zoo import registry
from zoo.data import dataset_info
from zoo.data.splits import Split
from zoo.model_info import Preset
from zoo.training import losses, model_building, recipes, reload_worker, trainer
from zoo.training.batch_statistics import BatchStatistics
from zoo.training.batches import one_hot
from zoo.training.distribution import data_parallel
from zoo.training.recipe import resolve_aux_loss_weights
from zoo.training.reload_worker import ReloadWorker
from zoo.training.run_config import RunConfig
from zoo.utils.numbers import format_loss

NUM_IMAGES, SELFTEST_SEED = 32, 0
PIXEL_BLOCK_SIZE = 4  # pixels
# Cross-entropy at chance level: a higher initial loss, from unlucky weights, counts as this
CHANCE_LOSS = math.log(10)  # of ten classes
MEASURE_INTERVAL = 10  # steps between two measurements of the loss in inference; also the steps of the warm-up


@dataclass(frozen=True)
class OverfitConfig:
    """The criteria for overfitting."""

    max_steps: int = 600
    loss_fraction: float = 0.1  # of the initial loss: below it, the model has overfitted the images
    run_eagerly: bool = False  # where some tens of steps are enough, compiling would take longer


OVERFIT_CONFIGS = {  # any other model has OverfitConfig()
    # ReLU before the softmax: an image whose class has a zero logit stays at chance level
    "lenet5_bn": OverfitConfig(loss_fraction=0.3),
    # its outputs grow from module to module: an initial loss of 17
    "googlenet": OverfitConfig(max_steps=2000),
    # dropout on the image, and gates that are nearly closed initially
    "highway": OverfitConfig(max_steps=2000), "highway_mnist": OverfitConfig(max_steps=2000),
    **dict.fromkeys(("inception_v2", "inception_v3", "inception_v4", "inception_resnet_v1", "inception_resnet_v2",
                     "inception_resnet_v2_paper", "resnet18", "resnet34", "resnet18_v1", "resnet34_v1", "resnet50",
                     "resnet101", "resnet152", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110",
                     "resnet110_v2", "resnet164_v2", "resnet50_v2", "resnet101_v2", "resnet152_v2", "xception"),
                    OverfitConfig(run_eagerly=True)),
}


@dataclass
class SelftestResult:
    """The results of one model, as far as the test got; `error`: a description of the failure, or ""."""

    name: str
    parameters: int | None = None
    steps: int | None = None
    first_loss: float | None = None
    last_loss: float | None = None
    seconds: float | None = None  # to build, train and save the model
    reload_status: str = "-"  # ok, or the difference
    is_saved: bool = False
    error: str = ""

    def format_cells(self):
        def format_cell(value, spec):
            return "-" if value is None else format(value, spec)

        return (self.name, format_cell(self.parameters, ","), format_cell(self.steps, "d"),
                format_cell(self.first_loss, ".4f"), format_cell(self.last_loss, ".4f"),
                format_cell(self.seconds, ".1f"), self.reload_status)


class SelftestTable:
    """A table with a row for each finished model, and on a terminal the current step below it."""

    HEADER = ("name", "parameters", "steps", "first loss", "last loss", "seconds", "reload")

    def __init__(self, names, stream):
        self.stream, self.widths = stream, (max(map(len, names)), 11, 5, 10, 9, 7, 0)
        self.write_row(self.HEADER)

    def write_row(self, cells):
        name, *middle_cells, last_cell = cells
        first_width, *middle_widths, _ = self.widths
        self.write("  ".join([name.ljust(first_width),
                              *(cell.rjust(width) for cell, width in zip(middle_cells, middle_widths, strict=True)),
                              last_cell]) + "\n")

    def show_progress(self, text):
        if self.stream.isatty():
            self.write(text[:shutil.get_terminal_size().columns - 1])

    def write(self, text):
        self.stream.write(f"\r\033[K{text}" if self.stream.isatty() else text)
        self.stream.flush()


def make_random_data(run_config):
    """Return 32 random samples for a RunConfig and their labels (32,), always the same."""
    make_samples = run_config.dataset.modality.get_function("make_random_samples")
    rng = np.random.Generator(np.random.Philox(SELFTEST_SEED))
    return make_samples(rng, run_config), rng.integers(0, run_config.dataset.classes, NUM_IMAGES)


def make_random_texts(rng, run_config):
    """Return 32 random texts (32, length) int32: token ids below the vocabulary."""
    return rng.integers(0, run_config.model_config.options["vocabulary"], (NUM_IMAGES, *run_config.dataset.shape),
                        np.int32)


def make_random_images(rng, run_config):
    """Return 32 random images (32, height, width, channels) uint8.

    They have the mean and the standard deviation of the dataset of `info`, in blocks of 4x4 pixels: convolved, they
    behave like its images, whereas independent pixels would cancel out.
    """
    info = run_config.dataset
    height, width, channels = info.shape
    pixels = 255 * rng.normal(info.mean, info.std,
                              (NUM_IMAGES, height // PIXEL_BLOCK_SIZE, width // PIXEL_BLOCK_SIZE, channels))
    pixels = pixels.repeat(PIXEL_BLOCK_SIZE, axis=1).repeat(PIXEL_BLOCK_SIZE, axis=2)
    return np.clip(pixels.round(), 0, 255).astype(np.uint8)


def make_selftest_config(name):
    """Return the RunConfig for the model `name`: small preset if it has one, its dataset, the default recipe."""
    model_info = registry.get_model_info(name)
    preset = model_info.small_preset or Preset(model_info.modality.dataset)
    info = dataset_info.get_dataset_info(preset.dataset)
    recipe = recipes.get_recipe(name, info.name)
    # The linear scaling rule of Goyal et al. 2017, arXiv:1706.02677
    learning_rate = recipe.learning_rate * NUM_IMAGES / recipe.batch_size
    recipe = replace(recipe, learning_rate=learning_rate, batch_size=NUM_IMAGES, augmentation="",
                     lr_schedule="constant", warmup_epochs=1.0)
    model_config = registry.resolve_model_config(name, info.shape, info.classes,
                                                 preset.width, options=preset.options)
    return RunConfig(model_config, info, recipe, SELFTEST_SEED, None, keras.backend.backend(), False)


def has_overfitted(first_loss, last_loss, loss, loss_fraction):
    """Return whether `last_loss` is at most `loss_fraction` of the first, or of that at chance level if it is lower."""
    return last_loss <= loss_fraction * (min(first_loss, CHANCE_LOSS) if loss is losses.cross_entropy else first_loss)


def overfit_model(model, run_config, config, show_progress):
    """Train `model` on the images of `make_random_data`; return the number of steps, the first and the last loss.

    The losses are those of inference, with the batch statistics of the images. Training stops when the loss is low
    enough or not finite, or after the last step.
    """
    pixels, labels = make_random_data(run_config)
    classes = run_config.dataset.classes
    split = Split(pixels, labels, np.arange(NUM_IMAGES))
    aux_loss_weights = resolve_aux_loss_weights(run_config.recipe, run_config.model_config.model_info)
    trainer.compile_model(model, model, run_config.recipe, MEASURE_INTERVAL, aux_loss_weights)
    model.run_eagerly = config.run_eagerly
    targets = one_hot(labels, classes)
    targets = dict.fromkeys(("main", *aux_loss_weights), targets) if aux_loss_weights else targets
    statistics = BatchStatistics(model, split, classes, NUM_IMAGES, SELFTEST_SEED, data_parallel.SINGLE_DEVICE)
    _, reported_loss = losses.get_losses(run_config.recipe)

    def measure():
        statistics.measure(0)
        logits = reload_worker.compute_logits(model_building.get_main_output_model(model), pixels)
        return float(keras.ops.convert_to_numpy(reported_loss(one_hot(labels, classes), logits)).mean())

    step, first_loss = 0, measure()
    loss = first_loss
    while step < config.max_steps and math.isfinite(loss) and not has_overfitted(first_loss, loss, reported_loss,
                                                                                 config.loss_fraction):
        for _ in range(MEASURE_INTERVAL):
            model.train_on_batch(pixels, targets)
        step += MEASURE_INTERVAL
        loss = measure()
        show_progress(f"{model.name}  step {step}/{config.max_steps}  loss {format_loss(loss)}")
    return step, first_loss, loss


def train_and_save(result, config, folder, worker, show_progress):
    """Build a model, overfit it, save it in a new `folder` and submit it to `worker`; fill in the SelftestResult."""
    run_config = make_selftest_config(result.name)
    model, _ = model_building.build_run_model(run_config)
    result.parameters = model_building.get_main_output_model(model).count_params()
    _, reported_loss = losses.get_losses(run_config.recipe)
    result.steps, result.first_loss, result.last_loss = overfit_model(model, run_config, config, show_progress)
    if not has_overfitted(result.first_loss, result.last_loss, reported_loss, config.loss_fraction):
        result.error = (f"loss {format_loss(result.last_loss)} after {result.steps} steps, "
                        f"{format_loss(result.first_loss)} initially")
    output = model.output["main"] if isinstance(model.output, dict) else model.output
    saved_model = keras.Model(model.input, output, name=model.name)  # saved without an optimizer
    reload_worker.save_for_reload(folder, saved_model, make_random_data(run_config)[0])
    worker.submit(folder, run_config.model_config, run_config.dataset.mean, run_config.dataset.std)
    result.is_saved = True


def record_reload(result, differences):
    """Fill in the differences that the reload worker reported."""
    failures = [f"{file} {value if isinstance(value, str) else f'differs by {value:.1g}'}"
                for file, value in differences.items()
                if isinstance(value, str) or not value <= reload_worker.LOGITS_TOLERANCE]
    numbers = [value for value in differences.values() if not isinstance(value, str)]
    result.reload_status = "ok" if not failures else f"{max(numbers):.1g}" if numbers else "failed"
    result.error = "; ".join([*([result.error] if result.error else []), *failures])


def run_selftest(names, configs=None, stream=None):
    """Test the models `names` and print the table; return a SelftestResult for each."""
    configs = OVERFIT_CONFIGS if configs is None else configs
    table, results = SelftestTable(names, stream or sys.stdout), []
    with tempfile.TemporaryDirectory(prefix="zoo-selftest-") as scratch, ReloadWorker(Path(scratch)) as worker:
        def finish(result):
            if result.is_saved:
                table.show_progress(f"{result.name}  reloading")
                record_reload(result, worker.get_result())
                shutil.rmtree(Path(scratch) / result.name)
            table.write_row(result.format_cells())

        for name in names:
            start, result = time.perf_counter(), SelftestResult(name)
            table.show_progress(f"{name}  building")
            keras.utils.clear_session()
            keras.utils.set_random_seed(SELFTEST_SEED)
            try:
                train_and_save(result, configs.get(name, OverfitConfig()), Path(scratch) / name, worker,
                               table.show_progress)
            except Exception as error:  # a failure of one model must not stop the test of the others
                result.error = reload_worker.format_error(error)
            result.seconds = time.perf_counter() - start
            if results:
                finish(results[-1])  # it was reloaded while this one was trained
            results.append(result)
        finish(results[-1])
    return results
