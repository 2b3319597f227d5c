"""A network as nodes, groups and edges: what the text formats, Graphviz's and Mermaid's, are written from."""

from dataclasses import dataclass

from zoo.analysis.modules import split_main_and_aux, get_layer_kind, format_layer
from zoo.analysis.stages import group_stages
from zoo.diagrams.module_box import describe_module
from zoo.diagrams.stages_view import get_stage_kind
from zoo.diagrams.theme import format_count, format_shape
from zoo.errors import unknown_name_error

MODULE_KIND = "module"  # the kind of a node that is more than one layer


@dataclass(frozen=True)
class Node:
    key: str  # name of the layer, of the module, of the stage's first module
    kind: str  # a key of Theme.kinds, or MODULE
    lines: tuple  # of its label; the first is its name
    is_aux: bool = False  # a side classifier, or of one


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
    label: str  # the shape where it changes, else ""
    is_aux: bool = False  # from the network to a side classifier


@dataclass(frozen=True)
class DiagramGraph:
    members: tuple  # Nodes and Groups in the order of the flow
    edges: tuple


def build_diagram_graph(module_graph, detail, *, repeats=True):
    """Return the DiagramGraph of a Plan at "stages", "blocks" or "layers".

    Without `repeats` the layers of one module stand for those of all that repeat it.
    """
    if detail not in GRAPH_BUILDERS:
        raise unknown_name_error("detail", detail, GRAPH_BUILDERS)
    return GRAPH_BUILDERS[detail](module_graph, repeats)


def _build_stage_graph(module_graph, repeats):
    main, others = split_main_and_aux(module_graph)
    groups = [(stage, stage.modules, stage.title) for stage in group_stages(main)]
    groups += [(module, (module,), module.title) for module in others]
    aside = {module.name for module in others}
    shapes = {module.name: module.shape for module in module_graph.modules}
    of, nodes, edges = {}, [], []
    for whole, modules, title in groups:
        key = modules[0].name
        of |= {module.name: key for module in modules}
        nodes.append(Node(key, _get_node_kind(modules[:1]) if key in aside else get_stage_kind(whole) or MODULE_KIND,
                          (title, *_format_loss(modules[0]), *_format_counts(whole)), key in aside))
        edges += [_make_edge(of[source], key, shapes[source], whole.shape, key in aside)
                  for module in modules for source in module.inputs if of[source] != key]
    return DiagramGraph(tuple(nodes), tuple(dict.fromkeys(edges)))


def _build_block_graph(module_graph, repeats):
    aside = {module.name for module in split_main_and_aux(module_graph)[1]}
    shapes = {module.name: module.shape for module in module_graph.modules}
    nodes = [Node(module.name, _get_node_kind([module]),
                  (module.title, describe_module(module), *_format_counts(module)),
                  module.name in aside) for module in module_graph.modules]
    edges = [_make_edge(source, module.name, shapes[source], module.shape, module.name in aside)
             for module in module_graph.modules for source in module.inputs]
    return DiagramGraph(tuple(nodes), tuple(edges))


def _build_layer_graph(module_graph, repeats):
    each = {module.name: module for module in module_graph.unfolded_modules}
    aside = {name for module in split_main_and_aux(module_graph)[1] for name in module.names}
    shown = [each[name] for module in module_graph.modules for name in (module.names if repeats else module.names[:1])]
    stands = {} if repeats else {layer.name: first.name for module in module_graph.modules for name in module.names
                                 for first, layer in zip(_get_layers(module), _get_layers(each[name]), strict=True)}
    shapes = {layer.name: layer.shape for module in shown for layer in _get_layers(module)}
    edges = [_make_edge(stands.get(source, source), layer.name, shapes[stands.get(source, source)], layer.shape,
                        module.name in aside and source not in {other.name for other in _get_layers(module)})
             for module in shown for layer in _get_layers(module) for source in layer.inputs]
    members = []
    for module in module_graph.modules:
        side = module.name in aside
        inside = [_make_group(each[name], each[name].title, side) for name in module.names]
        if module.repeats > 1:
            inside = inside if repeats else _make_nodes(module, side)
            members.append(Group(f"{module.repeats} x {module.name}", module.title, tuple(inside), side))
        else:
            members += inside
    return DiagramGraph(tuple(members), tuple(dict.fromkeys(edges)))


GRAPH_BUILDERS = {"stages": _build_stage_graph, "blocks": _build_block_graph, "layers": _build_layer_graph}


def _make_group(module, title, is_aux):
    """Return a module's layers in a Group; one layer needs none."""
    nodes = _make_nodes(module, is_aux)
    return nodes[0] if len(nodes) == 1 else Group(module.name, ", ".join((title, *_format_loss(module))), tuple(nodes),
                                                  is_aux)


def _make_nodes(module, is_aux):
    return [Node(layer.name, get_layer_kind(layer), (layer.name, format_layer(layer), format_shape(layer.shape)),
                 is_aux)
            for layer in _get_layers(module)]


def _get_layers(module):
    return [layer for unit in module.fused_layers for layer in unit.layers]


def _get_node_kind(modules):
    """Return the kind of a node: that of its modules' layers where they are single ones of the same kind."""
    kinds = {module.fused_layers[0].kind if len(module.fused_layers) == 1 else MODULE_KIND for module in modules}
    return kinds.pop() if len(kinds) == 1 else MODULE_KIND


def _format_loss(module):
    return () if module.loss_weight is None else (f"loss x {module.loss_weight:g}",)


def _format_counts(box):
    parameters = (f"{format_count(box.parameters)} parameters",) if box.parameters else ()
    return (format_shape(box.shape), *parameters)


def _make_edge(source, target, shape, target_shape, is_aux):
    return Edge(source, target, format_shape(shape) if shape != target_shape else "", is_aux)
