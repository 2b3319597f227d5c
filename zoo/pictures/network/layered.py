"""Where the boxes of a graph go: ranks from above to below, few crossings, straight lines.

The usual four steps (Sugiyama, Tagawa and Toda 1981): the rank of a box is the longest way to it; an edge over several
ranks gets a bend in each; boxes of a rank are ordered by the middle of their neighbours until crossings are few; places
along a rank are as near to that middle as the order and the boxes' widths allow.
"""

from collections import defaultdict
from dataclasses import dataclass

SWEEPS = 12  # over all ranks, down and up in turn
CORNER = 8.0  # points from the corner of a box in which no line meets it
BEND = 6.0  # points, the room of an edge that passes a rank
BEND_WEIGHT = 4.0  # how much more a bend wants to be in line than a box


@dataclass(frozen=True)
class Layout:
    """Points from the upper left corner: the middle of each box's upper edge, and the way of each edge."""

    width: float
    height: float
    places: dict  # {box: (x of its middle, y of its upper edge)}
    routes: dict  # {(from, to): ((x, y), ...)}


def layered(sizes, edges, *, between=10.0, ranks=20.0):
    """Return the Layout of {box: (width, height)} in an order of flow and of [(from, to)].

    `between` is the room between neighbours of a rank, `ranks` the room between ranks, in points.
    """
    edges = [edge for edge in dict.fromkeys(edges) if edge[0] != edge[1]]
    rank = _ranks(sizes, edges)
    widths = {box: width for box, (width, _) in sizes.items()}
    chains = _bends(edges, rank, widths)
    above, below = defaultdict(list), defaultdict(list)
    for chain in chains.values():
        for upper, lower in zip(chain, chain[1:], strict=False):
            below[upper].append(lower)
            above[lower].append(upper)
    order = _ordered(_first_order(sizes, chains, rank), above, below)
    x = _straightened(_abscissas(order, widths, above, below, between), order, widths, chains, between)

    tops, y = [], 0.0
    heights = [max((sizes[box][1] for box in row if box in sizes), default=0.0) for row in order]
    for height in heights:
        tops.append(y)
        y += height + ranks
    of = {box: number for number, row in enumerate(order) for box in row}
    places = {box: (x[box], tops[of[box]]) for box in sizes}
    merges, forks = ({box for box in sizes if len(beside[box]) > 1} for beside in (above, below))
    routes = {edge: _route(chain, x, of, tops, heights, sizes, ranks, merges, forks) for edge, chain in chains.items()}
    width = max((x[box] + widths[box] / 2 for box in x), default=0.0)
    return Layout(width, y - ranks if order else 0.0, places, routes)


def _ranks(sizes, edges):
    sources = defaultdict(list)
    for source, target in edges:
        sources[target].append(source)
    rank = {}
    for box in sizes:  # in an order of flow: what it reads has its rank already
        rank[box] = max((rank[source] + 1 for source in sources[box]), default=0)
    return rank


def _bends(edges, rank, widths):
    """Return {edge: its boxes and bends from rank to rank}; bends are added to `rank` and `widths`."""
    chains = {}
    for edge in edges:
        source, target = edge
        bends = [(edge, number) for number in range(rank[source] + 1, rank[target])]
        for bend in bends:
            rank[bend], widths[bend] = bend[1], BEND
        chains[edge] = [source, *bends, target]
    return chains


def _first_order(sizes, chains, rank):
    """Return the rows of boxes and bends as a walk through the flow, branch by branch, meets them."""
    order = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    below = defaultdict(list)
    for chain in chains.values():
        for upper, lower in zip(chain, chain[1:], strict=False):
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


def _ordered(order, above, below):
    """Return the rows reordered, the best of some sweeps."""
    best, fewest = order, _crossings(order, below)
    for sweep in range(SWEEPS):
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
        crossings = _crossings(order, below)
        if crossings < fewest:
            best, fewest = order, crossings
    return best


def _crossings(order, below):
    """Return how many pairs of lines between neighbouring rows cross."""
    count = 0
    for upper, lower in zip(order, order[1:], strict=False):
        place = {box: index for index, box in enumerate(lower)}
        ends = [index for box in upper for index in sorted(place[each] for each in below[box])]
        count += sum(ends[later] < ends[first] for first in range(len(ends)) for later in range(first + 1, len(ends)))
    return count


def _abscissas(order, widths, above, below, between):
    """Return {box or bend: x of its middle}, the leftmost edge at 0."""
    x = {}
    for row in order:
        right = 0.0
        for box in row:
            x[box] = right + widths[box] / 2
            right += widths[box] + between
    for sweep in range(SWEEPS):
        rows = order if sweep % 2 == 0 else order[::-1]
        for row in rows:
            wanted, weights = [], []
            for box in row:
                beside = (above if sweep % 2 == 0 else below)[box] or (below if sweep % 2 == 0 else above)[box]
                if sweep >= SWEEPS - 2:
                    beside = [*above[box], *below[box]]
                wanted.append(sum(x[each] for each in beside) / len(beside) if beside else x[box])
                weights.append(BEND_WEIGHT if isinstance(box, tuple) else 1.0)
            apart = [(widths[left] + widths[right]) / 2 + between for left, right in zip(row, row[1:], strict=False)]
            x.update(zip(row, _apart(wanted, weights, apart), strict=True))
    left = min((x[box] - widths[box] / 2 for box in x), default=0.0)
    return {box: place - left for box, place in x.items()}


def _apart(wanted, weights, apart):
    """Return the places nearest to `wanted`, by weighted squares, of which neighbours are at least `apart`.

    Without the distances that is isotonic regression: neighbours in the wrong order share their mean.
    """
    offsets = [0.0]
    for distance in apart:
        offsets.append(offsets[-1] + distance)
    blocks = []  # (mean, weight, how many)
    for place, weight, offset in zip(wanted, weights, offsets, strict=True):
        mean, count = place - offset, 1
        while blocks and blocks[-1][0] > mean:
            other, other_weight, other_count = blocks.pop()
            mean = (mean * weight + other * other_weight) / (weight + other_weight)
            weight, count = weight + other_weight, count + other_count
        blocks.append((mean, weight, count))
    means = [mean for mean, _, count in blocks for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _straightened(x, order, widths, chains, between):
    """Return `x` with the bends of each edge in one line, where that line is free from rank to rank."""
    neighbours = {}
    for row in order:
        for left, box, right in zip([None, *row], row, [*row[1:], None], strict=False):
            neighbours[box] = left, right
    for chain in chains.values():
        bends = chain[1:-1]
        for line in sorted((x[bend] for bend in bends), key=lambda line: sum(abs(x[each] - line) for each in bends)):
            if all(_free(bend, line, x, widths, neighbours, between) for bend in bends):
                x.update(dict.fromkeys(bends, line))
                break
    return x


def _free(bend, line, x, widths, neighbours, between):
    left, right = neighbours[bend]
    return (left is None or x[left] + widths[left] / 2 + between / 2 <= line) \
        and (right is None or line <= x[right] - widths[right] / 2 - between / 2)


def _route(chain, x, of, tops, heights, sizes, ranks, merges, forks):
    """Return the points of an edge: down, sideways between two ranks where it must, down.

    It leaves a box and meets the next wherever on their edges that spares a corner; a fork has one trunk.
    """
    def reach(box):
        return max(sizes[box][0] / 2 - CORNER, 0.0) if box in sizes and (box not in forks or box != source) else 0.0

    source, now = chain[0], x[chain[0]]
    lines = []  # (x where it leaves the upper, x where it meets the lower)
    for upper, lower in zip(chain, chain[1:], strict=False):
        leave = now if upper != source else x[source]
        low = max(leave - (reach(upper) if upper == source else 0.0), x[lower] - reach(lower))
        high = min(leave + (reach(upper) if upper == source else 0.0), x[lower] + reach(lower))
        if low <= high:
            leave = now = min(max(x[lower] if upper == source else leave, low), high)
        else:
            now = x[lower]
        lines.append((leave, now))
    points = [(lines[0][0], tops[of[source]] + sizes[source][1])]
    for (upper, lower), (leave, meet) in zip(zip(chain, chain[1:], strict=False), lines, strict=True):
        if abs(leave - meet) > 0.01:
            share = 0.62 if lower in merges else 0.3  # a fork parts high, what is joined meets low
            y = tops[of[upper]] + heights[of[upper]] + ranks * share
            points += [(leave, y), (meet, y)]
    points.append((lines[-1][1], tops[of[chain[-1]]]))
    return tuple(points)
