"""The .npz files of a run, written atomically and read with bounds on memory. Nothing in a file is executed."""

import errno
import math
import os
import struct
import tokenize
import zipfile
import zlib

import numpy as np

from zoo.data.npy import read_npy_header
from zoo.errors import UserError
from zoo.utils.io import open_regular_file, atomic_write

# Raised by zipfile and numpy.lib.format on thousands of archives with changed or missing bytes
READ_ERRORS = (OSError, ValueError, EOFError, LookupError, TypeError, AttributeError, RuntimeError, OverflowError,
               SyntaxError, tokenize.TokenError, struct.error, zipfile.BadZipFile, zlib.error)


def make_damaged_file_error(path, reason):
    """Return the UserError for a damaged file of a run; `reason`: text or an exception."""
    if isinstance(reason, OSError) and reason.errno not in (None, errno.EINVAL):
        return UserError(f"{path} cannot be read: {reason.strerror}")
    reason = " ".join(str(getattr(reason, "strerror", None) or reason).split()) or "it ends too early"
    reason = reason if len(reason) <= 200 else f"{reason[:200]}..."
    return UserError(f"{path} is damaged ({reason}): restore an intact copy, or train again")


def write_arrays(path, arrays):
    """Write {name: array} as an .npz file."""
    with atomic_write(path) as scratch, open(scratch, "wb") as file:
        np.savez(file, **arrays)


def read_arrays(path, is_wanted=lambda name: True):
    """Return {name: array} of the .npz file at `path`, for the names for which `is_wanted(name)` is true.

    The declared sizes are checked against the size of the file before anything is allocated. UserError when the file is
    damaged, compressed (zoo writes no such files), or contains Python objects.
    """
    try:
        with open_regular_file(path) as file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            check_npz_sizes(members, os.fstat(file.fileno()).st_size)
            return {info.filename.removesuffix(".npy"): read_npz_member(archive, info) for info in members
                    if is_wanted(info.filename.removesuffix(".npy"))}
    except READ_ERRORS as error:
        raise make_damaged_file_error(path, error) from None


def check_npz_sizes(members, file_size):
    """Raise ValueError for compressed members, or when the declared sizes exceed that of the file."""
    for info in members:
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise ValueError(f"{info.filename} is compressed")
        if not info.filename.endswith(".npy"):
            raise ValueError(f"{info.filename} is not an array")
    if sum(info.file_size for info in members) > file_size:
        raise ValueError("it declares more bytes than it has")


def read_npz_member(archive, info):
    """Return one array; ValueError where its header does not match its data."""
    with archive.open(info) as file:
        try:
            shape, _, dtype = read_npy_header(file)
        except MemoryError:  # raised by Python's parser
            raise ValueError(f"{info.filename} has no readable header") from None
        if dtype.hasobject or min(shape, default=0) < 0:
            raise ValueError(f"{info.filename} is not an array of numbers")
        if math.prod(shape) * dtype.itemsize != info.file_size - file.tell():
            raise ValueError(f"the length of {info.filename} does not match its shape {shape}")
    with archive.open(info) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
