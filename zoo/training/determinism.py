"""The same numbers each time on a GPU."""

import sys


def enable_determinism(backend):
    """Ask PyTorch, once loaded, for operations that give the same bits each time; devices.py asks the others before."""
    if backend == "torch":
        sys.modules["torch"].use_deterministic_algorithms(True, warn_only=True)
