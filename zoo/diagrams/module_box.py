"""A module as one box: its name, a line that describes it, and boxes behind it where it repeats."""

from zoo.diagrams.module_detail import MAX_LINE_WIDTH, STRIPE_HEIGHT, has_detail, draw_stripes, format_layers
from zoo.diagrams.scene import Box, Text
from zoo.diagrams.theme import SMALL_FONT_SIZE, format_shape
from zoo.plots.text_layout import estimate_text_width

BOX_WIDTH = MAX_LINE_WIDTH + 8
BOX_HEIGHT, THIN_HEIGHT = 30.0, 16.0  # height of a module, of one without parameters
BOX_TITLE_SIZE = 10.0


def get_box_height(module):
    """Return the height of a module's box; what can be said in one line is thin."""
    lines = BOX_HEIGHT if module.parameters or has_detail(module) else THIN_HEIGHT
    return lines + STRIPE_HEIGHT * len(get_epilogue_kinds(module))


def compute_min_width(module):
    """Return the least width of a module's box with two lines."""
    return max(56.0, estimate_text_width(module.title, BOX_TITLE_SIZE, "bold") + 12,
               estimate_text_width(format_box_subtitle(module), SMALL_FONT_SIZE) + 12)


def get_epilogue_kinds(module):
    """Return what follows each of the layers that the box tells of: normalisation, activation."""
    found = {unit.epilogue_kinds for unit in module.fused_layers}
    return found.pop() if len(found) == 1 and not has_detail(module) else ()


def count_shadows(module):
    """Return how many boxes are drawn behind a module that repeats."""
    return min(module.repeats - 1, 2)


def draw_module_box(module, x, y, width, theme, *, min_height=THIN_HEIGHT):
    """Return a module's box with the upper left corner (x, y); one without parameters is as high as `thin`."""
    fill, stroke = theme.kinds[module.fused_layers[0].kind] if len(module.fused_layers) == 1 else theme.module
    height = max(get_box_height(module), min_height)
    items = [Box(x + 3 * back, y - 3 * back, width, height, fill, stroke, 0.8)
             for back in range(count_shadows(module), 0, -1)]
    items.append(Box(x, y, width, height, fill, stroke, 1.1, name=module.name, tooltip=format_tooltip(module),
                     dashed=module.loss_weight is not None))
    if get_epilogue_kinds(module):
        items += draw_stripes(module.fused_layers[0], x, y + height, width, theme)
    below, middle = format_box_subtitle(module), x + width / 2
    if height == THIN_HEIGHT:
        both = f"{module.title}   {below}"
        fits = below and estimate_text_width(both, SMALL_FONT_SIZE) < width - 8
        return [*items, Text(middle, y + height / 2, both if fits else module.title, SMALL_FONT_SIZE, theme.text)]
    if not below:
        return [*items, Text(middle, y + height / 2, module.title, BOX_TITLE_SIZE, theme.text, bold=True)]
    return [*items, Text(middle, y + 10.5, module.title, BOX_TITLE_SIZE, theme.text, bold=True),
            Text(middle, y + 22.5, below, SMALL_FONT_SIZE, theme.muted)]


def format_box_subtitle(module):
    """Return the line under a module's name; "" where it would say the same again."""
    words = describe_module(module)
    return "" if words in ("activation", module.title) else words


def describe_module(module):
    """Return a module in a line: its layers, or how many there are, or which it repeats."""
    if module.loss_weight is not None:
        return f"loss x {module.loss_weight:g}"
    if not has_detail(module):
        return format_layers(module) if module.repeats == 1 else f"[{format_layers(module)}] x {module.repeats}"
    if module.repeats > 1:
        names = f"{module.names[0]} to {module.names[-1]}"
        return names if module.title != names else f"{module.repeats} identical modules"
    return f"{sum(len(unit.layers) for unit in module.fused_layers)} layers"


def format_tooltip(module):
    return (f"{module.title}: {format_shape(module.shape)}, {module.parameters:,} parameters, "
            f"{module.multiply_adds:,} multiply-adds")
