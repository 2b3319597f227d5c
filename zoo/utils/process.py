"""Process information from the operating system."""

import ctypes
import os
import sys

try:
    import resource
except ImportError:  # Windows
    resource = None


def is_process_alive(pid):
    """Return whether a process with this ID runs on this machine."""
    if sys.platform == "win32":
        return _is_process_alive_on_windows(pid)
    try:
        os.kill(pid, 0)  # sends no signal
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # another user's process; or an ID out of range, left alone to be safe
        return True
    return pid > 0


def _is_process_alive_on_windows(pid):
    """Return the same on Windows, where signal 0 would be Ctrl-C."""
    synchronize, timed_out = 0x00100000, 0x102
    handle = ctypes.windll.kernel32.OpenProcess(synchronize, False, pid)
    if not handle:
        return ctypes.windll.kernel32.GetLastError() == 5  # access denied: the process exists
    try:
        return ctypes.windll.kernel32.WaitForSingleObject(handle, 0) == timed_out
    finally:
        ctypes.windll.kernel32.CloseHandle(handle)


def get_peak_memory():
    """Return the peak memory of this process in MiB; None if the platform does not report it."""
    if resource is None:
        return None
    peak_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak_memory // (2**20 if sys.platform == "darwin" else 2**10)  # bytes on macOS, KiB elsewhere


def count_cores():
    """Return the number of CPU cores that this process may use, which `taskset` and clusters limit."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
