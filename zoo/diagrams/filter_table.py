"""The table of the filters in which modules of the same structure differ, as in the tables of the papers.

A column is a letter in the boxes of the layers, and a row is a module. Layers with equal filters in every module share
a column. Columns of an Inception module have their names in table 1 of GoogLeNet's paper: #3x3 reduce, pool proj.
"""

from dataclasses import dataclass
from string import ascii_lowercase

from zoo.diagrams.scene import ItemGroup, Line, Text
from zoo.diagrams.theme import FONT_SIZE
from zoo.plots.text_layout import estimate_text_width
from zoo.utils.text import format_shape

ROW_HEIGHT, COLUMN_GAP, TOP_MARGIN = 11.0, 9.0, 8.0


@dataclass(frozen=True)
class FilterColumn:
    letter: str
    layer_names: tuple  # of the fused layers of the first module
    filters: tuple  # one for each module
    heading: str  # '#3x3 reduce'; "": none


def find_filter_columns(modules):
    """Return the FilterColumns of modules with the same structure; () if their filters are equal."""
    fused_layers = modules[0].fused_layers
    names_by_filters = {}
    for index, fused_layer in enumerate(fused_layers):
        filters = tuple(module.fused_layers[index].main_layer.filters for module in modules)
        if len(set(filters)) > 1 and fused_layer.kind in ("convolution", "dense"):
            names_by_filters.setdefault(filters, []).append(fused_layer.name)
    headings = [_get_common_heading(names, fused_layers) for names in names_by_filters.values()]
    has_concatenation = any(layer.class_name == "Concatenate" for layer in modules[0].layers)
    is_inception = has_concatenation and all(headings) and len(set(headings)) == len(headings) > 1 \
        and any(heading.endswith("reduce") for heading in headings)
    return tuple(FilterColumn(_format_letter(index), tuple(names), filters, heading if is_inception else "")
                 for index, ((filters, names), heading) in enumerate(zip(names_by_filters.items(), headings,
                                                                         strict=True)))


def _format_letter(index):
    """Return the letter of a column: a to z, then aa, ab, ..., as in spreadsheets."""
    prefix = _format_letter(index // 26 - 1) if index >= 26 else ""
    return prefix + ascii_lowercase[index % 26]


def _get_common_heading(names, fused_layers):
    """Return the heading that the layers share; "" if they have different ones."""
    headings = {_format_heading(name, {layer.name: layer for layer in fused_layers}) for name in names}
    return headings.pop() if len(headings) == 1 else ""


def _format_heading(name, fused_layers):
    """Return what a convolution is called in GoogLeNet's table 1, and in table 3 of Inception v2's paper."""
    def get_kernel_size(layer):
        return layer.main_layer.kernel_size if layer.kind == "convolution" else None

    def get_successor(layer):
        return next((other for other in fused_layers.values()
                     if layer.name in other.inputs and other.kind == "convolution"), None)

    layer = fused_layers[name]
    kernel_size, successor = get_kernel_size(layer), get_successor(layer)
    source = next((fused_layers[source] for source in layer.inputs if source in fused_layers), None)
    if kernel_size is None:
        return ""
    if kernel_size != (1, 1):
        is_double = kernel_size in [get_kernel_size(other) for other in (source, successor) if other]
        return f"{'double ' if is_double else ''}#{format_shape(kernel_size)}"
    if source and source.kind == "pool":
        return "pool proj"
    if successor:
        return f"{_format_heading(successor.name, fused_layers)} reduce"
    return f"#{format_shape(kernel_size)}"


def draw_filter_table(modules, theme):
    """Return the ItemGroup of the table, below a module's layers; an empty one if the filters are equal."""
    columns = find_filter_columns(modules)
    if not columns:
        return ItemGroup(0.0, 0.0, ())
    heading_rows = 2 if any(column.heading for column in columns) else 1
    cells = [[*[""] * heading_rows, *(module.name_range for module in modules)]]
    cells += [[column.letter, column.heading][:heading_rows] + [*map(str, column.filters)] for column in columns]
    items, x = [], 0.0
    for index, column in enumerate(cells):
        width = max(estimate_text_width(text, FONT_SIZE, "bold" if row == 0 else "normal")
                    for row, text in enumerate(column))
        for row, text in enumerate(column):
            position, anchor = (x, "start") if index == 0 else (x + width / 2, "middle")
            color = theme.muted if 0 < row < heading_rows else theme.text
            if text:
                items.append(Text(position, TOP_MARGIN + ROW_HEIGHT * (row + 0.5), text, FONT_SIZE, color,
                                  bold=row == 0, anchor=anchor))
        x += width + COLUMN_GAP
    x -= COLUMN_GAP
    y = TOP_MARGIN + ROW_HEIGHT * heading_rows
    items.append(Line(((0.0, y), (x, y)), theme.frame))
    return ItemGroup(x, TOP_MARGIN + ROW_HEIGHT * len(cells[0]), tuple(items))
