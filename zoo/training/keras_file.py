"""A .keras file before it is loaded, and the names of its classes, which lie beside it. Standard library only."""

import re
import sys
import zipfile

from zoo.errors import UserError

LABELS_SUFFIX = "labels.txt"
REGISTER_HINT = "decorate it with @keras.saving.register_keras_serializable()"


def check_keras_file(path):
    """Raise UserError for a file that cannot be a .keras file: next to no time, before a backend is loaded."""
    try:
        with open(path, "rb") as file:
            whole = zipfile.is_zipfile(file)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    if not whole:
        raise UserError(f"{path} is damaged: not a zip file, which .keras files are")


def explain_keras_error(error):
    """Return one line for what Keras raised when it saved or loaded a model: the cause, and what to do about it."""
    cause = str(error).rpartition("Exception encountered: ")[2]  # of errors inside one another, the innermost
    unknown = re.search(r"Could not locate (class|function) '([^']+)'", cause)
    if unknown:
        return (f"Keras does not know the {unknown[1]} {unknown[2]}; {REGISTER_HINT}, and import its module before the "
                "model is loaded")
    if re.search(r"\bLambda\b", cause):
        return ("a Lambda layer cannot be saved safely; write a subclass of keras.layers.Layer instead, and "
                f"{REGISTER_HINT}")
    unsaved = re.search(r"(\w+) was created by passing\s+non-serializable", cause)
    if unsaved:
        return f"{unsaved[1]} needs a get_config() that returns the arguments of its __init__"
    return next((line.strip() for line in cause.splitlines() if line.strip()), type(error).__name__)


def read_class_names(path, classes):
    """Return the names of a .keras file's classes: the lines of my.labels.txt, which zoo export writes beside my.keras.

    None where that is not there, or, with a note, where it does not name just `classes`.
    """
    names = path.with_name(f"{path.stem}.{LABELS_SUFFIX}")
    if not names.is_file():
        return None
    try:
        found = names.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        wrong = f"cannot be read ({error})"
    else:
        if len(found) == classes:
            return tuple(found)
        wrong = f"names {len(found)} classes, and {path.name} has {classes}"
    print(f"note: classes have their numbers: {names} {wrong}", file=sys.stderr)
    return None
