"""A model as a Mermaid flowchart, which GitHub renders in a ```mermaid code block of a README."""

import json
import re

from zoo.diagrams.graph_model import Group, build_diagram_graph
from zoo.diagrams.options import DEFAULT_RANKDIRS
from zoo.diagrams.theme import LIGHT
from zoo.utils.text import flatten_whitespace

MAX_EDGES, MAX_CHARACTERS = 500, 50_000  # Mermaid's default limits, which GitHub uses
# Other characters may have a meaning in Markdown or Mermaid
PLAIN_CHARACTER = re.compile(r"[A-Za-z0-9 ,./+()]|(?<=[A-Za-z0-9])[_-](?=[A-Za-z0-9])")
NUMBERED_LIST = re.compile(r"^\s*\d+[.)](?=\s|$)")  # a label that begins like this is rendered as a list


def to_mermaid(module_graph, title, detail, rankdir=None):
    """Return the Mermaid text of a ModuleGraph at the level "stages", "blocks" or "layers".

    `rankdir` is "TB" or "LR"; default: that of DEFAULT_RANKDIRS. Of identical modules only the first is drawn, and a
    comment says so, if all layers exceed Mermaid's limits.
    """
    graph = build_diagram_graph(module_graph, detail)
    rankdir = rankdir or DEFAULT_RANKDIRS[detail]
    text, edge_count = _format_flowchart(graph, title, rankdir)
    if _is_too_large(text, edge_count):
        folded_graph = build_diagram_graph(module_graph, detail, repeats=False)
        text, _ = _format_flowchart(folded_graph, title, rankdir, "of identical modules only the first is drawn")
    return text


def _is_too_large(text, edge_count):
    return len(text) > MAX_CHARACTERS or edge_count > MAX_EDGES


def _format_flowchart(graph, title, rankdir, remark=""):
    """Return the text of a DiagramGraph and its number of edges."""
    lines = ["---", f"title: {json.dumps(flatten_whitespace(title))}", "---", f"flowchart {rankdir}"]
    lines += [f"    %% {remark}"] if remark else []
    ids, groups, kinds = {}, {False: [], True: []}, set()
    _add_members(graph.members, 1, lines, ids, groups, kinds)
    for edge in graph.edges:
        arrow = "-.->" if edge.is_aux else "-->"
        label = f'|"{escape_mermaid(edge.label)}"|' if edge.label else ""
        lines.append(f"    {ids[edge.source]} {arrow}{label} {ids[edge.target]}")
    lines += [f"    {style}" for style in _format_styles(kinds, groups)]
    return "\n".join([*lines, ""]), len(graph.edges)


def _add_members(members, depth, lines, ids, groups, kinds):
    indent = "    " * depth
    for member in members:
        if isinstance(member, Group):
            name = f"m{sum(map(len, groups.values()))}"
            groups[member.is_aux].append(name)
            lines.append(f'{indent}subgraph {name}["{escape_mermaid(member.title)}"]')
            _add_members(member.members, depth + 1, lines, ids, groups, kinds)
            lines.append(f"{indent}end")
        else:
            style = f"{member.kind}_aux" if member.is_aux else member.kind
            kinds.add((style, member.kind, member.is_aux))
            ids[member.key] = f"n{len(ids)}"
            lines.append(f'{indent}{ids[member.key]}["{"<br>".join(map(escape_mermaid, member.lines))}"]:::{style}')


def _format_styles(kinds, groups):
    """Yield the styles, with text colors: the page may be dark."""
    for style, kind, is_aux in sorted(kinds):
        fill, stroke = LIGHT.kinds[kind]
        yield f"classDef {style} fill:{fill},stroke:{stroke},color:{LIGHT.text}{_format_dashes(is_aux)}"
    for is_aux, names in groups.items():
        if names:
            style = "frame_aux" if is_aux else "frame"
            yield f"classDef {style} fill:{LIGHT.panel},stroke:{LIGHT.frame},color:{LIGHT.text}{_format_dashes(is_aux)}"
            yield f"class {','.join(names)} {style}"


def _format_dashes(is_aux):
    return ",stroke-dasharray:4 3" if is_aux else ""


def escape_mermaid(text):
    """Return text with all characters that may have a meaning in Mermaid, Markdown or HTML as #CODEPOINT;."""
    text = flatten_whitespace(text)
    numbered = NUMBERED_LIST.match(text)
    plain_indices = {match.start() for match in PLAIN_CHARACTER.finditer(text)}
    plain_indices -= {numbered.end() - 1 if numbered else -1}
    return "".join(character if index in plain_indices else f"#{ord(character)};"
                   for index, character in enumerate(text))
