"""A scene as SVG 1.1 that any browser, drawing program or page takes: no script, no style sheet, text stays text."""

from xml.sax.saxutils import escape

from zoo.diagrams import paths
from zoo.diagrams.scene import Box, Line, Polygon, Text
from zoo.plots.font_metrics import DROP, FONT, printable, text_width

FONTS = f"{FONT}, Verdana, sans-serif"  # Verdana has DejaVu's widths, where DejaVu is missing
ANCHORS = {"start": None, "middle": "middle", "end": "end"}  # start is what goes without saying


def svg(scene):
    """Return the scene as the text of an SVG file; the same scene gives the same text, byte for byte."""
    width, height = number(scene.width), number(scene.height)
    tips = any(isinstance(item, Box) and item.tip for item in scene.items)
    # Words and lines must not hide the box under them from the mouse, so only what has a tip feels it.
    root = tag("svg", ("xmlns", "http://www.w3.org/2000/svg"), ("width", f"{width}pt"), ("height", f"{height}pt"),
               ("viewBox", f"0 0 {width} {height}"), ("role", "img"), ("font-family", FONTS),
               ("stroke-linejoin", "round"), ("pointer-events", "none" if tips else None), close=False)
    lines = [root]
    if scene.title:
        lines.append(f"<title>{escape(printable(scene.title))}</title>")
    if scene.background:
        lines.append(tag("rect", ("width", width), ("height", height), ("fill", scene.background)))
    lines += [element for element in (DRAWN[type(item)](item) for item in scene.items) if element]
    return "\n".join([*lines, "</svg>", ""])


def number(value):
    """Return a length as text, to a hundredth of a point and without zeros at its end."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def tag(name, *attributes, close=True):
    """Return `<name key="value" .../>`; attributes are (key, text or number), and those that are None are left out."""
    said = "".join(f' {key}="{_quoted(value)}"' for key, value in attributes if value is not None)
    return f"<{name}{said}{'/' if close else ''}>"


def _quoted(value):
    return escape(printable(value), {'"': "&quot;"}) if isinstance(value, str) else number(value)


def _box(box):
    radius = paths.corner(box)
    rect = (("x", box.x), ("y", box.y), ("width", box.width), ("height", box.height), ("rx", radius or None),
            ("fill", box.fill or "none"), *_stroke(box.stroke, box.stroke_width, box.dashed))
    name = ("data-name", box.name or None)
    if not box.tip:
        return tag("rect", name, *rect)
    group = tag("g", name, ("pointer-events", "all"), close=False)
    return f"{group}<title>{escape(printable(box.tip))}</title>{tag('rect', *rect)}</g>"


def _text(text):
    words = printable(text.words)
    if not words.strip():
        return ""
    # The baseline is worked out here: programs for print do not know dominant-baseline.
    place = (("x", text.x), ("y", text.y + DROP * text.size), ("font-size", text.size),
             ("font-weight", "bold" if text.bold else None), ("fill", text.colour),
             ("text-anchor", ANCHORS[text.anchor]),
             ("transform", f"rotate(-90 {number(text.x)} {number(text.y)})" if text.turned else None),
             # Another font is squeezed or stretched into the room that ours would take.
             ("textLength", text_width(words, text.size, text.bold)), ("lengthAdjust", "spacingAndGlyphs"),
             ("xml:space", "preserve" if words != " ".join(filter(None, words.split(" "))) else None))
    return f"{tag('text', *place, close=False)}{escape(words)}</text>"


def _line(line):
    path, head = paths.line_path(line)
    if not path:
        return ""
    way = "".join(step[0] + " ".join(f"{number(x)} {number(y)}" for x, y in step[1:]) for step in path)
    drawn = tag("path", ("d", way), ("fill", "none"), *_stroke(line.stroke, line.width, line.dashed))
    return drawn + (tag("path", ("d", _closed(head)), ("fill", line.stroke)) if head else "")


def _polygon(polygon):
    return tag("path", ("d", _closed(polygon.points)), ("fill", polygon.fill or "none"),
               *_stroke(polygon.stroke, polygon.stroke_width))


def _closed(points):
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points) + "Z"


def _stroke(colour, width, dashed=False):
    if not colour:
        return ()
    dashes = " ".join(map(number, paths.DASHES)) if dashed else None
    return (("stroke", colour), ("stroke-width", width), ("stroke-dasharray", dashes))


DRAWN = {Box: _box, Text: _text, Line: _line, Polygon: _polygon}
