"""The modules on the way to the main output, from above to below or in rows, with side classifiers beside them."""

from zoo.analysis.modules import along_and_aside
from zoo.diagrams.module_box import TALL, WIDE, behind, height_of, module_box, width_for
from zoo.diagrams.module_detail import Picture
from zoo.diagrams.scene import Line, Text
from zoo.diagrams.theme import BARS, SMALL, bars, shape_words
from zoo.plots.text_layout import width_of

GAP = 17.0  # between modules, with an arrow and a shape
SIDE = 112.0  # width of a side classifier
LANE = 9.0  # of a line past modules
ROOM = 84.0  # right of the modules, for bars
BAR = 34.0  # the longest bar below a module
ROW, TURN = 26.0, 12.0  # between rows: the room of the line from the end of one to the next, and how far it goes aside


def downwards(plan, theme, most):
    """Return the Picture of the modules, one below the other; those that do not lead to the last one stand on the left.

    `most` is what the longest bars stand for, {"parameters": ..., "multiply_adds": ...}.
    """
    main, others = along_and_aside(plan)
    lanes = _lanes(main)
    left = (SIDE + 24 if others else 0.0) + LANE * len(lanes)
    items, y, boxes = [], 0.0, {}
    for before, module in zip([None, *main], main, strict=False):
        if before:
            y += GAP + 3 * behind(module)
            top = y - 3 * behind(module)
            if before.name in module.reads:
                items.append(Line(((left + WIDE / 2, top - GAP), (left + WIDE / 2, top)), theme.line, arrow=True))
            if _new_shape(before, module, main):
                items.append(Text(left + WIDE / 2 + 6, top - GAP / 2, shape_words(before.shape), SMALL, theme.faint,
                                  anchor="start"))
        boxes[module.name] = left, y, WIDE, height_of(module)
        items += module_box(module, left, y, WIDE, theme)
        items += bars(left + WIDE + 10, y + (height_of(module) - BARS) / 2, module, most, theme)
        y += height_of(module)
    items.append(Text(left + WIDE / 2, y + 9, shape_words(main[-1].shape), SMALL, theme.faint))
    for lane, (source, target) in enumerate(lanes):
        x, start, end = left - LANE * (lane + 1), boxes[source][1] + boxes[source][3] / 2, boxes[target][1] + 6
        items.append(Line(((left, start), (x, start), (x, end), (left, end)), theme.line, arrow=True))
    bottom = 0.0
    for module in others:
        source = next((name for name in module.reads if name in boxes), main[0].name)
        _, top, _, height = boxes[source]
        middle = top + height / 2
        y_box = max(middle - TALL / 2, bottom)
        items += module_box(module, 0.0, y_box, SIDE, theme)
        items += bars(0.0, y_box + TALL + 3, module, most, theme)
        end = y_box + TALL / 2
        way = ((left, middle), (SIDE, end)) if abs(middle - end) < 0.5 else (
            (left, middle), (left - 12, middle), (left - 12, end), (SIDE, end))
        items.append(Line(way, theme.line, dashed=True, arrow=True))
        bottom = y_box + TALL + BARS + 12
    return Picture(left + WIDE + ROOM, max(y + 14, bottom), tuple(items))


def in_rows(plan, theme, most, limit):
    """Return the Picture of the modules from left to right, in rows of at most `limit` points, bars below them.

    Lines past modules stay within a row, so that there is one row only where there are any.
    """
    main, others = along_and_aside(plan)
    lanes = _lanes(main)
    rows = _rows(main, float("inf") if lanes else limit)
    sources = {module.name: next((name for name in module.reads), main[0].name) for module in others}
    items, boxes, y, ends, widest = [], {}, 0.0, None, 0.0
    for row in rows:
        names = {module.name for module, _ in row}
        aside = [module for module in others if sources[module.name] in names]
        if ends:
            y += ROW
        link = y - ROW / 2
        y += (BARS + TALL + 28 if aside else 0.0) + LANE * len(lanes) + 6
        middle = y + TALL / 2
        for module, x in row:
            before = main[main.index(module) - 1] if module is not main[0] else None
            width = width_for(module)
            words = shape_words(before.shape) if before and _new_shape(before, module, main) else ""
            if before and ends[1] == middle:
                if before.name in module.reads:
                    items.append(Line((ends, (x, middle)), theme.line, arrow=True))
                items.append(Text((ends[0] + x) / 2 - 2, middle - 7, words, SMALL, theme.faint))
            elif before:
                turn = ends[0] + TURN
                items.append(Line((ends, (turn, ends[1]), (turn, link), (0.0, link), (0.0, middle), (x, middle)),
                                  theme.line, arrow=True))
                items.append(Text(8, link - 7, words, SMALL, theme.faint, anchor="start"))
                widest = max(widest, turn)
            boxes[module.name] = x, y, width, max(height_of(module), TALL)
            items += module_box(module, x, y, width, theme, thin=TALL)
            items += bars(x, y + boxes[module.name][3] + 3, module, most, theme, length=BAR)
            ends = x + width + 3 * behind(module), middle
        widest = max(widest, ends[0])
        items += _above(aside, sources, boxes, y - LANE * len(lanes) - 6, most, theme)
        for lane, (source, target) in enumerate(lanes):
            start, end, top = boxes[source], boxes[target], y - 8 - LANE * (lane + 1)
            from_x, to_x = start[0] + start[2] / 2, end[0] + 8
            items.append(Line(((from_x, y), (from_x, top), (to_x, top), (to_x, y)), theme.line, arrow=True))
        y += max(boxes[name][3] for name in names) + BARS + 4
    items.append(Text(ends[0] + 6, ends[1], shape_words(main[-1].shape), SMALL, theme.faint, anchor="start"))
    widest = max(widest, ends[0] + 6 + width_of(shape_words(main[-1].shape), SMALL))
    return Picture(widest, y, tuple(items))


def _rows(main, limit):
    """Return the modules with the x of their boxes, in rows."""
    rows, x = [[]], 0.0
    for before, module in zip([None, *main], main, strict=False):
        if before:
            words = shape_words(before.shape) if _new_shape(before, module, main) else ""
            x += max(20.0, width_of(words, SMALL) + 12)
        needs = max(width_for(module), BAR + 36 if module.parameters else 0.0) + 3 * behind(module)
        if rows[-1] and x + needs + TURN > limit:
            rows.append([])
            x = TURN
        rows[-1].append((module, x))
        x += needs
    return rows


def _above(aside, sources, boxes, bottom, most, theme):
    """Return side classifiers above the modules that they read."""
    items, right = [], 0.0
    for module in aside:
        x, y, width, _ = boxes[sources[module.name]]
        middle, left = x + width / 2, max(x + (width - SIDE) / 2, right)
        top = bottom - 22 - TALL
        items += module_box(module, left, top, SIDE, theme)
        items += bars(left, top - BARS - 3, module, most, theme)
        end = min(max(middle, left + 8), left + SIDE - 8)
        way = ((middle, y), (middle, top + TALL)) if end == middle else (
            (middle, y), (middle, bottom - 11), (end, bottom - 11), (end, top + TALL))
        items.append(Line(way, theme.line, dashed=True, arrow=True))
        right = left + SIDE + 10
    return items


def _lanes(main):
    """Return (from, to) of what is read by another module than the next; the shortest first, which is nearest."""
    place = {module.name: number for number, module in enumerate(main)}
    return sorted(((source, module.name) for module in main for source in module.reads
                   if source in place and place[module.name] - place[source] > 1),
                  key=lambda ends: (place[ends[1]] - place[ends[0]], place[ends[0]]))


def _new_shape(before, module, main):
    """Whether the line between two modules tells its shape: where it changes, and that of the picture."""
    return before.shape != module.shape or before is main[0]
