"""A model as text in Graphviz's DOT language, for a layout of your own: `dot -Tsvg network.dot`."""

import pydot

from zoo.diagrams.graph_model import Group, build_diagram_graph
from zoo.diagrams.options import DEFAULT_RANKDIRS
from zoo.diagrams.theme import LIGHT
from zoo.plots.font_metrics import FONT
from zoo.utils.text import flatten_whitespace


def to_dot(module_graph, title, detail, rankdir=None):
    """Return the DOT text of a ModuleGraph at the level "stages", "blocks" or "layers".

    Nodes have the names of layers or modules. `rankdir` is "TB" or "LR"; default: that of DEFAULT_RANKDIRS.
    """
    diagram_graph = build_diagram_graph(module_graph, detail)
    graph = pydot.Dot(quote_dot(title), graph_type="digraph", label=format_dot_label((title,)), labelloc="t",
                      rankdir=rankdir or DEFAULT_RANKDIRS[detail], bgcolor=quote_dot(LIGHT.background),
                      **make_font_attributes(14))
    graph.set_node_defaults(shape="box", style=quote_dot("rounded,filled"), penwidth="1.1", height="0.3",
                            margin=quote_dot("0.12,0.06"), **make_font_attributes(9))
    graph.set_edge_defaults(color=quote_dot(LIGHT.line), arrowsize="0.6", **make_font_attributes(7, LIGHT.muted))
    ids = _make_node_ids(diagram_graph.members)
    _add_members(graph, diagram_graph.members, ids)
    for edge in diagram_graph.edges:
        label = {"label": format_dot_label((f" {edge.label} ",))} if edge.label else {}
        dashed = {"style": "dashed"} if edge.is_aux else {}
        graph.add_edge(pydot.Edge(ids[edge.source], ids[edge.target], **label, **dashed))
    return graph.to_string()


def _add_members(graph, members, ids):
    for member in members:
        if isinstance(member, Group):
            cluster = pydot.Cluster(str(len(ids)), label=format_dot_label((member.title,)),
                                    bgcolor=quote_dot(LIGHT.panel),
                                    style=quote_dot("rounded,dashed" if member.is_aux else "rounded"),
                                    color=quote_dot(LIGHT.frame), labeljust="l", **make_font_attributes(10))
            ids[f"cluster {len(ids)}"] = None  # so that the next cluster gets another number
            _add_members(cluster, member.members, ids)
            graph.add_subgraph(cluster)
        else:
            fill, stroke = LIGHT.kinds[member.kind]
            dashed = {"style": quote_dot("rounded,filled,dashed")} if member.is_aux else {}
            graph.add_node(pydot.Node(ids[member.key], label=format_dot_label(member.lines), fillcolor=quote_dot(fill),
                                      color=quote_dot(stroke), **dashed))


def _make_node_ids(members):
    """Return {key of a node: its quoted ID in the DOT text}."""
    ids = {}
    for node in _iterate_nodes(members):
        name, number = flatten_whitespace(node.key), 2
        while quote_dot(name) in ids.values():  # names that differ in unprintable characters only
            name, number = f"{flatten_whitespace(node.key)} {number}", number + 1
        ids[node.key] = quote_dot(name)
    return ids


def _iterate_nodes(members):
    for member in members:
        yield from _iterate_nodes(member.members) if isinstance(member, Group) else (member,)


def make_font_attributes(size, color=LIGHT.text):
    return {"fontname": quote_dot(FONT), "fontsize": str(size), "fontcolor": quote_dot(color)}


def quote_dot(text):
    r"""Return text in quotes, with backslashes escaped: DOT has escapes such as \N, the name of the node."""
    return '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'


def format_dot_label(lines):
    """Return lines as a label, with ampersands escaped: they would begin an HTML entity."""
    return r"\n".join(quote_dot(flatten_whitespace(line).replace("&", "&amp;"))[1:-1] for line in lines).join('""')
