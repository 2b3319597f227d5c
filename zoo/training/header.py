"""What is said, and written, when a run begins."""

import math

import numpy as np

from zoo.training import plan as plans, provenance, recipe as recipes
from zoo.training.plan import CustomModel
from zoo.weights.pretrained import Scaling, describe_scaling

FEW = 10  # images in validation
SHOWN = 5  # class names in a line


def lines(plan, dataset, parameters, where, run):
    """Return the lines that say what is about to happen: network, data, device, recipe, run, and notes."""
    facts, (height, width, channels) = dataset.facts, plan.blueprint.input_shape
    rows = {
        "network": f"{', '.join(describe_model(plan))}: {height}x{width}x{channels} to {facts.classes} classes, "
                   f"{parameters:,} parameters",
        "data": f"{facts.name}: {len(dataset.train):,} to train, {len(dataset.validation):,} to validate, "
                f"{len(dataset.test):,} to test, from {dataset.source}",
        "device": ", ".join([where, plan.backend, *([plan.precision] if plan.precision != "float32" else [])]),
        "recipe": recipes.described(plan.recipe),
        "run": f"{run}, seed {plan.seed}",
    }
    if plan.finetuning and plan.finetuning.weights:
        config = plan.finetuning
        rows["pixels"] = describe_scaling(Scaling(config.scale, config.offset, config.channel_order))
    notes = [*dataset.notes, *small_splits(dataset)]
    if plan.class_weight:
        weights = ", ".join(f"{name} {weight:.3g}"
                            for name, weight in zip(facts.class_names, plan.class_weight, strict=True))
        notes.append(f"weights of the classes in the loss: {weights}")
    if plan.finetuning:
        del rows["recipe"]  # each stage says its own
        if plan.finetuning.upsample > 1:
            notes.append(f"images of {'x'.join(map(str, facts.shape))} are enlarged {plan.finetuning.upsample} times")
    elif isinstance(plan.blueprint, CustomModel):
        notes.append("pixels are brought to mean 0 and standard deviation 1 in front of the model" if
                     plan.blueprint.rescale else "the model has a layer that rescales pixels: it gets them raw, 0 to "
                     "255")
    elif plan.blueprint.options.get("batch_norm") is False and plan.recipe.initializer == "paper":
        notes.append(f"with the paper's first weights {plan.model_name} hardly trains from scratch; give "
                     "--set initializer=he_normal, or --option batch_norm=true")
    return [f"{name:8} {words}" for name, words in rows.items()] + [f"{'note':8} {note}" for note in notes]


def describe_model(plan):
    """Return words for the model of a Plan: its name, and what of it is not as it is by default."""
    if isinstance(plan.blueprint, CustomModel):
        return [plan.model_name]
    blueprint = plan.blueprint
    return [plan.model_name, *([f"{blueprint.stem} stem"] if blueprint.spec.small_below else []),
            *([f"width {blueprint.width:g}"] if blueprint.width != 1 else []),
            *(f"{name} {value}" for name, value in blueprint.options.items())]


def stage_lines(index, count, network, backbone, config, recipe):
    """Return the lines that say what of the network is trained in a stage of fine-tuning, and how fast.

    index: from 1; config: the stage's FineTuneConfig.
    """
    trained = sum(math.prod(variable.shape) for variable in network.trainable_variables)
    names = [layer.name for layer in backbone.layers]
    frozen = names.index(config.frozen_until) + 1 if config.frozen_until else 0
    what = "nothing is frozen" if not frozen else (
        f"the backbone is frozen, {frozen} layers" if frozen == len(names) else
        f"frozen up to {config.frozen_until}, {frozen} of the backbone's {len(names)} layers")
    reads = f"; the head reads {config.feature_layer}" if config.feature_layer else ""
    return [f"{'stage':8} {index} of {count}: {what}{reads}; {trained:,} of {network.count_params():,} parameters are "
            "trained", f"{'recipe':8} {recipes.described(recipe)}"]


def small_splits(dataset):
    """Return a line for each thing that makes the numbers of validation or test say little: few images, or no image
    of a class.
    """
    names, lines = dataset.facts.label_names, []
    count = len(dataset.validation)
    if count < FEW:
        lines.append(f"only {count} {'image' if count == 1 else 'images'} in validation, and the best epoch is chosen "
                     "by them: its accuracy is a matter of chance")
    for part in ("validation", "test"):
        absent = np.setdiff1d(np.arange(len(names)), getattr(dataset, part).labels)
        if len(absent):
            shown = ", ".join(repr(str(names[index])) for index in absent[:SHOWN])
            more = f" and {len(absent) - SHOWN:,} more" if len(absent) > SHOWN else ""
            lines.append(f"no image in {part} of {len(absent):,} of {len(names):,} classes: {shown}{more}")
    return lines


def early_stop(recipe, progress):
    """Return the line that says when training ended before its last epoch, and why."""
    return (f"{'stopped':8} early, after epoch {progress.epoch} of {recipe.epochs}: in {recipe.stop_patience} epochs "
            f"the validation loss had not fallen by {recipe.stop_delta:g}")


def resumed(progress, facts, where, backend):
    """Return the lines that say from where a run goes on, and what is no longer as it was; facts: its run.json."""
    step = f", step {progress.step} of the next" if progress.step else ""
    rows = [f"{'resumed':8} after epoch {progress.epoch}{step}"]
    now = provenance.versions(backend)
    changed = [f"{name} {before}, now {now.get(name)}" for name, before in facts["versions"].items()
               if now.get(name) != before]
    changed += [f"{facts['device']}, now {where}"] if facts["device"] != where else []
    return rows + [f"{'note':8} begun with {words}: the numbers may differ in their last digits" for words in changed]


def facts(plan, dataset, parameters, where, command):
    """Return what run.json says: the plan, and what it was made with."""
    return {"command": command, **plans.as_json(plan), "parameters": parameters, "dataset": described(dataset),
            "device": where, "processor": provenance.processor(), "versions": provenance.versions(plan.backend),
            "commit": provenance.commit()}


def described(dataset):
    """Return what run.json says of the data set: enough for the pictures and for zoo.load."""
    known = dataset.facts
    return {"name": known.name, "title": known.title, "shape": known.shape, "classes": known.classes,
            "mean": known.mean, "std": known.std, "label_names": known.label_names, "source": dataset.source,
            "train": len(dataset.train), "validation": len(dataset.validation), "test": len(dataset.test),
            "notes": dataset.notes, **dataset.origin}
