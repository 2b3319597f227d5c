"""A lock on a file, which one process at a time can hold, on every platform."""

import errno
import warnings

# What a disk answers that has no locks, as some network disks have none
NO_LOCK_ERRNOS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}


def acquire_lock(path, timeout=0.0):
    """Take the lock on the file `path` and return a context manager that releases it; so does the end of the process.

    The file stays, because removing it would let two processes in. Where the disk has no locks, the lock is a file
    PATH.soft that says which process made it; a killed process leaves it behind, and the next one that sees that this
    process is gone takes it over.

    Args:
        path: str or Path; the file is created.
        timeout: seconds to wait for another holder; negative: for ever.

    Raises:
        TimeoutError: another holder has it.
        OSError: no file can be written there.
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
    except Timeout as busy:
        raise TimeoutError(errno.ETIMEDOUT, "another process holds the lock", busy.lock_file) from None
