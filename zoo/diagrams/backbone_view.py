"""The modules on the way to the main output, from above to below or in rows, with side classifiers beside them."""

from zoo.analysis.modules import split_main_and_aux
from zoo.diagrams.module_box import BOX_HEIGHT, BOX_WIDTH, count_shadows, get_box_height, draw_module_box, compute_min_width
from zoo.diagrams.scene import ItemGroup, Line, Text
from zoo.diagrams.theme import BARS_HEIGHT, SMALL_FONT_SIZE, draw_bars, format_shape
from zoo.plots.text_layout import estimate_text_width

MODULE_GAP = 16.0  # between modules, with an arrow and a shape
AUX_WIDTH = 92.0  # width of a side classifier
SKIP_LANE_WIDTH = 9.0  # of a line past modules
BAR_AREA_WIDTH = 78.0  # right of the modules, for bars
MAX_BAR_LENGTH = 32.0
# Between rows: the room of the line from the end of one to the next, and how far it goes aside
ROW_GAP, TURN_WIDTH = 26.0, 12.0


def draw_backbone_column(module_graph, theme, bar_maxima):
    """Return the ItemGroup of the modules, one below the other; those that do not lead to the last one stand on the
    left.

    `most` is what the longest bars stand for, {"parameters": ..., "multiply_adds": ...}.
    """
    main, others = split_main_and_aux(module_graph)
    lanes = _find_skip_edges(main)
    left = (AUX_WIDTH + 24 if others else 0.0) + SKIP_LANE_WIDTH * len(lanes)
    items, y, boxes = [], 0.0, {}
    for before, module in zip([None, *main], main, strict=False):
        if before:
            y += MODULE_GAP + 3 * count_shadows(module)
            top = y - 3 * count_shadows(module)
            if before.name in module.inputs:
                items.append(Line(((left + BOX_WIDTH / 2, top - MODULE_GAP), (left + BOX_WIDTH / 2, top)), theme.line,
                                  arrow=True))
            if _has_new_shape(before, module, main):
                items.append(Text(left + BOX_WIDTH / 2 + 6, top - MODULE_GAP / 2, format_shape(before.shape),
                                  SMALL_FONT_SIZE, theme.muted, anchor="start"))
        boxes[module.name] = left, y, BOX_WIDTH, get_box_height(module)
        items += draw_module_box(module, left, y, BOX_WIDTH, theme)
        items += draw_bars(left + BOX_WIDTH + 8, y + (get_box_height(module) - BARS_HEIGHT) / 2, module, bar_maxima,
                           theme, length=MAX_BAR_LENGTH)
        y += get_box_height(module)
    items.append(Text(left + BOX_WIDTH / 2, y + 9, format_shape(main[-1].shape), SMALL_FONT_SIZE, theme.muted))
    for lane, (source, target) in enumerate(lanes):
        x, start, end = left - SKIP_LANE_WIDTH * (lane
                                                  + 1), boxes[source][1] + boxes[source][3] / 2, boxes[target][1] + 6
        items.append(Line(((left, start), (x, start), (x, end), (left, end)), theme.line, arrow=True))
    bottom = 0.0
    for module in others:
        source = next((name for name in module.inputs if name in boxes), main[0].name)
        _, top, _, height = boxes[source]
        middle = top + height / 2
        y_box = max(middle - BOX_HEIGHT / 2, bottom)
        items += draw_module_box(module, 0.0, y_box, AUX_WIDTH, theme)
        items += draw_bars(0.0, y_box + BOX_HEIGHT + 3, module, bar_maxima, theme, length=MAX_BAR_LENGTH)
        end = y_box + BOX_HEIGHT / 2
        way = ((left, middle), (AUX_WIDTH, end)) if abs(middle - end) < 0.5 else (
            (left, middle), (left - 12, middle), (left - 12, end), (AUX_WIDTH, end))
        items.append(Line(way, theme.line, dashed=True, arrow=True))
        bottom = y_box + BOX_HEIGHT + BARS_HEIGHT + 12
    return ItemGroup(left + BOX_WIDTH + BAR_AREA_WIDTH, max(y + 14, bottom), tuple(items))


def draw_backbone_rows(module_graph, theme, bar_maxima, max_width):
    """Return the ItemGroup of the modules from left to right, in rows of at most `limit` points, bars below them.

    Lines past modules stay within a row, so that there is one row only where there are any.
    """
    main, others = split_main_and_aux(module_graph)
    lanes = _find_skip_edges(main)
    rows = _split_rows(main, float("inf") if lanes else max_width)
    sources = {module.name: next((name for name in module.inputs), main[0].name) for module in others}
    items, boxes, y, ends, widest = [], {}, 0.0, None, 0.0
    for row in rows:
        names = {module.name for module, _ in row}
        aside = [module for module in others if sources[module.name] in names]
        if ends:
            y += ROW_GAP
        link = y - ROW_GAP / 2
        y += (BARS_HEIGHT + BOX_HEIGHT + 28 if aside else 0.0) + SKIP_LANE_WIDTH * len(lanes) + 6
        middle = y + BOX_HEIGHT / 2
        for module, x in row:
            before = main[main.index(module) - 1] if module is not main[0] else None
            width = compute_min_width(module)
            words = format_shape(before.shape) if before and _has_new_shape(before, module, main) else ""
            if before and ends[1] == middle:
                if before.name in module.inputs:
                    items.append(Line((ends, (x, middle)), theme.line, arrow=True))
                items.append(Text((ends[0] + x) / 2 - 2, middle - 7, words, SMALL_FONT_SIZE, theme.muted))
            elif before:
                turn = ends[0] + TURN_WIDTH
                items.append(Line((ends, (turn, ends[1]), (turn, link), (0.0, link), (0.0, middle), (x, middle)),
                                  theme.line, arrow=True))
                items.append(Text(8, link - 7, words, SMALL_FONT_SIZE, theme.muted, anchor="start"))
                widest = max(widest, turn)
            boxes[module.name] = x, y, width, max(get_box_height(module), BOX_HEIGHT)
            items += draw_module_box(module, x, y, width, theme, min_height=BOX_HEIGHT)
            items += draw_bars(x, y + boxes[module.name][3] + 3, module, bar_maxima, theme, length=MAX_BAR_LENGTH)
            ends = x + width + 3 * count_shadows(module), middle
        widest = max(widest, ends[0])
        items += _draw_aux_above(aside, sources, boxes, y - SKIP_LANE_WIDTH * len(lanes) - 6, bar_maxima, theme)
        for lane, (source, target) in enumerate(lanes):
            start, end, top = boxes[source], boxes[target], y - 8 - SKIP_LANE_WIDTH * (lane + 1)
            from_x, to_x = start[0] + start[2] / 2, end[0] + 8
            items.append(Line(((from_x, y), (from_x, top), (to_x, top), (to_x, y)), theme.line, arrow=True))
        y += max(boxes[name][3] for name in names) + BARS_HEIGHT + 4
    items.append(Text(ends[0] + 6, ends[1], format_shape(main[-1].shape), SMALL_FONT_SIZE, theme.muted, anchor="start"))
    widest = max(widest, ends[0] + 6 + estimate_text_width(format_shape(main[-1].shape), SMALL_FONT_SIZE))
    return ItemGroup(widest, y, tuple(items))


def _split_rows(main, max_width):
    """Return the modules with the x of their boxes, in rows."""
    rows, x = [[]], 0.0
    for before, module in zip([None, *main], main, strict=False):
        if before:
            words = format_shape(before.shape) if _has_new_shape(before, module, main) else ""
            x += max(20.0, estimate_text_width(words, SMALL_FONT_SIZE) + 12)
        needs = max(compute_min_width(module), MAX_BAR_LENGTH + 36 if module.parameters
                    else 0.0) + 3 * count_shadows(module)
        if rows[-1] and x + needs + TURN_WIDTH > max_width:
            rows.append([])
            x = TURN_WIDTH
        rows[-1].append((module, x))
        x += needs
    return rows


def _draw_aux_above(aux_modules, sources, boxes, bottom, bar_maxima, theme):
    """Return side classifiers above the modules that they read."""
    items, right = [], 0.0
    for module in aux_modules:
        x, y, width, _ = boxes[sources[module.name]]
        middle, left = x + width / 2, max(x + (width - AUX_WIDTH) / 2, right)
        top = bottom - 22 - BOX_HEIGHT
        items += draw_module_box(module, left, top, AUX_WIDTH, theme)
        items += draw_bars(left, top - BARS_HEIGHT - 3, module, bar_maxima, theme, length=MAX_BAR_LENGTH)
        end = min(max(middle, left + 8), left + AUX_WIDTH - 8)
        way = ((middle, y), (middle, top + BOX_HEIGHT)) if end == middle else (
            (middle, y), (middle, bottom - 11), (end, bottom - 11), (end, top + BOX_HEIGHT))
        items.append(Line(way, theme.line, dashed=True, arrow=True))
        right = left + AUX_WIDTH + 10
    return items


def _find_skip_edges(main):
    """Return (from, to) of what is read by another module than the next; the shortest first, which is nearest."""
    place = {module.name: number for number, module in enumerate(main)}
    return sorted(((source, module.name) for module in main for source in module.inputs
                   if source in place and place[module.name] - place[source] > 1),
                  key=lambda ends: (place[ends[1]] - place[ends[0]], place[ends[0]]))


def _has_new_shape(previous, module, main):
    """Whether the line between two modules tells its shape: where it changes, and that of the picture."""
    return previous.shape != module.shape or previous is main[0]
