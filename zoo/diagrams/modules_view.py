"""A model module by module: one box for identical ones, and the contents of each kind of module beside them."""

from zoo.diagrams.backbone_view import draw_backbone_column, draw_backbone_rows
from zoo.diagrams.module_detail import collect_layer_kinds, draw_detail_panel, group_by_structure
from zoo.diagrams.page_packing import GROUP_GAP, compute_page_scale, pack_on_page, pack_shelves
from zoo.diagrams.scene import ItemGroup
from zoo.diagrams.theme import HEADING_HEIGHT, MARGIN, compose_scene

ROW_WIDTHS = tuple(range(500, 2001, 50))  # points, the candidate widths of rows of modules


def draw_blocks(module_graph, title, subtitle, theme, bar_maxima, rankdir):
    """Return the Scene of a ModuleGraph: the modules in the direction `rankdir`, and panels with their contents.

    `bar_maxima` are the values of the longest bars, {"parameters": ..., "multiply_adds": ...}.
    """
    panels = [draw_detail_panel(modules, theme, rankdir) for modules in group_by_structure(module_graph.modules)]
    surrounding_size = 2 * MARGIN, HEADING_HEIGHT + 60  # about 60 are for the legend
    if rankdir == "LR":
        drawing = draw_wide_layout(module_graph, panels, theme, bar_maxima, surrounding_size)
    else:
        drawing = pack_on_page([draw_backbone_column(module_graph, theme, bar_maxima), *panels], surrounding_size)
    return compose_scene(drawing, title, subtitle, theme, collect_layer_kinds(module_graph.modules), legend_gap=16,
                         with_bars=True, with_aux=any(module.loss_weight for module in module_graph.modules))


def draw_wide_layout(module_graph, panels, theme, bar_maxima, surrounding_size):
    """Return the ItemGroup of rows of modules above the panels, in the width that is largest on A4."""
    candidates = []
    for max_width in ROW_WIDTHS:
        rows = draw_backbone_rows(module_graph, theme, bar_maxima, max_width)
        packed_panels = pack_shelves(panels, max(max_width, *(panel.width for panel in panels), 0.0))
        top = rows.height + (GROUP_GAP if panels else 0.0)
        candidates.append(ItemGroup(max(rows.width, packed_panels.width), top + packed_panels.height,
                                    (*rows.items, *packed_panels.translate(0.0, top))))
    return max(candidates, key=lambda candidate: compute_page_scale(candidate.width + surrounding_size[0],
                                                                    candidate.height + surrounding_size[1]))
