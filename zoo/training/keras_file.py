"""Check .keras files before loading, and read the class names stored beside them. Standard library only."""

import re
import sys
import zipfile

from zoo.errors import UserError
from zoo.utils.text import escape_unprintable

LABELS_SUFFIX = "labels.txt"
REGISTER_HINT = "decorate it with @keras.saving.register_keras_serializable()"


def check_keras_file(path):
    """Raise UserError for a file that cannot be a .keras file: fast, and without loading a backend."""
    try:
        with open(path, "rb") as file:
            is_zip = zipfile.is_zipfile(file)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    if not is_zip:
        raise UserError(f"{path} is damaged: it is not a zip file, as .keras files are")


def explain_keras_error(error):
    """Explain an error of Keras when saving or loading a model, in one line: the cause and the remedy."""
    cause = str(error).rpartition("Exception encountered: ")[2]  # the innermost of nested errors
    unknown = re.search(r"Could not locate (class|function) '([^']+)'", cause)
    if unknown:
        return (f"Keras does not know the {unknown[1]} {unknown[2]}; {REGISTER_HINT}, and import its module before "
                "loading the model")
    if re.search(r"\bLambda\b", cause):
        return ("a Lambda layer cannot be saved safely; write a subclass of keras.layers.Layer instead, and "
                f"{REGISTER_HINT}")
    non_serializable = re.search(r"(\w+) was created by passing\s+non-serializable", cause)
    if non_serializable:
        return f"{non_serializable[1]} needs a get_config() that returns the arguments of its __init__"
    return next((line.strip() for line in cause.splitlines() if line.strip()), type(error).__name__)


def read_class_names(path, classes):
    """Return the class names of a .keras file: the lines of my.labels.txt, which zoo export writes beside my.keras.

    None if that file does not exist or, with a note, if it does not have `classes` names.
    """
    labels_path = path.with_name(f"{path.stem}.{LABELS_SUFFIX}")
    if not labels_path.is_file():
        return None
    try:
        names = labels_path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problem = f"cannot be read ({error})"
    else:
        if len(names) == classes:
            return tuple(names)
        problem = f"names {len(names)} classes, but {path.name} has {classes}"
    print(f"note: showing class indices: {escape_unprintable(f'{labels_path} {problem}')}", file=sys.stderr)
    return None
