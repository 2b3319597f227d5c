"""`zoo.fit`, and resuming a run, from Python. No backend is loaded when this is imported."""

import functools
import os
import time
from dataclasses import dataclass, replace

from zoo import registry
from zoo.data.loading import load_data
from zoo.errors import UserError
from zoo.reports.missing_outputs import draw_missing_outputs
from zoo.runs.data import check_same_data, reload_run_dataset
from zoo.runs.device_choice import prepare_run_device
from zoo.runs.progress_display import make_progress_display
from zoo.runs.run import Run
from zoo.runs.session import Session
from zoo.runs.stages import read_finished_result
from zoo.training import (class_weights, finetuning, loggers, recipe as recipes, run_config as plans, run_directory,
                          run_files)
from zoo.training.run_config_factory import (apply_preset, get_folder_image_shape, make_custom_run_config,
                                             make_run_config, resolve_backbone_weights, split_keywords)
from zoo.utils.io import expand_user


# Keras's callbacks that set the learning rate, and the recipe's fields for the same
LR_CALLBACKS = {"ReduceLROnPlateau": "lr_schedule='plateau', lr_patience and gamma",
                "LearningRateScheduler": "lr_schedule, learning_rate and warmup_epochs"}


@dataclass(frozen=True)
class SessionResult:
    """What `run_work` hands back from a session: the run directory and why training stopped early, or None."""

    run: object
    reason: str | None


def run_work(work, run, recipe, stopper, resume_hint, host_group):
    """Let errors pass, as exceptions of their kind; see `zoo.runs.session.Session`."""
    from zoo.training import failures

    try:
        work()
    except (FloatingPointError, MemoryError, OSError) as error:
        _, words = failures.explain_failure(error, recipe)
        raise type(error)(f"{words}; {run} keeps what was saved") from error
    return SessionResult(run, stopper and stopper.reason)


def fit(model, dataset="digits", *, recipe=None, weights=None, freeze=None, head_layers=(), pooling=None,
        feature_layer=None, two_stage=False, head_epochs=None, backbone_learning_rate=None, strategy=None,
        preprocessing=None, class_weight=None, seed=0, name=None, output_dir="runs", limit=None, labels="fine",
        data_dir=None, image_size=None, validation_data=None, test_data=None, class_names=None, labels_from="folder",
        invalid_images="error", preset=None, width=None, stem="auto", gpu=None, backend=None, precision="float32",
        deterministic=False, max_seconds=None, callbacks=None, log=None, verbose=True, **keywords):
    """Train a model from scratch, or fine-tune a pretrained one, into a run directory, and return the `Run`.

    The best epoch is chosen on the validation split; the test split is evaluated once, at the end. A run that was
    interrupted, by Ctrl-C, `max_seconds` or a callback, resumes with `Run.resume()`, or when the same call with the
    same `name` comes again: bit for bit on the CPU.

    Args:
        model: one of `zoo.list_models()`; or a functional or Sequential Keras model of your own, from images to logits
            or probabilities, which is trained from the weights that it has. Its pixels are standardized in front of it,
            those of a folder brought to -1..1, unless it has a Rescaling or Normalization layer. It is saved into the
            run directory, and is not changed itself: `Run.load_model` has the trained one.
        dataset: what to train on, as for `zoo.load_data`: the name of a data set; a folder with a folder of images for
            each class; an `.npz` file in Keras's or MedMNIST's layout; a pair of arrays (images, labels), or a pair of
            such pairs for training and test, as Keras's `load_data()` returns; or a `zoo.Dataset`. Images are raw
            pixels, 0 to 255: the model scales them.
        recipe: how it is trained: "modern", "paper", "notes" or "finetune"; default: "finetune" with `weights`, else
            "modern"; `zoo recipes MODEL DATASET` lists the fields.
        weights: None, from scratch; or what the backbone starts with, under a new head: "imagenet", "cifar10", "mnist",
            a run directory, or a weights file (see docs/weights.md).
        freeze: what of a pretrained backbone is not trained: "all", "none", the name of a layer, up to which it is
            frozen, or how many of its layers, an int; default: "all".
        head_layers: hidden layers of a new head before its classifier: numbers of units, and shares to drop, such as
            (1024, 0.5). With this, `pooling` or `feature_layer` the model gets a new head even without weights.
        pooling: of the backbone's features before a new head: "avg", "max" or "flatten"; default: "avg".
        feature_layer: the layer of the backbone that a new head reads; default: the last.
        two_stage: train the head alone first, for `head_epochs`, then what `freeze` leaves free.
        head_epochs: epochs of the first of two stages; default: half as many as `epochs`.
        backbone_learning_rate: the learning rate while layers of a pretrained backbone are trained; default: a tenth of
            `learning_rate`, which is the head's.
        strategy: None, or one of "small-similar", "large-similar", "small-different" and "large-different", which
            decides freeze, feature_layer and two_stage by how many images there are, and how like those of the weights.
        preprocessing: how pixels are scaled for `weights`: "imagenet-caffe", "imagenet-torch", "symmetric" (-1 to 1),
            "none" (0 to 255), or "run": to mean 0 and standard deviation 1 of the data set, or as the run that the
            weights are of; default: as the weights expect, which for a file is assumed, and printed.
        class_weight: None; "balanced", for classes of different sizes; or a dict from class names or labels to weights
            of the loss, 1 for those that it does not name.
        seed: of the first weights, the order of the images and their augmentation; an int from 0.
        name: of the run directory; default: model, data set, date and time.
        output_dir: where the run directory goes.
        limit: None, or the most images in each of train, validation and test.
        labels: of cifar100, "fine" (100 classes) or "coarse" (20).
        data_dir: where a named data set's files are; default: ZOO_DATA, Keras's cache, or a download.
        image_size: of a folder's images, an int or (height, width) in pixels; default: 32x32 where the model has a
            small stem, else the paper's size.
        validation_data, test_data: pairs of arrays, where `dataset` is one; default: split off from it.
        class_names: of arrays, a list; default: the labels.
        labels_from, invalid_images: of a folder, as for `zoo.load_data`.
        preset: None, or "small": a width that two CPU cores train in minutes.
        width: multiplier of every hidden width; default: 1, or the preset's.
        stem: "auto", "paper" or "small", as for `zoo.build`.
        gpu: the index of a GPU as nvidia-smi counts them, several in a list, "all", "auto" or "none"; default: the
            first one, or the CPU. It is chosen before Keras is imported: after that another choice is refused.
        backend: "tensorflow", "jax" or "torch"; default: KERAS_BACKEND, or tensorflow.
        precision: "float32", "bfloat16" or "float16".
        deterministic: use deterministic GPU ops; CPU runs always are.
        max_seconds: None, or after how many seconds to save and stop.
        callbacks: a list of Keras callbacks. `logs` at the end of an epoch has the columns of history.csv, val_loss and
            val_accuracy among them. Their own state is not part of a checkpoint.
        log: None, or which programs log the run too: "tensorboard" (events in RUN/tensorboard), "wandb", "mlflow", or a
            list of them.
        verbose: False prints and draws nothing. Otherwise a terminal gets a progress bar, and in a notebook the
            learning curves are drawn as they grow.
        **keywords: fields of the recipe, such as `epochs=30`, `learning_rate=0.05`, `batch_size=64`, and options of
            the model, such as `dropout=0.3`.

    Returns:
        A `zoo.Run`, with `reason` where training stopped early.

    Raises:
        zoo.errors.UserError: what cannot be, in one line, before a backend is loaded where that is possible.
        FloatingPointError: the loss is not finite. MemoryError: out of memory. OSError: the run cannot be written.

    Examples:

    >>> run = zoo.fit("lenet5", "digits", epochs=5, learning_rate=0.02)
    >>> run.result["test_accuracy_best"], run.load_model()
    >>> zoo.fit("resnet18", "pathmnist.npz", preset="small", epochs=10)
    >>> zoo.fit("vgg16", "pets/", weights="imagenet", freeze="all", head_layers=(1024, 0.5), epochs=10)
    >>> zoo.fit(my_keras_model, "mnist", epochs=5)
    >>> zoo.fit("lenet5", (x_train, y_train), test_data=(x_test, y_test), callbacks=[keras.callbacks.CSVLogger("log")])
    """
    until = compute_deadline(max_seconds)
    asked = finetuning.make_finetune_options(
        weights=None if weights in (None, "none") else os.fspath(weights), freeze=freeze, head_layers=finetuning.make_head_layers(head_layers), pooling=pooling,
        feature_layer=feature_layer, two_stage=two_stage, head_epochs=head_epochs,
        backbone_learning_rate=backbone_learning_rate, strategy=strategy, preprocessing=preprocessing)
    load = functools.partial(
        load_data, dataset, data_dir=data_dir, limit=limit, labels=labels, image_size=image_size,
        validation_data=validation_data, test_data=test_data, class_names=class_names, labels_from=labels_from,
        invalid_images=invalid_images)
    settings = {"recipe": recipe, "seed": seed, "limit": limit, "backend": backend, "precision": precision,
                "deterministic": deterministic}
    session = {"class_weight": class_weight, "gpu": gpu, "name": name, "output_dir": output_dir, "callbacks": callbacks,
               "log": log, "verbose": verbose}
    if not isinstance(model, str):
        from zoo.training import custom_model  # Keras

        custom_model.check_custom_model(model)
        refuse_catalogue_arguments(preset=preset, width=width, stem=None if stem == "auto" else stem,
                                   weights=asked and "what is pretrained")
        data = load(shape=custom_model.get_custom_image_shape(model))
        plan = make_custom_run_config(custom_model.make_custom_model_config(model, data.info), data.info,
                                      overrides=keywords, **settings)
        return start_or_resume_run(plan, data, until, f"zoo.fit(<{plan.model_name}>, ...)", model=model, **session)
    spec = registry.get_model_info(model)
    options, fields = split_keywords(spec, keywords)
    width, options = apply_preset(spec, preset, width, options)
    origin = resolve_backbone_weights(spec, asked, width, stem, options)
    data = load(shape=get_folder_image_shape(spec, origin))
    plan = make_run_config(spec, data.info, overrides=fields, width=width, stem=stem, options=options,
                           finetune_options=asked, backbone_weights=origin, **settings)
    return start_or_resume_run(plan, data, until, f"zoo.fit({model!r}, ...)", finetune_options=asked,
                               backbone_weights=origin, **session)


def refuse_catalogue_arguments(**given):
    """Raise UserError for the first {argument: value or None} that is given with a model of the user's own."""
    for argument, value in given.items():
        if value is not None:
            raise UserError(f"{argument} is for a model of the catalogue, by its name, and the model given is your "
                            "own; leave it out")


def compute_deadline(max_seconds):
    """Return when to save and stop, on time.monotonic's clock."""
    return float("inf") if max_seconds is None else time.monotonic() + max_seconds


def start_or_resume_run(run_config, data, deadline, command, *, class_weight, gpu, name, output_dir, callbacks, log,
                        verbose, **session):
    """Begin a run, or resume the one called `name`; return the Run."""
    if class_weight is not None:
        run_config = replace(run_config, class_weight=class_weights.resolve_class_weight(class_weight, data))
    names = check_logger_names(log)
    chosen = prepare_run_device(gpu, run_config)
    made = Session(run_config, data, chosen, run_work, deadline, callbacks=check_callbacks(callbacks), loggers=names,
                   display=make_progress_display(verbose), **session)
    run = None if name is None else expand_user(output_dir) / name
    if run is not None and (run / "run.json").exists():
        check_same_data(run, data)
        if not made.finetune_options:
            run_config = plans.resume_run_config(run, plans.get_run_config(run, run_files.read_config(run)), run_config)
            if read_finished_result(run, run_config.recipe.epochs):
                return open_finished_run(run)
        return make_run(replace(made, run_config=run_config).resume(run))
    run_directory.check_output_dir(output_dir, name)
    return make_run(made.start(output_dir, name, command))


def check_callbacks(callbacks):
    """Return a tuple of Keras callbacks: of None, one, or several; UserError for what cannot be one."""
    callbacks = callbacks or ()
    callbacks = tuple(callbacks) if isinstance(callbacks, (list, tuple)) else (callbacks,)
    for callback in callbacks:
        if isinstance(callback, type) or not hasattr(callback, "on_epoch_end"):
            raise UserError("callbacks is a list of keras.callbacks.Callback objects, such as "
                            f"[keras.callbacks.EarlyStopping(\"val_loss\")]; given {callback!r}")
        for name in {kind.__name__ for kind in type(callback).__mro__} & {*LR_CALLBACKS}:
            raise UserError(f"the callback {name} cannot set the learning rate, which the recipe does; leave it out "
                            f"and give {LR_CALLBACKS[name]}")
    return callbacks


def check_logger_names(log):
    """Return the checked names of loggers that `log` gives: None, a name or several."""
    names = () if log is None else (log,) if isinstance(log, str) else tuple(log)
    loggers.check_loggers(names)
    return names


def resume_run(run, *, epochs, dataset, data_dir, gpu, max_seconds, callbacks, log=None, verbose=True):
    """See `Run.resume`."""
    until = compute_deadline(max_seconds)
    plan = plans.get_run_config(run.path, run.config)
    if epochs is not None:
        plan = plans.extend_epochs(run.path, plan, recipes.override_recipe(plan.recipe, {"epochs": epochs}).epochs)
    if read_finished_result(run.path, plan.recipe.epochs):
        return open_finished_run(run.path)
    chosen = prepare_run_device(gpu, plan)
    data = reload_run_dataset(run.path, run.config, data_dir) if dataset is None else load_data(
        dataset, limit=plan.limit, shape=tuple(run.config["dataset"]["shape"]))
    return make_run(Session(plan, data, chosen, run_work, until, callbacks=check_callbacks(callbacks),
                            loggers=check_logger_names(log), display=make_progress_display(verbose)).resume(run.path))


def make_run(session_result):
    return Run(session_result.run, session_result.reason)


def open_finished_run(run):
    """Return the Run of a directory that has its result; draw what a kill between result and report has left out."""
    draw_missing_outputs(run)
    return Run(run)
