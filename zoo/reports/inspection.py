"""A View as one HTML page that needs no network: the picture with what is laid over it, and its layers step by step."""

import io

from PIL import Image

from zoo.diagrams.html import read_asset, render_template
from zoo.errors import UserError
from zoo.plots import colormaps, feature_maps
from zoo.plots.text_layout import pluralize
from zoo.reports import embedding
from zoo.utils.io import write_text


def write_inspection_page(inspection, num_maps, path):
    """Write the page of a View with `count` maps a layer to `path`, whole or not at all."""
    write_text(path, render_inspection_page(inspection, num_maps))


def render_inspection_page(inspection, num_maps):
    """Return the text of the page."""
    laid, missing = make_overlays(inspection)
    filters = get_filter_data(inspection)
    data = {"overlays": laid, "layers": [get_layer_data(each, num_maps) for each in inspection.feature_maps],
            "filters": filters, "sides": list(inspection.image_size)}
    kinds = {}
    for place, each in enumerate(laid):
        kinds.setdefault(each["kind"], []).append((place, each["short"]))
    height, width = inspection.image_size
    return render_template("zoo.reports", "inspection.html", title=f"A look inside {inspection.inspected_model.title}",
                           note=inspection.inspected_model.note, is_random="RANDOM" in inspection.inspected_model.note,
                           source=inspection.source, picture=to_png_uri(inspection.image), width=width, height=height,
                           prediction=get_prediction(inspection), kinds=kinds, missing=missing,
                           layers=[each.name for each in inspection.feature_maps], filters=filters,
                           style=read_asset("zoo.reports", "inspection.css"),
                           script=read_asset("zoo.reports", "inspection.js"), data=data)


def get_prediction(inspection):
    """Return [(class, probability)] of the prediction; nothing for a network without scores for classes."""
    try:
        return inspection.prediction
    except UserError:
        return []


def to_png_uri(image):
    """Return a picture uint8 (height, width, 3 or 4) as the address of a PNG."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png", optimize=True)
    return embedding.to_data_uri(file.getvalue(), "image/png")


# ---------------------------------------------------------------------------------------------------------- the data

def make_overlays(inspection):
    """Return [{kind, short, words, image}] of what can be laid over the picture, and [(kind, why)] of what cannot."""
    found, missing = [], []
    for kind, made in (("Grad-CAM", _make_gradcam_overlays), ("saliency", _make_saliency_overlays),
                       ("occlusion", _make_occlusion_overlays), ("hypercolumn", _make_hypercolumn_overlay)):
        try:
            found += [{"kind": kind, "short": short, "words": words, "image": to_png_uri(image)}
                      for short, words, image in made(inspection)]
        except UserError as error:
            missing.append((kind, str(error)))
    return found, missing


def _make_gradcam_overlays(inspection):
    for layer, maps_of in inspection.gradcam:
        for place, each in zip(inspection.target_classes, maps_of, strict=True):
            short = f"{inspection.get_class_name(place)}, at {layer}"
            words = f"{short}: " + ("the brighter, the more it speaks for the class" if each.any() else
                                    "nothing in it speaks for the class")
            yield short, words, colormaps.colorize_heatmap(each, inspection.image_size)


def _make_saliency_overlays(inspection):
    for place, each in zip(inspection.target_classes, inspection.saliency, strict=True):
        words = f"{inspection.get_class_name(place)}: the brighter a pixel, the more it moves the score"
        yield inspection.get_class_name(place), words, colormaps.colorize_saliency(each, inspection.image_size)


def _make_occlusion_overlays(inspection):
    found, (rows, columns) = inspection.occlusion
    for place, each in zip(inspection.target_classes, found, strict=True):
        words = (f"{inspection.get_class_name(place)}: a grey patch of {rows}x{columns} pixels takes up to "
                 f"{100 * max(each.max(), 0):.1f} of {100 * inspection.probabilities[place]:.1f} % (orange; blue: it adds)")
        yield inspection.get_class_name(place), words, colormaps.colorize_diverging(each, inspection.image_size)


def _make_hypercolumn_overlay(inspection):
    names, _, whole = inspection.hypercolumn
    short = f"{pluralize(len(names), 'layer')}"
    yield short, f"mean of all maps of {short}", colormaps.colorize_saliency(colormaps.normalize_values(whole),
                                                                             inspection.image_size)


def get_layer_data(layer_maps, num_maps):
    """Return what the script needs of one layer's Maps."""
    told = {"name": layer_maps.name, "words": layer_maps.description, "said": layer_maps.summary,
            "grid": layer_maps.is_spatial}
    if not layer_maps.is_spatial:
        return {**told, "sheet": to_png_uri(feature_maps.draw_vector_strip(layer_maps)), "columns": 1, "rows": 1,
                "ratio": layer_maps.num_maps, "each": [["", ""]]}
    made = feature_maps.draw_map_tiles(layer_maps, num_maps)
    sheet, columns = embedding.make_sprite_sheet(made)
    low, high = layer_maps.values.min(axis=(0, 1)), layer_maps.values.max(axis=(0, 1))
    return {**told, "sheet": sheet, "columns": columns, "rows": -(-len(made) // columns),
            "ratio": made.shape[2] / made.shape[1],
            "each": [[layer_maps.get_status(place), f"{low[place]:.4g} to {high[place]:.4g}"]
                     for place in range(len(made))]}


def get_filter_data(inspection):
    try:
        name, kernels = inspection.filters
    except UserError:
        return None
    sheet, columns = embedding.make_sprite_sheet(feature_maps.draw_filter_tiles(kernels))
    return {"name": name, "sheet": sheet, "columns": columns, "rows": -(-len(kernels) // columns),
            "ratio": kernels.shape[2] / kernels.shape[1], "each": [["", ""]] * len(kernels),
            "said": f"{pluralize(len(kernels), 'filter')} of {kernels.shape[1]}x{kernels.shape[2]}"}
