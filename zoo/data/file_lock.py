"""A cross-platform file lock, which one process at a time can hold."""

import errno
import warnings

# Errors of file systems without locks, such as some network file systems
NO_LOCK_ERRNOS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}


def acquire_lock(path, timeout=0.0):
    """Acquire the lock on `path` and return a context manager that releases it, as does the end of the process.

    The file is not deleted, because that would let two processes in. If the file system has no locks, the lock is a
    file PATH.soft that names its process; a killed process leaves it behind, and the next process takes it over once
    that process is gone.

    Args:
        path: str or Path of the lock file, which is created.
        timeout: seconds to wait for another process; negative: no limit.

    Raises:
        TimeoutError: if another process holds the lock.
        OSError: if the file cannot be written.
    """
    from filelock import FileLock, SoftFileLock, Timeout

    try:
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "flock not supported")
                return FileLock(path).acquire(timeout)
        except Timeout:
            raise
        except (NotImplementedError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in NO_LOCK_ERRNOS:
                raise
            return SoftFileLock(f"{path}.soft").acquire(timeout)
    except Timeout as error:
        raise TimeoutError(errno.ETIMEDOUT, "another process holds the lock", error.lock_file) from None
