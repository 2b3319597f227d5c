"""The pixels of the images below a folder: kept in memory, or decoded each time that they are asked for."""

import numpy as np

from zoo.data import bit_depth, image_io, parallel_io
from zoo.errors import UserError

MAX_CACHE_BYTES = 2**30  # bytes of pixels; more are read from the disk again and again
MAX_FILES_SHOWN = 3  # file names in a message


class FolderImages:
    """The images of a Found by number, as an array has them: `images[rows]` is uint8 (n, height, width, channels).

    They are read once where they take at most `in_memory` bytes, else each time. UserError names the files that cannot
    be read: at once where they are kept or do not even begin as images do, else when they are asked for.

    white_levels: {kind: value} to which images of more than eight bits are scaled, see bit_depth; what is not given is
    found out from all of the images. `notes` says so, and what the images lose: their colours, size and aspect ratio.
    """

    def __init__(self, listing, shape, max_cache_bytes=MAX_CACHE_BYTES, workers=None, white_levels=None):
        self.listing, self.shape, self.workers, self.cache = listing, shape, workers, None
        self.white_levels, self.notes = {}, ()
        known, highest = dict(white_levels or {}), {}
        rows = np.arange(len(listing))
        self.sizes, self.is_grayscale = np.zeros((len(listing), 2), np.int32), np.zeros(len(listing), bool)
        if len(listing) * int(np.prod(shape)) <= max_cache_bytes:
            self.cache = self.read(rows, "reading images", known, highest)
        else:
            self.check_headers(highest)
            rows = np.array([row for row, kind in highest.items() if kind not in known], np.int64)
            highest = {row: (kind, None) for row, kind in highest.items()} | self.measure_max_values(rows)
        self.white_levels, notes = resolve_white_levels(known, [*highest.values()])
        self.notes = (*notes, *note_conversions(self.sizes, self.is_grayscale, shape))
        if self.cache is not None and highest:
            rows = np.array(sorted(highest), np.int64)
            self.cache[rows] = self.read(rows, "reading images")

    def __getitem__(self, indices):
        return self.read(indices) if self.cache is None else self.cache[indices]

    def read(self, indices, description="", known_levels=None, highest=None):
        """Return the pixels of some rows.

        highest: a dict that gets {row: (kind, largest value or None)} of the images of more than eight bits, whose
        pixels are left at 0; the value is None where `known` has a white for the kind.
        """
        made = np.zeros((len(indices), *self.shape), np.uint8)

        def one(place):
            image = image_io.decode_image(self.listing.get_path(indices[place]))
            kind = self.record_header(indices[place], image_io.get_image_header(image))
            if highest is not None and kind:
                highest[int(indices[place])] = kind, None if kind in known_levels else bit_depth.get_max_pixel_value(image)
            else:
                made[place] = image_io.resize_image(image, self.shape, self.white_levels)[0]

        self.run_in_threads(one, indices, description)
        return made

    def measure_max_values(self, indices):
        """Return {row: (kind, largest value)} of images of more than eight bits."""
        highest = {}

        def one(place):
            image = image_io.decode_image(self.listing.get_path(indices[place]))
            highest[int(indices[place])] = bit_depth.get_pixel_kind(image), bit_depth.get_max_pixel_value(image)

        self.run_in_threads(one, indices, "measuring images")
        return highest

    def check_headers(self, kinds):
        """Refuse files that do not begin as images do; `kinds`, a dict, gets {row: kind} of those of more bits."""
        def one(row):
            kind = self.record_header(row, image_io.check_image_header(self.listing.get_path(row)))
            if kind:
                kinds[row] = kind

        self.run_in_threads(one, np.arange(len(self.listing)), "looking at images")

    def record_header(self, row, header):
        """Keep what `note_conversions` asks for; return the kind of the pixels."""
        self.sizes[row], self.is_grayscale[row] = header.size, header.is_grayscale
        return header.pixel_kind

    def run_in_threads(self, task, indices, description):
        wrong = parallel_io.run_in_threads(task, len(indices), self.workers, description)
        reject_invalid_images(self.listing, [indices[place] for place in wrong])


def note_conversions(sizes, is_grayscale, shape):
    """Return a tuple with the line that says what images lose when they become `shape`; () where they lose nothing.

    sizes: (n, 2), height and width of each image; is_grayscale: bool (n,).
    """
    height, width, channels = shape
    parts = []
    if channels == 1 and not is_grayscale.all():
        some = f" in {np.count_nonzero(~is_grayscale):,} of {len(sizes):,} images" if is_grayscale.any() else ""
        parts.append(f"colour converted to grayscale{some}")
    resized = sizes[(sizes != (height, width)).any(axis=1)]
    if len(resized):
        first = "x".join(map(str, resized[0]))
        what = f"images of {first}" if (sizes == resized[0]).all() else f"images of several sizes, e.g. {first},"
        squeezed = (resized[:, 0] * width != resized[:, 1] * height).any()
        parts.append(f"{what} are resized to {height}x{width}"
                     + (", which changes their aspect ratio" if squeezed else ""))
    return ("; ".join(parts),) if parts else ()


def resolve_white_levels(known_levels, highest):
    """Return ({kind: white}, notes) of images of more than eight bits: `highest` are (kind, largest value or None)."""
    white, notes = {}, []
    for kind in sorted({kind for kind, _ in highest}):
        largest = max((value for each, value in highest if each == kind and value is not None), default=None)
        white[kind] = known_levels[kind] if kind in known_levels else bit_depth.choose_white_level(kind, largest)
        notes.append(bit_depth.describe_white_level(kind, white[kind], largest))
    return white, tuple(notes)


def reject_invalid_images(listing, indices):
    """Raise UserError that names files which are no images, where there are any."""
    if indices:
        raise UserError(f"{describe_invalid_files([listing.get_path(row) for row in indices])}; mend or remove them; zoo train and "
                        "zoo extract leave them out with --invalid-images skip")


def describe_invalid_files(files):
    more = f" and {len(files) - MAX_FILES_SHOWN:,} more" if len(files) > MAX_FILES_SHOWN else ""
    return (f"{len(files):,} {'file' if len(files) == 1 else 'files'} cannot be read as images: "
            f"{', '.join(map(str, files[:MAX_FILES_SHOWN]))}{more}")
