"""The results of an ImageInspection as figures: rows of captioned tiles, and a bar chart of the prediction."""

import math
from collections import namedtuple

from zoo.errors import UserError
from zoo.plots import colormaps, feature_maps, figures, text_layout
from zoo.utils.io import atomic_write
from zoo.utils.text import pluralize

TILE_SIZE, IMAGE_SIZE = 64, 190  # points: the longer side of a feature map, and of an overlaid image
TILE_GAP, CAPTION_HEIGHT, HEADING_HEIGHT = 8, 11, 17  # between tiles, below a tile, above a row
TILES_PER_ROW = 8
MAX_TILE_ROWS = 250  # lines of tiles in one figure: image viewers cannot open larger files
MIN_WIDTH = 440  # points
FONT_SIZE = 7.5  # of the captions

Tile = namedtuple("Tile", "image label status")  # uint8 (height, width, 3); its caption; "dead", "constant" or ""
TileRow = namedtuple("TileRow", "title description tiles")


def plot_inspection(inspection, plot_name, num_maps):
    """Return the Figure of one of INSPECTION_PLOTS, with at most `num_maps` feature maps per layer."""
    return INSPECTION_PLOTS[plot_name](inspection, num_maps)


def _layout_headline(inspection, title, width):
    return figures.layout_headline(f"{inspection.inspected_model.title}: {title}",
                                   f"{inspection.inspected_model.note} · {inspection.source}", width)


def _plot_rows(inspection, title, rows, tile_size):
    """Return the Figure of TileRows; the longer side of a tile is `tile_size` points."""
    columns = TILES_PER_ROW if tile_size == TILE_SIZE else 4
    width = max(min(columns, max(len(row.tiles) for row in rows)) * (tile_size + TILE_GAP) - TILE_GAP, MIN_WIDTH)
    columns = int((width + TILE_GAP) // (tile_size + TILE_GAP))
    num_lines = sum(math.ceil(len(row.tiles) / columns) for row in rows)
    if num_lines > MAX_TILE_ROWS:
        raise UserError(f"{len(rows)} layers need {num_lines} lines of images, but a figure holds at most "
                        f"{MAX_TILE_ROWS}; give fewer with layers=...; a page holds all of them")
    headline = _layout_headline(inspection, title, width)
    row_tops, y = [], math.ceil(figures.MARGIN + headline.height)
    for row in rows:
        tile_heights = [_fit_size(tile.image, tile_size, width)[1] for tile in row.tiles]
        row_tops.append(y)
        caption_height = CAPTION_HEIGHT if any(tile.label for tile in row.tiles) else 0
        line_height = max(tile_heights, default=0) + caption_height + TILE_GAP
        y += HEADING_HEIGHT + math.ceil(len(row.tiles) / columns) * line_height
    figure = figures.create_figure(width + 2 * figures.MARGIN, y + figures.MARGIN - TILE_GAP)
    axes = figures.add_full_axes(figure)
    figures.add_headline(axes, headline)
    for row, top in zip(rows, row_tops, strict=True):
        _draw_row(axes, row, top, tile_size, columns, width)
    return figure


def _draw_row(axes, row, top, tile_size, columns, row_width):
    title_width = text_layout.estimate_text_width(row.title, 9, "bold")
    figures.add_text(axes, figures.MARGIN, top + 8, row.title, 9, weight="bold", va="baseline")
    figures.add_text(axes, figures.MARGIN + title_width + 6, top + 8,
                     text_layout.truncate_text(row.description, 8, row_width - title_width - 6), 8,
                     color=figures.MUTED_COLOR, va="baseline")
    tile_height = max(_fit_size(tile.image, tile_size, row_width)[1] for tile in row.tiles)
    step = tile_height + (CAPTION_HEIGHT if any(tile.label for tile in row.tiles) else 0) + TILE_GAP
    for index, tile in enumerate(row.tiles):
        width, height = _fit_size(tile.image, tile_size, row_width)
        x, y = figures.MARGIN + index % columns * (tile_size + TILE_GAP), top + HEADING_HEIGHT + index // columns * step
        is_downsampled = tile.image.shape[1] > 2 * width  # more pixels than the figure has here
        axes.imshow(tile.image, extent=(x, x + width, y + height, y), aspect="auto",
                    interpolation="antialiased" if is_downsampled else "nearest")
        if tile.status == "dead":
            axes.plot([x, x + width], [y, y + height], color="white", lw=1.5)
            axes.plot([x, x + width], [y + height, y], color="white", lw=1.5)
        label = text_layout.truncate_text(f"{tile.label} {tile.status}".strip(), FONT_SIZE, tile_size)
        figures.add_text(axes, x, y + height + 8, label, FONT_SIZE, va="baseline",
                         color=figures.VERMILLION if tile.status else figures.TEXT_COLOR)


def _fit_size(image, tile_size, row_width):
    """Return (width, height) in points; a strip of units is as wide as the row."""
    height, width = image.shape[:2]
    if height == 1 and width > 1:
        return row_width, 16
    return tile_size * width / max(height, width), tile_size * height / max(height, width)


# ------------------------------------------------------------------------------------------------------- layer plots

def _plot_feature_maps(inspection, num_maps):
    rows = []
    for maps in inspection.feature_maps:
        if maps.is_spatial:
            tiles = [Tile(image, str(index), maps.get_status(index))
                     for index, image in enumerate(feature_maps.draw_map_tiles(maps, num_maps))]
        else:
            tiles = [Tile(feature_maps.draw_vector_strip(maps), "", "")]
        rows.append(TileRow(maps.name, f"{maps.description} · {maps.summary}", tiles))
    return _plot_rows(inspection, "feature maps", rows, TILE_SIZE)


def _plot_filters(inspection, num_maps):
    name, kernels = inspection.filters
    tiles = [Tile(image, "", "") for image in feature_maps.draw_filter_tiles(kernels)]
    rows, columns = kernels.shape[1:3]
    description = f"{pluralize(len(kernels), 'filter')} of {rows}x{columns}, gray: weight 0"
    tile_size = 48 if len(tiles) < 65 else 36
    return _plot_rows(inspection, "first-layer filters", [TileRow(name, description, tiles)], tile_size)


def _plot_hypercolumn(inspection, num_maps):
    names, means, overall_mean = inspection.hypercolumn
    layer_tiles = [Tile(colormaps.apply_colormap(colormaps.normalize_values(mean)), name, "")
                   for name, mean in zip(names, means, strict=True)]
    overview_tiles = [Tile(inspection.image, "input image", ""),
                      Tile(colormaps.apply_colormap(colormaps.normalize_values(overall_mean)),
                           "mean of all feature maps", "")]
    num_channels = sum(maps.num_maps for maps in inspection.feature_maps if maps.is_spatial)
    rows = [TileRow("all layers", f"{num_channels:,} channels per pixel", overview_tiles),
            TileRow("each layer", "mean of its feature maps, upsampled to the image", layer_tiles)]
    return _plot_rows(inspection, "hypercolumn", rows, 142)


# -------------------------------------------------------------------------------------------------- attributions

def _make_overlay_tiles(inspection, overlays, format_suffix):
    """Return the tiles of a row: the image, and its overlay for each target class."""
    tiles = [Tile(inspection.image, "input image", "")]
    for index, (class_index, overlay) in enumerate(zip(inspection.target_classes, overlays, strict=True)):
        probability = inspection.probabilities[class_index]
        label = f"{inspection.get_class_name(class_index)}: {100 * probability:.1f}%{format_suffix(index)}"
        tiles.append(Tile(colormaps.blend_overlay(overlay, inspection.image), label, ""))
    return tiles


def _plot_gradcam(inspection, num_maps):
    rows = []
    for layer, heatmaps in inspection.gradcam:
        suffixes = [": no evidence" if not heatmap.any() else "" for heatmap in heatmaps]
        overlays = [colormaps.colorize_heatmap(heatmap, inspection.image_size) for heatmap in heatmaps]
        rows.append(TileRow(layer, f"{heatmaps.shape[1]}x{heatmaps.shape[2]}: evidence for each class",
                            _make_overlay_tiles(inspection, overlays, suffixes.__getitem__)))
    return _plot_rows(inspection, "Grad-CAM", rows, IMAGE_SIZE)


def _plot_saliency(inspection, num_maps):
    tiles = _make_overlay_tiles(inspection, [colormaps.colorize_saliency(saliency, inspection.image_size)
                                             for saliency in inspection.saliency], lambda index: "")
    return _plot_rows(inspection, "saliency",
                      [TileRow("gradients", "magnitude of the gradient of the class score", tiles)], IMAGE_SIZE)


def _plot_occlusion(inspection, num_maps):
    drops, (rows, columns) = inspection.occlusion
    description = f"gray patch of {rows}x{columns} pixels at {drops[0].size} positions; orange: the probability drops"
    suffixes = [f", drops by {100 * max(drop.max(), 0):.1f}" for drop in drops]
    tiles = _make_overlay_tiles(inspection,
                                [colormaps.colorize_diverging(drop_map, inspection.image_size)
                                 for drop_map in inspection.occlusion_maps],
                                suffixes.__getitem__)
    return _plot_rows(inspection, "occlusion", [TileRow("patches", description, tiles)], IMAGE_SIZE)


def _plot_prediction(inspection, num_maps):
    """Return the Figure of the image beside a bar for each of the most probable classes."""
    bars, line_height, image_size = inspection.prediction, 20, 150
    bar_length, left = 210, figures.MARGIN + image_size + 24
    total_width = image_size + 24 + 130 + bar_length + 50
    headline = _layout_headline(inspection, "prediction", total_width)
    top = math.ceil(figures.MARGIN + headline.height)
    figure = figures.create_figure(total_width + 2 * figures.MARGIN, top + max(image_size, line_height * len(bars))
                                   + figures.MARGIN)
    axes = figures.add_full_axes(figure)
    figures.add_headline(axes, headline)
    width, height = _fit_size(inspection.image, image_size, total_width)
    axes.imshow(inspection.image, extent=(figures.MARGIN, figures.MARGIN + width, top + height, top), aspect="auto",
                interpolation="antialiased")
    for index, (name, probability) in enumerate(bars):
        y = top + index * line_height
        figures.add_text(axes, left + 124, y + 12, text_layout.truncate_text(name, 9, 124), 9, ha="right",
                         va="baseline")
        axes.barh(y + 9, probability * bar_length, 13, left + 132, color=figures.BLUE if index == 0 else "#9fb6c6")
        figures.add_text(axes, left + 136 + probability * bar_length, y + 12, f"{100 * probability:.2f}%", 8.5,
                         va="baseline")
    axes.set_xlim(0, total_width + 2 * figures.MARGIN)
    axes.set_ylim(top + max(image_size, line_height * len(bars)) + figures.MARGIN, 0)
    return figure


INSPECTION_PLOTS = {"feature-maps": _plot_feature_maps, "filters": _plot_filters, "hypercolumn": _plot_hypercolumn,
                    "gradcam": _plot_gradcam, "saliency": _plot_saliency, "occlusion": _plot_occlusion,
                    "prediction": _plot_prediction}


def save_inspection_plot(inspection, plot_name, num_maps, path):
    """Write one of INSPECTION_PLOTS to `path`, .png, .pdf or .svg, atomically."""
    figure = plot_inspection(inspection, plot_name, num_maps)
    with atomic_write(path) as scratch:
        figures.save_figure(figure, scratch)
