"""The contents of a module: its layers as boxes, laid out like the figure in its paper."""

from zoo.analysis.modules import compute_signature
from zoo.diagrams.filter_table import draw_filter_table, find_filter_columns
from zoo.diagrams.layered_layout import compute_layered_layout
from zoo.diagrams.scene import Box, ItemGroup, Line, Text
from zoo.diagrams.theme import FONT_SIZE
from zoo.plots.text_layout import estimate_text_width
from zoo.utils.text import format_shape

LAYER_BOX_HEIGHT = 19.0  # of a box with one line of text
STRIPE_HEIGHT = 3.5  # of a normalization or an activation, at the bottom of a layer's box
NODE_SEP, RANK_SEP = 7.0, 13.0  # between the boxes of a rank, and between ranks
MARGIN = 7.0
MAX_TITLES = 4  # modules that a panel's title names
MAX_LINE_WIDTH = 146.0  # points, the longest line of text in a module's box
ENTRY, EXIT = ("entry",), ("exit",)  # nodes for a module's input and output; no layer has such a name
PORT_SIZE = {"TB": (24.0, 0.0), "LR": (0.0, 24.0)}  # (width, height) of ENTRY and EXIT


def draw_fused_layer(fused_layer, label, x, y, width, theme):
    """Return the box of a layer, with the upper left corner (x, y)."""
    fill, stroke = theme.kinds[fused_layer.kind]
    return [Box(x, y, width, get_fused_layer_height(fused_layer), fill, stroke, name=fused_layer.name,
                tooltip=f"{fused_layer.name}: {label}, {format_shape(fused_layer.shape)}"),
            *draw_stripes(fused_layer, x, y + get_fused_layer_height(fused_layer), width, theme),
            Text(x + width / 2, y + LAYER_BOX_HEIGHT / 2, label, FONT_SIZE, theme.text)]


def draw_stripes(fused_layer, x, bottom, width, theme):
    """Return the stripes at the bottom of a layer's box: the normalization and the activation that follow it."""
    top = bottom - STRIPE_HEIGHT * len(fused_layer.epilogue_kinds)
    return [Box(x + 1.5, top + STRIPE_HEIGHT * index, width - 3, STRIPE_HEIGHT - 1, theme.kinds[kind][1], radius=1)
            for index, kind in enumerate(fused_layer.epilogue_kinds)]


def get_fused_layer_height(fused_layer):
    return LAYER_BOX_HEIGHT + STRIPE_HEIGHT * len(fused_layer.epilogue_kinds)


def format_layer_labels(modules):
    """Return {fused layer of the first module: its label}; filters that differ between modules are a column's letter.

    Convolutions are not labeled "conv": their color says so.
    """
    letters = {name: column.letter for column in find_filter_columns(modules) for name in column.layer_names}
    labels = {}
    for fused_layer in modules[0].fused_layers:
        label, name = fused_layer.label, fused_layer.name
        if name in letters:
            label = label.replace(f", {fused_layer.main_layer.filters}", f", {letters[name]}", 1)
        labels[name] = label.replace(" conv,", ",")
    return labels


def draw_module_detail(modules, theme, rankdir):
    """Return the ItemGroup of the layers of modules with the same structure."""
    module = modules[0]
    labels = format_layer_labels(modules)
    sizes = {layer.name: (estimate_text_width(labels[layer.name], FONT_SIZE) + 10, get_fused_layer_height(layer))
             for layer in module.fused_layers}
    layout = layout_module(module, sizes, node_sep=NODE_SEP, rank_sep=RANK_SEP, rankdir=rankdir)
    items = [Line(route, theme.line, 0.9, arrow=True) for route in layout.routes.values()]
    for layer in module.fused_layers:
        x, y = layout.positions[layer.name]
        items += draw_fused_layer(layer, labels[layer.name], x, y, sizes[layer.name][0], theme)
    return ItemGroup(layout.width, layout.height, tuple(items))


def layout_module(module, sizes, rankdir="TB", **separations):
    """Return the Layout of a module's fused layers, {name: (width, height)}, between ENTRY and EXIT.

    `separations` are those of `compute_layered_layout`.
    """
    sources = {source for layer in module.fused_layers for source in layer.inputs}
    edges = [(source if source in sizes else ENTRY, layer.name) for layer in module.fused_layers
             for source in (layer.inputs or ("",))]
    edges += [(layer.name, EXIT) for layer in module.fused_layers if layer.name not in sources]
    return compute_layered_layout({ENTRY: PORT_SIZE[rankdir], **sizes, EXIT: PORT_SIZE[rankdir]}, edges,
                                  rankdir=rankdir, **separations)


def draw_detail_panel(modules, theme, rankdir):
    """Return the contents of modules with the same structure in a frame, with a table of the filters that differ.

    The title names the modules; beside it is the shape of their output, if it is the same.
    """
    layers = draw_module_detail(modules, theme, rankdir)
    table = draw_filter_table(modules, theme)
    titles = [module.name_range if len(modules) > 1 else module.title for module in modules]
    title = ", ".join(titles[:MAX_TITLES]) + (f" and {len(modules) - MAX_TITLES} more" if len(modules) > MAX_TITLES
                                              else "")
    shapes = {module.shape for module in modules}
    subtitle = format_shape(modules[0].shape) if len(shapes) == 1 else ""
    subtitle_x = MARGIN + estimate_text_width(title, 10, "bold") + 8
    width = max(max(layers.width, table.width) + MARGIN, subtitle_x + estimate_text_width(subtitle, FONT_SIZE)) + MARGIN
    top = 21.0 + (6.0 if rankdir == "LR" else 0.0)
    height = top + layers.height + table.height + MARGIN
    items = [Box(0, 0, width, height, theme.panel, theme.frame, radius=6),
             Text(MARGIN, 12, title, 10, theme.text, bold=True, anchor="start")]
    if subtitle:
        items.append(Text(subtitle_x, 12, subtitle, FONT_SIZE, theme.muted, anchor="start"))
    return ItemGroup(width, height, (*items, *layers.translate((width - layers.width) / 2, top),
                                     *table.translate(MARGIN, top + layers.height)))


def has_detail(module):
    """Return whether a module needs a panel: it has branches, or more layers than fit in a line."""
    layer_count = len(module.fused_layers)
    return layer_count > 2 or (layer_count == 2 and
                               estimate_text_width(format_layers(module), FONT_SIZE) > MAX_LINE_WIDTH)


def format_layers(module):
    """Return the layers of a module in one line."""
    return " + ".join(layer.label for layer in module.fused_layers)


def group_by_structure(modules):
    """Return the modules with details in groups of the same structure, in topological order."""
    groups = {}
    for module in modules:
        if has_detail(module):
            groups.setdefault(compute_signature(module, include_filters=False), []).append(module)
    return [*groups.values()]


def collect_layer_kinds(modules):
    """Return the kinds of layers that the modules are drawn with."""
    return {layer.kind for module in modules for layer in module.fused_layers} | {
        kind for module in modules for layer in module.fused_layers for kind in layer.epilogue_kinds}
