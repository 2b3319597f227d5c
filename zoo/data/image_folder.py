"""A data set of one's own: pictures in folders, a folder a class.

    FOLDER/CLASS/...                   validation and test are carved out, by a fixed seed
    FOLDER/train/CLASS/...             with val or validation, and test, beside train; what is missing is carved out of
                                       train
    FOLDER/cat.123.jpg                 labels_from="filename": the class is what stands before the first dot

Pictures that do not fit into memory are streamed: decoded each time a batch asks for them. What a batch holds is the
same either way.
"""

import hashlib
import itertools
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from zoo.data import image_io, parallel_io, splits
from zoo.data.info import Facts
from zoo.data.load import Dataset
from zoo.errors import UserError, unknown

SPLITS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}  # folder: split
PLACES = ("", "train", "validation", "test")  # where a picture lies; "": in one pile with all others
LABELS_FROM = ("folder", "filename")
INVALID = ("error", "skip")  # what becomes of files that cannot be read
IN_MEMORY = 2**30  # bytes of pixels; more are read from the disk again and again
SHOWN = 3  # file names in a message
LEFT_OUT = "left out: "  # so begins the note on files that were skipped


@dataclass(frozen=True)
class Found:
    """The pictures below a folder, a row each; arrays, since there may be millions of them."""

    folder: Path
    files: np.ndarray  # (n,) paths below the folder, in the bytes of the file system
    classes: np.ndarray  # int64 (n,), numbers in `names`
    places: np.ndarray  # int8 (n,), numbers in PLACES
    names: tuple

    def __len__(self):
        return len(self.files)

    def path(self, row):
        return self.folder / os.fsdecode(self.files[row])

    def only(self, rows):
        """Return the Found of some rows, in their order."""
        return replace(self, files=self.files[rows], classes=self.classes[rows], places=self.places[rows])


def index(folder, labels_from="folder"):
    """Return the Found below a folder, by split and class and name; UserError where there are no pictures."""
    folder = Path(folder).expanduser()
    if labels_from not in LABELS_FROM:
        raise unknown("way to label images", labels_from, LABELS_FROM)
    if not folder.is_dir():
        what = "is a file; give the folder that the pictures lie in" if folder.exists() else "is not there"
        raise UserError(f"{folder} {what}")
    below = {each.name for each in visible(folder) if each.is_dir()}
    parts = [(f"{name}/", split) for name, split in SPLITS.items() if name in below] if "train" in below else []
    labelled = by_folder if labels_from == "folder" else by_file
    files, classes, places, numbers = [], [], [], {}
    for part, split in parts or [("", "")]:
        for label, group in itertools.groupby(labelled(folder / part), lambda pair: pair[1]):
            files.append(np.array([os.fsencode(part + file) for file, _ in group]))
            classes.append(np.full(len(files[-1]), numbers.setdefault(label, len(numbers))))
            places.append(np.full(len(files[-1]), PLACES.index(split), np.int8))
    if not files:
        raise UserError(f"{folder} holds no pictures" + (
            " in folders, one a class, such as cat and dog; of files that are named as cat.123.jpg is the classes are "
            "found with --labels-from filename" if labels_from == "folder" else " named as cat.123.jpg is"))
    names = sorted(numbers)
    order = np.array([names.index(label) for label in numbers])  # as they were met: as they are numbered
    return Found(folder, np.concatenate(files), order[np.concatenate(classes)], np.concatenate(places), tuple(names))


def visible(folder):
    """Return what lies in a folder, by name, without what is hidden."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def by_folder(folder):
    """Yield (path below the folder, class) of the pictures in its folders; UserError for one that has none."""
    for each in visible(folder):
        if each.is_dir():
            inside = [*below(each)]
            if not inside:
                raise UserError(f"the class {each.name!r} is empty: {each} holds no pictures; put some there, or "
                                "remove it")
            yield from ((f"{each.name}/{file}", each.name) for file in inside)


def by_file(folder):
    """Yield (path below the folder, class) of the pictures whose names begin with a class and a dot."""
    for file in below(folder):
        label, dot, _ = Path(file).stem.partition(".")
        if not dot:
            raise UserError(f"{folder / file} does not say its class, as cat.123.jpg does; rename it, or leave out "
                            "--labels-from where the classes are folders")
        yield file, label


def below(folder):
    """Yield the paths, below a folder, of its pictures at any depth, by name; links to folders are not followed."""
    with os.scandir(folder) as entries:
        inside = sorted((each.name, each.is_dir(follow_symlinks=False)) for each in entries if is_picture(each)
                        or each.is_dir(follow_symlinks=False))
    for name, deeper in inside:
        if deeper:
            yield from (f"{name}/{file}" for file in below(os.path.join(folder, name)))
        else:
            yield name


def is_picture(entry):
    return (os.path.splitext(entry.name)[1].lower() in image_io.ENDINGS and not entry.name.startswith(".")
            and entry.is_file())


def load(folder, shape, *, labels_from="folder", limit=None, invalid="error", in_memory=IN_MEMORY, threads=None):
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
    found, left_out = readable(index(folder, labels_from), shape, invalid, threads)
    if len(found.names) < 2:
        raise UserError(f"{folder} has one class, {found.names[0]!r}; to tell apart takes two folders and more")
    rows, notes = divided(found, limit)
    found = found.only(np.concatenate([*rows.values()]))
    images = Images(found, shape, in_memory, threads)
    ends = np.cumsum([0, *map(len, rows.values())])
    made = {name: splits.Split(images, found.classes, np.arange(ends[place], ends[place + 1]))
            for place, name in enumerate(rows)}
    counts = {name: len(row) for name, row in rows.items()}
    return Dataset(facts_of(Path(folder), shape, found.names, counts), **made,
                   source=str(Path(folder).expanduser().absolute()), notes=(*left_out, *notes),
                   origin={"kind": "folder", "labels_from": labels_from, "fingerprint": fingerprint(found)})


def fingerprint(found):
    """Return a hash of the names, sizes and labels of files, in their order, as hexadecimal text."""
    digest = hashlib.sha256()
    for row, (file, label) in enumerate(zip(found.files, found.classes, strict=True)):
        digest.update(b"%s\0%d\0%d\0" % (bytes(file), os.path.getsize(found.path(row)), label))
    return digest.hexdigest()


def readable(found, shape, invalid, threads=None):
    """Return (Found, notes): what of it is to be used, all where `invalid` is "error"; see load()."""
    if invalid not in INVALID:
        raise unknown("way to treat images that cannot be read", invalid, INVALID)
    if invalid == "error":
        return found, ()
    rows = parallel_io.failed(lambda row: parallel_io.pixels(found.path(row), shape), len(found), threads,
                              "checking pictures")
    if len(rows) == len(found):
        refuse(found, rows)
    kept = np.delete(np.arange(len(found)), rows)
    files = [os.fsdecode(file) for file in found.files[rows]]
    return found.only(kept), (f"{LEFT_OUT}{said(files)}",) if files else ()


def facts_of(folder, shape, names, counts):
    """Return the Facts of a folder's pictures; its mean and deviation are those of no set: half of white, both."""
    name = folder.expanduser().absolute().name
    return Facts(name=name, title=f"pictures of {name}", classes=len(names), shape=tuple(shape), mean=(0.5,) * shape[2],
                 std=(0.5,) * shape[2], label_names=names, source=str(folder), licence="", columns=(len(names),),
                 **counts)


def divided(found, limit):
    """Return ({split: rows of `found`, at most `limit`}, notes): splits as they lie, or carved by the seed."""
    rows = {split: np.flatnonzero(found.places == number) for number, split in enumerate(PLACES)}
    pile = rows[""] if len(rows[""]) else rows["train"]
    missing = [split for split in splits.TENTHS if not len(rows[split])]
    order = pile[splits.stratified_order(found.classes[pile], splits.SEED)]
    made = splits.carve_missing(order, missing)
    for split in ("test", "validation"):
        part = rows[split]
        strange = np.setdiff1d(found.classes[part], found.classes[pile])
        if len(strange):
            raise UserError(f"the {split} pictures have a class that the training pictures lack: "
                            f"{found.names[strange[0]]!r}")
        if split not in missing:
            made[split] = part[splits.stratified_order(found.classes[part], splits.SEED)]
    without = np.setdiff1d(np.arange(len(found.names)), found.classes[made["train"]])
    if len(without):
        raise UserError(f"the class {found.names[without[0]]!r} has too few pictures to train on and to hold some out")
    source = "the pile" if len(rows[""]) else "train"
    notes = (f"{' and '.join(missing)} held out of {source}, by a fixed seed",) if missing else ()
    return {split: made[split][:limit] for split in ("train", "validation", "test")}, notes


class Images:
    """The pictures of a Found by number, as an array has them: `images[rows]` is uint8 (n, height, width, channels).

    They are read once where they take at most `in_memory` bytes, else each time. UserError names the files that cannot
    be read: at once where they are kept or do not even begin as pictures do, else when they are asked for.
    """

    def __init__(self, found, shape, in_memory=IN_MEMORY, threads=None):
        self.found, self.shape, self.threads, self.kept = found, shape, threads, None
        if len(found) * int(np.prod(shape)) <= in_memory:
            self.kept = self.read(np.arange(len(found)), "reading pictures")
        else:
            refuse(found, parallel_io.failed(lambda row: image_io.check_beginning(found.path(row)), len(found), threads,
                                             "looking at pictures"))

    def __getitem__(self, rows):
        return self.read(rows) if self.kept is None else self.kept[rows]

    def read(self, rows, doing=""):
        made = np.zeros((len(rows), *self.shape), np.uint8)

        def one(place):
            made[place] = parallel_io.pixels(self.found.path(rows[place]), self.shape)

        wrong = parallel_io.failed(one, len(rows), self.threads, doing)
        refuse(self.found, [rows[place] for place in wrong])
        return made


def refuse(found, rows):
    """Raise UserError that names files which are no pictures, where there are any."""
    if rows:
        raise UserError(f"{said([found.path(row) for row in rows])}; mend or remove them; zoo train and "
                        "zoo extract leave them out with --invalid-images skip")


def said(files):
    more = f" and {len(files) - SHOWN:,} more" if len(files) > SHOWN else ""
    return (f"{len(files):,} {'file' if len(files) == 1 else 'files'} cannot be read as pictures: "
            f"{', '.join(map(str, files[:SHOWN]))}{more}")
