"""A network in one row of boxes that fits a slide: modules of one family and grid are one box."""

from itertools import pairwise

from zoo.analysis.modules import along_and_aside
from zoo.analysis.stages import stages_of, weighty
from zoo.diagrams.module_detail import Picture
from zoo.diagrams.scene import Box, Line, Scene, Text
from zoo.diagrams.theme import BARS, HEAD, MARGIN, SMALL, SUBTITLE, TITLE, bars, heading, legend, shape_words
from zoo.plots.text_layout import width_of

HEIGHT = 62.0
LEAST = 72.0  # width of a box
GAP = 18.0
BAR = LEAST - 54.0  # the longest
STRIP = 5.0  # width of the mark of a pool
SLIDE = 960.0 - 2 * MARGIN  # points: 13.33 inches, the width of a slide; what is wider goes on in another row
ROW, TURN = 30.0, 9.0  # between rows, and how far the line from one to the next goes aside
ASIDE = 52.0  # height of a side classifier
POOLED = {"pool": "ends with a pool, and has the size after it"}


def stages(plan, title, subtitle, theme, most, direction="right"):
    """Return the Scene of a Plan as a row, or as a column, with side classifiers beside the stages that they read.

    `most` is what the longest bars stand for, {"parameters": ..., "multiply_adds": ...}.
    """
    main, others = along_and_aside(plan)
    found = stages_of(main)
    body = {"right": in_a_row, "down": in_a_column}[direction](found, others, most, theme)
    width = max(body.width, width_of(title, TITLE, "bold"), width_of(subtitle, SUBTITLE))
    kinds = {kind_of(stage) for stage in found} - {"", "input"}
    words = {} if "pool" in kinds else POOLED
    kinds |= {"pool" for stage in found if stage.pooled}
    key, height = legend(MARGIN, HEAD + body.height + 18, width, kinds, theme, with_bars=True,
                         sides=bool(others), said=words)
    return Scene(width + 2 * MARGIN, HEAD + body.height + 18 + height + MARGIN, theme.paper,
                 [*heading(title, subtitle, theme), *body.at(MARGIN, HEAD), *key], f"{title}: {subtitle}")


def in_a_row(found, others, most, theme):
    """Return the Picture of the stages from left to right, in more than one row where a slide is too narrow."""
    widths = [width_for(stage) for stage in found]
    items, boxes, x, y, widest, lowest = [], [], 0.0, 0.0, 0.0, 0.0
    for number, (stage, width) in enumerate(zip(found, widths, strict=True)):
        if number and x + GAP + width > SLIDE:
            below, middle, turn = lowest + ROW, y + HEIGHT / 2, lowest + ROW / 2
            items.append(Line(((x, middle), (x + TURN, middle), (x + TURN, turn), (0.0, turn),
                               (0.0, below + HEIGHT / 2), (GAP, below + HEIGHT / 2)), theme.line, 1.2, arrow=True))
            x, y, widest = GAP, below, max(widest, x + TURN)
        elif number:
            items.append(Line(((x, y + HEIGHT / 2), (x + GAP, y + HEIGHT / 2)), theme.line, 1.2, arrow=True))
            x += GAP
        items += stage_box(stage, x, y, width, most, theme)
        boxes.append((x, y, width))
        x, right = x + width, 0.0
        lowest = max(lowest, y + HEIGHT)
        for module in others:
            share = place_of(module, stage)
            if share is not None:
                hook, wide = boxes[-1][0] + share * width, width_of(said(module), SMALL) + 12
                left, top = max(hook - wide / 2, right), y + HEIGHT + 24
                items += side_box(module, left, top, wide, most, theme)
                end = min(max(hook, left + 8), left + wide - 8)
                way = ((hook, y + HEIGHT), (end, top)) if end == hook else (
                    (hook, y + HEIGHT), (hook, top - 12), (end, top - 12), (end, top))
                items.append(Line(way, theme.line, dashed=True, arrow=True))
                right, lowest = left + wide + 8, top + ASIDE
                widest = max(widest, left + wide)
        widest = max(widest, x)
    return Picture(widest, lowest, tuple(items))


def in_a_column(found, others, most, theme):
    """Return the Picture of the stages from above to below, side classifiers on the right."""
    width = max(map(width_for, found))
    items = [Line(((width / 2, upper + HEIGHT), (width / 2, upper + HEIGHT + GAP)), theme.line, 1.2, arrow=True)
             for upper, _ in pairwise(number * (HEIGHT + GAP) for number in range(len(found)))]
    lowest, widest = 0.0, width
    for number, stage in enumerate(found):
        y = number * (HEIGHT + GAP)
        items += stage_box(stage, 0.0, y, width, most, theme)
        for module in others:
            share = place_of(module, stage)
            if share is not None:
                hook, wide, left = y + share * HEIGHT, width_of(said(module), SMALL) + 12, width + 30
                top = max(hook - ASIDE / 2, lowest)
                items += side_box(module, left, top, wide, most, theme)
                end = min(max(hook, top + 8), top + ASIDE - 8)
                way = ((width, hook), (left, end)) if end == hook else (
                    (width, hook), (width + 15, hook), (width + 15, end), (left, end))
                items.append(Line(way, theme.line, dashed=True, arrow=True))
                lowest, widest = top + ASIDE + 8, max(widest, left + wide)
    return Picture(widest, max(lowest - 8, len(found) * (HEIGHT + GAP) - GAP), tuple(items))


def width_for(stage):
    return max(LEAST, width_of(stage.title, 10, "bold") + 12, width_of(shape_words(stage.shape), 8.5) + 12) + (
        STRIP if stage.pooled else 0.0)


def kind_of(stage):
    """Return the kind of a stage's layers, where it has single ones of one kind; "" for modules."""
    first = stage.modules[0].units[0].kind
    modules = [module for module in stage.modules if weighty(module)]
    kinds = {module.units[0].kind for module in modules}
    if first == "input" or not modules:
        return first
    return kinds.pop() if len(kinds) == 1 and all(len(module.units) == 1 for module in modules) else ""


def stage_box(stage, x, y, width, most, theme):
    fill, stroke = theme.kinds[kind_of(stage)] if kind_of(stage) else theme.module
    items = [Box(x, y, width, HEIGHT, fill, stroke, 1.2, name=stage.modules[0].name,
                 tip=f"{stage.title}: {shape_words(stage.shape)}, {stage.parameters:,} parameters, "
                     f"{stage.multiply_adds:,} multiply-adds")]
    if stage.pooled:
        items.append(Box(x + width - STRIP - 1.5, y + 1.5, STRIP, HEIGHT - 3, *theme.kinds["pool"], 0.8, 2.5))
        width -= STRIP
    items += [Text(x + width / 2, y + 14, stage.title, 10, theme.ink, bold=True),
              Text(x + width / 2, y + 28, shape_words(stage.shape), 8.5, theme.ink)]
    return items + bars(x + 8, y + 38, stage, most, theme, length=BAR)


def place_of(side, stage):
    """Return where along a stage a side classifier leaves it, as a share; None where it does not read it."""
    modules = [module for module in stage.modules if weighty(module)] or [*stage.modules]
    return next(((number + 0.5) / len(modules) for number, module in enumerate(modules) if module.name in side.reads),
                None)


def said(side):
    """Return the line under a side classifier's name."""
    loss = [f"loss x {side.loss_weight:g}"] if side.loss_weight is not None else []
    return ", ".join([f"reads {side.reads[0]}", *loss])


def side_box(side, x, y, width, most, theme):
    return [Box(x, y, width, ASIDE, *theme.module, dashed=True, name=side.name),
            Text(x + width / 2, y + 11, side.name, 9, theme.ink, bold=True),
            Text(x + width / 2, y + 23, said(side), SMALL, theme.faint),
            *bars(x + 8, y + ASIDE - BARS - 2, side, most, theme, length=BAR)]
