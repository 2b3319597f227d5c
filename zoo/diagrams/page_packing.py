"""Pictures of different sizes on one sheet: as large as A4 can show them, upright or across."""

from zoo.diagrams.module_detail import Picture

SHEETS = ((510.0, 757.0), (757.0, 510.0))  # points: A4 with margins of 15 mm
BETWEEN = 12.0  # pictures
TRIED = 48  # widths of the whole
WORTH = 1.06  # how much larger the whole must become for another order than that of the flow


def scale_of(width, height):
    """Return how large a picture of that size is on A4, as a share."""
    return max(min(across / width, down / height) for across, down in SHEETS)


def packed(pictures, extra):
    """Return the Picture of the pictures, the first in the corner and the others where there is room, beside and below.

    `extra` is the (width, height) in points of what comes around all of them on the sheet.
    """
    found = []
    by_height = [*pictures[:1], *sorted(pictures[1:], key=lambda each: -each.height)]
    for order, worth in ((pictures, WORTH), (by_height, 1.0)):
        widest = max(each.width for each in order)
        most = sum(each.width + BETWEEN for each in order)
        for width in {widest + (most - widest) * step / TRIED for step in range(TRIED + 1)}:
            whole = within(order, width)
            found.append((worth * scale_of(whole.width + extra[0], whole.height + extra[1]), -width, whole))
    return max(found, key=lambda each: each[:2])[-1]


def within(pictures, limit):
    """Return the Picture of the pictures in turn, each as high up as it can stand within `limit` points."""
    placed, items = [], []  # (left, top, right, bottom)
    for each in pictures:
        x, y = min((_highest(left, each, placed), left) for left in _lefts(each, placed, limit))[::-1]
        placed.append((x, y, x + each.width, y + each.height))
        items += each.at(x, y)
    return Picture(max((right for _, _, right, _ in placed), default=0.0),
                   max((bottom for *_, bottom in placed), default=0.0), tuple(items))


def _lefts(picture, placed, limit):
    tried = (0.0, *(right + BETWEEN for _, _, right, _ in placed))
    return [left for left in tried if left + picture.width <= limit + 1e-6]


def _highest(left, picture, placed):
    """Return the least y at which the picture fits with its left edge at `left`."""
    beside = [box for box in placed if box[0] < left + picture.width + BETWEEN and left < box[2] + BETWEEN]
    for y in sorted((0.0, *(bottom + BETWEEN for *_, bottom in beside))):
        if all(bottom + BETWEEN <= y or y + picture.height + BETWEEN <= top for _, top, _, bottom in beside):
            return y
    raise AssertionError
