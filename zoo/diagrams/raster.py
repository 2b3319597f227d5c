"""A scene as PNG and PDF, through matplotlib: every point where the SVG has it."""

import math

from zoo.diagrams import paths
from zoo.diagrams.scene import Box, Line, Polygon, Text, scaled
from zoo.plots.font_metrics import DROP, font, printable, text_width

DPI = 200
MOST_POINTS = 14_400  # side of a PDF's page, beyond which readers need not go; a larger scene is drawn smaller
MOST_SIDE, MOST_PIXELS = 12_000, 60_000_000  # of a PNG; more is beyond what programs open and takes a gigabyte
SETTINGS = {
    "pdf.fonttype": 42,  # text stays text, to be searched and copied
    "pdf.compression": 6,
    "lines.scale_dashes": False,  # dashes are points, whatever the width of the line
    "path.simplify": False,  # else corners wander
    "text.hinting": "no_hinting",  # else each letter is as wide as its pixels, and a long line drifts by points
}
BEFORE = {"start": 0.0, "middle": 0.5, "end": 1.0}  # the share of a text's length that comes before its x
ARC = 0.5523  # of the radius: where the two inner points of a cubic curve lie that passes for a quarter of a circle


def dots_per_inch(scene, wanted=DPI):
    """Return `wanted`, or less where the picture would have more than MOST_SIDE or MOST_PIXELS pixels."""
    across, down = scene.width / 72, scene.height / 72
    return min(wanted, MOST_SIDE / max(across, down), math.sqrt(MOST_PIXELS / (across * down)))


def write_png(scene, path, dpi=DPI):
    """Write the scene to `path` as PNG with `dpi` pixels to the inch, fewer where it would be too large a picture."""
    dpi = dots_per_inch(scene, dpi)
    # Whole pixels; what the last one has too much is filled with the background.
    size = tuple(max(1, math.ceil(round(length / 72 * dpi, 3))) for length in (scene.width, scene.height))
    words = {"Title": printable(scene.title)} if scene.title else {}
    _save(scene, path, tuple(pixels * 72 / dpi for pixels in size), format="png", dpi=dpi,
          metadata={"Software": None, **words})


def write_pdf(scene, path):
    """Write the scene to `path` as a PDF of one page; its text can be searched."""
    scene = scaled(scene, min(1.0, MOST_POINTS / max(scene.width, scene.height)))
    # No date and no names of programs: the same scene gives the same file.
    words = {"Title": printable(scene.title)} if scene.title else {}
    _save(scene, path, (scene.width, scene.height), format="pdf", dpi=72,
          metadata={"CreationDate": None, "Creator": None, "Producer": None, **words})


def _save(scene, path, size, **how):
    """Draw the scene on a sheet of `size` points, and write the sheet."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a person's own matplotlibrc is for that person's plots
        matplotlib.rcParams.update(SETTINGS)
        figure = _figure(scene, size)
        figure.savefig(path, facecolor=scene.background or "none", **how)


def _figure(scene, size):
    from matplotlib.figure import Figure
    from matplotlib.transforms import Affine2D

    across, down = size[0] / 72, size[1] / 72
    figure = Figure(figsize=(across, down))
    points = Affine2D().scale(1 / 72, -1 / 72).translate(0, down) + figure.dpi_scale_trans
    for item in scene.items:
        for artist in DRAWN[type(item)](item):
            artist.set_transform(points)
            figure.add_artist(artist, clip=False)
    return figure


def _box(box):
    left, top, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
    r = paths.corner(box)
    k = r * (1 - ARC)
    path = [("M", (left + r, top)),
            ("L", (right - r, top)), ("C", (right - k, top), (right, top + k), (right, top + r)),
            ("L", (right, bottom - r)), ("C", (right, bottom - k), (right - k, bottom), (right - r, bottom)),
            ("L", (left + r, bottom)), ("C", (left + k, bottom), (left, bottom - k), (left, bottom - r)),
            ("L", (left, top + r)), ("C", (left, top + k), (left + k, top), (left + r, top)), ("Z", (left + r, top))]
    yield _shape(path, box.fill, box.stroke, box.stroke_width, box.dashed)


def _text(text):
    from matplotlib.text import Text as Words

    words = printable(text.words)
    if not words.strip():
        return
    # The words begin where the SVG's begin: matplotlib would centre them by their ink.
    before, drop = BEFORE[text.anchor] * text_width(words, text.size, text.bold), DROP * text.size
    x, y = (text.x + drop, text.y + before) if text.turned else (text.x - before, text.y + drop)
    yield Words(x, y, words, color=text.colour, fontproperties=font(text.size, text.bold), ha="left", va="baseline",
                rotation=90 if text.turned else 0, rotation_mode="anchor", parse_math=False)


def _line(line):
    path, head = paths.line_path(line)
    if path:
        yield _shape(path, "", line.stroke, line.width, line.dashed)
    if head:
        yield _shape(_closed(head), line.stroke)


def _polygon(polygon):
    yield _shape(_closed(polygon.points), polygon.fill, polygon.stroke, polygon.stroke_width)


def _closed(points):
    first, *others = points
    return [("M", first), *(("L", point) for point in others), ("Z", first)]


def _shape(path, fill, stroke="", width=0.0, dashed=False):
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    codes = {"M": Path.MOVETO, "L": Path.LINETO, "Q": Path.CURVE3, "C": Path.CURVE4, "Z": Path.CLOSEPOLY}
    corners = [point for _, *points in path for point in points]
    steps = [codes[kind] for kind, *points in path for _ in points]
    return PathPatch(Path(corners, steps), facecolor=fill or "none", edgecolor=stroke or "none",
                     linewidth=width if stroke else 0, linestyle=(0, paths.DASHES) if dashed else "-",
                     capstyle="butt", joinstyle="round", snap=False)


DRAWN = {Box: _box, Text: _text, Line: _line, Polygon: _polygon}
