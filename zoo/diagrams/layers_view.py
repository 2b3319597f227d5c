"""All layers of a model, in a frame for each module, in columns as in a newspaper, or in rows as in a book."""

from collections import Counter

import numpy as np

from zoo.analysis.modules import format_layer, get_layer_kind
from zoo.diagrams.layered_layout import compute_layered_layout
from zoo.diagrams.module_detail import ENTRY, PORT_SIZE, STRIPE_HEIGHT, collect_layer_kinds
from zoo.diagrams.page_packing import compute_page_scale
from zoo.diagrams.scene import Box, ItemGroup, Line, Text
from zoo.diagrams.theme import FONT_SIZE, HEADING_HEIGHT, compose_scene
from zoo.plots.text_layout import estimate_text_width
from zoo.utils.text import format_shape

LAYER_HEIGHT = 27.0  # of a layer's box: its label and its name
NAME_SIZE = 7.0
FRAME_GAP = 20.0  # between frames
COLUMN_GAP = 34.0
MAX_COLUMNS = 40


def draw_layers(module_graph, title, subtitle, theme, rankdir):
    """Return the Scene of a ModuleGraph: a frame for each module, and a box for each layer."""
    modules = module_graph.unfolded_modules
    pairs = [*zip([None, *modules[:-1]], modules, strict=True)]
    frames = [draw_module_frame(module, previous, theme, rankdir) for previous, module in pairs]
    has_link = [previous is not None and previous.name in module.inputs for previous, module in pairs]
    drawing = pack_columns(frames, has_link, theme, rankdir)
    top = HEADING_HEIGHT + FRAME_GAP / 2  # lines to the next column are above its top
    return compose_scene(drawing, title, subtitle, theme, collect_layer_kinds(modules), legend_gap=FRAME_GAP,
                         top=top, with_bars=False, with_aux=any(module.loss_weight for module in modules))


def pack_columns(frames, has_link, theme, rankdir):
    """Return the ItemGroup of the frames in columns of similar height, or in rows if `rankdir` is "LR".

    Here "along" is the direction of the flow, and "across" is perpendicular to it.
    """
    is_horizontal = rankdir == "LR"
    sizes = [(frame.height, frame.width) if is_horizontal else (frame.width, frame.height)
             for frame in frames]  # (across, along)
    items, start, end_point = [], 0, None
    across, max_along = 0.0, 0.0
    for count in choose_columns(sizes, is_horizontal):
        column = range(start, start + count)
        column_width, along = max(sizes[index][0] for index in column), 0.0
        middle = across + column_width / 2
        for index in column:
            left = middle - sizes[index][0] / 2
            items += frames[index].translate(*((along, left) if is_horizontal else (left, along)))
            if has_link[index]:
                route = route_column_link(end_point, (middle, along), across)
                items.append(Line(tuple(point[::-1] for point in route) if is_horizontal else route, theme.line, 1.2,
                                  arrow=True))
            along += sizes[index][1]
            end_point = middle, along
            along += FRAME_GAP
        max_along = max(max_along, along - FRAME_GAP / 2)  # where a line turns to the next column
        across += column_width + COLUMN_GAP
        start += count
    across -= COLUMN_GAP
    return ItemGroup(*((max_along, across) if is_horizontal else (across, max_along)), tuple(items))


def route_column_link(start, end, column_x):
    """Return the points of the line from one frame to the next, which may be at the top of the next column."""
    (x, y), (to_x, to_y) = start, end
    if to_y > y:
        return (x, y), (to_x, to_y)
    gutter = column_x - COLUMN_GAP / 2
    return ((x, y), (x, y + FRAME_GAP / 2), (gutter, y + FRAME_GAP / 2), (gutter, to_y - FRAME_GAP / 2),
            (to_x, to_y - FRAME_GAP / 2), (to_x, to_y))


def choose_columns(sizes, is_horizontal):
    """Return the numbers of frames in the columns, with the number of columns that is largest on A4."""
    candidates = []
    for columns in partition_evenly([along + FRAME_GAP for _, along in sizes], MAX_COLUMNS):
        start, across, max_along = 0, 0.0, 0.0
        for count in columns:
            column_sizes = sizes[start:start + count]
            across += max(width for width, _ in column_sizes) + COLUMN_GAP
            max_along = max(max_along, sum(along + FRAME_GAP for _, along in column_sizes))
            start += count
        size = (max_along, across + HEADING_HEIGHT) if is_horizontal else (across, max_along + HEADING_HEIGHT)
        candidates.append((compute_page_scale(*size), -len(columns), columns))
    return max(candidates)[-1]


def partition_evenly(lengths, max_parts):
    """Yield the numbers of consecutive items in 1, 2, ... `max_parts` parts with minimal sums of squared lengths."""
    ends = np.concatenate([[0.0], np.cumsum(lengths)])
    squares = np.where(np.tri(len(ends), k=-1, dtype=bool).T, (ends - ends[:, None]) ** 2, np.inf)  # [start, end]
    min_costs, cuts = squares[0], []
    for part_count in range(1, min(max_parts, len(lengths)) + 1):
        if part_count > 1:
            costs = min_costs[:, None] + squares
            cuts.append(costs.argmin(axis=0))
            min_costs = costs.min(axis=0)
        end, counts = len(lengths), []
        for cut in reversed(cuts):
            counts.append(end - cut[end])
            end = cut[end]
        yield [int(count) for count in (end, *reversed(counts))]


def draw_module_frame(module, previous, theme, rankdir):
    """Return the ItemGroup of a module's layers; its inputs are named if they are not just the previous module."""
    layers = module.layers
    has_named_inputs = previous is not None and module.inputs not in ((), (previous.name,))
    has_frame = len(layers) > 1 or has_named_inputs
    graph = draw_layer_graph(layers, theme, rankdir, entry=has_frame)
    subtitle = format_shape(module.shape)
    if has_named_inputs:
        subtitle += f", input: {' and '.join(module.inputs)}"
    if module.loss_weight is not None:
        subtitle += f", loss x {module.loss_weight:g}"
    if not has_frame:
        return graph
    width = max(graph.width, estimate_text_width(module.name, 10, "bold"),
                estimate_text_width(subtitle, FONT_SIZE)) + 20
    height = 32 + graph.height + 10
    items = [Box(0, 0, width, height, theme.panel, theme.frame, radius=6, dashed=module.loss_weight is not None),
             Text(10, 12, module.name, 10, theme.text, bold=True, anchor="start"),
             Text(10, 23, subtitle, FONT_SIZE, theme.muted, anchor="start")]
    return ItemGroup(width, height,
                     (*items, *graph.translate((width - graph.width) / 2, 32)))


def draw_layer_graph(layers, theme, rankdir, *, entry):
    """Return the ItemGroup of layers and their connections; with `entry`, also of those from outside."""
    names = {layer.name for layer in layers}
    labels = {layer.name: format_layer(layer) for layer in layers}
    sizes = {layer.name: (max(estimate_text_width(labels[layer.name], FONT_SIZE),
                              estimate_text_width(layer.name, NAME_SIZE)) + 12,
                          LAYER_HEIGHT + (STRIPE_HEIGHT if has_own_activation(layer) else 0.0))
             for layer in layers}
    edges = [(source, layer.name) for layer in layers for source in layer.inputs if source in names]
    if entry:
        sizes = {ENTRY: PORT_SIZE[rankdir], **sizes}
        edges += [(ENTRY, layer.name) for layer in layers if not layer.inputs or set(layer.inputs) - names]
    layout = compute_layered_layout(sizes, edges, node_sep=8.0, rank_sep=26.0 if rankdir == "LR" else 18.0,
                                    rankdir=rankdir)
    shapes = {layer.name: layer.shape for layer in layers}
    items, input_counts = [], Counter(target for _, target in edges)
    for (source, target), route in layout.routes.items():
        items.append(Line(route, theme.line, 0.9, arrow=True))
        if rankdir == "TB" and source != ENTRY and shapes[source] != shapes[target] and len(route) == 2 \
                and input_counts[target] == 1:
            items.append(Text(route[0][0] + 4, route[0][1] + 8, format_shape(shapes[source]), NAME_SIZE, theme.muted,
                              anchor="start"))
    for layer in layers:
        x, y = layout.positions[layer.name]
        width, height = sizes[layer.name]
        items += [Box(x, y, width, height, *theme.kinds[get_layer_kind(layer)], name=layer.name,
                      tooltip=f"{layer.name}: {labels[layer.name]}, {format_shape(layer.shape)}, "
                          f"{layer.parameters:,} parameters")]
        if has_own_activation(layer):
            items.append(Box(x + 1.5, y + LAYER_HEIGHT, width - 3, STRIPE_HEIGHT - 1, theme.kinds["activation"][1],
                             radius=1))
        middle = x + width / 2
        if labels[layer.name] == layer.name:  # not twice
            items.append(Text(middle, y + LAYER_HEIGHT / 2, layer.name, FONT_SIZE, theme.text))
        else:
            items += [Text(middle, y + 9.5, labels[layer.name], FONT_SIZE, theme.text),
                      Text(middle, y + 20, layer.name, NAME_SIZE, theme.muted)]
    return ItemGroup(layout.width, layout.height, tuple(items))


def has_own_activation(layer):
    """Return whether a layer that is not an activation layer applies an activation."""
    return layer.activation is not None and get_layer_kind(layer) != "activation"
