"""A data set of one's own: images in folders, a folder a class.

    FOLDER/CLASS/...                   validation and test are carved out, by a fixed seed
    FOLDER/train/CLASS/...             with val or validation, and test, beside train, under any of the names that
                                       folder_layout knows; what is missing is carved out of train
    FOLDER/cat.123.jpg                 labels_from="filename": the class is what stands before the first dot

Images that do not fit into memory are streamed: decoded each time a batch asks for them. What a batch holds is the
same either way.
"""

import hashlib
import itertools
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from zoo.data import folder_layout, image_files, parallel_io, splits
from zoo.data.folder_images import MAX_CACHE_BYTES, FolderImages, describe_invalid_files, reject_invalid_images
from zoo.data.dataset_info import DatasetInfo
from zoo.data.datasets import Dataset
from zoo.errors import UserError, unknown_name_error
from zoo.utils.io import replace_surrogates

FOLDER_SPLITS = ("", "train", "validation", "test")  # where an image lies; "": the folder has no splits
LABEL_SOURCES = ("folder", "filename")
INVALID_IMAGES_MODES = ("error", "skip")  # what becomes of files that cannot be read
SKIPPED_NOTE_PREFIX = "left out: "  # so begins the note on files that were skipped


@dataclass(frozen=True)
class ImageListing:
    """The pictures below a folder, a row each; arrays, since there may be millions of them."""

    folder: Path
    files: np.ndarray  # (n,) paths below the folder, in the bytes of the file system
    labels: np.ndarray  # int64 (n,), numbers in `names`
    split_ids: np.ndarray  # int8 (n,), numbers in PLACES
    class_names: tuple
    notes: tuple = ()  # what was taken for what, and what was passed over

    def __len__(self):
        return len(self.files)

    def get_path(self, index):
        return self.folder / os.fsdecode(self.files[index])

    def select(self, indices):
        """Return the Found of some rows, in their order."""
        return replace(self, files=self.files[indices], labels=self.labels[indices], split_ids=self.split_ids[indices])


def list_images(folder, labels_from="folder"):
    """Return the Found below a folder, by split and class and name; UserError where there are no images."""
    folder = Path(folder).expanduser()
    if labels_from not in LABEL_SOURCES:
        raise unknown_name_error("way to label images", labels_from, LABEL_SOURCES)
    if not folder.is_dir():
        what = "is a file; give the folder that the pictures lie in" if folder.exists() else "is not there"
        raise UserError(f"{folder} {what}")
    skipped = image_files.SkippedEntries()
    parts, notes = folder_layout.find_split_folders(folder, labels_from, skipped)
    files, classes, places, numbers = [], [], [], {}
    for split, part in parts.items():
        if labels_from == "folder":
            pairs = label_by_folder(folder, part, skipped)
        else:
            pairs, more = label_by_filename(folder, part, split, skipped)
            notes += more
        for label, group in itertools.groupby(pairs, lambda pair: pair[1]):
            files.append(np.array([os.fsencode(file) for file, _ in group]))
            classes.append(np.full(len(files[-1]), numbers.setdefault(label, len(numbers))))
            places.append(np.full(len(files[-1]), FOLDER_SPLITS.index(split), np.int8))
    notes += skipped.format_notes()
    if not files:
        reason = f" ({'; '.join(notes)})" if notes else ""
        raise UserError(f"{folder} holds no images" + (
            f" in folders, one a class, such as cat and dog{reason}; where files are named like cat.123.jpg, give "
            "--labels-from filename" if labels_from == "folder" else
            f" named like cat.123.jpg{reason}"))
    names = sort_class_names(folder, numbers)
    order = np.array([names.index(replace_surrogates(label))
                      for label in numbers])  # as they were met: as they are numbered
    return ImageListing(folder, np.concatenate(files), order[np.concatenate(classes)], np.concatenate(places), names,
                        notes)


def sort_class_names(folder, labels):
    """Return the names of classes, sorted, as text that can be written anywhere; UserError where two look alike."""
    names = {}
    for label in sorted(labels):
        other = names.setdefault(replace_surrogates(label), label)
        if other != label:
            raise UserError(f"{folder} has two classes whose names are no UTF-8 and look alike, {replace_surrogates(label)!r}; "
                            "rename one of the folders")
    return tuple(sorted(names))


def label_by_folder(folder, split_path, skipped):
    """Yield (path below `folder`, class) of the images in the folders of a part; UserError for one that has none."""
    inside = f"{split_path}/" if split_path else ""
    for name in folder_layout.list_folders(folder / split_path, skipped, inside):
        runs, seen = len(skipped.runs), skipped.extensions.copy()
        is_empty = True
        for file in image_files.walk_images(folder / split_path / name, skipped, f"{inside}{name}/"):
            is_empty = False
            yield f"{inside}{name}/{file}", name
        if is_empty and len(skipped.runs) == runs:  # a folder of runs is no class
            others = skipped.extensions - seen
            holds = f"no images, but {image_files.describe_extensions(others)}" if others else "no images"
            raise UserError(f"the class {replace_surrogates(name)!r} is empty: {folder / split_path / name} holds {holds}; put some "
                            "there, or remove it")


def label_by_filename(folder, split_path, split, skipped):
    """Return (pairs (path below `folder`, class) of the images whose names begin with a class and a dot, notes).

    A split to measure on of which no file says its class is passed over: so Kaggle publishes images to be judged there.
    """
    inside = f"{split_path}/" if split_path else ""
    files = [inside + file for file in image_files.walk_images(folder / split_path, skipped, inside)]
    pairs = [(file, Path(file).stem.partition(".")) for file in files]
    without = [file for file, (_, dot, _) in pairs if not dot]
    if without and len(without) == len(pairs) and split in ("validation", "test"):
        return [], (f"passed over: {replace_surrogates(split_path)}/, {len(pairs):,} images whose names do not say their class",)
    if without:
        raise UserError(f"{folder / without[0]} does not say its class, as cat.123.jpg does; rename it, or leave out "
                        "--labels-from where the classes are folders")
    return [(file, label) for file, (label, _, _) in pairs], ()


def load_image_folder(folder, shape, *, labels_from="folder", limit=None, invalid_images="error",
                      max_cache_bytes=MAX_CACHE_BYTES, workers=None):
    """Return the Dataset of a folder, its pictures squeezed into `shape`, (height, width, 1 or 3).

    limit: the most pictures in each split, with the classes in proportion.
    invalid: "error" for files that cannot be read, or "skip" them: all files are read once, and the splits are made of
    those that could be, as though there were no others; a note says which they are not.
    in_memory: the most bytes of pixels that are kept; where there are more, pictures are read again and again.
    threads: how many read; the pictures are the same with any. None: one a core.

    UserError for one class, for a class that has no training picture, and for broken files, which it names. Of pictures
    that are not kept only the beginning is looked at here when invalid is "error"; what ends too early is refused when
    a batch asks for it.
    """
    splits.check_limit(limit)
    found, left_out = filter_invalid_images(list_images(folder, labels_from), shape, invalid_images, workers)
    if len(found.class_names) < 2:
        raise make_one_class_error(found)
    rows, notes = resolve_folder_splits(found, limit)
    found = found.select(np.concatenate([*rows.values()]))
    images = FolderImages(found, shape, max_cache_bytes, workers)
    ends = np.cumsum([0, *map(len, rows.values())])
    made = {name: splits.Split(images, found.labels, np.arange(ends[place], ends[place + 1]))
            for place, name in enumerate(rows)}
    counts = {name: len(row) for name, row in rows.items()}
    return Dataset(make_folder_info(Path(folder), shape, found.class_names, counts), **made,
                   source=str(Path(folder).expanduser().absolute()),
                   notes=(*found.notes, *left_out, *images.notes, *notes),
                   origin={"kind": "folder", "labels_from": labels_from, "fingerprint": fingerprint_files(found),
                           **({"white": images.white_levels} if images.white_levels else {})})


def make_one_class_error(listing):
    """Return the UserError for a folder with one class, which may be a folder of classes itself."""
    name = os.fsdecode(listing.files[0]).partition("/")[0]
    inside = folder_layout.list_image_folders(listing.folder / name) if (listing.folder / name).is_dir() else []
    hint = ""
    if len(inside) > 1 and not (listing.split_ids > 0).any():
        hint = (f"; if you mean the folders {replace_surrogates(inside[0])} and {replace_surrogates(inside[1])} in it, give "
                f"{listing.folder / name}")
    return UserError(f"{listing.folder} has one class, {listing.class_names[0]!r}; to tell apart takes two folders and more"
                     f"{hint}")


def fingerprint_files(listing):
    """Return a hash of the names, sizes and labels of files, in their order, as hexadecimal text."""
    digest = hashlib.sha256()
    for row, (file, label) in enumerate(zip(listing.files, listing.labels, strict=True)):
        digest.update(b"%s\0%d\0%d\0" % (bytes(file), os.path.getsize(listing.get_path(row)), label))
    return digest.hexdigest()


def filter_invalid_images(listing, shape, invalid_images, workers=None):
    """Return (Found, notes): what of it is to be used, all where `invalid` is "error"; see load()."""
    if invalid_images not in INVALID_IMAGES_MODES:
        raise unknown_name_error("way to treat images that cannot be read", invalid_images, INVALID_IMAGES_MODES)
    if invalid_images == "error":
        return listing, ()
    rows = parallel_io.run_in_threads(lambda row: parallel_io.load_pixels(listing.get_path(row), shape), len(listing),
                                      workers, "checking images")
    if len(rows) == len(listing):
        reject_invalid_images(listing, rows)
    kept = np.delete(np.arange(len(listing)), rows)
    files = [os.fsdecode(file) for file in listing.files[rows]]
    return listing.select(kept), (f"{SKIPPED_NOTE_PREFIX}{describe_invalid_files(files)}",) if files else ()


def make_folder_info(folder, shape, names, counts):
    """Return the DatasetInfo of a folder's pictures; its mean and deviation are those of no set: half of white,
    both.
    """
    name = replace_surrogates(folder.expanduser().absolute().name)
    return DatasetInfo(name=name, title=f"pictures of {name}", classes=len(names), shape=tuple(shape),
                       mean=(0.5,) * shape[2], std=(0.5,) * shape[2], class_names=names, source=str(folder), license="",
                       classes_per_column=(len(names),), **counts)


def resolve_folder_splits(listing, limit):
    """Return ({split: rows of `found`, at most `limit`}, notes): splits as they lie, or carved by the seed."""
    rows = {split: np.flatnonzero(listing.split_ids == number) for number, split in enumerate(FOLDER_SPLITS)}
    pile = rows[""] if len(rows[""]) else rows["train"]
    if not len(pile):
        has = " and ".join(split for split in FOLDER_SPLITS if split and len(rows[split]))
        raise UserError(f"{listing.folder} has the split {has}, and no training images; put them into a folder train "
                        "beside it, or rename the folder where it is a class")
    missing = [split for split in splits.HELD_OUT_TENTHS if not len(rows[split])]
    order = pile[splits.make_stratified_order(listing.labels[pile], splits.SPLIT_SEED)]
    made = splits.split_off_missing(order, missing)
    for split in ("test", "validation"):
        part = rows[split]
        strange = np.setdiff1d(listing.labels[part], listing.labels[pile])
        if len(strange):
            raise UserError(f"the {split} pictures have a class that the training pictures lack: "
                            f"{listing.class_names[strange[0]]!r}")
        if split not in missing:
            made[split] = part[splits.make_stratified_order(listing.labels[part], splits.SPLIT_SEED)]
    without = np.setdiff1d(np.arange(len(listing.class_names)), listing.labels[made["train"]])
    if len(without):
        raise UserError(f"the class {listing.class_names[without[0]]!r} has too few pictures to train on and to hold some out")
    source = "all images" if len(rows[""]) else "train"
    notes = (f"{' and '.join(missing)} held out of {source}, by a fixed seed",) if missing else ()
    return {split: made[split][:limit] for split in ("train", "validation", "test")}, notes
