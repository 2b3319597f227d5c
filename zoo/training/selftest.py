"""Every network learns 32 random pictures by heart, and what is saved of it is read by another process."""

import math
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from zoo import catalog
from zoo.training import losses, optimizers, recipes, reloading, saved
from zoo.training.batches import one_hot
from zoo.training.reloading import Reader

PICTURES, CLASSES, SEED = 32, 10, 0
ENOUGH = 0.1  # of the first loss: a network that gets below has learned
GUESS = math.log(CLASSES)  # cross-entropy of one that has not: a worse first loss, of unlucky weights, counts as this


@dataclass(frozen=True)
class Row:
    """How a network is made small, and taught."""

    shape: tuple = (32, 32, 3)  # height, width, channels
    width: float = 0.25  # times the paper's widths
    rate: float = 1e-3  # Adam's, a step
    steps: int = 200  # at most
    he: bool = False  # kernels are drawn anew from N(0, 2 / fan-in)
    bias: float | None = None  # what the biases of the last layer start at; None: as they are
    eager: bool = False  # not compiled


DEEP = Row(rate=3e-3, eager=True)  # with batch normalisation some six steps are enough: compiling would take longer
ROWS = {  # a network that is not here has Row()
    "lenet5": Row((28, 28, 1), width=1.0),  # small as it is
    "lenet5_1998": Row((32, 32, 1), width=1.0),  # it has this width alone
    "lenet5_bn": Row(rate=1e-2),  # ReLU before the softmax stops most of the gradient
    "alexnet_2014": Row(width=0.125, rate=5e-4, he=True),
    "alexnet": Row(width=0.125, rate=5e-4, he=True),  # N(0, 0.01) lets too little through; groups are slow
    "maxout_mnist": Row((28, 28, 1)),
    "nin": Row(he=True, bias=5.0),  # ReLU before the softmax: a class whose map is zero everywhere is never learned
    "vgg16": Row(he=True),  # sixteen layers of Glorot's weights, made for tanh, let too little of the picture through
    "vgg19": Row(he=True),
    "googlenet": Row(width=0.125, rate=5e-4, he=True),  # as vgg16
    "msra_a": Row(width=0.0625),  # its pyramid and dense layers are wide
    "msra_b": Row(width=0.0625),
    "highway": Row(rate=5e-4),  # nineteen layers without normalisation: at 1e-3 the loss jumps
    "highway_mnist": Row((28, 28, 1), width=0.5),
    "inception_v2": DEEP, "inception_v3": DEEP, "inception_v4": DEEP, "inception_resnet_v1": DEEP,
    "inception_resnet_v2": DEEP, "inception_resnet_v2_paper": DEEP,
    "resnet18": DEEP, "resnet34": DEEP, "xception": DEEP,
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


def noise(shape):
    """Return 32 pictures of noise (32, height, width, channels) uint8 and their labels (32,), always the same."""
    rng = np.random.Generator(np.random.Philox(SEED))
    return rng.integers(0, 256, (PICTURES, *shape), np.uint8), rng.integers(0, CLASSES, PICTURES)


def without_dropout(options):
    """Return what turns off the dropout among a network's options: {name: 0.0, or False}."""
    return {name: type(default)(0) for name, default in options.items() if name.endswith("dropout")}


def start(model, row):
    """Give `model` the first weights of its row: kernels by He et al. 2015 (arXiv:1502.01852), last biases."""
    found, rng = optimizers.kernels(model), np.random.Generator(np.random.Philox(SEED))
    for _, kernel in found if row.he else ():
        kernel.assign(rng.normal(0, math.sqrt(2 / math.prod(kernel.shape[:-1])), kernel.shape))
    if row.bias is not None:
        last, _ = found[-1]
        last.bias.assign(np.full(last.bias.shape, row.bias))


def learned(first, last, loss):
    """Whether the `last` value of `loss` is a tenth of the first, or of that of a guess if it is less."""
    return last <= ENOUGH * (min(first, GUESS) if loss is losses.cross_entropy else first)


def learn(model, row, loss, pixels, labels, progress):
    """Teach `model` the pictures; return the number of steps and the first and the last step's loss.

    The losses are of the network in training, before the step. The last one is the first that is small enough, or
    not finite, or that of the last step.
    """
    learner = keras.Model(model.input, model.output)  # `model` itself is saved as it is, with no optimizer
    learner.compile(keras.optimizers.Adam(row.rate), loss, run_eagerly=row.eager)
    first = None
    for step in range(1, row.steps + 1):
        now = float(learner.train_on_batch(pixels, one_hot(labels, CLASSES)))
        first = now if first is None else first
        if learned(first, now, loss) or not math.isfinite(now):
            break
        progress(f"{model.name}  step {step}/{row.steps}  loss {now:.4f}")
    return step, first, now


def teach(outcome, row, folder, reader, progress):
    """Build a network, teach it, save it in a new `folder` and have it read; fill in the Outcome."""
    spec = catalog.find(outcome.name)
    plan = catalog.blueprint(spec.name, row.shape, CLASSES, row.width, options=without_dropout(spec.options))
    mean, std = (0.5,) * row.shape[-1], (0.29,) * row.shape[-1]  # of uniform noise from 0 to 1
    model = saved.on_pixels(plan, mean, std, None)
    outcome.parameters = model.count_params()
    start(model, row)
    pixels, labels = noise(row.shape)
    _, loss = losses.of(recipes.find(spec.name, None))
    outcome.steps, outcome.first, outcome.last = learn(model, row, loss, pixels, labels, progress)
    if not learned(outcome.first, outcome.last, loss):
        outcome.fault = f"loss {outcome.last:.4f} after {outcome.steps} steps, {outcome.first:.4f} at first"
    reloading.write(folder, model, pixels)
    reader.ask(folder, plan, mean, std)
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


def run(names, rows=None, stream=None):
    """Test the networks `names` and print the table; return an Outcome for each."""
    rows, table, outcomes = ROWS if rows is None else rows, Table(names, stream or sys.stdout), []
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
                teach(outcome, rows.get(name, Row()), Path(scratch) / name, reader, table.progress)
            except Exception as error:  # whatever is wrong with one network, the others are tested
                outcome.fault = told(error)
            outcome.seconds = time.perf_counter() - began
            if outcomes:
                finish(outcomes[-1])  # it was read while this one learned
            outcomes.append(outcome)
        finish(outcomes[-1])
    return outcomes
