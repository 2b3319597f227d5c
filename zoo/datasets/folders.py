"""A data set of one's own: pictures in folders, a folder a class.

    FOLDER/CLASS/...                   validation and test are carved out, by a fixed seed
    FOLDER/train/CLASS/...             with val or validation, and test, beside train; what is missing is carved out of
                                       train
    FOLDER/cat.123.jpg                 named="files": the class is what stands before the first dot
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.datasets import pictures, splits
from zoo.datasets.facts import Facts
from zoo.datasets.load import Dataset
from zoo.errors import UserError, unknown

SPLITS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}  # folder: split
NAMED = ("folders", "files")
TENTHS = (1, 1, 8)  # of a pile: test, validation, train
IN_MEMORY = 2**30  # bytes of pixels; more are read from the disk again and again
SHOWN = 3  # file names in a message


@dataclass(frozen=True)
class Picture:
    """A file, its class, and its split: "train", "validation", "test" or, where all lie in one pile, ""."""

    path: Path
    label: str
    split: str


def index(folder, named="folders"):
    """Return the Pictures below a folder, by split and class and name; UserError where there are none."""
    folder = Path(folder).expanduser()
    if named not in NAMED:
        raise unknown("way to name classes", named, NAMED)
    if not folder.is_dir():
        what = "is a file; give the folder that the pictures lie in" if folder.exists() else "is not there"
        raise UserError(f"{folder} {what}")
    below = {each.name: each for each in visible(folder) if each.is_dir()}
    parts = [(below[name], split) for name, split in SPLITS.items() if name in below] if "train" in below else []
    labelled = by_folder if named == "folders" else by_file
    found = [Picture(path, label, split) for part, split in parts or [(folder, "")] for path, label in labelled(part)]
    if not found:
        raise UserError(f"{folder} holds no pictures" + (
            " in folders, one a class, such as cat and dog" if named == "folders" else " named as cat.123.jpg is"))
    return found


def visible(folder):
    """Return what lies in a folder, by name, without what is hidden."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def by_folder(folder):
    """Yield (path, class) of the pictures in the folders of a folder; UserError for a folder without any."""
    for each in visible(folder):
        if each.is_dir():
            inside = [path for path in sorted(each.rglob("*")) if is_picture(path)]
            if not inside:
                raise UserError(f"the class {each.name!r} is empty: {each} holds no pictures; put some there, or "
                                "remove it")
            yield from ((path, each.name) for path in inside)


def by_file(folder):
    """Yield (path, class) of the pictures of a folder whose names begin with a class and a dot."""
    for path in sorted(folder.rglob("*")):
        if is_picture(path):
            label, dot, _ = path.stem.partition(".")
            if not dot:
                raise UserError(f"{path} does not say its class, as cat.123.jpg does; leave the classes to the folders")
            yield path, label


def is_picture(path):
    return path.suffix.lower() in pictures.ENDINGS and not path.name.startswith(".") and path.is_file()


def load(folder, shape, *, named="folders", limit=None):
    """Return the Dataset of a folder, its pictures squeezed into `shape`, (height, width, 1 or 3).

    limit: the most pictures in each split, with the classes in proportion. UserError for one class, for a class that
    has no training picture, and for files that cannot be read, which it names.
    """
    splits.check_limit(limit)
    found = index(folder, named)
    names = tuple(sorted({each.label for each in found}))
    if len(names) < 2:
        raise UserError(f"{folder} has one class, {names[0]!r}; to tell apart takes two folders and more")
    rows, notes = divided(found, names, limit)
    kept = np.concatenate([*rows.values()])
    images = Images([found[row].path for row in kept], shape)
    labels = np.array([names.index(found[row].label) for row in kept])
    ends = np.cumsum([0, *map(len, rows.values())])
    made = {name: splits.Split(images, labels, np.arange(ends[place], ends[place + 1]))
            for place, name in enumerate(rows)}
    return Dataset(facts_of(Path(folder), shape, names, {name: len(row) for name, row in rows.items()}), **made,
                   source=str(Path(folder).expanduser().absolute()), notes=notes)


def facts_of(folder, shape, names, counts):
    """Return the Facts of a folder's pictures; its mean and deviation are those of no set: half of white, both."""
    name = folder.expanduser().absolute().name
    return Facts(name=name, title=f"pictures of {name}", classes=len(names), shape=tuple(shape), mean=(0.5,) * shape[2],
                 std=(0.5,) * shape[2], label_names=names, source=str(folder), licence="", columns=(len(names),),
                 **counts)


def divided(found, names, limit):
    """Return ({split: rows of `found`, at most `limit`}, notes): splits as they lie, or carved by the seed."""
    rows = {split: [row for row, each in enumerate(found) if each.split == split] for split in ("", *SPLITS.values())}
    pile = np.array(rows[""] or rows["train"])
    missing = [split for split in ("test", "validation") if not rows[split]]
    labels = np.array([names.index(found[row].label) for row in pile])
    order = pile[splits.stratified_order(labels, splits.SEED)]
    sizes = [size for size, split in zip(TENTHS[:2], ("test", "validation"), strict=True) if split in missing]
    *carved, train = splits.carve(order, (*sizes, sum(TENTHS) - sum(sizes)))
    made = {"train": train, **dict(zip(missing, carved, strict=True))}
    for split in {"test", "validation"} - {*missing}:
        part = np.array(rows[split])
        strange = {found[row].label for row in part} - {found[row].label for row in pile}
        if strange:
            raise UserError(f"the {split} pictures have a class that the training pictures lack: "
                            f"{sorted(strange)[0]!r}")
        labels = np.array([names.index(found[row].label) for row in part])
        made[split] = part[splits.stratified_order(labels, splits.SEED)]
    without = {*names} - {found[row].label for row in train}
    if without:
        raise UserError(f"the class {sorted(without)[0]!r} has too few pictures to train on and to hold some out")
    source = "the pile" if rows[""] else "train"
    notes = (f"{' and '.join(missing)} held out of {source}, by a fixed seed",) if missing else ()
    return {split: made[split][:limit] for split in ("train", "validation", "test")}, notes


class Images:
    """Pictures by number, as an array has them: `images[rows]` is uint8 (n, height, width, channels).

    They are read once where they all go into memory, else each time. UserError names the files that cannot be read.
    """

    def __init__(self, paths, shape):
        self.paths, self.shape, self.kept = paths, shape, None
        if len(paths) * int(np.prod(shape)) <= IN_MEMORY:
            self.kept = self.read(range(len(paths)))
        else:
            refuse([*filter(None, map(unreadable, paths))])

    def __getitem__(self, rows):
        return self.read(rows) if self.kept is None else self.kept[rows]

    def read(self, rows):
        made, broken = np.zeros((len(rows), *self.shape), np.uint8), []
        for place, row in enumerate(rows):
            try:
                made[place] = pictures.fitted(pictures.opened(self.paths[row]), self.shape).pixels
            except UserError:
                broken.append(self.paths[row])
            if sys.stderr.isatty() and place % 500 == 499:
                print(f"reading pictures: {place + 1:,} of {len(rows):,}", end="\r", file=sys.stderr)
        refuse(broken)
        return made


def unreadable(path):
    """Return the path of a file that does not even begin as a picture does; None otherwise."""
    from PIL import Image

    try:
        Image.open(path).close()
    except Exception:  # whatever a decoder raises
        return path


def refuse(broken):
    """Raise UserError that names files which are no pictures."""
    if broken:
        more = f" and {len(broken) - SHOWN:,} more" if len(broken) > SHOWN else ""
        raise UserError(f"{len(broken):,} {'file' if len(broken) == 1 else 'files'} cannot be read as pictures: "
                        f"{', '.join(map(str, broken[:SHOWN]))}{more}; mend or remove them")
