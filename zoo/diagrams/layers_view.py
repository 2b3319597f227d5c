"""Every layer of a network, in the frame of its module, in columns as in a newspaper, or in rows as in a book."""

from collections import Counter

import numpy as np

from zoo.analysis.modules import kind_of, plan_of, words_of
from zoo.diagrams.layered_layout import layered
from zoo.diagrams.module_detail import ENTRY, GATE, STRIPE, Picture, kinds_of
from zoo.diagrams.page_packing import scale_of
from zoo.diagrams.scene import Box, Line, Scene, Text, moved
from zoo.diagrams.theme import HEAD, LETTERS, MARGIN, SMALL, SUBTITLE, TITLE, heading, legend, shape_words
from zoo.plots.text_layout import width_of

HEIGHT = 27.0  # of a layer: what it is, and its name
NAME = SMALL - 1.0
GAP = 20.0  # between frames
BETWEEN = 34.0  # columns
MOST = 40  # columns


def everything(anatomy, sides, title, subtitle, theme, direction="down"):
    """Return the Scene of an Anatomy: a frame for each module, a box for each layer."""
    modules = plan_of(anatomy, sides).each
    befores = [None, *modules[:-1]]
    frames = [frame(module, before, theme, direction) for before, module in zip(befores, modules, strict=True)]
    linked = [before is not None and before.name in module.reads
              for before, module in zip(befores, modules, strict=True)]
    body = in_columns(frames, linked, theme, direction)
    top = HEAD + GAP / 2  # a line to the head of a column is above it
    width = max(body.width, width_of(title, TITLE, "bold"), width_of(subtitle, SUBTITLE))
    key, height = legend(MARGIN, top + body.height + GAP, width, kinds_of(modules), theme, with_bars=False,
                         sides=bool(sides))
    return Scene(width + 2 * MARGIN, top + body.height + GAP + height + MARGIN, theme.paper,
                 [*heading(title, subtitle, theme), *body.at(MARGIN, top), *key], f"{title}: {subtitle}")


def in_columns(frames, linked, theme, direction):
    """Return the Picture of the frames in columns of like height, or in rows where the flow is to the right.

    Here "along" is in the direction of the flow, "across" the other.
    """
    turned = direction == "right"
    sizes = [(each.height, each.width) if turned else (each.width, each.height) for each in frames]  # across, along
    columns = best_columns(sizes, turned)
    items, first, last = [], 0, None
    across, longest = 0.0, 0.0
    for count in columns:
        column = range(first, first + count)
        wide, along = max(sizes[number][0] for number in column), 0.0
        for number in column:
            left = across + (wide - sizes[number][0]) / 2
            middle = across + wide / 2
            items += frames[number].at(*((along, left) if turned else (left, along)))
            if linked[number]:
                way = link(last, (middle, along), across)
                items.append(Line(tuple(point[::-1] for point in way) if turned else way, theme.line, 1.2, arrow=True))
            along += sizes[number][1]
            last = middle, along
            along += GAP
        longest = max(longest, along - GAP / 2)  # a line turns there
        across += wide + BETWEEN
        first += count
    across -= BETWEEN
    return Picture(longest, across, tuple(items)) if turned else Picture(across, longest, tuple(items))


def link(start, end, column):
    """Return the way from one frame to the next: on, or back to the head of the next column."""
    (x, y), (to_x, to_y) = start, end
    if to_y > y:
        return (x, y), (to_x, to_y)
    gutter = column - BETWEEN / 2
    return ((x, y), (x, y + GAP / 2), (gutter, y + GAP / 2), (gutter, to_y - GAP / 2), (to_x, to_y - GAP / 2),
            (to_x, to_y))


def best_columns(sizes, turned):
    """Return how many frames each column has: with so many columns that A4 shows the whole largest."""
    found = []
    for columns in evenly([along + GAP for _, along in sizes], MOST):
        first, across, longest = 0, 0.0, 0.0
        for count in columns:
            part = sizes[first:first + count]
            across += max(wide for wide, _ in part) + BETWEEN
            longest = max(longest, sum(along + GAP for _, along in part))
            first += count
        area = (longest, across + HEAD) if turned else (across, longest + HEAD)
        found.append((scale_of(*area), -len(columns), columns))
    return max(found)[-1]


def evenly(lengths, most):
    """Yield how many in a row go to each of 1, 2, ... `most` parts, of lengths as like as can be (least squares)."""
    ends = np.concatenate([[0.0], np.cumsum(lengths)])
    squares = np.where(np.tri(len(ends), k=-1, dtype=bool).T, (ends - ends[:, None]) ** 2, np.inf)  # [from, to]
    least, cuts = squares[0], []
    for number in range(1, min(most, len(lengths)) + 1):
        if number > 1:
            whole = least[:, None] + squares
            cuts.append(whole.argmin(axis=0))
            least = whole.min(axis=0)
        place, counts = len(lengths), []
        for cut in reversed(cuts):
            counts.append(place - cut[place])
            place = cut[place]
        yield [int(count) for count in (place, *reversed(counts))]


def frame(module, before, theme, direction):
    """Return the Picture of a module's layers; what it reads is said where that is not the module before it alone."""
    layers = [layer for unit in module.units for layer in unit.layers]
    picture = graph(layers, theme, direction, entry=len(layers) > 1)
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


def graph(layers, theme, direction, *, entry):
    """Return the Picture of layers and of what they read among themselves, and from outside if there is an `entry`."""
    names = {layer.name for layer in layers}
    words = {layer.name: words_of(layer) for layer in layers}
    sizes = {layer.name: (max(width_of(words[layer.name], LETTERS), width_of(layer.name, NAME)) + 12,
                          HEIGHT + (STRIPE if active(layer) else 0.0))
             for layer in layers}
    edges = [(source, layer.name) for layer in layers for source in layer.reads if source in names]
    if entry:
        sizes = {ENTRY: GATE[direction], **sizes}
        edges += [(ENTRY, layer.name) for layer in layers if not layer.reads or set(layer.reads) - names]
    layout = layered(sizes, edges, between=8.0, ranks=26.0 if direction == "right" else 18.0, direction=direction)
    shapes = {layer.name: layer.shape for layer in layers}
    items, merged = [], Counter(target for _, target in edges)
    for (source, target), route in layout.routes.items():
        items.append(Line(route, theme.line, 0.9, arrow=True))
        if direction == "down" and source != ENTRY and shapes[source] != shapes[target] and len(route) == 2 \
                and merged[target] == 1:
            items.append(Text(route[0][0] + 4, route[0][1] + 8, shape_words(shapes[source]), NAME, theme.faint,
                              anchor="start"))
    for layer in layers:
        x, y = layout.places[layer.name]
        width, height = sizes[layer.name]
        items += [Box(x, y, width, height, *theme.kinds[kind_of(layer)], name=layer.name,
                      tip=f"{layer.name}: {words[layer.name]}, {shape_words(layer.shape)}, "
                          f"{layer.parameters:,} parameters")]
        if active(layer):
            items.append(Box(x + 1.5, y + HEIGHT, width - 3, STRIPE - 1, theme.kinds["activation"][1], radius=1))
        middle = x + width / 2
        if words[layer.name] == layer.name:  # said once
            items.append(Text(middle, y + HEIGHT / 2, layer.name, LETTERS, theme.ink))
        else:
            items += [Text(middle, y + 9.5, words[layer.name], LETTERS, theme.ink),
                      Text(middle, y + 20, layer.name, NAME, theme.faint)]
    return Picture(layout.width, layout.height, tuple(items))


def active(layer):
    """Whether a layer of another kind applies an activation itself."""
    return layer.activation is not None and kind_of(layer) != "activation"
