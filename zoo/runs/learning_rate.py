"""`zoo.find_learning_rate`: the learning rate range test, with the same model, batches and recipe as training."""

import functools
import math
from dataclasses import dataclass
from numbers import Real

import numpy as np

from zoo import registry
from zoo.data.loading import load_data
from zoo.errors import UserError
from zoo.runs import session_device
from zoo.runs.arguments import check_limit, check_seed
from zoo.runs.backend import check_device_precision
from zoo.runs.process_state import train_alone
from zoo.runs.progress_display import make_progress_display
from zoo.runs.stages import get_aux_loss_weights, write_model_file
from zoo.training import run_config_factory
from zoo.training.recipe import MAX_VALUE
from zoo.utils.io import check_writable
from zoo.utils.validation import is_integer

MAX_STEPS = 10_000


@dataclass(frozen=True)
class LearningRateTest:
    """The result of a learning rate range test. A notebook shows its plot.

    Attributes:
        learning_rates: tuple of float, the learning rate of each step.
        losses: tuple of float, the training loss of each step.
        smoothed_losses: tuple of float, the moving average of the losses.
        suggestion: float, the learning rate at which the smoothed loss falls fastest, to two significant digits; None
            where it does not fall.
        has_diverged: bool, whether the test stopped before the highest learning rate because the loss diverged.
        title: str, the model and the dataset, such as "lenet5 on digits".
    """

    learning_rates: tuple
    losses: tuple
    smoothed_losses: tuple
    suggestion: float | None
    has_diverged: bool
    title: str

    def plot(self):
        """Return a matplotlib Figure of the loss against the learning rate."""
        from zoo.plots.lr_curve import plot_lr_curve

        divergence = (f"the loss diverged at {self.learning_rates[-1]:.2g}" if self.has_diverged
                      else "the loss did not diverge")
        descent = (f"steepest descent at {self.suggestion:g}" if self.suggestion is not None
                   else "no suggestion, because the loss did not fall")
        return plot_lr_curve(self.learning_rates, self.losses, self.smoothed_losses, self.suggestion,
                             title=f"Learning rate range test: {self.title}",
                             subtitle=f"{len(self.learning_rates)} steps · {descent} · {divergence}")

    def save(self, path):
        """Write the plot to a .png file; return its Path."""
        path = check_figure_path(path)

        from zoo.plots.figures import write_png

        write_png(self.plot(), path)
        return path

    def __repr__(self):
        return f"<zoo.LearningRateTest of {self.title}: suggestion {self.suggestion}, {len(self.learning_rates)} steps>"

    def _repr_png_(self):
        return self.plot()._repr_png_()


def check_figure_path(path):
    """Return `path` as a writable Path; UserError unless it is a .png file."""
    if not str(path).lower().endswith(".png"):
        raise UserError(f"the plot must be a .png file; got {str(path)!r}")
    return check_writable(path)


def check_lr_range(min_lr, max_lr, steps):
    """Raise UserError for an invalid range or number of steps."""
    for name, value in (("min_lr", min_lr), ("max_lr", max_lr)):
        if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value <= MAX_VALUE:
            raise UserError(f"{name} must be a number above 0; got {value!r}")
    if min_lr >= max_lr:
        raise UserError(f"min_lr must be lower than max_lr; got {min_lr:g} and {max_lr:g}")
    if not is_integer(steps) or not 10 <= steps <= MAX_STEPS:
        raise UserError(f"steps must be an integer from 10 to {MAX_STEPS:,}; got {steps!r}")


def find_learning_rate(model, dataset="digits", *, min_lr=1e-5, max_lr=10.0, steps=100, recipe=None, seed=0,
                       limit=None, label_mode="fine", data_dir=None, image_size=None, validation_data=None,
                       test_data=None, class_names=None, sequence_length=None, preset=None, width=None, stem="auto",
                       gpu=None, backend=None, precision="float32", **keywords):
    """Run the learning rate range test of Smith 2017 (arXiv:1506.01186) and return its result.

    A new model, or a copy of your own, is trained for `steps` steps while the learning rate rises exponentially;
    everything else is as in `zoo.fit`: initial weights, batches, augmentation, optimizer and weight decay. The test
    stops early when the smoothed loss reaches four times its minimum. The suggestion is the learning rate at which the
    smoothed loss falls fastest with the logarithm of the learning rate. No run directory is created.

    Args:
        model: one of `zoo.list_models()`; or your own Keras model, as for `zoo.fit`, which is not changed.
        dataset: as for `zoo.fit`, and so are the arguments not listed here.
        min_lr, max_lr: float, the learning rates of the first and the last step.
        steps: int, from 10 to 10,000.

    Returns:
        A `LearningRateTest` with `suggestion`, a float, or None where the loss does not fall; `learning_rates`,
        `losses` and `smoothed_losses`, tuples of float; `has_diverged`, a bool; `plot()`, which returns a matplotlib
        Figure; and `save("lr.png")`.

    Raises:
        zoo.errors.UserError: invalid arguments or data, in one line; before a backend is loaded where possible.

    Example:

    >>> test = zoo.find_learning_rate("lenet5", "digits", optimizer="adam")
    >>> run = zoo.fit("lenet5", "digits", optimizer="adam", learning_rate=test.suggestion)
    """
    check_lr_range(min_lr, max_lr, steps)
    seed, limit = check_seed(seed), check_limit(limit)
    run_config_factory.check_training_keywords("zoo.find_learning_rate", find_learning_rate, model, keywords)
    load_dataset = functools.partial(
        load_data, dataset, data_dir=data_dir, limit=limit, label_mode=label_mode, image_size=image_size,
        validation_data=validation_data, test_data=test_data, class_names=class_names, sequence_length=sequence_length)
    settings = {"recipe": recipe, "seed": seed, "limit": limit, "backend": backend, "precision": precision,
                "deterministic": False}
    run_config_factory.refuse_fields_of_training(keywords)
    if isinstance(model, str):
        own_model, model_info = None, registry.get_model_info(model)
        run_config_factory.check_source_modality(model_info, dataset)
        options, fields = run_config_factory.split_keywords(model_info, keywords)
        width, options = run_config_factory.apply_preset(model_info, preset, width, options)
        data = load_dataset(**run_config_factory.get_source_arguments(model_info, None, options))
        run_config = run_config_factory.make_run_config(model_info, data.info, overrides=fields, width=width,
                                                        stem=stem, options=options, **settings)
    else:
        from zoo.training import custom_model  # Keras

        own_model = model
        custom_model.check_custom_model(model)
        run_config_factory.refuse_catalogue_arguments(preset=preset, width=width,
                                                      stem=None if stem == "auto" else stem)
        data = load_dataset(**custom_model.get_source_arguments(model))
        run_config = run_config_factory.make_custom_run_config(
            custom_model.make_custom_model_config(model, data.info), data.info, overrides=keywords, **settings)
    device = session_device.prepare_device(gpu, run_config.backend, run_config.deterministic)
    with train_alone(make_progress_display(verbose=False)):
        return run_learning_rate_test(run_config, data, device, min_lr, max_lr, steps, own_model)


def run_learning_rate_test(run_config, dataset, device, min_lr, max_lr, steps, own_model=None):
    """Run the test for a RunConfig on a prepared `devices.Device`; return its LearningRateTest. Nothing is written.

    own_model: the user's own Keras model, where the RunConfig is for one; it is not changed.
    """
    if len(device.gpus) > 1:
        raise UserError(f"the learning rate range test runs on one device; got {len(device.gpus)} GPUs")

    from zoo.training.backend import load_backend

    check_device_precision(run_config, load_backend(run_config.backend, device))

    from zoo.training import lr_range_test, model_building

    learning_rates = np.geomspace(min_lr, max_lr, steps)
    with write_model_file(own_model) as model_file:
        model, _ = model_building.build_run_model(run_config, model_file)
    losses = lr_range_test.run_range_test(model, dataset, run_config.recipe, run_config.seed, learning_rates,
                                          get_aux_loss_weights(run_config))
    learning_rates = learning_rates[:len(losses)]
    suggestion = lr_range_test.find_steepest_learning_rate(learning_rates, losses)
    return LearningRateTest(
        tuple(map(float, learning_rates)), tuple(losses), tuple(lr_range_test.smooth_losses(losses)),
        None if suggestion is None else round_to_two_digits(suggestion), lr_range_test.has_diverged(losses),
        f"{run_config.model_name} on {run_config.dataset.name}")


def round_to_two_digits(value):
    """Return a positive number rounded to two significant digits."""
    return round(value, 1 - math.floor(math.log10(value)))
