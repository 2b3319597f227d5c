"""Where the files of a set may lie, and finding them."""

import zlib
from dataclasses import dataclass, replace
from pathlib import Path

from zoo.data.archives import open_unpacked, read_members, read_plain
from zoo.errors import UserError


@dataclass(frozen=True)
class Place:
    """The files of one set in one format: `training` and `test` name them in a folder, or inside an archive.

    In a table `path` is relative to the folder that is searched; a Place that has been found has the whole path.
    """

    format: str  # a key of formats.READERS
    path: Path
    training: tuple
    test: tuple
    archive: bool = False

    def __str__(self):
        return f"{self.path}" if self.archive else f"{self.path}/ ({listed(self)})"

    def file(self, name):
        """Return the path of the file `name` in the folder under any of its names, or None.

        IDX files are also named as `name`.gz, with a dot for the second hyphen, and lie in folders of their own names,
        as on Kaggle.
        """
        names = (name, name.replace("-idx", ".idx")) if self.format == "idx" else (name,)
        endings = ("", ".gz") if self.format == "idx" else ("",)
        folders = (self.path, *(self.path / name for name in names)) if self.format == "idx" else (self.path,)
        paths = [folder / (name + ending) for folder in folders for name in names for ending in endings]
        return next((path for path in paths if path.is_file()), None)

    def missing(self):
        """Return the names of the files that are not there."""
        if self.archive:
            return () if self.path.is_file() else (self.path.name,)
        return tuple(name for name in self.training + self.test if self.file(name) is None)

    def contents(self, most):
        """Return {name: (name for people, bytes)} of the files, at most `most` bytes of them."""
        names = self.training + self.test
        if self.archive:
            members = read_members(self.path, names, most)
            return {name: (f"{self.path}:{name}", members[name]) for name in names}
        return {name: (self.path / name, read_plain(self.path / name, most)) for name in names}


def archives(format, folder, training, test, names):
    """Return the Places of one archive under several file names; its members lie in `folder`."""
    inside = [tuple(f"{folder}/{name}" for name in split) for split in (training, test)]
    return tuple(Place(format, Path(name), *inside, archive=True) for name in names)


def folders(format, training, test, paths):
    """Return the Places of the same files in several folders."""
    return tuple(Place(format, Path(path), training, test) for path in paths)


IDX = (("train-images-idx3-ubyte", "train-labels-idx1-ubyte"), ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"))
BINARY10 = tuple(f"data_batch_{k}.bin" for k in range(1, 6)), ("test_batch.bin",)
PYTHON10 = tuple(f"data_batch_{k}" for k in range(1, 6)), ("test_batch",)
BINARY100 = ("train.bin",), ("test.bin",)
PYTHON100 = ("train",), ("test",)

# The authors' layouts, Keras's (3.15: "...-target" and "...-target_archive"; older: without) and torchvision's
# (".../raw"), each below the folder that is searched; the first that is whole is taken.
PLACES = {
    "mnist": (
        Place("npz", Path("mnist.npz"), ("x_train", "y_train"), ("x_test", "y_test"), archive=True),
        *folders("idx", *IDX, ("MNIST/raw", ".")),
    ),
    "fashion_mnist": folders("idx", *IDX, ("fashion-mnist", "FashionMNIST/raw", ".")),
    "cifar10": (
        *folders("cifar binary", *BINARY10, ("cifar-10-batches-bin", ".")),
        *folders("cifar python", *PYTHON10,
                 ("cifar-10-batches-py", "cifar-10-batches-py-target/cifar-10-batches-py", ".")),
        *archives("cifar binary", "cifar-10-batches-bin", *BINARY10, ("cifar-10-binary.tar.gz", "cifar-10-binary.tar")),
        *archives("cifar python", "cifar-10-batches-py", *PYTHON10,
                  ("cifar-10-python.tar.gz", "cifar-10-batches-py-target_archive", "cifar-10-batches-py.tar.gz",
                   "cifar-10-python.tar")),
    ),
    "cifar100": (
        *folders("cifar binary", *BINARY100, ("cifar-100-binary", ".")),
        *folders("cifar python", *PYTHON100,
                 ("cifar-100-python", "cifar-100-python-target/cifar-100-python", ".")),
        *archives("cifar binary", "cifar-100-binary", *BINARY100, ("cifar-100-binary.tar.gz", "cifar-100-binary.tar")),
        *archives("cifar python", "cifar-100-python", *PYTHON100,
                  ("cifar-100-python.tar.gz", "cifar-100-python-target_archive", "cifar-100-python.tar")),
    ),
}


FIRST = 10  # labels
LABELS_HEADER = 8  # bytes
FIRST_LABELS = {"mnist": (5, 0, 4, 1, 9, 2, 1, 3, 1, 4), "fashion_mnist": (9, 0, 0, 3, 0, 2, 7, 2, 5, 5)}


def places_in(folder, name):
    """Return the Places where the set `name` can lie below `folder`: a subfolder of its name goes first.

    So MNIST and Fashion-MNIST, whose files are named alike, can share a folder.
    """
    return [replace(place, path=root / place.path) for root in (folder / name, folder) for place in PLACES[name]]


def find_in(folder, name):
    """Return the first Place below `folder` that has all its files, and not those of another set, or None."""
    places = (place for place in places_in(folder, name) if not place.missing())
    return next((place for place in places if not other_set(place, name)), None)


def other_set(place, name):
    """Return the set whose IDX files these are, where that is another than `name` whose files are named alike; or None.

    Told by the first training labels.
    """
    if place.format != "idx":
        return None
    try:
        with open_unpacked(place.file(place.training[1])) as stream:
            labels = stream.read(LABELS_HEADER + FIRST)[LABELS_HEADER:]
    except (OSError, EOFError, zlib.error):  # its reader says what is wrong
        return None
    return next((other for other, first in FIRST_LABELS.items() if other != name and labels == bytes(first)), None)


def find_given(folder, name):
    """Return the Place below `folder`, which somebody named as the one that holds the set `name`.

    Raises a UserError that says what was looked for and where.
    """
    if not folder.is_dir():
        what = "is a file; give the folder that it lies in" if folder.exists() else "does not exist"
        raise UserError(f"the data directory {folder} {what}")
    place = find_in(folder, name)
    if place is None:
        for place in places_in(folder, name):
            other = None if place.missing() else other_set(place, name)
            if other:
                raise UserError(f"{place.path} holds the images of {other}, not of {name}, whose files are named "
                                f"alike; put those of {name} into a folder {name} beside them")
        raise UserError(f"the data directory {folder} does not hold {name}{almost(folder, name)}; looked for "
                        f"{wanted(name)}, each in {folder} and in {folder / name}")
    return place


def almost(folder, name):
    """Return what a folder that has some of the files lacks, for the message; else nothing."""
    for place in places_in(folder, name):
        missing = place.missing()
        if len(missing) < len(place.training + place.test) and not place.archive:
            return f" ({place.path} lacks {', '.join(missing)})"
    return ""


def wanted(name):
    """Return one phrase with all the files and folders that PLACES knows for the set `name`."""
    phrases = {}
    for place in PLACES[name]:
        if place.archive:
            phrases[str(place.path)] = []
        else:
            phrases.setdefault(listed(place), []).append(f"{place.path}/")
    return "; ".join(f"{files} in {' or '.join(paths)}" if paths else files for files, paths in phrases.items())


def listed(place):
    """Return the names of the files of `place`, the first and the last when they are many."""
    names = place.training + place.test
    ending = " (plain or .gz)" if place.format == "idx" else ""
    return (", ".join(names) if len(names) <= 4 else f"{names[0]} ... {names[-1]}") + ending
