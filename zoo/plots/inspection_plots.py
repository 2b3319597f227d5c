"""What a View has found, as figures: rows of pictures with words, and a chart of the prediction."""

import math
from collections import namedtuple

from zoo.errors import UserError
from zoo.plots import colormaps, feature_maps, figures as sheet, text_layout
from zoo.utils.io import atomic_write

TILE_SIZE, IMAGE_SIZE = 64, 190  # points: the longer side of a map, and of a picture that something is laid over
TILE_GAP, CAPTION_HEIGHT, HEADING_HEIGHT = 8, 11, 17  # between pictures, under one, above a row
TILES_PER_ROW = 8  # of tiles
MAX_TILE_ROWS = 250  # lines of tiles in one figure: more are beyond what programs open
MIN_WIDTH = 440  # points
FONT_SIZE = 7.5  # of the words under a picture

Tile = namedtuple("Tile", "image label status")  # uint8 (height, width, 3); beneath it; dead, constant or nothing
TileRow = namedtuple("TileRow", "title description tiles")


def plot_inspection(inspection, plot_name, num_maps):
    """Return the Figure of one of FIGURES; `count` maps a layer."""
    return INSPECTION_PLOTS[plot_name](inspection, num_maps)


def _layout_headline(inspection, title, width):
    return sheet.layout_headline(f"{inspection.inspected_model.title}: {title}",
                                 f"{inspection.inspected_model.note} · {inspection.source}", width)


def _plot_rows(inspection, title, rows, tile_size):
    """Return the Figure of Rows; pictures are `side` points long on their longer side."""
    columns = TILES_PER_ROW if tile_size == TILE_SIZE else 4
    wide = max(min(columns, max(len(row.tiles) for row in rows)) * (tile_size + TILE_GAP) - TILE_GAP, MIN_WIDTH)
    columns = int((wide + TILE_GAP) // (tile_size + TILE_GAP))
    lines = sum(math.ceil(len(row.tiles) / columns) for row in rows)
    if lines > MAX_TILE_ROWS:
        raise UserError(f"{len(rows)} layers take {lines} lines of pictures, and a file holds {MAX_TILE_ROWS} at most: name "
                        "fewer with --layers, or leave out --what for a page that holds them all")
    head = _layout_headline(inspection, title, wide)
    places, down = [], math.ceil(sheet.MARGIN + head.height)
    for row in rows:
        tall = [_fit_size(tile.image, tile_size, wide)[1] for tile in row.tiles]
        places.append(down)
        line = max(tall, default=0) + (CAPTION_HEIGHT if any(tile.label for tile in row.tiles) else 0) + TILE_GAP
        down += HEADING_HEIGHT + math.ceil(len(row.tiles) / columns) * line
    figure = sheet.create_figure(wide + 2 * sheet.MARGIN, down + sheet.MARGIN - TILE_GAP)
    axes = sheet.add_full_axes(figure)
    sheet.add_headline(axes, head)
    for row, top in zip(rows, places, strict=True):
        _draw_row(axes, row, top, tile_size, columns, wide)
    return figure


def _draw_row(axes, row, top, tile_size, columns, row_width):
    said = text_layout.estimate_text_width(row.title, 9, "bold")
    sheet.add_text(axes, sheet.MARGIN, top + 8, row.title, 9, weight="bold", va="baseline")
    sheet.add_text(axes, sheet.MARGIN + said + 6, top + 8,
                   text_layout.truncate_text(row.description, 8, row_width - said - 6), 8, color=sheet.MUTED_COLOR,
                   va="baseline")
    tall = max(_fit_size(tile.image, tile_size, row_width)[1] for tile in row.tiles)
    step = tall + (CAPTION_HEIGHT if any(tile.label for tile in row.tiles) else 0) + TILE_GAP
    for place, tile in enumerate(row.tiles):
        width, height = _fit_size(tile.image, tile_size, row_width)
        x, y = sheet.MARGIN + place % columns * (tile_size + TILE_GAP), top + HEADING_HEIGHT + place // columns * step
        smooth = tile.image.shape[1] > 2 * width  # more pixels than the sheet has
        axes.imshow(tile.image, extent=(x, x + width, y + height, y), aspect="auto",
                    interpolation="antialiased" if smooth else "nearest")
        if tile.status == "dead":
            axes.plot([x, x + width], [y, y + height], color="white", lw=1.5)
            axes.plot([x, x + width], [y + height, y], color="white", lw=1.5)
        words = text_layout.truncate_text(f"{tile.label} {tile.status}".strip(), FONT_SIZE, tile_size)
        sheet.add_text(axes, x, y + height + 8, words, FONT_SIZE, va="baseline",
                       color=sheet.VERMILLION if tile.status else sheet.TEXT_COLOR)


def _fit_size(image, tile_size, row_width):
    """Return (width, height) in points; a strip of numbers is as wide as the sheet."""
    height, width = image.shape[:2]
    if height == 1 and width > 1:
        return row_width, 16
    return tile_size * width / max(height, width), tile_size * height / max(height, width)


# --------------------------------------------------------------------------------------------------------- the layers

def _plot_feature_maps(inspection, num_maps):
    rows = []
    for each in inspection.feature_maps:
        if each.is_spatial:
            made = [Tile(image, str(place), each.get_status(place))
                    for place, image in enumerate(feature_maps.draw_map_tiles(each, num_maps))]
        else:
            made = [Tile(feature_maps.draw_vector_strip(each), "", "")]
        rows.append(TileRow(each.name, f"{each.description} · {each.summary}", made))
    return _plot_rows(inspection, "feature maps", rows, TILE_SIZE)


def _plot_filters(inspection, num_maps):
    name, kernels = inspection.filters
    made = [Tile(image, "", "") for image in feature_maps.draw_filter_tiles(kernels)]
    rows, columns = kernels.shape[1:3]
    said = f"{text_layout.pluralize(len(kernels), 'filter')} of {rows}x{columns}, weights of 0 are grey"
    return _plot_rows(inspection, "the filters that read the picture", [TileRow(name, said, made)], 48 if len(made) < 65
                      else 36)


def _plot_hypercolumn(inspection, num_maps):
    names, means, whole = inspection.hypercolumn
    made = [Tile(colormaps.apply_colormap(colormaps.normalize_values(mean)), name, "")
            for name, mean in zip(names, means, strict=True)]
    first = [Tile(inspection.image, "the picture", ""),
             Tile(colormaps.apply_colormap(colormaps.normalize_values(whole)), "the mean of all maps", "")]
    total = sum(each.num_maps for each in inspection.feature_maps if each.is_spatial)
    return _plot_rows(inspection, "hypercolumn", [TileRow("all layers", f"{total:,} numbers a pixel", first),
                                                  TileRow("each layer", "the mean of its maps, enlarged to the picture",
                                                          made)], 142)


# ------------------------------------------------------------------------------------------- what speaks for a class

def _make_overlay_tiles(inspection, overlays, format_suffix):
    """Return the tiles of a row: the picture, and what is laid over it for each class that is asked."""
    return [Tile(inspection.image, "the picture", ""), *(
        Tile(colormaps.blend_overlay(layer, inspection.image),
             f"{inspection.get_class_name(place)}: {100 * inspection.probabilities[place]:.1f} %{format_suffix(number)}",
             "")
        for number, (place, layer) in enumerate(zip(inspection.target_classes, overlays, strict=True)))]


def _plot_gradcam(inspection, num_maps):
    rows = []
    for layer, found in inspection.gradcam:
        none = [": nothing" if not each.any() else "" for each in found]
        rows.append(TileRow(layer, f"{found.shape[1]}x{found.shape[2]}: where its maps speak for a class", _make_overlay_tiles(
            inspection, [colormaps.colorize_heatmap(each, inspection.image_size) for each in found], none.__getitem__)))
    return _plot_rows(inspection, "Grad-CAM", rows, IMAGE_SIZE)


def _plot_saliency(inspection, num_maps):
    made = _make_overlay_tiles(inspection, [colormaps.colorize_saliency(each, inspection.image_size)
                                            for each in inspection.saliency], lambda number: "")
    return _plot_rows(inspection, "saliency",
                      [TileRow("derivatives", "how much a pixel moves the score of a class", made)], IMAGE_SIZE)


def _plot_occlusion(inspection, num_maps):
    found, (rows, columns) = inspection.occlusion
    said = f"a grey patch of {rows}x{columns} pixels at {found[0].size} places; orange: hiding it costs probability"
    most = [f", falls by {100 * max(each.max(), 0):.1f}" for each in found]
    made = _make_overlay_tiles(inspection,
                               [colormaps.colorize_diverging(each, inspection.image_size) for each in found],
                               most.__getitem__)
    return _plot_rows(inspection, "occlusion", [TileRow("patches", said, made)], IMAGE_SIZE)


def _plot_prediction(inspection, num_maps):
    """A bar for each of the most probable classes, beside the picture."""
    bars, line, side = inspection.prediction, 20, 150
    room, left = 210, sheet.MARGIN + side + 24
    wide = side + 24 + 130 + room + 50
    head = _layout_headline(inspection, "prediction", wide)
    top = math.ceil(sheet.MARGIN + head.height)
    figure = sheet.create_figure(wide + 2 * sheet.MARGIN, top + max(side, line * len(bars)) + sheet.MARGIN)
    axes = sheet.add_full_axes(figure)
    sheet.add_headline(axes, head)
    width, height = _fit_size(inspection.image, side, wide)
    axes.imshow(inspection.image, extent=(sheet.MARGIN, sheet.MARGIN + width, top + height, top), aspect="auto",
                interpolation="antialiased")
    for place, (name, share) in enumerate(bars):
        y = top + place * line
        sheet.add_text(axes, left + 124, y + 12, text_layout.truncate_text(name, 9, 124), 9, ha="right", va="baseline")
        axes.barh(y + 9, share * room, 13, left + 132, color=sheet.BLUE if place == 0 else "#9fb6c6")
        sheet.add_text(axes, left + 136 + share * room, y + 12, f"{100 * share:.2f} %", 8.5, va="baseline")
    axes.set_xlim(0, wide + 2 * sheet.MARGIN)
    axes.set_ylim(top + max(side, line * len(bars)) + sheet.MARGIN, 0)
    return figure


INSPECTION_PLOTS = {"maps": _plot_feature_maps, "filters": _plot_filters, "hypercolumn": _plot_hypercolumn,
                    "gradcam": _plot_gradcam, "saliency": _plot_saliency, "occlusion": _plot_occlusion,
                    "prediction": _plot_prediction}


def save_inspection_plot(inspection, plot_name, num_maps, path):
    """Write one of FIGURES to `path`, .png, .pdf or .svg, whole or not at all."""
    figure = plot_inspection(inspection, plot_name, num_maps)
    with atomic_write(path) as scratch:
        figure.savefig(scratch)
