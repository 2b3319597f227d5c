"""Where the boxes of a rank stand: those that follow one another in one line, neighbours apart, forks in the middle.

A run is boxes and bends that are drawn in one line: each the only one that follows the other. Runs move together; the
order within the ranks says which run is left of which, and how far away it is at least.
"""

from collections import defaultdict
from itertools import pairwise

PLACEMENT_SWEEPS = 80  # over all runs


def assign_x_coordinates(order, widths, above, below, boxes, node_sep):
    """Return {box or bend: x of its middle}, the leftmost edge at 0.

    `order` are the rows, `above` and `below` the neighbours of each in the next rows, `boxes` those that are no bends.
    """
    run = _find_runs(order, above, below, boxes)
    sequence, apart = _order_runs(order, widths, run, node_sep)
    if len(sequence) < len(set(run.values())):  # two runs cross
        run = {box: box for row in order for box in row}
        sequence, apart = _order_runs(order, widths, run, node_sep)
    beside = defaultdict(list)
    for box, others in below.items():
        for other in others:
            if run[box] != run[other]:
                beside[run[box]].append(run[other])
                beside[run[other]].append(run[box])
    x = _resolve_distances(dict.fromkeys(sequence, 0.0), sequence, apart)
    for _ in range(PLACEMENT_SWEEPS):  # half of the way, or two that follow each other would only change places
        x = _resolve_distances({each: (place + sum(x[other] for other in beside[each]) / len(beside[each])) / 2
                                if beside[each] else place for each, place in x.items()}, sequence, apart)
    left = min((x[run[box]] - widths[box] / 2 for box in run), default=0.0)
    return {box: round(x[run[box]] - left, 3) for box in run}


def _find_runs(order, above, below, boxes):
    """Return {box or bend: the first of its run}."""
    run = {}
    for row in order:
        for box in row:
            sources = above[box]
            if box in boxes and len(sources) > 1:  # bends beside a box go round it
                sources = [source for source in sources if source in boxes]
            source = sources[0] if len(sources) == 1 else None
            readers = below[source] if source else []
            if source in boxes and box in boxes:
                readers = [reader for reader in readers if reader in boxes]
            run[box] = run[source] if source and len(readers) == 1 else box
    return run


def _order_runs(order, widths, run, node_sep):
    """Return the runs from left to right, as far as that is possible, and {run: [(run right of it, distance)]}."""
    least = {}
    for row in order:
        for left, right in pairwise(row):
            pair = run[left], run[right]
            least[pair] = max(least.get(pair, 0.0), (widths[left] + widths[right]) / 2 + node_sep)
    apart, waits = defaultdict(list), defaultdict(int)
    for (left, right), distance in least.items():
        apart[left].append((right, distance))
        waits[right] += 1
    ready = [each for each in dict.fromkeys(run.values()) if not waits[each]]
    for each in ready:
        for right, _ in apart[each]:
            waits[right] -= 1
            if not waits[right]:
                ready.append(right)
    return ready, apart


def _resolve_distances(targets, sequence, min_distances):
    """Return places as near to `wanted` as distances allow: between those pushed right and those pushed left."""
    right, left = dict(targets), dict(targets)
    for each in sequence:
        for other, distance in min_distances[each]:
            right[other] = max(right[other], right[each] + distance)
    for each in reversed(sequence):
        for other, distance in min_distances[each]:
            left[each] = min(left[each], left[other] - distance)
    return {each: (right[each] + left[each]) / 2 for each in targets}
