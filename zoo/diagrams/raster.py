"""A scene as PNG and PDF, drawn by matplotlib with the same coordinates as in the SVG."""

import math

from zoo.diagrams import paths
from zoo.diagrams.scene import Box, Line, Polygon, Text, scale_scene
from zoo.plots.font_metrics import BASELINE_SHIFT, get_font_properties, measure_text_width
from zoo.utils.text import flatten_whitespace

PNG_DPI = 200
MAX_PDF_SIZE = 14_400  # points, the page size that PDF readers must support; a larger scene is scaled down
MAX_PNG_SIZE, MAX_PNG_PIXELS = 12_000, 60_000_000  # larger ones need a gigabyte, and not all programs open them
RC_PARAMS = {
    "pdf.fonttype": 42,  # text stays text, which can be searched and copied
    "pdf.compression": 6,
    "lines.scale_dashes": False,  # dashes in points, independent of the line width
    "path.simplify": False,  # otherwise corners move
    "text.hinting": "no_hinting",  # otherwise widths are rounded to pixels, and a long line is off by points
}
ANCHOR_FRACTIONS = {"start": 0.0, "middle": 0.5, "end": 1.0}  # the fraction of the text's width to the left of its x
BEZIER_ARC = 0.5523  # distance of the control points of a cubic curve that approximates a quarter circle, per radius


def choose_dpi(scene, dpi=PNG_DPI):
    """Return `dpi`, reduced if the image would exceed MAX_PNG_SIZE or MAX_PNG_PIXELS."""
    across, down = scene.width / 72, scene.height / 72
    return min(dpi, MAX_PNG_SIZE / max(across, down), math.sqrt(MAX_PNG_PIXELS / (across * down)))


def write_png(scene, path, dpi=PNG_DPI):
    """Write the scene to `path` as PNG with `dpi` pixels per inch, or fewer if the image would be too large."""
    dpi = choose_dpi(scene, dpi)
    # Rounded up to whole pixels; the excess of the last one is filled with the background.
    size = tuple(max(1, math.ceil(round(length / 72 * dpi, 3))) for length in (scene.width, scene.height))
    title = {"Title": flatten_whitespace(scene.title)} if scene.title else {}
    _save_figure(scene, path, tuple(pixels * 72 / dpi for pixels in size), format="png", dpi=dpi,
                 metadata={"Software": None, **title})


def write_pdf(scene, path):
    """Write the scene to `path` as a PDF of one page with searchable text."""
    scene = scale_scene(scene, min(1.0, MAX_PDF_SIZE / max(scene.width, scene.height)))
    # Without date and program names: the same scene gives the same file.
    title = {"Title": flatten_whitespace(scene.title)} if scene.title else {}
    _save_figure(scene, path, (scene.width, scene.height), format="pdf", dpi=72,
                 metadata={"CreationDate": None, "Creator": None, "Producer": None, **title})


def _save_figure(scene, path, size, **savefig_options):
    """Draw the scene on a figure of `size` points, and write it."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # the user's matplotlibrc is for the user's plots
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
    import matplotlib.text

    content = flatten_whitespace(text.text)
    if not content.strip():
        return
    # Text begins where it begins in the SVG: matplotlib would center it by its ink.
    offset = ANCHOR_FRACTIONS[text.anchor] * measure_text_width(content, text.size, text.bold)
    drop = BASELINE_SHIFT * text.size
    x, y = (text.x + drop, text.y + offset) if text.rotated else (text.x - offset, text.y + drop)
    yield matplotlib.text.Text(x, y, content, color=text.color, ha="left", va="baseline",
                               fontproperties=get_font_properties(text.size, text.bold),
                               rotation=90 if text.rotated else 0, rotation_mode="anchor", parse_math=False)


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
    vertices = [point for _, *points in path for point in points]
    path_codes = [codes[kind] for kind, *points in path for _ in points]
    return PathPatch(Path(vertices, path_codes), facecolor=fill or "none", edgecolor=stroke or "none",
                     linewidth=width if stroke else 0, linestyle=(0, paths.DASH_PATTERN) if dashed else "-",
                     capstyle="butt", joinstyle="round", snap=False)


ITEM_PAINTERS = {Box: _draw_box, Text: _draw_text, Line: _draw_line, Polygon: _draw_polygon}
