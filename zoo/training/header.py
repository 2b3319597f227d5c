"""Format the header of a run, and collect the metadata of its run.json."""

import math

import numpy as np

from zoo.training import provenance
from zoo.training.recipe import format_recipe
from zoo.training.run_config import CustomModelConfig, serialize_run_config
from zoo.weights.pretrained import describe_scaling, make_standard_scaling

MIN_VALIDATION_IMAGES = 10  # fewer are too few to choose the best epoch
MAX_CLASS_NAMES_SHOWN = 5  # class names listed per line


def format_header(run_config, dataset, parameters, device_description, run):
    """Return the header of a run, a list of lines: model, data, device, recipe, run, and notes."""
    info, plural = dataset.info, dataset.info.modality.plural
    shape = info.modality.format_shape(run_config.model_config.input_shape)
    rows = {
        "model": f"{', '.join(format_model(run_config))}: {shape} to {info.classes} classes, "
                 f"{parameters:,} parameters",
        "data": f"{info.name}: {len(dataset.train):,} training, {len(dataset.validation):,} validation and "
                f"{len(dataset.test):,} test {plural}, from {dataset.source}",
        "device": ", ".join([device_description, run_config.backend,
                             *([run_config.precision] if run_config.precision != "float32" else [])]),
        "recipe": format_recipe(run_config.recipe),
        "run": f"{run}, seed {run_config.seed}",
    }
    if run_config.finetuning and run_config.finetuning.weights:
        rows["pixels"] = describe_scaling(run_config.finetuning.scaling)
    notes = [*dataset.notes, *note_small_splits(dataset), *run_config.notes]
    if run_config.class_weight:
        weights = ", ".join(f"{name} {weight:.3g}"
                            for name, weight in zip(info.class_names, run_config.class_weight, strict=True))
        notes.append(f"class weights in the loss: {weights}")
    if run_config.finetuning:
        del rows["recipe"]  # each stage prints its own
        if run_config.finetuning.upsample > 1:
            notes.append(f"images of {'x'.join(map(str, info.shape))} are upsampled {run_config.finetuning.upsample} "
                         "times")
    elif isinstance(run_config.model_config, CustomModelConfig):
        notes += note_custom_input(run_config)
    elif run_config.model_config.options.get("batch_norm") is False and run_config.recipe.initializer == "paper":
        notes.append(f"with the paper's initialization, {run_config.model_name} hardly trains from scratch; give "
                     "initializer='he_normal', or batch_norm=True")
    return [f"{name:8} {text}" for name, text in rows.items()] + [f"{'note':8} {note}" for note in notes]


def note_custom_input(run_config):
    """Return a list with a line on how the input of a user's own model is scaled; empty for texts, which are not."""
    if not run_config.dataset.modality.is_scaled:
        return []
    if run_config.model_config.rescale:
        return [f"pixels are scaled before the model: {describe_standardization(run_config.dataset)}"]
    return ["the model rescales pixels itself: its input is raw pixels, 0 to 255"]


def describe_standardization(info):
    """Describe how training scales the pixels of a dataset; for a folder, mean and std are not computed."""
    if {*info.mean, *info.std} == {0.5}:
        return describe_scaling(make_standard_scaling(info.mean, info.std))
    return "to mean 0 and standard deviation 1 of the dataset"


def format_model(run_config):
    """Describe the model of a RunConfig: its name, and its settings other than the defaults, a list of texts."""
    if isinstance(run_config.model_config, CustomModelConfig):
        return [run_config.model_name]
    config = run_config.model_config
    return [run_config.model_name, *([f"{config.stem} stem"] if config.model_info.small_stem_below else []),
            *([f"width {config.width:g}"] if config.width != 1 else []),
            *(f"{name} {value}" for name, value in config.options.items())]


def format_stage(index, count, model, backbone, config, recipe):
    """Return the lines that describe a stage of fine-tuning: what is frozen, trainable parameters, recipe.

    index: from 1, of `count`. config: the stage's FineTuneConfig.
    """
    num_trainable = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    names = [layer.name for layer in backbone.layers]
    num_frozen = names.index(config.frozen_until) + 1 if config.frozen_until else 0
    frozen = "nothing frozen" if not num_frozen else (
        f"the whole backbone is frozen, {num_frozen} layers" if num_frozen == len(names) else
        f"frozen up to {config.frozen_until}, {num_frozen} of the backbone's {len(names)} layers")
    head = f"; the head is attached to {config.feature_layer}" if config.feature_layer else ""
    return [f"{'stage':8} {index} of {count}: {frozen}{head}; trainable parameters: {num_trainable:,} of "
            f"{model.count_params():,}", f"{'recipe':8} {format_recipe(recipe)}"]


def note_small_splits(dataset):
    """Return a line for each reason why validation or test metrics are unreliable: few images, or none of a class."""
    names, modality, lines = dataset.info.class_names, dataset.info.modality, []
    count = len(dataset.validation)
    if count < MIN_VALIDATION_IMAGES:
        lines.append(f"only {count} {modality.name if count == 1 else modality.plural} in validation, by which the "
                     "best epoch is chosen: its accuracy is unreliable")
    for split in ("validation", "test"):
        missing = np.setdiff1d(np.arange(len(names)), getattr(dataset, split).labels)
        if len(missing):
            listed = ", ".join(repr(str(names[index])) for index in missing[:MAX_CLASS_NAMES_SHOWN])
            more = f" and {len(missing) - MAX_CLASS_NAMES_SHOWN:,} more" if len(missing) > MAX_CLASS_NAMES_SHOWN else ""
            lines.append(f"no {modality.plural} in {split} for {len(missing):,} of {len(names):,} classes: "
                         f"{listed}{more}")
    return lines


def format_early_stop(recipe, progress):
    """Return the line that reports early stopping: the epoch, and the reason."""
    return (f"{'stopped':8} early, after epoch {progress.epoch} of {recipe.epochs}: the validation loss did not "
            f"improve by {recipe.early_stopping_min_delta:g} for {recipe.early_stopping_patience} epochs")


def format_resume(progress, config, device_description, backend):
    """Return the lines that say where a run resumes, and which versions and device changed; config: its run.json."""
    step = f", step {progress.step} of the next" if progress.step else ""
    lines = [f"{'resumed':8} after epoch {progress.epoch}{step}"]
    versions = provenance.get_package_versions(backend)
    changes = [f"{name} {version}, now {versions.get(name)}" for name, version in config["versions"].items()
               if versions.get(name) != version]
    changes += [f"{config['device']}, now {device_description}"] if config["device"] != device_description else []
    return lines + [f"{'note':8} started with {change}: results may differ in the last digits" for change in changes]


def make_run_metadata(run_config, dataset, parameters, device_description, command):
    """Return the contents of run.json: the run config and the environment."""
    return {"command": command, **serialize_run_config(run_config), "parameters": parameters,
            "dataset": make_dataset_metadata(dataset), "device": device_description,
            "cpu": provenance.get_cpu_name(), "versions": provenance.get_package_versions(run_config.backend),
            "commit": provenance.get_commit()}


def make_dataset_metadata(dataset):
    """Return the dataset's part of run.json: enough for the plots and for zoo.load."""
    info = dataset.info
    return {"name": info.name, "title": info.title, "shape": info.shape, "classes": info.classes,
            "mean": info.mean, "std": info.std, "class_names": info.class_names, "source": dataset.source,
            "train": len(dataset.train), "validation": len(dataset.validation), "test": len(dataset.test),
            "notes": dataset.notes, **dataset.origin}
