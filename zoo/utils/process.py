"""What the operating system tells about processes, this one and others."""

import ctypes
import os
import sys

try:
    import resource
except ImportError:  # Windows
    resource = None


def is_process_alive(pid):
    """Return whether a process with this number runs on this machine."""
    if sys.platform == "win32":
        return _is_process_alive_on_windows(pid)
    try:
        os.kill(pid, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # another user's; and a number that no process has is left alone
        return True
    return pid > 0


def _is_process_alive_on_windows(pid):
    """Signal 0 would be Ctrl-C there."""
    synchronize, timed_out = 0x00100000, 0x102
    handle = ctypes.windll.kernel32.OpenProcess(synchronize, False, pid)
    if not handle:
        return ctypes.windll.kernel32.GetLastError() == 5  # access denied: there is such a process
    try:
        return ctypes.windll.kernel32.WaitForSingleObject(handle, 0) == timed_out
    finally:
        ctypes.windll.kernel32.CloseHandle(handle)


def get_peak_memory():
    """Return the most memory that this process has had, in MiB; None where the platform does not tell."""
    if resource is None:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // (2**20 if sys.platform == "darwin" else 2**10)  # bytes on macOS, KiB elsewhere
