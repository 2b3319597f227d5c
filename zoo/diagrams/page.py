"""A network as one HTML page that needs no network: modules unfold, boxes tell their facts, layers are searched for.

Python lays out the inside of each kind of module and packs all facts; page.js stacks the modules and listens. Names are
a stranger's: they are data for the script, which writes them as text, and never become part of the page's own text.
"""

import math

from zoo.analysis.modules import along_and_aside, kind_of, words_of
from zoo.diagrams.html import read_text, render
from zoo.diagrams.layered_layout import layered
from zoo.diagrams.module_box import described
from zoo.diagrams.module_detail import ENTRY, EXIT, GATE, has_inside
from zoo.diagrams.theme import DARK, KIND_WORDS, LETTERS, LIGHT, SMALL, number_words, shape_words
from zoo.plots.text_layout import width_of

HEAD, FOLLOWER = 28.0, 13.0  # heights in a unit's box: of its layer, and of one that goes with it
PAD = 7.0  # beside the words of a box
MODULE = "module"


def page(anatomy, plan, title, subtitle, theme=None):
    """Return the text of the page. `theme` is a Theme; None: light or dark, as the reader's browser prefers."""
    used = {kind_of(layer) for layer in anatomy.layers}
    legend = {f"kind-{kind}": words for kind, words in KIND_WORDS.items() if kind in used}
    legend |= {"bar-parameters": "parameters", "bar-multiplyAdds": "multiply-adds"}
    return render(
        "zoo.diagrams", "diagram.html", title=title, subtitle=subtitle, legend=legend,
        color_scheme="light dark" if theme is None else "dark" if theme == DARK else "light",
        style=f"\n{_colours(theme)}{read_text('zoo.diagrams', 'page.css')}",
        script=read_text("zoo.diagrams", "page.js"), data=packed(anatomy, plan))


def _colours(theme):
    if theme is not None:
        return f":root {{ {_variables(theme)} }}"
    return f":root {{ {_variables(LIGHT)} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}"


def _variables(theme):
    plain = ("paper", "ink", "faint", "line", "frame", "panel", "parameters", "multiply_adds")
    pairs = {MODULE: theme.module, **theme.kinds}
    return " ".join([f"--{name.replace('_', '-')}: {getattr(theme, name)};" for name in plain]
                    + [f"--{kind}: {fill}; --{kind}-edge: {edge};" for kind, (fill, edge) in pairs.items()])


# ------------------------------------------------------------------------------------------------------------ data

def packed(anatomy, plan):
    """Return what the script draws from, as lists and dictionaries for JSON; see the end of page.js."""
    number = {layer.name: place for place, layer in enumerate(anatomy.layers)}
    main, aside = along_and_aside(plan)
    each = {module.name: module for module in plan.each}
    place = {module.name: index for index, module in enumerate([*main, *aside])}
    insides, modules = [], []
    for module in [*main, *aside]:
        several = len(layers_of(module)) > 1
        modules.append({
            **_module(module, place), "side": module in aside, "thin": not module.parameters and not has_inside(module),
            "words": described(module), **({"inside": len(insides)} if several else {}),
            "each": [_module(each[name], {}) | {"layers": [number[layer.name] for layer in layers_of(each[name])]}
                     for name in module.names]})
        insides += [inside([each[name] for name in module.names])] if several else []
    layers = [_layer(layer, number) for layer in anatomy.layers]
    totals = {"parameters": anatomy.parameters, "trainable": anatomy.trainable_parameters,
              "multiplyAdds": anatomy.multiply_adds, "uncounted": len(anatomy.uncounted),
              "outputs": _numbers(anatomy.layers)}
    for module in modules:
        if module.get("outputs") is not None and len(module["each"]) > 1:
            module["outputs"] = sum(one["outputs"] for one in module["each"])
    return {"totals": totals, "modules": modules, "insides": insides, "layers": layers}


def layers_of(module):
    return [layer for unit in module.units for layer in unit.layers]


def _module(module, place):
    kind = module.units[0].kind if len(module.units) == 1 else MODULE
    return _said({
        "name": module.name, "title": module.title, "kind": kind,
        "shape": shape_words(module.shape),
        "parameters": module.parameters, "multiplyAdds": module.multiply_adds, "loss": module.loss_weight,
        "outputs": _numbers(layers_of(module)),
        "short": [number_words(module.parameters), number_words(module.multiply_adds)],
        "reads": [place[name] for name in module.reads if name in place]})


def _numbers(layers):
    """Return how many numbers the outputs of layers have for one picture; None where a shape is not fixed."""
    shapes = [layer.shape for layer in layers]
    return None if any(None in shape for shape in shapes) else sum(map(math.prod, shapes))


def _layer(layer, number):
    return _said({
        "name": layer.name, "class": layer.kind, "kind": kind_of(layer), "words": words_of(layer),
        "shape": shape_words(layer.shape), "parameters": layer.parameters, "trainable": layer.trainable_parameters,
        "multiplyAdds": layer.multiply_adds, "filters": layer.filters, "kernel": _sides(layer.kernel),
        "groups": layer.groups if (layer.groups or 1) > 1 else None, "activation": layer.activation,
        "outputs": _numbers([layer]),
        "strides": _sides(layer.strides), "field": _sides(layer.receptive_field), "step": _sides(layer.output_stride),
        "reads": [number[name] for name in layer.reads if name in number]}, keep=("multiplyAdds",))


def _said(facts, keep=()):
    return {key: value for key, value in facts.items() if value is not None or key in keep}


def _sides(value):
    return value if value is None or isinstance(value, str) else shape_words(value)


def inside(modules):
    """Return where the units of a module are, and the ways of its edges; `modules` are it and its repeats."""
    module = modules[0]
    names = {unit.name for unit in module.units}
    sizes = {ENTRY: GATE["down"]}
    sizes |= {units[0].name: (max(map(_width, units)), HEAD + FOLLOWER * (len(units[0].layers) - 1))
              for units in zip(*(each.units for each in modules), strict=True)}
    sizes[EXIT] = GATE["down"]
    read = {source for unit in module.units for source in unit.reads}
    edges = [(source if source in names else ENTRY, unit.name)
             for unit in module.units for source in unit.reads or ("",)]
    edges += [(unit.name, EXIT) for unit in module.units if unit.name not in read]
    layout = layered(sizes, edges)
    middles = {box: (x + sizes[box][0] / 2, y) for box, (x, y) in layout.places.items()}
    boxes = [[*_rounded(middles[unit.name]), round(sizes[unit.name][0], 1), len(unit.layers), unit.place]
             for unit in module.units]
    ways = {edge: [_rounded(point) for point in route] for edge, route in layout.routes.items()}
    return {"width": round(layout.width, 1), "height": round(layout.height, 1), "units": boxes,
            "enter": round(middles[ENTRY][0], 1), "leave": round(middles[EXIT][0], 1),
            "routes": [way for edge, way in ways.items() if edge[1] != EXIT],
            "ends": [way for edge, way in ways.items() if edge[1] == EXIT]}


def _width(unit):
    widths = [max(width_of(words_of(layer), LETTERS), width_of(layer.name, SMALL)) if layer.name == unit.name
              else width_of(words_of(layer), SMALL) for layer in unit.layers]
    return min(max(widths) + 2 * PAD, 220.0)


def _rounded(point):
    return [round(value, 1) for value in point]
