"""A View as one HTML page that needs no network: the picture with what is laid over it, and its layers step by step."""

import io

from PIL import Image

from zoo.diagrams.html import read_text, render
from zoo.errors import UserError
from zoo.plots import colormaps, feature_maps
from zoo.plots.text_layout import counted
from zoo.reports import embedding
from zoo.utils.io import write_text


def write(view, count, path):
    """Write the page of a View with `count` maps a layer to `path`, whole or not at all."""
    write_text(path, page(view, count))


def page(view, count):
    """Return the text of the page."""
    laid, missing = overlays(view)
    filters = filters_of(view)
    data = {"overlays": laid, "layers": [layer(each, count) for each in view.maps], "filters": filters,
            "sides": list(view.side)}
    kinds = {}
    for place, each in enumerate(laid):
        kinds.setdefault(each["kind"], []).append((place, each["short"]))
    height, width = view.side
    return render(
        "zoo.reports", "inspection.html", title=f"A look inside {view.subject.title}", note=view.subject.note,
        is_random="RANDOM" in view.subject.note, source=view.source, picture=address(view.picture), width=width,
        height=height, prediction=prediction(view), kinds=kinds, missing=missing,
        layers=[each.name for each in view.maps], filters=filters, style=read_text("zoo.reports", "inspection.css"),
        script=read_text("zoo.reports", "inspection.js"), data=data)


def prediction(view):
    """Return [(class, probability)] of the prediction; nothing for a network without scores for classes."""
    try:
        return view.prediction
    except UserError:
        return []


def address(image):
    """Return a picture uint8 (height, width, 3 or 4) as the address of a PNG."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png", optimize=True)
    return embedding.data_address(file.getvalue(), "image/png")


# ---------------------------------------------------------------------------------------------------------- the data

def overlays(view):
    """Return [{kind, short, words, image}] of what can be laid over the picture, and [(kind, why)] of what cannot."""
    found, missing = [], []
    for kind, made in (("Grad-CAM", _gradcam), ("saliency", _saliency), ("occlusion", _occlusion),
                       ("hypercolumn", _hypercolumn)):
        try:
            found += [{"kind": kind, "short": short, "words": words, "image": address(image)}
                      for short, words, image in made(view)]
        except UserError as error:
            missing.append((kind, str(error)))
    return found, missing


def _gradcam(view):
    for layer, maps_of in view.gradcam:
        for place, each in zip(view.asked, maps_of, strict=True):
            short = f"{view.called(place)}, at {layer}"
            words = f"{short}: " + ("the brighter, the more it speaks for the class" if each.any() else
                                    "nothing in it speaks for the class")
            yield short, words, colormaps.heat(each, view.side)


def _saliency(view):
    for place, each in zip(view.asked, view.saliency, strict=True):
        words = f"{view.called(place)}: the brighter a pixel, the more it moves the score"
        yield view.called(place), words, colormaps.glow(each, view.side)


def _occlusion(view):
    found, (rows, columns) = view.occlusion
    for place, each in zip(view.asked, found, strict=True):
        words = (f"{view.called(place)}: a grey patch of {rows}x{columns} pixels takes up to "
                 f"{100 * max(each.max(), 0):.1f} of {100 * view.probable[place]:.1f} % (orange; blue: it adds)")
        yield view.called(place), words, colormaps.signed(each, view.side)


def _hypercolumn(view):
    names, _, whole = view.hypercolumn
    short = f"{counted(len(names), 'layer')}"
    yield short, f"mean of all maps of {short}", colormaps.glow(colormaps.between(whole), view.side)


def layer(each, count):
    """Return what the script needs of one layer's Maps."""
    told = {"name": each.name, "words": each.words, "said": each.said, "grid": each.is_grid}
    if not each.is_grid:
        return {**told, "sheet": address(feature_maps.strip(each)), "columns": 1, "rows": 1, "ratio": each.count,
                "each": [["", ""]]}
    made = feature_maps.tiles(each, count)
    sheet, columns = embedding.sheet(made)
    low, high = each.values.min(axis=(0, 1)), each.values.max(axis=(0, 1))
    return {**told, "sheet": sheet, "columns": columns, "rows": -(-len(made) // columns),
            "ratio": made.shape[2] / made.shape[1],
            "each": [[each.mark(place), f"{low[place]:.4g} to {high[place]:.4g}"] for place in range(len(made))]}


def filters_of(view):
    try:
        name, kernels = view.filters
    except UserError:
        return None
    sheet, columns = embedding.sheet(feature_maps.filter_tiles(kernels))
    return {"name": name, "sheet": sheet, "columns": columns, "rows": -(-len(kernels) // columns),
            "ratio": kernels.shape[2] / kernels.shape[1], "each": [["", ""]] * len(kernels),
            "said": f"{counted(len(kernels), 'filter')} of {kernels.shape[1]}x{kernels.shape[2]}"}
