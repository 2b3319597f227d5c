"""The inside of a module: its layers as boxes, laid out as its figure in the paper would be."""

from dataclasses import dataclass

from zoo.analysis.modules import get_layer_kind, compute_signature
from zoo.diagrams.layered_layout import compute_layered_layout
from zoo.diagrams.scene import Box, Line, Text, translate_item
from zoo.diagrams.theme import FONT_SIZE, SMALL_FONT_SIZE, format_shape
from zoo.plots.text_layout import estimate_text_width

LAYER_BOX_HEIGHT = 19.0  # of a box with one line
STRIPE_HEIGHT = 3.5  # of what follows a layer, at the foot of its box
MARGIN = 10.0
MAX_TITLES = 4  # modules that a title names
MAX_LINE_WIDTH = 142.0  # points, the longest line in a module's box
ENTRY, EXIT = ("entry",), ("exit",)  # of a module; no layer has such a name
PORT_SIZE = {"TB": (24.0, 0.0), "LR": (0.0, 24.0)}  # their width and height


@dataclass(frozen=True)
class ItemGroup:
    """Items from (0, 0) on, with their size in points."""

    width: float
    height: float
    items: tuple

    def translate(self, x, y):
        return [translate_item(item, x, y) for item in self.items]


def draw_fused_layer(fused_layer, label, x, y, width, theme):
    """Return a layer's box whose upper left corner is (x, y)."""
    fill, stroke = theme.kinds[fused_layer.kind]
    return [Box(x, y, width, get_fused_layer_height(fused_layer), fill, stroke, name=fused_layer.name,
                tooltip=f"{fused_layer.name}: {label}, {format_shape(fused_layer.shape)}"),
            *draw_stripes(fused_layer, x, y + get_fused_layer_height(fused_layer), width, theme),
            Text(x + width / 2, y + LAYER_BOX_HEIGHT / 2, label, FONT_SIZE, theme.text)]


def draw_stripes(fused_layer, x, bottom, width, theme):
    """Return the stripes at the foot of a layer's box: what follows its work."""
    top = bottom - STRIPE_HEIGHT * len(fused_layer.epilogue_kinds)
    return [Box(x + 1.5, top + STRIPE_HEIGHT * number, width - 3, STRIPE_HEIGHT - 1, theme.kinds[kind][1], radius=1)
            for number, kind in enumerate(fused_layer.epilogue_kinds)]


def get_fused_layer_height(fused_layer):
    return LAYER_BOX_HEIGHT + STRIPE_HEIGHT * len(fused_layer.epilogue_kinds)


def format_layer_labels(modules):
    """Return {unit of the first module: its words}; filters that differ between the modules are a range."""
    found = {}  # the colour says that it is a convolution
    for place, unit in enumerate(modules[0].fused_layers):
        layers = [module.fused_layers[place].layers[module.fused_layers[place].main_index] for module in modules]
        filters = sorted({layer.filters for layer in layers if layer.filters})
        words = unit.label
        if len(filters) > 1 and get_layer_kind(layers[0]) in ("convolution", "dense"):
            words = words.replace(f", {layers[0].filters}", f", {filters[0]} to {filters[-1]}", 1)
        found[unit.name] = words.replace(" conv,", ",")
    return found


def draw_module_detail(modules, theme, rankdir="TB"):
    """Return the ItemGroup of what the modules, which have one structure, are made of."""
    module = modules[0]
    words = format_layer_labels(modules)
    names = {unit.name for unit in module.fused_layers}
    sizes = {ENTRY: PORT_SIZE[rankdir]}
    sizes |= {unit.name: (estimate_text_width(words[unit.name], FONT_SIZE) + 14, get_fused_layer_height(unit))
              for unit in module.fused_layers}
    read = {source for unit in module.fused_layers for source in unit.inputs}
    edges = [(source if source in names else ENTRY, unit.name) for unit in module.fused_layers
             for source in (unit.inputs or ("",))]
    ends = [unit.name for unit in module.fused_layers if unit.name not in read]
    sizes[EXIT] = PORT_SIZE[rankdir]
    edges += [(end, EXIT) for end in ends]
    layout = compute_layered_layout(sizes, edges, rankdir=rankdir)
    items = [Line(route, theme.line, 0.9, arrow=True) for route in layout.routes.values()]
    for unit in module.fused_layers:
        x, y = layout.positions[unit.name]
        items += draw_fused_layer(unit, words[unit.name], x, y, sizes[unit.name][0], theme)
    return ItemGroup(layout.width, layout.height, tuple(items))


def draw_detail_panel(modules, theme, rankdir="TB"):
    """Return the inside with a frame and a title: the modules' names, and their output's shape where it is one."""
    picture = draw_module_detail(modules, theme, rankdir)
    titles = [module.title for module in modules]
    titles = [f"{module.names[0]} to {module.names[-1]}" if titles.count(module.title) > 1 else module.title
              for module in modules]
    title = ", ".join(titles[:MAX_TITLES]) + (f" and {len(modules) - MAX_TITLES} more" if len(modules) > MAX_TITLES
                                              else "")
    shapes = {module.shape for module in modules}
    under = format_shape(modules[0].shape) if len(shapes) == 1 else ""
    width = max(picture.width, estimate_text_width(title, 10, "bold"),
                estimate_text_width(under, SMALL_FONT_SIZE)) + 2 * MARGIN
    head = (30.0 if under else 22.0) + (6.0 if rankdir == "LR" else 0.0)
    height = head + picture.height + MARGIN
    items = [Box(0, 0, width, height, theme.panel, theme.frame, radius=6),
             Text(MARGIN, 13, title, 10, theme.text, bold=True, anchor="start")]
    if under:
        items.append(Text(MARGIN, 24, under, SMALL_FONT_SIZE, theme.muted, anchor="start"))
    return ItemGroup(width, height, (*items, *picture.translate((width - picture.width) / 2, head)))


def has_detail(module):
    """Whether its box alone would hide something: branches, or layers that one line cannot tell."""
    return len(module.fused_layers) > 1 and (len(module.fused_layers) > 2 or estimate_text_width(format_layers(module), SMALL_FONT_SIZE + 0.5) > MAX_LINE_WIDTH)


def format_layers(module):
    """Return the layers of a module in one line."""
    return " + ".join(unit.label for unit in module.fused_layers)


def group_by_structure(modules):
    """Return the modules that have an inside in groups of one structure, in the order of the flow."""
    groups = {}
    for module in modules:
        if has_detail(module):
            groups.setdefault(compute_signature(module, include_filters=False), []).append(module)
    return [*groups.values()]


def collect_layer_kinds(modules):
    """Return the kinds that the modules' layers are drawn as."""
    return {unit.kind for module in modules for unit in module.fused_layers} | {
        kind for module in modules for unit in module.fused_layers for kind in unit.epilogue_kinds}
