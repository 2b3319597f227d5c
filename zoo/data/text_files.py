"""Listing and reading texts: a folder of CLASS/*.txt, with or without split folders above, or a .csv file."""

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.data.folder_layout import FOLDER_SPLITS, list_folders, parse_split_name, resolve_split_folders
from zoo.data.image_files import SkippedEntries, is_junk_file
from zoo.data.link_checks import check_links
from zoo.errors import UserError
from zoo.utils.io import read_bytes, replace_surrogates

EXTENSION = ".txt"
MAX_TEXT_BYTES = 4 * 2**20  # of a .txt file
MAX_CSV_BYTES = 2 * 2**30
# Accepted names of the columns, in lower case; the second ones are those of Kaggle's IMDB file
TEXT_COLUMNS, LABEL_COLUMNS = ("text", "review", "sentence"), ("label", "sentiment", "class")


@dataclass(frozen=True)
class TextListing:
    """Texts with labels, before they are split; it has what `image_folder.resolve_folder_splits` takes.

    Attributes:
        folder: Path of the folder or file.
        files: (n,) paths relative to `folder`, as bytes in the file system's encoding; rows of a .csv file.
        texts: a sequence of str; the files of a folder are read when they are indexed.
        labels: int64 (n,), indices into `class_names`.
        split_ids: int8 (n,), indices into FOLDER_SPLITS.
    """

    folder: Path
    files: np.ndarray
    texts: object
    labels: np.ndarray
    split_ids: np.ndarray
    class_names: tuple
    notes: tuple = ()

    def __len__(self):
        return len(self.labels)


class TextFiles:
    """The contents of files, indexed like a list."""

    def __init__(self, paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return read_text_file(self.paths[index])


def read_text_file(path):
    """Return the text of a UTF-8 file; UserError, in one line, for any other file."""
    try:
        return read_bytes(path, MAX_TEXT_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not a UTF-8 text file; convert it, for example with iconv") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def list_texts(path):
    """Return the TextListing of a folder or a .csv file."""
    return list_csv(path) if path.is_file() else list_text_folder(path)


def list_text_folder(folder):
    """Return the TextListing of FOLDER/CLASS/*.txt or FOLDER/SPLIT/CLASS/*.txt; UserError if there are no texts.

    Splits are recognized by their names, as for images. Files with other extensions are ignored and counted in a note.
    """
    if not folder.is_dir():
        what = "is a file; give the folder that contains the texts" if folder.exists() else "does not exist"
        raise UserError(f"{folder} {what}")
    names = [name for name in list_folders(folder, SkippedEntries()) if parse_split_name(name)]
    nested = {name: parse_split_name(name) for name in names if list_folders(folder / name, SkippedEntries())}
    if names and "train" not in nested.values():
        name = replace_surrogates(names[0])
        raise UserError(f"{folder} is ambiguous: {name}/ is either a split without class folders, or a class; put the "
                        f"texts into class folders in train/, or rename it, for example to {name}_class")
    splits = resolve_split_folders(folder, nested) if nested else {"": ""}
    paths, labels, split_ids, num_others, skipped = [], [], [], 0, SkippedEntries()
    for split, split_path in splits.items():
        for name in list_folders(folder / split_path, skipped, f"{split_path}/" if split_path else ""):
            files = [*walk_files(folder / split_path / name)]
            class_paths = [file for file in files if file.suffix.lower() == EXTENSION]
            num_others += len(files) - len(class_paths)
            paths += class_paths
            labels += [replace_surrogates(name)] * len(class_paths)
            split_ids += [FOLDER_SPLITS.index(split)] * len(class_paths)
    if not paths:
        raise UserError(f"{folder} contains no texts in class folders, such as positive/1{EXTENSION} and "
                        f"negative/1{EXTENSION}")
    class_names, indices = np.unique(labels, return_inverse=True)
    notes = (f"ignored: {num_others:,} files whose extension is not {EXTENSION}",) if num_others else ()
    files = np.array([os.fsencode(path.relative_to(folder)) for path in paths])
    listing = TextListing(folder, files, TextFiles(paths), indices.astype(np.int64), np.array(split_ids, np.int8),
                          tuple(map(str, class_names)), (*notes, *skipped.format_notes()))
    check_links(listing)
    return listing


def walk_files(folder):
    """Yield the Paths of the files below a folder that are not hidden, by name."""
    with os.scandir(folder) as entries:
        entries = sorted(entries, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if not entry.name.startswith("."):
                yield from walk_files(Path(entry.path))
        elif not is_junk_file(entry.name):
            yield Path(entry.path)


def find_text_files(paths):
    """Return the text files of `paths`: the files themselves, and all .txt files of folders at any depth, by name."""
    files = []
    for path in map(Path, paths):
        if path.is_dir():
            found = [file for file in walk_files(path) if file.suffix.lower() == EXTENSION]
            if not found:
                raise UserError(f"{path} contains no {EXTENSION} files")
            files += found
        elif path.suffix.lower() == ".csv":
            raise UserError(f"{path} is a table, not a text; evaluate takes a .csv file with labels, and in Python "
                            "run.predict takes a list of texts")
        elif path.exists():
            files.append(path)
        else:
            raise UserError(f"{path} does not exist; give text files, or folders of them")
    return list(dict.fromkeys(files))


def list_csv(path):
    """Return the TextListing of a .csv file whose first line names the columns, of which one is text and one label."""
    try:
        content = read_bytes(path, MAX_CSV_BYTES).decode("utf-8-sig")
        header, *rows = [row for row in csv.reader(io.StringIO(content, newline=""), strict=True) if row]
    except UnicodeDecodeError:
        raise UserError(f"{path} is not a UTF-8 file; convert it, for example with iconv") from None
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or ("it is empty" if isinstance(error, ValueError) else error)
        raise UserError(f"{path} cannot be read as a .csv file: {reason}") from None
    columns = [name.strip().lower() for name in header]
    text, label = find_column(path, columns, TEXT_COLUMNS), find_column(path, columns, LABEL_COLUMNS)
    for number, row in enumerate(rows, start=2):
        if len(row) != len(columns) or not row[label].strip():
            raise UserError(f"{path}: row {number} has {len(row)} fields or no label; expected {len(columns)}: "
                            f"{', '.join(columns)}")
    if not rows:
        raise UserError(f"{path} has no rows below its first line")
    class_names, indices = np.unique([row[label].strip() for row in rows], return_inverse=True)
    files = np.array([b"row %d" % number for number in range(2, len(rows) + 2)])
    return TextListing(path, files, [row[text] for row in rows], indices.astype(np.int64), np.zeros(len(rows), np.int8),
                       tuple(map(str, class_names)))


def find_column(path, columns, names):
    """Return the index of the first column that has one of the `names`."""
    index = next((columns.index(name) for name in names if name in columns), None)
    if index is None:
        raise UserError(f"{path} has no column {names[0]!r}; its first line must name the columns, "
                        f"{TEXT_COLUMNS[0]} and {LABEL_COLUMNS[0]}; it has {', '.join(columns)[:200]}")
    return index
