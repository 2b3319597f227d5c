"""Several runs side by side: what they differ in, what came out, and the spread where only the seed differs."""

import json
from collections import namedtuple

import numpy as np

from zoo.errors import UserError
from zoo.plots.text_layout import counted
from zoo.training import run_files
from zoo.training.repeat import spread
from zoo.utils.io import expanded

# name: of the run's folder, or its path where two are called alike; history, result: None where there is none
Run = namedtuple("Run", "name facts history result")
# what a table's cells are in words, a list a run, and its head
Table = namedtuple("Table", "head rows")
# runs that differ by the seed alone: their words, names, and the shares of both test accuracies
Group = namedtuple("Group", "words names best last")

NONE = "-"  # what is not known, or not there yet


def read(paths):
    """Return the Runs of run directories; UserError where one is none, is damaged, or is named twice."""
    paths = [expanded(path) for path in paths]
    if len({path.resolve() for path in paths}) < len(paths):
        raise UserError("a run is named twice; name each once")
    names = [path.resolve().name for path in paths]
    found = []
    for path, name in zip(paths, names, strict=True):
        facts, history = run_files.read_config(path), run_files.read_history(path)
        result = run_files.read_result(path, len(history["epoch"])) if history else None
        found.append(Run(name if names.count(name) == 1 else str(path), facts, history, result))
    return found


def fields(run):
    """Return {name: value} of all that was decided for a run, besides the network and the data set."""
    facts = run.facts
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


def differences(runs):
    """Return (differing, lacking): the names of the fields that runs have unlike, in the order of run.json, and of
    those that some runs do not have at all, because another version of zoo made them."""
    each = [fields(run) for run in runs]
    differing, lacking = [], []
    for name in dict.fromkeys(name for decided in each for name in decided):
        values = {_key(decided[name]) for decided in each if name in decided}
        if name != "epochs" and len(values) > 1:  # the epochs are a column of their own
            differing.append(name)
        if not all(name in decided for decided in each):
            lacking.append(name)
    return differing, lacking


def _key(value):
    return json.dumps(value, sort_keys=True)


def table(runs):
    """Return the Table of runs: a row each, with a column for each field that differs."""
    named, _ = differences(runs)
    head = ["run", "network", "parameters", "data set", *named, "epochs", "seconds", "test, best", "test, last"]
    return Table(head, [row(run, named) for run in runs])


def row(run, named):
    facts, result = run.facts, run.result or {}
    parameters, seconds = facts.get("parameters"), result.get("seconds")
    decided = fields(run)
    return [run.name, facts["network"], f"{parameters:,}" if isinstance(parameters, int) else NONE,
            facts["dataset"]["name"], *(words(decided.get(name)) for name in named), epochs(run),
            f"{seconds:,.0f}" if isinstance(seconds, (int, float)) else NONE,
            *(f"{result[key]:.2%}" if key in result else NONE for key in ("test_accuracy_best", "test_accuracy_last"))]


def words(value):
    """Return a value of run.json in words."""
    if isinstance(value, dict):
        return " ".join(f"{name}={words(inner)}" for name, inner in value.items()) or NONE
    return NONE if value is None or value == "" else str(value)


def epochs(run):
    """Return how many epochs were trained; of an unfinished run also how many were asked for."""
    count = len(run.history["epoch"]) if run.history else 0
    asked = fields(run).get("epochs")
    return str(count) if run.result or asked is None else f"{count} of {asked}"


def groups(runs):
    """Return a Group for each set of two or more finished runs that differ by the seed alone."""
    alike = {}
    for run in runs:
        if run.result:
            decided = {name: value for name, value in fields(run).items() if name not in ("seed", "device")}
            dataset = {name: run.facts["dataset"].get(name) for name in ("name", "label_names", "train", "test")}
            alike.setdefault(_key([run.facts["network"], dataset, decided]), {}).setdefault(
                _key(run.facts.get("seed")), run)  # the same seed twice is the same run, not a second one
    return [_group([*of_seeds.values()]) for of_seeds in alike.values() if len(of_seeds) > 1]


def _group(runs):
    best, last = ([run.result[f"test_accuracy_{which}"] for run in runs] for which in ("best", "last"))
    facts = runs[0].facts
    said = (f"{facts['network']} on {facts['dataset']['name']}, {counted(len(runs), 'seed')}: test accuracy "
            f"{spread(best)} with the weights best by validation, {spread(last)} with the last")
    return Group(said, [run.name for run in runs], best, last)


def lines(runs, column):
    """Return [(name, float (epochs,))] of a history's column, all as long as the longest run; NaN after the end."""
    longest = max(len(run.history["epoch"]) for run in runs if run.history)
    return [(run.name, np.pad(run.history[column], (0, longest - len(run.history["epoch"])), constant_values=np.nan))
            for run in runs if run.history]
