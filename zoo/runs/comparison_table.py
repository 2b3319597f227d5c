"""The table that compares runs: the settings that differ, and the results."""

import dataclasses
import json
from collections import namedtuple

from zoo.errors import UserError
from zoo.training import run_files
from zoo.training.finetuning import FineTuneConfig, deserialize_finetune_config
from zoo.training.recipe import RECIPE_FIELDS
from zoo.utils.io import expand_user
from zoo.weights.pretrained import describe_scaling

# name: of the run directory, or its path if names collide; history, result: None if missing
RunSummary = namedtuple("RunSummary", "name config history result")
# columns: the header; rows: a list of texts per run
ComparisonTable = namedtuple("ComparisonTable", "columns rows")

SCALING_FIELDS = ("scale", "offset", "channel_order")  # of run.json's finetuning; one column describes them
FINETUNING_FIELDS = (*(field.name for field in dataclasses.fields(FineTuneConfig) if field.name not in SCALING_FIELDS),
                     "preprocessing")
OWN_MODEL_FIELDS = ("custom", "rescale", "digest")  # of the model_config of a user's own model
FINGERPRINT_DIGITS = 8  # shown of the fingerprint of a folder's, a file's or arrays' data
MISSING_CELL = "-"  # unknown, or not available yet


def read_run_summaries(paths):
    """Return the RunSummaries of run directories; UserError if one is not a run, is damaged, or is given twice."""
    paths = [expand_user(path) for path in paths]
    for index, path in enumerate(paths):
        if path.resolve() in [other.resolve() for other in paths[:index]]:
            raise UserError(f"{path} is given twice; give each run once")
    names = [path.resolve().name for path in paths]
    summaries = []
    for path, name in zip(paths, names, strict=True):
        config, history = run_files.read_config(path), run_files.read_history(path)
        result = run_files.read_result(path, len(history["epoch"])) if history else None
        summaries.append(RunSummary(name if names.count(name) == 1 else str(path), config, history, result))
    return summaries


def get_config_fields(run):
    """Return {name: value} of all settings of a run, except the model and the dataset.

    A run from scratch has the fields of fine-tuning, too: weights "none", and None for the others. The fields of a
    first stage, head_*, exist only with two stages.
    """
    config = run.config
    fields = {key: config[key] for key in ("seed", "limit", "backend", "device", "deterministic", "precision")
              if key in config}
    fingerprint = config["dataset"].get("fingerprint")
    fields["data"] = None if fingerprint is None else str(fingerprint)[:FINGERPRINT_DIGITS]
    for section, excluded in (("model_config", ("name", "classes")), ("recipe", ()), ("finetuning", SCALING_FIELDS)):
        if isinstance(config.get(section), dict):
            fields |= {key: value for key, value in config[section].items() if key not in excluded}
    if "finetuning" in config:
        fields |= describe_preprocessing(config["finetuning"]) if config["finetuning"] else dict.fromkeys(
            FINETUNING_FIELDS)
        fields["weights"] = fields.get("weights") or "none"
    fields["stages"] = 2 if config.get("head_recipe") else 1
    if isinstance(config.get("head_recipe"), dict):
        fields |= {f"head_{key}": value for key, value in config["head_recipe"].items()}
    fields["class_weight"] = run_files.get_class_weights(config)
    return fields


def describe_preprocessing(finetuning):
    """Return {"preprocessing": text} of the "finetuning" of a run.json; {} if that is damaged."""
    try:
        return {"preprocessing": describe_scaling(deserialize_finetune_config(finetuning).scaling)}
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return {}


def is_expected_field(run, name):
    """Return whether every run like this one has the field `name`, so that only another version of zoo lacks it."""
    if name.removeprefix("head_") in RECIPE_FIELDS and name.startswith("head_"):
        return bool(run.config.get("head_recipe"))
    model_config = run.config.get("model_config") or {}
    if name in OWN_MODEL_FIELDS:
        return bool(model_config.get("custom"))
    return name in RECIPE_FIELDS or name in FINETUNING_FIELDS or not model_config.get("custom")


def find_differing_fields(runs):
    """Return (differing, missing): the names of fields with different values, in the order of run.json, and of those
    that some runs lack, because another version of zoo wrote them."""
    fields_by_run = [get_config_fields(run) for run in runs]
    differing, missing = [], []
    for name in dict.fromkeys(name for fields in fields_by_run for name in fields):
        values = {to_json_key(fields[name]) for fields in fields_by_run if name in fields}
        if name != "epochs" and len(values) > 1:  # epochs have their own column
            differing.append(name)
        if not all(name in fields or not is_expected_field(run, name)
                   for run, fields in zip(runs, fields_by_run, strict=True)):
            missing.append(name)
    return differing, missing


def to_json_key(value):
    """Return a value of run.json as text that is equal for equal values."""
    return json.dumps(value, sort_keys=True)


def build_comparison_table(runs):
    """Return the ComparisonTable of runs: a row per run, with a column for each field that differs."""
    differing, _ = find_differing_fields(runs)
    columns = ["run", "model", "parameters", "dataset", *differing, "epochs", "seconds", "test acc. (best)",
               "test acc. (last)"]
    return ComparisonTable(columns, [build_table_row(run, differing) for run in runs])


def build_table_row(run, field_names):
    config, result = run.config, run.result or {}
    parameters, seconds = config.get("parameters"), result.get("seconds")
    fields = get_config_fields(run)
    return [run.name, config["model"], f"{parameters:,}" if isinstance(parameters, int) else MISSING_CELL,
            config["dataset"]["name"], *(format_config_value(fields.get(name)) for name in field_names),
            format_epochs(run),
            f"{seconds:,.0f}" if isinstance(seconds, (int, float)) else MISSING_CELL,
            *(f"{result[key]:.2%}" if key in result else MISSING_CELL
              for key in ("test_accuracy_best", "test_accuracy_last"))]


def format_config_value(value):
    """Return a value of run.json as text."""
    if isinstance(value, dict):
        return " ".join(f"{name}={format_config_value(item)}" for name, item in value.items()) or MISSING_CELL
    if isinstance(value, float):
        return f"{value:g}"
    return MISSING_CELL if value is None or value == "" else str(value)


def format_epochs(run):
    """Return the number of trained epochs; of an unfinished run also the number requested."""
    count = len(run.history["epoch"]) if run.history else 0
    requested = get_config_fields(run).get("epochs")
    return str(count) if run.result or requested is None else f"{count} of {requested}"
