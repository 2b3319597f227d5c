"""The classic picture of a chain of layers: each grid of features as a block, with more maps a thicker one.

Lengths are as the square roots of rows, columns and maps, so that 224 and 7 rows, 3 and 512 maps fit one picture.
"""

from zoo.analysis.modules import split_main_and_aux
from zoo.diagrams.scene import Box, Line, Polygon, Scene, Text
from zoo.diagrams.theme import MARGIN, SMALL_FONT_SIZE, SUBTITLE_SIZE, TITLE_SIZE, draw_heading, draw_legend, format_shape
from zoo.errors import UserError
from zoo.plots.text_layout import estimate_text_width

MAX_BLOCK_HEIGHT = 150.0  # of the largest grid
THICKNESS_SCALE = 5.5  # points for the square root of a map
PERSPECTIVE = 0.35, 0.28  # how far a block's depth goes right and up, in its height
BLOCK_GAP = 26.0
VECTOR_WIDTH = 8.0  # width of a vector
MIN_BLOCK_SIZE = 10.0
SCALE_NOTE = "a block is as high, deep and thick as the square roots of its rows, columns and maps"


def draw_volumes(module_graph, title, subtitle, theme):
    """Return the Scene of a Plan that is a chain; UserError for one whose modules fork."""
    main, others = split_main_and_aux(module_graph)
    if others or any(len(module.fused_layers) > 3 or len(module.inputs) > 1 for module in main):
        raise UserError(f"volumes are for chains of layers, such as lenet5, alexnet and vgg16; {title} has modules: "
                        "use the style 'boxes'")
    shown = [module for number, module in enumerate(main)
             if not number or module.parameters or module.shape[:-1] != main[number - 1].shape[:-1]]
    shown = [module for module in shown if not (len(module.shape) == 1 and not module.parameters)]
    largest = max(module.shape[0] for module in shown if len(module.shape) == 3)
    middle = 62.0 + MAX_BLOCK_HEIGHT * (1 + PERSPECTIVE[1]) / 2
    items, x, right = [], MARGIN, 0.0
    for number, module in enumerate(shown):
        make = draw_feature_map_block if len(module.shape) == 3 else draw_vector_bar
        _, width = make(module, x, middle, largest, theme)
        under = [format_shape(module.shape), module.title]
        room = max(width, *(estimate_text_width(words, SMALL_FONT_SIZE) for words in under))
        shift = (room - width) / 2
        block, _ = make(module, x + shift, middle, largest, theme)
        if number:
            items.append(Line(((right + 3, middle), (x + shift - 3, middle)), theme.line, arrow=True))
        items += block
        bottom = middle + MAX_BLOCK_HEIGHT * (1 + PERSPECTIVE[1]) / 2 + 14
        items += [Text(x + room / 2, bottom, under[1], SMALL_FONT_SIZE, theme.text, bold=True),
                  Text(x + room / 2, bottom + 11, under[0], SMALL_FONT_SIZE, theme.muted)]
        right = x + shift + width
        x += room + BLOCK_GAP
    bottom = middle + MAX_BLOCK_HEIGHT * (1 + PERSPECTIVE[1]) / 2 + 44
    width = max(x - BLOCK_GAP - MARGIN, *(estimate_text_width(words, size, weight) for words, size, weight in (
        (title, TITLE_SIZE, "bold"), (subtitle, SUBTITLE_SIZE, "normal"), (SCALE_NOTE, SMALL_FONT_SIZE, "normal"))))
    key, height = draw_legend(MARGIN, bottom, width, {get_color_kind(module) for module in shown}, theme,
                              with_bars=False, with_aux=False)
    return Scene(width + 2 * MARGIN, bottom + height + 18 + MARGIN, theme.background, [
        *draw_heading(title, subtitle, theme), *items, *key,
        Text(MARGIN, bottom + height + 12, SCALE_NOTE, SMALL_FONT_SIZE, theme.muted,
             anchor="start")], f"{title}: {subtitle}")


def get_color_kind(module):
    """Return the kind of a grid's or a vector's colour: its layer's, or that of the convolutions of a module."""
    if len(module.shape) != 3:
        return "dense"
    return module.fused_layers[0].kind if len(module.fused_layers) == 1 or not module.parameters else "convolution"


def draw_feature_map_block(module, x, center_y, max_rows, theme):
    """Return a block's items from x on, and its width with its depth."""
    rows, columns, maps = module.shape
    high = max(MIN_BLOCK_SIZE, MAX_BLOCK_HEIGHT * (rows / max_rows) ** 0.5)
    deep = max(MIN_BLOCK_SIZE, MAX_BLOCK_HEIGHT * (columns / max_rows) ** 0.5)
    thick = max(4.0, THICKNESS_SCALE * maps**0.5)
    right, up = deep * PERSPECTIVE[0], deep * PERSPECTIVE[1]
    fill, stroke = theme.kinds[get_color_kind(module)]
    top, bottom = center_y - (high - up) / 2, center_y + (high + up) / 2
    front = Box(x, top, thick, bottom - top, fill, stroke, 0.9, 0, name=module.name,
                tooltip=f"{module.title}: {format_shape(module.shape)}")
    lid = Polygon(((x, top), (x + right, top - up), (x + thick + right, top - up), (x + thick, top)), fill, stroke, 0.9)
    side = Polygon(((x + thick, top), (x + thick + right, top - up), (x + thick + right, bottom - up),
                    (x + thick, bottom)), theme.panel, stroke, 0.9)
    return [side, lid, front], thick + right


def draw_vector_bar(module, x, center_y, max_rows, theme):
    """Return a vector as an upright rod, as high as the root of its length, and its width."""
    del max_rows  # that of the grids
    high = min(MAX_BLOCK_HEIGHT, max(30.0, 2.2 * module.shape[0] ** 0.5))
    fill, stroke = theme.kinds[get_color_kind(module)]
    return [Box(x, center_y - high / 2, VECTOR_WIDTH, high, fill, stroke, 0.9, 1, name=module.name,
                tooltip=f"{module.title}: {format_shape(module.shape)}")], VECTOR_WIDTH
