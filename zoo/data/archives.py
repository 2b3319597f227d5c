"""The bytes of data files: plain, compressed or in an archive; read in memory, never more than a set can hold."""

import contextlib
import gzip
import tarfile
import zlib

from zoo.errors import UserError

GZIP_MAGIC = b"\x1f\x8b"  # how a .gz file begins, and no IDX file
READ_BLOCK_SIZE = 1 << 20  # bytes read at a time
ARCHIVE_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError)


class BoundedReader:
    """A readable stream that gives no more than `most` bytes, then a UserError; `count` is what it has given."""

    def __init__(self, stream, max_bytes, name):
        self.stream, self.max_bytes, self.name, self.bytes_read = stream, max_bytes, name, 0

    def read(self, size):
        block = self.stream.read1(size)  # what there is, so that nothing is lost where the file is cut off
        self.bytes_read += len(block)
        if self.bytes_read > self.max_bytes:
            raise make_too_large_error(self.name, self.max_bytes)
        return block


def make_too_large_error(name, max_bytes):
    return UserError(f"{name} holds more than the {max_bytes:,} bytes that a whole data set takes; "
                     f"use the files as the authors publish them")


def compute_max_bytes(info):
    """Return a bound on the bytes of all files of a set together: every record, and room for names and padding."""
    height, width, channels = info.shape
    record = height * width * channels + len(info.classes_per_column) + 128
    return (info.published_train + info.test) * record + (1 << 20)


def read_plain_file(path, max_bytes):
    """Return the bytes of the file at `path`."""
    if path.stat().st_size > max_bytes:
        raise make_too_large_error(path, max_bytes)
    return path.read_bytes()


@contextlib.contextmanager
def open_unpacked(path):
    """Yield the unpacked stream of a file: browsers unpack a .gz file and leave its name, or rename it."""
    with open(path, "rb") as file:
        is_packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        with gzip.GzipFile(fileobj=file) if is_packed else contextlib.nullcontext(file) as stream:
            yield stream


def read_unpacked(path, max_bytes):
    """Return (bytes, whole): the unpacked bytes of a file that may be a .gz file, and False where it is cut off."""
    blocks = []
    with open_unpacked(path) as stream:
        bounded = BoundedReader(stream, max_bytes, path)
        try:
            while block := bounded.read(READ_BLOCK_SIZE):
                blocks.append(block)
        except EOFError:
            return b"".join(blocks), False
        except ARCHIVE_ERRORS as error:
            raise UserError(f"{path} is damaged ({error}); fetch it again") from None
    return b"".join(blocks), True


def read_tar_members(path, names, max_bytes):
    """Return {name: bytes} of the members `names` of the .tar.gz archive at `path`, or of the .tar that is left of it.

    One pass, nothing is written to the disk; only plain members of exactly these names are read.
    """
    found = {}
    with open_unpacked(path) as stream:
        bounded = BoundedReader(stream, max_bytes, path)
        try:
            with tarfile.open(fileobj=bounded, mode="r|", bufsize=READ_BLOCK_SIZE) as archive:
                for member in archive:
                    if member.name in names and member.isreg() and not member.issparse():
                        found[member.name] = read_tar_member(archive, member, path, bounded)
                while bounded.read(READ_BLOCK_SIZE):
                    pass  # to the very end, where the checksum of the whole is
        except ARCHIVE_ERRORS as error:
            raise UserError(f"{path} is cut off or damaged after {bounded.bytes_read:,} bytes of its contents ({error}); "
                            f"fetch it again") from None
    missing = [name for name in names if name not in found]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}; fetch it again")
    return found


def read_tar_member(archive, member, path, reader):
    try:
        return archive.extractfile(member).read()
    except EOFError:
        raise UserError(f"{path} is cut off inside {member.name}: {member.size:,} bytes expected, "
                        f"{max(0, reader.bytes_read - member.offset_data):,} found; fetch it again") from None
