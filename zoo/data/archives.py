"""The bytes of data files: plain, compressed or in an archive; read in memory, never more than a set can hold."""

import contextlib
import gzip
import tarfile
import zlib

from zoo.errors import UserError

GZIP = b"\x1f\x8b"  # how a .gz file begins, and no IDX file
BLOCK = 1 << 20  # bytes read at a time
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError)


class Bounded:
    """A readable stream that gives no more than `most` bytes, then a UserError; `count` is what it has given."""

    def __init__(self, stream, most, name):
        self.stream, self.most, self.name, self.count = stream, most, name, 0

    def read(self, size):
        block = self.stream.read1(size)  # what there is, so that nothing is lost where the file is cut off
        self.count += len(block)
        if self.count > self.most:
            raise too_much(self.name, self.most)
        return block


def too_much(name, most):
    return UserError(f"{name} holds more than the {most:,} bytes that a whole data set takes; "
                     f"use the files as the authors publish them")


def most_bytes(facts):
    """Return a bound on the bytes of all files of a set together: every record, and room for names and padding."""
    height, width, channels = facts.shape
    record = height * width * channels + len(facts.columns) + 128
    return (facts.published_train + facts.test) * record + (1 << 20)


def read_plain(path, most):
    """Return the bytes of the file at `path`."""
    if path.stat().st_size > most:
        raise too_much(path, most)
    return path.read_bytes()


@contextlib.contextmanager
def open_unpacked(path):
    """Yield the unpacked stream of a file: browsers unpack a .gz file and leave its name, or rename it."""
    with open(path, "rb") as file:
        is_packed = file.read(len(GZIP)) == GZIP
        file.seek(0)
        with gzip.GzipFile(fileobj=file) if is_packed else contextlib.nullcontext(file) as stream:
            yield stream


def read_unpacked(path, most):
    """Return (bytes, whole): the unpacked bytes of a file that may be a .gz file, and False where it is cut off."""
    blocks = []
    with open_unpacked(path) as stream:
        bounded = Bounded(stream, most, path)
        try:
            while block := bounded.read(BLOCK):
                blocks.append(block)
        except EOFError:
            return b"".join(blocks), False
        except DAMAGED as error:
            raise UserError(f"{path} is damaged ({error}); fetch it again") from None
    return b"".join(blocks), True


def read_members(path, names, most):
    """Return {name: bytes} of the members `names` of the .tar.gz archive at `path`, or of the .tar that is left of it.

    One pass, nothing is written to the disk; only plain members of exactly these names are read.
    """
    found = {}
    with open_unpacked(path) as stream:
        bounded = Bounded(stream, most, path)
        try:
            with tarfile.open(fileobj=bounded, mode="r|", bufsize=BLOCK) as archive:
                for member in archive:
                    if member.name in names and member.isreg() and not member.issparse():
                        found[member.name] = read_member(archive, member, path, bounded)
                while bounded.read(BLOCK):
                    pass  # to the very end, where the checksum of the whole is
        except DAMAGED as error:
            raise UserError(f"{path} is cut off or damaged after {bounded.count:,} bytes of its contents ({error}); "
                            f"fetch it again") from None
    missing = [name for name in names if name not in found]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}; fetch it again")
    return found


def read_member(archive, member, path, bounded):
    try:
        return archive.extractfile(member).read()
    except EOFError:
        raise UserError(f"{path} is cut off inside {member.name}: {member.size:,} bytes expected, "
                        f"{max(0, bounded.count - member.offset_data):,} found; fetch it again") from None
