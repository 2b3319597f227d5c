"""The plot of accuracy.csv: CIFAR-10 accuracy against multiply-adds, with one bubble for each model's small preset.

As in Canziani, Paszke and Culurciello 2016, 'An Analysis of Deep Neural Network Models for Practical Applications',
arXiv:1605.07678, figure 2. `benchmarks/accuracy.py --plot FILE.svg` draws it; the same rows give the same file.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

from zoo import registry
from zoo.diagrams import save
from zoo.diagrams.scene import Box, Line, Scene, Text
from zoo.plots.font_metrics import measure_text_width

WIDTH, HEIGHT = 800, 640  # points
LEFT, TOP, RIGHT, BOTTOM = 62, 92, 782, 588  # edges of the axes, points
TEXT_COLOR, MUTED_COLOR, GRID_COLOR = "#222222", "#666666", "#e4e4e4"
FONT_SIZE = 11  # points
AREA_PER_PARAMETER = 0.8e-3  # square points per parameter
YEAR_COLORS = ((2013, "up to 2013", "#f6d9a8"), (2014, "2014", "#a9dcc0"), (2015, "2015", "#9cc7ec"),
               (2016, "2016", "#c5b3e6"))
LEGEND_SIZES = (100_000, 300_000, 1_000_000)  # parameters, in the legend
LABEL_DIRECTIONS, LABEL_GAPS = 24, (3, 10, 20, 32, 46)  # candidate label positions: angles, distances in points
MIN_LEADER_LENGTH = 7  # points: a label that is nearer needs no line to its bubble
PLACEMENT_ROUNDS = 12  # in each, every label moves to the position with the lowest cost given the others


@dataclass(frozen=True)
class Bubble:
    name: str
    x: float  # center, points
    y: float
    radius: float
    fill: str
    tooltip: str


def select_rows(rows):
    """Return the rows to plot, one for each model whose small preset is for CIFAR-10.

    This is the last row of the preset or, if there is none yet, the model's last row on CIFAR-10.
    """
    selected = {}
    for row in rows:
        preset = registry.MODELS[row["model"]].small_preset
        if row["dataset"] != "cifar10" or preset is None or preset.dataset != "cifar10":
            continue
        is_preset = "--preset small" in row["command"]
        if is_preset or "--preset small" not in selected.get(row["model"], row)["command"]:
            selected[row["model"]] = row
    return [*selected.values()]


def compute_radius(parameters):
    return math.sqrt(AREA_PER_PARAMETER * parameters / math.pi)


def get_year_color(year):
    return next(color for last_year, _, color in YEAR_COLORS if year <= last_year)


# ------------------------------------------------------------------------------------------------------------- scales

def compute_limits(values, margin, min_range):
    """Return (low, high) around values, with a margin, a fraction of their range, and at least `min_range` apart."""
    low, high = min(values), max(values)
    padding = max(margin * (high - low), (min_range - (high - low)) / 2)
    return low - padding, high + padding


def compute_log_ticks(low, high):
    """Return round numbers from 10 ** low to 10 ** high, about evenly spaced on a logarithmic scale."""
    return [step * 10**power for power in range(math.floor(low), math.ceil(high) + 1) for step in (1, 1.5, 2, 3, 5, 7)
            if low <= math.log10(step * 10**power) <= high]


def compute_linear_ticks(low, high):
    """Return at most nine round numbers from `low` to `high`."""
    step = next(step for step in (0.5, 1, 2, 5, 10, 20) if (high - low) / step <= 8)
    return [step * multiple for multiple in range(math.ceil(low / step), math.floor(high / step) + 1)]


# ------------------------------------------------------------------------------------------------------------- labels

def compute_overlap(one, other):
    """Return the area of the intersection of two boxes (left, top, right, bottom)."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return width * height if width > 0 and height > 0 else 0.0


def get_bubble_box(bubble):
    return (bubble.x - bubble.radius, bubble.y - bubble.radius, bubble.x + bubble.radius, bubble.y + bubble.radius)


def list_label_boxes(bubble):
    """Return [(box, gap)], the candidate positions of a bubble's label, nearest first."""
    width, height = measure_text_width(bubble.name, FONT_SIZE) + 4, FONT_SIZE + 3
    candidates = []
    for gap in LABEL_GAPS:
        for direction in range(LABEL_DIRECTIONS):
            angle = 2 * math.pi * direction / LABEL_DIRECTIONS
            dx, dy = math.cos(angle), math.sin(angle)
            x = bubble.x + (bubble.radius + gap) * dx + width / 2 * max(-1, min(1, 1.5 * dx))
            y = bubble.y + (bubble.radius + gap) * dy + height / 2 * max(-1, min(1, 1.5 * dy))
            candidates.append(((x - width / 2, y - height / 2, x + width / 2, y + height / 2), gap))
    return candidates


def is_crossing(one, other):
    """Return whether two line segments ((x, y), (x, y)) cross."""
    def orientation(a, b, c):
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    return (orientation(*one, other[0]) * orientation(*one, other[1]) < 0
            and orientation(*other, one[0]) * orientation(*other, one[1]) < 0)


def is_crossing_box(line, box):
    """Return whether a line segment crosses a diagonal of a box."""
    x_min, y_min, x_max, y_max = box
    return (is_crossing(line, ((x_min, y_min), (x_max, y_max)))
            or is_crossing(line, ((x_min, y_max), (x_max, y_min))))


def compute_leader(bubble, box):
    """Return the line ((x, y), (x, y)) from a bubble's edge to the nearest point of its label."""
    x, y = min(max(bubble.x, box[0]), box[2]), min(max(bubble.y, box[1]), box[3])
    distance = math.hypot(x - bubble.x, y - bubble.y) or 1.0
    fraction = min(1.0, bubble.radius / distance)
    return (bubble.x + fraction * (x - bubble.x), bubble.y + fraction * (y - bubble.y)), (x, y)


def measure_gap(bubble, box):
    """Return the distance in points between a bubble's edge and a label, 0 where they overlap."""
    x, y = min(max(bubble.x, box[0]), box[2]), min(max(bubble.y, box[1]), box[3])
    return max(0.0, math.hypot(x - bubble.x, y - bubble.y) - bubble.radius)


def compute_cost(bubble, box, gap, bubbles, others):
    """Return the cost of a label position: what it covers, its distance, the leader lines, labels and bubbles
    that its own leader line crosses, and the other bubbles that are as near, which it would seem to name."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    cost = 0.2 * gap + 50 * (area - compute_overlap(box, (LEFT, TOP, RIGHT, BOTTOM)))
    cost += sum(5 * compute_overlap(box, get_bubble_box(other)) for other in bubbles)
    cost += sum(20 * compute_overlap(box, other_box) for _, other_box in others)
    own_gap = measure_gap(bubble, box)
    cost += sum(10 for other in bubbles if other is not bubble and measure_gap(other, box) < own_gap + 2)
    leader = compute_leader(bubble, box)
    cost += sum(100 for other in bubbles if other is not bubble and is_crossing_box(leader, get_bubble_box(other)))
    for other, other_box in others:
        other_leader = compute_leader(other, other_box)
        cost += 200 * is_crossing(leader, other_leader)
        cost += 200 * (is_crossing_box(leader, other_box) + is_crossing_box(other_leader, box))
    return cost


def place_labels(bubbles):
    """Return {bubble: box} of the labels, so that none covers another one or a bubble as long as there is room."""
    candidates = {bubble: list_label_boxes(bubble) for bubble in bubbles}
    boxes = {bubble: candidates[bubble][0][0] for bubble in bubbles}
    for _ in range(PLACEMENT_ROUNDS):
        previous = dict(boxes)
        for bubble in bubbles:
            others = [(other, box) for other, box in boxes.items() if other is not bubble]
            boxes[bubble], _ = min(candidates[bubble],
                                   key=lambda candidate: compute_cost(bubble, *candidate, bubbles, others))
        if boxes == previous:
            break
    return boxes


# ------------------------------------------------------------------------------------------------------------ drawing

def draw_circle(x, y, radius, fill, tooltip=""):
    return Box(x - radius, y - radius, 2 * radius, 2 * radius, fill, TEXT_COLOR, 0.8, radius, tooltip=tooltip)


def draw_legend():
    """Return the items above the axes: bubble sizes and the years of the papers."""
    items = [Text(LEFT, 60, "Parameters", FONT_SIZE, MUTED_COLOR, anchor="start")]
    x = LEFT + measure_text_width("Parameters", FONT_SIZE) + 12
    for parameters in LEGEND_SIZES:
        radius, label = compute_radius(parameters), f"{parameters / 1e6:g} M"
        items += [draw_circle(x + radius, 60, radius, "#ffffff"),
                  Text(x + 2 * radius + 5, 60, label, FONT_SIZE, TEXT_COLOR, anchor="start")]
        x += 2 * radius + 5 + measure_text_width(label, FONT_SIZE) + 16
    x += 24
    items.append(Text(x, 60, "Year of the paper", FONT_SIZE, MUTED_COLOR, anchor="start"))
    x += measure_text_width("Year of the paper", FONT_SIZE) + 12
    for _, label, color in YEAR_COLORS:
        items += [draw_circle(x + 6, 60, 6, color), Text(x + 17, 60, label, FONT_SIZE, TEXT_COLOR, anchor="start")]
        x += 17 + measure_text_width(label, FONT_SIZE) + 14
    return items


def draw_axes(x_limits, y_limits, x_of, y_of):
    """Return the grid lines, tick labels and axis titles; `x_limits` and `y_limits` are (low, high)."""
    items = []
    for value in compute_log_ticks(*x_limits):
        x, label = x_of(value), f"{value / 1e6:g} M"
        items += [Line(((x, TOP), (x, BOTTOM)), GRID_COLOR), Text(x, BOTTOM + 14, label, FONT_SIZE, MUTED_COLOR)]
    for value in compute_linear_ticks(*y_limits):
        y = y_of(value)
        items += [Line(((LEFT, y), (RIGHT, y)), GRID_COLOR),
                  Text(LEFT - 8, y, f"{value:g}", FONT_SIZE, MUTED_COLOR, anchor="end")]
    corners = ((LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM))
    items += [Line(points, MUTED_COLOR) for points in pairwise(corners)]
    title = "Multiply-adds per image (MACs), logarithmic scale"
    return [*items, Text((LEFT + RIGHT) / 2, BOTTOM + 36, title, FONT_SIZE, TEXT_COLOR),
            Text(18, (TOP + BOTTOM) / 2, "CIFAR-10 test accuracy (%)", FONT_SIZE, TEXT_COLOR, rotated=True)]


def make_bubbles(rows, x_of, y_of):
    """Return the Bubbles of `rows`, the largest first, so that none is hidden."""
    bubbles = []
    for row in rows:
        parameters, multiply_adds = int(row["parameters"]), int(row["multiply_adds"])
        accuracy = 100 * float(row["test_accuracy_best"])
        bubbles.append(Bubble(row["model"], x_of(multiply_adds), y_of(accuracy), compute_radius(parameters),
                              get_year_color(registry.get_model_info(row["model"]).paper.year),
                              f"{row['model']}, width {float(row['width']):g}: {accuracy:.2f}%, {multiply_adds:,} "
                              f"multiply-adds, {parameters:,} parameters"))
    return sorted(bubbles, key=lambda bubble: (-bubble.radius, bubble.name))


def build_plot_scene(rows):
    """Return (Scene, {bubble: box of its label}) for the rows of accuracy.csv."""
    rows = select_rows(rows)
    x_min, x_max = compute_limits([math.log10(int(row["multiply_adds"])) for row in rows], 0.1, 0.6)
    y_min, y_max = compute_limits([100 * float(row["test_accuracy_best"]) for row in rows], 0.1, 6)

    def x_of(multiply_adds):
        return LEFT + (math.log10(multiply_adds) - x_min) / (x_max - x_min) * (RIGHT - LEFT)

    def y_of(accuracy):
        return BOTTOM - (accuracy - y_min) / (y_max - y_min) * (BOTTOM - TOP)

    bubbles = make_bubbles(rows, x_of, y_of)
    labels = place_labels(bubbles)
    title = "Accuracy of small models on CIFAR-10"
    items = [Text(LEFT, 24, title, 15, TEXT_COLOR, bold=True, anchor="start"), *draw_legend(),
             *draw_axes((x_min, x_max), (y_min, y_max), x_of, y_of)]
    leaders = [compute_leader(bubble, box) for bubble, box in labels.items()]
    items += [draw_circle(bubble.x, bubble.y, bubble.radius, bubble.fill, bubble.tooltip) for bubble in bubbles]
    items += [Line(leader, MUTED_COLOR, 0.8) for leader in leaders if math.dist(*leader) > MIN_LEADER_LENGTH]
    items += [Text((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, bubble.name, FONT_SIZE, TEXT_COLOR)
              for bubble, box in labels.items()]
    return Scene(WIDTH, HEIGHT, "#ffffff", items, f"{title}: test accuracy against multiply-adds"), labels


def draw_accuracy_plot(rows, path):
    """Plot the rows of accuracy.csv to a file: SVG, PNG or PDF, depending on its extension."""
    save.save_scene(build_plot_scene(rows)[0], path)
