"""The classic diagram of a chain of layers: a 3-D block for each feature map, thicker with more channels.

Edges are proportional to the square roots of height, width and channels, so that 224 and 7 rows, or 3 and 512 channels,
fit into one diagram.
"""

from zoo.analysis.branches import split_main_and_aux
from zoo.diagrams.scene import Box, Line, Polygon, Scene, Text
from zoo.diagrams.theme import FONT_SIZE, MARGIN, SUBTITLE_SIZE, TITLE_SIZE, draw_heading, draw_legend
from zoo.errors import UserError
from zoo.plots.text_layout import estimate_text_width
from zoo.utils.text import format_shape

MAX_BLOCK_HEIGHT = 150.0  # of the largest feature map
THICKNESS_SCALE = 5.5  # points per square root of the channels
PERSPECTIVE = 0.35, 0.28  # how far the depth of a block extends right and up, per point of depth
BLOCK_GAP = 26.0
VECTOR_WIDTH = 8.0
MIN_BLOCK_SIZE = 10.0
SCALE_NOTE = ("the edges of a block are proportional to the square roots of the height, width and channels of its "
              "feature map")


def draw_volumes(module_graph, title, subtitle, theme):
    """Return the Scene of a ModuleGraph; UserError if it is not a chain of layers."""
    main, aux_modules = split_main_and_aux(module_graph)
    if aux_modules or any(len(module.fused_layers) > 3 or len(module.inputs) > 1 for module in main):
        raise UserError(f"volumes are for chains of layers, such as lenet5, alexnet and vgg16; {title} has modules: "
                        "use the style 'boxes'")
    modules = [module for index, module in enumerate(main)
               if not index or module.parameters or module.shape[:-1] != main[index - 1].shape[:-1]]
    modules = [module for module in modules if not (len(module.shape) == 1 and not module.parameters)]
    if not any(len(module.shape) == 3 for module in modules):
        raise UserError(f"volumes are for images, and {title} has no feature maps of height and width: use the style "
                        "'boxes'")
    if any(None in module.shape for module in modules):
        raise UserError(f"volumes need feature maps of known height and width, and {title} takes images of any size: "
                        "build it with a fixed size, or use the style 'boxes'")
    max_size = max(max(module.shape[:2]) for module in modules if len(module.shape) == 3)
    middle = 62.0 + MAX_BLOCK_HEIGHT * (1 + PERSPECTIVE[1]) / 2
    items, x, right = [], MARGIN, 0.0
    for index, module in enumerate(modules):
        draw = draw_feature_map_block if len(module.shape) == 3 else draw_vector_bar
        _, width = draw(module, x, middle, max_size, theme)
        captions = _split_title(module.title), format_shape(module.shape)
        column_width = max(width, *(estimate_text_width(line, FONT_SIZE, "bold")
                                    for line in (*captions[0], captions[1])))
        shift = (column_width - width) / 2
        block, _ = draw(module, x + shift, middle, max_size, theme)
        if index:
            items.append(Line(((right + 3, middle), (x + shift - 3, middle)), theme.line, arrow=True))
        items += block
        bottom = middle + MAX_BLOCK_HEIGHT * (1 + PERSPECTIVE[1]) / 2 + 14
        items.append(Text(x + column_width / 2, bottom, captions[1], FONT_SIZE, theme.muted))
        items += [Text(x + column_width / 2, bottom + 11 * (row + 1), line, FONT_SIZE, theme.text, bold=True)
                  for row, line in enumerate(captions[0])]
        right = x + shift + width
        x += column_width + BLOCK_GAP
    bottom = middle + MAX_BLOCK_HEIGHT * (1 + PERSPECTIVE[1]) / 2 + 55
    width = max(x - BLOCK_GAP - MARGIN, *(estimate_text_width(text, size, weight) for text, size, weight in (
        (title, TITLE_SIZE, "bold"), (subtitle, SUBTITLE_SIZE, "normal"), (SCALE_NOTE, FONT_SIZE, "normal"))))
    legend, height = draw_legend(MARGIN, bottom, width, {get_color_kind(module) for module in modules}, theme,
                              with_bars=False, with_aux=False)
    return Scene(width + 2 * MARGIN, bottom + height + 18 + MARGIN, theme.background, [
        *draw_heading(title, subtitle, theme), *items, *legend,
        Text(MARGIN, bottom + height + 12, SCALE_NOTE, FONT_SIZE, theme.muted, anchor="start")], f"{title}: {subtitle}")


def _split_title(title):
    """Return a title in lines: 'conv1_1 to' and 'conv1_2'."""
    first, separator, last = title.partition(" to ")
    return (f"{first} to", last) if separator else (title,)


def get_color_kind(module):
    """Return the kind whose color a block has: that of the layer, or convolution for several layers."""
    if len(module.shape) != 3:
        return "dense"
    return module.fused_layers[0].kind if len(module.fused_layers) == 1 or not module.parameters else "convolution"


def draw_feature_map_block(module, x, center_y, max_size, theme):
    """Return the items of a block whose left edge is at x, and its width including its depth."""
    rows, columns, channels = module.shape
    height = max(MIN_BLOCK_SIZE, MAX_BLOCK_HEIGHT * (rows / max_size) ** 0.5)
    depth = max(MIN_BLOCK_SIZE, MAX_BLOCK_HEIGHT * (columns / max_size) ** 0.5)
    thickness = max(4.0, THICKNESS_SCALE * channels**0.5)
    right, up = depth * PERSPECTIVE[0], depth * PERSPECTIVE[1]
    fill, stroke = theme.kinds[get_color_kind(module)]
    top, bottom = center_y - (height - up) / 2, center_y + (height + up) / 2
    front = Box(x, top, thickness, bottom - top, fill, stroke, 0.9, 0, name=module.name,
                tooltip=f"{module.title}: {format_shape(module.shape)}")
    lid = Polygon(((x, top), (x + right, top - up), (x + thickness + right, top - up), (x + thickness, top)), fill,
                  stroke, 0.9)
    side = Polygon(((x + thickness, top), (x + thickness + right, top - up), (x + thickness + right, bottom - up),
                    (x + thickness, bottom)), theme.panel, stroke, 0.9)
    return [side, lid, front], thickness + right


def draw_vector_bar(module, x, center_y, max_size, theme):
    """Return the items of a vertical bar, as high as the square root of the vector's length, and its width."""
    del max_size  # for feature maps only
    height = min(MAX_BLOCK_HEIGHT, max(30.0, 2.2 * module.shape[0] ** 0.5))
    fill, stroke = theme.kinds[get_color_kind(module)]
    return [Box(x, center_y - height / 2, VECTOR_WIDTH, height, fill, stroke, 0.9, 1, name=module.name,
                tooltip=f"{module.title}: {format_shape(module.shape)}")], VECTOR_WIDTH
