"""Labels of arrays of images or texts, and the splits of arrays. No backend is loaded."""

import unicodedata

import numpy as np

from zoo.data import splits
from zoo.data.dataset_info import SPLITS
from zoo.data.text_arrays import has_texts
from zoo.errors import UserError
from zoo.utils.io import replace_surrogates

MAX_LABELS_SHOWN = 12  # of a one-hot label in a message


def convert_array_pair(pair, split, convert_samples, modality):
    """Return (samples, labels int64 (n,), classes) of a pair (samples, labels), the data of one split.

    convert_samples: called as `convert_samples(values, split)`, returns what the samples of the `modality` are read
    from.
    """
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        length = f" of length {len(pair)}" if isinstance(pair, (tuple, list)) else ""
        hint = f"; instead of pairs ({modality.name}, label), give two arrays" if is_pairs(pair) else ""
        raise UserError(f"the {split} data must be a pair ({modality.plural}, labels); got an object of type "
                        f"{type(pair).__name__}{length}{hint}")
    samples = convert_samples(pair[0], split)
    labels, classes = convert_label_array(convert_to_array(pair[1], f"{split} labels"), split, modality)
    if len(samples) != len(labels):
        raise UserError(f"the {split} data have {len(samples)} {modality.plural}, but {len(labels)} labels; give one "
                        f"label per {modality.name}")
    return samples, labels, classes


def is_pairs(values):
    """Return whether `values` is a list of pairs (image, label)."""
    return isinstance(values, (tuple, list)) and len(values) > 0 and all(
        isinstance(value, (tuple, list)) and len(value) == 2 and is_scalar(value[1]) for value in values)


def is_scalar(value):
    return isinstance(value, str) or not hasattr(value, "__len__") or getattr(value, "ndim", 1) == 0


def is_array_pair(value):
    """Return whether a value is a pair (samples, labels), such as (x_test, y_test); not two labels."""
    return isinstance(value, (tuple, list)) and len(value) == 2 and (getattr(value[0], "ndim", 0) >= 2
                                                                    or has_texts(value[0]))


def convert_to_array(values, what):
    """Return np.asarray(values); raise UserError, in which `what` names the values, if that fails."""
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged lists; tensors on a GPU
        raise UserError(f"the {what} cannot be converted to an array: {' '.join(str(error).split())}") from None


def convert_label_array(labels, split, modality):
    """Return (labels int64 (n,), number of classes) of labels (n,), (n, 1) or one-hot (n, classes) of a Modality."""
    if labels.dtype.kind not in "iufb":
        raise UserError(f"the {split} labels have dtype {labels.dtype}; give integers from 0, and the names of the "
                        "classes as class_names: class_names, labels = np.unique(labels, return_inverse=True)")
    if labels.ndim not in (1, 2):
        raise UserError(f"the {split} labels have shape {labels.shape}; give (n,), (n, 1) or one-hot (n, classes)")
    if not labels.size:
        raise UserError(f"the {split} labels are empty: shape {labels.shape}")
    if labels.ndim == 2 and labels.shape[1] > 1:
        invalid = np.flatnonzero(((labels != 0) & (labels != 1)).any(axis=1) | ((labels == 1).sum(axis=1) != 1))
        if len(invalid) and ((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) > 1).any():
            raise UserError(f"the {split} labels, of shape {labels.shape}, have more than one 1 in row "
                            f"{(labels.sum(axis=1) > 1).argmax()}: several labels per {modality.name} are not "
                            "supported; give one label each")
        if len(invalid):
            row = np.array2string(labels[invalid[0]], separator=", ", threshold=MAX_LABELS_SHOWN, max_line_width=10_000)
            raise UserError(f"the {split} labels, of shape {labels.shape}, are not one-hot: row {invalid[0]} is {row}")
        return labels.argmax(axis=1), labels.shape[1]
    labels = labels.reshape(-1)
    invalid = np.flatnonzero(~((labels >= 0) & (labels < 2**31) & (labels == np.floor(labels))))
    if len(invalid):
        raise UserError(f"the {split} labels must be integers from 0; the one at index {invalid[0]} is "
                        f"{labels[invalid[0]]}")
    return labels.astype(np.int64), int(labels.max()) + 1


def resolve_class_names(class_names, labels, classes, plural="images"):
    """Return the class names as a tuple of str; raise UserError if names and labels do not match.

    labels: {split: int64 (n,)}. classes: the number of classes according to the labels. plural: what is labeled.
    """
    present = np.unique(np.concatenate([np.unique(part) for part in labels.values()]))
    if len(present) == 1:
        raise UserError(f"all labels are {present[0]}, a single class; a classifier needs at least two")
    names = None if class_names is None else check_class_names(class_names)
    trained = np.unique(labels["train"])
    if trained[0] == 1 and present[0] == 1 and len(trained) == trained[-1]:
        raise UserError(f"the labels start at 1, and label 0 has no {plural}; subtract 1 from all labels")
    if names is not None and len(names) < classes:
        raise UserError(f"class_names has {len(names)} names, but the labels have {classes} classes, 0 to "
                        f"{classes - 1}")
    check_held_out_labels(labels, plural)
    num_labels, classes = classes, classes if names is None else len(names)
    if len(trained) == num_labels < classes:
        unused = ", ".join(map(repr, names[num_labels:]))
        raise UserError(f"class_names has {classes} names, but the labels are 0 to {num_labels - 1}: there are no "
                        f"{plural} of {unused}, label {num_labels}; remove {unused} from class_names, or add {plural}")
    if len(trained) < classes:
        # Not np.arange(classes), so that a single label of a billion does not allocate gigabytes.
        label = np.setdiff1d(np.arange(len(trained) + 1), trained)[0]
        label_name = "" if names is None else f" ({names[label]!r})"
        raise UserError(f"label {label}{label_name} has no training {plural}, but there are {classes} classes, "
                        f"0 to {classes - 1}; add {plural}, or number the labels without gaps")
    return tuple(map(str, range(classes))) if names is None else names


def check_held_out_labels(labels, plural):
    """Raise UserError if a validation or test split has labels above those of the training split.

    labels: {split: int64 (n,)}. plural: what is labeled.
    """
    last = labels["train"].max()
    for split, part in labels.items():
        if part.max() > last:
            raise UserError(f"the {split} labels go up to {part.max()}, but the train labels only to {last}; add "
                            f"training {plural} of label {part.max()}, or leave it out of {split}")


def check_class_names(class_names):
    # a set has no order, and that of a dict need not be the order of its labels
    is_ordered = hasattr(class_names, "__iter__") and not isinstance(class_names, (str, dict, set, frozenset))
    names = tuple(class_names) if is_ordered else ()
    if not names or not all(isinstance(name, str) for name in names):
        raise UserError(f"class_names must be a list of names, in the order of the labels, such as ['cat', 'dog']; "
                        f"got {class_names!r}")
    names = tuple(unicodedata.normalize("NFC", replace_surrogates(name)) for name in names)  # NumPy's str_ becomes str
    duplicate = next((name for name in names if names.count(name) > 1), None)
    if duplicate is not None:
        raise UserError(f"class_names contains the name {duplicate!r} twice; give each class a unique name")
    return names


def resolve_array_splits(labels, class_names, plural="images"):
    """Return ({split: indices into its source arrays}, notes); splits not in `labels` are split off from train."""
    missing = [split for split in splits.HELD_OUT_TENTHS if split not in labels]
    indices = {split: np.arange(len(part)) for split, part in labels.items()}
    if not missing:
        return indices, ()
    indices |= splits.split_off_missing(splits.make_stratified_order(labels["train"], splits.SPLIT_SEED), missing)
    untrained = np.setdiff1d(np.arange(len(class_names)), labels["train"][indices["train"]])
    if len(untrained):
        count = int((labels["train"] == untrained[0]).sum())
        raise UserError(f"label {untrained[0]} ({class_names[untrained[0]]!r}) has too few training {plural}, {count}, "
                        f"to split off {' and '.join(missing)} {plural}; add {plural}, or give these splits")
    sizes = " and ".join(f"{split} ({len(indices[split]):,} {plural})" for split in missing)
    return indices, (f"{sizes} split off from train at random (fixed seed)",)


def limit_array_splits(indices, labels, limit):
    """Return {split: (split whose arrays it is in, at most `limit` indices into these)}.

    indices: of all splits, see `resolve_array_splits`. labels: {split: labels} of the given splits; a missing one
    shares the training arrays. Splits in the order of the arrays are shortened with the classes in proportion.
    """
    parts = {}
    for split, part in indices.items():
        source_split = split if split in labels else "train"
        is_as_given = split in labels and (split != "train" or len(labels) == len(SPLITS))
        if is_as_given and limit is not None and limit < len(part):
            part = part[splits.make_stratified_order(labels[source_split][part], splits.SPLIT_SEED)]
        parts[split] = source_split, part[:limit]
    return {split: parts[split] for split in SPLITS}
