"""Where the boxes of a graph go: ranks in the direction of the flow, few crossings, straight lines.

The usual four steps (Sugiyama, Tagawa and Toda 1981): the rank of a box is the longest way to it; an edge over several
ranks gets a bend in each; boxes of a rank are ordered by the middle of their neighbours until crossings are few; places
along a rank are as near to that middle as the order and the boxes' widths allow. Here all is worked out downwards; a
layout to the right is that of boxes that lie on their sides.
"""

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations, pairwise

from zoo.diagrams.x_coordinates import assign_x_coordinates

ORDERING_SWEEPS = 12  # over all ranks, down and up in turn
CORNER_MARGIN = 8.0  # points from the corner of a box in which no line meets it
BEND_WIDTH = 6.0  # points, the room of an edge that passes a rank
FORK_AT, MERGE_AT = 0.3, 0.62  # where between two ranks a fork parts and lines meet, in the room between them
LEVEL_GAP = 6.0  # points between lines that would lie upon another there
STRAIGHT_TOLERANCE = 0.01  # points


@dataclass(frozen=True)
class Layout:
    """Points from the upper left corner: that of each box, and the way of each edge."""

    width: float
    height: float
    positions: dict  # {box: (x, y) of its upper left corner}
    routes: dict  # {(from, to): ((x, y), ...)}


def compute_layered_layout(sizes, edges, *, node_sep=10.0, rank_sep=18.0, rankdir="TB"):
    """Return the Layout of {box: (width, height)} in an order of flow and of [(from, to)].

    `between` is the room between neighbours of a rank, `ranks` the room between ranks, in points.
    """
    if rankdir == "LR":
        lying = compute_layered_layout({box: size[::-1] for box, size in sizes.items()}, edges, node_sep=node_sep,
                                       rank_sep=rank_sep)
        return Layout(lying.height, lying.width, {box: place[::-1] for box, place in lying.positions.items()},
                      {edge: tuple(point[::-1] for point in route) for edge, route in lying.routes.items()})
    edges = [edge for edge in dict.fromkeys(edges) if edge[0] != edge[1]]
    rank = _assign_ranks(sizes, edges)
    widths = {box: width for box, (width, _) in sizes.items()}
    chains = _insert_bends(edges, rank, widths)
    above, below = defaultdict(list), defaultdict(list)
    for chain in chains.values():
        for upper, lower in pairwise(chain):
            below[upper].append(lower)
            above[lower].append(upper)
    order = _reduce_crossings(_compute_initial_order(sizes, chains, rank), above, below)
    x = assign_x_coordinates(order, widths, above, below, sizes, node_sep)
    merges, forks = ({box for box in sizes if len(beside[box]) > 1} for beside in (above, below))
    lines = {edge: _route_lines(chain, x, sizes, merges, forks) for edge, chain in chains.items()}
    turns = _collect_turns(chains, lines, rank, merges)
    levels, most = _assign_levels(turns)

    tops, bottoms, y = [], [], 0.0
    for number, row in enumerate(order):
        tops.append(y)
        bottoms.append(y + max((sizes[box][1] for box in row if box in sizes), default=0.0))
        y = bottoms[-1] + rank_sep + LEVEL_GAP * max(0, most[number] - 2)
    routes = {}
    for edge, chain in chains.items():
        points = [(lines[edge][0][0], tops[rank[chain[0]]] + sizes[chain[0]][1])]
        for (upper, lower), (leave, meet) in zip(pairwise(chain), lines[edge], strict=True):
            if leave != meet:
                number, merging = rank[upper], lower in merges
                first, last = bottoms[number] + rank_sep * FORK_AT, tops[number + 1] - rank_sep * (1 - MERGE_AT)
                level = levels[number, lower if merging else chain[0], merging]
                share = level / (most[number] - 1) if most[number] > 1 else merging
                turn = first + (last - first) * share
                points += [(leave, turn), (meet, turn)]
        routes[edge] = (*points, (lines[edge][-1][1], tops[rank[chain[-1]]]))
    places = {box: (x[box] - sizes[box][0] / 2, tops[rank[box]]) for box in sizes}
    width = max((x[box] + widths[box] / 2 for box in x), default=0.0)
    return Layout(width, bottoms[-1] if bottoms else 0.0, places, routes)


def _assign_ranks(sizes, edges):
    sources = defaultdict(list)
    for source, target in edges:
        sources[target].append(source)
    rank = {}
    for box in sizes:  # in an order of flow: what it reads has its rank already
        rank[box] = max((rank[source] + 1 for source in sources[box]), default=0)
    return rank


def _insert_bends(edges, rank, widths):
    """Return {edge: its boxes and bends from rank to rank}; bends are added to `rank` and `widths`."""
    chains = {}
    for edge in edges:
        source, target = edge
        bends = [(edge, number) for number in range(rank[source] + 1, rank[target])]
        for bend in bends:
            rank[bend], widths[bend] = bend[1], BEND_WIDTH
        chains[edge] = [source, *bends, target]
    return chains


def _compute_initial_order(sizes, chains, rank):
    """Return the rows of boxes and bends as a walk through the flow, branch by branch, meets them."""
    order = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    below = defaultdict(list)
    for chain in chains.values():
        for upper, lower in pairwise(chain):
            below[upper].append(lower)
    seen = set()
    waiting = [box for box in reversed(list(sizes)) if rank[box] == 0]
    while waiting:
        box = waiting.pop()
        if box not in seen:
            seen.add(box)
            order[rank[box]].append(box)
            waiting.extend(reversed(below[box]))
    return order


def _reduce_crossings(order, above, below):
    """Return the rows reordered, the best of some sweeps."""
    best, fewest = order, _count_crossings(order, below)
    for sweep in range(ORDERING_SWEEPS):
        if not fewest:
            break
        order = [list(row) for row in order]
        neighbours, rows = (above, range(1, len(order))) if sweep % 2 == 0 else (below, range(len(order) - 2, -1, -1))
        for number in rows:
            beside = order[number - 1 if sweep % 2 == 0 else number + 1]
            place = {box: index for index, box in enumerate(beside)}
            middle = {}
            for index, box in enumerate(order[number]):
                found = sorted(place[each] for each in neighbours[box])
                middle[box] = sum(found) / len(found) if found else index
            order[number].sort(key=middle.get)
        crossings = _count_crossings(order, below)
        if crossings < fewest:
            best, fewest = order, crossings
    return best


def _count_crossings(order, below):
    """Return how many pairs of lines between neighbouring rows cross."""
    count = 0
    for upper, lower in pairwise(order):
        place = {box: index for index, box in enumerate(lower)}
        ends = [index for box in upper for index in sorted(place[each] for each in below[box])]
        count += sum(ends[later] < ends[first] for first in range(len(ends)) for later in range(first + 1, len(ends)))
    return count


def _route_lines(chain, x, sizes, merges, forks):
    """Return (x where it leaves the upper, x where it meets the lower) for each rank that an edge goes down.

    It leaves a box and meets the next wherever on their edges that spares a corner; a fork has one trunk, and lines
    that meet have one arrow.
    """
    def reach(box, joined):
        return max(sizes[box][0] / 2 - CORNER_MARGIN, 0.0) if box in sizes and box not in joined else 0.0

    now, lines = x[chain[0]], []
    for upper, lower in pairwise(chain):
        room, target = reach(upper, forks), reach(lower, merges)
        low, high = max(now - room, x[lower] - target), min(now + room, x[lower] + target)
        leave = min(max(x[lower] if room else now, low), high) if low <= high else now
        meet = leave if low <= high else x[lower]
        if abs(leave - meet) < STRAIGHT_TOLERANCE:
            meet = leave
        lines.append((leave, meet))
        now = meet
    return lines


def _collect_turns(chains, lines, rank, merges):
    """Return {(rank above, box where lines part or meet, whether they meet): (xs from above, xs further down)}."""
    turns = defaultdict(lambda: (set(), set()))
    for edge, chain in chains.items():
        for (upper, lower), (leave, meet) in zip(pairwise(chain), lines[edge], strict=True):
            if leave != meet:
                for side, x in zip(turns[rank[upper], lower if lower in merges else chain[0], lower in merges],
                                   (leave, meet), strict=True):
                    side.add(x)
    return turns


def _assign_levels(turns):
    """Return {key of turns: level, from above} and {rank: how many levels there are}.

    Lines that would lie upon each other turn at different levels, above which that has fewer crossings.
    """
    pairs = []  # (above, below)
    for one, other in combinations(turns, 2):
        if one[0] == other[0] and _is_overlapping(turns[one], turns[other]):
            first = _count_turn_crossings(turns[one], turns[other]), one[2]  # as a rule lines part above and meet below
            pairs.append((one, other) if first <= (_count_turn_crossings(turns[other], turns[one]), other[2])
                         else (other, one))
    levels, most = dict.fromkeys(turns, 0), defaultdict(int)
    for _ in turns:  # as long as a row of them can be
        for above, below in pairs:
            levels[below] = min(max(levels[below], levels[above] + 1), len(turns))
    for key, level in levels.items():
        most[key[0]] = max(most[key[0]], level + 1)
    for key in turns:
        if key[2] and all(key != above for above, _ in pairs):
            levels[key] = most[key[0]] - 1
    return levels, most


def _is_overlapping(one, other):
    (low, high), (other_low, other_high) = ((min(a | b), max(a | b)) for a, b in (one, other))
    return low < other_high and other_low < high


def _count_turn_crossings(above, below):
    """Return how many crossings two turns have, one above the other."""
    def inside(xs, turn):
        return sum(min(turn[0] | turn[1]) < x < max(turn[0] | turn[1]) for x in xs)

    return inside(above[1], below) + inside(below[0], above)
