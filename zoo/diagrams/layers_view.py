"""Every layer of a network, in the frame of its module, in columns as in a newspaper, or in rows as in a book."""

from collections import Counter

import numpy as np

from zoo.analysis.modules import get_layer_kind, build_module_graph, format_layer
from zoo.diagrams.layered_layout import compute_layered_layout
from zoo.diagrams.module_detail import ENTRY, PORT_SIZE, STRIPE_HEIGHT, collect_layer_kinds
from zoo.diagrams.page_packing import compute_page_scale
from zoo.diagrams.scene import Box, ItemGroup, Line, Scene, Text, translate_item
from zoo.diagrams.theme import HEADING_HEIGHT, FONT_SIZE, MARGIN, SMALL_FONT_SIZE, SUBTITLE_SIZE, TITLE_SIZE, draw_heading, draw_legend, format_shape
from zoo.plots.text_layout import estimate_text_width

LAYER_HEIGHT = 27.0  # of a layer: what it is, and its name
NAME_SIZE = 7.0
FRAME_GAP = 20.0  # between frames
COLUMN_GAP = 34.0  # columns
MAX_COLUMNS = 40  # columns


def draw_layers(model_summary, aux_loss_weights, title, subtitle, theme, rankdir="TB"):
    """Return the Scene of an ModelSummary: a frame for each module, a box for each layer."""
    modules = build_module_graph(model_summary, aux_loss_weights).unfolded_modules
    befores = [None, *modules[:-1]]
    frames = [draw_module_frame(module, before, theme, rankdir) for before,
              module in zip(befores, modules, strict=True)]
    linked = [before is not None and before.name in module.inputs
              for before, module in zip(befores, modules, strict=True)]
    body = pack_columns(frames, linked, theme, rankdir)
    top = HEADING_HEIGHT + FRAME_GAP / 2  # a line to the head of a column is above it
    width = max(body.width, estimate_text_width(title, TITLE_SIZE, "bold"),
                estimate_text_width(subtitle, SUBTITLE_SIZE))
    key, height = draw_legend(MARGIN, top + body.height + FRAME_GAP, width, collect_layer_kinds(modules), theme,
                              with_bars=False, with_aux=bool(aux_loss_weights))
    return Scene(width + 2 * MARGIN, top + body.height + FRAME_GAP + height + MARGIN, theme.background,
                 [*draw_heading(title, subtitle, theme), *body.translate(MARGIN, top), *key], f"{title}: {subtitle}")


def pack_columns(frames, has_link, theme, rankdir):
    """Return the ItemGroup of the frames in columns of like height, or in rows where the flow is to the right.

    Here "along" is in the direction of the flow, "across" the other.
    """
    turned = rankdir == "LR"
    sizes = [(each.height, each.width) if turned else (each.width, each.height) for each in frames]  # across, along
    columns = choose_columns(sizes, turned)
    items, first, last = [], 0, None
    across, longest = 0.0, 0.0
    for count in columns:
        column = range(first, first + count)
        wide, along = max(sizes[number][0] for number in column), 0.0
        for number in column:
            left = across + (wide - sizes[number][0]) / 2
            middle = across + wide / 2
            items += frames[number].translate(*((along, left) if turned else (left, along)))
            if has_link[number]:
                way = route_column_link(last, (middle, along), across)
                items.append(Line(tuple(point[::-1] for point in way) if turned else way, theme.line, 1.2, arrow=True))
            along += sizes[number][1]
            last = middle, along
            along += FRAME_GAP
        longest = max(longest, along - FRAME_GAP / 2)  # a line turns there
        across += wide + COLUMN_GAP
        first += count
    across -= COLUMN_GAP
    return ItemGroup(longest, across, tuple(items)) if turned else ItemGroup(across, longest, tuple(items))


def route_column_link(start, end, column_x):
    """Return the way from one frame to the next: on, or back to the head of the next column."""
    (x, y), (to_x, to_y) = start, end
    if to_y > y:
        return (x, y), (to_x, to_y)
    gutter = column_x - COLUMN_GAP / 2
    return ((x, y), (x, y + FRAME_GAP / 2), (gutter, y + FRAME_GAP / 2), (gutter, to_y - FRAME_GAP / 2),
            (to_x, to_y - FRAME_GAP / 2), (to_x, to_y))


def choose_columns(sizes, is_horizontal):
    """Return how many frames each column has: with so many columns that A4 shows the whole largest."""
    found = []
    for columns in partition_evenly([along + FRAME_GAP for _, along in sizes], MAX_COLUMNS):
        first, across, longest = 0, 0.0, 0.0
        for count in columns:
            part = sizes[first:first + count]
            across += max(wide for wide, _ in part) + COLUMN_GAP
            longest = max(longest, sum(along + FRAME_GAP for _, along in part))
            first += count
        area = (longest, across + HEADING_HEIGHT) if is_horizontal else (across, longest + HEADING_HEIGHT)
        found.append((compute_page_scale(*area), -len(columns), columns))
    return max(found)[-1]


def partition_evenly(lengths, max_parts):
    """Yield how many in a row go to each of 1, 2, ... `most` parts, of lengths as like as can be (least squares)."""
    ends = np.concatenate([[0.0], np.cumsum(lengths)])
    squares = np.where(np.tri(len(ends), k=-1, dtype=bool).T, (ends - ends[:, None]) ** 2, np.inf)  # [from, to]
    least, cuts = squares[0], []
    for number in range(1, min(max_parts, len(lengths)) + 1):
        if number > 1:
            whole = least[:, None] + squares
            cuts.append(whole.argmin(axis=0))
            least = whole.min(axis=0)
        place, counts = len(lengths), []
        for cut in reversed(cuts):
            counts.append(place - cut[place])
            place = cut[place]
        yield [int(count) for count in (place, *reversed(counts))]


def draw_module_frame(module, previous, theme, rankdir):
    """Return the ItemGroup of a module's layers; what it reads is said where that is not the module before it alone."""
    layers = [layer for unit in module.fused_layers for layer in unit.layers]
    picture = draw_layer_graph(layers, theme, rankdir, entry=len(layers) > 1)
    said = format_shape(module.shape)
    if previous and module.inputs != (previous.name,):
        said += f", reads {' and '.join(module.inputs)}" if module.inputs else ""
    if module.loss_weight is not None:
        said += f", loss x {module.loss_weight:g}"
    if len(layers) == 1:
        return picture
    width = max(picture.width, estimate_text_width(module.name, 10, "bold"),
                estimate_text_width(said, SMALL_FONT_SIZE)) + 20
    height = 32 + picture.height + 10
    items = [Box(0, 0, width, height, theme.panel, theme.frame, radius=6, dashed=module.loss_weight is not None),
             Text(10, 12, module.name, 10, theme.text, bold=True, anchor="start"),
             Text(10, 23, said, SMALL_FONT_SIZE, theme.muted, anchor="start")]
    return ItemGroup(width, height,
                     (*items, *[translate_item(item, (width - picture.width) / 2, 32) for item in picture.items]))


def draw_layer_graph(layers, theme, rankdir, *, entry):
    """Return the ItemGroup of layers and of what they read among themselves, and from outside if there is an
    `entry`.
    """
    names = {layer.name for layer in layers}
    words = {layer.name: format_layer(layer) for layer in layers}
    sizes = {layer.name: (max(estimate_text_width(words[layer.name], FONT_SIZE),
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
    items, merged = [], Counter(target for _, target in edges)
    for (source, target), route in layout.routes.items():
        items.append(Line(route, theme.line, 0.9, arrow=True))
        if rankdir == "TB" and source != ENTRY and shapes[source] != shapes[target] and len(route) == 2 \
                and merged[target] == 1:
            items.append(Text(route[0][0] + 4, route[0][1] + 8, format_shape(shapes[source]), NAME_SIZE, theme.muted,
                              anchor="start"))
    for layer in layers:
        x, y = layout.positions[layer.name]
        width, height = sizes[layer.name]
        items += [Box(x, y, width, height, *theme.kinds[get_layer_kind(layer)], name=layer.name,
                      tooltip=f"{layer.name}: {words[layer.name]}, {format_shape(layer.shape)}, "
                          f"{layer.parameters:,} parameters")]
        if has_own_activation(layer):
            items.append(Box(x + 1.5, y + LAYER_HEIGHT, width - 3, STRIPE_HEIGHT - 1, theme.kinds["activation"][1],
                             radius=1))
        middle = x + width / 2
        if words[layer.name] == layer.name:  # said once
            items.append(Text(middle, y + LAYER_HEIGHT / 2, layer.name, FONT_SIZE, theme.text))
        else:
            items += [Text(middle, y + 9.5, words[layer.name], FONT_SIZE, theme.text),
                      Text(middle, y + 20, layer.name, NAME_SIZE, theme.muted)]
    return ItemGroup(layout.width, layout.height, tuple(items))


def has_own_activation(layer):
    """Whether a layer of another kind applies an activation itself."""
    return layer.activation is not None and get_layer_kind(layer) != "activation"
