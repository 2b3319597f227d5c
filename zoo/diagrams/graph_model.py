"""A model as nodes, groups and edges, from which the text formats, Graphviz's and Mermaid's, are written."""

from dataclasses import dataclass

from zoo.analysis.branches import split_main_and_aux
from zoo.analysis.modules import format_layer, get_layer_kind
from zoo.analysis.stages import group_stages
from zoo.diagrams.module_box import describe_module
from zoo.diagrams.stages_view import format_stage_shape, get_stage_kind
from zoo.diagrams.theme import format_count
from zoo.utils.text import format_shape


@dataclass(frozen=True)
class Node:
    key: str  # name of the layer, of the module, or of the stage's first module
    kind: str  # a key of Theme.kinds
    lines: tuple  # of the label; the first is the name
    is_aux: bool = False  # an auxiliary classifier, or a part of one


@dataclass(frozen=True)
class Group:
    key: str
    title: str
    members: tuple  # Nodes and Groups
    is_aux: bool = False


@dataclass(frozen=True)
class Edge:
    source: str  # keys of nodes
    target: str
    label: str  # the shape, if it changes; otherwise ""
    is_aux: bool = False  # from the backbone to an auxiliary classifier


@dataclass(frozen=True)
class DiagramGraph:
    members: tuple  # Nodes and Groups in topological order
    edges: tuple


def build_diagram_graph(module_graph, detail, *, repeats=True):
    """Return the DiagramGraph of a ModuleGraph at the level "stages", "blocks" or "layers".

    Without `repeats`, the layers of the first of identical modules represent those of all.
    """
    return GRAPH_BUILDERS[detail](module_graph, repeats)


def _build_stage_graph(module_graph, repeats):
    main, aux_modules = split_main_and_aux(module_graph)
    shapes = {module.name: module.shape for module in module_graph.modules}
    keys, nodes, edges = {}, [], []
    for box in (*group_stages(main), *aux_modules):
        is_aux = box in aux_modules
        modules = (box,) if is_aux else box.modules
        key = modules[0].name
        keys |= {module.name: key for module in modules}
        if is_aux:
            kind, lines = box.kind, (*_format_loss(box), format_shape(box.shape))
        else:
            kind = get_stage_kind(box)
            lines = (*([box.contents] if box.contents else []), format_stage_shape(box))
        nodes.append(Node(key, kind, (box.title, *lines, *_format_parameters(box)), is_aux))
        edges += [_make_edge(keys[source], key, shapes[source], box.shape, is_aux)
                  for module in modules for source in module.inputs if keys[source] != key]
    return DiagramGraph(tuple(nodes), tuple(dict.fromkeys(edges)))


def _build_block_graph(module_graph, repeats):
    aux_names = {module.name for module in split_main_and_aux(module_graph)[1]}
    shapes = {module.name: module.shape for module in module_graph.modules}
    nodes = [Node(module.name, module.kind,
                  (module.title, describe_module(module), format_shape(module.shape), *_format_parameters(module)),
                  module.name in aux_names) for module in module_graph.modules]
    edges = [_make_edge(source, module.name, shapes[source], module.shape, module.name in aux_names)
             for module in module_graph.modules for source in module.inputs]
    return DiagramGraph(tuple(nodes), tuple(edges))


def _build_layer_graph(module_graph, repeats):
    modules = {module.name: module for module in module_graph.unfolded_modules}
    aux_names = {name for module in split_main_and_aux(module_graph)[1] for name in module.names}
    drawn_modules = [modules[name] for module in module_graph.modules
                     for name in (module.names if repeats else module.names[:1])]
    representatives = {} if repeats else {
        layer.name: first.name for module in module_graph.modules for name in module.names
        for first, layer in zip(module.layers, modules[name].layers, strict=True)}
    shapes = {layer.name: layer.shape for module in drawn_modules for layer in module.layers}
    edges = [_make_edge(representatives.get(source, source), layer.name, shapes[representatives.get(source, source)],
                        layer.shape,
                        module.name in aux_names and source not in {other.name for other in module.layers})
             for module in drawn_modules for layer in module.layers for source in layer.inputs]
    members = []
    for module in module_graph.modules:
        is_aux = module.name in aux_names
        groups = [_make_group(modules[name], is_aux) for name in module.names]
        if module.repeats > 1:
            group_members = groups if repeats else _make_nodes(module, is_aux)
            members.append(Group(f"{module.repeats} x {module.name}", module.title, tuple(group_members), is_aux))
        else:
            members += groups
    return DiagramGraph(tuple(members), tuple(dict.fromkeys(edges)))


GRAPH_BUILDERS = {"stages": _build_stage_graph, "blocks": _build_block_graph, "layers": _build_layer_graph}


def _make_group(module, is_aux):
    """Return a Group of a module's layers, or the Node of its only layer."""
    nodes = _make_nodes(module, is_aux)
    return nodes[0] if len(nodes) == 1 else Group(module.name, ", ".join((module.title, *_format_loss(module))),
                                                  tuple(nodes), is_aux)


def _make_nodes(module, is_aux):
    return [Node(layer.name, get_layer_kind(layer), (layer.name, format_layer(layer), format_shape(layer.shape)),
                 is_aux)
            for layer in module.layers]


def _format_loss(module):
    return () if module.loss_weight is None else (f"loss x {module.loss_weight:g}",)


def _format_parameters(box):
    return (f"{format_count(box.parameters)} parameters",) if box.parameters else ()


def _make_edge(source, target, shape, target_shape, is_aux):
    return Edge(source, target, format_shape(shape) if shape != target_shape else "", is_aux)
