"""Detecting which folders are splits and which are classes, from their names and contents.

A split contains class folders, a class contains samples, images or texts. So `train` next to `bus` and `car` is a class
if it contains images, and a split if it contains class folders. An ambiguous folder raises an error that names both
readings.
"""

import math
import os

from zoo.data import image_formats, sample_files
from zoo.data.sample_files import is_folder, is_junk_file, is_regular_file
from zoo.data.split_names import (STANDARD_SPLIT_NAMES, parse_split_name, parse_split_word, resolve_split_names,
                                  split_off_word)
from zoo.errors import UserError
from zoo.utils.io import replace_surrogates

LINKED_DEPTH = 2  # of a folder behind a link that is searched for samples: itself and its subfolders
RUNS_FOLDER = "runs"  # where other programs write their runs by convention


def find_split_folders(folder, modality, labels_from, skipped):
    """Return ({split: path of its folder, relative to `folder`}, notes); {"": ""} if there are no splits.

    modality: the Modality of the samples. labels_from: "folder" or "filename", where their classes come from. Other
    entries are reported in the notes, or added to `skipped`.
    """
    other_entries = sample_files.SkippedEntries()
    all_folders = list_folders(folder, modality, other_entries)
    folders = [name for name in all_folders
               if has_sample(os.path.join(folder, name), modality, follow_links=labels_from == "folder")]
    split_folders = [name for name in folders if parse_split_name(name)]
    if labels_from == "filename":
        splits = {name: parse_split_name(name) for name in split_folders}
        parts = resolve_split_folders(folder, modality, splits) if "train" in splits.values() else {}
        if splits and not parts:
            name = replace_surrogates(split_folders[0])
            plural = modality.plural
            raise UserError(f"{folder} is ambiguous: {name}/ is either a split, without training {plural} in a folder "
                            f"train, or a folder like any other; move the other {plural} into train/, or rename "
                            f"{name}/")
    else:
        parts = find_nested_splits(folder, modality, folders, split_folders)
    if not parts:
        if labels_from == "folder":
            check_inner_splits(folder, modality, folders)
            check_repeated_subfolders(folder, modality, folders)
        return {"": ""}, note_loose_samples(folder, modality, "") if labels_from == "folder" else ()
    sample_files.merge_skipped(skipped, other_entries)  # without splits they are added when the classes are listed
    notes = []
    if set(parts) & {"train"} and not all(STANDARD_SPLIT_NAMES.get(path) == split for split, path in parts.items()):
        mapping = ", ".join(f"{replace_surrogates(path)}/ is {split}" for split, path in parts.items())
        notes.append(f"splits of the folder: {mapping}")
    used = {path.partition("/")[0] for path in parts.values()}
    for name in [name for name in all_folders if name not in used]:
        count = sum(1 for _ in sample_files.walk_samples(os.path.join(folder, name), modality,
                                                         sample_files.SkippedEntries()))
        if not count:
            notes += describe_empty_folder(folder, modality, name, parts)
        else:
            reason = "not in class folders" if parse_split_name(name) else "not the name of a split"
            notes.append(f"ignored: {replace_surrogates(name)}/, {modality.format_count(count)}: {reason}")
    notes += note_loose_samples(folder, modality, "")
    if labels_from == "folder":
        notes += [line for path in parts.values()
                  for line in note_loose_samples(os.path.join(folder, path), modality, f"{path}/")]
    return parts, tuple(notes)


def describe_empty_folder(folder, modality, name, parts):
    """Return a tuple with the note on a folder without samples beside the splits `parts`; () for run directories.

    Raises UserError if its name is that of a split which would be split off instead.
    """
    skipped = sample_files.SkippedEntries()
    list(sample_files.walk_samples(os.path.join(folder, name), modality, skipped))
    if skipped.runs:
        return ()
    split, printable_name = parse_split_name(name), replace_surrogates(name)
    others = sample_files.describe_others(skipped.extensions, skipped.links, modality)
    if split and not set(parts) >= ({"validation", "test"} if split == "eval" else {split}):
        raise UserError(f"the {'validation or test' if split == 'eval' else split} split is empty: "
                        f"{os.path.join(folder, printable_name)} contains no {modality.file_type}{others}; add "
                        f"{modality.file_type}, or remove the folder"
                        f"{sample_files.suggest_modality(skipped.extensions, modality)}")
    return (f"ignored: {printable_name}/, which contains no {modality.file_type}{others}",)


def find_nested_splits(folder, modality, folders, split_folders):
    """Return {split: path} of the split folders that contain class folders; {} if they are classes themselves."""
    nested = {name: parse_split_name(name) for name in split_folders
              if list_sample_folders(os.path.join(folder, name), modality)}
    others = [name for name in folders if name not in split_folders]
    if "train" not in nested.values():
        nested = find_splits_by_word(folder, modality, folders) or nested
    if not nested:
        check_flat_folders(folder, modality, split_folders, others)
        check_split_classes(folder, modality, folders)
        return {}
    parts = resolve_split_folders(folder, modality, nested)
    if len(nested) == 1:
        (name,), (split,) = nested, parts
        siblings = list_possible_classes(folder, modality, name, others)
    if len(nested) == 1 and siblings:
        raise UserError(f"{folder} is ambiguous: {replace_surrogates(name)}/ is either the {split} split, or a class "
                        f"like {replace_surrogates(siblings[0])}/; move the class folders into train/, or rename "
                        f"{replace_surrogates(name)}/")
    return parts


def list_possible_classes(folder, modality, split_folder, others):
    """Return those of `others` that are classes if `split_folder` is one: without subfolders, or with the same ones."""
    shared = {*list_sample_folders(os.path.join(folder, split_folder), modality)}
    subfolders = {name: list_sample_folders(os.path.join(folder, name), modality) for name in others}
    return [name for name in others
            if not subfolders[name] or len(shared & {*subfolders[name]}) > 1 and not parse_split_word(name)]


def find_splits_by_word(folder, modality, folders):
    """Return {name: split} of folders such as pets_train and pets_test that share class folders; {} if none do."""
    splits = {name: split for name in folders if (split := parse_split_word(name))}
    classes = {name: {*list_sample_folders(os.path.join(folder, name), modality)} for name in splits}
    train = [name for name, split in splits.items() if split == "train"]
    if len(train) != 1 or len(classes[train[0]]) < 2:
        return {}
    splits = {name: split for name, split in splits.items() if len(classes[name] & classes[train[0]]) > 1}
    return splits if len(splits) > 1 else {}


def check_flat_folders(folder, modality, split_folders, others):
    """Raise UserError if split folders contain samples but no class folders, unless they clearly are classes."""
    if split_folders and not others:
        name = replace_surrogates(split_folders[-1])
        paths = " and ".join(f"{replace_surrogates(split_folder)}/" for split_folder in split_folders)
        first, second = modality.class_examples
        hint = (", or give labels_from='filename' if the files are named like cat.123.jpg"
                if "labels_from=..." in modality.features else "")
        raise UserError(f"{folder} contains no class folders: the {modality.plural} in {paths} have no class; move "
                        f"them into folders such as {name}/{first} and {name}/{second}{hint}")
    held_out = [name for name in split_folders if parse_split_name(name) not in modality.classes_like_splits]
    if held_out:
        name = replace_surrogates(held_out[0])
        raise UserError(f"{folder} is ambiguous: {name}/ is either a class, or contains {modality.plural} without a "
                        f"class; rename it, for example to {name}_class, or move it out of {folder}")


def check_split_classes(folder, modality, folders):
    """Raise UserError for folders such as trainA and testA, or train_cats and test_cats, which have both in one name.

    Names such as train_station, of which there is no test_station, are those of classes.
    """
    names = {}  # of folders by split, for each of the other words
    for name in folders:
        split, others = split_off_word(name)
        if split and others:
            names.setdefault(others, {}).setdefault(split, name)
    for others, splits in names.items():
        if "train" in splits and len(splits) > 1:
            split = next(split for split in splits if split != "train")
            train, held_out = replace_surrogates(splits["train"]), replace_surrogates(splits[split])
            raise UserError(f"{folder} is ambiguous: {train}/ and {held_out}/ are either two classes, or the splits "
                            f"train and {split} of one class; for splits, move the {modality.plural} into "
                            f"train/{others} and {split}/{others}; for classes, rename {held_out}/")


def check_inner_splits(folder, modality, classes):
    """Raise UserError if class folders contain splits: test samples must not become training samples.

    A single one may be a class, unless its splits contain folders, as a dataset has them.
    """
    def list_split_folders(name):
        return [subfolder for subfolder in list_sample_folders(os.path.join(folder, name), modality)
                if parse_split_name(subfolder)]

    divided = [name for name in classes if len(set(map(parse_split_name, list_split_folders(name)))) > 1]
    if len(divided) == 1 and any(list_sample_folders(os.path.join(folder, divided[0], subfolder), modality)
                                 for subfolder in list_split_folders(divided[0])):
        name = replace_surrogates(divided[0])
        raise UserError(f"{folder} is ambiguous: {name}/ is either a dataset with splits, or a class; give "
                        f"{folder}/{name}, or move the {modality.plural} of the class up into {name}/")
    if len(divided) > 1:
        name = replace_surrogates(divided[0])
        first, second = map(replace_surrogates, list_split_folders(divided[0])[:2])
        raise UserError(f"{folder} is ambiguous: {name}/{first} and {name}/{second} are either splits, or part of one "
                        f"class; put the splits above the classes, as {first}/{name} and {second}/{name}, or rename "
                        f"{first} and {second}")


def check_repeated_subfolders(folder, modality, folders):
    """Raise UserError if all folders contain the same folders and no samples: these are the classes, or parts of one.

    Such are several versions of one dataset, color/CLASS and grayscale/CLASS, and splits under other names.
    """
    subfolders = [[] if count_samples(os.path.join(folder, name), modality) else
                  list_sample_folders(os.path.join(folder, name), modality) for name in folders]
    common = sorted(set.intersection(*map(set, subfolders))) if len(folders) > 1 else []
    if len(common) > 1 and len(common) == min(map(len, subfolders)):
        first, second, third, fourth = map(replace_surrogates, (*folders[:2], *common[:2]))
        raise UserError(f"{folder} is ambiguous: {first}/ and {second}/ both contain folders {third} and {fourth}, "
                        f"which are either the classes, or parts of the classes {first} and {second}; if they are the "
                        f"classes, give {folder}/{first}, or rename splits to train, val and test; if not, move the "
                        f"{modality.plural} of {first}/{third} and the like up into {first}/")


def resolve_split_folders(folder, modality, splits):
    """Return {split: path} of folders {name: split}; raise UserError for duplicate or ambiguous splits."""
    parts = resolve_split_names(folder, modality, splits, "/")
    return {split: unwrap_split_folder(folder, modality, name) for split, name in parts.items()}


def unwrap_split_folder(folder, modality, path):
    """Return the path of a split, or of its only subfolder if that has the name of the same split."""
    subfolders = list_sample_folders(os.path.join(folder, path), modality)
    if (len(subfolders) == 1 and parse_split_name(subfolders[0]) == parse_split_name(path)
            and count_samples(os.path.join(folder, path), modality) == 0):
        if list_sample_folders(os.path.join(folder, path, subfolders[0]), modality):
            return f"{path}/{subfolders[0]}"
    return path


def list_folders(folder, modality, skipped, prefix=""):
    """Return the names of the subfolders, including links; hidden folders, run directories etc. go to `skipped`."""
    with sample_files.scan_folder(folder) as entries:
        entries = sorted(entries, key=lambda entry: entry.name)
    names = []
    for entry in entries:
        if not sample_files.is_folder(entry, follow_links=True):
            if entry.is_symlink() and not os.path.exists(entry.path):  # possibly a class
                skipped.special.append(f"{prefix}{entry.name} ({sample_files.describe_special_file(entry.path)})")
            continue
        if sample_files.is_skipped_folder(entry.path, prefix + entry.name, skipped):
            continue
        if entry.name.lower() == RUNS_FOLDER and not count_samples(entry.path, modality):
            skipped.runs.append(prefix + entry.name)
            continue
        target = os.path.join(os.path.realpath(entry.path), "") if entry.is_symlink() else None
        if target and os.path.join(os.path.realpath(folder), "").startswith(target):
            skipped.links.append(prefix + entry.name)  # to a parent folder: its samples would be listed twice
            continue
        names.append(entry.name)
    return names


def list_sample_folders(folder, modality):
    """Return the names of the subfolders that contain samples at any depth."""
    return [name for name in list_folders(folder, modality, sample_files.SkippedEntries())
            if has_sample(os.path.join(folder, name), modality)]


def has_sample(folder, modality, follow_links=True):
    """Return whether a folder contains a sample of a Modality at any depth.

    The folder can be a split whose class folders are links: with `follow_links` they are searched, too, but only
    LINKED_DEPTH folders deep, since a link can lead anywhere.
    """
    extensions = sample_files.list_extensions(modality)

    def search(folder, depth):
        subfolders, is_linked = [], depth < math.inf
        try:
            with sample_files.scan_folder(folder) as entries:
                for entry in entries:
                    if is_folder(entry, follow_links=follow_links and not is_linked):
                        subfolders.append(entry)
                    elif is_sample_file(entry, extensions):
                        return True
        except UserError:  # it may not be read
            if is_linked:
                return False
            raise
        return depth > 1 and any(search(entry.path, LINKED_DEPTH if entry.is_symlink() else depth - 1)
                                 for entry in sorted(subfolders, key=lambda entry: entry.is_symlink())
                                 if not sample_files.is_skipped_folder(entry.path, "", sample_files.SkippedEntries()))

    return search(folder, math.inf)


def is_sample_file(entry, extensions):
    return (image_formats.get_extension(entry.name) in extensions and not is_junk_file(entry.name)
            and is_regular_file(entry))


def count_samples(folder, modality):
    """Return the number of samples of a Modality directly in a folder."""
    extensions = sample_files.list_extensions(modality)
    with sample_files.scan_folder(folder) as entries:
        return sum(1 for entry in entries if is_sample_file(entry, extensions))


def note_loose_samples(folder, modality, path):
    """Return a tuple with the note on samples next to class folders, which have no class; () if there are none."""
    count = count_samples(folder, modality)
    location = f"in {replace_surrogates(path)} " if path else ""
    return (f"ignored: {modality.format_count(count)} {location}next to the class folders",) if count else ()
