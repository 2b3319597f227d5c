"""Where the files of a set may lie, and finding them."""

import zlib
from dataclasses import dataclass, replace
from pathlib import Path

from zoo.data.archives import open_unpacked, read_tar_members, read_plain_file
from zoo.errors import UserError


@dataclass(frozen=True)
class FileLayout:
    """The files of one set in one format: `training` and `test` name them in a folder, or inside an archive.

    In a table `path` is relative to the folder that is searched; a Place that has been found has the whole path.
    """

    format: str  # a key of formats.READERS
    path: Path
    train_files: tuple
    test_files: tuple
    is_archive: bool = False

    def __str__(self):
        return f"{self.path}" if self.is_archive else f"{self.path}/ ({format_file_names(self)})"

    def find_file(self, name):
        """Return the path of the file `name` in the folder under any of its names, or None.

        IDX files are also named as `name`.gz, with a dot for the second hyphen, and lie in folders of their own names,
        as on Kaggle.
        """
        names = (name, name.replace("-idx", ".idx")) if self.format == "idx" else (name,)
        endings = ("", ".gz") if self.format == "idx" else ("",)
        folders = (self.path, *(self.path / name for name in names)) if self.format == "idx" else (self.path,)
        paths = [folder / (name + ending) for folder in folders for name in names for ending in endings]
        return next((path for path in paths if path.is_file()), None)

    def list_missing_files(self):
        """Return the names of the files that are not there."""
        if self.is_archive:
            return () if self.path.is_file() else (self.path.name,)
        return tuple(name for name in self.train_files + self.test_files if self.find_file(name) is None)

    def read_contents(self, max_bytes):
        """Return {name: (name for people, bytes)} of the files, at most `most` bytes of them."""
        names = self.train_files + self.test_files
        if self.is_archive:
            members = read_tar_members(self.path, names, max_bytes)
            return {name: (f"{self.path}:{name}", members[name]) for name in names}
        return {name: (self.path / name, read_plain_file(self.path / name, max_bytes)) for name in names}


def make_archive_layouts(format, folder, train_files, test_files, archive_names):
    """Return the Places of one archive under several file names; its members lie in `folder`."""
    inside = [tuple(f"{folder}/{name}" for name in split) for split in (train_files, test_files)]
    return tuple(FileLayout(format, Path(name), *inside, is_archive=True) for name in archive_names)


def make_folder_layouts(format, train_files, test_files, paths):
    """Return the Places of the same files in several folders."""
    return tuple(FileLayout(format, Path(path), train_files, test_files) for path in paths)


IDX_FILES = (("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
             ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"))
CIFAR10_BINARY_FILES = tuple(f"data_batch_{k}.bin" for k in range(1, 6)), ("test_batch.bin",)
CIFAR10_PYTHON_FILES = tuple(f"data_batch_{k}" for k in range(1, 6)), ("test_batch",)
CIFAR100_BINARY_FILES = ("train.bin",), ("test.bin",)
CIFAR100_PYTHON_FILES = ("train",), ("test",)

# The authors' layouts, Keras's (3.15: "...-target" and "...-target_archive"; older: without) and torchvision's
# (".../raw"), each below the folder that is searched; the first that is whole is taken.
FILE_LAYOUTS = {
    "mnist": (
        FileLayout("npz", Path("mnist.npz"), ("x_train", "y_train"), ("x_test", "y_test"), is_archive=True),
        *make_folder_layouts("idx", *IDX_FILES, ("MNIST/raw", ".")),
    ),
    "fashion_mnist": make_folder_layouts("idx", *IDX_FILES, ("fashion-mnist", "FashionMNIST/raw", ".")),
    "cifar10": (
        *make_folder_layouts("cifar binary", *CIFAR10_BINARY_FILES, ("cifar-10-batches-bin", ".")),
        *make_folder_layouts("cifar python", *CIFAR10_PYTHON_FILES,
                             ("cifar-10-batches-py", "cifar-10-batches-py-target/cifar-10-batches-py", ".")),
        *make_archive_layouts("cifar binary", "cifar-10-batches-bin", *CIFAR10_BINARY_FILES,
                              ("cifar-10-binary.tar.gz", "cifar-10-binary.tar")),
        *make_archive_layouts("cifar python", "cifar-10-batches-py", *CIFAR10_PYTHON_FILES,
                              ("cifar-10-python.tar.gz", "cifar-10-batches-py-target_archive",
                               "cifar-10-batches-py.tar.gz", "cifar-10-python.tar")),
    ),
    "cifar100": (
        *make_folder_layouts("cifar binary", *CIFAR100_BINARY_FILES, ("cifar-100-binary", ".")),
        *make_folder_layouts("cifar python", *CIFAR100_PYTHON_FILES,
                             ("cifar-100-python", "cifar-100-python-target/cifar-100-python", ".")),
        *make_archive_layouts("cifar binary", "cifar-100-binary", *CIFAR100_BINARY_FILES,
                              ("cifar-100-binary.tar.gz", "cifar-100-binary.tar")),
        *make_archive_layouts("cifar python", "cifar-100-python", *CIFAR100_PYTHON_FILES,
                              ("cifar-100-python.tar.gz", "cifar-100-python-target_archive", "cifar-100-python.tar")),
    ),
}


NUM_FIRST_LABELS = 10  # labels
LABELS_HEADER_SIZE = 8  # bytes
FIRST_LABELS = {"mnist": (5, 0, 4, 1, 9, 2, 1, 3, 1, 4), "fashion_mnist": (9, 0, 0, 3, 0, 2, 7, 2, 5, 5)}


def list_layouts(folder, name):
    """Return the Places where the set `name` can lie below `folder`: a subfolder of its name goes first.

    So MNIST and Fashion-MNIST, whose files are named alike, can share a folder.
    """
    return [replace(place, path=root / place.path) for root in (folder / name, folder) for place in FILE_LAYOUTS[name]]


def find_layout(folder, name):
    """Return the first Place below `folder` that has all its files, and not those of another set, or None."""
    places = (place for place in list_layouts(folder, name) if not place.list_missing_files())
    return next((place for place in places if not detect_other_dataset(place, name)), None)


def detect_other_dataset(layout, name):
    """Return the set whose IDX files these are, where that is another than `name` whose files are named alike; or None.

    Told by the first training labels.
    """
    if layout.format != "idx":
        return None
    try:
        with open_unpacked(layout.find_file(layout.train_files[1])) as stream:
            labels = stream.read(LABELS_HEADER_SIZE + NUM_FIRST_LABELS)[LABELS_HEADER_SIZE:]
    except (OSError, EOFError, zlib.error):  # its reader says what is wrong
        return None
    return next((other for other, first in FIRST_LABELS.items() if other != name and labels == bytes(first)), None)


def require_layout(folder, name):
    """Return the Place below `folder`, which somebody named as the one that holds the set `name`.

    Raises a UserError that says what was looked for and where.
    """
    if not folder.is_dir():
        what = "is a file; give the folder that it lies in" if folder.exists() else "does not exist"
        raise UserError(f"the data directory {folder} {what}")
    place = find_layout(folder, name)
    if place is None:
        for place in list_layouts(folder, name):
            other = None if place.list_missing_files() else detect_other_dataset(place, name)
            if other:
                raise UserError(f"{place.path} holds the images of {other}, not of {name}, whose files are named "
                                f"alike; put those of {name} into a folder {name} beside them")
        raise UserError(f"the data directory {folder} does not hold {name}{describe_missing_files(folder, name)}; looked for "
                        f"{describe_expected_files(name)}, each in {folder} and in {folder / name}")
    return place


def describe_missing_files(folder, name):
    """Return what a folder that has some of the files lacks, for the message; else nothing."""
    for place in list_layouts(folder, name):
        missing = place.list_missing_files()
        if len(missing) < len(place.train_files + place.test_files) and not place.is_archive:
            return f" ({place.path} lacks {', '.join(missing)})"
    return ""


def describe_expected_files(name):
    """Return one phrase with all the files and folders that PLACES knows for the set `name`."""
    phrases = {}
    for place in FILE_LAYOUTS[name]:
        if place.is_archive:
            phrases[str(place.path)] = []
        else:
            phrases.setdefault(format_file_names(place), []).append(f"{place.path}/")
    return "; ".join(f"{files} in {' or '.join(paths)}" if paths else files for files, paths in phrases.items())


def format_file_names(layout):
    """Return the names of the files of `place`, the first and the last when they are many."""
    names = layout.train_files + layout.test_files
    ending = " (plain or .gz)" if layout.format == "idx" else ""
    return (", ".join(names) if len(names) <= 4 else f"{names[0]} ... {names[-1]}") + ending
