"""The possible locations of the files of published datasets, and functions that find them."""

import zlib
from dataclasses import dataclass, replace
from pathlib import Path

from zoo.data.archives import open_unpacked, read_tar_members, read_plain_file
from zoo.errors import UserError


@dataclass(frozen=True)
class FileLayout:
    """The files of one dataset in one format; `train_files` and `test_files` are their names in a folder or archive.

    In FILE_LAYOUTS `path` is relative to the folder that is searched; in a layout that was found it is the full path.
    """

    format: str  # a key of formats.FORMAT_READERS
    path: Path
    train_files: tuple
    test_files: tuple
    is_archive: bool = False

    def __str__(self):
        return f"{self.path}" if self.is_archive else f"{self.path}/ ({format_file_names(self)})"

    def find_file(self, name):
        """Return the path of the file `name`, or of one of its variants, in the folder, or None.

        The variants of IDX files are `name`.gz, a dot instead of the second hyphen, and a folder of the same name, as
        on Kaggle.
        """
        names = (name, name.replace("-idx", ".idx")) if self.format == "idx" else (name,)
        extensions = ("", ".gz") if self.format == "idx" else ("",)
        folders = (self.path, *(self.path / name for name in names)) if self.format == "idx" else (self.path,)
        paths = [folder / (name + extension) for folder in folders for name in names for extension in extensions]
        return next((path for path in paths if path.is_file()), None)

    def list_missing_files(self):
        """Return the names of the files that do not exist."""
        if self.is_archive:
            return () if self.path.is_file() else (self.path.name,)
        return tuple(name for name in self.train_files + self.test_files if self.find_file(name) is None)

    def read_contents(self, max_bytes):
        """Return {name: (name for messages, bytes)} of the files, reading at most `max_bytes` bytes."""
        names = self.train_files + self.test_files
        if self.is_archive:
            members = read_tar_members(self.path, names, max_bytes)
            return {name: (f"{self.path}:{name}", members[name]) for name in names}
        return {name: (self.path / name, read_plain_file(self.path / name, max_bytes)) for name in names}


def make_archive_layouts(format, folder, train_files, test_files, archive_names):
    """Return the FileLayouts of one archive under several file names; its members are in `folder`."""
    members = [tuple(f"{folder}/{name}" for name in split) for split in (train_files, test_files)]
    return tuple(FileLayout(format, Path(name), *members, is_archive=True) for name in archive_names)


def make_folder_layouts(format, train_files, test_files, paths):
    """Return the FileLayouts of the same files in several folders."""
    return tuple(FileLayout(format, Path(path), train_files, test_files) for path in paths)


IDX_FILES = (("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
             ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"))
CIFAR10_BINARY_FILES = tuple(f"data_batch_{k}.bin" for k in range(1, 6)), ("test_batch.bin",)
CIFAR10_PYTHON_FILES = tuple(f"data_batch_{k}" for k in range(1, 6)), ("test_batch",)
CIFAR100_BINARY_FILES = ("train.bin",), ("test.bin",)
CIFAR100_PYTHON_FILES = ("train",), ("test",)

# The authors' layouts, Keras's (3.15: "...-target" and "...-target_archive"; older: without) and torchvision's
# (".../raw"), each relative to the folder that is searched; the first complete one is used.
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
    "imdb": make_folder_layouts("imdb", ("imdb.npz",), ("imdb_word_index.json",), (".",)),  # all splits, their words
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
    """Return the possible FileLayouts of the dataset `name` below `folder`; a subfolder of its name comes first.

    So MNIST and Fashion-MNIST, whose files have the same names, can share a folder.
    """
    return [replace(layout, path=root / layout.path)
            for root in (folder / name, folder) for layout in FILE_LAYOUTS[name]]


def find_layout(folder, name):
    """Return the first FileLayout below `folder` with all its files, and not those of another dataset, or None."""
    layouts = (layout for layout in list_layouts(folder, name) if not layout.list_missing_files())
    return next((layout for layout in layouts if not detect_other_dataset(layout, name)), None)


def detect_other_dataset(layout, name):
    """Return the name of the dataset, other than `name`, whose IDX files these are, or None.

    MNIST and Fashion-MNIST have the same file names and are distinguished by their first training labels.
    """
    if layout.format != "idx":
        return None
    try:
        with open_unpacked(layout.find_file(layout.train_files[1])) as stream:
            labels = stream.read(LABELS_HEADER_SIZE + NUM_FIRST_LABELS)[LABELS_HEADER_SIZE:]
    except (OSError, EOFError, zlib.error):  # the reader reports the problem
        return None
    return next((other for other, first in FIRST_LABELS.items() if other != name and labels == bytes(first)), None)


def require_layout(folder, name):
    """Return the FileLayout of the dataset `name` below `folder`, which the user specified.

    Raises a UserError that lists the expected files and the folders that were searched.
    """
    if not folder.is_dir():
        problem = "is a file; give the folder that contains it" if folder.exists() else "does not exist"
        raise UserError(f"the data directory {folder} {problem}")
    layout = find_layout(folder, name)
    if layout is None:
        for layout in list_layouts(folder, name):
            other = None if layout.list_missing_files() else detect_other_dataset(layout, name)
            if other:
                raise UserError(f"{layout.path} contains the images of {other}, not of {name}, whose files have the "
                                f"same names; put those of {name} into a folder {name} next to them")
        raise UserError(f"{name} was not found in the data directory {folder}{describe_missing_files(folder, name)}; "
                        f"looked for {describe_expected_files(name)}, each in {folder} and in {folder / name}")
    return layout


def describe_missing_files(folder, name):
    """Return which files are missing from a folder that has some of them, for a message; "" if there is none."""
    for layout in list_layouts(folder, name):
        missing = layout.list_missing_files()
        if len(missing) < len(layout.train_files + layout.test_files) and not layout.is_archive:
            return f" ({', '.join(missing)} missing from {layout.path})"
    return ""


def describe_expected_files(name):
    """Return a phrase with all files and folders in which the dataset `name` is looked for."""
    phrases = {}
    for layout in FILE_LAYOUTS[name]:
        if layout.is_archive:
            phrases[str(layout.path)] = []
        else:
            phrases.setdefault(format_file_names(layout), []).append(f"{layout.path}/")
    return "; ".join(f"{files} in {' or '.join(paths)}" if paths else files for files, paths in phrases.items())


def format_file_names(layout):
    """Return the names of the files of `layout`, only the first and the last if there are many."""
    names = layout.train_files + layout.test_files
    suffix = " (plain or .gz)" if layout.format == "idx" else ""
    return (", ".join(names) if len(names) <= 4 else f"{names[0]} ... {names[-1]}") + suffix
