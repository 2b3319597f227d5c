"""The environment of a run: CPU, package versions, commit."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import zoo


def get_cpu_name():
    """Return the name of the CPU, from /proc/cpuinfo where it exists."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor() or platform.machine()


def get_package_versions(backend):
    """Return {name: version} of the packages that affect the results."""
    versions = {"zoo": zoo.__version__, "python": platform.python_version()}
    for package in ("keras", backend, "numpy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "unknown"
    return versions


def get_commit():
    """Return the commit of the checkout that zoo runs from, with -dirty for a modified package; None without one."""
    package = Path(zoo.__file__).resolve().parent
    if not (package.parent / ".git").exists():
        return None
    try:
        changes = _run_git(package, "status", "--porcelain", "--", ".")
        return _run_git(package, "rev-parse", "HEAD") + ("-dirty" if changes else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _run_git(folder, *arguments):
    return subprocess.run(("git", "-C", str(folder), *arguments), capture_output=True, text=True, timeout=20,
                          check=True).stdout.strip()
