"""What a training does with images, learning rate and weights, against values computed by hand or in NumPy."""

import dataclasses
import json
import shutil
import tracemalloc
import zipfile

import keras
import numpy as np
import pytest
from helpers import LARGE, check_message, slow_if_large

import zoo
from zoo import registry
from zoo.data.datasets import Dataset
from zoo.data.splits import Split
from zoo.errors import UserError
from zoo.models import builder
from zoo.training import augmentation, checkpoints, evaluation, losses, model_loading, optimizers, schedules, trainer
from zoo.training.progress_bar import format_duration
from zoo.training.batches import EvaluationBatches, TrainingBatches, one_hot, permute_indices
from zoo.training.callbacks import REPORTED_LOSS, shorten_float32
from zoo.training.checkpoints import get_selection_key
from zoo.training.npz_file import read_arrays, write_arrays
from zoo.training.recipe import Recipe
from zoo.training.run_config import RunConfig, extend_epochs
from zoo.training.stopping import has_stopped_early
from zoo.utils.numbers import format_loss

# The order of the images

def test_the_order_is_pinned():
    """Worked out with Philox4x64-10, counter 1, 2, ... and key (seed, epoch), written out from its paper."""
    assert permute_indices(10, 0, 0).tolist() == [0, 2, 9, 1, 8, 5, 4, 3, 6, 7]
    assert permute_indices(10, 0, 1).tolist() == [5, 3, 7, 8, 2, 4, 1, 0, 6, 9]
    assert permute_indices(10, 1, 0).tolist() == [3, 5, 2, 9, 7, 0, 8, 6, 1, 4]


def test_the_order_depends_on_its_arguments_alone():
    first = permute_indices(1000, 5, 2).copy()
    permute_indices.cache_clear()
    np.random.seed(1)
    keras.utils.set_random_seed(7)
    permute_indices(1000, 5, 3)
    assert np.array_equal(permute_indices(1000, 5, 2), first)
    assert np.array_equal(np.sort(first), np.arange(1000))
    others = [permute_indices(1000, 5, 3), permute_indices(1000, 6, 2), permute_indices(1000, 2, 5)]
    assert all((other == first).mean() < 0.05 for other in others)  # by chance 1 in 1000 agree


def test_the_largest_seed_has_an_order():
    assert sorted(permute_indices(20, 2**32 - 1, 10**6)) == [*range(20)]


# Which images a step sees

def make_numbered_split(count):
    """A Split of images of one pixel, whose value and whose label are the image's number."""
    compute_losses = np.arange(count, dtype=np.uint8)
    return Split(compute_losses.reshape(-1, 1, 1, 1), compute_losses, np.arange(count))


class CountingLayer(keras.layers.Layer):
    """Counts how often each image of `make_numbered_split` went through in training."""

    def __init__(self, count, **keywords):
        super().__init__(dtype="float32", **keywords)
        self.count = count

    def build(self, shape):
        self.times = self.add_weight(shape=(self.count,), initializer="zeros", trainable=False, name="times")

    def call(self, image, training=False):
        if training:
            number = keras.ops.cast(image[:, 0, 0, 0], "int32")
            self.times.assign_add(keras.ops.sum(keras.ops.one_hot(number, self.count), axis=0))
        return keras.ops.one_hot(keras.ops.cast(image[:, 0, 0, 0], "int32"), self.count)


def make_counting_model(count):
    image = keras.Input((1, 1, 1), dtype="uint8")
    return keras.Model(image, keras.layers.Dense(count, name="out")(CountingLayer(count, name="seen")(image)))


def test_each_epoch_trains_on_every_image_once_in_its_own_order(capsys):
    """13 images, batch size 4: what arrives at the loss, step by step, however far Keras reads ahead."""
    if keras.backend.backend() == "jax":
        pytest.skip("the loss cannot be watched under JAX, which traces it")
    seen = []

    def watched(labels, logits):
        seen.append(keras.ops.convert_to_numpy(labels).argmax(axis=1).tolist())
        return keras.losses.categorical_crossentropy(labels, logits, from_logits=True)

    model = make_counting_model(13)
    model.compile("sgd", watched, run_eagerly=True)
    batches = TrainingBatches(make_numbered_split(13), 13, 4, seed=3)
    model.fit(batches.slice_steps(0, 20), epochs=5, steps_per_epoch=batches.steps_per_epoch, shuffle=False, verbose=0)
    assert [len(step) for step in seen] == [4, 4, 4, 1] * 5
    epochs = [sum(seen[start:start + 4], []) for start in range(0, 20, 4)]
    assert epochs == [permute_indices(13, 3, epoch).tolist() for epoch in range(5)]
    assert len({tuple(epoch) for epoch in epochs}) == 5
    assert all(sorted(epoch) == [*range(13)] for epoch in epochs)


@pytest.mark.parametrize("batch_size", [4, 13, 100])
def test_each_image_is_trained_on_once_per_epoch(tmp_path, batch_size, capsys):
    (tmp_path / "checkpoints").mkdir()
    model = make_counting_model(13)
    dataset = Dataset(None, make_numbered_split(13), make_numbered_split(5), None, "", ())
    recipe = Recipe("sgd", 0.1, 0.0, lr_schedule="constant", warmup_epochs=0.0, weight_decay=0.0, batch_size=batch_size,
                    epochs=3)
    best = trainer.train_model(model, dataset, recipe, 0, tmp_path).best
    assert keras.ops.convert_to_numpy(model.get_layer("seen").times).tolist() == [3.0] * 13
    last, kept = (read_arrays(tmp_path / "checkpoints" / f"{name}.npz") for name in ("last", "best"))
    assert last["weights/seen/times"].tolist() == [3.0] * 13
    assert kept["weights/seen/times"].tolist() == [float(best["epoch"])] * 13


def test_training_batches_without_fit():
    batches = TrainingBatches(make_numbered_split(13), 13, 4, seed=3)
    assert (batches.steps_per_epoch, len(batches)) == (4, 4)
    late = batches.slice_steps(5, 8)
    assert len(late) == 3
    for _ in range(2):  # in any order, as often as one likes
        images, targets = late[2]
        assert targets.argmax(axis=1).tolist() == images.ravel().tolist() == permute_indices(13, 3, 1)[12:].tolist()
        assert images.dtype == np.uint8 and images.shape == (1, 1, 1, 1)
        assert targets.dtype == np.float32 and targets.sum() == 1 and targets.shape == (1, 13)


def test_batches_for_auxiliary_classifiers_and_with_augmentation():
    changes = augmentation.parse_augmentation("flip mixup=1")
    images, targets = TrainingBatches(make_numbered_split(13), 13, 4, 3, changes, ("main", "aux1"))[0]
    assert [*targets] == ["main", "aux1"] and targets["aux1"] is targets["main"]
    assert [each.dtype.name for each in images] == ["uint8", "float32", "uint8"]
    assert images[2].ravel().tolist() == [*images[0].ravel()[1:], images[0].ravel()[0]]  # the partner is the next one
    assert targets["main"].sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert (targets["main"] > 0).sum(axis=1).tolist() == [2, 2, 2, 2]


def test_evaluation_batches_hold_every_image_in_order():
    batches = EvaluationBatches(make_numbered_split(13), 5)
    assert [batches[step][1].tolist() for step in range(len(batches))] == [
        [0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12]]


# The rate

def compute_learning_rates(recipe, steps, at):
    schedule = schedules.make_schedule(recipe, steps)
    return [float(schedule(step)) for step in at] if callable(schedule) else [schedule for _ in at]


@pytest.mark.parametrize("schedule, warmup, at, expected", [  # 3 epochs of 10 steps, rate 0.1
    ("cosine", 1.0, (0, 5, 10, 15, 20, 25, 30), (0, 0.05, 0.1, 0.08535534, 0.05, 0.01464466, 0)),
    ("cosine", 0.5, (0, 1, 5, 30), (0, 0.02, 0.1, 0)),
    ("cosine", 0.0, (0, 10, 15, 20, 30), (0.1, 0.075, 0.05, 0.025, 0)),
    ("constant", 1.0, (0, 1, 5, 10, 11, 30), (0, 0.01, 0.05, 0.1, 0.1, 0.1)),
    ("constant", 0.0, (0, 30), (0.1, 0.1)),
    ("step", 0.0, (0, 9, 10, 24, 25, 29), (0.1, 0.1, 0.02, 0.02, 0.004, 0.004)),
    ("step", 1.5, (0, 9, 10, 15), (0, 0.06, 0.02 * 10 / 15, 0.02)),
    # up from 1/25 over 9 of 30 steps, then down to 0 over 21
    ("one_cycle", 1.0, (0, 4.5, 9, 19.5, 30), (0.004, 0.052, 0.1, 0.05, 0)),
    ("plateau", 1.0, (0, 30), (0.1, 0.1)),
])
def test_the_learning_rate_at_a_step(schedule, warmup, at, expected):
    recipe = Recipe(learning_rate=0.1, lr_schedule=schedule, warmup_epochs=warmup, epochs=3, milestones="1 2.5",
                    gamma=0.2)
    assert compute_learning_rates(recipe, 10, at) == pytest.approx(expected, abs=1e-7)


def test_the_learning_rate_is_divided_every_step_epochs():
    recipe = Recipe(learning_rate=0.1, lr_schedule="step", warmup_epochs=0.0, milestones="every 2", gamma=0.94,
                    epochs=9)
    expected = [0.1, 0.1, 0.094, 0.08836, 0.0830584]
    assert compute_learning_rates(recipe, 10, (0, 19, 20, 40, 79)) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("losses, rate", [
    ((), 0.4), ((1.0, 0.9, 0.8), 0.4),
    ((1.0, 1.0, 1.0), 0.2),  # two epochs without a lower one
    ((1.0, 1.0, 1.0, 1.0), 0.2), ((1.0,) * 5, 0.1), ((1.0,) * 7, 0.1), ((1.0,) * 50, 0.1),  # the floor
    ((1.0, 1.0, 0.9, 0.9, 0.8), 0.4),
    ((1.0, 0.99995, 0.9999), 0.2),  # lower by too little to count
])
def test_the_learning_rate_on_a_plateau(losses, rate):
    recipe = Recipe(learning_rate=0.4, lr_schedule="plateau", gamma=0.5, lr_patience=2, min_lr=0.1)
    assert schedules.compute_plateau_learning_rate(recipe, losses) == pytest.approx(rate)
    assert schedules.compute_epoch_learning_rate(recipe, 10,
                                                 [{"val_loss": loss} for loss in losses]) == pytest.approx(rate)


def test_the_plateau_is_that_of_keras():
    """The same losses through keras.callbacks.ReduceLROnPlateau."""
    losses = [2.0, 1.5, 1.6, 1.5, 1.49995, 1.4, 1.4, 1.4, 1.4, 1.3999, 1.2, 1.3, 1.1, 1.2, 1.2, 1.2, 1.2]
    recipe = Recipe(learning_rate=0.4, lr_schedule="plateau", gamma=0.5, lr_patience=3, min_lr=0.06)
    model = make_counting_model(2)
    model.compile(keras.optimizers.SGD(0.4), "mse")
    callback = keras.callbacks.ReduceLROnPlateau("val_loss", 0.5, 3, min_delta=schedules.PLATEAU_MIN_DELTA, min_lr=0.06)
    callback.set_model(model)
    callback.on_train_begin()
    for number, loss in enumerate(losses):
        callback.on_epoch_end(number, {"val_loss": loss})
        learning_rate = schedules.compute_plateau_learning_rate(recipe, losses[:number + 1])
        assert learning_rate == pytest.approx(float(model.optimizer.learning_rate))


@pytest.mark.parametrize("losses, stopped", [
    ((), False), ((1.0, 1.0), False), ((1.0, 1.0, 1.0), True), ((1.0, 1.0, 0.9, 0.9), False),
    ((1.0, 0.9999, 0.9998), True), ((1.0, 0.9, 0.8, 0.7, 0.7), False)])
def test_early_stopping(losses, stopped):
    history = [{"val_loss": loss} for loss in losses]
    assert has_stopped_early(Recipe(early_stopping_patience=2, early_stopping_min_delta=0.0005),
                             history) == stopped
    assert not has_stopped_early(Recipe(early_stopping_patience=0), history * 9)

@pytest.mark.parametrize("schedule", ["cosine", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.4, 1.0, 7.0])
def test_a_run_of_one_step_has_the_full_learning_rate(schedule, warmup):
    assert compute_learning_rates(Recipe(learning_rate=0.1, lr_schedule=schedule, warmup_epochs=warmup, epochs=1), 1,
                 [0]) == pytest.approx([0.1])


def test_where_an_epoch_is_one_step_the_first_step_has_a_learning_rate():
    recipe = Recipe(learning_rate=0.6, lr_schedule="constant", warmup_epochs=2.0, epochs=4)
    assert compute_learning_rates(recipe, 1, [0, 1, 2, 3]) == pytest.approx([0.2, 0.4, 0.6, 0.6])
    assert compute_learning_rates(recipe, 2, [0, 1, 2, 4]) == pytest.approx([0, 0.15, 0.3, 0.6])


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_a_warmup_longer_than_the_run_ends_with_it(schedule):
    recipe = Recipe(learning_rate=0.8, lr_schedule=schedule, warmup_epochs=9.0, epochs=2)
    assert compute_learning_rates(recipe, 4, [0, 1, 7]) == pytest.approx([0, 0.8 / 7, 0.8])  # of 8 steps


@pytest.mark.parametrize("epochs, warmup, expected", [(1, 0.0, True), (1, 1.0, False), (2, 1.0, True), (2, 5.0, False)])
def test_a_run_is_extended_only_where_its_learning_rates_stay(epochs, warmup, expected, tmp_path):
    recipe = Recipe(lr_schedule="constant", epochs=epochs, warmup_epochs=warmup)
    short, long = (compute_learning_rates(dataclasses.replace(recipe, epochs=count), 4, range(4 * epochs))
                   for count in (epochs, 9))
    assert np.array_equal(short, long) is expected
    run = RunConfig(registry.resolve_model_config("lenet5"), None, recipe, 0, None, "tensorflow", False)
    if expected:
        assert extend_epochs(tmp_path, run, 9).recipe.epochs == 9
        return
    with pytest.raises(UserError) as error:
        extend_epochs(tmp_path, run, 9)
    check_message(error.value, tmp_path, epochs, 9, "warmup_epochs", f"{warmup:g}", "name=...")



@pytest.mark.parametrize("name, kind, settings", [
    ("sgd", keras.optimizers.SGD, {"momentum": 0.8, "nesterov": False}),
    ("nesterov", keras.optimizers.SGD, {"momentum": 0.8, "nesterov": True}),
    ("adam", keras.optimizers.Adam, {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 0.01}),
    ("adamw", keras.optimizers.AdamW, {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 0.01}),
    ("rmsprop", keras.optimizers.RMSprop, {"momentum": 0.8, "rho": 0.7, "epsilon": 0.01}),
    ("adadelta", keras.optimizers.Adadelta, {"rho": 0.7, "epsilon": 0.01}),
])
def test_the_optimizer(name, kind, settings):
    made = optimizers.make_optimizer(Recipe(optimizer=name, learning_rate=0.25, momentum=0.8, rho=0.7, epsilon=0.01,
                                            lr_schedule="constant", warmup_epochs=0.0, global_clipnorm=2.0,
                                            ema_momentum=0.99), 10)
    assert made.get_config()["global_clipnorm"] == 2.0 and made.get_config()["ema_momentum"] == 0.99
    assert isinstance(made, kind)
    assert type(optimizers.make_optimizer(Recipe(optimizer=name), 1)) is kind  # nothing of ours without an average
    assert optimizers.make_optimizer(Recipe(optimizer=name),
                                     1).name == made.name  # checkpoints name its variables by it
    assert {key: made.get_config()[key] for key in settings} == settings
    assert float(keras.ops.convert_to_numpy(made.learning_rate)) == 0.25
    # Keras's own passes momentum by
    assert made.get_config()["weight_decay"] == (Recipe().weight_decay if name == "adamw" else None)


@pytest.mark.parametrize("momentum, decays", [
    (0.99, [0.0, 2 / 11, 3 / 12, 4 / 13, 5 / 14]),  # (1 + t) / (10 + t); the first step has no average yet
    (0.2, [0.0, 2 / 11, 0.2, 0.2, 0.2]),
])
def test_the_average_starts_with_a_low_momentum(momentum, decays):
    made = optimizers.make_optimizer(Recipe(optimizer="sgd", learning_rate=1.0, momentum=0.0, lr_schedule="constant",
                                            warmup_epochs=0.0, ema_momentum=momentum), 10)
    weight, average = keras.Variable([8.0]), None
    made.build([weight])
    for step, decay in enumerate(decays):
        made.apply([keras.ops.convert_to_tensor([float(step + 1)])])
        now = 8.0 - sum(range(1, step + 2))
        average = decay * (average or 0.0) + (1 - decay) * now
    made.finalize_variable_values([weight])
    assert float(keras.ops.convert_to_numpy(weight)[0]) == pytest.approx(average, rel=1e-5)


# Weight decay

X = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.25]], np.float32)
T = np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0]], np.float32)
KERNEL = np.array([[0.5, -0.25], [1.0, 0.75]])
BIAS = np.array([0.1, -0.2])


def train_by_hand(steps, rate, momentum, nesterov, weight_decay):
    """Mean squared error of X @ kernel + bias from T, stepped as Sutskever et al. 2013 write momentum."""
    weights = [KERNEL.copy(), BIAS.copy()]
    speed = [np.zeros((2, 2)), np.zeros(2)]
    for _ in range(steps):
        slope = 2 * (X @ weights[0] + weights[1] - T) / T.size
        gradients = [X.T @ slope + weight_decay * weights[0], slope.sum(axis=0)]
        for i, gradient in enumerate(gradients):
            speed[i] = momentum * speed[i] - rate * gradient
            weights[i] = weights[i] + (momentum * speed[i] - rate * gradient if nesterov else speed[i])
    return weights


@pytest.mark.parametrize("name", ["sgd", "nesterov"])
@pytest.mark.parametrize("momentum, steps", [(0.0, 1), (0.9, 1), (0.9, 2), (0.9, 3)])
def test_weight_decay_is_added_to_the_gradient_of_the_kernel(name, momentum, steps):
    image = keras.Input((2,))
    model = keras.Model(image, keras.layers.Dense(2, name="dense")(image))
    model.set_weights([KERNEL, BIAS])
    optimizers.add_weight_decay(model, 0.3)
    model.compile(optimizers.make_optimizer(Recipe(name, 0.05, momentum, lr_schedule="constant", warmup_epochs=0.0), 1),
                  "mse")
    for _ in range(steps):
        model.train_on_batch(X, T)
    kernel, bias = train_by_hand(steps, 0.05, momentum, name == "nesterov", 0.3)
    assert np.allclose(model.get_weights()[0], kernel, atol=1e-6)
    assert np.allclose(model.get_weights()[1], bias, atol=1e-6)
    without = train_by_hand(steps, 0.05, momentum, name == "nesterov", 0.0)
    assert np.abs(kernel - without[0]).max() > 1e-3  # so that the comparison means something


def train_one_step(weight_decay):
    """The weights by path before and after a step of a net with every kind of weight; the data do not vary."""
    keras.utils.set_random_seed(3)
    image = keras.Input((4, 4, 1))
    x = keras.layers.Conv2D(2, 3, name="conv", bias_initializer="ones")(image)
    x = keras.layers.BatchNormalization(name="bn")(x)
    model = keras.Model(image, keras.layers.Dense(2, name="dense", bias_initializer="ones")(
        keras.layers.Flatten()(x)))
    optimizers.add_weight_decay(model, weight_decay)
    model.compile(optimizers.make_optimizer(Recipe("sgd", 0.1, 0.9, lr_schedule="constant", warmup_epochs=0.0), 1),
                  "mse")
    before = {weight.path: keras.ops.convert_to_numpy(weight).copy() for weight in model.trainable_weights}
    images = np.random.default_rng(0).random((8, 4, 4, 1))
    model.train_on_batch(images, images[:, 0, :2, 0])
    return before, {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.trainable_weights}


def test_only_kernels_decay():
    before, plain = train_one_step(0.0)
    again, decayed = train_one_step(0.5)
    assert {path.split("/")[-1] for path in before} == {"kernel", "bias", "gamma", "beta"}
    for path in before:
        assert np.array_equal(before[path], again[path])
        pulled = 0.1 * 0.5 * before[path] if path.endswith("kernel") else 0.0
        assert np.allclose(plain[path] - decayed[path], pulled, atol=1e-6), path


def list_kernels(model):
    return {variable.path for _, variable in optimizers.get_kernels(model)}


def test_the_kernels_of_a_separable_convolution_are_two():
    image = keras.Input((4, 4, 2))
    x = keras.layers.SeparableConv2D(3, 3, name="sep")(image)
    model = keras.Model(image, keras.layers.PReLU(shared_axes=[1, 2], name="prelu")(x))
    assert list_kernels(model) == {"sep/depthwise_kernel", "sep/pointwise_kernel"}
    model.get_layer("sep").trainable = False
    assert list_kernels(model) == set()


# The longest that a unit's incoming weights may be

def compute_norms_after_training(tmp_path, max_norm):
    """{layer: the norms of its units' incoming weights} after two epochs with a large rate, worked out in NumPy."""
    keras.utils.set_random_seed(1)
    image = keras.Input((4, 4, 1))
    x = keras.layers.Conv2D(3, 3, activation="relu", name="conv")(image)
    x = keras.layers.SeparableConv2D(3, 2, name="sep")(x)
    model = keras.Model(image, keras.layers.Dense(5, name="out")(keras.layers.Flatten(name="flatten")(x)))
    rng = np.random.default_rng(2)
    split = Split(rng.integers(0, 3, (40, 4, 4, 1), np.uint8), rng.integers(0, 5, 40), np.arange(40))
    (tmp_path / "checkpoints").mkdir(parents=True)
    recipe = Recipe("sgd", 0.3, 0.9, lr_schedule="constant", warmup_epochs=0.0, weight_decay=0.0, batch_size=10,
                    epochs=2, max_norm=max_norm)
    trainer.train_model(model, Dataset(None, split, split, None, "", ()), recipe, 0, tmp_path)
    trained = read_arrays(tmp_path / "checkpoints" / "last.npz")
    units = {"conv": ("kernel", 3), "sep": ("pointwise_kernel", 3), "out": ("kernel", 5)}
    norms = {layer: np.sqrt((trained[f"weights/{layer}/{name}"].reshape(-1, count).astype(float) ** 2).sum(axis=0))
             for layer, (name, count) in units.items()}
    norms["depthwise"] = np.sqrt((trained["weights/sep/depthwise_kernel"].reshape(4, 3).astype(float) ** 2).sum(axis=0))
    return norms


def test_max_norm_limits_incoming_weights(tmp_path, capsys):
    free = compute_norms_after_training(tmp_path / "free", "")
    assert all((norms > 0.6).any() for norms in free.values())
    held = compute_norms_after_training(tmp_path / "held", "0.6 out=0.4")
    for layer, longest in {"conv": 0.6, "sep": 0.6, "depthwise": 0.6, "out": 0.4}.items():
        assert held[layer].max() == pytest.approx(longest, abs=1e-5), layer  # the longest stands at the limit
    one = compute_norms_after_training(tmp_path / "one", "out=0.4")
    assert one["out"].max() == pytest.approx(0.4, abs=1e-5) and one["conv"].max() > 0.6


@pytest.mark.parametrize("max_norm, parts", [
    ("1.9 outputs=1", "max_norm lenet5 outputs output"),
    ("S2=1", "max_norm lenet5 S2 C1 C3 C5 F6 output"),
    ("hidden=1", "max_norm lenet5 hidden C1 C3 C5 F6 output"),
])
def test_a_max_norm_for_a_layer_without_a_kernel(max_norm, parts):
    with pytest.raises(UserError) as error:
        optimizers.add_max_norm(build_small_lenet(), max_norm)
    check_message(error.value, *parts.split())


# The losses

LOGITS = np.random.default_rng(4).normal(0, 5, (6, 4)).astype(np.float32)
LABELS = np.array([0, 3, 1, 1, 2, 0])


def cross_entropy_in_numpy(smoothing):
    """Szegedy et al. 2015, section 7, with float64 and whole targets."""
    probable = np.exp(LOGITS.astype(float)) / np.exp(LOGITS.astype(float)).sum(axis=1, keepdims=True)
    targets = (1 - smoothing) * np.eye(4)[LABELS] + smoothing / 4
    return -(targets * np.log(probable)).sum(axis=1)


def compute_losses(loss, labels=LABELS, logits=LOGITS):
    targets = keras.ops.convert_to_tensor(one_hot(labels, logits.shape[1]))
    return keras.ops.convert_to_numpy(loss(targets, keras.ops.convert_to_tensor(logits)))


def test_targets_are_float32_whatever_the_labels_are():
    for labels in (LABELS, LABELS.astype(np.uint8)):
        targets = one_hot(labels, 4)
        assert targets.dtype == np.float32 and targets.tolist() == np.eye(4)[LABELS].tolist()


def test_targets_of_many_classes_take_no_more_memory_than_themselves():
    tracemalloc.start()
    try:
        targets = one_hot(np.array([1, 1999]), 2000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.argwhere(targets).tolist() == [[0, 1], [1, 1999]] and targets.sum() == 2
    assert peak < 2 * targets.nbytes  # an identity matrix of 2000 x 2000 takes 16 MB


def test_the_losses_in_numpy():
    assert compute_losses(losses.cross_entropy) == pytest.approx(cross_entropy_in_numpy(0), rel=1e-5)
    for smoothing in (0.1, 0.5):
        assert compute_losses(losses.make_label_smoothing_loss(smoothing)) == pytest.approx(
            cross_entropy_in_numpy(smoothing), rel=1e-5)
    assert compute_losses(losses.is_correct).tolist() == (LOGITS.argmax(axis=1) == LABELS).tolist()
    distances = -LOGITS.astype(float)  # LeCun et al. 1998, equation 9
    expected = distances[range(6), LABELS] + np.log(np.exp(-0.1) + np.exp(-distances).sum(axis=1))
    assert compute_losses(losses.lenet_map_loss) == pytest.approx(expected, rel=1e-5)


def test_equation_9_far_from_all_codes():
    """exp(-y) is 0 in float32: log(exp(-j)) is left, and the distance."""
    far = np.full((1, 4), -1e4, np.float32)
    assert compute_losses(losses.lenet_map_loss, LABELS[:1], far) == pytest.approx([1e4 - 0.1])
    near = np.array([[0.0, -1e4, -1e4, -1e4]], np.float32)
    assert compute_losses(losses.lenet_map_loss, LABELS[:1], near) == pytest.approx([np.log(np.exp(-0.1) + 1)])


@pytest.mark.parametrize("recipe, minimised, seen", [
    (Recipe(), losses.cross_entropy, losses.cross_entropy),
    (Recipe(label_smoothing=0.1), losses.make_label_smoothing_loss(0.1), losses.cross_entropy),
    (Recipe(loss="map_distance"), losses.lenet_map_loss, losses.lenet_map_loss),
])
def test_training_loss_and_reported_loss(tmp_path, capsys, recipe, minimised, seen):
    """An epoch with a rate too small to move: the history has the one, Keras's own loss the other."""
    split = Split(np.arange(6, dtype=np.uint8).reshape(-1, 1, 1, 1), LABELS, np.arange(6))
    image = keras.Input((1, 1, 1), dtype="uint8")
    model = keras.Model(image, keras.layers.Embedding(6, 4, name="table")(keras.layers.Flatten()(image)[:, 0]))
    model.get_layer("table").set_weights([LOGITS])
    (tmp_path / "checkpoints").mkdir()
    still = dataclasses.replace(recipe, learning_rate=1e-30, momentum=0.0, weight_decay=0.0, batch_size=4, epochs=1)
    row = trainer.train_model(model, Dataset(None, split, split, None, "", ()), still, 0, tmp_path).best
    assert row["loss"] == pytest.approx(compute_losses(seen).mean(), rel=1e-5)
    assert row["val_loss"] == pytest.approx(compute_losses(seen).mean(), rel=1e-5)
    logs = model.evaluate(split.batch(np.arange(6))[0], one_hot(LABELS, 4), 4, return_dict=True, verbose=0)
    assert logs[REPORTED_LOSS] == pytest.approx(compute_losses(seen).mean(), rel=1e-5)
    assert logs["loss"] == pytest.approx(compute_losses(minimised).mean(), rel=1e-5)


# Pixels to the network

def normalize_pixels(images, mean, std):
    return ((images / 255 - np.array(mean)) / np.array(std)).astype(np.float32)


def pixels(*shape):
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("plan, mean, std", [
    (("lenet5", (28, 28, 1), 10), (0.1313,), (0.3085,)),
    (("vgg16", (32, 32, 3), 5, 0.03), (0.49, 0.2, 0.7), (0.25, 0.1, 0.4)),
])
def test_a_model_of_raw_pixels_is_the_network_after_normalization(plan, mean, std):
    plan = registry.resolve_model_config(*plan)
    model, network = model_loading.build_with_preprocessing(plan, mean, std, "softmax"), builder.build_model(plan)
    network.set_weights(model.get_weights())
    images = pixels(6, *plan.input_shape)
    assert model.input.dtype == "uint8"
    expected = network.predict(normalize_pixels(images, mean, std), verbose=0)
    assert np.allclose(model.predict(images, verbose=0), expected, atol=1e-6)
    shown = keras.Model(model.input, model.get_layer("preprocessing").output).predict(images, verbose=0)
    assert shown.dtype == np.float32 and np.allclose(shown, normalize_pixels(images, mean, std), atol=1e-5)


def test_the_model_is_flat():
    model = model_loading.build_with_preprocessing(registry.resolve_model_config("lenet5"), (0.1313,), (0.3085,), None)
    assert [layer.name for layer in model.layers] == [
        "image", "preprocessing", "C1", "S2", "C3", "S4", "flatten", "C5", "F6", "output", "predictions"]
    assert model.get_layer("C1").kernel.shape == (5, 5, 1, 6)


def test_pixels_are_normalized_in_float32_whatever_the_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = model_loading.build_with_preprocessing(registry.resolve_model_config("lenet5"), (0.1313,), (0.3085,),
                                                       None)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("C1").compute_dtype == "bfloat16"
    images = np.arange(256, dtype=np.uint8).repeat(784).reshape(256, 28, 28, 1)  # every value of a pixel
    shown = keras.Model(model.input, model.get_layer("preprocessing").output).predict(images, verbose=0)
    assert shown.dtype == np.float32
    assert np.allclose(shown, normalize_pixels(images, (0.1313,), (0.3085,)), atol=1e-6)
    assert model.predict(images[:2], verbose=0).dtype == np.float32


# Checkpoints

def build_small_lenet(seed=0):
    keras.utils.set_random_seed(seed)
    return model_loading.build_with_preprocessing(registry.resolve_model_config("lenet5"), (0.1313,), (0.3085,),
                                                  "softmax")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint of a lenet5 after two steps, and the model; no test changes them."""
    folder = tmp_path_factory.mktemp("checkpoint")
    model = build_small_lenet()
    model.compile("adam", "sparse_categorical_crossentropy")
    for _ in range(2):
        model.train_on_batch(pixels(8, 28, 28, 1), np.arange(8))
    write_arrays(folder / "last.npz", checkpoints.get_training_state(model))
    return folder / "last.npz", model


def test_a_checkpoint_restores_the_weights(checkpoint):
    path, model = checkpoint
    other, images = build_small_lenet(seed=1), pixels(5, 28, 28, 1)
    assert not np.array_equal(other.predict(images, verbose=0), model.predict(images, verbose=0))
    model_loading.load_checkpoint_weights(other, path)
    assert all(np.array_equal(a, b) for a, b in zip(other.get_weights(), model.get_weights(), strict=True))
    assert np.array_equal(other.predict(images, verbose=0), model.predict(images, verbose=0))


def test_a_checkpoint_holds_all_that_training_changes(checkpoint):
    arrays = read_arrays(checkpoint[0])
    assert arrays["weights/C1/kernel"].shape == (5, 5, 1, 6)
    steps = [array for path, array in arrays.items() if path.startswith("optimizer/") and path.endswith("iteration")]
    assert steps == [2]
    # ten weights; Adam's iteration and two moments of each, perhaps its rate
    assert sum(path.startswith("weights/") for path in arrays) == 10
    assert sum(path.endswith(("_momentum", "_velocity")) for path in arrays) == 20


def test_a_checkpoint_holds_the_seeds_of_dropout():
    model = model_loading.build_with_preprocessing(registry.resolve_model_config("vgg16", (32, 32, 3), 5, 0.02),
                                                   (0.5,) * 3, (0.25,) * 3, None)
    model.compile("sgd", "mse")
    assert [path for path in checkpoints.get_training_state(model)
            if path.startswith("seeds/")] == ["seeds/0", "seeds/1"]


def damage_file(path, how):
    data = bytearray(path.read_bytes())
    if how == "cut off":
        data = data[:len(data) // 2]
    elif how == "a byte changed":
        data[len(data) // 2] ^= 0xFF
    elif how == "empty":
        data = b""
    elif how == "text":
        data = b"these are no arrays\n"
    path.write_bytes(data)
    if how == "one array":
        with open(path, "wb") as file:
            np.save(file, np.zeros(3))
    if how == "pickled":
        with open(path, "wb") as file:
            np.savez(file, **{"weights/C1/kernel": np.array([{}], object)})


@pytest.mark.parametrize("how", ["cut off", "a byte changed", "empty", "text", "one array", "pickled"])
def test_a_damaged_checkpoint_is_refused(checkpoint, how, tmp_path):
    path = tmp_path / "last.npz"
    shutil.copy(checkpoint[0], path)
    damage_file(path, how)
    with pytest.raises(UserError) as error:
        model_loading.load_checkpoint_weights(build_small_lenet(), path)
    check_message(error.value, path)


def test_a_checkpoint_of_another_model_is_refused(checkpoint):
    path, _ = checkpoint
    other = model_loading.build_with_preprocessing(registry.resolve_model_config("vgg16", (32, 32, 3), 5, 0.02),
                                                   (0.5,) * 3, (0.25,) * 3, None)
    with pytest.raises(UserError) as error:
        model_loading.load_checkpoint_weights(other, path)
    check_message(error.value, "last.npz", "vgg16", "conv1_1/kernel")
    wide = model_loading.build_with_preprocessing(registry.resolve_model_config("lenet5", width=2.0), (0.1,), (0.3,),
                                                  None)
    with pytest.raises(UserError) as error:
        model_loading.load_checkpoint_weights(wide, path)
    check_message(error.value, "last.npz", "lenet5", "C1/kernel", "float32", "(5, 5, 1, 6)")


# zoo.load

@pytest.fixture
def run(tmp_path):
    """A run directory of which best and last differ, and the models of both."""
    run, models = tmp_path / "a-run", {}
    (run / "checkpoints").mkdir(parents=True)
    for seed, name in enumerate(("best", "last")):
        models[name] = build_small_lenet(seed)
        models[name].compile("sgd", "mse")
        write_arrays(run / "checkpoints" / f"{name}.npz", checkpoints.get_training_state(models[name]))
    (run / "run.json").write_text(json.dumps({
        "model": "lenet5",
        "dataset": {"name": "mnist", "class_names": [*"0123456789"], "mean": [0.1313], "std": [0.3085]},
        "model_config": {"name": "lenet5", "input_shape": [28, 28, 1], "classes": 10, "width": 1.0, "stem": "paper",
                      "options": {}}}))
    return run, models


def test_load_a_run(run):
    folder, models = run
    images = pixels(4, 28, 28, 1)
    best, last = (models[name].predict(images, verbose=0) for name in ("best", "last"))
    assert not np.allclose(best, last)
    assert np.array_equal(zoo.load(folder).predict(images, verbose=0), best)
    assert np.array_equal(zoo.load(str(folder), "best").predict(images, verbose=0), best)
    assert np.array_equal(zoo.load(folder, checkpoint="last").predict(images, verbose=0), last)
    assert np.allclose(best.sum(axis=1), 1, atol=1e-6)


def test_load_a_keras_file(run, tmp_path):
    _, models = run
    models["best"].save(tmp_path / "model.keras")
    images = pixels(4, 28, 28, 1)
    assert np.array_equal(zoo.load(tmp_path / "model.keras").predict(images, verbose=0),
                          models["best"].predict(images, verbose=0))


def check_refused(parts, *arguments):
    with pytest.raises(UserError) as error:
        zoo.load(*arguments)
    check_message(error.value, *parts)


def test_load_refuses_other_sources(run, tmp_path):
    folder, _ = run
    (tmp_path / "text.keras").write_text("no model")
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("no model")
    check_refused(["checkpoint", "best", "last", "worst"], folder, "worst")
    check_refused([tmp_path / "text.keras", "zip"], tmp_path / "text.keras")
    with zipfile.ZipFile(tmp_path / "zip.keras", "w") as file:
        file.writestr("config.json", "no model")
    check_refused([tmp_path / "zip.keras", "Keras"], tmp_path / "zip.keras")
    check_refused([tmp_path / "empty", "run.json"], tmp_path / "empty")
    for name in ("note.txt", "not-there", "not-there.keras"):
        check_refused([tmp_path / name, ".keras"], tmp_path / name)


def test_load_refuses_a_run_without_a_checkpoint(run):
    folder, _ = run
    (folder / "checkpoints" / "best.npz").unlink()
    check_refused([folder, "best"], folder)
    shutil.rmtree(folder / "checkpoints")
    check_refused([folder, "last"], folder, "last")


@pytest.mark.parametrize("change", [
    lambda facts: facts.pop("model_config"),
    lambda facts: facts.pop("dataset"),
    lambda facts: facts["model_config"].update(color="red"),
    lambda facts: facts["model_config"].update(name="lenet6"),
    lambda facts: facts["dataset"].update(std=[0.0]),
    lambda facts: facts["dataset"].update(std=[0.5, 0.5]),
    lambda facts: facts["dataset"].update(mean=None),
], ids=["no model_config", "no dataset", "unknown argument", "unknown network", "std 0", "two stds", "no mean"])
def test_load_refuses_a_damaged_run_json(run, change):
    folder, _ = run
    facts = json.loads((folder / "run.json").read_text())
    change(facts)
    (folder / "run.json").write_text(json.dumps(facts))
    check_refused([folder / "run.json"], folder)


def test_load_refuses_a_run_json_that_is_no_json(run):
    folder, _ = run
    (folder / "run.json").write_text('{"model": ')
    check_refused([folder / "run.json"], folder)


# The test split, and the numbers of an epoch

def test_the_accuracy_counts_the_images_of_the_last_partial_batch():
    """The model predicts 12 - n for image n: correct for image 6 alone, and for 11 and 12 once relabeled."""
    split = make_numbered_split(13)
    model = make_counting_model(13)
    model.get_layer("out").set_weights([np.eye(13)[::-1] * 9.0, np.zeros(13)])
    split.labels[11:] = (1, 0)
    probable = evaluation.predict_probabilities(model, split, 5)
    assert probable.shape == (13, 13) and probable.dtype == np.float32
    assert probable.argmax(axis=1).tolist() == [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert evaluation.compute_accuracy(probable, split.labels) == 3 / 13
    # softmax of one 9 and twelve 0
    assert np.allclose(probable.max(axis=1), np.exp(9) / (np.exp(9) + 12), atol=1e-6)


def test_the_best_epoch_by_accuracy_then_loss():
    rows = [{"val_accuracy": accuracy, "val_loss": loss} for accuracy, loss in
            ((0.5, 1.0), (0.7, 2.0), (0.7, 1.5), (0.7, 1.5), (0.6, 0.1))]
    assert max(range(5), key=lambda i: get_selection_key(rows[i])) == 2


@pytest.mark.parametrize("value, expected", [
    (np.float32(0.1), 0.1), (float(np.float32(0.35)), 0.35), (0.0, 0.0), (float(np.float32(1 / 3)), 0.33333334)])
def test_numbers_are_written_as_short_as_float32_allows(value, expected):
    assert shorten_float32(value) == expected


@pytest.mark.parametrize("seconds, text", [
    (0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"),
    (3599.7, "1 h 00 min"), (7500, "2 h 05 min")])
def test_format_duration(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize("loss, text", [
    (0.0, "0.0000"), (2.302585, "2.3026"), (99999.5, "99999.5000"), (4203887600000000107479040.0, "4.2e+24"),
    (1e5, "1e+05")])
def test_losses_as_text(loss, text):
    assert format_loss(loss) == text


def test_a_loss_that_is_not_finite_ends_the_training(tmp_path, capsys):
    (tmp_path / "checkpoints").mkdir()
    dataset = Dataset(None, make_numbered_split(13), make_numbered_split(5), None, "", ())
    recipe = Recipe("sgd", 3e38, 0.9, lr_schedule="constant", warmup_epochs=0.0, weight_decay=0.0, batch_size=4,
                    epochs=3)
    with pytest.raises(FloatingPointError) as error:
        trainer.train_model(make_counting_model(13), dataset, recipe, 0, tmp_path)
    check_message(error.value, "loss", "epoch 1")
    assert not (tmp_path / "history.csv").exists()
    assert not list((tmp_path / "checkpoints").iterdir())


# The weights before the first step

@pytest.mark.parametrize("name", slow_if_large(zoo.list_models(), {*LARGE, "resnet18_v1", "resnet34", "resnet50"}))
def test_initial_weights_depend_on_the_seed_and_no_two_layers_share_them(name):
    def kernels(seed):
        keras.utils.set_random_seed(seed)
        width = 1.0 if registry.get_model_info(name).fixed_width else 0.05
        model_info = registry.get_model_info(name)
        is_small = name == "lenet5" or model_info.modality.name == "text"
        model = zoo.build(name, model_info.input_shape if is_small else (32, 32, 3), 10, width=width)
        return {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.trainable_weights
                if weight.name == "kernel"}

    first, again, other = kernels(4), kernels(4), kernels(5)
    for path, kernel in first.items():
        assert kernel.size == 1 or kernel.std() > 0
        assert np.array_equal(kernel, again[path])
        assert not np.array_equal(kernel, other[path])
    assert len({kernel.tobytes() for kernel in first.values()}) == len(first)
