"""A scene as SVG 1.1 for any browser or drawing program: without scripts and style sheets, with text as text."""

from xml.sax.saxutils import escape

from zoo.diagrams import paths
from zoo.diagrams.scene import Box, Line, Polygon, Text
from zoo.plots.font_metrics import BASELINE_SHIFT, FONT, measure_text_width
from zoo.utils.text import flatten_whitespace

FONT_STACK = f"{FONT}, Verdana, sans-serif"  # Verdana has the widths of DejaVu, which may be missing
TEXT_ANCHORS = {"start": None, "middle": "middle", "end": "end"}  # start is the default


def to_svg(scene):
    """Return the scene as the text of an SVG file, deterministically."""
    width, height = format_number(scene.width), format_number(scene.height)
    has_tooltips = any(isinstance(item, Box) and item.tooltip for item in scene.items)
    # Text and lines must not hide the box below them from the mouse, so only boxes with a tooltip receive events.
    root = format_tag("svg", ("xmlns", "http://www.w3.org/2000/svg"), ("width", f"{width}pt"),
                      ("height", f"{height}pt"), ("viewBox", f"0 0 {width} {height}"), ("role", "img"),
                      ("font-family", FONT_STACK), ("stroke-linejoin", "round"),
                      ("pointer-events", "none" if has_tooltips else None), close=False)
    lines = [root]
    if scene.title:
        lines.append(f"<title>{escape(flatten_whitespace(scene.title))}</title>")
    if scene.background:
        lines.append(format_tag("rect", ("width", width), ("height", height), ("fill", scene.background)))
    lines += [element for element in (ITEM_FORMATTERS[type(item)](item) for item in scene.items) if element]
    return "\n".join([*lines, "</svg>", ""])


def format_number(value):
    """Return a length as text, rounded to 0.01 points and without trailing zeros."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def format_tag(name, *attributes, close=True):
    """Return `<name key="value" .../>`; attributes are (key, text or number); None is omitted."""
    text = "".join(f' {key}="{_format_attribute(value)}"' for key, value in attributes if value is not None)
    return f"<{name}{text}{'/' if close else ''}>"


def _format_attribute(value):
    return escape(flatten_whitespace(value), {'"': "&quot;"}) if isinstance(value, str) else format_number(value)


def _format_box(box):
    radius = paths.compute_corner_radius(box)
    rect = (("x", box.x), ("y", box.y), ("width", box.width), ("height", box.height), ("rx", radius or None),
            ("fill", box.fill or "none"), *_make_stroke_attributes(box.stroke, box.stroke_width, box.dashed))
    name = ("data-name", box.name or None)
    if not box.tooltip:
        return format_tag("rect", name, *rect)
    group = format_tag("g", name, ("pointer-events", "all"), close=False)
    return f"{group}<title>{escape(flatten_whitespace(box.tooltip))}</title>{format_tag('rect', *rect)}</g>"


def _format_text(text):
    content = flatten_whitespace(text.text)
    if not content.strip():
        return ""
    # The baseline is computed here: print programs do not support dominant-baseline.
    attributes = (("x", text.x), ("y", text.y + BASELINE_SHIFT * text.size), ("font-size", text.size),
             ("font-weight", "bold" if text.bold else None), ("fill", text.color),
             ("text-anchor", TEXT_ANCHORS[text.anchor]),
             ("transform", f"rotate(-90 {format_number(text.x)} {format_number(text.y)})" if text.rotated else None),
             # Another font is scaled to the width of ours.
             ("textLength", measure_text_width(content, text.size, text.bold)), ("lengthAdjust", "spacingAndGlyphs"),
             ("xml:space", "preserve" if content != " ".join(filter(None, content.split(" "))) else None))
    return f"{format_tag('text', *attributes, close=False)}{escape(content)}</text>"


def _format_line(line):
    path, head = paths.compute_line_path(line)
    if not path:
        return ""
    path_data = "".join(kind + " ".join(f"{format_number(x)} {format_number(y)}" for x, y in points)
                        for kind, *points in path)
    element = format_tag("path", ("d", path_data), ("fill", "none"),
                       *_make_stroke_attributes(line.stroke, line.width, line.dashed))
    return element + (format_tag("path", ("d", _format_closed_path(head)), ("fill", line.stroke)) if head else "")


def _format_polygon(polygon):
    return format_tag("path", ("d", _format_closed_path(polygon.points)), ("fill", polygon.fill or "none"),
                      *_make_stroke_attributes(polygon.stroke, polygon.stroke_width))


def _format_closed_path(points):
    return "M" + "L".join(f"{format_number(x)} {format_number(y)}" for x, y in points) + "Z"


def _make_stroke_attributes(color, width, dashed=False):
    if not color:
        return ()
    dashes = " ".join(map(format_number, paths.DASH_PATTERN)) if dashed else None
    return (("stroke", color), ("stroke-width", width), ("stroke-dasharray", dashes))


ITEM_FORMATTERS = {Box: _format_box, Text: _format_text, Line: _format_line, Polygon: _format_polygon}
