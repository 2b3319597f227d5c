"""The outlines of a scene's lines, computed once for all file formats.

A path is a list of steps: ("M", point) moves to a point, ("L", point) is a straight line, and ("Q", control, point) a
quadratic curve; points are (x, y).
"""

import math

# An arrowhead: its length is HEAD_LENGTH + HEAD_GROWTH * line width; HEAD_ASPECT is half its width / length
HEAD_LENGTH, HEAD_GROWTH, HEAD_ASPECT = 3.0, 3.0, 0.42
HEAD_OVERLAP = 0.7  # fraction of the head's length that the line stops before the tip, which it would hide
DASH_PATTERN = (4.0, 3.0)  # on and off, points


def compute_line_path(line):
    """Return (path, head) of a scene.Line: head is the triangle of its arrowhead, beginning at the tip, or ().

    The path of a line without length is empty.
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
    """Return the radius of a box's corners in points, limited by its size."""
    return max(0.0, min(box.radius, box.width / 2, box.height / 2))


def _remove_duplicates(points):
    """Return the points without consecutive duplicates."""
    unique_points = []
    for x, y in points:
        if not unique_points or math.dist(unique_points[-1], (x, y)) > 1e-6:
            unique_points.append((float(x), float(y)))
    return unique_points


def _move_towards(start, end, length):
    """Return the point at a distance of `length` from start towards end."""
    fraction = length / math.dist(start, end)
    return start[0] + (end[0] - start[0]) * fraction, start[1] + (end[1] - start[1]) * fraction


def _make_arrow_head(previous, tip, length):
    dx, dy = (tip[0] - previous[0], tip[1] - previous[1])
    distance = math.hypot(dx, dy)
    dx, dy = dx / distance * length, dy / distance * length
    base = tip[0] - dx, tip[1] - dy
    return (tip, (base[0] - dy * HEAD_ASPECT, base[1] + dx * HEAD_ASPECT),
            (base[0] + dy * HEAD_ASPECT, base[1] - dx * HEAD_ASPECT))


def _shorten(points, length):
    """Return the points with the end moved back by `length`, at most to just after the last corner."""
    max_length = 0.98 * math.dist(points[-2], points[-1])
    return [*points[:-1], _move_towards(points[-1], points[-2], min(length, max_length))]


def _round_corners(points, radius):
    """Return the path with rounded corners, which take at most half of a segment with corners at both ends."""
    path = [("M", points[0])]
    for index in range(1, len(points) - 1):
        previous, corner, following = points[index - 1 : index + 2]
        max_before = math.dist(previous, corner) / (2 if index > 1 else 1)
        max_after = math.dist(corner, following) / (2 if index < len(points) - 2 else 1)
        corner_radius = min(radius, max_before, max_after)
        if corner_radius <= 0 or _is_straight(previous, corner, following):
            path.append(("L", corner))
        else:
            path += [("L", _move_towards(corner, previous, corner_radius)),
                     ("Q", corner, _move_towards(corner, following, corner_radius))]
    return [*path, ("L", points[-1])]


def _is_straight(previous, corner, following):
    area = ((corner[0] - previous[0]) * (following[1] - corner[1])
            - (corner[1] - previous[1]) * (following[0] - corner[0]))
    return abs(area) < 1e-9
