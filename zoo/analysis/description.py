"""A network told as data: what the catalogue, the built network and the docstring of its file say of it."""

import ast
import json
import re
from pathlib import Path

from zoo import models, registry
from zoo.analysis import summary
from zoo.analysis.memory import SLOTS

GIB = 2**30  # bytes

MARKED = re.compile(r"(Departures from the \w+|Elsewhere): ")  # how a part begins; it goes on to the next


def describe(blueprint, batch=128, memory=8):
    """Return what there is to say of a Blueprint's network as a dict for JSON; see `zoo.describe`."""
    built = summary.of_network(blueprint)
    layers = {layer.name: vars(layer) for layer in built.layers}
    told = {
        **registry.facts(blueprint.spec), **registry.as_json(blueprint),
        "parameters": built.parameters, "trainable_parameters": built.trainable_parameters,
        "multiply_adds": built.multiply_adds, "uncounted": built.uncounted,
        "stages": [{**vars(stage), "layers": [layers[name] for name in stage.layers]} for stage in built.stages],
        "memory": _memory(built.memory, batch, memory),
        **prose(blueprint.spec.file),
    }
    return json.loads(json.dumps(told))  # lists for tuples: what it is here it is again when it has been a file


def _memory(takes, batch, gib):
    """Return the estimates of a models.memory.Memory for a batch, and the largest batches for so many GiB."""
    limit = int(gib * GIB)
    return {
        "batch": batch, "gib": gib, "parameters": takes.parameters,
        "picture": {"kept": takes.kept, "training": takes.training, "inference": takes.inference},
        "training": {optimizer: {"bytes": takes.for_training(batch, optimizer),
                                 "largest_batch": takes.largest_for_training(limit, optimizer)} for optimizer in SLOTS},
        "inference": {"bytes": takes.for_inference(batch), "largest_batch": takes.largest_for_inference(limit)},
    }


def prose(file):
    """Return {"summary": ..., "departures": ..., "elsewhere": ...} of zoo/models/FILE.py; "" for what it does not have.

    The summary is the first paragraph, departures are those from the paper, elsewhere is what other people's versions
    have otherwise. A paragraph is one line, with an empty line between two; what is indented, a table, stays as it is.
    """
    source = (Path(models.__file__).parent / f"{file}.py").read_text(encoding="utf-8")
    first, *others = ast.get_docstring(ast.parse(source)).split("\n\n")
    found, part = {"summary": [first], "departures": [], "elsewhere": []}, None
    for paragraph in others:
        mark = MARKED.match(paragraph)
        if mark:
            part, paragraph = mark[1].split()[0].lower(), paragraph[mark.end():]
        if part:
            found[part].append(paragraph)
    return {part: "\n\n".join(map(_in_one_line, paragraphs)) for part, paragraphs in found.items()}


def _in_one_line(paragraph):
    return paragraph if paragraph.startswith(" ") else " ".join(paragraph.split())
