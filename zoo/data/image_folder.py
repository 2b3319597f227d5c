"""Custom datasets: folders of images, one folder per class.

    FOLDER/CLASS/...                   validation and test sets are split off at random (fixed seed)
    FOLDER/train/CLASS/...             with val or validation, and test, next to train, under any of the names that
                                       split_names recognizes; missing splits are split off from train
    FOLDER/cat.123.jpg                 labels_from="filename": the class is the part before the first dot

Images that do not fit into memory are streamed, that is decoded each time a batch requests them. The contents of the
batches are the same either way.
"""

import hashlib
import os
from pathlib import Path

import numpy as np

from zoo.data import parallel_io, splits
from zoo.data.folder_images import MAX_CACHE_BYTES, FolderImages, describe_invalid_files, reject_invalid_images
from zoo.data.dataset_info import DatasetInfo
from zoo.data.datasets import Dataset
from zoo.data.folder_listing import check_several_classes, list_samples, resolve_folder_splits
from zoo.errors import unknown_name_error
from zoo.modality import IMAGE
from zoo.utils.io import expand_user, replace_surrogates

INVALID_IMAGES_MODES = ("error", "skip")  # how unreadable files are handled
SKIPPED_NOTE_PREFIX = "skipped: "  # begins the note on invalid images


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
    listing, skipped_notes = filter_invalid_images(list_samples(folder, IMAGE, labels_from), shape, invalid_images,
                                                   workers)
    check_several_classes(listing, IMAGE)
    indices, notes = resolve_folder_splits(listing, IMAGE, limit)
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


def fingerprint_files(listing):
    """Return a hash of the names, sizes and labels of the files, in order, as hexadecimal text."""
    digest = hashlib.sha256()
    for index, (file, label) in enumerate(zip(listing.files, listing.labels, strict=True)):
        digest.update(b"%s\0%d\0%d\0" % (bytes(file), os.path.getsize(listing.get_path(index)), label))
    return digest.hexdigest()


def filter_invalid_images(listing, shape, invalid_images, workers=None):
    """Return (SampleListing, notes) of the images to use, all if `invalid_images` is "error"; see load_image_folder."""
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
