"""How much memory this process may use: the machine's, `ulimit -v` (RLIMIT_AS) and control groups. For Linux.

Elsewhere nothing is known, and nothing is predicted.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None

UNLIMITED = 2**60  # bytes; control groups of version 1 report about 2**63 without a limit
CGROUP_FILES = {"": ("memory.max", "memory.current", "inactive_file"),  # version 2: {folder: names}
                "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")}  # version 1


@dataclass(frozen=True)
class MemoryLimit:
    """A limit in bytes and how much of it is used; name: as in "the limit of 2.0 GiB (NAME)"."""

    name: str
    limit: int
    used: int


def list_memory_limits():
    """Return the MemoryLimits of this process, the machine's memory not among them."""
    limits = [get_address_space_limit(), *list_cgroup_limits()]
    return [limit for limit in limits if limit and limit.limit < UNLIMITED]


def get_address_space_limit():
    """Return the MemoryLimit of `ulimit -v`; None without one."""
    if resource is None:
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    pages = re.match(r"\d+", _read("/proc/self/statm"))
    if limit == resource.RLIM_INFINITY or not pages:
        return None
    return MemoryLimit("ulimit -v", limit, int(pages[0]) * resource.getpagesize())


def list_cgroup_limits(root="/sys/fs/cgroup", process_file="/proc/self/cgroup"):
    """Return the MemoryLimits of this process's control group and the groups around it.

    The page cache of files, which is dropped when memory is needed, does not count as used.
    """
    limits = []
    for hierarchy, controllers, path in re.findall(r"^(\d+):([^:]*):(.*)$", _read(process_file), re.MULTILINE):
        folder = "memory" if "memory" in controllers.split(",") else "" if hierarchy == "0" else None
        if folder is None:
            continue
        limit_file, usage_file, cache_name = CGROUP_FILES[folder]
        top = Path(root) / folder
        group = top / path.strip("/")
        for directory in (group, *(parent for parent in group.parents if parent == top or top in parent.parents)):
            limit, used = (re.fullmatch(r"\d+", _read(directory / name).strip()) for name in (limit_file, usage_file))
            if limit and used:
                cache = re.search(rf"^{cache_name} (\d+)$", _read(directory / "memory.stat"), re.MULTILINE)
                limits.append(MemoryLimit("of the control group or container", int(limit[0]),
                                          int(used[0]) - (int(cache[1]) if cache else 0)))
    return limits


def get_free_memory():
    """Return how many bytes this process can still use; 2**60 if unknown."""
    return min([_read_meminfo("MemAvailable", UNLIMITED),
                *(max(0, limit.limit - limit.used) for limit in list_memory_limits())])


def find_exceeded_limit(required_bytes):
    """Return a MemoryLimit that surely leaves too little for `required_bytes` more; None if there is none.

    Surely: less than half. Of `ulimit -v`, what this process uses is gone; other processes of a control group may end,
    and part of its memory may be swapped.
    """
    limit = get_address_space_limit()
    if limit and required_bytes > 2 * (limit.limit - limit.used):
        return limit
    swap = _read_meminfo("SwapTotal", 0)
    return next((limit for limit in list_cgroup_limits() if required_bytes > 2 * (limit.limit + swap)), None)


def describe_shortage():
    """Return a phrase that says why memory may have run out, now that something has failed; "" if it is plentiful.

    An allocation that fails was larger than what was free, so that half of a limit in use is close to it.
    """
    limit = get_address_space_limit()
    if limit and limit.used > limit.limit / 2:
        return f"{format_gib(limit.used)} of the {format_gib(limit.limit)} that {limit.name} allows were in use"
    available, total = (_read_meminfo(name, UNLIMITED) for name in ("MemAvailable", "MemTotal"))
    return f"only {format_gib(available)} of the memory were free" if available < total / 20 else ""


def format_gib(size):
    """Return a number of bytes as text, such as 1.5 GiB."""
    return f"{size / 2**30:.1f} GiB"


def _read_meminfo(name, default):
    match = re.search(rf"^{name}:\s+(\d+) kB$", _read("/proc/meminfo"), re.MULTILINE)
    return int(match[1]) * 1024 if match else default


def _read(path):
    try:
        with open(os.fspath(path), encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
