"""What is said, and written, when a run begins."""

import math

import numpy as np

from zoo.training import provenance, recipe as recipes, run_config as plans
from zoo.training.run_config import CustomModelConfig
from zoo.weights.pretrained import Scaling, describe_scaling, make_standard_scaling

MIN_VALIDATION_IMAGES = 10  # images in validation
MAX_CLASS_NAMES_SHOWN = 5  # class names in a line


def format_header(run_config, dataset, parameters, device_description, run):
    """Return the lines that say what is about to happen: network, data, device, recipe, run, and notes."""
    facts, (height, width, channels) = dataset.info, run_config.model_config.input_shape
    rows = {
        "network": f"{', '.join(format_model(run_config))}: {height}x{width}x{channels} to {facts.classes} classes, "
                   f"{parameters:,} parameters",
        "data": f"{facts.name}: {len(dataset.train):,} to train, {len(dataset.validation):,} to validate, "
                f"{len(dataset.test):,} to test, from {dataset.source}",
        "device": ", ".join([device_description, run_config.backend,
                             *([run_config.precision] if run_config.precision != "float32" else [])]),
        "recipe": recipes.format_recipe(run_config.recipe),
        "run": f"{run}, seed {run_config.seed}",
    }
    if run_config.finetuning and run_config.finetuning.weights:
        config = run_config.finetuning
        rows["pixels"] = describe_scaling(Scaling(config.scale, config.offset, config.channel_order))
    notes = [*dataset.notes, *note_small_splits(dataset)]
    if run_config.class_weight:
        weights = ", ".join(f"{name} {weight:.3g}"
                            for name, weight in zip(facts.class_names, run_config.class_weight, strict=True))
        notes.append(f"weights of the classes in the loss: {weights}")
    if run_config.finetuning:
        del rows["recipe"]  # each stage says its own
        if run_config.finetuning.upsample > 1:
            notes.append(f"images of {'x'.join(map(str, facts.shape))} are enlarged {run_config.finetuning.upsample} times")
    elif isinstance(run_config.model_config, CustomModelConfig):
        notes.append(f"pixels are scaled in front of the model: {describe_standardization(facts)}"
                     if run_config.model_config.rescale
                     else "the model has a layer that rescales pixels: it gets them raw, 0 to 255")
    elif run_config.model_config.options.get("batch_norm") is False and run_config.recipe.initializer == "paper":
        notes.append(f"with the paper's first weights {run_config.model_name} hardly trains from scratch; give "
                     "--set initializer=he_normal, or --option batch_norm=true")
    return [f"{name:8} {words}" for name, words in rows.items()] + [f"{'note':8} {note}" for note in notes]


def describe_standardization(info):
    """Return words for how training scales the pixels of a data set; a folder is not measured."""
    if {*info.mean, *info.std} == {0.5}:
        return describe_scaling(make_standard_scaling(info.mean, info.std))
    return "to mean 0 and standard deviation 1 of the data set"


def format_model(run_config):
    """Return words for the model of a Plan: its name, and what of it is not as it is by default."""
    if isinstance(run_config.model_config, CustomModelConfig):
        return [run_config.model_name]
    blueprint = run_config.model_config
    return [run_config.model_name, *([f"{blueprint.stem} stem"] if blueprint.model_info.small_stem_below else []),
            *([f"width {blueprint.width:g}"] if blueprint.width != 1 else []),
            *(f"{name} {value}" for name, value in blueprint.options.items())]


def format_stage(index, count, model, backbone, config, recipe):
    """Return the lines that say what of the network is trained in a stage of fine-tuning, and how fast.

    index: from 1; config: the stage's FineTuneConfig.
    """
    trained = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    names = [layer.name for layer in backbone.layers]
    frozen = names.index(config.frozen_until) + 1 if config.frozen_until else 0
    what = "nothing is frozen" if not frozen else (
        f"the backbone is frozen, {frozen} layers" if frozen == len(names) else
        f"frozen up to {config.frozen_until}, {frozen} of the backbone's {len(names)} layers")
    reads = f"; the head reads {config.feature_layer}" if config.feature_layer else ""
    return [f"{'stage':8} {index} of {count}: {what}{reads}; {trained:,} of {model.count_params():,} parameters are "
            "trained", f"{'recipe':8} {recipes.format_recipe(recipe)}"]


def note_small_splits(dataset):
    """Return a line for each thing that makes the numbers of validation or test say little: few images, or no image
    of a class.
    """
    names, lines = dataset.info.class_names, []
    count = len(dataset.validation)
    if count < MIN_VALIDATION_IMAGES:
        lines.append(f"only {count} {'image' if count == 1 else 'images'} in validation, and the best epoch is chosen "
                     "by them: its accuracy is a matter of chance")
    for part in ("validation", "test"):
        absent = np.setdiff1d(np.arange(len(names)), getattr(dataset, part).labels)
        if len(absent):
            shown = ", ".join(repr(str(names[index])) for index in absent[:MAX_CLASS_NAMES_SHOWN])
            more = f" and {len(absent) - MAX_CLASS_NAMES_SHOWN:,} more" if len(absent) > MAX_CLASS_NAMES_SHOWN else ""
            lines.append(f"no image in {part} of {len(absent):,} of {len(names):,} classes: {shown}{more}")
    return lines


def format_early_stop(recipe, progress):
    """Return the line that says when training ended before its last epoch, and why."""
    return (f"{'stopped':8} early, after epoch {progress.epoch} of {recipe.epochs}: in {recipe.early_stopping_patience} epochs "
            f"the validation loss had not fallen by {recipe.early_stopping_min_delta:g}")


def format_resume(progress, config, device_description, backend):
    """Return the lines that say from where a run goes on, and what is no longer as it was; facts: its run.json."""
    step = f", step {progress.step} of the next" if progress.step else ""
    rows = [f"{'resumed':8} after epoch {progress.epoch}{step}"]
    now = provenance.get_package_versions(backend)
    changed = [f"{name} {before}, now {now.get(name)}" for name, before in config["versions"].items()
               if now.get(name) != before]
    changed += [f"{config['device']}, now {device_description}"] if config["device"] != device_description else []
    return rows + [f"{'note':8} begun with {words}: the numbers may differ in their last digits" for words in changed]


def make_run_metadata(run_config, dataset, parameters, device_description, command):
    """Return what run.json says: the plan, and what it was made with."""
    return {"command": command, **plans.serialize_run_config(run_config), "parameters": parameters,
            "dataset": make_dataset_metadata(dataset), "device": device_description,
            "processor": provenance.get_cpu_name(), "versions": provenance.get_package_versions(run_config.backend),
            "commit": provenance.get_commit()}


def make_dataset_metadata(dataset):
    """Return what run.json says of the data set: enough for the pictures and for zoo.load."""
    known = dataset.info
    return {"name": known.name, "title": known.title, "shape": known.shape, "classes": known.classes,
            "mean": known.mean, "std": known.std, "class_names": known.class_names, "source": dataset.source,
            "train": len(dataset.train), "validation": len(dataset.validation), "test": len(dataset.test),
            "notes": dataset.notes, **dataset.origin}
