"""The inside of a module: its layers as boxes, laid out as its figure in the paper would be."""

from dataclasses import dataclass

from zoo.analysis.modules import kind_of, structure
from zoo.diagrams.layered_layout import layered
from zoo.diagrams.scene import Box, Line, Text, moved
from zoo.diagrams.theme import LETTERS, SMALL, shape_words
from zoo.plots.text_layout import width_of

HEIGHT = 19.0  # of a box with one line
STRIPE = 3.5  # of what follows a layer, at the foot of its box
MARGIN = 10.0
SAID = 4  # modules that a title names
LINE = 142.0  # points, the longest line in a module's box
ENTRY, EXIT = ("entry",), ("exit",)  # of a module; no layer has such a name
GATE = {"down": (24.0, 0.0), "right": (0.0, 24.0)}  # their width and height


@dataclass(frozen=True)
class Picture:
    """Items from (0, 0) on, with their size in points."""

    width: float
    height: float
    items: tuple

    def at(self, x, y):
        return [moved(item, x, y) for item in self.items]


def unit_box(unit, words, x, y, width, theme):
    """Return a layer's box whose upper left corner is (x, y)."""
    fill, stroke = theme.kinds[unit.kind]
    return [Box(x, y, width, box_height(unit), fill, stroke, name=unit.name,
                tip=f"{unit.name}: {words}, {shape_words(unit.shape)}"),
            *stripes(unit, x, y + box_height(unit), width, theme),
            Text(x + width / 2, y + HEIGHT / 2, words, LETTERS, theme.ink)]


def stripes(unit, x, bottom, width, theme):
    """Return the stripes at the foot of a layer's box: what follows its work."""
    top = bottom - STRIPE * len(unit.followers)
    return [Box(x + 1.5, top + STRIPE * number, width - 3, STRIPE - 1, theme.kinds[kind][1], radius=1)
            for number, kind in enumerate(unit.followers)]


def box_height(unit):
    return HEIGHT + STRIPE * len(unit.followers)


def common_words(modules):
    """Return {unit of the first module: its words}; filters that differ between the modules are a range."""
    found = {}  # the colour says that it is a convolution
    for place, unit in enumerate(modules[0].units):
        layers = [module.units[place].layers[module.units[place].place] for module in modules]
        filters = sorted({layer.filters for layer in layers if layer.filters})
        words = unit.words
        if len(filters) > 1 and kind_of(layers[0]) in ("convolution", "dense"):
            words = words.replace(f", {layers[0].filters}", f", {filters[0]} to {filters[-1]}", 1)
        found[unit.name] = words.replace(" conv,", ",")
    return found


def inside(modules, theme, direction="down"):
    """Return the Picture of what the modules, which have one structure, are made of."""
    module = modules[0]
    words = common_words(modules)
    names = {unit.name for unit in module.units}
    sizes = {ENTRY: GATE[direction]}
    sizes |= {unit.name: (width_of(words[unit.name], LETTERS) + 14, box_height(unit)) for unit in module.units}
    read = {source for unit in module.units for source in unit.reads}
    edges = [(source if source in names else ENTRY, unit.name) for unit in module.units
             for source in (unit.reads or ("",))]
    ends = [unit.name for unit in module.units if unit.name not in read]
    sizes[EXIT] = GATE[direction]
    edges += [(end, EXIT) for end in ends]
    layout = layered(sizes, edges, direction=direction)
    items = [Line(route, theme.line, 0.9, arrow=True) for route in layout.routes.values()]
    for unit in module.units:
        x, y = layout.places[unit.name]
        items += unit_box(unit, words[unit.name], x, y, sizes[unit.name][0], theme)
    return Picture(layout.width, layout.height, tuple(items))


def panel(modules, theme, direction="down"):
    """Return the inside with a frame and a title: the modules' names, and their output's shape where it is one."""
    picture = inside(modules, theme, direction)
    titles = [module.title for module in modules]
    titles = [f"{module.names[0]} to {module.names[-1]}" if titles.count(module.title) > 1 else module.title
              for module in modules]
    title = ", ".join(titles[:SAID]) + (f" and {len(modules) - SAID} more" if len(modules) > SAID else "")
    shapes = {module.shape for module in modules}
    under = shape_words(modules[0].shape) if len(shapes) == 1 else ""
    width = max(picture.width, width_of(title, 10, "bold"), width_of(under, SMALL)) + 2 * MARGIN
    head = (30.0 if under else 22.0) + (6.0 if direction == "right" else 0.0)
    height = head + picture.height + MARGIN
    items = [Box(0, 0, width, height, theme.panel, theme.frame, radius=6),
             Text(MARGIN, 13, title, 10, theme.ink, bold=True, anchor="start")]
    if under:
        items.append(Text(MARGIN, 24, under, SMALL, theme.faint, anchor="start"))
    return Picture(width, height, (*items, *picture.at((width - picture.width) / 2, head)))


def has_inside(module):
    """Whether its box alone would hide something: branches, or layers that one line cannot tell."""
    return len(module.units) > 1 and (len(module.units) > 2 or width_of(told(module), SMALL + 0.5) > LINE)


def told(module):
    """Return the layers of a module in one line."""
    return " + ".join(unit.words for unit in module.units)


def by_structure(modules):
    """Return the modules that have an inside in groups of one structure, in the order of the flow."""
    groups = {}
    for module in modules:
        if has_inside(module):
            groups.setdefault(structure(module, filters=False), []).append(module)
    return [*groups.values()]


def kinds_of(modules):
    """Return the kinds that the modules' layers are drawn as."""
    return {unit.kind for module in modules for unit in module.units} | {
        kind for module in modules for unit in module.units for kind in unit.followers}
