"""Every layer of a network, in the frame of its module, in columns as in a newspaper."""

import math
from collections import Counter

from zoo.pictures.lettering import width_of
from zoo.pictures.network.insides import ENTRY, Picture, kinds_of
from zoo.pictures.network.layered import layered
from zoo.pictures.network.modules import kind_of, plan_of, words_of
from zoo.pictures.network.theme import LETTERS, SMALL, legend, shape_words
from zoo.pictures.scene import Box, Line, Scene, Text, moved

HEIGHT = 27.0  # of a layer: what it is, and its name
MARGIN = 22.0
GAP = 20.0  # between frames
BETWEEN = 34.0  # columns
SHEET = 1.414  # the height of a sheet of paper, in widths


def everything(anatomy, sides, title, subtitle, theme):
    """Return the Scene of an Anatomy: a frame for each module, a box for each layer."""
    modules = plan_of(anatomy, sides).each
    befores = [None, *modules[:-1]]
    frames = [frame(module, before, theme) for before, module in zip(befores, modules, strict=True)]
    linked = iter([before is not None and before.name in module.reads
                   for before, module in zip(befores, modules, strict=True)])
    columns = in_columns(frames)
    items, x, last, tallest = [], MARGIN, None, 0.0
    head = 70.0
    for column in columns:
        width, y = max(each.width for each in column), head
        for each in column:
            left = x + (width - each.width) / 2
            items += each.at(left, y)
            if next(linked):
                items.append(link(last, (left + each.width / 2, y), x, theme))
            last = left + each.width / 2, y + each.height
            y += each.height + GAP
        tallest = max(tallest, y)
        x += width + BETWEEN
    width = max(x - BETWEEN, MARGIN + width_of(title, 16, "bold"), MARGIN + width_of(subtitle, 9))
    key, height = legend(MARGIN, tallest, width - MARGIN, kinds_of(modules), theme, with_bars=False, sides=bool(sides))
    return Scene(width + MARGIN, tallest + height + MARGIN, theme.paper,
                 [Text(MARGIN, 24, title, 16, theme.ink, bold=True, anchor="start"),
                  Text(MARGIN, 42, subtitle, 9, theme.faint, anchor="start"), *items, *key], f"{title}: {subtitle}")


def link(start, end, left, theme):
    """Return the line from one frame to the next: down, or up to the head of the next column."""
    (x, y), (to_x, to_y) = start, end
    if to_y > y:
        return Line(((x, y), (to_x, to_y)) if abs(x - to_x) < 0.5 else (
            (x, y), (x, y + GAP / 2), (to_x, y + GAP / 2), (to_x, to_y)), theme.line, 1.2, arrow=True)
    gutter = left - BETWEEN / 2
    return Line(((x, y), (x, y + GAP / 2), (gutter, y + GAP / 2), (gutter, to_y - GAP / 2), (to_x, to_y - GAP / 2),
                 (to_x, to_y)), theme.line, 1.2, arrow=True)


def frame(module, before, theme):
    """Return the Picture of a module's layers; what it reads is said where that is not the module before it alone."""
    layers = [layer for unit in module.units for layer in unit.layers]
    picture = graph(layers, theme, entry=len(layers) > 1)
    said = shape_words(module.shape)
    if before and module.reads != (before.name,):
        said += f", reads {' and '.join(module.reads)}" if module.reads else ""
    if module.loss_weight is not None:
        said += f", loss x {module.loss_weight:g}"
    if len(layers) == 1:
        return picture
    width = max(picture.width, width_of(module.name, 10, "bold"), width_of(said, SMALL)) + 20
    height = 32 + picture.height + 10
    items = [Box(0, 0, width, height, theme.panel, theme.frame, radius=6, dashed=module.loss_weight is not None),
             Text(10, 12, module.name, 10, theme.ink, bold=True, anchor="start"),
             Text(10, 23, said, SMALL, theme.faint, anchor="start")]
    return Picture(width, height, (*items, *[moved(item, (width - picture.width) / 2, 32) for item in picture.items]))


def graph(layers, theme, *, entry):
    """Return the Picture of layers and of what they read among themselves, and from outside if there is an `entry`."""
    names = {layer.name for layer in layers}
    words = {layer.name: words_of(layer) for layer in layers}
    sizes = {layer.name: (max(width_of(words[layer.name], LETTERS), width_of(layer.name, SMALL - 0.5)) + 12, HEIGHT)
             for layer in layers}
    edges = [(source, layer.name) for layer in layers for source in layer.reads if source in names]
    if entry:
        sizes = {ENTRY: (60.0, 0.0), **sizes}
        edges += [(ENTRY, layer.name) for layer in layers if not layer.reads or set(layer.reads) - names]
    layout = layered(sizes, edges, between=8.0, ranks=18.0)
    shapes = {layer.name: layer.shape for layer in layers}
    items, merged = [], Counter(target for _, target in edges)
    for (source, target), route in layout.routes.items():
        items.append(Line(route, theme.line, 0.9, arrow=True))
        if source != ENTRY and shapes[source] != shapes[target] and len(route) == 2 and merged[target] == 1:
            items.append(Text(route[0][0] + 4, route[0][1] + 8, shape_words(shapes[source]), SMALL - 1, theme.faint,
                              anchor="start"))
    for layer in layers:
        x, y = layout.places[layer.name]
        width = sizes[layer.name][0]
        items += [Box(x - width / 2, y, width, HEIGHT, *theme.kinds[kind_of(layer)], name=layer.name,
                      tip=f"{layer.name}: {words[layer.name]}, {shape_words(layer.shape)}, {layer.parameters:,} parameters"),
                  Text(x, y + 9.5, words[layer.name], LETTERS, theme.ink),
                  Text(x, y + 20, layer.name, SMALL - 0.5, theme.faint)]
    return Picture(layout.width, layout.height, tuple(items))


def in_columns(frames):
    """Return the frames in columns that make the whole about as tall as a sheet of paper, upright."""
    area = sum((each.height + GAP) * (each.width + BETWEEN) for each in frames)
    limit = max(math.sqrt(area * SHEET), *(each.height for each in frames))
    columns, height = [[]], 0.0
    for each in frames:
        if columns[-1] and height + each.height > limit:
            columns.append([])
            height = 0.0
        columns[-1].append(each)
        height += each.height + GAP
    return columns
