"""The outlines of a scene's lines, worked out once for all the kinds of files.

A path is a list of steps: ("M", point) begins, ("L", point) goes straight, ("Q", control, point) bends; points
are (x, y).
"""

import math

# An arrow's head: length = HEAD + HEAD_GROWTH * width; half height/length
HEAD_LENGTH, HEAD_GROWTH, HEAD_ASPECT = 3.0, 3.0, 0.42
HEAD_OVERLAP = 0.7  # of the head's length: where the line ends, inside the head, so that it never peeps out of the tip
DASH_PATTERN = (4.0, 3.0)  # on, off, points


def compute_line_path(line):
    """Return (path, head) of a scene.Line: head is the triangle of its arrow, its tip first, or () without one.

    The path is empty when the line has no length.
    """
    points = _remove_duplicates(line.points)
    if len(points) < 2:
        return [], ()
    head = ()
    if line.arrow:
        head = _make_arrow_head(points[-2], points[-1], HEAD_LENGTH + HEAD_GROWTH * line.width)
        points = _shorten(points, HEAD_OVERLAP * math.dist(head[0], head[1]))
    return _round_corners(points, line.radius), head


def compute_corner_radius(box):
    """Return the radius of a box's corners, points: what it asks for, as far as the box has room."""
    return max(0.0, min(box.radius, box.width / 2, box.height / 2))


def _remove_duplicates(points):
    """Return the points without those that repeat the one before."""
    kept = []
    for x, y in points:
        if not kept or math.dist(kept[-1], (x, y)) > 1e-6:
            kept.append((float(x), float(y)))
    return kept


def _move_towards(start, end, length):
    """Return the point `length` from start on the way to end."""
    share = length / math.dist(start, end)
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _make_arrow_head(previous, tip, length):
    along_x, along_y = (tip[0] - previous[0], tip[1] - previous[1])
    reach = math.hypot(along_x, along_y)
    along_x, along_y = along_x / reach * length, along_y / reach * length
    foot = tip[0] - along_x, tip[1] - along_y
    return (tip, (foot[0] - along_y * HEAD_ASPECT, foot[1] + along_x * HEAD_ASPECT),
            (foot[0] + along_y * HEAD_ASPECT, foot[1] - along_x * HEAD_ASPECT))


def _shorten(points, length):
    """Return the points with the end drawn back by `length`, at most to just after the last corner."""
    last = math.dist(points[-2], points[-1])
    return [*points[:-1], _move_towards(points[-1], points[-2], min(length, 0.98 * last))]


def _round_corners(points, radius):
    """Return the path through the points; a bend takes at most half of a length that has a corner at both ends."""
    path = [("M", points[0])]
    for i in range(1, len(points) - 1):
        before, here, after = points[i - 1 : i + 2]
        room_before = math.dist(before, here) / (2 if i > 1 else 1)
        room_after = math.dist(here, after) / (2 if i < len(points) - 2 else 1)
        bend = min(radius, room_before, room_after)
        if bend <= 0 or _is_straight(before, here, after):
            path.append(("L", here))
        else:
            path += [("L", _move_towards(here, before, bend)), ("Q", here, _move_towards(here, after, bend))]
    return [*path, ("L", points[-1])]


def _is_straight(before, here, after):
    area = (here[0] - before[0]) * (after[1] - here[1]) - (here[1] - before[1]) * (after[0] - here[0])
    return abs(area) < 1e-9
