"""The pixels of the images below a folder: kept in memory, or decoded each time that they are asked for."""

import numpy as np

from zoo.data import deep_images, image_io, parallel_io
from zoo.errors import UserError

IN_MEMORY = 2**30  # bytes of pixels; more are read from the disk again and again
SHOWN = 3  # file names in a message


class Images:
    """The images of a Found by number, as an array has them: `images[rows]` is uint8 (n, height, width, channels).

    They are read once where they take at most `in_memory` bytes, else each time. UserError names the files that cannot
    be read: at once where they are kept or do not even begin as images do, else when they are asked for.

    white: {kind: value} to which images of more than eight bits are scaled, see deep_images; what is not given is
    found out from all of the images. `notes` says so.
    """

    def __init__(self, found, shape, in_memory=IN_MEMORY, threads=None, white=None):
        self.found, self.shape, self.threads, self.kept = found, shape, threads, None
        self.white, self.notes = {}, ()
        known, highest = dict(white or {}), {}
        rows = np.arange(len(found))
        if len(found) * int(np.prod(shape)) <= in_memory:
            self.kept = self.read(rows, "reading images", known, highest)
        else:
            self.check_beginnings(highest)
            rows = np.array([row for row, kind in highest.items() if kind not in known], np.int64)
            highest = {row: (kind, None) for row, kind in highest.items()} | self.measure(rows)
        self.white, self.notes = resolve_white(known, [*highest.values()])
        if self.kept is not None and highest:
            rows = np.array(sorted(highest), np.int64)
            self.kept[rows] = self.read(rows, "reading images")

    def __getitem__(self, rows):
        return self.read(rows) if self.kept is None else self.kept[rows]

    def read(self, rows, doing="", known=None, highest=None):
        """Return the pixels of some rows.

        highest: a dict that gets {row: (kind, largest value or None)} of the images of more than eight bits, whose
        pixels are left at 0; the value is None where `known` has a white for the kind.
        """
        made = np.zeros((len(rows), *self.shape), np.uint8)

        def one(place):
            image = image_io.decoded(self.found.path(rows[place]))
            kind = deep_images.kind_of(image)
            if highest is not None and kind:
                highest[int(rows[place])] = kind, None if kind in known else deep_images.max_value(image)
            else:
                made[place] = image_io.squeezed(image, self.shape, self.white)[0]

        self.crew(one, rows, doing)
        return made

    def measure(self, rows):
        """Return {row: (kind, largest value)} of images of more than eight bits."""
        highest = {}

        def one(place):
            image = image_io.decoded(self.found.path(rows[place]))
            highest[int(rows[place])] = deep_images.kind_of(image), deep_images.max_value(image)

        self.crew(one, rows, "measuring images")
        return highest

    def check_beginnings(self, kinds):
        """Refuse files that do not begin as images do; `kinds`, a dict, gets {row: kind} of those of more bits."""
        def one(row):
            kind = image_io.check_beginning(self.found.path(row))
            if kind:
                kinds[row] = kind

        self.crew(one, np.arange(len(self.found)), "looking at images")

    def crew(self, task, rows, doing):
        wrong = parallel_io.failed(task, len(rows), self.threads, doing)
        refuse(self.found, [rows[place] for place in wrong])


def resolve_white(known, highest):
    """Return ({kind: white}, notes) of images of more than eight bits: `highest` are (kind, largest value or None)."""
    white, notes = {}, []
    for kind in sorted({kind for kind, _ in highest}):
        largest = max((value for each, value in highest if each == kind and value is not None), default=None)
        white[kind] = known[kind] if kind in known else deep_images.choose_white(kind, largest)
        notes.append(deep_images.note_white(kind, white[kind], largest))
    return white, tuple(notes)


def refuse(found, rows):
    """Raise UserError that names files which are no images, where there are any."""
    if rows:
        raise UserError(f"{describe_broken([found.path(row) for row in rows])}; mend or remove them; zoo train and "
                        "zoo extract leave them out with --invalid-images skip")


def describe_broken(files):
    more = f" and {len(files) - SHOWN:,} more" if len(files) > SHOWN else ""
    return (f"{len(files):,} {'file' if len(files) == 1 else 'files'} cannot be read as images: "
            f"{', '.join(map(str, files[:SHOWN]))}{more}")
