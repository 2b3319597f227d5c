"""A network in one row of boxes that fits a slide: modules of one family and grid are one box."""

from itertools import pairwise

from zoo.analysis.modules import split_main_and_aux
from zoo.analysis.stages import group_stages, has_weights
from zoo.diagrams.module_detail import ItemGroup
from zoo.diagrams.scene import Box, Line, Scene, Text
from zoo.diagrams.theme import BARS_HEIGHT, HEADING_HEIGHT, MARGIN, SMALL_FONT_SIZE, SUBTITLE_SIZE, TITLE_SIZE, draw_bars, draw_heading, draw_legend, format_shape
from zoo.plots.text_layout import estimate_text_width

STAGE_HEIGHT = 62.0
MIN_BOX_WIDTH = 72.0  # width of a box
STAGE_GAP = 18.0
MAX_BAR_LENGTH = MIN_BOX_WIDTH - 54.0  # the longest
POOL_STRIP_WIDTH = 5.0  # width of the mark of a pool
MAX_ROW_WIDTH = 960.0 - 2 * MARGIN  # points: 13.33 inches, the width of a slide; what is wider goes on in another row
ROW_GAP, TURN_WIDTH = 30.0, 9.0  # between rows, and how far the line from one to the next goes aside
AUX_HEIGHT = 52.0  # height of a side classifier
POOL_LABELS = {"pool": "ends with a pool, and has the size after it"}


def draw_stages(module_graph, title, subtitle, theme, bar_maxima, rankdir="LR"):
    """Return the Scene of a Plan as a row, or as a column, with side classifiers beside the stages that they read.

    `most` is what the longest bars stand for, {"parameters": ..., "multiply_adds": ...}.
    """
    main, others = split_main_and_aux(module_graph)
    found = group_stages(main)
    body = {"LR": draw_stage_row, "TB": draw_stage_column}[rankdir](found, others, bar_maxima, theme)
    width = max(body.width, estimate_text_width(title, TITLE_SIZE, "bold"),
                estimate_text_width(subtitle, SUBTITLE_SIZE))
    kinds = {get_stage_kind(stage) for stage in found} - {"", "input"}
    words = {} if "pool" in kinds else POOL_LABELS
    kinds |= {"pool" for stage in found if stage.has_final_pool}
    key, height = draw_legend(MARGIN, HEADING_HEIGHT + body.height + 18, width, kinds, theme, with_bars=True,
                              with_aux=bool(others), kind_labels=words)
    return Scene(width + 2 * MARGIN, HEADING_HEIGHT + body.height + 18 + height + MARGIN, theme.background,
                 [*draw_heading(title, subtitle, theme), *body.translate(MARGIN, HEADING_HEIGHT), *key],
                 f"{title}: {subtitle}")


def draw_stage_row(stages, aux_modules, bar_maxima, theme):
    """Return the ItemGroup of the stages from left to right, in more than one row where a slide is too narrow."""
    widths = [compute_stage_width(stage) for stage in stages]
    items, boxes, x, y, widest, lowest = [], [], 0.0, 0.0, 0.0, 0.0
    for number, (stage, width) in enumerate(zip(stages, widths, strict=True)):
        if number and x + STAGE_GAP + width > MAX_ROW_WIDTH:
            below, middle, turn = lowest + ROW_GAP, y + STAGE_HEIGHT / 2, lowest + ROW_GAP / 2
            items.append(Line(((x, middle), (x + TURN_WIDTH, middle), (x + TURN_WIDTH, turn), (0.0, turn),
                               (0.0, below + STAGE_HEIGHT / 2),
                               (STAGE_GAP, below + STAGE_HEIGHT / 2)), theme.line, 1.2, arrow=True))
            x, y, widest = STAGE_GAP, below, max(widest, x + TURN_WIDTH)
        elif number:
            items.append(Line(((x, y + STAGE_HEIGHT / 2), (x + STAGE_GAP, y + STAGE_HEIGHT / 2)), theme.line, 1.2,
                              arrow=True))
            x += STAGE_GAP
        items += draw_stage_box(stage, x, y, width, bar_maxima, theme)
        boxes.append((x, y, width))
        x, right = x + width, 0.0
        lowest = max(lowest, y + STAGE_HEIGHT)
        for module in aux_modules:
            share = find_aux_position(module, stage)
            if share is not None:
                hook, wide = boxes[-1][0] + share * width, estimate_text_width(format_aux_label(module),
                                                                               SMALL_FONT_SIZE) + 12
                left, top = max(hook - wide / 2, right), y + STAGE_HEIGHT + 24
                items += draw_aux_box(module, left, top, wide, bar_maxima, theme)
                end = min(max(hook, left + 8), left + wide - 8)
                way = ((hook, y + STAGE_HEIGHT), (end, top)) if end == hook else (
                    (hook, y + STAGE_HEIGHT), (hook, top - 12), (end, top - 12), (end, top))
                items.append(Line(way, theme.line, dashed=True, arrow=True))
                right, lowest = left + wide + 8, top + AUX_HEIGHT
                widest = max(widest, left + wide)
        widest = max(widest, x)
    return ItemGroup(widest, lowest, tuple(items))


def draw_stage_column(stages, aux_modules, bar_maxima, theme):
    """Return the ItemGroup of the stages from above to below, side classifiers on the right."""
    width = max(map(compute_stage_width, stages))
    items = [Line(((width / 2, upper + STAGE_HEIGHT), (width / 2, upper + STAGE_HEIGHT + STAGE_GAP)), theme.line, 1.2,
                  arrow=True)
             for upper, _ in pairwise(number * (STAGE_HEIGHT + STAGE_GAP) for number in range(len(stages)))]
    lowest, widest = 0.0, width
    for number, stage in enumerate(stages):
        y = number * (STAGE_HEIGHT + STAGE_GAP)
        items += draw_stage_box(stage, 0.0, y, width, bar_maxima, theme)
        for module in aux_modules:
            share = find_aux_position(module, stage)
            if share is not None:
                hook, wide, left = y + share * STAGE_HEIGHT, estimate_text_width(format_aux_label(module),
                                                                                 SMALL_FONT_SIZE) + 12, width + 30
                top = max(hook - AUX_HEIGHT / 2, lowest)
                items += draw_aux_box(module, left, top, wide, bar_maxima, theme)
                end = min(max(hook, top + 8), top + AUX_HEIGHT - 8)
                way = ((width, hook), (left, end)) if end == hook else (
                    (width, hook), (width + 15, hook), (width + 15, end), (left, end))
                items.append(Line(way, theme.line, dashed=True, arrow=True))
                lowest, widest = top + AUX_HEIGHT + 8, max(widest, left + wide)
    return ItemGroup(widest, max(lowest - 8, len(stages) * (STAGE_HEIGHT + STAGE_GAP) - STAGE_GAP), tuple(items))


def compute_stage_width(stage):
    return max(MIN_BOX_WIDTH, estimate_text_width(stage.title, 10, "bold") + 12,
               estimate_text_width(format_shape(stage.shape), 8.5) + 12) + (
        POOL_STRIP_WIDTH if stage.has_final_pool else 0.0)


def get_stage_kind(stage):
    """Return the kind of a stage's layers, where it has single ones of one kind; "" for modules."""
    first = stage.modules[0].fused_layers[0].kind
    modules = [module for module in stage.modules if has_weights(module)]
    kinds = {module.fused_layers[0].kind for module in modules}
    if first == "input" or not modules:
        return first
    return kinds.pop() if len(kinds) == 1 and all(len(module.fused_layers) == 1 for module in modules) else ""


def draw_stage_box(stage, x, y, width, bar_maxima, theme):
    fill, stroke = theme.kinds[get_stage_kind(stage)] if get_stage_kind(stage) else theme.module
    items = [Box(x, y, width, STAGE_HEIGHT, fill, stroke, 1.2, name=stage.modules[0].name,
                 tooltip=f"{stage.title}: {format_shape(stage.shape)}, {stage.parameters:,} parameters, "
                     f"{stage.multiply_adds:,} multiply-adds")]
    if stage.has_final_pool:
        items.append(Box(x + width - POOL_STRIP_WIDTH - 1.5, y + 1.5, POOL_STRIP_WIDTH, STAGE_HEIGHT - 3,
                         *theme.kinds["pool"], 0.8, 2.5))
        width -= POOL_STRIP_WIDTH
    items += [Text(x + width / 2, y + 14, stage.title, 10, theme.text, bold=True),
              Text(x + width / 2, y + 28, format_shape(stage.shape), 8.5, theme.text)]
    return items + draw_bars(x + 8, y + 38, stage, bar_maxima, theme, length=MAX_BAR_LENGTH)


def find_aux_position(aux_module, stage):
    """Return where along a stage a side classifier leaves it, as a share; None where it does not read it."""
    modules = [module for module in stage.modules if has_weights(module)] or [*stage.modules]
    return next(((number + 0.5) / len(modules) for number, module in enumerate(modules)
                 if module.name in aux_module.inputs),
                None)


def format_aux_label(aux_module):
    """Return the line under a side classifier's name."""
    loss = [f"loss x {aux_module.loss_weight:g}"] if aux_module.loss_weight is not None else []
    return ", ".join([f"reads {aux_module.inputs[0]}", *loss])


def draw_aux_box(aux_module, x, y, width, bar_maxima, theme):
    return [Box(x, y, width, AUX_HEIGHT, *theme.module, dashed=True, name=aux_module.name),
            Text(x + width / 2, y + 11, aux_module.name, 9, theme.text, bold=True),
            Text(x + width / 2, y + 23, format_aux_label(aux_module), SMALL_FONT_SIZE, theme.muted),
            *draw_bars(x + 8, y + AUX_HEIGHT - BARS_HEIGHT - 2, aux_module, bar_maxima, theme, length=MAX_BAR_LENGTH)]
