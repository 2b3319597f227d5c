"""The classic picture of a chain of layers: each grid of features as a block, with more maps a thicker one.

Lengths are as the square roots of rows, columns and maps, so that 224 and 7 rows, 3 and 512 maps fit one picture.
"""

from zoo.analysis.modules import along_and_aside
from zoo.diagrams.scene import Box, Line, Polygon, Scene, Text
from zoo.diagrams.theme import MARGIN, SMALL, SUBTITLE, TITLE, heading, legend, shape_words
from zoo.errors import UserError
from zoo.plots.text_layout import width_of

HEIGHT = 150.0  # of the largest grid
THICK = 5.5  # points for the square root of a map
SLANT = 0.35, 0.28  # how far a block's depth goes right and up, in its height
GAP = 26.0
ROD = 8.0  # width of a vector
LEAST = 10.0
SCALE = "a block is as high, deep and thick as the square roots of its rows, columns and maps"


def volumes(plan, title, subtitle, theme):
    """Return the Scene of a Plan that is a chain; UserError for one whose modules fork."""
    main, others = along_and_aside(plan)
    if others or any(len(module.units) > 3 or len(module.reads) > 1 for module in main):
        raise UserError(f"volumes are for chains of layers, such as lenet5, alexnet and vgg16; {title} has modules: "
                        "use the style 'boxes'")
    shown = [module for number, module in enumerate(main)
             if not number or module.parameters or module.shape[:-1] != main[number - 1].shape[:-1]]
    shown = [module for module in shown if not (len(module.shape) == 1 and not module.parameters)]
    largest = max(module.shape[0] for module in shown if len(module.shape) == 3)
    middle = 62.0 + HEIGHT * (1 + SLANT[1]) / 2
    items, x, right = [], MARGIN, 0.0
    for number, module in enumerate(shown):
        make = grid if len(module.shape) == 3 else rod
        _, width = make(module, x, middle, largest, theme)
        under = [shape_words(module.shape), module.name if module.times == 1 else f"{module.times} x {module.title}"]
        room = max(width, *(width_of(words, SMALL) for words in under))
        shift = (room - width) / 2
        block, _ = make(module, x + shift, middle, largest, theme)
        if number:
            items.append(Line(((right + 3, middle), (x + shift - 3, middle)), theme.line, arrow=True))
        items += block
        bottom = middle + HEIGHT * (1 + SLANT[1]) / 2 + 14
        items += [Text(x + room / 2, bottom, under[1], SMALL, theme.ink, bold=True),
                  Text(x + room / 2, bottom + 11, under[0], SMALL, theme.faint)]
        right = x + shift + width
        x += room + GAP
    bottom = middle + HEIGHT * (1 + SLANT[1]) / 2 + 44
    width = max(x - GAP - MARGIN, *(width_of(words, size, weight) for words, size, weight in (
        (title, TITLE, "bold"), (subtitle, SUBTITLE, "normal"), (SCALE, SMALL, "normal"))))
    key, height = legend(MARGIN, bottom, width, {kind_of(module) for module in shown}, theme, with_bars=False,
                         sides=False)
    return Scene(width + 2 * MARGIN, bottom + height + 18 + MARGIN, theme.paper, [
        *heading(title, subtitle, theme), *items, *key,
        Text(MARGIN, bottom + height + 12, SCALE, SMALL, theme.faint, anchor="start")], f"{title}: {subtitle}")


def kind_of(module):
    """Return the kind of a grid's or a vector's colour: its layer's, or that of the convolutions of a module."""
    if len(module.shape) != 3:
        return "dense"
    return module.units[0].kind if len(module.units) == 1 or not module.parameters else "convolution"


def grid(module, x, middle, largest, theme):
    """Return a block's items from x on, and its width with its depth."""
    rows, columns, maps = module.shape
    high = max(LEAST, HEIGHT * (rows / largest) ** 0.5)
    deep = max(LEAST, HEIGHT * (columns / largest) ** 0.5)
    thick = max(4.0, THICK * maps**0.5)
    right, up = deep * SLANT[0], deep * SLANT[1]
    fill, stroke = theme.kinds[kind_of(module)]
    top, bottom = middle - (high - up) / 2, middle + (high + up) / 2
    front = Box(x, top, thick, bottom - top, fill, stroke, 0.9, 0, name=module.name,
                tip=f"{module.title}: {shape_words(module.shape)}")
    lid = Polygon(((x, top), (x + right, top - up), (x + thick + right, top - up), (x + thick, top)), fill, stroke, 0.9)
    side = Polygon(((x + thick, top), (x + thick + right, top - up), (x + thick + right, bottom - up),
                    (x + thick, bottom)), theme.panel, stroke, 0.9)
    return [side, lid, front], thick + right


def rod(module, x, middle, largest, theme):
    """Return a vector as an upright rod, as high as the root of its length, and its width."""
    del largest  # that of the grids
    high = min(HEIGHT, max(30.0, 2.2 * module.shape[0] ** 0.5))
    fill, stroke = theme.kinds[kind_of(module)]
    return [Box(x, middle - high / 2, ROD, high, fill, stroke, 0.9, 1, name=module.name,
                tip=f"{module.title}: {shape_words(module.shape)}")], ROD
