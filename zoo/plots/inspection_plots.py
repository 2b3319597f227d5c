"""What a View has found, as figures: rows of pictures with words, and a chart of the prediction."""

import math
from collections import namedtuple

from zoo.errors import UserError
from zoo.plots import colormaps, feature_maps, figure as sheet, text_layout
from zoo.utils.io import written_whole

TILE, PICTURE = 64, 190  # points: the longer side of a map, and of a picture that something is laid over
GAP, WORDS, HEADING = 8, 11, 17  # between pictures, under one, above a row
COLUMNS = 8  # of tiles
MOST = 250  # lines of tiles in one figure: more are beyond what programs open
LEAST_WIDTH = 440  # points
SIZE = 7.5  # of the words under a picture

Tile = namedtuple("Tile", "image words mark")  # uint8 (height, width, 3); beneath it; dead, constant or nothing
Row = namedtuple("Row", "title said tiles")


def drawn(view, what, count):
    """Return the Figure of one of FIGURES; `count` maps a layer."""
    return FIGURES[what](view, count)


def _headline(view, title, width):
    return sheet.headline(f"{view.subject.title}: {title}", f"{view.subject.note} · {view.source}", width)


def _rows(view, title, rows, side):
    """Return the Figure of Rows; pictures are `side` points long on their longer side."""
    columns = COLUMNS if side == TILE else 4
    wide = max(min(columns, max(len(row.tiles) for row in rows)) * (side + GAP) - GAP, LEAST_WIDTH)
    columns = int((wide + GAP) // (side + GAP))
    lines = sum(math.ceil(len(row.tiles) / columns) for row in rows)
    if lines > MOST:
        raise UserError(f"{len(rows)} layers take {lines} lines of pictures, and a file holds {MOST} at most: name "
                        "fewer with --layers, or leave out --what for a page that holds them all")
    head = _headline(view, title, wide)
    places, down = [], math.ceil(sheet.MARGIN + head.height)
    for row in rows:
        tall = [_sides(tile.image, side, wide)[1] for tile in row.tiles]
        places.append(down)
        line = max(tall, default=0) + (WORDS if any(tile.words for tile in row.tiles) else 0) + GAP
        down += HEADING + math.ceil(len(row.tiles) / columns) * line
    figure = sheet.blank(wide + 2 * sheet.MARGIN, down + sheet.MARGIN - GAP)
    axes = sheet.ruled(figure)
    sheet.write_headline(axes, head)
    for row, top in zip(rows, places, strict=True):
        _put_row(axes, row, top, side, columns, wide)
    return figure


def _put_row(axes, row, top, side, columns, wide):
    said = text_layout.width_of(row.title, 9, "bold")
    sheet.write(axes, sheet.MARGIN, top + 8, row.title, 9, weight="bold", va="baseline")
    sheet.write(axes, sheet.MARGIN + said + 6, top + 8, text_layout.shortened(row.said, 8, wide - said - 6), 8,
                color=sheet.MUTED, va="baseline")
    tall = max(_sides(tile.image, side, wide)[1] for tile in row.tiles)
    step = tall + (WORDS if any(tile.words for tile in row.tiles) else 0) + GAP
    for place, tile in enumerate(row.tiles):
        width, height = _sides(tile.image, side, wide)
        x, y = sheet.MARGIN + place % columns * (side + GAP), top + HEADING + place // columns * step
        smooth = tile.image.shape[1] > 2 * width  # more pixels than the sheet has
        axes.imshow(tile.image, extent=(x, x + width, y + height, y), aspect="auto",
                    interpolation="antialiased" if smooth else "nearest")
        if tile.mark == "dead":
            axes.plot([x, x + width], [y, y + height], color="white", lw=1.5)
            axes.plot([x, x + width], [y + height, y], color="white", lw=1.5)
        words = text_layout.shortened(f"{tile.words} {tile.mark}".strip(), SIZE, side)
        sheet.write(axes, x, y + height + 8, words, SIZE, va="baseline",
                    color=sheet.VERMILLION if tile.mark else sheet.INK)


def _sides(image, side, wide):
    """Return (width, height) in points; a strip of numbers is as wide as the sheet."""
    height, width = image.shape[:2]
    if height == 1 and width > 1:
        return wide, 16
    return side * width / max(height, width), side * height / max(height, width)


# --------------------------------------------------------------------------------------------------------- the layers

def _maps(view, count):
    rows = []
    for each in view.maps:
        if each.is_grid:
            made = [Tile(image, str(place), each.mark(place))
                    for place, image in enumerate(feature_maps.tiles(each, count))]
        else:
            made = [Tile(feature_maps.strip(each), "", "")]
        rows.append(Row(each.name, f"{each.words} · {each.said}", made))
    return _rows(view, "feature maps", rows, TILE)


def _filters(view, count):
    name, kernels = view.filters
    made = [Tile(image, "", "") for image in feature_maps.filter_tiles(kernels)]
    rows, columns = kernels.shape[1:3]
    said = f"{text_layout.counted(len(kernels), 'filter')} of {rows}x{columns}, weights of 0 are grey"
    return _rows(view, "the filters that read the picture", [Row(name, said, made)], 48 if len(made) < 65 else 36)


def _hypercolumn(view, count):
    names, means, whole = view.hypercolumn
    made = [Tile(colormaps.coloured(colormaps.between(mean)), name, "")
            for name, mean in zip(names, means, strict=True)]
    first = [Tile(view.picture, "the picture", ""),
             Tile(colormaps.coloured(colormaps.between(whole)), "the mean of all maps", "")]
    total = sum(each.count for each in view.maps if each.is_grid)
    return _rows(view, "hypercolumn", [Row("all layers", f"{total:,} numbers a pixel", first),
                                       Row("each layer", "the mean of its maps, enlarged to the picture", made)], 142)


# ------------------------------------------------------------------------------------------- what speaks for a class

def _beside(view, layers, said):
    """Return the tiles of a row: the picture, and what is laid over it for each class that is asked."""
    return [Tile(view.picture, "the picture", ""), *(
        Tile(colormaps.over(layer, view.picture),
             f"{view.called(place)}: {100 * view.probable[place]:.1f} %{said(number)}",
             "")
        for number, (place, layer) in enumerate(zip(view.asked, layers, strict=True)))]


def _gradcam(view, count):
    rows = []
    for layer, found in view.gradcam:
        none = [": nothing" if not each.any() else "" for each in found]
        rows.append(Row(layer, f"{found.shape[1]}x{found.shape[2]}: where its maps speak for a class", _beside(
            view, [colormaps.heat(each, view.side) for each in found], none.__getitem__)))
    return _rows(view, "Grad-CAM", rows, PICTURE)


def _saliency(view, count):
    made = _beside(view, [colormaps.glow(each, view.side) for each in view.saliency], lambda number: "")
    return _rows(view, "saliency", [Row("derivatives", "how much a pixel moves the score of a class", made)], PICTURE)


def _occlusion(view, count):
    found, (rows, columns) = view.occlusion
    said = f"a grey patch of {rows}x{columns} pixels at {found[0].size} places; orange: hiding it costs probability"
    most = [f", falls by {100 * max(each.max(), 0):.1f}" for each in found]
    made = _beside(view, [colormaps.signed(each, view.side) for each in found], most.__getitem__)
    return _rows(view, "occlusion", [Row("patches", said, made)], PICTURE)


def _prediction(view, count):
    """A bar for each of the most probable classes, beside the picture."""
    bars, line, side = view.prediction, 20, 150
    room, left = 210, sheet.MARGIN + side + 24
    wide = side + 24 + 130 + room + 50
    head = _headline(view, "prediction", wide)
    top = math.ceil(sheet.MARGIN + head.height)
    figure = sheet.blank(wide + 2 * sheet.MARGIN, top + max(side, line * len(bars)) + sheet.MARGIN)
    axes = sheet.ruled(figure)
    sheet.write_headline(axes, head)
    width, height = _sides(view.picture, side, wide)
    axes.imshow(view.picture, extent=(sheet.MARGIN, sheet.MARGIN + width, top + height, top), aspect="auto",
                interpolation="antialiased")
    for place, (name, share) in enumerate(bars):
        y = top + place * line
        sheet.write(axes, left + 124, y + 12, text_layout.shortened(name, 9, 124), 9, ha="right", va="baseline")
        axes.barh(y + 9, share * room, 13, left + 132, color=sheet.BLUE if place == 0 else "#9fb6c6")
        sheet.write(axes, left + 136 + share * room, y + 12, f"{100 * share:.2f} %", 8.5, va="baseline")
    axes.set_xlim(0, wide + 2 * sheet.MARGIN)
    axes.set_ylim(top + max(side, line * len(bars)) + sheet.MARGIN, 0)
    return figure


FIGURES = {"maps": _maps, "filters": _filters, "hypercolumn": _hypercolumn, "gradcam": _gradcam,
           "saliency": _saliency, "occlusion": _occlusion, "prediction": _prediction}


def save(view, what, count, path):
    """Write one of FIGURES to `path`, .png, .pdf or .svg, whole or not at all."""
    figure = drawn(view, what, count)
    with written_whole(path) as scratch:
        figure.savefig(scratch)
