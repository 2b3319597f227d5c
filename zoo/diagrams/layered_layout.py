"""Layered layout of a graph: ranks in the direction of the flow, few crossings, straight lines.

The four steps of Sugiyama, Tagawa and Toda 1981: the rank of a box is the length of the longest path to it; an edge
that spans several ranks gets a bend in each; the boxes of a rank are ordered by the barycenters of their neighbors
until there are few crossings; positions along a rank are as close to the barycenters as the order and the widths allow.
The layout is computed from top to bottom; one from left to right is that of transposed boxes.
"""

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations, pairwise

from zoo.diagrams.x_coordinates import assign_x_coordinates

ORDERING_SWEEPS = 12  # over all ranks, alternately down and up
CORNER_MARGIN = 8.0  # points from the corners of a box without connections
BEND_WIDTH = 6.0  # points, the width of an edge that passes a rank
FORK_AT, MERGE_AT = 0.3, 0.62  # where edges part and meet between two ranks, as fractions of `rank_sep`
LEVEL_GAP = 6.0  # points between lines that would otherwise overlap there
STRAIGHT_TOLERANCE = 0.01  # points


@dataclass(frozen=True)
class Layout:
    """Positions in points from the upper left corner."""

    width: float
    height: float
    positions: dict  # {box: (x, y) of its upper left corner}
    routes: dict  # {(source, target): ((x, y), ...)}


def compute_layered_layout(sizes, edges, *, node_sep=10.0, rank_sep=18.0, rankdir="TB"):
    """Return the Layout of boxes, {box: (width, height)} in topological order, and edges, [(source, target)].

    `node_sep` is the distance between neighbors of a rank, and `rank_sep` that between ranks, in points.
    """
    if rankdir == "LR":
        transposed = compute_layered_layout({box: size[::-1] for box, size in sizes.items()}, edges,
                                            node_sep=node_sep, rank_sep=rank_sep)
        return Layout(transposed.height, transposed.width,
                      {box: position[::-1] for box, position in transposed.positions.items()},
                      {edge: tuple(point[::-1] for point in route) for edge, route in transposed.routes.items()})
    edges = [edge for edge in dict.fromkeys(edges) if edge[0] != edge[1]]
    rank = _assign_ranks(sizes, edges)
    widths = {box: width for box, (width, _) in sizes.items()}
    chains = _insert_bends(edges, rank, widths)
    above, below = defaultdict(list), defaultdict(list)
    for chain in chains.values():
        for upper, lower in pairwise(chain):
            below[upper].append(lower)
            above[lower].append(upper)
    order = _reduce_crossings(_compute_initial_order(sizes, below, rank), above, below)
    x = assign_x_coordinates(order, widths, above, below, sizes, node_sep)
    merges, forks = ({box for box in sizes if len(neighbors[box]) > 1} for neighbors in (above, below))
    lines = {edge: _route_lines(chain, x, sizes, merges, forks) for edge, chain in chains.items()}
    turns = _collect_turns(chains, lines, rank, merges)
    levels, level_counts = _assign_levels(turns)

    tops, bottoms, y = [], [], 0.0
    for index, row in enumerate(order):
        tops.append(y)
        bottoms.append(y + max((sizes[box][1] for box in row if box in sizes), default=0.0))
        y = bottoms[-1] + rank_sep + LEVEL_GAP * max(0, level_counts[index] - 2)
    routes = {}
    for edge, chain in chains.items():
        points = [(lines[edge][0][0], tops[rank[chain[0]]] + sizes[chain[0]][1])]
        for (upper, lower), (upper_x, lower_x) in zip(pairwise(chain), lines[edge], strict=True):
            if upper_x != lower_x:
                index, is_merge = rank[upper], lower in merges
                first_y, last_y = bottoms[index] + rank_sep * FORK_AT, tops[index + 1] - rank_sep * (1 - MERGE_AT)
                level = levels[index, lower if is_merge else chain[0], is_merge]
                fraction = level / (level_counts[index] - 1) if level_counts[index] > 1 else is_merge
                turn_y = first_y + (last_y - first_y) * fraction
                points += [(upper_x, turn_y), (lower_x, turn_y)]
        routes[edge] = (*points, (lines[edge][-1][1], tops[rank[chain[-1]]]))
    positions = {box: (x[box] - sizes[box][0] / 2, tops[rank[box]]) for box in sizes}
    width = max((x[box] + widths[box] / 2 for box in x), default=0.0)
    return Layout(width, bottoms[-1] if bottoms else 0.0, positions, routes)


def _assign_ranks(sizes, edges):
    sources = defaultdict(list)
    for source, target in edges:
        sources[target].append(source)
    rank = {}
    for box in sizes:  # topological order: the ranks of its sources are known
        rank[box] = max((rank[source] + 1 for source in sources[box]), default=0)
    return rank


def _insert_bends(edges, rank, widths):
    """Return {edge: its box or bend in each rank}; bends are added to `rank` and `widths`."""
    chains = {}
    for edge in edges:
        source, target = edge
        bends = [(edge, bend_rank) for bend_rank in range(rank[source] + 1, rank[target])]
        for bend in bends:
            rank[bend], widths[bend] = bend[1], BEND_WIDTH
        chains[edge] = [source, *bends, target]
    return chains


def _compute_initial_order(sizes, below, rank):
    """Return the rows of boxes and bends in the order of a depth-first search, branch by branch."""
    order = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    visited = set()
    stack = [box for box in reversed(list(sizes)) if rank[box] == 0]
    while stack:
        box = stack.pop()
        if box not in visited:
            visited.add(box)
            order[rank[box]].append(box)
            stack.extend(reversed(below[box]))
    return order


def _reduce_crossings(order, above, below):
    """Return the reordered rows with the fewest crossings in ORDERING_SWEEPS sweeps."""
    best_order, min_crossings = order, _count_crossings(order, below)
    for sweep in range(ORDERING_SWEEPS):
        if not min_crossings:
            break
        order = [list(row) for row in order]
        neighbors, rows = (above, range(1, len(order))) if sweep % 2 == 0 else (below, range(len(order) - 2, -1, -1))
        for row in rows:
            fixed_row = order[row - 1 if sweep % 2 == 0 else row + 1]
            fixed_indices = {box: index for index, box in enumerate(fixed_row)}
            barycenters = {}
            for index, box in enumerate(order[row]):
                indices = sorted(fixed_indices[neighbor] for neighbor in neighbors[box])
                barycenters[box] = sum(indices) / len(indices) if indices else index
            order[row].sort(key=barycenters.get)
        crossings = _count_crossings(order, below)
        if crossings < min_crossings:
            best_order, min_crossings = order, crossings
    return best_order


def _count_crossings(order, below):
    """Return the number of crossings of lines between neighboring rows."""
    count = 0
    for upper, lower in pairwise(order):
        indices = {box: index for index, box in enumerate(lower)}
        ends = [index for box in upper for index in sorted(indices[neighbor] for neighbor in below[box])]
        count += sum(ends[later] < ends[first] for first in range(len(ends)) for later in range(first + 1, len(ends)))
    return count


def _route_lines(chain, x, sizes, merges, forks):
    """Return (x at the upper box, x at the lower box) for each pair of ranks that an edge connects.

    An edge is attached anywhere on the sides of the boxes where this saves a bend; edges that part share a trunk, and
    edges that meet share an arrowhead.
    """
    def get_attachment_range(box, shared_boxes):
        return max(sizes[box][0] / 2 - CORNER_MARGIN, 0.0) if box in sizes and box not in shared_boxes else 0.0

    current_x, lines = x[chain[0]], []
    for upper, lower in pairwise(chain):
        upper_range, lower_range = get_attachment_range(upper, forks), get_attachment_range(lower, merges)
        min_x, max_x = max(current_x - upper_range, x[lower] - lower_range), min(current_x + upper_range,
                                                                                x[lower] + lower_range)
        upper_x = min(max(x[lower] if upper_range else current_x, min_x), max_x) if min_x <= max_x else current_x
        lower_x = upper_x if min_x <= max_x else x[lower]
        if abs(upper_x - lower_x) < STRAIGHT_TOLERANCE:
            lower_x = upper_x
        lines.append((upper_x, lower_x))
        current_x = lower_x
    return lines


def _collect_turns(chains, lines, rank, merges):
    """Return {(rank above, box where lines part or meet, whether they meet): (xs above, xs below)}."""
    turns = defaultdict(lambda: (set(), set()))
    for edge, chain in chains.items():
        for (upper, lower), (upper_x, lower_x) in zip(pairwise(chain), lines[edge], strict=True):
            if upper_x != lower_x:
                upper_xs, lower_xs = turns[rank[upper], lower if lower in merges else chain[0], lower in merges]
                upper_xs.add(upper_x)
                lower_xs.add(lower_x)
    return turns


def _assign_levels(turns):
    """Return {key of turns: level, counted from above} and {rank: number of levels}.

    Lines that would overlap turn at different levels, in the order with fewer crossings.
    """
    pairs = []  # (above, below)
    for one, other in combinations(turns, 2):
        if one[0] == other[0] and _is_overlapping(turns[one], turns[other]):
            # With as many crossings, lines part above and meet below
            crossings = _count_turn_crossings(turns[one], turns[other]), one[2]
            pairs.append((one, other) if crossings <= (_count_turn_crossings(turns[other], turns[one]), other[2])
                         else (other, one))
    levels, level_counts = dict.fromkeys(turns, 0), defaultdict(int)
    for _ in turns:  # the length of the longest chain of them
        for above, below in pairs:
            levels[below] = min(max(levels[below], levels[above] + 1), len(turns))
    for key, level in levels.items():
        level_counts[key[0]] = max(level_counts[key[0]], level + 1)
    for key in turns:
        if key[2] and all(key != above for above, _ in pairs):
            levels[key] = level_counts[key[0]] - 1
    return levels, level_counts


def _is_overlapping(one, other):
    (low, high), (other_low, other_high) = ((min(a | b), max(a | b)) for a, b in (one, other))
    return low < other_high and other_low < high


def _count_turn_crossings(above, below):
    """Return the number of crossings of two turns, one above the other."""
    def count_inside(xs, turn):
        return sum(min(turn[0] | turn[1]) < x < max(turn[0] | turn[1]) for x in xs)

    return count_inside(above[1], below) + count_inside(below[0], above)
