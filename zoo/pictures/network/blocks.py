"""A network module by module: one box each, repeats as one, the inside of each kind of module once beside them."""

from zoo.pictures.lettering import width_of
from zoo.pictures.network.insides import LINE, Picture, by_structure, has_inside, kinds_of, panel, told
from zoo.pictures.network.theme import LETTERS, SMALL, bars, legend, shape_words
from zoo.pictures.scene import Box, Line, Scene, Text

BOX = LINE + 8  # width of a module
TALL, THIN = 30.0, 16.0  # height of a module, of one without parameters
GAP = 17.0  # between modules, with an arrow and a shape
BARS = 96.0  # room for them, right of the modules
SIDE = 126.0  # width of a side classifier, left of the modules
MARGIN = 22.0
BETWEEN = 14.0  # panels


def blocks(plan, title, subtitle, theme, most):
    """Return the Scene of a Plan: the modules from above to below, what is in them on the right.

    `most` is what the longest bars stand for, {"parameters": ..., "multiply_adds": ...}.
    """
    chain = chained(plan, theme, most)
    panels = [panel(group, theme) for group in by_structure(plan.modules)]
    beside = best_packed(panels, chain)
    width = max(chain.width + (BETWEEN + beside.width if panels else 0), width_of(title, 15, "bold"),
                width_of(subtitle, 8.5))
    key, key_height = legend(MARGIN, 0, width, kinds_of(plan.modules), theme, with_bars=True,
                             sides=any(module.loss_weight for module in plan.modules))
    head, body = 52.0, max(chain.height, beside.height)
    scene = Scene(width + 2 * MARGIN, head + body + 18 + key_height + MARGIN, theme.paper, title=f"{title}: {subtitle}")
    scene.items += [Text(MARGIN, 24, title, 15, theme.ink, bold=True, anchor="start"),
                    Text(MARGIN, 40, subtitle, 8.5, theme.faint, anchor="start"),
                    *chain.at(MARGIN, head), *beside.at(MARGIN + chain.width + BETWEEN, head),
                    *Picture(0, 0, tuple(key)).at(0, head + body + 18)]
    return scene


def chained(plan, theme, most):
    """Return the Picture of the modules; those that do not lead to the last one stand on the left."""
    main, others = along_and_aside(plan)
    names = [module.name for module in main]
    lanes = {(source, module.name) for module in main for source in module.reads
             if source in names and names.index(module.name) - names.index(source) > 1}
    left = (SIDE + 24 if others else 0.0) + 9.0 * len(lanes)
    items, y, tops = [], 0.0, {}
    for number, module in enumerate(main):
        if number:
            before = main[number - 1]
            y += GAP + 3 * behind(module)
            if before.name in module.reads:
                top = y - 3 * behind(module)
                items.append(Line(((left + BOX / 2, top - GAP), (left + BOX / 2, top)), theme.line, arrow=True))
            if before.shape != module.shape or number == 1:
                items.append(Text(left + BOX / 2 + 6, y - 3 * behind(module) - GAP / 2, shape_words(before.shape), SMALL, theme.faint,
                                  anchor="start"))
        tops[module.name] = y
        items += module_box(module, left, y, BOX, theme)
        items += bars(left + BOX + 10, y + (TALL - 17) / 2, module, most, theme) if module.parameters else []
        y += height_of(module)
    items.append(Text(left + BOX / 2, y + 9, shape_words(main[-1].shape), SMALL, theme.faint))
    for lane, (source, target) in enumerate(sorted(lanes)):
        items.append(skip(left, tops[source] + height_of(main[names.index(source)]) / 2, tops[target] + 6, lane, theme))
    items += aside(others, {module.name: (tops[module.name], height_of(module)) for module in main}, left, theme)
    return Picture(left + BOX + BARS, y + 16, tuple(items))


def along_and_aside(plan):
    """Return the modules on the way to the main output, and the others: side classifiers."""
    by_name = {module.name: module for module in plan.modules}
    ends = [module for module in plan.modules if not plan.readers.get(module.name)]
    wanted = [next((module for module in ends if module.loss_weight is None), ends[0]).name]
    found = set()
    while wanted:
        name = wanted.pop()
        if name not in found:
            found.add(name)
            wanted.extend(by_name[name].reads)
    return ([module for module in plan.modules if module.name in found],
            [module for module in plan.modules if module.name not in found])


def height_of(module):
    return TALL if module.parameters or has_inside(module) else THIN


def behind(module):
    """Return how many boxes are drawn behind a module that repeats."""
    return min(module.times - 1, 2)


def module_box(module, x, y, width, theme):
    """Return a module's box: its name, and its layer if it has one only; behind it a second and third where it repeats."""
    fill, stroke = theme.kinds[module.units[0].kind] if len(module.units) == 1 else theme.module
    height = height_of(module)
    items = [Box(x + 3 * back, y - 3 * back, width, height, fill, stroke, 0.8)
             for back in range(behind(module), 0, -1)]
    items.append(Box(x, y, width, height, fill, stroke, 1.1, name=module.name, tip=tip(module),
                     dashed=module.loss_weight is not None))
    times = f"{module.times} x " if module.times > 1 and " to " not in module.title else ""
    under = described(module)
    under = "" if under in ("activation", module.title) else under  # nothing new
    if height == THIN:
        both = f"{module.title}   {under}" if under and width_of(f"{module.title}   {under}", SMALL) < width - 8 \
            else module.title
        return [*items, Text(x + width / 2, y + height / 2, both, SMALL, theme.ink)]
    return [*items, Text(x + width / 2, y + 11, f"{times}{module.title}", 10, theme.ink, bold=True),
            Text(x + width / 2, y + 23, under, LETTERS - 1, theme.faint)]


def described(module):
    """Return the line under a module's name."""
    if module.loss_weight is not None:
        return f"loss x {module.loss_weight:g}"
    if not has_inside(module):
        return told(module)
    if module.times > 1 and " to " not in module.title:
        return f"{module.names[0]} to {module.names[-1]}"
    if module.times > 1:
        return f"{module.times} alike"
    return f"{sum(len(unit.layers) for unit in module.units)} layers"


def tip(module):
    return (f"{module.title}: {shape_words(module.shape)}, {module.parameters:,} parameters, "
            f"{module.multiply_adds:,} multiply-adds")


def skip(left, start, end, lane, theme):
    """Return the line of a module that is read further below, on the left."""
    x = left - 9.0 * (lane + 1)
    return Line(((left, start), (x, start), (x, end), (left, end)), theme.line, arrow=True)


def aside(others, boxes, left, theme):
    """Return side classifiers beside the module that they read; `boxes` has (top, height) of those."""
    items, bottom = [], 0.0
    for module in others:
        source = next((name for name in module.reads if name in boxes), None)
        top, height = boxes.get(source, (0.0, TALL))
        y = max(top + (height - TALL) / 2, bottom)
        items += module_box(module, 0, y, SIDE, theme)
        if source:
            middle, end = top + height / 2, y + TALL / 2
            way = ((left, middle), (SIDE, end)) if abs(middle - end) < 0.5 else (
                (left, middle), (left - 12, middle), (left - 12, end), (SIDE, end))
            items.append(Line(way, theme.line, dashed=True, arrow=True))
        bottom = y + TALL + 6
    return items


def best_packed(panels, chain):
    """Return the panels in columns of the height with which the whole is largest on a sheet of A4, upright or across."""
    tallest = max([chain.height, *(each.height for each in panels)])
    tried = [packed(panels, tallest * share) for share in (1.0, 1.15, 1.3, 1.5, 1.75, 2.0)]

    def scale(picture):
        width, height = chain.width + BETWEEN + picture.width, max(chain.height, picture.height) + 90
        return max(min(long / width, short / height) for long, short in ((1.414, 1), (1, 1.414)))

    return max(tried, key=scale)


def packed(panels, limit):
    """Return the panels in columns of at most `limit` points."""
    columns, heights = [], []
    for each in panels:
        if not columns or heights[-1] + each.height > limit:
            columns.append([])
            heights.append(0.0)
        columns[-1].append(each)
        heights[-1] += each.height + BETWEEN
    items, x = [], 0.0
    for column in columns:
        y = 0.0
        for each in column:
            items += each.at(x, y)
            y += each.height + BETWEEN
        x += max(each.width for each in column) + BETWEEN
    return Picture(max(x - BETWEEN, 0.0), max(heights, default=0.0), tuple(items))
