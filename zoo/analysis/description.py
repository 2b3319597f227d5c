"""A network told as data: what the catalogue, the built network and the docstring of its file say of it."""

import ast
import json
import re
from pathlib import Path

from zoo import models, registry
from zoo.analysis import summary
from zoo.analysis.memory import OPTIMIZER_SLOTS

GIB = 2**30  # bytes

SECTION_START = re.compile(r"(Departures from the \w+|Elsewhere): ")  # how a part begins; it goes on to the next


def describe_model_config(model_config, batch_size=128, memory_limit_gib=8):
    """Return what there is to say of a ModelConfig's network as a dict for JSON; see `zoo.describe`."""
    built = summary.summarize_model_config(model_config)
    layers = {layer.name: vars(layer) for layer in built.layers}
    told = {
        **registry.get_model_metadata(model_config.model_info), **registry.serialize_model_config(model_config),
        "parameters": built.parameters, "trainable_parameters": built.trainable_parameters,
        "multiply_adds": built.multiply_adds, "uncounted": built.uncounted_layers,
        "stages": [{**vars(stage), "layers": [layers[name] for name in stage.layers]} for stage in built.stages],
        "memory": _describe_memory(built.memory, batch_size, memory_limit_gib),
        **read_docstring_sections(model_config.model_info.module),
    }
    return json.loads(json.dumps(told))  # lists for tuples: what it is here it is again when it has been a file


def _describe_memory(estimate, batch_size, memory_limit_gib):
    """Return the estimates of a models.memory.Memory for a batch, and the largest batches for so many GiB."""
    limit = int(memory_limit_gib * GIB)
    return {
        "batch": batch_size, "gib": memory_limit_gib, "parameters": estimate.parameters,
        "picture": {"kept": estimate.saved_activations, "training": estimate.training_peak,
                    "inference": estimate.inference_peak},
        "training": {optimizer: {"bytes": estimate.estimate_training(batch_size, optimizer),
                                 "largest_batch": estimate.compute_max_training_batch(limit, optimizer)} for optimizer in OPTIMIZER_SLOTS},
        "inference": {"bytes": estimate.estimate_inference(batch_size),
                      "largest_batch": estimate.compute_max_inference_batch(limit)},
    }


def read_docstring_sections(module):
    """Return {"summary": ..., "departures": ..., "elsewhere": ...} of zoo/models/FILE.py; "" for what it does not have.

    The summary is the first paragraph, departures are those from the paper, elsewhere is what other people's versions
    have otherwise. A paragraph is one line, with an empty line between two; what is indented, a table, stays as it is.
    """
    source = (Path(models.__file__).parent / f"{module}.py").read_text(encoding="utf-8")
    first, *others = ast.get_docstring(ast.parse(source)).split("\n\n")
    found, part = {"summary": [first], "departures": [], "elsewhere": []}, None
    for paragraph in others:
        mark = SECTION_START.match(paragraph)
        if mark:
            part, paragraph = mark[1].split()[0].lower(), paragraph[mark.end():]
        if part:
            found[part].append(paragraph)
    return {part: "\n\n".join(map(_join_lines, paragraphs)) for part, paragraphs in found.items()}


def _join_lines(paragraph):
    return paragraph if paragraph.startswith(" ") else " ".join(paragraph.split())
