"""What several tests need."""

import importlib.util

import numpy as np
from PIL import Image


def module_at(path):
    """Return the module of a file that is in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_pets(folder, shape, ending):
    """Write two classes of ten random pictures each into a new folder, and return it."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(10):
            Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / name / f"{number}{ending}")
    return folder
