"""Which folders are splits and which are classes: by the names that data sets have, and by what is in the folders.

A split holds folders of images, a class holds images. So `train` beside `bus` and `car` is a class when images lie in
it, and a split when class folders do. What can be read in two ways is refused, with both of them.
"""

import os
import re

from zoo.data import image_files, image_formats
from zoo.data.image_files import is_folder, is_junk
from zoo.errors import UserError
from zoo.utils.io import legible

# What the names of splits say, in any case: train, Training, training_set, seg_train, trainset, "test images", ...
WORDS = {"train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
         "dev": "validation", "test": "test", "testing": "test", "eval": "eval", "evaluation": "eval"}
FILLER = "(?:dataset|data|set|split|seg|images?|imgs?)"
NAME = re.compile(rf"(?:{FILLER}[\W_]*)*({'|'.join(sorted(WORDS, key=len, reverse=True))})(?:[\W_]*{FILLER})*"
                  r"(?:[\W_]*\d{1,4})?")  # test1, val2017
PLAIN = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}  # names that need no word
RUNS = "runs"  # where other programs write their runs


def split_of(name):
    """Return the split that the name of a folder stands for, "eval" for one of two, or None."""
    match = NAME.fullmatch(name.lower())
    return WORDS[match[1]] if match else None


def find_parts(folder, labels_from, skipped):
    """Return ({split: path of its folder below `folder`}, notes); {"": ""} where there are no splits.

    What lies there besides is noted, or added to `skipped`.
    """
    beside = image_files.Skipped()
    folders = [name for name in list_folders(folder, beside) if has_image(os.path.join(folder, name))]
    named = [name for name in folders if split_of(name)]
    if labels_from == "filename":
        is_split = any(split_of(name) == "train" for name in named)
        parts = resolve(folder, named) if is_split else {}
    else:
        parts = find_nested(folder, folders, named)
    if not parts:
        if labels_from == "folder":
            check_inner_splits(folder, folders)
        return {"": ""}, note_loose(folder, "") if labels_from == "folder" else ()
    image_files.add(skipped, beside)  # without splits it is passed over once more, with the classes
    notes = []
    if set(parts) & {"train"} and not all(PLAIN.get(path) == split for split, path in parts.items()):
        taken = ", ".join(f"{legible(path)}/ is {split}" for split, path in parts.items())
        notes.append(f"splits of the folder: {taken}")
    used = {path.partition("/")[0] for path in parts.values()}
    for name in folders:
        if name not in used:
            count = sum(1 for _ in image_files.walk(os.path.join(folder, name), image_files.Skipped()))
            reason = "in no class" if split_of(name) else "a folder that is named as no split"
            notes.append(f"passed over: {legible(name)}/, {count:,} {'image' if count == 1 else 'images'}: {reason}")
    notes += note_loose(folder, "")
    if labels_from == "folder":
        notes += [line for path in parts.values() for line in note_loose(os.path.join(folder, path), f"{path}/")]
    return parts, tuple(notes)


def find_nested(folder, folders, named):
    """Return {split: path} of the named folders that hold class folders; {} where they are classes themselves."""
    nested = [name for name in named if image_folders(os.path.join(folder, name))]
    others = [name for name in folders if name not in named]
    if not nested:
        check_flat(folder, named, others)
        return {}
    parts = resolve(folder, nested)
    siblings = [name for name in others if not image_folders(os.path.join(folder, name))]  # they could be classes
    if siblings and len(nested) == 1:
        (name,), (split,) = nested, parts
        raise UserError(f"{folder} can be read in two ways: {legible(name)}/ is the {split} split, or a class like "
                        f"{legible(siblings[0])}/; move the class folders into train/, or rename {legible(name)}/")
    return parts


def check_flat(folder, named, others):
    """Raise UserError where named folders hold images but no class folders, and are not classes without a doubt."""
    if named and not others:
        name = legible(named[-1])
        where = " and ".join(f"{legible(each)}/" for each in named)
        raise UserError(f"{folder} holds no class folders: the images of {where} are in no class; put them "
                        f"into folders such as {name}/cat and {name}/dog, or give --labels-from filename where the "
                        "files are named as cat.123.jpg is")
    held_out = [name for name in named if split_of(name) != "train"]
    if held_out:
        name = legible(held_out[0])
        raise UserError(f"{folder} can be read in two ways: {name}/ is a class, or holds images in no class; rename "
                        f"it, such as to {name}_class, or move it out of {folder}")


def check_inner_splits(folder, classes):
    """Raise UserError where each class folder holds splits: images to test on must not become some to train on."""
    def splits_in(name):
        return {split_of(inside) for inside in image_folders(os.path.join(folder, name))} - {None}

    if len(classes) > 1 and all(len(splits_in(name)) > 1 for name in classes):  # as a rule the first says no
        name = legible(classes[0])
        one, two = [legible(each) for each in image_folders(os.path.join(folder, classes[0])) if split_of(each)][:2]
        raise UserError(f"{folder} can be read in two ways: {name}/{one} and {name}/{two} are splits, or part of one "
                        f"class; put the splits above the classes, as {one}/{name} and {two}/{name}, or rename {one} "
                        f"and {two}")


def resolve(folder, names):
    """Return {split: path} of folders named as splits; UserError where two are the same one, or one is either."""
    parts = {}
    splits = {name: split_of(name) for name in names}
    missing = [split for split in ("validation", "test") if split not in splits.values()]
    for name in names:
        split = splits[name]
        if split == "eval":
            if len(missing) != 1:
                raise UserError(f"{folder} can be read in two ways: {legible(name)}/ is the validation split, or the "
                                "test split; rename it to val or test")
            [split] = missing
        if split in parts:
            raise UserError(f"{folder} can be read in two ways: {legible(parts[split])}/ is the {split} split, or "
                            f"{legible(name)}/ is; put the images into one of them, or rename the other")
        parts[split] = name
    return {split: unwrap(folder, parts[split]) for split in ("train", "validation", "test") if split in parts}


def unwrap(folder, path):
    """Return the path of a split, or of the folder of the same split that it holds and nothing else."""
    inside = image_folders(os.path.join(folder, path))
    if len(inside) == 1 and split_of(inside[0]) == split_of(path) and count_images(os.path.join(folder, path)) == 0:
        if image_folders(os.path.join(folder, path, inside[0])):
            return f"{path}/{inside[0]}"
    return path


def list_folders(folder, skipped, below=""):
    """Return the names of the folders in a folder, links among them; hidden ones, runs and the like go to `skipped`."""
    with os.scandir(folder) as entries:
        entries = sorted((entry for entry in entries if entry.is_dir()), key=lambda entry: entry.name)
    names = []
    for entry in entries:
        if image_files.is_passed_over(entry.path, below + entry.name, skipped):
            continue
        if entry.name.lower() == RUNS and not count_images(entry.path):
            skipped.runs.append(below + entry.name)
            continue
        target = os.path.join(os.path.realpath(entry.path), "") if entry.is_symlink() else None
        if target and os.path.join(os.path.realpath(folder), "").startswith(target):
            skipped.links.append(below + entry.name)  # to a folder that this one is in: its images would come twice
            continue
        names.append(entry.name)
    return names


def image_folders(folder):
    """Return the names of the folders in a folder that hold images at any depth."""
    return [name for name in list_folders(folder, image_files.Skipped()) if has_image(os.path.join(folder, name))]


def has_image(folder):
    """Return whether there is an image in a folder, at any depth."""
    endings = image_formats.list_endings()

    def inside(folder):
        with os.scandir(folder) as entries:
            return any(inside(entry.path) if is_folder(entry) else is_image(entry, endings) for entry in entries
                       if not (is_folder(entry) and image_files.is_passed_over(entry.path, "", image_files.Skipped())))

    return inside(folder)


def is_image(entry, endings):
    return image_formats.ending_of(entry.name) in endings and not is_junk(entry.name) and entry.is_file()


def count_images(folder):
    """Return the number of images that lie in a folder itself."""
    endings = image_formats.list_endings()
    with os.scandir(folder) as entries:
        return sum(1 for entry in entries if is_image(entry, endings))


def note_loose(folder, path):
    """Return a note on images that lie beside class folders, in no class."""
    count = count_images(folder)
    where = f"in {legible(path)} " if path else ""
    return (f"passed over: {count:,} {'image' if count == 1 else 'images'} {where}beside the class folders",) \
        if count else ()
