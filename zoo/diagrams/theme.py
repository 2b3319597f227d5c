"""Colors, font sizes and number formats of the diagrams, and what surrounds each drawing: heading and legend."""

from dataclasses import dataclass

from zoo.analysis.modules import MODULE_KIND
from zoo.diagrams.options import THEME_NAMES
from zoo.diagrams.scene import Box, Scene, Text
from zoo.plots.text_layout import estimate_text_width


@dataclass(frozen=True)
class Theme:
    """Colors. `kinds` maps the kind of a layer, or MODULE_KIND, to (fill, stroke) of its box."""

    background: str
    text: str
    muted: str  # less important text
    line: str  # edges
    frame: str  # outlines of panels
    panel: str
    parameters: str  # bars
    multiply_adds: str
    kinds: dict


LIGHT = Theme(
    background="#ffffff", text="#1b1f24", muted="#5c6670", line="#5c6670", frame="#c3cad2", panel="#f7f8fa",
    parameters="#4c6fb1", multiply_adds="#d08a2e",
    kinds={MODULE_KIND: ("#ffffff", "#39424c"), "input": ("#ffffff", "#39424c"), "convolution": ("#d9e6f7", "#4c6fb1"),
           "dense": ("#e5dcf4", "#7a58b0"), "pool": ("#dcefdc", "#4c8f55"), "normalization": ("#fbeecb", "#c79a2b"),
           "activation": ("#fbdcd6", "#cc6350"), "merge": ("#e3e6ea", "#727c87"), "other": ("#f1f2f4", "#99a1aa")})
DARK = Theme(
    background="#16191d", text="#eef1f4", muted="#a2acb6", line="#8d98a3", frame="#3b444d", panel="#1e2328",
    parameters="#7ea2e6", multiply_adds="#e0a552",
    kinds={MODULE_KIND: ("#22282e", "#a2acb6"), "input": ("#22282e", "#a2acb6"), "convolution": ("#24364f", "#7ea2e6"),
           "dense": ("#362a4d", "#ab8ae0"), "pool": ("#223c27", "#77bd82"), "normalization": ("#453a1a", "#dcb44f"),
           "activation": ("#4c2a24", "#e88c7b"), "merge": ("#30363d", "#a2acb6"), "other": ("#2a2f35", "#78828c")})
THEMES = dict(zip(THEME_NAMES, (LIGHT, DARK), strict=True))

KIND_LABELS = {"convolution": "convolution", "dense": "dense", "pool": "pooling", "normalization": "normalization",
               "activation": "activation", "merge": "concatenation, addition", "other": "other"}

FONT_SIZE = 9.0  # points
TITLE_SIZE, SUBTITLE_SIZE = 15.0, 9.0
HEADING_HEIGHT = 52.0  # points, from the top to the drawing
MARGIN = 16.0
BARS_HEIGHT = 18.0  # of two bars


def draw_heading(title, subtitle, theme):
    """Return the title and the subtitle of a diagram."""
    return [Text(MARGIN, 24, title, TITLE_SIZE, theme.text, bold=True, anchor="start"),
            Text(MARGIN, 40, subtitle, SUBTITLE_SIZE, theme.muted, anchor="start")]


def format_count(count):
    """Return a count with three digits: 834, 61.7 k, 1.45 M, 13.2 G; None is unknown."""
    if count is None:
        return "unknown"
    for unit in ("", "k", "M", "G"):
        if count < 999.5 or unit == "G":
            return f"{count:.3g} {unit}".strip() if count < 999.5 else f"{count:.0f} {unit}"
        count /= 1000
    raise AssertionError


def format_costs(box):
    """Return the numbers of parameters and multiply-adds of a module or a stage."""
    multiply_adds = "unknown" if box.multiply_adds is None else f"{box.multiply_adds:,}"
    return f"{box.parameters:,} parameters, {multiply_adds} multiply-adds"


def draw_bars(x, y, module, bar_maxima, theme, length):
    """Return bars for a module's parameters and, below, its multiply-adds, with their numbers, from (x, y)."""
    items = []
    for row, (name, color) in enumerate((("parameters", theme.parameters), ("multiply_adds", theme.multiply_adds))):
        value, middle = getattr(module, name), y + 4.5 + row * 9
        if value:
            bar_length = max(1.0, length * value / bar_maxima[name])
            items += [Box(x, middle - 2.5, bar_length, 5, color, radius=1),
                      Text(x + bar_length + 4, middle, format_count(value), FONT_SIZE, theme.muted, anchor="start")]
        elif value is None:
            items.append(Text(x, middle, format_count(value), FONT_SIZE, theme.muted, anchor="start"))
    return items


def compose_scene(drawing, title, subtitle, theme, kinds, *, legend_gap, top=HEADING_HEIGHT, **legend_options):
    """Return the Scene of a drawing, an ItemGroup at the height `top`, between a heading and a legend.

    `kinds` and `legend_options` are those of `draw_legend`.
    """
    width = max(drawing.width, estimate_text_width(title, TITLE_SIZE, "bold"),
                estimate_text_width(subtitle, SUBTITLE_SIZE))
    legend_top = top + drawing.height + legend_gap
    legend, legend_height = draw_legend(MARGIN, legend_top, width, kinds, theme, **legend_options)
    return Scene(width + 2 * MARGIN, legend_top + legend_height + MARGIN, theme.background,
                 [*draw_heading(title, subtitle, theme), *drawing.translate(MARGIN, top), *legend],
                 f"{title}: {subtitle}")


def draw_legend(x, y, width, kinds, theme, *, with_bars, with_aux, kind_labels=None):
    """Return the items of a legend within `width` points, and its height; `kind_labels` override KIND_LABELS."""
    labels = KIND_LABELS | (kind_labels or {})
    entries = [(theme.kinds[kind], labels[kind], False) for kind in KIND_LABELS if kind in kinds]
    if with_bars:
        entries += [((theme.parameters, theme.parameters), "parameters", False),
                    ((theme.multiply_adds, theme.multiply_adds), "multiply-adds", False)]
    if with_aux:
        entries.append((theme.kinds[MODULE_KIND], "auxiliary classifier", True))
    items, left, top = [], x, y
    for (fill, stroke), label, dashed in entries:
        entry_width = 18 + estimate_text_width(label, FONT_SIZE) + 12
        if left + entry_width > x + width and left > x:
            left, top = x, top + 13
        items += [Box(left, top, 13, 8, fill, stroke, 0.8, 1.5, dashed=dashed),
                  Text(left + 18, top + 4, label, FONT_SIZE, theme.muted, anchor="start")]
        left += entry_width
    return items, top + 8 - y
