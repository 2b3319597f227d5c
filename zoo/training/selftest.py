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
from zoo.data import info as datasets
from zoo.data.splits import Split
from zoo.training import fit, losses, plan as plans, recipe as recipe_fields, recipes, reloading, trainee
from zoo.training.batch_statistics import BatchStatistics
from zoo.training.batches import one_hot
from zoo.training.distribution import parallel
from zoo.training.reloading import Reader

IMAGES, CLASSES, SEED = 32, 10, 0
BLOCK = 4  # pixels
GUESS = math.log(CLASSES)  # cross-entropy of one that has not: a worse first loss, of unlucky weights, counts as this
INTERVAL = 10  # steps between two measurements of the loss in inference, and those of the warm-up


@dataclass(frozen=True)
class Overfitting:
    """How long a model may take."""

    steps: int = 600  # at most
    enough: float = 0.1  # of the first loss: below it, the images are overfitted
    eager: bool = False  # not compiled: where some tens of steps are enough, compiling takes longer


LIMITS = {  # a model that is not here has Overfitting()
    # ReLU before the softmax: an image whose class's unit is zero keeps the loss of a guess
    "lenet5_bn": Overfitting(enough=0.3),
    # its outputs grow from module to module: a first loss of 17, to be unlearned
    "googlenet": Overfitting(steps=2000),
    # dropout on the image, and gates that are nearly closed at first
    "highway": Overfitting(steps=2000), "highway_mnist": Overfitting(steps=2000),
    **dict.fromkeys(("inception_v2", "inception_v3", "inception_v4", "inception_resnet_v1", "inception_resnet_v2",
                     "inception_resnet_v2_paper", "resnet18", "resnet34", "xception"), Overfitting(eager=True)),
}


@dataclass
class Outcome:
    """What came of a network, as far as it got; `fault` says in words what went wrong, or ""."""

    name: str
    parameters: int | None = None
    steps: int | None = None
    first: float | None = None  # loss
    last: float | None = None  # loss
    seconds: float | None = None  # to build, teach and save it
    reload: str = "-"  # ok, or the difference
    saved: bool = False
    fault: str = ""

    def cells(self):
        def cell(value, form):
            return "-" if value is None else format(value, form)

        return (self.name, cell(self.parameters, ","), cell(self.steps, "d"), cell(self.first, ".4f"),
                cell(self.last, ".4f"), cell(self.seconds, ".1f"), self.reload)


class Table:
    """The table, a line as each network is done, and on a terminal below it the step that is being taken."""

    HEAD = ("name", "parameters", "steps", "first loss", "last loss", "seconds", "reload")

    def __init__(self, names, stream):
        self.stream, self.widths = stream, (max(map(len, names)), 11, 5, 10, 9, 7, 0)
        self.line(self.HEAD)

    def line(self, cells):
        name, *numbers, last = cells
        first, *between, _ = self.widths
        self.write("  ".join([name.ljust(first), *(cell.rjust(width) for cell, width
                                                   in zip(numbers, between, strict=True)), last]) + "\n")

    def progress(self, text):
        if self.stream.isatty():
            self.write(text[:shutil.get_terminal_size().columns - 1])

    def write(self, text):
        self.stream.write(f"\r\033[K{text}" if self.stream.isatty() else text)
        self.stream.flush()


def noise(facts):
    """Return 32 random images (32, height, width, channels) uint8 and their labels (32,), always the same.

    As bright and as varied as the images of a data set, whose Facts are given, in blocks of 4x4 pixels: scaled and
    convolved, they are like those, where single pixels would cancel out.
    """
    rng = np.random.Generator(np.random.Philox(SEED))
    height, width, channels = facts.shape
    pixels = 255 * rng.normal(facts.mean, facts.std, (IMAGES, height // BLOCK, width // BLOCK, channels))
    pixels = pixels.repeat(BLOCK, axis=1).repeat(BLOCK, axis=2)
    return np.clip(pixels.round(), 0, 255).astype(np.uint8), rng.integers(0, CLASSES, IMAGES)


def configure(name):
    """Return the Plan of a training of the model `name`: its small preset, its data set, the default recipe."""
    spec = registry.find(name)
    facts = datasets.find(spec.small.dataset)
    recipe = recipes.find(name, facts.name)
    rate = recipe.learning_rate * IMAGES / recipe.batch_size  # the linear rule of Goyal et al. 2017, arXiv:1706.02677
    recipe = replace(recipe, learning_rate=rate, batch_size=IMAGES, augment="", schedule="constant", warmup=1.0)
    blueprint = registry.blueprint(name, facts.shape, facts.classes, spec.small.width, options=spec.small.options)
    return plans.Plan(blueprint, facts, recipe, SEED, None, keras.backend.backend(), False)


def has_overfitted(first, last, loss, enough):
    """Whether the `last` value of `loss` is `enough` of the first, or of that of a guess if it is less."""
    return last <= enough * (min(first, GUESS) if loss is losses.cross_entropy else first)


def overfit(network, plan, limits, progress):
    """Train `network` on the images of `noise`; return the number of steps and the first and the last loss.

    The losses are those of inference, with the batch statistics of the images. The last one is the first that is small
    enough, or not finite, or that of the last step.
    """
    pixels, labels = noise(plan.dataset)
    split = Split(pixels, labels, np.arange(IMAGES))
    sides = recipe_fields.side_weights(plan.recipe, plan.blueprint.spec)
    fit.prepare(network, network, plan.recipe, INTERVAL, sides)
    network.run_eagerly = limits.eager
    targets = one_hot(labels, CLASSES)
    targets = dict.fromkeys(("main", *sides), targets) if sides else targets
    statistics = BatchStatistics(network, split, CLASSES, IMAGES, SEED, parallel.ALONE)
    _, seen = losses.of(plan.recipe)

    def measure():
        statistics.measure(0)
        logits = reloading.predict(trainee.main(network), pixels)
        return float(keras.ops.convert_to_numpy(seen(one_hot(labels, CLASSES), logits)).mean())

    step, first = 0, measure()
    now = first
    while step < limits.steps and math.isfinite(now) and not has_overfitted(first, now, seen, limits.enough):
        for _ in range(INTERVAL):
            network.train_on_batch(pixels, targets)
        step += INTERVAL
        now = measure()
        progress(f"{network.name}  step {step}/{limits.steps}  loss {now:.4f}")
    return step, first, now


def teach(outcome, limits, folder, reader, progress):
    """Build a network, overfit it, save it in a new `folder` and have it read; fill in the Outcome."""
    plan = configure(outcome.name)
    network, _ = trainee.build(plan)
    outcome.parameters = trainee.main(network).count_params()
    _, seen = losses.of(plan.recipe)
    outcome.steps, outcome.first, outcome.last = overfit(network, plan, limits, progress)
    if not has_overfitted(outcome.first, outcome.last, seen, limits.enough):
        outcome.fault = f"loss {outcome.last:.4f} after {outcome.steps} steps, {outcome.first:.4f} at first"
    output = network.output["main"] if isinstance(network.output, dict) else network.output
    model = keras.Model(network.input, output, name=network.name)  # saved as it is, with no optimizer
    reloading.write(folder, model, noise(plan.dataset)[0])
    reader.ask(folder, plan.blueprint, plan.dataset.mean, plan.dataset.std)
    outcome.saved = True


def told(error):
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def compare(outcome, differences):
    """Fill in what the process that reads has answered."""
    wrong = [f"{file} {said if isinstance(said, str) else f'differs by {said:.1g}'}"
             for file, said in differences.items() if isinstance(said, str) or not said <= reloading.TOLERANCE]
    numbers = [said for said in differences.values() if not isinstance(said, str)]
    outcome.reload = "ok" if not wrong else f"{max(numbers):.1g}" if numbers else "failed"
    outcome.fault = "; ".join([*([outcome.fault] if outcome.fault else []), *wrong])


def run(names, limits=None, stream=None):
    """Test the networks `names` and print the table; return an Outcome for each."""
    limits, table, outcomes = LIMITS if limits is None else limits, Table(names, stream or sys.stdout), []
    with tempfile.TemporaryDirectory(prefix="zoo-selftest-") as scratch, Reader(Path(scratch)) as reader:
        def finish(outcome):
            if outcome.saved:
                table.progress(f"{outcome.name}  reading")
                compare(outcome, reader.answer())
                shutil.rmtree(Path(scratch) / outcome.name)
            table.line(outcome.cells())

        for name in names:
            began, outcome = time.perf_counter(), Outcome(name)
            table.progress(f"{name}  building")
            keras.utils.clear_session()
            keras.utils.set_random_seed(SEED)
            try:
                teach(outcome, limits.get(name, Overfitting()), Path(scratch) / name, reader, table.progress)
            except Exception as error:  # whatever is wrong with one network, the others are tested
                outcome.fault = told(error)
            outcome.seconds = time.perf_counter() - began
            if outcomes:
                finish(outcomes[-1])  # it was read while this one learned
            outcomes.append(outcome)
        finish(outcomes[-1])
    return outcomes
