"""Listing and reading texts: a folder of CLASS/*.txt, with or without split folders above, or a .csv file."""

import csv
import io
import unicodedata

import numpy as np

from zoo.data.folder_listing import SampleListing, list_samples
from zoo.data.sample_files import find_sample_files, format_names
from zoo.data.split_names import FOLDER_SPLITS, parse_split_name, resolve_split_names
from zoo.errors import UserError
from zoo.modality import TEXT
from zoo.utils.io import expand_user, read_bytes

EXTENSION = ".txt"
MAX_TEXT_BYTES = 4 * 2**20  # of a .txt file, and characters of a field of a .csv file
MAX_CSV_BYTES = 2 * 2**30
# Accepted names of the columns, in lower case; the second ones are those of Kaggle's IMDB file
TEXT_COLUMNS, LABEL_COLUMNS = ("text", "review", "sentence"), ("label", "sentiment", "class")
SPLIT_COLUMN = "split"  # optional


class TextFiles:
    """The contents of the files of a SampleListing, indexed like a list."""

    def __init__(self, listing):
        self.listing = listing

    def __len__(self):
        return len(self.listing)

    def __getitem__(self, index):
        return read_text_file(self.listing.get_path(index))


def list_text_extensions():
    """Return the file extensions that are treated as texts."""
    return frozenset((EXTENSION,))


def read_text_file(path):
    """Return the text of a UTF-8 file; UserError, in one line, for any other file."""
    try:
        return read_bytes(path, MAX_TEXT_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not a UTF-8 text file; convert it, for example with iconv") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def list_texts(path):
    """Return (SampleListing, texts) of a folder or a .csv file.

    Texts are a sequence of str; the files of a folder are read when they are indexed. The folders that are splits and
    classes are determined as for images.
    """
    if path.is_file():
        return list_csv(path)
    listing = list_samples(path, TEXT)
    return listing, TextFiles(listing)


def find_text_files(paths):
    """Return (text files, notes) of `paths`: the files themselves, and all .txt files of folders at any depth, by name.
    """
    table = next((path for path in map(expand_user, paths) if path.suffix.lower() == ".csv" and path.is_file()), None)
    if table is not None:
        raise UserError(f"{table} is a table, not a text; evaluate takes a .csv file with labels, and in Python "
                        "run.predict takes a list of texts")
    return find_sample_files(paths, TEXT)


def list_csv(path):
    """Return (SampleListing, texts) of a .csv file whose first line names the columns: one is text, and one label.

    A column split, if there is one, has the split of each text: train, validation or test, or another of their names
    that are recognized for folders.
    """
    header, rows = read_csv(path)
    columns = [name.strip().lower() for name in header]
    text, label = find_column(path, columns, TEXT_COLUMNS), find_column(path, columns, LABEL_COLUMNS)
    for number, row in enumerate(rows, start=2):
        if len(row) != len(columns) or not row[label].strip():
            raise UserError(f"{path}: row {number} has {len(row)} fields or no label; expected {len(columns)}: "
                            f"{', '.join(columns)}")
    if not rows:
        raise UserError(f"{path} has no rows below its first line")
    split_ids, used = np.zeros(len(rows), np.int8), {text, label}
    if SPLIT_COLUMN in columns:
        split = columns.index(SPLIT_COLUMN)
        split_ids, used = parse_splits(path, [row[split].strip().lower() for row in rows]), {text, label, split}
    ignored = [name.strip() or "(without a name)" for index, name in enumerate(header) if index not in used]
    notes = (f"ignored: the column{'s' if len(ignored) > 1 else ''} {format_names(ignored)}",) if ignored else ()
    labels = [unicodedata.normalize("NFC", row[label].strip()) for row in rows]  # as for folders
    class_names, indices = np.unique(labels, return_inverse=True)
    files = np.array([b"row %d" % number for number in range(2, len(rows) + 2)])
    listing = SampleListing(path, files, indices.astype(np.int64), split_ids, tuple(map(str, class_names)), notes)
    return listing, [row[text] for row in rows]


def read_csv(path):
    """Return (names of the columns, rows) of a .csv file, lists of str."""
    limit = csv.field_size_limit(MAX_TEXT_BYTES)  # Python's own is 131,072 characters
    try:
        content = read_bytes(path, MAX_CSV_BYTES).decode("utf-8-sig")
        rows = [row for row in csv.reader(io.StringIO(content, newline=""), strict=True) if row]
    except UnicodeDecodeError:
        raise UserError(f"{path} is not a UTF-8 file; convert it, for example with iconv") from None
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as a .csv file: {getattr(error, 'strerror', None) or error}") from None
    finally:
        csv.field_size_limit(limit)
    if not rows:
        raise UserError(f"{path} cannot be read as a .csv file: it is empty")
    return rows[0], rows[1:]


def find_column(path, columns, names):
    """Return the index of the first column that has one of the `names`."""
    index = next((columns.index(name) for name in names if name in columns), None)
    if index is None:
        raise UserError(f"{path} has no column {names[0]!r}; its first line must name the columns, "
                        f"{TEXT_COLUMNS[0]} and {LABEL_COLUMNS[0]}; it has {', '.join(columns)[:200]}")
    return index


def parse_splits(path, names):
    """Return the indices into FOLDER_SPLITS of the names in the column of splits, int8 (n,)."""
    splits = {name: parse_split_name(name) for name in names}
    invalid = next((number for number, name in enumerate(names, start=2) if splits[name] is None), None)
    if invalid is not None:
        raise UserError(f"{path}: row {invalid} has the split {names[invalid - 2][:40]!r}; give train, validation or "
                        f"test, or rename the column {SPLIT_COLUMN} if it is something else")
    parts = resolve_split_names(path, TEXT, splits)
    split_ids = {name: FOLDER_SPLITS.index(split) for split, name in parts.items()}
    return np.array([split_ids[name] for name in names], np.int8)
