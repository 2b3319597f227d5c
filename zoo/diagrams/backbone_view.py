"""The modules of the backbone and the head, in a column or in rows, with auxiliary classifiers beside them."""

from zoo.analysis.branches import split_main_and_aux
from zoo.diagrams.module_box import (BOX_HEIGHT, BOX_WIDTH, compute_min_width, count_shadows, draw_module_box,
                                     get_box_height)
from zoo.diagrams.scene import ItemGroup, Line, Text
from zoo.diagrams.theme import BARS_HEIGHT, FONT_SIZE, draw_bars
from zoo.plots.text_layout import estimate_text_width
from zoo.utils.text import format_shape

MODULE_GAP = 16.0  # between modules, for an arrow and a shape
AUX_WIDTH = 92.0  # of an auxiliary classifier
SKIP_LANE_WIDTH = 9.0  # of a connection that skips modules
BAR_AREA_WIDTH = 78.0  # to the right of the modules, for bars
MAX_BAR_LENGTH = 32.0
ROW_GAP, TURN_WIDTH = 26.0, 12.0  # between rows, and how far the line between them goes out to the right


def draw_backbone_column(module_graph, theme, bar_maxima):
    """Return the ItemGroup of the modules from top to bottom, with auxiliary classifiers on the left.

    `bar_maxima` are the values of the longest bars, {"parameters": ..., "multiply_adds": ...}.
    """
    main, aux_modules = split_main_and_aux(module_graph)
    lanes = _find_skip_edges(main)
    left = (AUX_WIDTH + 24 if aux_modules else 0.0) + SKIP_LANE_WIDTH * len(lanes)
    items, y, boxes = [], 0.0, {}
    for previous, module in zip([None, *main], main, strict=False):
        if previous:
            y += MODULE_GAP + 3 * count_shadows(module)
            top = y - 3 * count_shadows(module)
            if previous.name in module.inputs:
                items.append(Line(((left + BOX_WIDTH / 2, top - MODULE_GAP), (left + BOX_WIDTH / 2, top)), theme.line,
                                  arrow=True))
            if previous.name in module.inputs and _has_new_shape(previous, module, main):
                items.append(Text(left + BOX_WIDTH / 2 + 6, top - MODULE_GAP / 2, format_shape(previous.shape),
                                  FONT_SIZE, theme.muted, anchor="start"))
        boxes[module.name] = left, y, BOX_WIDTH, get_box_height(module)
        items += draw_module_box(module, left, y, BOX_WIDTH, theme)
        items += draw_bars(left + BOX_WIDTH + 8, y + (get_box_height(module) - BARS_HEIGHT) / 2, module, bar_maxima,
                           theme, length=MAX_BAR_LENGTH)
        y += get_box_height(module)
    items.append(Text(left + BOX_WIDTH / 2, y + 9, format_shape(main[-1].shape), FONT_SIZE, theme.muted))
    for lane, (source, target) in enumerate(lanes):
        x = left - SKIP_LANE_WIDTH * (lane + 1)
        start, end = boxes[source][1] + boxes[source][3] / 2, boxes[target][1] + 6
        items.append(Line(((left, start), (x, start), (x, end), (left, end)), theme.line, arrow=True))
    bottom = 0.0
    for module in aux_modules:
        middles = [boxes[source][1] + boxes[source][3] / 2 for source in module.inputs]
        aux_top = max([bottom, *(middle - BOX_HEIGHT / 2 for middle in middles[:1])])
        items += draw_module_box(module, 0.0, aux_top, AUX_WIDTH, theme)
        items += draw_bars(0.0, aux_top + BOX_HEIGHT + 3, module, bar_maxima, theme, length=MAX_BAR_LENGTH)
        end = aux_top + BOX_HEIGHT / 2
        for middle in middles:
            route = ((left, middle), (AUX_WIDTH, end)) if abs(middle - end) < 0.5 else (
                (left, middle), (left - 12, middle), (left - 12, end), (AUX_WIDTH, end))
            items.append(Line(route, theme.line, dashed=True, arrow=True))
        bottom = aux_top + BOX_HEIGHT + BARS_HEIGHT + 12
    return ItemGroup(left + BOX_WIDTH + BAR_AREA_WIDTH, max(y + 14, bottom), tuple(items))


def draw_backbone_rows(module_graph, theme, bar_maxima, max_width):
    """Return the ItemGroup of the modules from left to right in rows of at most `max_width` points, with bars below.

    With connections that skip modules, or several to an auxiliary classifier, there is one row, since they are drawn
    within a row.
    """
    main, aux_modules = split_main_and_aux(module_graph)
    lanes = _find_skip_edges(main)
    is_single_row = lanes or any(len(module.inputs) > 1 for module in aux_modules)
    rows = _split_rows(main, float("inf") if is_single_row else max_width)
    items, boxes, y, end_point, max_x = [], {}, 0.0, None, 0.0
    for row in rows:
        names = {module.name for module, _ in row}
        row_aux_modules = [module for module in aux_modules if (module.inputs or (main[0].name,))[0] in names]
        if end_point:
            y += ROW_GAP
        turn_y = y - ROW_GAP / 2
        y += (BARS_HEIGHT + BOX_HEIGHT + 28 if row_aux_modules else 0.0) + SKIP_LANE_WIDTH * len(lanes) + 6
        middle = y + BOX_HEIGHT / 2
        for module, x in row:
            previous = main[main.index(module) - 1] if module is not main[0] else None
            width = compute_min_width(module)
            is_linked = previous is not None and previous.name in module.inputs
            shape = format_shape(previous.shape) if is_linked and _has_new_shape(previous, module, main) else ""
            if previous and end_point[1] == middle:
                if is_linked:
                    items.append(Line((end_point, (x, middle)), theme.line, arrow=True))
                items.append(Text((end_point[0] + x) / 2 - 2, middle - 7, shape, FONT_SIZE, theme.muted))
            elif previous:
                turn_x = end_point[0] + TURN_WIDTH
                items.append(Line((end_point, (turn_x, end_point[1]), (turn_x, turn_y), (0.0, turn_y), (0.0, middle),
                                   (x, middle)), theme.line, arrow=True))
                items.append(Text(8, turn_y - 7, shape, FONT_SIZE, theme.muted, anchor="start"))
                max_x = max(max_x, turn_x)
            boxes[module.name] = x, y, width, max(get_box_height(module), BOX_HEIGHT)
            items += draw_module_box(module, x, y, width, theme, min_height=BOX_HEIGHT)
            items += draw_bars(x, y + boxes[module.name][3] + 3, module, bar_maxima, theme, length=MAX_BAR_LENGTH)
            end_point = x + width + 3 * count_shadows(module), middle
        max_x = max(max_x, end_point[0])
        items += _draw_aux_above(row_aux_modules, boxes, y - SKIP_LANE_WIDTH * len(lanes) - 6, bar_maxima,
                                 theme)
        for lane, (source, target) in enumerate(lanes):
            start, end, top = boxes[source], boxes[target], y - 8 - SKIP_LANE_WIDTH * (lane + 1)
            from_x, to_x = start[0] + start[2] / 2, end[0] + 8
            items.append(Line(((from_x, y), (from_x, top), (to_x, top), (to_x, y)), theme.line, arrow=True))
        y += max(boxes[name][3] for name in names) + BARS_HEIGHT + 4
    shape = format_shape(main[-1].shape)
    items.append(Text(end_point[0] + 6, end_point[1], shape, FONT_SIZE, theme.muted, anchor="start"))
    max_x = max(max_x, end_point[0] + 6 + estimate_text_width(shape, FONT_SIZE))
    return ItemGroup(max_x, y, tuple(items))


def _split_rows(main, max_width):
    """Return the rows as lists of (module, x of its box)."""
    rows, x = [[]], 0.0
    for previous, module in zip([None, *main], main, strict=False):
        if previous:
            shape = format_shape(previous.shape) if _has_new_shape(previous, module, main) else ""
            x += max(20.0, estimate_text_width(shape, FONT_SIZE) + 12)
        width = max(compute_min_width(module), MAX_BAR_LENGTH + 40 if module.parameters else 0.0)
        width += 3 * count_shadows(module)
        if rows[-1] and x + width + TURN_WIDTH > max_width:
            rows.append([])
            x = TURN_WIDTH
        rows[-1].append((module, x))
        x += width
    return rows


def _draw_aux_above(aux_modules, boxes, bottom, bar_maxima, theme):
    """Return auxiliary classifiers above the modules that they read."""
    items, min_left = [], 0.0
    for module in aux_modules:
        middles = [boxes[source][0] + boxes[source][2] / 2 for source in module.inputs]
        left = max([min_left, *(middle - AUX_WIDTH / 2 for middle in middles[:1])])
        top = bottom - 22 - BOX_HEIGHT
        items += draw_module_box(module, left, top, AUX_WIDTH, theme)
        items += draw_bars(left, top - BARS_HEIGHT - 3, module, bar_maxima, theme, length=MAX_BAR_LENGTH)
        for middle, source in zip(middles, module.inputs, strict=True):
            y, end = boxes[source][1], min(max(middle, left + 8), left + AUX_WIDTH - 8)
            route = ((middle, y), (middle, top + BOX_HEIGHT)) if end == middle else (
                (middle, y), (middle, bottom - 11), (end, bottom - 11), (end, top + BOX_HEIGHT))
            items.append(Line(route, theme.line, dashed=True, arrow=True))
        min_left = left + AUX_WIDTH + 10
    return items


def _find_skip_edges(main):
    """Return (source, target) of the connections that skip modules, the shortest first, drawn innermost."""
    indices = {module.name: index for index, module in enumerate(main)}
    return sorted(((source, module.name) for module in main for source in module.inputs
                   if source in indices and indices[module.name] - indices[source] > 1),
                  key=lambda edge: (indices[edge[1]] - indices[edge[0]], indices[edge[0]]))


def _has_new_shape(previous, module, main):
    """Return whether a shape is written between two modules: if it changes, or is that of the image."""
    return previous.shape != module.shape or previous is main[0]
