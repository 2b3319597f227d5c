"""A network as Graphviz's dot text, for those who lay it out themselves: `dot -Tsvg network.dot`."""

import pydot

from zoo.diagrams.graph_model import MODULE, Group, chart
from zoo.diagrams.theme import LIGHT, USUAL
from zoo.plots.font_metrics import FONT, printable


def dot(plan, title, detail, direction=None):
    """Return the dot text of a Plan at "stages", "blocks" or "layers"; nodes bear the names of layers or modules.

    `direction` is "down" or "right"; default: the level's usual one.
    """
    drawn = chart(plan, detail)
    graph = pydot.Dot(quoted(title), graph_type="digraph", label=label((title,)), labelloc="t",
                      rankdir={"right": "LR", "down": "TB"}[direction or USUAL[detail]], bgcolor=quoted(LIGHT.paper),
                      **letters(14))
    graph.set_node_defaults(shape="box", style=quoted("rounded,filled"), penwidth="1.1", height="0.3",
                            margin=quoted("0.12,0.06"), **letters(9))
    graph.set_edge_defaults(color=quoted(LIGHT.line), arrowsize="0.6", **letters(7, LIGHT.faint))
    ids = _ids(drawn.members)
    _add(graph, drawn.members, ids)
    for edge in drawn.edges:
        said = {"label": label((f" {edge.words} ",))} if edge.words else {}
        dashed = {"style": "dashed"} if edge.side else {}
        graph.add_edge(pydot.Edge(ids[edge.source], ids[edge.target], **said, **dashed))
    return graph.to_string()


def _add(graph, members, ids):
    for member in members:
        if isinstance(member, Group):
            cluster = pydot.Cluster(str(len(ids)), label=label((member.title,)), bgcolor=quoted(LIGHT.panel),
                                    style=quoted("rounded,dashed" if member.side else "rounded"),
                                    color=quoted(LIGHT.frame), labeljust="l", **letters(10))
            ids[f"cluster {len(ids)}"] = None  # the next has another number
            _add(cluster, member.members, ids)
            graph.add_subgraph(cluster)
        else:
            fill, stroke = LIGHT.module if member.kind == MODULE else LIGHT.kinds[member.kind]
            dashed = {"style": quoted("rounded,filled,dashed")} if member.side else {}
            graph.add_node(pydot.Node(ids[member.key], label=label(member.lines), fillcolor=quoted(fill),
                                      color=quoted(stroke), **dashed))


def _ids(members):
    """Return {key of a node: its name in the text}."""
    ids = {}
    for node in _flat(members):
        name, number = printable(node.key), 2
        while quoted(name) in ids.values():  # names that differ in what cannot be printed
            name, number = f"{printable(node.key)} {number}", number + 1
        ids[node.key] = quoted(name)
    return ids


def _flat(members):
    for member in members:
        yield from _flat(member.members) if isinstance(member, Group) else (member,)


def letters(size, colour=LIGHT.ink):
    return {"fontname": quoted(FONT), "fontsize": str(size), "fontcolor": quoted(colour)}


def quoted(words):
    r"""Return words in quotes. A lone backslash would begin one of dot's escapes, as \N, the name of the node."""
    return '"' + words.replace("\\", r"\\").replace('"', r"\"") + '"'


def label(lines):
    """Return lines as a label; an ampersand would begin an entity."""
    return r"\n".join(quoted(printable(line).replace("&", "&amp;"))[1:-1] for line in lines).join('""')
