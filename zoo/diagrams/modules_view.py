"""A network module by module: one box each, repeats as one, the inside of each kind of module once beside them."""

from zoo.diagrams.backbone_view import draw_backbone_column, draw_backbone_rows
from zoo.diagrams.module_detail import group_by_structure, collect_layer_kinds, draw_detail_panel
from zoo.diagrams.page_packing import GROUP_GAP, pack_on_page, compute_page_scale, pack_shelves
from zoo.diagrams.scene import ItemGroup, Scene
from zoo.diagrams.theme import HEADING_HEIGHT, MARGIN, SUBTITLE_SIZE, TITLE_SIZE, draw_heading, draw_legend
from zoo.plots.text_layout import estimate_text_width

ROW_WIDTHS = tuple(range(500, 2001, 50))  # points, the widths that are tried for rows of modules


def draw_blocks(module_graph, title, subtitle, theme, bar_maxima, rankdir="TB"):
    """Return the Scene of a Plan: the modules in the direction of the flow, and what is in them.

    `most` is what the longest bars stand for, {"parameters": ..., "multiply_adds": ...}.
    """
    panels = [draw_detail_panel(group, theme, rankdir) for group in group_by_structure(module_graph.modules)]
    extra = 2 * MARGIN, HEADING_HEIGHT + 60  # of which 60 are about the legend's
    if rankdir == "LR":
        body = draw_wide_layout(module_graph, panels, theme, bar_maxima, extra)
    else:
        body = pack_on_page([draw_backbone_column(module_graph, theme, bar_maxima), *panels], extra)
    width = max(body.width, estimate_text_width(title, TITLE_SIZE, "bold"),
                estimate_text_width(subtitle, SUBTITLE_SIZE))
    key, key_height = draw_legend(MARGIN, HEADING_HEIGHT + body.height + 16, width,
                                  collect_layer_kinds(module_graph.modules), theme, with_bars=True,
                                  with_aux=any(module.loss_weight for module in module_graph.modules))
    return Scene(width + 2 * MARGIN, HEADING_HEIGHT + body.height + 16 + key_height + MARGIN, theme.background,
                 [*draw_heading(title, subtitle, theme), *body.translate(MARGIN, HEADING_HEIGHT), *key],
                 f"{title}: {subtitle}")


def draw_wide_layout(module_graph, panels, theme, bar_maxima, surrounding_size):
    """Return the ItemGroup of rows of modules above the panels, as wide as A4 shows it largest."""
    found = []
    for limit in ROW_WIDTHS:
        rows = draw_backbone_rows(module_graph, theme, bar_maxima, limit)
        below = pack_shelves(panels, max(limit, *(each.width for each in panels), 0.0))
        top = rows.height + (GROUP_GAP if panels else 0.0)
        found.append(ItemGroup(max(rows.width, below.width), top + below.height,
                               (*rows.items, *below.translate(0.0, top))))
    return max(found,
               key=lambda each: compute_page_scale(each.width + surrounding_size[0], each.height + surrounding_size[1]))
