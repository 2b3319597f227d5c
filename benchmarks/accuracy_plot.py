"""The plot of accuracy.csv: CIFAR-10 accuracy against multiply-adds, a bubble for each network's small preset.

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

WIDTH, HEIGHT = 800, 560  # points
LEFT, TOP, RIGHT, BOTTOM = 62, 92, 782, 508  # edges of the axes, points
TEXT_COLOR, MUTED_COLOR, GRID_COLOR = "#222222", "#666666", "#e4e4e4"
FONT_SIZE = 11  # of letters, points
AREA_PER_PARAMETER = 1.4e-3  # square points a parameter
YEAR_COLORS = ((2013, "to 2013", "#f6d9a8"), (2014, "2014", "#a9dcc0"), (2015, "2015", "#9cc7ec"),
               (2016, "2016", "#c5b3e6"))
LEGEND_SIZES = (100_000, 300_000, 1_000_000)  # parameters, in the legend
LABEL_DIRECTIONS, LABEL_GAPS = 24, (3, 10, 20, 32,
                                    46)  # where a label can stand: around its bubble, points away from it
MIN_LEADER_LENGTH = 7  # points: a label that is nearer needs no line to its bubble
PLACEMENT_ROUNDS = 12  # in which each label in turn takes the place that suits the others best


@dataclass(frozen=True)
class Bubble:
    name: str
    x: float  # of its middle, points
    y: float
    radius: float
    fill: str
    tooltip: str


def select_rows(rows):
    """Return the rows that are drawn, one a network: of those whose small preset is for CIFAR-10, the last row of the
    preset, or where there is none yet, the last on CIFAR-10."""
    chosen = {}
    for row in rows:
        small = registry.MODELS[row["network"]].small_preset
        if row["dataset"] != "cifar10" or small is None or small.dataset != "cifar10":
            continue
        is_preset = "--preset small" in row["command"]
        if is_preset or "--preset small" not in chosen.get(row["network"], row)["command"]:
            chosen[row["network"]] = row
    return [*chosen.values()]


def compute_radius(parameters):
    return math.sqrt(AREA_PER_PARAMETER * parameters / math.pi)


def get_year_color(year):
    return next(colour for last, _, colour in YEAR_COLORS if year <= last)


# ------------------------------------------------------------------------------------------------------------- scales

def compute_limits(values, margin, min_range):
    """Return (low, high) around values with a margin, a share of their range, and at least `least` between them."""
    low, high = min(values), max(values)
    spare = max(margin * (high - low), (min_range - (high - low)) / 2)
    return low - spare, high + spare


def compute_log_ticks(low, high):
    """Return round numbers from 10 ** low to 10 ** high, about evenly spaced on a logarithmic scale."""
    return [step * 10**power for power in range(math.floor(low), math.ceil(high) + 1) for step in (1, 1.5, 2, 3, 5, 7)
            if low <= math.log10(step * 10**power) <= high]


def compute_linear_ticks(low, high):
    """Return at most nine round numbers from `low` to `high`."""
    step = next(step for step in (0.5, 1, 2, 5, 10, 20) if (high - low) / step <= 8)
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


# ------------------------------------------------------------------------------------------------------------- labels

def compute_overlap(one, other):
    """Return the area that two boxes (left, top, right, bottom) share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return width * height if width > 0 and height > 0 else 0.0


def get_bubble_box(bubble):
    return (bubble.x - bubble.radius, bubble.y - bubble.radius, bubble.x + bubble.radius, bubble.y + bubble.radius)


def list_label_boxes(bubble):
    """Return [(box, gap)] of the places for a bubble's label, the best first: near it, and beside rather than above."""
    width, height = measure_text_width(bubble.name, FONT_SIZE) + 4, FONT_SIZE + 3
    places = []
    for gap in LABEL_GAPS:
        for step in range(LABEL_DIRECTIONS):
            angle = 2 * math.pi * step / LABEL_DIRECTIONS
            across, down = math.cos(angle), math.sin(angle)
            x = bubble.x + (bubble.radius + gap) * across + width / 2 * max(-1, min(1, 1.5 * across))
            y = bubble.y + (bubble.radius + gap) * down + height / 2 * max(-1, min(1, 1.5 * down))
            places.append(((x - width / 2, y - height / 2, x + width / 2, y + height / 2), gap))
    return places


def is_crossing(one, other):
    """Return whether two lines ((x, y), (x, y)) cross."""
    def side(a, b, c):
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    return side(*one, other[0]) * side(*one, other[1]) < 0 and side(*other, one[0]) * side(*other, one[1]) < 0


def compute_leader(bubble, box):
    """Return the line ((x, y), (x, y)) from a bubble's edge to the nearest point of its label."""
    x, y = min(max(bubble.x, box[0]), box[2]), min(max(bubble.y, box[1]), box[3])
    distance = math.hypot(x - bubble.x, y - bubble.y) or 1.0
    share = min(1.0, bubble.radius / distance)
    return (bubble.x + share * (x - bubble.x), bubble.y + share * (y - bubble.y)), (x, y)


def compute_cost(bubble, box, gap, bubbles, others):
    """Return how bad a place is: what it covers, how far away it is, and whose leader lines cross."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    total = 0.2 * gap + 50 * (area - compute_overlap(box, (LEFT, TOP, RIGHT, BOTTOM)))
    total += sum(5 * compute_overlap(box, get_bubble_box(each)) for each in bubbles)
    total += sum(20 * compute_overlap(box, other) for _, other in others)
    line = compute_leader(bubble, box)
    total += sum(200 for each, other in others if is_crossing(line, compute_leader(each, other)))
    return total


def place_labels(bubbles):
    """Return {bubble: box} of the labels, so that none covers another one or a bubble as long as there is room."""
    choices = {bubble: list_label_boxes(bubble) for bubble in bubbles}
    placed = {bubble: choices[bubble][0][0] for bubble in bubbles}
    for _ in range(PLACEMENT_ROUNDS):
        before = dict(placed)
        for bubble in bubbles:
            others = [(each, box) for each, box in placed.items() if each is not bubble]
            placed[bubble], _ = min(choices[bubble], key=lambda place: compute_cost(bubble, *place, bubbles, others))
        if placed == before:
            break
    return placed


# ------------------------------------------------------------------------------------------------------------ drawing

def draw_circle(x, y, radius, fill, tooltip=""):
    return Box(x - radius, y - radius, 2 * radius, 2 * radius, fill, TEXT_COLOR, 0.8, radius, tooltip=tooltip)


def draw_legend():
    """Return the items above the axes: sizes of bubbles and the years of papers."""
    items = [Text(LEFT, 60, "Parameters", FONT_SIZE, MUTED_COLOR, anchor="start")]
    x = LEFT + measure_text_width("Parameters", FONT_SIZE) + 12
    for parameters in LEGEND_SIZES:
        radius, words = compute_radius(parameters), f"{parameters / 1e6:g} M"
        items += [draw_circle(x + radius, 60, radius, "#ffffff"),
                  Text(x + 2 * radius + 5, 60, words, FONT_SIZE, TEXT_COLOR, anchor="start")]
        x += 2 * radius + 5 + measure_text_width(words, FONT_SIZE) + 16
    x += 24
    items.append(Text(x, 60, "Year of the paper", FONT_SIZE, MUTED_COLOR, anchor="start"))
    x += measure_text_width("Year of the paper", FONT_SIZE) + 12
    for _, words, colour in YEAR_COLORS:
        items += [draw_circle(x + 6, 60, 6, colour), Text(x + 17, 60, words, FONT_SIZE, TEXT_COLOR, anchor="start")]
        x += 17 + measure_text_width(words, FONT_SIZE) + 14
    return items


def draw_axes(x_limits, y_limits, x_of, y_of):
    """Return the items of the grid and its numbers; `across` and `down` are (low, high) of the two scales."""
    items = []
    for value in compute_log_ticks(*x_limits):
        x, words = x_of(value), f"{value / 1e6:g} M"
        items += [Line(((x, TOP), (x, BOTTOM)), GRID_COLOR), Text(x, BOTTOM + 14, words, FONT_SIZE, MUTED_COLOR)]
    for value in compute_linear_ticks(*y_limits):
        y = y_of(value)
        items += [Line(((LEFT, y), (RIGHT, y)), GRID_COLOR),
                  Text(LEFT - 8, y, f"{value:g}", FONT_SIZE, MUTED_COLOR, anchor="end")]
    corners = ((LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM))
    items += [Line(pair, MUTED_COLOR) for pair in pairwise(corners)]
    title = "Multiply-adds per image (MACs), logarithmic scale"
    return [*items, Text((LEFT + RIGHT) / 2, BOTTOM + 36, title, FONT_SIZE, TEXT_COLOR),
            Text(18, (TOP + BOTTOM) / 2, "CIFAR-10 test accuracy (%)", FONT_SIZE, TEXT_COLOR, rotated=True)]


def make_bubbles(rows, x_of, y_of):
    """Return the Bubbles of rows, the largest first, so that none is hidden."""
    found = []
    for row in rows:
        parameters, multiply_adds = int(row["parameters"]), int(row["multiply_adds"])
        accuracy = 100 * float(row["test_accuracy_best"])
        found.append(Bubble(row["network"], x_of(multiply_adds), y_of(accuracy), compute_radius(parameters),
                            get_year_color(registry.get_model_info(row["network"]).paper.year),
                            f"{row['network']}, width {float(row['width']):g}: {accuracy:.2f} %, {multiply_adds:,} "
                            f"multiply-adds, {parameters:,} parameters"))
    return sorted(found, key=lambda bubble: (-bubble.radius, bubble.name))


def build_plot_scene(rows):
    """Return (Scene, {bubble: box of its label}) of the rows of accuracy.csv."""
    rows = select_rows(rows)
    across = compute_limits([math.log10(int(row["multiply_adds"])) for row in rows], 0.1, 0.6)
    down = compute_limits([100 * float(row["test_accuracy_best"]) for row in rows], 0.1, 6)

    def x_of(multiply_adds):
        return LEFT + (math.log10(multiply_adds) - across[0]) / (across[1] - across[0]) * (RIGHT - LEFT)

    def y_of(accuracy):
        return BOTTOM - (accuracy - down[0]) / (down[1] - down[0]) * (BOTTOM - TOP)

    bubbles = make_bubbles(rows, x_of, y_of)
    labels = place_labels(bubbles)
    title = "Accuracy of small models on CIFAR-10"
    items = [Text(LEFT, 24, title, 15, TEXT_COLOR, bold=True, anchor="start"), *draw_legend(),
             *draw_axes(across, down, x_of, y_of)]
    leaders = [compute_leader(bubble, box) for bubble, box in labels.items()]
    items += [Line(line, MUTED_COLOR, 0.8) for line in leaders if math.dist(*line) > MIN_LEADER_LENGTH]
    items += [draw_circle(bubble.x, bubble.y, bubble.radius, bubble.fill, bubble.tooltip) for bubble in bubbles]
    items += [Text((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, bubble.name, FONT_SIZE, TEXT_COLOR)
              for bubble, box in labels.items()]
    return Scene(WIDTH, HEIGHT, "#ffffff", items, f"{title}: test accuracy against multiply-adds"), labels


def draw_accuracy_plot(rows, path):
    """Draw the rows of accuracy.csv into a file, SVG, PNG or PDF by its ending."""
    save.save_scene(build_plot_scene(rows)[0], path)
