"""The pixels of the images below a folder: cached in memory, or decoded each time they are requested."""

import numpy as np

from zoo.data import bit_depth, image_io, parallel_io
from zoo.errors import UNREADABLE_IMAGES, UserError

MAX_CACHE_BYTES = 2**30  # bytes of pixels; larger datasets are read from disk in each epoch
MAX_FILES_SHOWN = 3  # file names in a message
NEARLY_BLACK = 32  # the maximum of a dataset's pixels is almost always 255


class FolderImages:
    """The images of a SampleListing, indexed like an array: `images[indices]` is uint8 (n, height, width, channels).

    They are read once if they take at most `max_cache_bytes`, otherwise on each access. A UserError names the files
    that cannot be read: immediately if the images are cached or a header is invalid, otherwise on access.

    white_levels: {kind: value}, the white levels by which images of more than eight bits are scaled, see bit_depth;
    missing ones are measured on all images. `notes` reports these, and conversions of color, size and aspect ratio.
    """

    def __init__(self, listing, shape, max_cache_bytes=MAX_CACHE_BYTES, workers=None, white_levels=None):
        self.listing, self.shape, self.workers, self.cache = listing, shape, workers, None
        self.white_levels, self.notes = {}, ()
        known_levels, pixel_ranges = dict(white_levels or {}), {}
        indices = np.arange(len(listing))
        self.sizes = np.zeros((len(listing), 2), np.int32)
        self.is_grayscale, self.has_alpha, self.has_frames = np.zeros((3, len(listing)), bool)
        if len(listing) * int(np.prod(shape)) <= max_cache_bytes:
            self.cache = self.read(indices, "reading images", known_levels, pixel_ranges)
        else:
            self.check_headers(pixel_ranges)
            indices = np.array([index for index, kind in pixel_ranges.items() if kind not in known_levels], np.int64)
            pixel_ranges = {index: (kind, None) for index, kind in pixel_ranges.items()}
            pixel_ranges |= self.measure_pixel_ranges(indices)
        self.white_levels, notes = resolve_white_levels(known_levels, [*pixel_ranges.values()])
        self.notes = (*notes, *note_frames(self.has_frames),
                      *note_conversions(self.sizes, self.is_grayscale, self.has_alpha, shape))
        if self.cache is not None and pixel_ranges:
            indices = np.array(sorted(pixel_ranges), np.int64)
            self.cache[indices] = self.read(indices, "reading images")
        self.notes += note_darkness(self.cache)

    def __getitem__(self, indices):
        return self.read(indices) if self.cache is None else self.cache[indices]

    def read(self, indices, description="", known_levels=None, pixel_ranges=None):
        """Return the pixels of the images at `indices`.

        pixel_ranges: a dict to which {index: (kind, (minimum, maximum) or None)} of the images of more than eight bits
        is added; their pixels stay 0, and the range is None if `known_levels` has a white level for the kind.
        """
        pixels = np.zeros((len(indices), *self.shape), np.uint8)

        def read_image(position):
            index = int(indices[position])
            image = image_io.decode_image(self.listing.get_path(index))
            kind = self.record_header(index, image_io.get_image_header(image))
            if pixel_ranges is not None and kind:
                pixel_ranges[index] = kind, None if kind in known_levels else bit_depth.get_pixel_range(image)
            else:
                pixels[position] = image_io.resize_image(image, self.shape, self.white_levels)[0]

        self.run_in_threads(read_image, indices, description)
        return pixels

    def measure_pixel_ranges(self, indices):
        """Return {index: (kind, (minimum, maximum))} of images of more than eight bits."""
        pixel_ranges = {}

        def measure_image(position):
            index = int(indices[position])
            image = image_io.decode_image(self.listing.get_path(index))
            pixel_ranges[index] = bit_depth.get_pixel_kind(image), bit_depth.get_pixel_range(image)

        self.run_in_threads(measure_image, indices, "measuring images")
        return pixel_ranges

    def check_headers(self, kinds):
        """Raise UserError for files without an image header; add {index: kind} of more than eight bits to `kinds`."""
        def check_header(index):
            kind = self.record_header(index, image_io.check_image_header(self.listing.get_path(index)))
            if kind:
                kinds[index] = kind

        self.run_in_threads(check_header, np.arange(len(self.listing)), "checking image headers")

    def record_header(self, row, header):
        """Record the size, color, transparency and frames of an image for the notes; return the kind of its pixels."""
        self.sizes[row], self.is_grayscale[row] = header.size, header.is_grayscale
        self.has_alpha[row], self.has_frames[row] = header.has_alpha, header.has_frames
        return header.pixel_kind

    def run_in_threads(self, task, indices, description):
        failed = parallel_io.run_in_threads(task, len(indices), self.workers, description)
        reject_invalid_images(self.listing, [indices[position] for position in failed])


def note_darkness(pixels):
    """Return a tuple with one line if all pixels, uint8 or None, are nearly black; () if not."""
    maximum = 255 if pixels is None else pixels.max(initial=0)
    return (f"the maximum of all pixels is {maximum} of 255, which is nearly black; if white has a smaller value in "
            "these files, multiply their values so that it becomes 255",) if maximum < NEARLY_BLACK else ()


def note_frames(has_frames):
    """Return a tuple with one line on images of several frames, bool (n,); () if there are none."""
    scope = f"{np.count_nonzero(has_frames):,} of {len(has_frames):,} images"
    return (f"{scope} have several frames, of which the first is used",) if has_frames.any() else ()


def note_conversions(sizes, is_grayscale, has_alpha, shape):
    """Return a tuple with one line on how images are converted to `shape`; () if they are not converted.

    sizes: (n, 2), height and width of each image; is_grayscale, has_alpha: bool (n,).
    """
    height, width, channels = shape
    parts = []
    if has_alpha.any():
        scope = "" if has_alpha.all() else f" in {np.count_nonzero(has_alpha):,} of {len(sizes):,} images"
        parts.append(f"transparency composited over white{scope}")
    if channels == 1 and not is_grayscale.all():
        scope = f" in {np.count_nonzero(~is_grayscale):,} of {len(sizes):,} images" if is_grayscale.any() else ""
        parts.append(f"color converted to grayscale{scope}")
    resized = sizes[(sizes != (height, width)).any(axis=1)]
    if len(resized):
        first = "x".join(map(str, resized[0]))
        sources = f"images of {first}" if (sizes == resized[0]).all() else f"images of several sizes, e.g. {first},"
        is_distorted = (resized[:, 0] * width != resized[:, 1] * height).any()
        parts.append(f"{sources} are resized to {height}x{width}"
                     + (", which changes their aspect ratio" if is_distorted else ""))
    return ("; ".join(parts),) if parts else ()


def resolve_white_levels(known_levels, pixel_ranges):
    """Return ({kind: white level}, notes) of images of more than eight bits.

    pixel_ranges: pairs (kind, (minimum, maximum), or None if the white level is known).
    """
    white_levels, notes = {}, []
    for kind in sorted({kind for kind, _ in pixel_ranges}):
        if kind in known_levels:
            white_levels[kind] = known_levels[kind]
            notes.append(bit_depth.describe_white_level(kind, white_levels[kind]))
        else:
            minima, maxima = zip(*(pixel_range for range_kind, pixel_range in pixel_ranges if range_kind == kind))
            white_levels[kind] = bit_depth.choose_white_level(kind, max(maxima))
            notes.append(bit_depth.describe_white_level(kind, white_levels[kind], min(minima), max(maxima)))
    return white_levels, tuple(notes)


def reject_invalid_images(listing, indices):
    """Raise UserError that names the files at `indices`, which are not valid images, if there are any."""
    if indices:
        raise UserError(f"{describe_invalid_files([listing.get_path(index) for index in indices])}"
                        f"{explain_invalid_image(listing.get_path(indices[0]))}; fix or delete them, or skip them with "
                        "invalid_images='skip'")


def explain_invalid_image(path):
    """Return why a file, the first of those that a message names, cannot be decoded, in parentheses."""
    try:
        image_io.decode_image(path)
    except UserError as error:
        return f" (the first {str(error).removeprefix(f'{path} ')})"
    return ""


def describe_invalid_files(files):
    more = f" and {len(files) - MAX_FILES_SHOWN:,} more" if len(files) > MAX_FILES_SHOWN else ""
    return (f"{len(files):,} {'file' if len(files) == 1 else 'files'} {UNREADABLE_IMAGES}: "
            f"{', '.join(map(str, files[:MAX_FILES_SHOWN]))}{more}")
