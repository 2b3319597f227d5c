"""A network module by module: one box each, repeats as one, the inside of each kind of module once beside them."""

from zoo.diagrams.backbone_view import downwards, in_rows
from zoo.diagrams.module_detail import Picture, by_structure, kinds_of, panel
from zoo.diagrams.page_packing import BETWEEN, packed, scale_of, within
from zoo.diagrams.scene import Scene
from zoo.diagrams.theme import HEAD, MARGIN, SUBTITLE, TITLE, heading, legend
from zoo.plots.text_layout import width_of

ROWS = tuple(range(500, 2001, 50))  # points, the widths that are tried for rows of modules


def blocks(plan, title, subtitle, theme, most, direction="down"):
    """Return the Scene of a Plan: the modules in the direction of the flow, and what is in them.

    `most` is what the longest bars stand for, {"parameters": ..., "multiply_adds": ...}.
    """
    panels = [panel(group, theme, direction) for group in by_structure(plan.modules)]
    extra = 2 * MARGIN, HEAD + 60  # of which 60 are about the legend's
    if direction == "right":
        body = across(plan, panels, theme, most, extra)
    else:
        body = packed([downwards(plan, theme, most), *panels], extra)
    width = max(body.width, width_of(title, TITLE, "bold"), width_of(subtitle, SUBTITLE))
    key, key_height = legend(MARGIN, HEAD + body.height + 16, width, kinds_of(plan.modules), theme, with_bars=True,
                             sides=any(module.loss_weight for module in plan.modules))
    return Scene(width + 2 * MARGIN, HEAD + body.height + 16 + key_height + MARGIN, theme.paper,
                 [*heading(title, subtitle, theme), *body.at(MARGIN, HEAD), *key], f"{title}: {subtitle}")


def across(plan, panels, theme, most, extra):
    """Return the Picture of rows of modules above the panels, as wide as A4 shows it largest."""
    found = []
    for limit in ROWS:
        rows = in_rows(plan, theme, most, limit)
        below = within(panels, max(limit, *(each.width for each in panels), 0.0))
        top = rows.height + (BETWEEN if panels else 0.0)
        found.append(Picture(max(rows.width, below.width), top + below.height, (*rows.items, *below.at(0.0, top))))
    return max(found, key=lambda each: scale_of(each.width + extra[0], each.height + extra[1]))
