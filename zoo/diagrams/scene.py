"""A drawing as data, which is laid out once and then written as SVG, PNG or PDF.

Lengths are in points, 1/72 inch, from the upper left corner, with y downwards. Colors are "#rrggbb". Items are drawn
in order.
"""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Box:
    """A rectangle with rounded corners. `name` is the layer, module or stage that it represents, "" for decoration."""

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
    tooltip: str = ""  # shown when the mouse hovers over it


@dataclass(frozen=True)
class Text:
    """One line of text; `y` is the middle of its height, and `x` its start, middle or end, by `anchor`."""

    x: float
    y: float
    text: str
    size: float = 9.0
    color: str = "#000000"
    bold: bool = False
    anchor: str = "middle"
    rotated: bool = False  # by 90 degrees counterclockwise


@dataclass(frozen=True)
class Line:
    """A line through points, with corners rounded by `radius`, and an arrowhead at its end if `arrow`."""

    points: tuple  # ((x, y), ...)
    stroke: str
    width: float = 1.0
    dashed: bool = False
    arrow: bool = False
    radius: float = 5.0


@dataclass(frozen=True)
class Polygon:
    """A filled polygon, such as a face of a volume."""

    points: tuple
    fill: str
    stroke: str = ""
    stroke_width: float = 1.0


LENGTH_FIELDS = ("x", "y", "width", "height", "size", "radius", "stroke_width")  # of the items that have them


@dataclass
class Scene:
    width: float
    height: float
    background: str = "#ffffff"
    items: list = field(default_factory=list)
    title: str = ""  # alternative text


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
    """Return a scene in which everything, including fonts and line widths, is scaled by `factor`."""
    return replace(scene, width=scene.width * factor, height=scene.height * factor,
                   items=[_scale_item(item, factor) for item in scene.items])


def _scale_item(item, factor):
    lengths = {name: getattr(item, name) * factor for name in LENGTH_FIELDS if hasattr(item, name)}
    if isinstance(item, (Line, Polygon)):
        lengths["points"] = tuple((x * factor, y * factor) for x, y in item.points)
    return replace(item, **lengths)
