"""Refusing samples that are listed twice through symbolic links: with two labels, in two splits, or in one class."""

import os

from zoo.data.split_names import FOLDER_SPLITS
from zoo.errors import UserError
from zoo.utils.io import replace_surrogates


def check_links(listing):
    """Raise UserError if two files of a listing are the same one, because one of them or its folder is a link.

    listing: with a folder, files (paths relative to it, as bytes), labels, split_ids and class_names.
    """
    real_folders = {}

    def get_real_path(file):
        parent, name = os.path.split(file)
        if parent not in real_folders:
            real_folders[parent] = os.path.realpath(os.path.join(root, parent))
        path = os.path.join(real_folders[parent], name)
        return os.path.realpath(path) if os.path.islink(path) else path

    root = os.path.realpath(os.fsencode(listing.folder))
    if all(get_real_path(file) == os.path.join(root, file) for file in map(bytes, listing.files)):
        return
    indices = {}  # of real paths
    for index, file in enumerate(map(bytes, listing.files)):
        other = indices.setdefault(get_real_path(file), index)
        if other != index:
            raise make_link_error(listing, real_folders, other, index)


def make_link_error(listing, real_folders, *indices):
    """Return the UserError for the two files at `indices`, which names their folders instead if these are the same."""
    files = [bytes(listing.files[index]) for index in indices]
    kind, names, parents = "file", files, [os.path.dirname(file) for file in files]
    if parents[0] != parents[1] and real_folders[parents[0]] == real_folders[parents[1]]:
        kind, names = "folder", parents
    first, second = (replace_surrogates(os.fsdecode(name)) for name in names)
    labels, split_ids = (values[[*indices]] for values in (listing.labels, listing.split_ids))
    if labels[0] != labels[1]:
        result = (f"have two labels, {listing.class_names[labels[0]]!r} and {listing.class_names[labels[1]]!r}")
    elif split_ids[0] != split_ids[1]:
        result = f"be in two splits, {FOLDER_SPLITS[split_ids[0]]} and {FOLDER_SPLITS[split_ids[1]]}"
    else:
        result = "be listed twice, and may get into two splits"
    return UserError(f"{first} and {second} in {listing.folder} are the same {kind}, because of a symbolic link, so "
                     f"that {'its files' if kind == 'folder' else 'it'} would {result}; remove one of the two")
