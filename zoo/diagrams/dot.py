"""A network as Graphviz's dot text, for those who lay it out themselves: `dot -Tsvg network.dot`."""

import pydot

from zoo.diagrams.graph_model import MODULE_KIND, Group, build_diagram_graph
from zoo.diagrams.theme import LIGHT, DEFAULT_DIRECTIONS
from zoo.plots.font_metrics import FONT, flatten_whitespace


def to_dot(module_graph, title, detail, direction=None):
    """Return the dot text of a Plan at "stages", "blocks" or "layers"; nodes bear the names of layers or modules.

    `direction` is "down" or "right"; default: the level's usual one.
    """
    drawn = build_diagram_graph(module_graph, detail)
    graph = pydot.Dot(quote_dot(title), graph_type="digraph", label=format_dot_label((title,)), labelloc="t",
                      rankdir={"right": "LR", "down": "TB"}[direction or DEFAULT_DIRECTIONS[detail]],
                      bgcolor=quote_dot(LIGHT.background), **make_font_attributes(14))
    graph.set_node_defaults(shape="box", style=quote_dot("rounded,filled"), penwidth="1.1", height="0.3",
                            margin=quote_dot("0.12,0.06"), **make_font_attributes(9))
    graph.set_edge_defaults(color=quote_dot(LIGHT.line), arrowsize="0.6", **make_font_attributes(7, LIGHT.muted))
    ids = _make_node_ids(drawn.members)
    _add_members(graph, drawn.members, ids)
    for edge in drawn.edges:
        said = {"label": format_dot_label((f" {edge.label} ",))} if edge.label else {}
        dashed = {"style": "dashed"} if edge.is_aux else {}
        graph.add_edge(pydot.Edge(ids[edge.source], ids[edge.target], **said, **dashed))
    return graph.to_string()


def _add_members(graph, members, ids):
    for member in members:
        if isinstance(member, Group):
            cluster = pydot.Cluster(str(len(ids)), label=format_dot_label((member.title,)),
                                    bgcolor=quote_dot(LIGHT.panel),
                                    style=quote_dot("rounded,dashed" if member.is_aux else "rounded"),
                                    color=quote_dot(LIGHT.frame), labeljust="l", **make_font_attributes(10))
            ids[f"cluster {len(ids)}"] = None  # the next has another number
            _add_members(cluster, member.members, ids)
            graph.add_subgraph(cluster)
        else:
            fill, stroke = LIGHT.module if member.kind == MODULE_KIND else LIGHT.kinds[member.kind]
            dashed = {"style": quote_dot("rounded,filled,dashed")} if member.is_aux else {}
            graph.add_node(pydot.Node(ids[member.key], label=format_dot_label(member.lines), fillcolor=quote_dot(fill),
                                      color=quote_dot(stroke), **dashed))


def _make_node_ids(members):
    """Return {key of a node: its name in the text}."""
    ids = {}
    for node in _iterate_nodes(members):
        name, number = flatten_whitespace(node.key), 2
        while quote_dot(name) in ids.values():  # names that differ in what cannot be printed
            name, number = f"{flatten_whitespace(node.key)} {number}", number + 1
        ids[node.key] = quote_dot(name)
    return ids


def _iterate_nodes(members):
    for member in members:
        yield from _iterate_nodes(member.members) if isinstance(member, Group) else (member,)


def make_font_attributes(size, color=LIGHT.text):
    return {"fontname": quote_dot(FONT), "fontsize": str(size), "fontcolor": quote_dot(color)}


def quote_dot(text):
    r"""Return words in quotes. A lone backslash would begin one of dot's escapes, as \N, the name of the node."""
    return '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'


def format_dot_label(lines):
    """Return lines as a label; an ampersand would begin an entity."""
    return r"\n".join(quote_dot(flatten_whitespace(line).replace("&", "&amp;"))[1:-1] for line in lines).join('""')
