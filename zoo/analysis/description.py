"""The description of a model as data, from the registry, the built model and the docstring of its module."""

import ast
import json
import re
from pathlib import Path

from zoo import models, registry
from zoo.analysis import summary
from zoo.analysis.memory import OPTIMIZER_SLOTS

GIB = 2**30  # bytes

# How a section begins; it extends to the next one
SECTION_START = re.compile(r"(Differences from the \w+|Other implementations): ")
SECTION_KEYS = {"Differences": "paper_differences", "Other": "implementation_differences"}  # by its first word


def describe_model_config(model_config, batch_size=128, memory_limit_gib=8):
    """Return the full description of a ModelConfig's model as a JSON-serializable dict; see `zoo.describe`."""
    model_summary = summary.summarize_model_config(model_config)
    layers = {layer.name: vars(layer) for layer in model_summary.layers}
    description = {
        **registry.get_model_metadata(model_config.model_info), **registry.serialize_model_config(model_config),
        "parameters": model_summary.parameters, "trainable_parameters": model_summary.trainable_parameters,
        "multiply_adds": model_summary.multiply_adds, "layers_without_macs": model_summary.uncounted_layers,
        "stages": [{**vars(stage), "layers": [layers[name] for name in stage.layers]}
                   for stage in model_summary.stages],
        "memory": _describe_memory(model_summary.memory, batch_size, memory_limit_gib),
        **read_docstring_sections(model_config.model_info.module),
    }
    return json.loads(json.dumps(description))  # lists for tuples, so that it equals what is read back from a file


def _describe_memory(estimate, batch_size, memory_limit_gib):
    """Return the estimates of a MemoryEstimate for a batch, and the largest batches that fit in the memory limit."""
    limit = int(memory_limit_gib * GIB)
    return {
        "batch_size": batch_size, "limit_gib": memory_limit_gib, "parameters": estimate.parameters,
        "image": {"saved_activations": estimate.saved_activations, "training": estimate.training_peak,
                    "inference": estimate.inference_peak},
        "training": {optimizer: {"bytes": estimate.estimate_training(batch_size, optimizer),
                                 "max_batch_size": estimate.compute_max_training_batch(limit, optimizer)}
                     for optimizer in OPTIMIZER_SLOTS},
        "inference": {"bytes": estimate.estimate_inference(batch_size),
                      "max_batch_size": estimate.compute_max_inference_batch(limit)},
    }


def read_docstring_sections(module):
    """Return the sections of the docstring of zoo/models/MODULE.py by key; "" for missing ones.

    The keys are summary, paper_differences and implementation_differences.
    The summary is the first paragraph, the other two are the differences from the paper, and those of other
    implementations. Each paragraph is joined into one line, with an empty line between two; an indented paragraph, a
    table, is kept as it is.
    """
    source = (Path(models.__file__).parent / f"{module}.py").read_text(encoding="utf-8")
    summary_text, *paragraphs = ast.get_docstring(ast.parse(source)).split("\n\n")
    sections, section = {"summary": [summary_text], "paper_differences": [], "implementation_differences": []}, None
    for paragraph in paragraphs:
        match = SECTION_START.match(paragraph)
        if match:
            section, paragraph = SECTION_KEYS[match[1].split()[0]], paragraph[match.end():]
        if section:
            sections[section].append(paragraph)
    return {name: "\n\n".join(map(_join_lines, section_paragraphs)) for name, section_paragraphs in sections.items()}


def _join_lines(paragraph):
    return paragraph if paragraph.startswith(" ") else " ".join(paragraph.split())
