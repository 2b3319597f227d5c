"""Several runs side by side: what they differ in, what came out, and the spread where only the seed differs."""

import json
from collections import namedtuple

import numpy as np

from zoo.errors import UserError
from zoo.plots.text_layout import pluralize
from zoo.training import run_files
from zoo.training.multi_seed import format_mean_std
from zoo.utils.io import expand_user

# name: of the run's folder, or its path where two are called alike; history, result: None where there is none
RunSummary = namedtuple("RunSummary", "name config history result")
# what a table's cells are in words, a list a run, and its head
ComparisonTable = namedtuple("ComparisonTable", "columns rows")
# runs that differ by the seed alone: their words, names, and the shares of both test accuracies
SeedGroup = namedtuple("SeedGroup", "summary names best last")

MISSING_CELL = "-"  # what is not known, or not there yet


def read_run_summaries(paths):
    """Return the Runs of run directories; UserError where one is none, is damaged, or is named twice."""
    paths = [expand_user(path) for path in paths]
    if len({path.resolve() for path in paths}) < len(paths):
        raise UserError("a run is named twice; name each once")
    names = [path.resolve().name for path in paths]
    found = []
    for path, name in zip(paths, names, strict=True):
        facts, history = run_files.read_config(path), run_files.read_history(path)
        result = run_files.read_result(path, len(history["epoch"])) if history else None
        found.append(RunSummary(name if names.count(name) == 1 else str(path), facts, history, result))
    return found


def get_config_fields(run):
    """Return {name: value} of all that was decided for a run, besides the network and the data set."""
    facts = run.config
    decided = {key: facts[key] for key in ("seed", "limit", "backend", "device", "deterministic") if key in facts}
    for part, left_out in (("blueprint", ("name", "input_shape", "classes")), ("recipe", ()),
                           ("finetuning", ("scale", "offset", "channel_order"))):
        if isinstance(facts.get(part), dict):
            decided |= {key: value for key, value in facts[part].items() if key not in left_out}
    if isinstance(facts.get("head_recipe"), dict):
        decided |= {f"head_{key}": value for key, value in facts["head_recipe"].items()}
    if facts.get("class_weight"):
        decided["class_weight"] = facts["class_weight"]
    return decided


def find_differing_fields(runs):
    """Return (differing, lacking): the names of the fields that runs have unlike, in the order of run.json, and of
    those that some runs do not have at all, because another version of zoo made them."""
    each = [get_config_fields(run) for run in runs]
    differing, lacking = [], []
    for name in dict.fromkeys(name for decided in each for name in decided):
        values = {_to_json_key(decided[name]) for decided in each if name in decided}
        if name != "epochs" and len(values) > 1:  # the epochs are a column of their own
            differing.append(name)
        if not all(name in decided for decided in each):
            lacking.append(name)
    return differing, lacking


def _to_json_key(value):
    return json.dumps(value, sort_keys=True)


def build_comparison_table(runs):
    """Return the Table of runs: a row each, with a column for each field that differs."""
    named, _ = find_differing_fields(runs)
    head = ["run", "network", "parameters", "data set", *named, "epochs", "seconds", "test, best", "test, last"]
    return ComparisonTable(head, [build_table_row(run, named) for run in runs])


def build_table_row(run, field_names):
    facts, result = run.config, run.result or {}
    parameters, seconds = facts.get("parameters"), result.get("seconds")
    decided = get_config_fields(run)
    return [run.name, facts["network"], f"{parameters:,}" if isinstance(parameters, int) else MISSING_CELL,
            facts["dataset"]["name"], *(format_config_value(decided.get(name))
                                        for name in field_names), format_epochs(run),
            f"{seconds:,.0f}" if isinstance(seconds, (int, float)) else MISSING_CELL,
            *(f"{result[key]:.2%}" if key in result else MISSING_CELL
              for key in ("test_accuracy_best", "test_accuracy_last"))]


def format_config_value(value):
    """Return a value of run.json in words."""
    if isinstance(value, dict):
        return " ".join(f"{name}={format_config_value(inner)}" for name, inner in value.items()) or MISSING_CELL
    return MISSING_CELL if value is None or value == "" else str(value)


def format_epochs(run):
    """Return how many epochs were trained; of an unfinished run also how many were asked for."""
    count = len(run.history["epoch"]) if run.history else 0
    asked = get_config_fields(run).get("epochs")
    return str(count) if run.result or asked is None else f"{count} of {asked}"


def group_seed_runs(runs):
    """Return a Group for each set of two or more finished runs that differ by the seed alone."""
    alike = {}
    for run in runs:
        if run.result:
            decided = {name: value for name, value in get_config_fields(run).items() if name not in ("seed", "device")}
            dataset = {name: run.config["dataset"].get(name) for name in ("name", "class_names", "train", "test")}
            alike.setdefault(_to_json_key([run.config["network"], dataset, decided]), {}).setdefault(
                _to_json_key(run.config.get("seed")), run)  # the same seed twice is the same run, not a second one
    return [_make_seed_group([*of_seeds.values()]) for of_seeds in alike.values() if len(of_seeds) > 1]


def _make_seed_group(runs):
    best, last = ([run.result[f"test_accuracy_{which}"] for run in runs] for which in ("best", "last"))
    facts = runs[0].config
    said = (f"{facts['network']} on {facts['dataset']['name']}, {pluralize(len(runs), 'seed')}: test accuracy "
            f"{format_mean_std(best)} with the weights best by validation, {format_mean_std(last)} with the last")
    return SeedGroup(said, [run.name for run in runs], best, last)


def collect_curves(runs, column):
    """Return [(name, float (epochs,))] of a history's column, all as long as the longest run; NaN after the end."""
    longest = max(len(run.history["epoch"]) for run in runs if run.history)
    return [(run.name, np.pad(run.history[column], (0, longest - len(run.history["epoch"])), constant_values=np.nan))
            for run in runs if run.history]
