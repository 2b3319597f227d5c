"""Reading data files, plain, compressed or in an archive, into memory, never more than a full dataset contains."""

import contextlib
import gzip
import tarfile
import zlib

from zoo.errors import UserError

GZIP_MAGIC = b"\x1f\x8b"  # the first bytes of a .gz file, and of no IDX file
READ_BLOCK_SIZE = 1 << 20  # bytes read at a time
ARCHIVE_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError)


class BoundedReader:
    """A readable stream that raises UserError after `max_bytes` bytes; `bytes_read` is the number read so far."""

    def __init__(self, stream, max_bytes, name):
        self.stream, self.max_bytes, self.name, self.bytes_read = stream, max_bytes, name, 0

    def read(self, size):
        block = self.stream.read1(size)  # what is available, so that nothing is lost if the file is truncated
        self.bytes_read += len(block)
        if self.bytes_read > self.max_bytes:
            raise make_too_large_error(self.name, self.max_bytes)
        return block


def make_too_large_error(name, max_bytes):
    return UserError(f"{name} is larger than the {max_bytes:,} bytes of the full dataset; "
                     f"use the original files of the authors")


def compute_max_bytes(info):
    """Return an upper bound on the bytes of all files of a dataset: all records, with room for names and padding."""
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
    """Yield the decompressed stream of a file, gzipped or not: browsers decompress .gz files but can keep the name."""
    with open(path, "rb") as file:
        is_gzipped = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        with gzip.GzipFile(fileobj=file) if is_gzipped else contextlib.nullcontext(file) as stream:
            yield stream


def read_unpacked(path, max_bytes):
    """Return (decompressed bytes, is_complete) of a file, gzipped or not; the latter is False if it is truncated."""
    blocks = []
    with open_unpacked(path) as stream:
        bounded = BoundedReader(stream, max_bytes, path)
        try:
            while block := bounded.read(READ_BLOCK_SIZE):
                blocks.append(block)
        except EOFError:
            return b"".join(blocks), False
        except ARCHIVE_ERRORS as error:
            raise UserError(f"{path} is damaged ({error}); download it again") from None
    return b"".join(blocks), True


def read_tar_members(path, names, max_bytes):
    """Return {name: bytes} of the members `names` of the .tar.gz archive, or decompressed .tar, at `path`.

    One pass, nothing is written to disk; only regular members with exactly these names are read.
    """
    members = {}
    with open_unpacked(path) as stream:
        bounded = BoundedReader(stream, max_bytes, path)
        try:
            with tarfile.open(fileobj=bounded, mode="r|", bufsize=READ_BLOCK_SIZE) as archive:
                for member in archive:
                    if member.name in names and member.isreg() and not member.issparse():
                        members[member.name] = read_tar_member(archive, member, path, bounded)
                while bounded.read(READ_BLOCK_SIZE):
                    pass  # up to the checksum at the end of the file
        except ARCHIVE_ERRORS as error:
            raise UserError(f"{path} is truncated or damaged after {bounded.bytes_read:,} bytes of its contents "
                            f"({error}); download it again") from None
    missing = [name for name in names if name not in members]
    if missing:
        raise UserError(f"{', '.join(missing)} missing from {path}; download it again")
    return members


def read_tar_member(archive, member, path, reader):
    try:
        return archive.extractfile(member).read()
    except EOFError:
        raise UserError(f"{path} is truncated inside {member.name}: expected {member.size:,} bytes, "
                        f"got {max(0, reader.bytes_read - member.offset_data):,}; download it again") from None
