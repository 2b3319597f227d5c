"""Which folders are splits and which are classes: by the names that data sets have, and by what is in the folders.

A split holds folders of images, a class holds images. So `train` beside `bus` and `car` is a class when images lie in
it, and a split when class folders do. What can be read in two ways is refused, with both of them.
"""

import os
import re

from zoo.data import image_files, image_formats
from zoo.data.image_files import is_folder, is_junk_file
from zoo.errors import UserError
from zoo.utils.io import replace_surrogates

# What the names of splits say, in any case: train, Training, training_set, seg_train, trainset, "test images", ...
SPLIT_WORDS = {"train": "train", "training": "train", "val": "validation", "valid": "validation",
               "validation": "validation", "dev": "validation", "test": "test", "testing": "test", "eval": "eval",
               "evaluation": "eval"}
FILLER_PATTERN = "(?:dataset|data|set|split|seg|images?|imgs?)"
SPLIT_NAME_PATTERN = re.compile(rf"(?:{FILLER_PATTERN}[\W_]*)*({'|'.join(sorted(SPLIT_WORDS, key=len, reverse=True))})(?:[\W_]*{FILLER_PATTERN})*"
                                r"(?:[\W_]*\d{1,4})?")  # test1, val2017
STANDARD_SPLIT_NAMES = {"train": "train", "val": "validation", "validation": "validation",
                        "test": "test"}  # names that need no word
RUNS_FOLDER = "runs"  # where other programs write their runs


def parse_split_name(name):
    """Return the split that the name of a folder stands for, "eval" for one of two, or None."""
    match = SPLIT_NAME_PATTERN.fullmatch(name.lower())
    return SPLIT_WORDS[match[1]] if match else None


def find_split_folders(folder, labels_from, skipped):
    """Return ({split: path of its folder below `folder`}, notes); {"": ""} where there are no splits.

    What lies there besides is noted, or added to `skipped`.
    """
    beside = image_files.SkippedEntries()
    folders = [name for name in list_folders(folder, beside) if has_image(os.path.join(folder, name))]
    named = [name for name in folders if parse_split_name(name)]
    if labels_from == "filename":
        is_split = any(parse_split_name(name) == "train" for name in named)
        parts = resolve_split_folders(folder, named) if is_split else {}
    else:
        parts = find_nested_splits(folder, folders, named)
    if not parts:
        if labels_from == "folder":
            check_inner_splits(folder, folders)
        return {"": ""}, note_loose_images(folder, "") if labels_from == "folder" else ()
    image_files.merge_skipped(skipped, beside)  # without splits it is passed over once more, with the classes
    notes = []
    if set(parts) & {"train"} and not all(STANDARD_SPLIT_NAMES.get(path) == split for split, path in parts.items()):
        taken = ", ".join(f"{replace_surrogates(path)}/ is {split}" for split, path in parts.items())
        notes.append(f"splits of the folder: {taken}")
    used = {path.partition("/")[0] for path in parts.values()}
    for name in folders:
        if name not in used:
            count = sum(1 for _ in image_files.walk_images(os.path.join(folder, name), image_files.SkippedEntries()))
            reason = "in no class" if parse_split_name(name) else "a folder that is named as no split"
            notes.append(f"passed over: {replace_surrogates(name)}/, {count:,} {'image' if count == 1 else 'images'}: {reason}")
    notes += note_loose_images(folder, "")
    if labels_from == "folder":
        notes += [line for path in parts.values() for line in note_loose_images(os.path.join(folder, path), f"{path}/")]
    return parts, tuple(notes)


def find_nested_splits(folder, folders, split_folders):
    """Return {split: path} of the named folders that hold class folders; {} where they are classes themselves."""
    nested = [name for name in split_folders if list_image_folders(os.path.join(folder, name))]
    others = [name for name in folders if name not in split_folders]
    if not nested:
        check_flat_folders(folder, split_folders, others)
        return {}
    parts = resolve_split_folders(folder, nested)
    siblings = [name for name in others if not list_image_folders(os.path.join(folder, name))]  # they could be classes
    if siblings and len(nested) == 1:
        (name,), (split,) = nested, parts
        raise UserError(f"{folder} can be read in two ways: {replace_surrogates(name)}/ is the {split} split, or a class like "
                        f"{replace_surrogates(siblings[0])}/; move the class folders into train/, or rename {replace_surrogates(name)}/")
    return parts


def check_flat_folders(folder, split_folders, others):
    """Raise UserError where named folders hold images but no class folders, and are not classes without a doubt."""
    if split_folders and not others:
        name = replace_surrogates(split_folders[-1])
        where = " and ".join(f"{replace_surrogates(each)}/" for each in split_folders)
        raise UserError(f"{folder} holds no class folders: the images of {where} are in no class; put them "
                        f"into folders such as {name}/cat and {name}/dog, or give --labels-from filename where the "
                        "files are named like cat.123.jpg")
    held_out = [name for name in split_folders if parse_split_name(name) != "train"]
    if held_out:
        name = replace_surrogates(held_out[0])
        raise UserError(f"{folder} can be read in two ways: {name}/ is a class, or holds images in no class; rename "
                        f"it, such as to {name}_class, or move it out of {folder}")


def check_inner_splits(folder, classes):
    """Raise UserError where each class folder holds splits: images to test on must not become some to train on."""
    def splits_in(name):
        return {parse_split_name(inside) for inside in list_image_folders(os.path.join(folder, name))} - {None}

    if len(classes) > 1 and all(len(splits_in(name)) > 1 for name in classes):  # as a rule the first says no
        name = replace_surrogates(classes[0])
        one, two = [replace_surrogates(each) for each in list_image_folders(os.path.join(folder, classes[0]))
                    if parse_split_name(each)][:2]
        raise UserError(f"{folder} can be read in two ways: {name}/{one} and {name}/{two} are splits, or part of one "
                        f"class; put the splits above the classes, as {one}/{name} and {two}/{name}, or rename {one} "
                        f"and {two}")


def resolve_split_folders(folder, names):
    """Return {split: path} of folders named as splits; UserError where two are the same one, or one is either."""
    parts = {}
    splits = {name: parse_split_name(name) for name in names}
    missing = [split for split in ("validation", "test") if split not in splits.values()]
    for name in names:
        split = splits[name]
        if split == "eval":
            if len(missing) != 1:
                raise UserError(f"{folder} can be read in two ways: {replace_surrogates(name)}/ is the validation split, or the "
                                "test split; rename it to val or test")
            [split] = missing
        if split in parts:
            raise UserError(f"{folder} can be read in two ways: {replace_surrogates(parts[split])}/ is the {split} split, or "
                            f"{replace_surrogates(name)}/ is; put the images into one of them, or rename the other")
        parts[split] = name
    return {split: unwrap_split_folder(folder, parts[split]) for split in ("train", "validation", "test")
            if split in parts}


def unwrap_split_folder(folder, path):
    """Return the path of a split, or of the folder of the same split that it holds and nothing else."""
    inside = list_image_folders(os.path.join(folder, path))
    if len(inside) == 1 and parse_split_name(inside[0]) == parse_split_name(path) and count_images(os.path.join(folder, path)) == 0:
        if list_image_folders(os.path.join(folder, path, inside[0])):
            return f"{path}/{inside[0]}"
    return path


def list_folders(folder, skipped, prefix=""):
    """Return the names of the folders in a folder, links among them; hidden ones, runs and the like go to `skipped`."""
    with os.scandir(folder) as entries:
        entries = sorted((entry for entry in entries if entry.is_dir()), key=lambda entry: entry.name)
    names = []
    for entry in entries:
        if image_files.is_skipped_folder(entry.path, prefix + entry.name, skipped):
            continue
        if entry.name.lower() == RUNS_FOLDER and not count_images(entry.path):
            skipped.runs.append(prefix + entry.name)
            continue
        target = os.path.join(os.path.realpath(entry.path), "") if entry.is_symlink() else None
        if target and os.path.join(os.path.realpath(folder), "").startswith(target):
            skipped.links.append(prefix + entry.name)  # to a folder that this one is in: its images would come twice
            continue
        names.append(entry.name)
    return names


def list_image_folders(folder):
    """Return the names of the folders in a folder that hold images at any depth."""
    return [name for name in list_folders(folder, image_files.SkippedEntries())
            if has_image(os.path.join(folder, name))]


def has_image(folder):
    """Return whether there is an image in a folder, at any depth."""
    endings = image_formats.list_image_extensions()

    def inside(folder):
        with os.scandir(folder) as entries:
            return any(inside(entry.path) if is_folder(entry) else is_image_file(entry, endings) for entry in entries
                       if not (is_folder(entry)
                               and image_files.is_skipped_folder(entry.path, "", image_files.SkippedEntries())))

    return inside(folder)


def is_image_file(entry, extensions):
    return image_formats.get_extension(entry.name) in extensions and not is_junk_file(entry.name) and entry.is_file()


def count_images(folder):
    """Return the number of images that lie in a folder itself."""
    endings = image_formats.list_image_extensions()
    with os.scandir(folder) as entries:
        return sum(1 for entry in entries if is_image_file(entry, endings))


def note_loose_images(folder, path):
    """Return a note on images that lie beside class folders, in no class."""
    count = count_images(folder)
    where = f"in {replace_surrogates(path)} " if path else ""
    return (f"passed over: {count:,} {'image' if count == 1 else 'images'} {where}beside the class folders",) \
        if count else ()
