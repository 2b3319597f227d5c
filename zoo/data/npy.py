"""The header of an array in NumPy's file format, as each member of an .npz file has one. Loads NumPy."""

import numpy as np

HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npy_header(file):
    """Return (shape, whether in Fortran order, dtype) of the array in a file, which is then read up to its data.

    Raises ValueError for another format, and what NumPy raises for a damaged header: MemoryError, too, by Python's
    parser.
    """
    version = np.lib.format.read_magic(file)
    if version not in HEADER_READERS:
        raise ValueError(f"an array has NumPy's format {version}")
    return HEADER_READERS[version](file)
