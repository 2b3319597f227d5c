"""A scene as PNG and PDF, through matplotlib: every point where the SVG has it."""

import math

from zoo.diagrams import paths
from zoo.diagrams.scene import Box, Line, Polygon, Text, scale_scene
from zoo.plots.font_metrics import BASELINE_SHIFT, get_font_properties, measure_text_width
from zoo.utils.text import flatten_whitespace

PNG_DPI = 200
MAX_PDF_SIZE = 14_400  # side of a PDF's page, beyond which readers need not go; a larger scene is drawn smaller
MAX_PNG_SIZE, MAX_PNG_PIXELS = 12_000, 60_000_000  # of a PNG; more is beyond what programs open and takes a gigabyte
RC_PARAMS = {
    "pdf.fonttype": 42,  # text stays text, to be searched and copied
    "pdf.compression": 6,
    "lines.scale_dashes": False,  # dashes are points, whatever the width of the line
    "path.simplify": False,  # else corners wander
    "text.hinting": "no_hinting",  # else each letter is as wide as its pixels, and a long line drifts by points
}
ANCHOR_FRACTIONS = {"start": 0.0, "middle": 0.5, "end": 1.0}  # the share of a text's length that comes before its x
# Of the radius: where the two inner points of a cubic curve lie that passes for a quarter of a circle
BEZIER_ARC = 0.5523


def choose_dpi(scene, dpi=PNG_DPI):
    """Return `wanted`, or less where the picture would have more than MOST_SIDE or MOST_PIXELS pixels."""
    across, down = scene.width / 72, scene.height / 72
    return min(dpi, MAX_PNG_SIZE / max(across, down), math.sqrt(MAX_PNG_PIXELS / (across * down)))


def write_png(scene, path, dpi=PNG_DPI):
    """Write the scene to `path` as PNG with `dpi` pixels to the inch, fewer where it would be too large a picture."""
    dpi = choose_dpi(scene, dpi)
    # Whole pixels; what the last one has too much is filled with the background.
    size = tuple(max(1, math.ceil(round(length / 72 * dpi, 3))) for length in (scene.width, scene.height))
    words = {"Title": flatten_whitespace(scene.title)} if scene.title else {}
    _save_figure(scene, path, tuple(pixels * 72 / dpi for pixels in size), format="png", dpi=dpi,
                 metadata={"Software": None, **words})


def write_pdf(scene, path):
    """Write the scene to `path` as a PDF of one page; its text can be searched."""
    scene = scale_scene(scene, min(1.0, MAX_PDF_SIZE / max(scene.width, scene.height)))
    # No date and no names of programs: the same scene gives the same file.
    words = {"Title": flatten_whitespace(scene.title)} if scene.title else {}
    _save_figure(scene, path, (scene.width, scene.height), format="pdf", dpi=72,
                 metadata={"CreationDate": None, "Creator": None, "Producer": None, **words})


def _save_figure(scene, path, size, **savefig_options):
    """Draw the scene on a sheet of `size` points, and write the sheet."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a person's own matplotlibrc is for that person's plots
        matplotlib.rcParams.update(RC_PARAMS)
        figure = _make_figure(scene, size)
        figure.savefig(path, facecolor=scene.background or "none", **savefig_options)


def _make_figure(scene, size):
    from matplotlib.figure import Figure
    from matplotlib.transforms import Affine2D

    across, down = size[0] / 72, size[1] / 72
    figure = Figure(figsize=(across, down))
    points = Affine2D().scale(1 / 72, -1 / 72).translate(0, down) + figure.dpi_scale_trans
    for item in scene.items:
        for artist in ITEM_PAINTERS[type(item)](item):
            artist.set_transform(points)
            figure.add_artist(artist, clip=False)
    return figure


def _draw_box(box):
    left, top, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
    r = paths.compute_corner_radius(box)
    k = r * (1 - BEZIER_ARC)
    path = [("M", (left + r, top)),
            ("L", (right - r, top)), ("C", (right - k, top), (right, top + k), (right, top + r)),
            ("L", (right, bottom - r)), ("C", (right, bottom - k), (right - k, bottom), (right - r, bottom)),
            ("L", (left + r, bottom)), ("C", (left + k, bottom), (left, bottom - k), (left, bottom - r)),
            ("L", (left, top + r)), ("C", (left, top + k), (left + k, top), (left + r, top)), ("Z", (left + r, top))]
    yield _make_patch(path, box.fill, box.stroke, box.stroke_width, box.dashed)


def _draw_text(text):
    from matplotlib.text import Text as Words

    words = flatten_whitespace(text.text)
    if not words.strip():
        return
    # The words begin where the SVG's begin: matplotlib would centre them by their ink.
    before, drop = ANCHOR_FRACTIONS[text.anchor] * measure_text_width(words, text.size,
                                                                      text.bold), BASELINE_SHIFT * text.size
    x, y = (text.x + drop, text.y + before) if text.rotated else (text.x - before, text.y + drop)
    yield Words(x, y, words, color=text.color, fontproperties=get_font_properties(text.size, text.bold), ha="left",
                va="baseline", rotation=90 if text.rotated else 0, rotation_mode="anchor", parse_math=False)


def _draw_line(line):
    path, head = paths.compute_line_path(line)
    if path:
        yield _make_patch(path, "", line.stroke, line.width, line.dashed)
    if head:
        yield _make_patch(_close_path(head), line.stroke)


def _draw_polygon(polygon):
    yield _make_patch(_close_path(polygon.points), polygon.fill, polygon.stroke, polygon.stroke_width)


def _close_path(points):
    first, *others = points
    return [("M", first), *(("L", point) for point in others), ("Z", first)]


def _make_patch(path, fill, stroke="", width=0.0, dashed=False):
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    codes = {"M": Path.MOVETO, "L": Path.LINETO, "Q": Path.CURVE3, "C": Path.CURVE4, "Z": Path.CLOSEPOLY}
    corners = [point for _, *points in path for point in points]
    steps = [codes[kind] for kind, *points in path for _ in points]
    return PathPatch(Path(corners, steps), facecolor=fill or "none", edgecolor=stroke or "none",
                     linewidth=width if stroke else 0, linestyle=(0, paths.DASH_PATTERN) if dashed else "-",
                     capstyle="butt", joinstyle="round", snap=False)


ITEM_PAINTERS = {Box: _draw_box, Text: _draw_text, Line: _draw_line, Polygon: _draw_polygon}
