"""The x coordinates of boxes: chains in a straight line, neighbors apart, forks centered.

A run is a chain of boxes and bends in one straight line, each the only successor of the one before. A run moves as a
whole; the order within the ranks determines which run is left of which, and their minimum distance.
"""

from collections import defaultdict
from itertools import pairwise

PLACEMENT_SWEEPS = 80  # over all runs


def assign_x_coordinates(order, widths, above, below, boxes, node_sep):
    """Return {box or bend: x of its center}, with the leftmost edge at 0.

    `order` are the rows, `above` and `below` the neighbors in the adjacent rows, and `boxes` those that are not bends.
    """
    run = _find_runs(order, above, below, boxes)
    sequence, min_distances = _order_runs(order, widths, run, node_sep)
    if len(sequence) < len(set(run.values())):  # two runs cross
        run = {box: box for row in order for box in row}
        sequence, min_distances = _order_runs(order, widths, run, node_sep)
    neighbors = defaultdict(list)
    for box, others in below.items():
        for other in others:
            if run[box] != run[other]:
                neighbors[run[box]].append(run[other])
                neighbors[run[other]].append(run[box])
    x = _resolve_distances(dict.fromkeys(sequence, 0.0), sequence, min_distances)
    for _ in range(PLACEMENT_SWEEPS):  # half of the way: two neighbors would otherwise swap positions forever
        targets = {key: (position + sum(x[other] for other in neighbors[key]) / len(neighbors[key])) / 2
                   if neighbors[key] else position for key, position in x.items()}
        x = _resolve_distances(targets, sequence, min_distances)
    min_x = min((x[run[box]] - widths[box] / 2 for box in run), default=0.0)
    return {box: round(x[run[box]] - min_x, 3) for box in run}


def _find_runs(order, above, below, boxes):
    """Return {box or bend: the first one of its run}."""
    run = {}
    for row in order:
        for box in row:
            sources = above[box]
            if box in boxes and len(sources) > 1:  # bends next to a box lead around it
                sources = [source for source in sources if source in boxes]
            source = sources[0] if len(sources) == 1 else None
            readers = below[source] if source else []
            if source in boxes and box in boxes:
                readers = [reader for reader in readers if reader in boxes]
            run[box] = run[source] if source and len(readers) == 1 else box
    return run


def _order_runs(order, widths, run, node_sep):
    """Return the runs from left to right, as far as possible, and {run: [(run to the right, minimum distance)]}."""
    pair_distances = {}
    for row in order:
        for left, right in pairwise(row):
            pair = run[left], run[right]
            pair_distances[pair] = max(pair_distances.get(pair, 0.0), (widths[left] + widths[right]) / 2 + node_sep)
    min_distances, pending_counts = defaultdict(list), defaultdict(int)
    for (left, right), distance in pair_distances.items():
        min_distances[left].append((right, distance))
        pending_counts[right] += 1
    sequence = [key for key in dict.fromkeys(run.values()) if not pending_counts[key]]
    for key in sequence:  # topological sort
        for right, _ in min_distances[key]:
            pending_counts[right] -= 1
            if not pending_counts[right]:
                sequence.append(right)
    return sequence, min_distances


def _resolve_distances(targets, sequence, min_distances):
    """Return positions close to `targets` at the minimum distances: the means of pushing right and pushing left."""
    pushed_right, pushed_left = dict(targets), dict(targets)
    for key in sequence:
        for other, distance in min_distances[key]:
            pushed_right[other] = max(pushed_right[other], pushed_right[key] + distance)
    for key in reversed(sequence):
        for other, distance in min_distances[key]:
            pushed_left[key] = min(pushed_left[key], pushed_left[other] - distance)
    return {key: (pushed_right[key] + pushed_left[key]) / 2 for key in targets}
