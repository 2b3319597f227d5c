"""A drawing as data: what is laid out once and then written as svg, png or pdf.

Lengths are points, 1/72 inch, from the upper left corner, y downwards. Colours are "#rrggbb". Items are drawn in order.
"""

from dataclasses import dataclass, field, replace

LINE_HEIGHT = 1.25  # times the size of the letters


@dataclass(frozen=True)
class Box:
    """A rectangle with round corners. `name` is of the part of the network that it stands for, "" for ornament."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    stroke: str = ""  # "": no outline
    stroke_width: float = 1.0
    radius: float = 4.0
    dashed: bool = False
    name: str = ""
    tooltip: str = ""  # what a page shows when the mouse rests on it


@dataclass(frozen=True)
class Text:
    """One line of text; `y` is the middle of its height, `x` what `anchor` says: its start, middle or end."""

    x: float
    y: float
    text: str
    size: float = 9.0
    color: str = "#000000"
    bold: bool = False
    anchor: str = "middle"  # start, middle or end
    rotated: bool = False  # by 90 degrees, read from below


@dataclass(frozen=True)
class Line:
    """A line through points, rounded at its corners by `radius`, with an arrow's head at its end if `arrow`."""

    points: tuple  # ((x, y), ...)
    stroke: str
    width: float = 1.0
    dashed: bool = False
    arrow: bool = False
    radius: float = 5.0


@dataclass(frozen=True)
class Polygon:
    """A filled shape: the side of a volume."""

    points: tuple
    fill: str
    stroke: str = ""
    stroke_width: float = 1.0


LENGTH_FIELDS = ("x", "y", "width", "height", "size", "radius", "stroke_width")  # those of items that have them


@dataclass
class Scene:
    width: float
    height: float
    background: str = "#ffffff"
    items: list = field(default_factory=list)
    title: str = ""  # told to those who cannot see it


@dataclass(frozen=True)
class ItemGroup:
    """Items whose upper left corner is (0, 0), with their size in points."""

    width: float
    height: float
    items: tuple

    def translate(self, x, y):
        return [translate_item(item, x, y) for item in self.items]


def translate_item(item, dx, dy):
    """Return an item shifted right and down."""
    if isinstance(item, (Line, Polygon)):
        return replace(item, points=tuple((x + dx, y + dy) for x, y in item.points))
    return replace(item, x=item.x + dx, y=item.y + dy)


def scale_scene(scene, factor):
    """Return a scene of which everything, letters and lines too, is `share` times as large."""
    return replace(scene, width=scene.width * factor, height=scene.height * factor,
                   items=[_scale_item(item, factor) for item in scene.items])


def _scale_item(item, factor):
    lengths = {name: getattr(item, name) * factor for name in LENGTH_FIELDS if hasattr(item, name)}
    if isinstance(item, (Line, Polygon)):
        lengths["points"] = tuple((x * factor, y * factor) for x, y in item.points)
    return replace(item, **lengths)
