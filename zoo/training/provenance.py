"""What a run was made with."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import zoo


def versions(backend):
    """Return {name: version} of what decides the numbers."""
    found = {"zoo": zoo.__version__, "python": platform.python_version()}
    for package in ("keras", backend, "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def commit():
    """Return the commit of the checkout that zoo runs from, with -dirty for changed files; None outside of one."""
    root = Path(zoo.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        described = subprocess.run(("git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"),
                                   capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()
