"""A module as one box: its name, a line that describes it, and boxes behind it where it repeats."""

from zoo.diagrams.module_detail import LINE, STRIPE, has_inside, stripes, told
from zoo.diagrams.scene import Box, Text
from zoo.diagrams.theme import SMALL, shape_words
from zoo.plots.text_layout import width_of

WIDE = LINE + 8
TALL, THIN = 30.0, 16.0  # height of a module, of one without parameters
TITLE = 10.0


def height_of(module):
    """Return the height of a module's box; what can be said in one line is thin."""
    lines = TALL if module.parameters or has_inside(module) else THIN
    return lines + STRIPE * len(followers(module))


def width_for(module):
    """Return the least width of a module's box with two lines."""
    return max(56.0, width_of(titled(module), TITLE, "bold") + 12, width_of(under(module), SMALL) + 12)


def followers(module):
    """Return what follows each of the layers that the box tells of: normalisation, activation."""
    found = {unit.followers for unit in module.units}
    return found.pop() if len(found) == 1 and not has_inside(module) else ()


def behind(module):
    """Return how many boxes are drawn behind a module that repeats."""
    return min(module.times - 1, 2)


def module_box(module, x, y, width, theme, *, thin=THIN):
    """Return a module's box with the upper left corner (x, y); one without parameters is as high as `thin`."""
    fill, stroke = theme.kinds[module.units[0].kind] if len(module.units) == 1 else theme.module
    height = max(height_of(module), thin)
    items = [Box(x + 3 * back, y - 3 * back, width, height, fill, stroke, 0.8)
             for back in range(behind(module), 0, -1)]
    items.append(Box(x, y, width, height, fill, stroke, 1.1, name=module.name, tip=tip(module),
                     dashed=module.loss_weight is not None))
    if followers(module):
        items += stripes(module.units[0], x, y + height, width, theme)
    below, middle = under(module), x + width / 2
    if height == THIN:
        both = f"{module.title}   {below}"
        fits = below and width_of(both, SMALL) < width - 8
        return [*items, Text(middle, y + height / 2, both if fits else module.title, SMALL, theme.ink)]
    if not below:
        return [*items, Text(middle, y + height / 2, titled(module), TITLE, theme.ink, bold=True)]
    return [*items, Text(middle, y + 10.5, titled(module), TITLE, theme.ink, bold=True),
            Text(middle, y + 22.5, below, SMALL, theme.faint)]


def titled(module):
    return f"{module.times} x {module.title}" if module.times > 1 and " to " not in module.title else module.title


def under(module):
    """Return the line under a module's name; "" where it would say the same again."""
    words = described(module)
    return "" if words in ("activation", module.title) else words


def described(module):
    """Return a module in a line: its layers, or how many there are, or which it repeats."""
    if module.loss_weight is not None:
        return f"loss x {module.loss_weight:g}"
    if not has_inside(module):
        return told(module)
    if module.times > 1 and " to " not in module.title:
        return f"{module.names[0]} to {module.names[-1]}"
    if module.times > 1:
        return f"{module.times} alike"
    return f"{sum(len(unit.layers) for unit in module.units)} layers"


def tip(module):
    return (f"{module.title}: {shape_words(module.shape)}, {module.parameters:,} parameters, "
            f"{module.multiply_adds:,} multiply-adds")
