"""A network as a Mermaid flowchart, which GitHub draws where a README has it between ```mermaid and ```."""

import json
import re

from zoo.diagrams.graph_model import MODULE_KIND, Group, build_diagram_graph
from zoo.diagrams.theme import LIGHT, DEFAULT_DIRECTIONS
from zoo.utils.text import flatten_whitespace

MAX_EDGES, MAX_CHARACTERS = 500, 50_000  # Mermaid's own limits, which GitHub keeps
# Others might be Markdown or Mermaid
PLAIN_CHARACTER = re.compile(r"[A-Za-z0-9 ,./+()]|(?<=[A-Za-z0-9])[_-](?=[A-Za-z0-9])")
NUMBERED_LIST = re.compile(r"^\s*\d+[.)](?=\s|$)")  # a label that begins so would be taken for a numbered list


def to_mermaid(module_graph, title, detail, direction=None):
    """Return the Mermaid text of a Plan at "stages", "blocks" or "layers".

    `direction` is "down" or "right"; default: the level's usual one.
    Where all layers are more than Mermaid takes, repeats are drawn once: a comment says so.
    """
    drawn, flow = build_diagram_graph(module_graph,
                                      detail), {"right": "LR", "down": "TB"}[direction or DEFAULT_DIRECTIONS[detail]]
    text, edges = _format_flowchart(drawn, title, flow)
    if _is_too_large(text, edges):
        less = build_diagram_graph(module_graph, detail, repeats=False)
        text, _ = _format_flowchart(less, title, flow, "of modules that repeat only the first is drawn")
    return text


def _is_too_large(text, edges):
    return len(text) > MAX_CHARACTERS or edges > MAX_EDGES


def _format_flowchart(graph, title, flow, remark=""):
    """Return the text of a DiagramGraph and the number of its edges."""
    lines = ["---", f"title: {json.dumps(flatten_whitespace(title))}", "---", f"flowchart {flow}"]
    lines += [f"    %% {remark}"] if remark else []
    ids, groups, kinds = {}, {False: [], True: []}, set()
    _add_members(graph.members, 1, lines, ids, groups, kinds)
    for edge in graph.edges:
        arrow = "-.->" if edge.is_aux else "-->"
        said = f'|"{escape_mermaid(edge.label)}"|' if edge.label else ""
        lines.append(f"    {ids[edge.source]} {arrow}{said} {ids[edge.target]}")
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
            style = f"{member.kind}_side" if member.is_aux else member.kind
            kinds.add((style, member.kind, member.is_aux))
            ids[member.key] = f"n{len(ids)}"
            lines.append(f'{indent}{ids[member.key]}["{"<br>".join(map(escape_mermaid, member.lines))}"]:::{style}')


def _format_styles(kinds, groups):
    """Yield the colours; those of words too, because a page may be dark."""
    for style, kind, side in sorted(kinds):
        fill, stroke = LIGHT.module if kind == MODULE_KIND else LIGHT.kinds[kind]
        yield f"classDef {style} fill:{fill},stroke:{stroke},color:{LIGHT.text}{_format_dashes(side)}"
    for side, names in groups.items():
        if names:
            style = "frame_side" if side else "frame"
            yield f"classDef {style} fill:{LIGHT.panel},stroke:{LIGHT.frame},color:{LIGHT.text}{_format_dashes(side)}"
            yield f"class {','.join(names)} {style}"


def _format_dashes(is_aux):
    return ",stroke-dasharray:4 3" if is_aux else ""


def escape_mermaid(text):
    """Return words with all that might mean something in Mermaid, Markdown or HTML as #NUMBER; of the character."""
    text = flatten_whitespace(text)
    numbered = NUMBERED_LIST.match(text)
    kept = {match.start() for match in PLAIN_CHARACTER.finditer(text)} - {numbered.end() - 1 if numbered else -1}
    return "".join(letter if place in kept else f"#{ord(letter)};" for place, letter in enumerate(text))
