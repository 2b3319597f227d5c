"""Pictures of different sizes on one sheet: as large as A4 can show them, upright or across."""

from zoo.diagrams.module_detail import ItemGroup

PAGE_SIZES = ((510.0, 757.0), (757.0, 510.0))  # points: A4 with margins of 15 mm
GROUP_GAP = 12.0  # pictures
NUM_CANDIDATE_WIDTHS = 48  # widths of the whole
MIN_GAIN = 1.06  # how much larger the whole must become for another order than that of the flow


def compute_page_scale(width, height):
    """Return how large a picture of that size is on A4, as a share."""
    return max(min(across / width, down / height) for across, down in PAGE_SIZES)


def pack_on_page(item_groups, surrounding_size):
    """Return the ItemGroup of the pictures, the first in the corner and the others where there is room, beside and
    below.

    `extra` is the (width, height) in points of what comes around all of them on the sheet.
    """
    found = []
    by_height = [*item_groups[:1], *sorted(item_groups[1:], key=lambda each: -each.height)]
    for order, worth in ((item_groups, MIN_GAIN), (by_height, 1.0)):
        widest = max(each.width for each in order)
        most = sum(each.width + GROUP_GAP for each in order)
        for width in {widest + (most - widest) * step / NUM_CANDIDATE_WIDTHS
                      for step in range(NUM_CANDIDATE_WIDTHS + 1)}:
            whole = pack_shelves(order, width)
            found.append((worth * compute_page_scale(whole.width + surrounding_size[0], whole.height
                                                     + surrounding_size[1]), -width, whole))
    return max(found, key=lambda each: each[:2])[-1]


def pack_shelves(item_groups, max_width):
    """Return the ItemGroup of the pictures in turn, each as high up as it can stand within `limit` points."""
    placed, items = [], []  # (left, top, right, bottom)
    for each in item_groups:
        x, y = min((_find_top(left, each, placed), left) for left in _list_lefts(each, placed, max_width))[::-1]
        placed.append((x, y, x + each.width, y + each.height))
        items += each.translate(x, y)
    return ItemGroup(max((right for _, _, right, _ in placed), default=0.0),
                     max((bottom for *_, bottom in placed), default=0.0), tuple(items))


def _list_lefts(item_group, placed_boxes, max_width):
    tried = (0.0, *(right + GROUP_GAP for _, _, right, _ in placed_boxes))
    return [left for left in tried if left + item_group.width <= max_width + 1e-6]


def _find_top(left, item_group, placed_boxes):
    """Return the least y at which the picture fits with its left edge at `left`."""
    beside = [box for box in placed_boxes if box[0] < left + item_group.width + GROUP_GAP and left < box[2] + GROUP_GAP]
    for y in sorted((0.0, *(bottom + GROUP_GAP for *_, bottom in beside))):
        if all(bottom + GROUP_GAP <= y or y + item_group.height + GROUP_GAP <= top for _, top, _, bottom in beside):
            return y
    raise AssertionError
