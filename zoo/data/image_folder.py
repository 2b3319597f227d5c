"""Custom datasets: folders of images, one folder per class.

    FOLDER/CLASS/...                   validation and test sets are split off at random (fixed seed)
    FOLDER/train/CLASS/...             with val or validation, and test, next to train, under any of the names that
                                       folder_layout recognizes; missing splits are split off from train
    FOLDER/cat.123.jpg                 labels_from="filename": the class is the part before the first dot

Images that do not fit into memory are streamed, that is decoded each time a batch requests them. The contents of the
batches are the same either way.
"""

import difflib
import hashlib
import itertools
import os
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from zoo.data import folder_layout, image_files, link_checks, parallel_io, splits
from zoo.data.folder_layout import FOLDER_SPLITS
from zoo.data.folder_images import MAX_CACHE_BYTES, FolderImages, describe_invalid_files, reject_invalid_images
from zoo.data.dataset_info import DatasetInfo
from zoo.data.datasets import Dataset
from zoo.errors import UserError, unknown_name_error
from zoo.utils.io import expand_user, replace_surrogates

LABEL_SOURCES = ("folder", "filename")
INVALID_IMAGES_MODES = ("error", "skip")  # how unreadable files are handled
SKIPPED_NOTE_PREFIX = "skipped: "  # begins the note on invalid images


@dataclass(frozen=True)
class ImageListing:
    """The image files below a folder, as arrays of one element per image, since there can be millions of them."""

    folder: Path
    files: np.ndarray  # (n,) paths relative to the folder, as bytes in the file system's encoding
    labels: np.ndarray  # int64 (n,), indices into `class_names`
    split_ids: np.ndarray  # int8 (n,), indices into FOLDER_SPLITS
    class_names: tuple
    notes: tuple = ()  # how folders were interpreted, and which entries were skipped

    def __len__(self):
        return len(self.files)

    def get_path(self, index):
        return self.folder / os.fsdecode(self.files[index])

    def select(self, indices):
        """Return the ImageListing of the images at `indices`, in that order."""
        return replace(self, files=self.files[indices], labels=self.labels[indices], split_ids=self.split_ids[indices])


def list_images(folder, labels_from="folder"):
    """Return the ImageListing of a folder, sorted by split, class and name.

    Raises UserError if there are no images, or if symbolic links list one twice.
    """
    folder = expand_user(folder)
    if labels_from not in LABEL_SOURCES:
        raise unknown_name_error("source of labels", labels_from, LABEL_SOURCES)
    if not folder.is_dir():
        what = "is a file; give the folder that contains the images" if folder.exists() else "does not exist"
        raise UserError(f"{folder} {what}")
    skipped = image_files.SkippedEntries()
    split_paths, notes = folder_layout.find_split_folders(folder, labels_from, skipped)
    files, labels, split_ids, label_indices = [], [], [], {}
    for split, split_path in split_paths.items():
        if labels_from == "folder":
            pairs = label_by_folder(folder, split_path, skipped)
        else:
            pairs, split_notes = label_by_filename(folder, split_path, split, skipped)
            notes += split_notes
        for name, group in itertools.groupby(pairs, lambda pair: pair[1]):
            files.append(np.array([os.fsencode(file) for file, _ in group]))
            labels.append(np.full(len(files[-1]), label_indices.setdefault(name, len(label_indices))))
            split_ids.append(np.full(len(files[-1]), FOLDER_SPLITS.index(split), np.int8))
    notes += skipped.format_notes()
    if not files:
        reason = f" ({'; '.join(notes)})" if notes else ""
        raise UserError(f"{folder} contains no images" + (
            f" in class folders, such as cat and dog{reason}; if the files are named like cat.123.jpg, give "
            "labels_from='filename'" if labels_from == "folder" else
            f" named like cat.123.jpg{reason}"))
    class_names = sort_class_names(folder, label_indices)
    # Labels were numbered in the order in which the classes were encountered, which is that of the dict.
    sorted_labels = np.array([class_names.index(replace_surrogates(name)) for name in label_indices])
    listing = ImageListing(folder, np.concatenate(files), sorted_labels[np.concatenate(labels)],
                           np.concatenate(split_ids), class_names, notes)
    link_checks.check_links(listing)
    return listing


def sort_class_names(folder, labels):
    """Return the class names, sorted, as printable text; raise UserError if two of them look alike."""
    names = {}
    for label in sorted(labels):
        other = names.setdefault(replace_surrogates(label), label)
        if other != label:
            raise UserError(f"{folder} has two classes whose names are not valid UTF-8 and look alike, "
                            f"{replace_surrogates(label)!r}; rename one of the folders")
    return tuple(sorted(names))


def label_by_folder(folder, split_path, skipped):
    """Yield (path relative to `folder`, class) of the images of a split; raise UserError for an empty class folder."""
    prefix = f"{split_path}/" if split_path else ""
    for name in folder_layout.list_folders(folder / split_path, skipped, prefix):
        runs_before, extensions_before = len(skipped.runs), skipped.extensions.copy()
        is_empty = True
        for file in image_files.walk_images(folder / split_path / name, skipped, f"{prefix}{name}/"):
            is_empty = False
            yield f"{prefix}{name}/{file}", unicodedata.normalize("NFC", name)  # macOS writes NFD
        if is_empty and len(skipped.runs) == runs_before:  # a folder of run directories is not a class
            extensions = skipped.extensions - extensions_before
            contents = f"no images, but {image_files.describe_extensions(extensions)}" if extensions else "no images"
            hint = ", or for texts use a model such as text_cnn" if ".txt" in extensions else ""
            raise UserError(f"the class {replace_surrogates(name)!r} is empty: {folder / split_path / name} contains "
                            f"{contents}; add images, or remove the folder{hint}")


def label_by_filename(folder, split_path, split, skipped):
    """Return (pairs (path relative to `folder`, class), notes) of images whose file names are CLASS.NAME.

    A validation or test split without any such file is ignored: Kaggle publishes unlabeled test images in this form.
    """
    prefix = f"{split_path}/" if split_path else ""
    files = [prefix + file for file in image_files.walk_images(folder / split_path, skipped, prefix)]
    pairs = [(file, Path(file).stem.partition(".")) for file in files]
    unlabeled = [file for file, (_, dot, _) in pairs if not dot]
    if unlabeled and len(unlabeled) == len(pairs) and split in ("validation", "test"):
        return [], (f"ignored: {replace_surrogates(split_path)}/, {len(pairs):,} images whose file names contain no "
                    "class",)
    if unlabeled:
        raise UserError(f"cannot infer a class from the file name {folder / unlabeled[0]}; rename it to "
                        "CLASS.NAME.jpg, such as cat.123.jpg, or omit labels_from=... if the classes are folders")
    return [(file, label) for file, (label, _, _) in pairs], ()


def load_image_folder(folder, shape, *, labels_from="folder", limit=None, invalid_images="error",
                      max_cache_bytes=MAX_CACHE_BYTES, workers=None):
    """Return the Dataset of a folder, its images resized to `shape`, (height, width, 1 or 3).

    Args:
        limit: maximum number of images in each split, with the classes in proportion.
        invalid_images: "error", or "skip" to read all files once and to build the splits from the readable ones alone;
            a note lists the others.
        max_cache_bytes: maximum bytes of pixels to cache in memory; a larger dataset is read again in each epoch.
        workers: number of reader threads, default: one per core. It does not affect the images.

    Raises:
        UserError: for a single class, a class without training images, and invalid files, which it names. If the images
            are not cached and `invalid_images` is "error", only file headers are checked here; a truncated file
            raises when a batch requests it.
    """
    splits.check_limit(limit)
    listing, skipped_notes = filter_invalid_images(list_images(folder, labels_from), shape, invalid_images, workers)
    if len(listing.class_names) < 2:
        raise make_one_class_error(listing)
    indices, notes = resolve_folder_splits(listing, limit)
    listing = listing.select(np.concatenate([*indices.values()]))
    images = FolderImages(listing, shape, max_cache_bytes, workers)
    bounds = np.cumsum([0, *map(len, indices.values())])
    parts = {name: splits.Split(images, listing.labels, np.arange(bounds[index], bounds[index + 1]))
             for index, name in enumerate(indices)}
    counts = {name: len(part) for name, part in indices.items()}
    return Dataset(make_folder_info(Path(folder), shape, listing.class_names, counts), **parts,
                   source=str(expand_user(folder).absolute()),
                   notes=(*listing.notes, *skipped_notes, *images.notes, *notes),
                   origin={"kind": "folder", "labels_from": labels_from, "fingerprint": fingerprint_files(listing),
                           **({"white_levels": images.white_levels} if images.white_levels else {})})


def make_one_class_error(listing):
    """Return the UserError for a folder with a single class, which may itself contain the class folders."""
    path, hint = listing.folder, ""
    subfolders = [] if (listing.split_ids > 0).any() else folder_layout.list_image_folders(path)
    while len(subfolders) == 1 and not (path != listing.folder and folder_layout.count_images(path)):
        path = path / subfolders[0]
        subfolders = folder_layout.list_image_folders(path)
    if len(subfolders) > 1:
        kind = "splits" if all(map(folder_layout.parse_split_name, subfolders[:2])) else "classes"
        hint = (f"; if the folders {replace_surrogates(subfolders[0])} and {replace_surrogates(subfolders[1])} are the "
                f"{kind}, give {path}")
    return UserError(f"{listing.folder} has a single class, {listing.class_names[0]!r}; a classifier needs at least "
                     f"two class folders{hint}")


def fingerprint_files(listing):
    """Return a hash of the names, sizes and labels of the files, in order, as hexadecimal text."""
    digest = hashlib.sha256()
    for index, (file, label) in enumerate(zip(listing.files, listing.labels, strict=True)):
        digest.update(b"%s\0%d\0%d\0" % (bytes(file), os.path.getsize(listing.get_path(index)), label))
    return digest.hexdigest()


def filter_invalid_images(listing, shape, invalid_images, workers=None):
    """Return (ImageListing, notes) of the images to use, all if `invalid_images` is "error"; see load_image_folder."""
    if invalid_images not in INVALID_IMAGES_MODES:
        raise unknown_name_error("mode for invalid images", invalid_images, INVALID_IMAGES_MODES)
    if invalid_images == "error":
        return listing, ()
    invalid = parallel_io.run_in_threads(lambda index: parallel_io.load_pixels(listing.get_path(index), shape),
                                         len(listing), workers, "checking images")
    if len(invalid) == len(listing):
        reject_invalid_images(listing, invalid)
    valid = np.delete(np.arange(len(listing)), invalid)
    files = [os.fsdecode(file) for file in listing.files[invalid]]
    return listing.select(valid), (f"{SKIPPED_NOTE_PREFIX}{describe_invalid_files(files)}",) if files else ()


def make_folder_info(folder, shape, names, counts):
    """Return the DatasetInfo of an image folder; its mean and standard deviation are not measured: 0.5 each."""
    name = replace_surrogates(folder.expanduser().absolute().name)
    return DatasetInfo(name=name, title=f"images of {name}", classes=len(names), shape=tuple(shape),
                       mean=(0.5,) * shape[2], std=(0.5,) * shape[2], class_names=names, source=str(folder), license="",
                       classes_per_column=(len(names),), **counts)


def suggest_class(name, listing, pool, plural):
    """Return a hint if a class of the training images at `pool` has nearly the same name, else ""."""
    trained = [listing.class_names[label] for label in np.unique(listing.labels[pool])]
    close = difflib.get_close_matches(name.lower(), [other.lower() for other in trained], n=1, cutoff=0.8)
    other = next((other for other in trained if [other.lower()] == close), None)
    return f" (the training {plural} have {other!r})" if other else ""


def resolve_folder_splits(listing, limit, plural="images"):
    """Return ({split: indices into `listing`, at most `limit`}, notes): existing splits, or split off by the seed.

    listing: an ImageListing, or another object with its folder, files, labels, split_ids, class_names and notes.
    plural: what it lists, for messages.
    """
    indices = {split: np.flatnonzero(listing.split_ids == split_id) for split_id, split in enumerate(FOLDER_SPLITS)}
    pool = indices[""] if len(indices[""]) else indices["train"]
    if not len(pool):
        present = " and ".join(split for split in FOLDER_SPLITS if split and len(indices[split]))
        ignored = "".join(f"; {note}" for note in listing.notes if note.startswith("ignored: "))
        raise UserError(f"{listing.folder} has the split {present}, but no training {plural}; put them into a folder "
                        f"train next to it, or rename the folder if it is a class{ignored}")
    missing = [split for split in splits.HELD_OUT_TENTHS if not len(indices[split])]
    order = pool[splits.make_stratified_order(listing.labels[pool], splits.SPLIT_SEED)]
    parts = splits.split_off_missing(order, missing)
    for split in ("test", "validation"):
        part = indices[split]
        unknown = np.setdiff1d(listing.labels[part], listing.labels[pool])
        if len(unknown):
            name = listing.class_names[unknown[0]]
            file = os.fsdecode(listing.files[part[listing.labels[part] == unknown[0]][0]])
            raise UserError(f"the {split} {plural} have a class without training {plural}: {name!r}, for example "
                            f"{listing.folder / file}{suggest_class(name, listing, pool, plural)}; add training "
                            f"{plural} of this class, or move its {plural} out of the folder")
        if split not in missing:
            parts[split] = part[splits.make_stratified_order(listing.labels[part], splits.SPLIT_SEED)]
    untrained = np.setdiff1d(np.arange(len(listing.class_names)), listing.labels[parts["train"]])
    if len(untrained):
        raise UserError(f"the class {listing.class_names[untrained[0]]!r} has too few {plural} to train on and to "
                        "split some off")
    source = f"all {plural}" if len(indices[""]) else "train"
    notes = (f"{' and '.join(missing)} split off from {source} at random (fixed seed)",) if missing else ()
    return {split: parts[split][:limit] for split in ("train", "validation", "test")}, notes
