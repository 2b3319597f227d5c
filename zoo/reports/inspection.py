"""An ImageInspection as one self-contained HTML page: the image with overlays, and the layers step by step."""

import io

from PIL import Image

from zoo.diagrams.html import read_asset, render_template
from zoo.errors import UserError
from zoo.plots import colormaps, feature_maps
from zoo.reports import embedding
from zoo.utils.io import write_text
from zoo.utils.text import pluralize


def write_inspection_page(inspection, num_maps, path):
    """Write the page of an ImageInspection to `path` atomically, with `num_maps` feature maps per layer."""
    write_text(path, render_inspection_page(inspection, num_maps))


def render_inspection_page(inspection, num_maps):
    """Return the HTML of the page."""
    overlays, missing = make_overlays(inspection)
    filters = get_filter_data(inspection)
    data = {"overlays": overlays, "layers": [get_layer_data(maps, num_maps) for maps in inspection.feature_maps],
            "filters": filters}
    kinds = {}
    for index, overlay in enumerate(overlays):
        kinds.setdefault(overlay["kind"], []).append((index, overlay["label"]))
    height, width = inspection.image_size
    return render_template("zoo.reports", "inspection.html", title=f"Inspection of {inspection.inspected_model.title}",
                           note=inspection.inspected_model.note, is_random=inspection.inspected_model.is_random,
                           source=inspection.source, image=to_png_uri(inspection.image), width=width, height=height,
                           prediction=get_prediction(inspection), kinds=kinds, missing=missing,
                           layers=[maps.name for maps in inspection.feature_maps], filters=filters,
                           style=read_asset("zoo.reports", "inspection.css"),
                           script=read_asset("zoo.reports", "inspection.js"), data=data)


def get_prediction(inspection):
    """Return [(class, probability)] of the prediction; [] for a model without class scores."""
    try:
        return inspection.prediction
    except UserError:
        return []


def to_png_uri(image):
    """Return an image uint8 (height, width, 3 or 4) as the data URI of a PNG."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png", optimize=True)
    return embedding.to_data_uri(file.getvalue(), "image/png")


# ---------------------------------------------------------------------------------------------------------- the data

def make_overlays(inspection):
    """Return [{kind, label, description, image}] of the overlays, and [(kind, reason)] of those not available."""
    overlays, missing = [], []
    for kind, make in (("Grad-CAM", _make_gradcam_overlays), ("saliency", _make_saliency_overlays),
                       ("occlusion", _make_occlusion_overlays), ("hypercolumn", _make_hypercolumn_overlay)):
        try:
            overlays += [{"kind": kind, "label": label, "description": description, "image": to_png_uri(image)}
                         for label, description, image in make(inspection)]
        except UserError as error:
            missing.append((kind, str(error)))
    return overlays, missing


def _make_gradcam_overlays(inspection):
    for layer, heatmaps in inspection.gradcam:
        for target, heatmap in zip(inspection.target_classes, heatmaps, strict=True):
            label = f"{inspection.get_class_name(target)}, at {layer}"
            evidence = "brighter = stronger evidence for this class" if heatmap.any() else "no evidence for this class"
            yield label, f"{label}: {evidence}", colormaps.colorize_heatmap(heatmap, inspection.image_size)


def _make_saliency_overlays(inspection):
    for target, saliency in zip(inspection.target_classes, inspection.saliency, strict=True):
        label = inspection.get_class_name(target)
        description = f"{label}: the brighter a pixel, the more it affects the score"
        yield label, description, colormaps.colorize_saliency(saliency, inspection.image_size)


def _make_occlusion_overlays(inspection):
    occlusion, (patch_height, patch_width) = inspection.occlusion
    for target, drop, drop_map in zip(inspection.target_classes, occlusion, inspection.occlusion_maps, strict=True):
        label = inspection.get_class_name(target)
        description = (f"{label}: a gray patch of {patch_height}x{patch_width} pixels lowers the probability, "
                       f"{100 * inspection.probabilities[target]:.1f}%, by up to {100 * max(drop.max(), 0):.1f} "
                       "percentage points (orange: it falls, blue: it rises)")
        yield label, description, colormaps.colorize_diverging(drop_map, inspection.image_size)


def _make_hypercolumn_overlay(inspection):
    names, _, mean_map = inspection.hypercolumn
    label = f"{pluralize(len(names), 'layer')}"
    yield label, f"mean of all feature maps of {label}", colormaps.colorize_saliency(
        colormaps.normalize_values(mean_map), inspection.image_size)


def get_layer_data(layer_maps, num_maps):
    """Return the data that the script needs for one layer's FeatureMaps."""
    layer = {"name": layer_maps.name, "description": layer_maps.description, "summary": layer_maps.summary,
             "is_spatial": layer_maps.is_spatial}
    if not layer_maps.is_spatial:
        return {**layer, "sheet": to_png_uri(feature_maps.draw_vector_strip(layer_maps)), "columns": 1, "rows": 1,
                "aspect_ratio": layer_maps.num_maps, "maps": [["", ""]]}
    tiles = feature_maps.draw_map_tiles(layer_maps, num_maps)
    sheet, columns = embedding.make_sprite_sheet(tiles)
    low, high = layer_maps.values.min(axis=(0, 1)), layer_maps.values.max(axis=(0, 1))
    return {**layer, "sheet": sheet, "columns": columns, "rows": -(-len(tiles) // columns),
            "aspect_ratio": tiles.shape[2] / tiles.shape[1],
            "maps": [[layer_maps.get_status(index), f"{low[index]:.4g} to {high[index]:.4g}"]
                     for index in range(len(tiles))]}


def get_filter_data(inspection):
    """Return the data that the script needs for the first layer's filters; None where there are none."""
    try:
        name, kernels = inspection.filters
    except UserError:
        return None
    sheet, columns = embedding.make_sprite_sheet(feature_maps.draw_filter_tiles(kernels))
    return {"name": name, "sheet": sheet, "columns": columns, "rows": -(-len(kernels) // columns),
            "aspect_ratio": kernels.shape[2] / kernels.shape[1], "count": len(kernels),
            "description": f"{pluralize(len(kernels), 'filter')} of {kernels.shape[1]}x{kernels.shape[2]}"}
