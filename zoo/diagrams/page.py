"""A model as one self-contained HTML page: modules can be expanded, boxes clicked for details, and layers searched.

Python computes the layout within each kind of module and collects the data; page.js stacks the modules and handles
events. Layer names are untrusted: they are data for the script, which writes them as text, and never part of the HTML.
"""

import math

from zoo.analysis.branches import split_main_and_aux
from zoo.analysis.modules import format_layer, get_layer_kind
from zoo.diagrams.html import read_asset, render_template
from zoo.diagrams.module_box import describe_module
from zoo.diagrams.module_detail import ENTRY, EXIT, PORT_SIZE, has_detail, layout_module
from zoo.diagrams.theme import DARK, KIND_LABELS, LIGHT, format_count
from zoo.plots.text_layout import estimate_text_width
from zoo.utils.text import format_shape

MAIN_LAYER_HEIGHT, EPILOGUE_HEIGHT = 28.0, 13.0  # heights in a box: of the main layer, and of a layer fused with it
FONT_SIZE, SMALL_FONT_SIZE = 8.5, 7.0  # as in page.js
TEXT_PADDING = 7.0  # beside the text of a box


def render_diagram_page(model_summary, module_graph, title, subtitle, theme=None):
    """Return the text of the page. `theme` is a Theme; None: light or dark, by the reader's preference."""
    kinds = {get_layer_kind(layer) for layer in model_summary.layers}
    legend = {f"kind-{kind}": label for kind, label in KIND_LABELS.items() if kind in kinds}
    legend |= {"bar-parameters": "parameters", "bar-multiplyAdds": "multiply-adds"}
    return render_template(
        "zoo.diagrams", "diagram.html", title=title, subtitle=subtitle, legend=legend,
        color_scheme="light dark" if theme is None else "dark" if theme == DARK else "light",
        style=f"\n{_format_css_colors(theme)}{read_asset('zoo.diagrams', 'page.css')}",
        script=read_asset("zoo.diagrams", "page.js"), data=get_page_data(model_summary, module_graph))


def _format_css_colors(theme):
    if theme is not None:
        return f":root {{ {_format_css_variables(theme)} }}"
    dark_rule = f":root {{ {_format_css_variables(DARK)} }}"
    return f":root {{ {_format_css_variables(LIGHT)} }}\n@media (prefers-color-scheme: dark) {{ {dark_rule} }}"


def _format_css_variables(theme):
    names = ("background", "text", "muted", "line", "frame", "panel", "parameters", "multiply_adds")
    return " ".join([f"--{name.replace('_', '-')}: {getattr(theme, name)};" for name in names]
                    + [f"--{kind}: {fill}; --{kind}-edge: {edge};" for kind, (fill, edge) in theme.kinds.items()])


# ------------------------------------------------------------------------------------------------------------ data

def get_page_data(model_summary, module_graph):
    """Return the data of the script, as lists and dicts for JSON; page.js begins with them."""
    layer_index = {layer.name: index for index, layer in enumerate(model_summary.layers)}
    main, aux_modules = split_main_and_aux(module_graph)
    unfolded_modules = {module.name: module for module in module_graph.unfolded_modules}
    module_index = {module.name: index for index, module in enumerate([*main, *aux_modules])}
    insides, modules = [], []
    for module in [*main, *aux_modules]:
        has_inside = len(module.layers) > 1
        modules.append({
            **_get_module_data(module, module_index), "side": module in aux_modules,
            "thin": not module.parameters and not has_detail(module),
            "label": describe_module(module), **({"inside": len(insides)} if has_inside else {}),
            "each": [_get_module_data(unfolded_modules[name], {})
                     | {"layers": [layer_index[layer.name] for layer in unfolded_modules[name].layers]}
                     for name in module.names]})
        insides += [get_module_layout([unfolded_modules[name] for name in module.names])] if has_inside else []
    layers = [_get_layer_data(layer, layer_index) for layer in model_summary.layers]
    totals = {"parameters": model_summary.parameters, "trainable": model_summary.trainable_parameters,
              "multiplyAdds": model_summary.multiply_adds, "uncounted": len(model_summary.uncounted_layers),
              "outputs": _count_outputs(model_summary.layers)}
    for module in modules:
        if module.get("outputs") is not None and len(module["each"]) > 1:
            module["outputs"] = sum(repeat["outputs"] for repeat in module["each"])
    return {"totals": totals, "modules": modules, "insides": insides, "layers": layers}


def _get_module_data(module, module_index):
    return _drop_missing({
        "name": module.name, "title": module.title, "kind": module.kind, "shape": format_shape(module.shape),
        "parameters": module.parameters, "multiplyAdds": module.multiply_adds, "loss": module.loss_weight,
        "outputs": _count_outputs(module.layers),
        "short": [format_count(module.parameters), format_count(module.multiply_adds)],
        "reads": [module_index[name] for name in module.inputs if name in module_index]})


def _count_outputs(layers):
    """Return the number of output values of layers for one image; None if a shape is not fixed."""
    shapes = [layer.shape for layer in layers]
    return None if any(None in shape for shape in shapes) else sum(map(math.prod, shapes))


def _get_layer_data(layer, layer_index):
    return _drop_missing({
        "name": layer.name, "class": layer.class_name, "kind": get_layer_kind(layer), "label": format_layer(layer),
        "shape": format_shape(layer.shape), "parameters": layer.parameters, "trainable": layer.trainable_parameters,
        "multiplyAdds": layer.multiply_adds, "filters": layer.filters, "kernel": _format_size(layer.kernel_size),
        "groups": layer.groups if (layer.groups or 1) > 1 else None, "activation": layer.activation,
        "outputs": _count_outputs([layer]),
        "strides": _format_size(layer.strides), "field": _format_size(layer.receptive_field),
        "step": _format_size(layer.output_stride),
        "reads": [layer_index[name] for name in layer.inputs if name in layer_index]}, keep=("multiplyAdds",))


def _drop_missing(values, keep=()):
    return {key: value for key, value in values.items() if value is not None or key in keep}


def _format_size(value):
    return value if value is None or isinstance(value, str) else format_shape(value)


def get_module_layout(modules):
    """Return the positions of a module's layers and the routes of its edges; `modules` are all identical ones."""
    module = modules[0]
    sizes = {fused_layers[0].name: (max(map(_compute_box_width, fused_layers)), MAIN_LAYER_HEIGHT
                                    + EPILOGUE_HEIGHT * (len(fused_layers[0].layers) - 1))
             for fused_layers in zip(*(repeat.fused_layers for repeat in modules), strict=True)}
    layout = layout_module(module, sizes)
    top_centers = {box: (x + sizes.get(box, PORT_SIZE["TB"])[0] / 2, y) for box, (x, y) in layout.positions.items()}
    boxes = [[*_round_point(top_centers[fused_layer.name]), round(sizes[fused_layer.name][0], 1),
              len(fused_layer.layers), fused_layer.main_index] for fused_layer in module.fused_layers]
    routes = {edge: [_round_point(point) for point in route] for edge, route in layout.routes.items()}
    return {"width": round(layout.width, 1), "height": round(layout.height, 1), "units": boxes,
            "enter": round(top_centers[ENTRY][0], 1), "leave": round(top_centers[EXIT][0], 1),
            "routes": [route for edge, route in routes.items() if edge[1] != EXIT],
            "ends": [route for edge, route in routes.items() if edge[1] == EXIT]}


def _compute_box_width(fused_layer):
    widths = [max(estimate_text_width(format_layer(layer), FONT_SIZE), estimate_text_width(layer.name, SMALL_FONT_SIZE))
              if layer.name == fused_layer.name else estimate_text_width(format_layer(layer), SMALL_FONT_SIZE)
              for layer in fused_layer.layers]
    return min(max(widths) + 2 * TEXT_PADDING, 220.0)


def _round_point(point):
    return [round(value, 1) for value in point]
