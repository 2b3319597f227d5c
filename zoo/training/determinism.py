"""Deterministic computation on GPUs."""

import sys


def enable_determinism(backend):
    """Enable deterministic operations in PyTorch, once loaded; devices.py enables them in the other backends before."""
    if backend == "torch":
        sys.modules["torch"].use_deterministic_algorithms(True, warn_only=True)
