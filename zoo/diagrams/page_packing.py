"""Drawings of different sizes on one page, arranged to be as large as possible on A4, portrait or landscape."""

import random

from zoo.diagrams.scene import ItemGroup

PAGE_SIZES = ((510.0, 757.0), (757.0, 510.0))  # points: A4 with margins of 15 mm
GROUP_GAP = 8.0  # between drawings
MAX_ORDERS, MAX_EFFORT = 200, 100_000  # orders of n drawings that are tried, and the same times n**3
SUFFICIENT_SCALE = 0.68  # text of 9 points has more than 6 on the page


def compute_page_scale(width, height):
    """Return the scale at which a drawing of that size fits on A4."""
    return max(min(page_width / width, page_height / height) for page_width, page_height in PAGE_SIZES)


def pack_on_page(item_groups, surrounding_size):
    """Return the ItemGroup of the drawings on one page, the first in the corner.

    Their order is topological, unless another one is needed for readable text. `surrounding_size` is the (width,
    height) in points of what surrounds them on the page, such as the heading.
    """
    first, others = item_groups[:1], item_groups[1:]
    orders, shuffle = [others], random.Random(0).shuffle
    for _ in range(min(MAX_ORDERS, MAX_EFFORT // len(item_groups) ** 3) if len(others) > 1 else 0):
        orders.append([*others])
        shuffle(orders[-1])
    best_scale = 0.0
    for order in orders:
        boxes, scale = _place_greedily([*first, *order], surrounding_size)
        if scale > best_scale:
            best_groups, best_boxes, best_scale = [*first, *order], boxes, scale
        if best_scale >= SUFFICIENT_SCALE:
            break
    return _merge_groups(best_groups, best_boxes)


def pack_shelves(item_groups, max_width):
    """Return the ItemGroup of the drawings in order, each as high up as it fits within `max_width` points."""
    placed_boxes = []  # (left, top, right, bottom)
    for group in item_groups:
        lefts = [left for left in _list_lefts(placed_boxes) if left + group.width <= max_width + 1e-6]
        top, left = min((_find_top(left, group, placed_boxes), left) for left in lefts)
        placed_boxes.append((left, top, left + group.width, top + group.height))
    return _merge_groups(item_groups, placed_boxes)


def _place_greedily(item_groups, surrounding_size):
    """Return the boxes of the drawings, each where the page stays largest, and the scale of the page."""
    placed_boxes, width, height, scale = [], 0.0, 0.0, 0.0
    for group in item_groups:
        options = []
        for left in _list_lefts(placed_boxes):
            top = _find_top(left, group, placed_boxes)
            size = max(width, left + group.width), max(height, top + group.height)
            scale = compute_page_scale(size[0] + surrounding_size[0], size[1] + surrounding_size[1])
            options.append((-round(scale, 4), top, left, size))
        negative_scale, top, left, (width, height) = min(options)
        scale = -negative_scale
        placed_boxes.append((left, top, left + group.width, top + group.height))
    return placed_boxes, scale


def _merge_groups(item_groups, boxes):
    items = [item for group, (left, top, _, _) in zip(item_groups, boxes, strict=True)
             for item in group.translate(left, top)]
    return ItemGroup(max((right for _, _, right, _ in boxes), default=0.0),
                     max((bottom for *_, bottom in boxes), default=0.0), tuple(items))


def _list_lefts(placed_boxes):
    return sorted({0.0, *(right + GROUP_GAP for _, _, right, _ in placed_boxes)})


def _find_top(left, item_group, placed_boxes):
    """Return the smallest y at which a drawing fits with its left edge at `left`."""
    boxes = [box for box in placed_boxes if box[0] < left + item_group.width + GROUP_GAP and left < box[2] + GROUP_GAP]
    for y in sorted((0.0, *(bottom + GROUP_GAP for *_, bottom in boxes))):
        if all(bottom + GROUP_GAP <= y or y + item_group.height + GROUP_GAP <= top for _, top, _, bottom in boxes):
            return y
    raise AssertionError
