"""`zoo.fit`, and resuming a run, from Python. Importing this module loads no backend."""

import functools
import sys
from dataclasses import replace
from pathlib import Path

from zoo import registry
from zoo.data.loading import load_data
from zoo.errors import OutOfMemory, UserError
from zoo.reports.missing_outputs import draw_missing_outputs
from zoo.runs.arguments import (check_callbacks, check_limit, check_logger_names, check_run_location, check_seed,
                                compute_deadline)
from zoo.runs.call_format import format_call
from zoo.runs.closing_lines import format_closing_line, format_finished_before
from zoo.runs.data import check_same_data, get_data_option, load_given_dataset, reload_run_dataset
from zoo.runs.process_state import train_alone
from zoo.runs.session_device import prepare_run_device
from zoo.runs.progress_display import make_progress_display
from zoo.runs.run import Run
from zoo.runs.session import Session
from zoo.runs.stages import read_finished_result, read_resumed_config
from zoo.training import class_weights, finetuning, run_directory
from zoo.training.recipe import override_recipe
from zoo.training.run_config import extend_epochs, get_run_config
from zoo.training.run_config_factory import (apply_preset, check_source_modality, check_training_keywords,
                                             get_source_arguments, make_custom_run_config, make_run_config,
                                             refuse_catalogue_arguments, resolve_backbone_weights, split_keywords)
from zoo.training.stopping import DEFAULT_CHECKPOINT_MINUTES, convert_checkpoint_minutes
from zoo.utils.io import expand_user
from zoo.utils.text import escape_unprintable
from zoo.utils.validation import check_type

# The exceptions of a failed training, by the exit status of the command line
ERROR_TYPES = {2: UserError, 3: FloatingPointError, 4: OSError, 5: OutOfMemory}


def run_work(display, work, run, recipe, stopper, *_):
    """Do `work()`, show its closing line on the display, and return the Run.

    An error that `explain_failure` explains is raised again with that text, as an exception of ERROR_TYPES.

    display: see `zoo.runs.progress_display`. The other arguments: see `zoo.runs.session.Session`, whose resume hint
    and host group are for the command line.
    """
    from zoo.training import failures

    handled = sys.exc_info()[1]
    try:
        progress, result = work()
    except Exception as error:
        status, message = failures.explain_failure(error, recipe, handled)
        if status is None:
            raise
        raise ERROR_TYPES[status](f"{message}; {run} keeps what was saved") from error
    finished = Run(run)
    reason = stopper.reason if stopper else None
    is_on_disk = finished.config["dataset"].get("kind") != "arrays"
    resume_hint = f"to resume: zoo.Run({str(run)!r}).resume({'' if is_on_disk else 'dataset=...'})"
    show_closing_line(display, format_closing_line(run, progress, result, reason, resume_hint), reason)
    return finished


def show_closing_line(display, line, reason=None):
    """Show the last line of a training, on stdout where `display` is None; reason: why the run stopped, or None."""
    if display:
        display.close(line, reason)
    elif line:
        print(escape_unprintable(line), flush=True)


def fit(model, dataset="digits", labels=None, *, recipe=None, weights=None, freeze=None, head_layers=(), pooling=None,
        feature_layer=None, two_stage=False, head_epochs=None, backbone_learning_rate=None, strategy=None,
        preprocessing=None, class_weight=None, seed=0, name=None, output_dir="runs", limit=None, label_mode="fine",
        data_dir=None, image_size=None, validation_data=None, test_data=None, class_names=None, labels_from="folder",
        invalid_images="error", sequence_length=None, preset=None, width=None, stem="auto", gpu=None, backend=None,
        precision="float32", deterministic=False, max_seconds=None, checkpoint_minutes=DEFAULT_CHECKPOINT_MINUTES,
        callbacks=None, log=None, verbose=True, **keywords):
    """Train a model from scratch, or fine-tune a pretrained one, into a run directory, and return the `Run`.

    The best epoch is chosen on the validation split; the test split is evaluated once, at the end. A run that was
    interrupted, by Ctrl-C, `max_seconds` or a callback, is resumed by `Run.resume()`, or by the same call with the
    same `name`: bit for bit on the CPU.

    The random states of Python, NumPy and PyTorch are afterwards as before. They belong to the whole process, so it
    trains one run at a time: in several threads, one call waits for the other.

    Args:
        model: one of `zoo.list_models()`; or your own functional or Sequential Keras model, from images to logits or
            probabilities, which is trained from its current weights. Unless it has a Rescaling or Normalization layer,
            a preprocessing layer in front of it standardizes the pixels, or scales those of a folder to -1..1. It is
            saved into the run directory and is not changed itself: `Run.load_model` returns the trained model. A model
            for texts takes token ids (n, length), of which its Embedding layer determines the number.
        dataset: what to train on, as for `zoo.load_data`: the name of a dataset; a folder with one folder of images per
            class; an `.npz` file in Keras's or MedMNIST's layout; a pair of arrays (images, labels), or a pair of such
            pairs for training and test, as returned by Keras's `load_data()`; or a `zoo.Dataset`. Images are raw
            pixels, 0 to 255: the model scales them. For texts "imdb", a folder with one folder of .txt files per class,
            a .csv file, or a pair (texts, labels) of a list of str; see docs/text.md.
        labels: the labels, where `dataset` is an array of images or a list of texts: `zoo.fit(model, x, y)`.
        recipe: the training recipe: "modern", "paper", "notes" or "finetune"; default: "finetune" with `weights`, else
            "modern"; `zoo recipes MODEL DATASET` lists the fields.
        weights: None to train from scratch; or the initial weights of the backbone, under a new head: "imagenet",
            "cifar10", "mnist", a run directory, or a weights file (see docs/weights.md).
        freeze: which layers of a pretrained backbone to freeze: "all", "none", the name of the last frozen layer, or an
            int, how many layers to freeze; default: "all", with `two_stage` "none".
        head_layers: hidden layers of a new head before its classifier: numbers of units, and dropout rates, such as
            (1024, 0.5). With this, `pooling` or `feature_layer` the model gets a new head even without weights.
        pooling: pooling of the backbone's features before a new head: "avg", "max" or "flatten"; default: "avg".
        feature_layer: the layer of the backbone to which a new head is attached; default: the last.
        two_stage: train the head alone first, for `head_epochs`, then everything that `freeze` does not freeze.
        head_epochs: number of epochs of the head-only stage, before the `epochs` of the second; default: half of them.
        backbone_learning_rate: the learning rate while layers of a pretrained backbone are trained; default: a tenth of
            `learning_rate`, which is the head's.
        strategy: None, or one of "small-similar", "large-similar", "small-different" and "large-different", which sets
            freeze, feature_layer and two_stage by the number of images and their similarity to the pretraining data.
        preprocessing: how pixels are scaled for `weights`: "imagenet-caffe", "imagenet-torch", "symmetric" (-1 to 1),
            "none" (0 to 255), or "run": to mean 0 and standard deviation 1 over the dataset, or as in the run that the
            weights come from; default: as the weights expect, which for a file is assumed, and printed.
        class_weight: None; "balanced", for classes of different sizes; or a dict from class names or labels to loss
            weights; classes that it does not name have weight 1.
        seed: random seed for weight initialization, data shuffling and augmentation; an int from 0.
        name: name of the run directory; default: model, dataset, date and time.
        output_dir: the folder in which the run directory is created.
        limit: None, or the maximum number of images in each of train, validation and test.
        label_mode: label set of cifar100: "fine" (100 classes) or "coarse" (20 superclasses).
        data_dir: the folder with a named dataset's files; default: ZOO_DATA, Keras's cache, or a download.
        image_size: size to which a folder's images are resized, an int or (height, width) in pixels; default: that of
            the weights; without them 32x32 where the model has a small stem, else the paper's size.
        validation_data, test_data: pairs of arrays, where `dataset` is one; default: split off from it.
        class_names: class names for arrays, a list; default: the labels.
        labels_from, invalid_images: for a folder, as for `zoo.load_data`.
        sequence_length: for texts, the length in tokens to which they are padded or truncated; default: 100, and for
            arrays of token ids theirs.
        preset: None, or "small": a width that suits two CPU cores (docs/training.md).
        width: multiplier for all hidden widths; default: 1, or the preset's.
        stem: "auto", "paper" or "small", as for `zoo.build`.
        gpu: the index of a GPU as numbered by nvidia-smi, a list of several, "all", "auto" or "none"; default: as
            selected before in this process, or else the first one, or the CPU. It is selected before Keras is imported;
            afterwards any other choice is an error.
        backend: "tensorflow", "jax" or "torch"; default: KERAS_BACKEND, or that of keras.json, or tensorflow.
        precision: "float32", "bfloat16" or "float16". Your own model keeps that of the dtype policy it was built with.
        deterministic: use deterministic GPU operations; CPU runs are always deterministic. Like `gpu`, it is selected
            before Keras is imported.
        max_seconds: None, or the time limit in seconds after which to save and stop.
        checkpoint_minutes: the maximum time in minutes between two checkpoints, such as 15 or 0.5: in a long epoch, one
            is saved between two steps, so that a process that is killed loses at most that. It does not change the
            result.
        callbacks: a list of Keras callbacks. `logs` at the end of an epoch has the columns of history.csv, val_loss and
            val_accuracy among them. The callbacks' own state is not saved in checkpoints.
        log: None, or where else to log the run: "tensorboard" (events in RUN/tensorboard), "wandb", "mlflow", or a list
            of them.
        verbose: False prints and draws nothing. Otherwise a terminal shows a progress bar, and a notebook the learning
            curves as they grow.
        **keywords: recipe fields, such as `epochs=30`, `learning_rate=0.05`, `batch_size=64`, and model options, such
            as `dropout=0.3`.

    Returns:
        A `zoo.Run`; its `reason` is set if training stopped early.

    Raises:
        zoo.errors.UserError: invalid arguments or data, in one line; before a backend is loaded where possible.
        FloatingPointError: the loss is not finite.
        MemoryError: out of memory.
        OSError: the run cannot be written.

    Examples:

    >>> run = zoo.fit("lenet5", "digits", epochs=5, learning_rate=0.02)
    >>> run.result["test_accuracy_best"], run.load_model()
    >>> zoo.fit("resnet18", "pathmnist.npz", preset="small", epochs=10)
    >>> zoo.fit("vgg16", "pets/", weights="imagenet", freeze="all", head_layers=(1024, 0.5), epochs=10)
    >>> zoo.fit(my_keras_model, "mnist", epochs=5)
    >>> zoo.fit("text_cnn", (texts, labels), class_names=["negative", "positive"], sequence_length=200)
    >>> zoo.fit("lenet5", (x_train, y_train), test_data=(x_test, y_test), callbacks=[keras.callbacks.CSVLogger("log")])
    """
    command = format_call("zoo.fit", fit, locals())
    deadline = compute_deadline(max_seconds)
    check_run_location(output_dir, name)
    seed, limit = check_seed(seed), check_limit(limit)
    deterministic = check_type("deterministic", deterministic, False)
    check_training_keywords("zoo.fit", fit, model, keywords)
    finetune_arguments = {
        "weights": finetuning.get_weights_name(weights), "freeze": freeze,
        "head_layers": finetuning.make_head_layers(head_layers), "pooling": pooling, "feature_layer": feature_layer,
        "two_stage": two_stage, "head_epochs": head_epochs, "backbone_learning_rate": backbone_learning_rate,
        "strategy": strategy, "preprocessing": preprocessing}
    if labels is not None:
        dataset = (dataset, labels)
    load_dataset = functools.partial(
        load_data, dataset, data_dir=data_dir, limit=limit, label_mode=label_mode, image_size=image_size,
        validation_data=validation_data, test_data=test_data, class_names=class_names, labels_from=labels_from,
        invalid_images=invalid_images, sequence_length=sequence_length)
    settings = {"recipe": recipe, "seed": seed, "backend": backend, "precision": precision,
                "deterministic": deterministic}
    session = {"class_weight": class_weight, "gpu": gpu, "name": name, "output_dir": output_dir,
               "checkpoint_seconds": convert_checkpoint_minutes(checkpoint_minutes),
               "callbacks": check_callbacks(callbacks), "loggers": check_logger_names(log), "verbose": verbose}
    if not isinstance(model, str):
        from zoo.training import custom_model  # Keras

        custom_model.check_custom_model(model)
        refuse_catalogue_arguments(preset=preset, width=width, stem=None if stem == "auto" else stem,
                                   **finetune_arguments)
        data = load_dataset(**custom_model.get_source_arguments(model))
        run_config = make_custom_run_config(custom_model.make_custom_model_config(model, data.info), data.info,
                                            overrides=keywords, limit=data.limit, **settings)
        return start_or_resume_run(run_config, data, deadline, command, model=model, **session)
    model_info = registry.get_model_info(model)
    options, fields = split_keywords(model_info, keywords)
    width, options = apply_preset(model_info, preset, width, options)
    finetune_options = finetuning.make_finetune_options(**finetune_arguments)
    backbone_weights = resolve_backbone_weights(model_info, finetune_options, width, stem, options)
    check_source_modality(model_info, dataset)  # before it is loaded
    data = load_dataset(**get_source_arguments(model_info, backbone_weights, options))
    run_config = make_run_config(model_info, data.info, overrides=fields, limit=data.limit, width=width, stem=stem,
                                 options=options, finetune_options=finetune_options,
                                 backbone_weights=backbone_weights, **settings)
    return start_or_resume_run(run_config, data, deadline, command, finetune_options=finetune_options,
                               backbone_weights=backbone_weights, **session)


def start_or_resume_run(run_config, data, deadline, command, *, class_weight, gpu, name, output_dir, verbose,
                        **session):
    """Start a run, or resume the existing run called `name`; return the Run."""
    if class_weight is not None:
        run_config = replace(run_config, class_weight=class_weights.resolve_class_weight(class_weight, data))
    display = make_progress_display(verbose)
    run = None if name is None else expand_user(Path(output_dir) / name)
    with train_alone(display) as seconds_waited:
        device = prepare_run_device(gpu, run_config)
        new_session = Session(run_config, data, device, functools.partial(run_work, display), deadline + seconds_waited,
                              display=display, **session)
        if run is None or not (run / "run.json").exists():
            run_directory.check_output_dir(output_dir, name)
            return new_session.start(output_dir, name, command)
        check_same_data(run, data, get_data_option(data))
        if not new_session.finetune_options:
            run_config = read_resumed_config(run, run_config)
            if read_finished_result(run, run_config.recipe.epochs):
                return open_finished_run(run, display)
        return replace(new_session, run_config=run_config).resume(run)


def resume_run(run, *, epochs, dataset, data_dir, gpu, max_seconds, checkpoint_minutes, callbacks, log=None,
               verbose=True):
    """Resume the Run `run`; see `Run.resume`."""
    deadline, checkpoint_seconds = compute_deadline(max_seconds), convert_checkpoint_minutes(checkpoint_minutes)
    callbacks, logger_names = check_callbacks(callbacks), check_logger_names(log)
    run_config = get_run_config(run.path, run.config)
    if epochs is not None:
        recipe = override_recipe(run_config.recipe, {"epochs": check_type("epochs", epochs, 1)})
        run_config = extend_epochs(run.path, run_config, recipe.epochs)
    display = make_progress_display(verbose)
    if read_finished_result(run.path, run_config.recipe.epochs):
        return open_finished_run(run.path, display)
    device = prepare_run_device(gpu, run_config)
    data = (reload_run_dataset(run.path, run.config, data_dir) if dataset is None else
            load_given_dataset(run.path, run.config, dataset, data_dir))
    with train_alone(display) as seconds_waited:
        session = Session(run_config, data, device, functools.partial(run_work, display), deadline + seconds_waited,
                          checkpoint_seconds, callbacks=callbacks, loggers=logger_names, display=display)
        return session.resume(run.path)


def open_finished_run(run, display):
    """Return the Run of a finished run directory; draw what is missing because the run was killed before it."""
    draw_missing_outputs(run)
    finished = Run(run)
    show_closing_line(display, format_finished_before(run, finished.result))
    return finished
