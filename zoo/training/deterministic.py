"""The same numbers each time on a GPU."""


def enable(backend):
    """Ask a backend that is loaded for operations that give the same bits each time; the others are asked by device.py."""
    if backend == "torch":
        import torch

        torch.use_deterministic_algorithms(True, warn_only=True)
