"""A module as one box: its name, a line that describes it, and boxes behind it if it is repeated."""

from zoo.diagrams.module_detail import MAX_LINE_WIDTH, STRIPE_HEIGHT, has_detail, draw_stripes, format_layers
from zoo.diagrams.scene import Box, Text
from zoo.diagrams.theme import FONT_SIZE, format_costs
from zoo.plots.text_layout import estimate_text_width, truncate_text
from zoo.utils.text import format_shape

BOX_PADDING = 8.0  # left and right of the text of a box, together
BOX_WIDTH = MAX_LINE_WIDTH + BOX_PADDING
BOX_HEIGHT, THIN_HEIGHT = 30.0, 16.0  # of a module, and of one without parameters
BOX_TITLE_SIZE = 10.0


def get_box_height(module):
    """Return the height of a module's box, which is thin for one line of text."""
    lines = BOX_HEIGHT if module.parameters or has_detail(module) else THIN_HEIGHT
    return lines + STRIPE_HEIGHT * len(get_epilogue_kinds(module))


def compute_min_width(module):
    """Return the minimum width of a module's box with two lines of text."""
    return max(56.0, estimate_text_width(module.title, BOX_TITLE_SIZE, "bold") + 12,
               estimate_text_width(format_box_subtitle(module), FONT_SIZE) + 12)


def get_epilogue_kinds(module):
    """Return what follows each layer of the box, if it is the same: normalization, activation."""
    kinds = {fused_layer.epilogue_kinds for fused_layer in module.fused_layers}
    return kinds.pop() if len(kinds) == 1 and not has_detail(module) else ()


def count_shadows(module):
    """Return how many boxes are drawn behind that of a repeated module."""
    return min(module.repeats - 1, 2)


def draw_module_box(module, x, y, width, theme, *, min_height=THIN_HEIGHT):
    """Return the box of a module, with the upper left corner (x, y)."""
    fill, stroke = theme.kinds[module.kind]
    height = max(get_box_height(module), min_height)
    items = [Box(x + 3 * shadow, y - 3 * shadow, width, height, fill, stroke, 0.8)
             for shadow in range(count_shadows(module), 0, -1)]
    items.append(Box(x, y, width, height, fill, stroke, 1.1, name=module.name, tooltip=format_tooltip(module),
                     dashed=module.loss_weight is not None))
    if get_epilogue_kinds(module):
        items += draw_stripes(module.fused_layers[0], x, y + height, width, theme)
    middle, title = x + width / 2, truncate_text(module.title, BOX_TITLE_SIZE, width - BOX_PADDING, "bold")
    subtitle = truncate_text(format_box_subtitle(module), FONT_SIZE, width - BOX_PADDING)
    if height == THIN_HEIGHT:
        line = f"{module.title}   {subtitle}"
        if not subtitle or estimate_text_width(line, FONT_SIZE) >= width - BOX_PADDING:
            line = truncate_text(module.title, FONT_SIZE, width - BOX_PADDING)
        return [*items, Text(middle, y + height / 2, line, FONT_SIZE, theme.text)]
    if not subtitle:
        return [*items, Text(middle, y + height / 2, title, BOX_TITLE_SIZE, theme.text, bold=True)]
    return [*items, Text(middle, y + 10.5, title, BOX_TITLE_SIZE, theme.text, bold=True),
            Text(middle, y + 22.5, subtitle, FONT_SIZE, theme.muted)]


def format_box_subtitle(module):
    """Return the line under a module's title; "" if it would repeat it."""
    description = describe_module(module)
    return "" if description in ("activation", module.title) else description


def describe_module(module):
    """Return a module in one line: its loss weight, its layers or their number, or the names of identical modules."""
    if module.loss_weight is not None:
        return f"loss x {module.loss_weight:g}"
    if not has_detail(module):
        return format_layers(module) if module.repeats == 1 else f"[{format_layers(module)}] x {module.repeats}"
    if module.repeats > 1:
        return module.name_range if module.title != module.name_range else f"{module.repeats} identical modules"
    return f"{len(module.layers)} layers"


def format_tooltip(module):
    return f"{module.title}: {format_shape(module.shape)}, {format_costs(module)}"
