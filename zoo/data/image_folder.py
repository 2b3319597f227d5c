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
from zoo.data.folder_images import IN_MEMORY, Images, describe_broken, refuse
from zoo.data.info import Facts
from zoo.data.load import Dataset
from zoo.errors import UserError, unknown
from zoo.utils.io import legible

PLACES = ("", "train", "validation", "test")  # where a picture lies; "": in one pile with all others
LABELS_FROM = ("folder", "filename")
INVALID = ("error", "skip")  # what becomes of files that cannot be read
LEFT_OUT = "left out: "  # so begins the note on files that were skipped


@dataclass(frozen=True)
class Found:
    """The pictures below a folder, a row each; arrays, since there may be millions of them."""

    folder: Path
    files: np.ndarray  # (n,) paths below the folder, in the bytes of the file system
    classes: np.ndarray  # int64 (n,), numbers in `names`
    places: np.ndarray  # int8 (n,), numbers in PLACES
    names: tuple
    notes: tuple = ()  # what was taken for what, and what was passed over

    def __len__(self):
        return len(self.files)

    def path(self, row):
        return self.folder / os.fsdecode(self.files[row])

    def only(self, rows):
        """Return the Found of some rows, in their order."""
        return replace(self, files=self.files[rows], classes=self.classes[rows], places=self.places[rows])


def index(folder, labels_from="folder"):
    """Return the Found below a folder, by split and class and name; UserError where there are no images."""
    folder = Path(folder).expanduser()
    if labels_from not in LABELS_FROM:
        raise unknown("way to label images", labels_from, LABELS_FROM)
    if not folder.is_dir():
        what = "is a file; give the folder that the pictures lie in" if folder.exists() else "is not there"
        raise UserError(f"{folder} {what}")
    skipped = image_files.Skipped()
    parts, notes = folder_layout.find_parts(folder, labels_from, skipped)
    files, classes, places, numbers = [], [], [], {}
    for split, part in parts.items():
        if labels_from == "folder":
            pairs = by_folder(folder, part, skipped)
        else:
            pairs, more = by_file(folder, part, split, skipped)
            notes += more
        for label, group in itertools.groupby(pairs, lambda pair: pair[1]):
            files.append(np.array([os.fsencode(file) for file, _ in group]))
            classes.append(np.full(len(files[-1]), numbers.setdefault(label, len(numbers))))
            places.append(np.full(len(files[-1]), PLACES.index(split), np.int8))
    notes += skipped.notes()
    if not files:
        reason = f" ({'; '.join(notes)})" if notes else ""
        raise UserError(f"{folder} holds no images" + (
            f" in folders, one a class, such as cat and dog{reason}; of files that are named as cat.123.jpg is the "
            "classes are found with --labels-from filename" if labels_from == "folder" else
            f" named as cat.123.jpg is{reason}"))
    names = class_names(folder, numbers)
    order = np.array([names.index(legible(label)) for label in numbers])  # as they were met: as they are numbered
    return Found(folder, np.concatenate(files), order[np.concatenate(classes)], np.concatenate(places), names, notes)


def class_names(folder, labels):
    """Return the names of classes, sorted, as text that can be written anywhere; UserError where two look alike."""
    names = {}
    for label in sorted(labels):
        other = names.setdefault(legible(label), label)
        if other != label:
            raise UserError(f"{folder} has two classes whose names are no UTF-8 and look alike, {legible(label)!r}; "
                            "rename one of the folders")
    return tuple(sorted(names))


def by_folder(folder, part, skipped):
    """Yield (path below `folder`, class) of the images in the folders of a part; UserError for one that has none."""
    inside = f"{part}/" if part else ""
    for name in folder_layout.list_folders(folder / part, skipped, inside):
        runs, seen = len(skipped.runs), skipped.endings.copy()
        is_empty = True
        for file in image_files.walk(folder / part / name, skipped, f"{inside}{name}/"):
            is_empty = False
            yield f"{inside}{name}/{file}", name
        if is_empty and len(skipped.runs) == runs:  # a folder of runs is no class
            others = skipped.endings - seen
            holds = f"no images, but {image_files.describe_endings(others)}" if others else "no images"
            raise UserError(f"the class {legible(name)!r} is empty: {folder / part / name} holds {holds}; put some "
                            "there, or remove it")


def by_file(folder, part, split, skipped):
    """Return (pairs (path below `folder`, class) of the images whose names begin with a class and a dot, notes).

    A split to measure on of which no file says its class is passed over: so Kaggle publishes images to be judged there.
    """
    inside = f"{part}/" if part else ""
    files = [inside + file for file in image_files.walk(folder / part, skipped, inside)]
    pairs = [(file, Path(file).stem.partition(".")) for file in files]
    without = [file for file, (_, dot, _) in pairs if not dot]
    if without and len(without) == len(pairs) and split in ("validation", "test"):
        return [], (f"passed over: {legible(part)}/, {len(pairs):,} images whose names do not say their class",)
    if without:
        raise UserError(f"{folder / without[0]} does not say its class, as cat.123.jpg does; rename it, or leave out "
                        "--labels-from where the classes are folders")
    return [(file, label) for file, (label, _, _) in pairs], ()


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
        raise one_class(found)
    rows, notes = divided(found, limit)
    found = found.only(np.concatenate([*rows.values()]))
    images = Images(found, shape, in_memory, threads)
    ends = np.cumsum([0, *map(len, rows.values())])
    made = {name: splits.Split(images, found.classes, np.arange(ends[place], ends[place + 1]))
            for place, name in enumerate(rows)}
    counts = {name: len(row) for name, row in rows.items()}
    return Dataset(facts_of(Path(folder), shape, found.names, counts), **made,
                   source=str(Path(folder).expanduser().absolute()),
                   notes=(*found.notes, *left_out, *images.notes, *notes),
                   origin={"kind": "folder", "labels_from": labels_from, "fingerprint": fingerprint(found),
                           **({"white": images.white} if images.white else {})})


def one_class(found):
    """Return the UserError for a folder with one class, which may be a folder of classes itself."""
    name = os.fsdecode(found.files[0]).partition("/")[0]
    inside = folder_layout.image_folders(found.folder / name) if (found.folder / name).is_dir() else []
    hint = ""
    if len(inside) > 1 and not (found.places > 0).any():
        hint = (f"; if you mean the folders {legible(inside[0])} and {legible(inside[1])} in it, give "
                f"{found.folder / name}")
    return UserError(f"{found.folder} has one class, {found.names[0]!r}; to tell apart takes two folders and more"
                     f"{hint}")


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
                              "checking images")
    if len(rows) == len(found):
        refuse(found, rows)
    kept = np.delete(np.arange(len(found)), rows)
    files = [os.fsdecode(file) for file in found.files[rows]]
    return found.only(kept), (f"{LEFT_OUT}{describe_broken(files)}",) if files else ()


def facts_of(folder, shape, names, counts):
    """Return the Facts of a folder's pictures; its mean and deviation are those of no set: half of white, both."""
    name = legible(folder.expanduser().absolute().name)
    return Facts(name=name, title=f"pictures of {name}", classes=len(names), shape=tuple(shape), mean=(0.5,) * shape[2],
                 std=(0.5,) * shape[2], label_names=names, source=str(folder), licence="", columns=(len(names),),
                 **counts)


def divided(found, limit):
    """Return ({split: rows of `found`, at most `limit`}, notes): splits as they lie, or carved by the seed."""
    rows = {split: np.flatnonzero(found.places == number) for number, split in enumerate(PLACES)}
    pile = rows[""] if len(rows[""]) else rows["train"]
    if not len(pile):
        has = " and ".join(split for split in PLACES if split and len(rows[split]))
        raise UserError(f"{found.folder} has the split {has}, and no training images; put them into a folder train "
                        "beside it, or rename the folder where it is a class")
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
