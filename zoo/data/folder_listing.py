"""Listing the samples of a folder, images or texts, with their classes and splits, and splitting off missing splits."""

import difflib
import itertools
import os
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from zoo.data import folder_layout, link_checks, sample_files, splits
from zoo.data.split_names import FOLDER_SPLITS, parse_split_name
from zoo.errors import UserError, unknown_name_error
from zoo.utils.io import expand_user, replace_surrogates

LABEL_SOURCES = ("folder", "filename")


@dataclass(frozen=True)
class SampleListing:
    """The samples in a folder or file, as arrays of one element per sample, since there can be millions of them."""

    folder: Path  # or the file
    files: np.ndarray  # (n,) paths relative to the folder, as bytes in the file system's encoding; of a file, its rows
    labels: np.ndarray  # int64 (n,), indices into `class_names`
    split_ids: np.ndarray  # int8 (n,), indices into FOLDER_SPLITS
    class_names: tuple
    notes: tuple = ()  # how folders were interpreted, and which entries were skipped

    def __len__(self):
        return len(self.files)

    def get_path(self, index):
        return self.folder / os.fsdecode(self.files[index])

    def select(self, indices):
        """Return the SampleListing of the samples at `indices`, in that order."""
        return replace(self, files=self.files[indices], labels=self.labels[indices], split_ids=self.split_ids[indices])


def list_samples(folder, modality, labels_from="folder"):
    """Return the SampleListing of a folder of samples of a Modality, sorted by split, class and name.

    Raises UserError if there are no samples, or if symbolic links list one twice.
    """
    folder = expand_user(folder)
    if labels_from not in LABEL_SOURCES:
        raise unknown_name_error("source of labels", labels_from, LABEL_SOURCES)
    if not folder.is_dir():
        advice = f"give the folder that contains the {modality.plural}"
        raise UserError(f"{folder} is a file; {advice}" if folder.exists() else f"{folder} does not exist")
    skipped = sample_files.SkippedEntries()
    split_paths, notes = folder_layout.find_split_folders(folder, modality, labels_from, skipped)
    files, labels, split_ids, label_indices, nested = [], [], [], {}, {}
    for split, split_path in split_paths.items():
        if labels_from == "folder":
            pairs = label_by_folder(folder, modality, split_path, skipped)
        else:
            pairs, split_notes = label_by_filename(folder, modality, split_path, split, skipped)
            notes += split_notes
        for name, group in itertools.groupby(pairs, lambda pair: pair[1]):
            paths = [file for file, _ in group]
            if labels_from == "folder":
                nested |= list_nested_folders(name, paths, split_path)
            files.append(np.array([*map(os.fsencode, paths)]))
            labels.append(np.full(len(files[-1]), label_indices.setdefault(name, len(label_indices))))
            split_ids.append(np.full(len(files[-1]), FOLDER_SPLITS.index(split), np.int8))
    notes += note_nested_classes(nested) + skipped.format_notes(modality)
    if not files:
        raise make_no_samples_error(folder, modality, labels_from, f" ({'; '.join(notes)})" if notes else "")
    class_names = sort_class_names(folder, label_indices)
    # Labels were numbered in the order in which the classes were encountered, which is that of the dict.
    sorted_labels = np.array([class_names.index(replace_surrogates(name)) for name in label_indices])
    listing = SampleListing(folder, np.concatenate(files), sorted_labels[np.concatenate(labels)],
                            np.concatenate(split_ids), class_names, notes)
    link_checks.check_links(listing)
    return listing


def make_no_samples_error(folder, modality, labels_from, reason):
    """Return the UserError for a folder without labeled samples; reason: what was ignored."""
    if labels_from == "filename":
        return UserError(f"{folder} contains no {modality.plural} named like cat.123.jpg{reason}")
    hint = ("; if the files are named like cat.123.jpg, give labels_from='filename'"
            if "labels_from=..." in modality.features else "")
    return UserError(f"{folder} contains no {modality.file_type} in class folders, such as "
                     f"{' and '.join(modality.class_examples)}{reason}{hint}")


def sort_class_names(folder, labels):
    """Return the class names, sorted, as printable text; raise UserError if two of them look alike."""
    names = {}
    for label in sorted(labels):
        other = names.setdefault(replace_surrogates(label), label)
        if other != label:
            raise UserError(f"{folder} has two classes whose names are not valid UTF-8 and look alike, "
                            f"{replace_surrogates(label)!r}; rename one of the folders")
    return tuple(sorted(names))


def list_nested_folders(name, files, split_path):
    """Return {class: names of its subfolders} of a class whose samples all lie in subfolders; {} for another.

    files: paths of its samples, which begin with `split_path`.
    """
    parts = [file.removeprefix(f"{split_path}/" if split_path else "").split("/")[1:-1] for file in files]
    return {name: [*dict.fromkeys(folders[0] for folders in parts)]} if all(parts) else {}


def note_nested_classes(nested):
    """Return a tuple with the note on classes {name: names of subfolders} without samples of their own; () for none."""
    classes = [f"{name} ({sample_files.format_names(folders)})" for name, folders in nested.items()]
    return (f"read from subfolders alone: the class{'es' if len(classes) > 1 else ''} "
            f"{sample_files.format_names(classes)}",) if classes else ()


def label_by_folder(folder, modality, split_path, skipped):
    """Yield (path relative to `folder`, class) of the samples of a split; raise UserError for an empty class folder."""
    prefix = f"{split_path}/" if split_path else ""
    for name in folder_layout.list_folders(folder / split_path, modality, skipped, prefix):
        runs_before, links_before, extensions_before = len(skipped.runs), len(skipped.links), skipped.extensions.copy()
        is_empty = True
        for file in sample_files.walk_samples(folder / split_path / name, modality, skipped, f"{prefix}{name}/"):
            is_empty = False
            yield f"{prefix}{name}/{file}", unicodedata.normalize("NFC", name)  # macOS writes NFD
        if is_empty and len(skipped.runs) == runs_before:  # a folder of run directories is not a class
            extensions = skipped.extensions - extensions_before
            links = skipped.links[links_before:]
            others = sample_files.describe_others(extensions, links, modality)
            advice = "or replace the folder by the link" if links else "or remove the folder"
            raise UserError(f"the class {replace_surrogates(name)!r} is empty: {folder / split_path / name} contains "
                            f"no {modality.file_type}{others}; add {modality.file_type}, {advice}"
                            f"{sample_files.suggest_modality(extensions, modality)}")


def label_by_filename(folder, modality, split_path, split, skipped):
    """Return (pairs (path relative to `folder`, class), notes) of samples whose file names are CLASS.NAME.

    A validation or test split without any such file is ignored: Kaggle publishes unlabeled test images in this form.
    """
    prefix = f"{split_path}/" if split_path else ""
    files = [prefix + file for file in sample_files.walk_samples(folder / split_path, modality, skipped, prefix)]
    pairs = [(file, Path(file).stem.partition(".")) for file in files]
    unlabeled = [file for file, (_, dot, _) in pairs if not dot]
    if unlabeled and len(unlabeled) == len(pairs) and split in ("validation", "test"):
        return [], (f"ignored: {replace_surrogates(split_path)}/, {len(pairs):,} {modality.plural} whose file names "
                    "contain no class",)
    if unlabeled:
        raise UserError(f"cannot infer a class from the file name {folder / unlabeled[0]}; rename it to "
                        "CLASS.NAME.jpg, such as cat.123.jpg, or give labels_from='folder' if the classes are folders")
    return [(file, unicodedata.normalize("NFC", label)) for file, (label, _, _) in pairs], ()


def check_several_classes(listing, modality):
    """Raise UserError for a folder or file with a single class; a folder may itself contain the class folders."""
    if len(listing.class_names) > 1:
        return
    path, hint = listing.folder, ""
    is_folder, subfolders = path.is_dir(), []
    if is_folder and not (listing.split_ids > 0).any():
        subfolders = folder_layout.list_sample_folders(path, modality)
    while len(subfolders) == 1 and not (path != listing.folder and folder_layout.count_samples(path, modality)):
        path = path / subfolders[0]
        subfolders = folder_layout.list_sample_folders(path, modality)
    if len(subfolders) > 1:
        kind = "splits" if all(map(parse_split_name, subfolders[:2])) else "classes"
        hint = (f"; if the folders {replace_surrogates(subfolders[0])} and {replace_surrogates(subfolders[1])} are the "
                f"{kind}, give {path}")
    raise UserError(f"{listing.folder} has a single class, {listing.class_names[0]!r}; a classifier needs at least two"
                    f"{' class folders' if is_folder else ''}{hint}")


def resolve_folder_splits(listing, modality, limit):
    """Return ({split: indices into a SampleListing, at most `limit`}, notes): its splits, or split off by the seed."""
    plural = modality.plural
    indices = {split: np.flatnonzero(listing.split_ids == split_id) for split_id, split in enumerate(FOLDER_SPLITS)}
    pool = indices[""] if len(indices[""]) else indices["train"]
    if not len(pool):
        raise make_no_training_error(listing, modality, [split for split in FOLDER_SPLITS if len(indices[split])])
    missing = [split for split in splits.HELD_OUT_TENTHS if not len(indices[split])]
    order = pool[splits.make_stratified_order(listing.labels[pool], splits.SPLIT_SEED)]
    parts, notes = splits.split_off_missing(order, missing), ()
    for split in ("test", "validation"):
        if split not in missing:
            part = indices[split]
            check_trained_classes(listing, modality, split, part, pool)
            parts[split] = part[splits.make_stratified_order(listing.labels[part], splits.SPLIT_SEED)]
            absent = np.setdiff1d(listing.labels[pool], listing.labels[part])
            if len(absent):
                names = sample_files.format_names([listing.class_names[label] for label in absent])
                notes += (f"no {split} {plural} of {names}",)
    untrained = np.setdiff1d(np.arange(len(listing.class_names)), listing.labels[parts["train"]])
    if len(untrained):
        raise UserError(f"the class {listing.class_names[untrained[0]]!r} has too few {plural} to train on and to "
                        "split some off")
    source = f"all {plural}" if len(indices[""]) else "train"
    if missing:
        notes = (f"{' and '.join(missing)} split off from {source} at random (fixed seed)", *notes)
    return {split: parts[split][:limit] for split in ("train", "validation", "test")}, notes


def make_no_training_error(listing, modality, present):
    """Return the UserError for a SampleListing that has only the splits `present`, none of them for training."""
    ignored = "".join(f"; {note}" for note in listing.notes if note.startswith("ignored: "))
    advice = (f"put them into a folder train next to it, or rename the folder if it is a class{ignored}"
              if listing.folder.is_dir() else "add rows whose split is train")
    return UserError(f"{listing.folder} has the split {' and '.join(present)}, but no training {modality.plural}; "
                     f"{advice}")


def check_trained_classes(listing, modality, split, part, pool):
    """Raise UserError if the samples at `part`, of a split, have a class that the training samples, at `pool`, lack."""
    plural, unknown = modality.plural, np.setdiff1d(listing.labels[part], listing.labels[pool])
    if len(unknown):
        name = listing.class_names[unknown[0]]
        file = os.fsdecode(listing.files[part[listing.labels[part] == unknown[0]][0]])
        container = "folder" if listing.folder.is_dir() else "file"
        raise UserError(f"the {split} {plural} have a class without training {plural}: {name!r}, for example "
                        f"{listing.folder / file}{suggest_class(name, listing, pool, plural)}; add training "
                        f"{plural} of this class, or move its {plural} out of the {container}")


def suggest_class(name, listing, pool, plural):
    """Return a hint if a class of the training samples at `pool` has nearly the same name, else ""."""
    trained = [listing.class_names[label] for label in np.unique(listing.labels[pool])]
    close = difflib.get_close_matches(name.lower(), [other.lower() for other in trained], n=1, cutoff=0.8)
    other = next((other for other in trained if [other.lower()] == close), None)
    return f" (the training {plural} have {other!r})" if other else ""
