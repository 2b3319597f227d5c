"""A model as one row of boxes that fits on a slide: modules of one name prefix and feature map size share a box."""

from itertools import pairwise

from zoo.analysis.branches import split_main_and_aux
from zoo.analysis.modules import MODULE_KIND
from zoo.analysis.stages import group_stages, has_weights
from zoo.diagrams.scene import Box, ItemGroup, Line, Text
from zoo.diagrams.theme import BARS_HEIGHT, FONT_SIZE, MARGIN, compose_scene, draw_bars, format_costs
from zoo.plots.text_layout import estimate_text_width
from zoo.utils.text import format_shape

STAGE_TITLE_SIZE, SHAPE_SIZE, LINE_HEIGHT = 10.0, 8.5, 11.5
STAGE_PADDING = 7.0  # above the title and below the bars
MIN_BOX_WIDTH = 72.0
STAGE_GAP = 18.0
MAX_BAR_LENGTH = MIN_BOX_WIDTH - 54.0
POOL_STRIP_WIDTH = 5.0  # the mark of a stage that ends with pooling
MAX_ROW_WIDTH = 960.0 - 2 * MARGIN  # points: 13.33 inches, the width of a slide; a longer row is wrapped
ROW_GAP, TURN_WIDTH = 30.0, 9.0  # between rows, and how far the line between them goes out to the right
AUX_HEIGHT, AUX_TITLE_SIZE = 52.0, 9.0  # of an auxiliary classifier, or another output
SKIP_LANE_WIDTH = 9.0  # of a connection that skips stages
POOL_LABEL = "final pooling, and the size after it"


def draw_stages(module_graph, title, subtitle, theme, bar_maxima, rankdir):
    """Return the Scene of a ModuleGraph as a row or a column, with auxiliary classifiers next to the stages they read.

    `bar_maxima` are the values of the longest bars, {"parameters": ..., "multiply_adds": ...}.
    """
    main, aux_modules = split_main_and_aux(module_graph)
    stages = group_stages(main)
    drawing = {"LR": draw_stage_row, "TB": draw_stage_column}[rankdir](stages, aux_modules, bar_maxima, theme)
    kinds = {get_stage_kind(stage) for stage in stages}
    kind_labels = {} if "pool" in kinds else {"pool": POOL_LABEL}
    kinds |= {"pool" for stage in stages if stage.has_final_pool}
    return compose_scene(drawing, title, subtitle, theme, kinds, legend_gap=18, with_bars=True,
                         with_aux=any(module.loss_weight is not None for module in aux_modules),
                         kind_labels=kind_labels)


def draw_stage_row(stages, aux_modules, bar_maxima, theme):
    """Return the ItemGroup of the stages from left to right, in several rows if they are wider than a slide.

    With connections that skip stages there is one row, since they are drawn above it.
    """
    height, aux_positions = compute_stage_height(stages), find_aux_positions(aux_modules, stages)
    edges, lanes = find_stage_edges(stages)
    items, x, y, max_x, max_y, middles = [], 0.0, len(lanes) * SKIP_LANE_WIDTH, 0.0, 0.0, []
    for index, stage in enumerate(stages):
        width = compute_stage_width(stage)
        if index and not lanes and x + STAGE_GAP + width > MAX_ROW_WIDTH:
            next_y, middle, turn = max_y + ROW_GAP, y + height / 2, max_y + ROW_GAP / 2
            items.append(Line(((x, middle), (x + TURN_WIDTH, middle), (x + TURN_WIDTH, turn), (0.0, turn),
                               (0.0, next_y + height / 2), (STAGE_GAP, next_y + height / 2)), theme.line, 1.2,
                              arrow=True))
            x, y, max_x = STAGE_GAP, next_y, max(max_x, x + TURN_WIDTH)
        elif index:
            if (index - 1, index) in edges:
                items.append(Line(((x, y + height / 2), (x + STAGE_GAP, y + height / 2)), theme.line, 1.2, arrow=True))
            x += STAGE_GAP
        middles.append(x + width / 2)
        items += draw_stage_box(stage, x, y, width, height, bar_maxima, theme)
        stage_x, x, max_y, min_aux_x = x, x + width, max(max_y, y + height), 0.0
        for module, position in aux_positions[index]:
            start = stage_x + position * width
            aux_width = compute_aux_width(module)
            left, top = max(start - aux_width / 2, min_aux_x), y + height + 24
            items += draw_aux_box(module, left, top, aux_width, bar_maxima, theme)
            end = min(max(start, left + 8), left + aux_width - 8)
            route = ((start, y + height), (end, top)) if end == start else (
                (start, y + height), (start, top - 12), (end, top - 12), (end, top))
            if module.inputs:
                items.append(Line(route, theme.line, dashed=True, arrow=True))
            min_aux_x, max_y = left + aux_width + 8, top + AUX_HEIGHT
            max_x = max(max_x, left + aux_width)
        max_x = max(max_x, x)
    for lane, (source, target) in enumerate(lanes):
        start, end, top = middles[source] + 4, middles[target] - 4, y - SKIP_LANE_WIDTH * (lane + 1)
        items.append(Line(((start, y), (start, top), (end, top), (end, y)), theme.line, arrow=True))
    return ItemGroup(max_x, max_y, tuple(items))


def draw_stage_column(stages, aux_modules, bar_maxima, theme):
    """Return the ItemGroup of the stages from top to bottom, with auxiliary classifiers on the right."""
    width, height = max(map(compute_stage_width, stages)), compute_stage_height(stages)
    aux_positions, (edges, lanes) = find_aux_positions(aux_modules, stages), find_stage_edges(stages)
    box_left = len(lanes) * SKIP_LANE_WIDTH
    middle, right = box_left + width / 2, box_left + width
    tops = [index * (height + STAGE_GAP) for index in range(len(stages))]
    items = [Line(((middle, tops[source] + height), (middle, tops[target])), theme.line, 1.2, arrow=True)
             for source, target in pairwise(range(len(stages))) if (source, target) in edges]
    max_x, aux_bottom = right, 0.0
    for index, (y, stage) in enumerate(zip(tops, stages, strict=True)):
        items += draw_stage_box(stage, box_left, y, width, height, bar_maxima, theme)
        for module, position in aux_positions[index]:
            start, left = y + position * height, right + 30
            aux_width = compute_aux_width(module)
            top = max(start - AUX_HEIGHT / 2, aux_bottom)
            items += draw_aux_box(module, left, top, aux_width, bar_maxima, theme)
            end = min(max(start, top + 8), top + AUX_HEIGHT - 8)
            route = ((right, start), (left, end)) if end == start else (
                (right, start), (right + 15, start), (right + 15, end), (left, end))
            if module.inputs:
                items.append(Line(route, theme.line, dashed=True, arrow=True))
            aux_bottom, max_x = top + AUX_HEIGHT + 8, max(max_x, left + aux_width)
    for lane, (source, target) in enumerate(lanes):
        start, end = tops[source] + height / 2 + 4, tops[target] + height / 2 - 4
        x = box_left - SKIP_LANE_WIDTH * (lane + 1)
        items.append(Line(((box_left, start), (x, start), (x, end), (box_left, end)), theme.line, arrow=True))
    return ItemGroup(max_x, max(aux_bottom - 8, tops[-1] + height), tuple(items))


def find_stage_edges(stages):
    """Return the connections of stages, {(source index, target index)}, and those of them that skip stages.

    The latter are a list, the shortest first, drawn innermost.
    """
    indices = {module.name: index for index, stage in enumerate(stages) for module in stage.modules}
    edges = {(indices[source], index) for index, stage in enumerate(stages) for module in stage.modules
             for source in module.inputs if indices[source] != index}
    return edges, sorted((edge for edge in edges if edge[1] - edge[0] > 1),
                         key=lambda edge: (edge[1] - edge[0], edge[0]))


def list_stage_lines(stage):
    """Return (text, font size) of the lines in a stage's box: title, contents, size before and after pooling."""
    lines = [(stage.title, STAGE_TITLE_SIZE)]
    if stage.contents:
        lines.append((stage.contents, FONT_SIZE))
    lines.append((format_shape(stage.shape_before_pool), SHAPE_SIZE))
    if stage.has_final_pool:
        lines.append((format_shape(stage.shape), SHAPE_SIZE))
    return lines


def compute_stage_height(stages):
    """Return the height of the boxes: that of the stage with the most lines."""
    return max(len(list_stage_lines(stage)) for stage in stages) * LINE_HEIGHT + BARS_HEIGHT + 2 * STAGE_PADDING


def compute_stage_width(stage):
    return max(MIN_BOX_WIDTH, *(estimate_text_width(text, size, "bold" if size == STAGE_TITLE_SIZE else "normal") + 12
                                for text, size in list_stage_lines(stage))) + (
        POOL_STRIP_WIDTH if stage.has_final_pool else 0.0)


def get_stage_kind(stage):
    """Return the kind of a stage's layers, if all its modules are single layers of one kind, or MODULE_KIND."""
    first_kind = stage.modules[0].fused_layers[0].kind
    kinds = {module.kind for module in stage.modules if has_weights(module)}
    if first_kind == "input" or not kinds:
        return first_kind
    return kinds.pop() if len(kinds) == 1 else MODULE_KIND


def draw_stage_box(stage, x, y, width, height, bar_maxima, theme):
    fill, stroke = theme.kinds[get_stage_kind(stage)]
    items = [Box(x, y, width, height, fill, stroke, 1.2, name=stage.modules[0].name,
                 tooltip=f"{stage.title}: {format_stage_shape(stage)}, {format_costs(stage)}")]
    if stage.has_final_pool:
        items.append(Box(x + width - POOL_STRIP_WIDTH - 1.5, y + 1.5, POOL_STRIP_WIDTH, height - 3,
                         *theme.kinds["pool"], 0.8, 2.5))
        width -= POOL_STRIP_WIDTH
    lines = list_stage_lines(stage)
    for index, (text, size) in enumerate(lines):
        color = theme.muted if index == 1 and stage.contents else theme.text
        if index == len(lines) - 1 and stage.has_final_pool:
            color = theme.kinds["pool"][1]
        items.append(Text(x + width / 2, y + STAGE_PADDING + LINE_HEIGHT * (index + 0.5), text, size, color,
                          bold=index == 0))
    return items + draw_bars(x + 8, y + height - BARS_HEIGHT - STAGE_PADDING + 2, stage, bar_maxima, theme,
                             length=MAX_BAR_LENGTH)


def format_stage_shape(stage):
    """Return the shape of a stage's output, with the shape before its final pooling layer."""
    shape = format_shape(stage.shape)
    return f"{format_shape(stage.shape_before_pool)}, pooled to {shape}" if stage.has_final_pool else shape


def find_aux_positions(aux_modules, stages):
    """Return {stage index: [(module, position)]} of auxiliary classifiers and other outputs.

    They are at the last stage that they read, or at the last of all; a position is where along it, as a fraction.
    """
    positions = {index: [] for index in range(len(stages))}
    for module in aux_modules:
        candidates = [(index, find_aux_position(module, stage)) for index, stage in enumerate(stages)]
        index, position = [(len(stages) - 1, 0.5), *(each for each in candidates if each[1] is not None)][-1]
        positions[index].append((module, position))
    return positions


def find_aux_position(aux_module, stage):
    """Return where along a stage a module branches off, as a fraction; None if it does not."""
    for modules in ([module for module in stage.modules if has_weights(module)], stage.modules):
        for index, module in enumerate(modules):
            if module.name in aux_module.inputs:
                return (index + 0.5) / len(modules)
    return None


def format_aux_label(aux_module):
    """Return the line under the name of an auxiliary classifier or another output."""
    inputs = [f"input: {' and '.join(aux_module.inputs)}"] if aux_module.inputs else []
    loss = [f"loss x {aux_module.loss_weight:g}"] if aux_module.loss_weight is not None else []
    return ", ".join([*inputs, *loss])


def compute_aux_width(aux_module):
    return max(MIN_BOX_WIDTH, estimate_text_width(format_aux_label(aux_module), FONT_SIZE) + 12,
               estimate_text_width(aux_module.name, AUX_TITLE_SIZE, "bold") + 12)


def draw_aux_box(aux_module, x, y, width, bar_maxima, theme):
    return [Box(x, y, width, AUX_HEIGHT, *theme.kinds[MODULE_KIND], dashed=aux_module.loss_weight is not None,
                name=aux_module.name),
            Text(x + width / 2, y + 11, aux_module.name, AUX_TITLE_SIZE, theme.text, bold=True),
            Text(x + width / 2, y + 23, format_aux_label(aux_module), FONT_SIZE, theme.muted),
            *draw_bars(x + 8, y + AUX_HEIGHT - BARS_HEIGHT - 2, aux_module, bar_maxima, theme, length=MAX_BAR_LENGTH)]
