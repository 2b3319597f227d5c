"""A network as a Mermaid flowchart, which GitHub draws where a README has it between ```mermaid and ```."""

import json
import re

from zoo.diagrams.graph_model import MODULE, Group, chart
from zoo.diagrams.theme import LIGHT, USUAL
from zoo.plots.font_metrics import printable

MOST_EDGES, MOST_CHARACTERS = 500, 50_000  # Mermaid's own limits, which GitHub keeps
PLAIN = re.compile(r"[A-Za-z0-9 ,./+()]|(?<=[A-Za-z0-9])[_-](?=[A-Za-z0-9])")  # others might be Markdown or Mermaid
LIST = re.compile(r"^\s*\d+[.)](?=\s|$)")  # a label that begins so would be taken for a numbered list


def mermaid(plan, title, detail, direction=None):
    """Return the Mermaid text of a Plan at "stages", "blocks" or "layers".

    `direction` is "down" or "right"; default: the level's usual one.
    Where all layers are more than Mermaid takes, repeats are drawn once: a comment says so.
    """
    drawn, flow = chart(plan, detail), {"right": "LR", "down": "TB"}[direction or USUAL[detail]]
    text, edges = _written(drawn, title, flow)
    if _too_much(text, edges):
        less = chart(plan, detail, repeats=False)
        text, _ = _written(less, title, flow, "of modules that repeat only the first is drawn")
    return text


def _too_much(text, edges):
    return len(text) > MOST_CHARACTERS or edges > MOST_EDGES


def _written(drawn, title, flow, remark=""):
    """Return the text of a Chart and the number of its edges."""
    lines = ["---", f"title: {json.dumps(printable(title))}", "---", f"flowchart {flow}"]
    lines += [f"    %% {remark}"] if remark else []
    ids, groups, kinds = {}, {False: [], True: []}, set()
    _add(drawn.members, 1, lines, ids, groups, kinds)
    for edge in drawn.edges:
        arrow = "-.->" if edge.side else "-->"
        said = f'|"{escaped(edge.words)}"|' if edge.words else ""
        lines.append(f"    {ids[edge.source]} {arrow}{said} {ids[edge.target]}")
    lines += [f"    {style}" for style in _styles(kinds, groups)]
    return "\n".join([*lines, ""]), len(drawn.edges)


def _add(members, depth, lines, ids, groups, kinds):
    indent = "    " * depth
    for member in members:
        if isinstance(member, Group):
            name = f"m{sum(map(len, groups.values()))}"
            groups[member.side].append(name)
            lines.append(f'{indent}subgraph {name}["{escaped(member.title)}"]')
            _add(member.members, depth + 1, lines, ids, groups, kinds)
            lines.append(f"{indent}end")
        else:
            style = f"{member.kind}_side" if member.side else member.kind
            kinds.add((style, member.kind, member.side))
            ids[member.key] = f"n{len(ids)}"
            lines.append(f'{indent}{ids[member.key]}["{"<br>".join(map(escaped, member.lines))}"]:::{style}')


def _styles(kinds, groups):
    """Yield the colours; those of words too, because a page may be dark."""
    for style, kind, side in sorted(kinds):
        fill, stroke = LIGHT.module if kind == MODULE else LIGHT.kinds[kind]
        yield f"classDef {style} fill:{fill},stroke:{stroke},color:{LIGHT.ink}{_dashes(side)}"
    for side, names in groups.items():
        if names:
            style = "frame_side" if side else "frame"
            yield f"classDef {style} fill:{LIGHT.panel},stroke:{LIGHT.frame},color:{LIGHT.ink}{_dashes(side)}"
            yield f"class {','.join(names)} {style}"


def _dashes(side):
    return ",stroke-dasharray:4 3" if side else ""


def escaped(words):
    """Return words with all that might mean something in Mermaid, Markdown or HTML as #NUMBER; of the character."""
    words = printable(words)
    numbered = LIST.match(words)
    kept = {match.start() for match in PLAIN.finditer(words)} - {numbered.end() - 1 if numbered else -1}
    return "".join(letter if place in kept else f"#{ord(letter)};" for place, letter in enumerate(words))
