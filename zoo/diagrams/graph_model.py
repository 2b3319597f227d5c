"""A network as nodes, groups and edges: what the text formats, Graphviz's and Mermaid's, are written from."""

from dataclasses import dataclass

from zoo.analysis.modules import along_and_aside, kind_of, words_of
from zoo.analysis.stages import stages_of
from zoo.diagrams.module_box import described
from zoo.diagrams.stages_view import kind_of as kind_of_stage
from zoo.diagrams.theme import number_words, shape_words
from zoo.errors import unknown

MODULE = "module"  # the kind of a node that is more than one layer


@dataclass(frozen=True)
class Node:
    key: str  # name of the layer, of the module, of the stage's first module
    kind: str  # a key of Theme.kinds, or MODULE
    lines: tuple  # of its label; the first is its name
    side: bool = False  # a side classifier, or of one


@dataclass(frozen=True)
class Group:
    key: str
    title: str
    members: tuple  # Nodes and Groups
    side: bool = False


@dataclass(frozen=True)
class Edge:
    source: str  # keys of nodes
    target: str
    words: str  # the shape where it changes, else ""
    side: bool = False  # from the network to a side classifier


@dataclass(frozen=True)
class Chart:
    members: tuple  # Nodes and Groups in the order of the flow
    edges: tuple


def chart(plan, detail, *, repeats=True):
    """Return the Chart of a Plan at "stages", "blocks" or "layers".

    Without `repeats` the layers of one module stand for those of all that repeat it.
    """
    if detail not in CHARTS:
        raise unknown("detail", detail, CHARTS)
    return CHARTS[detail](plan, repeats)


def _stages(plan, repeats):
    main, others = along_and_aside(plan)
    groups = [(stage, stage.modules, stage.title) for stage in stages_of(main)]
    groups += [(module, (module,), module.title) for module in others]
    aside = {module.name for module in others}
    shapes = {module.name: module.shape for module in plan.modules}
    of, nodes, edges = {}, [], []
    for whole, modules, title in groups:
        key = modules[0].name
        of |= {module.name: key for module in modules}
        nodes.append(Node(key, _kind(modules[:1]) if key in aside else kind_of_stage(whole) or MODULE,
                          (title, *_loss(modules[0]), *_counts(whole)), key in aside))
        edges += [_edge(of[source], key, shapes[source], whole.shape, key in aside)
                  for module in modules for source in module.reads if of[source] != key]
    return Chart(tuple(nodes), tuple(dict.fromkeys(edges)))


def _blocks(plan, repeats):
    aside = {module.name for module in along_and_aside(plan)[1]}
    shapes = {module.name: module.shape for module in plan.modules}
    nodes = [Node(module.name, _kind([module]), (_times(module) + module.title, described(module), *_counts(module)),
                  module.name in aside) for module in plan.modules]
    edges = [_edge(source, module.name, shapes[source], module.shape, module.name in aside)
             for module in plan.modules for source in module.reads]
    return Chart(tuple(nodes), tuple(edges))


def _layers(plan, repeats):
    each = {module.name: module for module in plan.each}
    aside = {name for module in along_and_aside(plan)[1] for name in module.names}
    shown = [each[name] for module in plan.modules for name in (module.names if repeats else module.names[:1])]
    stands = {} if repeats else {layer.name: first.name for module in plan.modules for name in module.names
                                 for first, layer in zip(_of(module), _of(each[name]), strict=True)}
    shapes = {layer.name: layer.shape for module in shown for layer in _of(module)}
    edges = [_edge(stands.get(source, source), layer.name, shapes[stands.get(source, source)], layer.shape,
                   module.name in aside and source not in {other.name for other in _of(module)})
             for module in shown for layer in _of(module) for source in layer.reads]
    members = []
    for module in plan.modules:
        side = module.name in aside
        inside = [_group(each[name], each[name].title, side) for name in module.names]
        if module.times > 1:
            inside = inside if repeats else _nodes(module, side)
            members.append(Group(f"{module.times} x {module.name}", _times(module) + module.title, tuple(inside), side))
        else:
            members += inside
    return Chart(tuple(members), tuple(dict.fromkeys(edges)))


CHARTS = {"stages": _stages, "blocks": _blocks, "layers": _layers}


def _group(module, title, side):
    """Return a module's layers in a Group; one layer needs none."""
    nodes = _nodes(module, side)
    return nodes[0] if len(nodes) == 1 else Group(module.name, ", ".join((title, *_loss(module))), tuple(nodes), side)


def _nodes(module, side):
    return [Node(layer.name, kind_of(layer), (layer.name, words_of(layer), shape_words(layer.shape)), side)
            for layer in _of(module)]


def _of(module):
    return [layer for unit in module.units for layer in unit.layers]


def _kind(modules):
    """Return the kind of a node: that of its modules' layers where they are single ones of the same kind."""
    kinds = {module.units[0].kind if len(module.units) == 1 else MODULE for module in modules}
    return kinds.pop() if len(kinds) == 1 else MODULE


def _times(module):
    return f"{module.times} x " if module.times > 1 else ""


def _loss(module):
    return () if module.loss_weight is None else (f"loss x {module.loss_weight:g}",)


def _counts(whole):
    parameters = (f"{number_words(whole.parameters)} parameters",) if whole.parameters else ()
    return (shape_words(whole.shape), *parameters)


def _edge(source, target, shape, target_shape, side):
    return Edge(source, target, shape_words(shape) if shape != target_shape else "", side)
