"""Every model overfits 32 random images, and what is saved of it is read by another process.

Each is built, and its weights are drawn, as `zoo.train --preset small` does it with the default recipe; so are its loss
and its optimizer. What differs: the images are as they are, without augmentation, and the learning rate is constant
after ten steps of warm-up, in proportion to the batch of 32.
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
from zoo.data import dataset_info as datasets
from zoo.data.splits import Split
from zoo.training import (losses, model_building, recipe as recipe_fields, recipes, reload_worker, run_config as plans,
                          trainer)
from zoo.training.batch_statistics import BatchStatistics
from zoo.training.batches import one_hot
from zoo.training.distribution import data_parallel
from zoo.training.reload_worker import ReloadWorker

NUM_IMAGES, NUM_CLASSES, SELFTEST_SEED = 32, 10, 0
PIXEL_BLOCK_SIZE = 4  # pixels
# Cross-entropy of one that has not: a worse first loss, of unlucky weights, counts as this
CHANCE_LOSS = math.log(NUM_CLASSES)
MEASURE_INTERVAL = 10  # steps between two measurements of the loss in inference, and those of the warm-up


@dataclass(frozen=True)
class OverfitConfig:
    """How long a model may take."""

    max_steps: int = 600  # at most
    loss_fraction: float = 0.1  # of the first loss: below it, the images are overfitted
    run_eagerly: bool = False  # not compiled: where some tens of steps are enough, compiling takes longer


OVERFIT_CONFIGS = {  # a model that is not here has Overfitting()
    # ReLU before the softmax: an image whose class's unit is zero keeps the loss of a guess
    "lenet5_bn": OverfitConfig(loss_fraction=0.3),
    # its outputs grow from module to module: a first loss of 17, to be unlearned
    "googlenet": OverfitConfig(max_steps=2000),
    # dropout on the image, and gates that are nearly closed at first
    "highway": OverfitConfig(max_steps=2000), "highway_mnist": OverfitConfig(max_steps=2000),
    **dict.fromkeys(("inception_v2", "inception_v3", "inception_v4", "inception_resnet_v1", "inception_resnet_v2",
                     "inception_resnet_v2_paper", "resnet18", "resnet34", "xception"), OverfitConfig(run_eagerly=True)),
}


@dataclass
class SelftestResult:
    """What came of a network, as far as it got; `fault` says in words what went wrong, or ""."""

    name: str
    parameters: int | None = None
    steps: int | None = None
    first_loss: float | None = None  # loss
    last_loss: float | None = None  # loss
    seconds: float | None = None  # to build, teach and save it
    reload_status: str = "-"  # ok, or the difference
    is_saved: bool = False
    error: str = ""

    def format_cells(self):
        def cell(value, form):
            return "-" if value is None else format(value, form)

        return (self.name, cell(self.parameters, ","), cell(self.steps, "d"), cell(self.first_loss, ".4f"),
                cell(self.last_loss, ".4f"), cell(self.seconds, ".1f"), self.reload_status)


class SelftestTable:
    """The table, a line as each network is done, and on a terminal below it the step that is being taken."""

    HEADER = ("name", "parameters", "steps", "first loss", "last loss", "seconds", "reload")

    def __init__(self, names, stream):
        self.stream, self.widths = stream, (max(map(len, names)), 11, 5, 10, 9, 7, 0)
        self.write_row(self.HEADER)

    def write_row(self, cells):
        name, *numbers, last = cells
        first, *between, _ = self.widths
        self.write("  ".join([name.ljust(first), *(cell.rjust(width) for cell, width
                                                   in zip(numbers, between, strict=True)), last]) + "\n")

    def show_progress(self, text):
        if self.stream.isatty():
            self.write(text[:shutil.get_terminal_size().columns - 1])

    def write(self, text):
        self.stream.write(f"\r\033[K{text}" if self.stream.isatty() else text)
        self.stream.flush()


def make_random_data(info):
    """Return 32 random images (32, height, width, channels) uint8 and their labels (32,), always the same.

    As bright and as varied as the images of a data set, whose DatasetInfo are given, in blocks of 4x4 pixels: scaled
    and
    convolved, they are like those, where single pixels would cancel out.
    """
    rng = np.random.Generator(np.random.Philox(SELFTEST_SEED))
    height, width, channels = info.shape
    pixels = 255 * rng.normal(info.mean, info.std,
                              (NUM_IMAGES, height // PIXEL_BLOCK_SIZE, width // PIXEL_BLOCK_SIZE, channels))
    pixels = pixels.repeat(PIXEL_BLOCK_SIZE, axis=1).repeat(PIXEL_BLOCK_SIZE, axis=2)
    return np.clip(pixels.round(), 0, 255).astype(np.uint8), rng.integers(0, NUM_CLASSES, NUM_IMAGES)


def make_selftest_config(name):
    """Return the Plan of a training of the model `name`: its small preset, its data set, the default recipe."""
    spec = registry.get_model_info(name)
    facts = datasets.get_dataset_info(spec.small_preset.dataset)
    recipe = recipes.get_recipe(name, facts.name)
    # The linear rule of Goyal et al. 2017, arXiv:1706.02677
    rate = recipe.learning_rate * NUM_IMAGES / recipe.batch_size
    recipe = replace(recipe, learning_rate=rate, batch_size=NUM_IMAGES, augmentation="", lr_schedule="constant",
                     warmup_epochs=1.0)
    blueprint = registry.resolve_model_config(name, facts.shape, facts.classes, spec.small_preset.width,
                                              options=spec.small_preset.options)
    return plans.RunConfig(blueprint, facts, recipe, SELFTEST_SEED, None, keras.backend.backend(), False)


def has_overfitted(first_loss, last_loss, loss, loss_fraction):
    """Whether the `last` value of `loss` is `enough` of the first, or of that of a guess if it is less."""
    return last_loss <= loss_fraction * (min(first_loss, CHANCE_LOSS) if loss is losses.cross_entropy else first_loss)


def overfit_model(model, run_config, config, show_progress):
    """Train `network` on the images of `make_random_data`; return the number of steps and the first and the last loss.

    The losses are those of inference, with the batch statistics of the images. The last one is the first that is small
    enough, or not finite, or that of the last step.
    """
    pixels, labels = make_random_data(run_config.dataset)
    split = Split(pixels, labels, np.arange(NUM_IMAGES))
    sides = recipe_fields.resolve_aux_loss_weights(run_config.recipe, run_config.model_config.model_info)
    trainer.compile_model(model, model, run_config.recipe, MEASURE_INTERVAL, sides)
    model.run_eagerly = config.run_eagerly
    targets = one_hot(labels, NUM_CLASSES)
    targets = dict.fromkeys(("main", *sides), targets) if sides else targets
    statistics = BatchStatistics(model, split, NUM_CLASSES, NUM_IMAGES, SELFTEST_SEED, data_parallel.SINGLE_DEVICE)
    _, seen = losses.get_losses(run_config.recipe)

    def measure():
        statistics.measure(0)
        logits = reload_worker.compute_logits(model_building.get_main_output_model(model), pixels)
        return float(keras.ops.convert_to_numpy(seen(one_hot(labels, NUM_CLASSES), logits)).mean())

    step, first = 0, measure()
    now = first
    while step < config.max_steps and math.isfinite(now) and not has_overfitted(first, now, seen, config.loss_fraction):
        for _ in range(MEASURE_INTERVAL):
            model.train_on_batch(pixels, targets)
        step += MEASURE_INTERVAL
        now = measure()
        show_progress(f"{model.name}  step {step}/{config.max_steps}  loss {now:.4f}")
    return step, first, now


def train_and_save(result, config, folder, worker, show_progress):
    """Build a network, overfit it, save it in a new `folder` and have it read; fill in the Outcome."""
    plan = make_selftest_config(result.name)
    network, _ = model_building.build_run_model(plan)
    result.parameters = model_building.get_main_output_model(network).count_params()
    _, seen = losses.get_losses(plan.recipe)
    result.steps, result.first_loss, result.last_loss = overfit_model(network, plan, config, show_progress)
    if not has_overfitted(result.first_loss, result.last_loss, seen, config.loss_fraction):
        result.error = f"loss {result.last_loss:.4f} after {result.steps} steps, {result.first_loss:.4f} at first"
    output = network.output["main"] if isinstance(network.output, dict) else network.output
    model = keras.Model(network.input, output, name=network.name)  # saved as it is, with no optimizer
    reload_worker.save_for_reload(folder, model, make_random_data(plan.dataset)[0])
    worker.submit(folder, plan.model_config, plan.dataset.mean, plan.dataset.std)
    result.is_saved = True


def format_error(error):
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def record_reload(result, differences):
    """Fill in what the process that reads has answered."""
    wrong = [f"{file} {said if isinstance(said, str) else f'differs by {said:.1g}'}" for file,
             said in differences.items() if isinstance(said, str) or not said <= reload_worker.LOGITS_TOLERANCE]
    numbers = [said for said in differences.values() if not isinstance(said, str)]
    result.reload_status = "ok" if not wrong else f"{max(numbers):.1g}" if numbers else "failed"
    result.error = "; ".join([*([result.error] if result.error else []), *wrong])


def run_selftest(names, configs=None, stream=None):
    """Test the networks `names` and print the table; return an Outcome for each."""
    configs, table, outcomes = OVERFIT_CONFIGS if configs is None else configs, SelftestTable(names, stream
                                                                                              or sys.stdout), []
    with tempfile.TemporaryDirectory(prefix="zoo-selftest-") as scratch, ReloadWorker(Path(scratch)) as reader:
        def finish(outcome):
            if outcome.is_saved:
                table.show_progress(f"{outcome.name}  reading")
                record_reload(outcome, reader.get_result())
                shutil.rmtree(Path(scratch) / outcome.name)
            table.write_row(outcome.format_cells())

        for name in names:
            began, outcome = time.perf_counter(), SelftestResult(name)
            table.show_progress(f"{name}  building")
            keras.utils.clear_session()
            keras.utils.set_random_seed(SELFTEST_SEED)
            try:
                train_and_save(outcome, configs.get(name, OverfitConfig()), Path(scratch) / name, reader,
                               table.show_progress)
            except Exception as error:  # whatever is wrong with one network, the others are tested
                outcome.error = format_error(error)
            outcome.seconds = time.perf_counter() - began
            if outcomes:
                finish(outcomes[-1])  # it was read while this one learned
            outcomes.append(outcome)
        finish(outcomes[-1])
    return outcomes
