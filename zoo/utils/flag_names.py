"""Messages of the library name options as Python does, such as batch_size=64; the command line shows their flags.

A message says `keyword=value`, or `keyword=...` for an option without a particular value. This is the only place where
one form is translated into the other.
"""

import re
import shlex

# Arguments of the API that are flags with the same name, such as data_dir and --data-dir
KEYWORDS = ("aux", "aux_loss_weights", "backend", "batch_size", "checkpoint_minutes", "class_weight", "data",
            "data_dir", "dataset", "detail", "deterministic", "feature_layer", "freeze", "gpu", "head_epochs",
            "head_layers", "host_index", "hosts", "image_size", "initializer", "invalid_images", "label_mode",
            "labels_from", "layers", "limit", "log", "max_seconds", "milestones", "name", "output", "output_dir",
            "pooling", "precision", "preprocessing", "preset", "rankdir", "recipe", "seed", "sequence_length", "split",
            "stem", "strategy", "style", "two_stage", "weights", "width")
RENAMED_KEYWORDS = {"learning_rate": "--lr", "backbone_learning_rate": "--backbone-lr"}
MODEL_OPTIONS = ("batch_norm", "scale", "v1_5")  # --model-option NAME=VALUE

_VALUE = r"""(?:\.\.\.|'[^']*'(?: or (?:'[^']*'|None))*|\[[^\]]*\]|[\w-]+(?:\.\d+)?)?"""
_ASSIGNMENT = re.compile(rf"""(?<!--set )(?<!--model-option )(?<![\w'"=./-])({"|".join((*KEYWORDS, *RENAMED_KEYWORDS,
                              *MODEL_OPTIONS))})=({_VALUE})""")


def translate_keywords(message):
    """Return a message of the library with the flags of the command line.

    >>> translate_keywords("choose another name=..., or give gpu='none'")
    "choose another --name, or give --gpu none"
    """
    return _ASSIGNMENT.sub(_format_flag, message)


def get_flag(keyword):
    """Return the flag of a keyword, such as --lr for learning_rate."""
    return RENAMED_KEYWORDS.get(keyword, f"--{keyword.replace('_', '-')}")


def _format_flag(match):
    keyword, value = match[1], match[2]
    if keyword in MODEL_OPTIONS:
        return f"--model-option {keyword}={value.lower()}"
    flag = get_flag(keyword)
    if value in ("", "...", "True"):
        return flag
    if value.startswith("["):
        return f"{flag} {value.strip('[]').replace(' ', '')}"
    return f"{flag} " + " or ".join(shlex.quote("none" if text == "None" else text.strip("'"))
                                    for text in value.split(" or "))


def translate_note(line):
    """Return a line of a run's header, a note of which is translated; other lines are values."""
    return translate_keywords(line) if line.startswith("note ") else line
