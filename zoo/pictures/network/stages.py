"""A network in one row of boxes that fits a slide: modules of one family and grid are one box."""

import re
from dataclasses import dataclass

from zoo.pictures.lettering import width_of
from zoo.pictures.network.blocks import along_and_aside
from zoo.pictures.network.theme import SMALL, bars, legend, shape_words
from zoo.pictures.scene import Box, Line, Scene, Text

HEIGHT = 62.0
LEAST = 74.0  # width of a box
GAP = 26.0
MARGIN = 22.0
SIDE = 34.0  # height of a side classifier


@dataclass(frozen=True)
class Stage:
    modules: tuple
    parameters: int
    multiply_adds: int

    @property
    def title(self):
        names = [name for module in self.modules for name in module.names if module.parameters]
        names = names or [self.modules[0].name]
        stems = {name.rpartition("_")[0] for name in names}
        if len(names) == 1:
            return names[0]
        if len(stems) == 1 and all(stems):
            return f"{len(names)} x {stems.pop()}"
        return f"{names[0]} to {names[-1]}"

    @property
    def shape(self):
        """The last grid; where there is none, the last output."""
        return next((module.shape for module in reversed(self.modules) if len(module.shape) > 1), self.modules[-1].shape)


def stages_of(modules):
    """Return the modules as Stages: those without parameters belong to the one before, as do those of one family."""
    groups = []
    for module in modules:
        weighty = module.parameters > 0
        if groups and module.units[0].kind != "input" and groups[-1][0].units[0].kind != "input" and (
                not weighty or same_stage(groups[-1], module)):
            groups[-1].append(module)
        else:
            groups.append([module])
    return [Stage(tuple(group), sum(each.parameters for each in group), sum(each.multiply_adds for each in group))
            for group in groups]


def same_stage(group, module):
    last = [each for each in group if each.parameters] or group
    return family(last[-1].name) == family(module.name) and last[-1].shape[:-1] == module.shape[:-1]


def family(name):
    """Return what the names of a stage's modules share: mixed of mixed4, 4 of 4a, fc of fc6, conv2 of conv2_1."""
    if name[0].isdigit():
        return re.match(r"\d+", name)[0]
    stem, number = re.fullmatch(r"(.*?)(_?\d*)", name).groups()
    return name.rpartition("_")[0] if number.startswith("_") else stem


def stages(plan, title, subtitle, theme, most):
    """Return the Scene of a Plan as one row, side classifiers under the stage that they read.

    `most` is what the longest bars stand for, {"parameters": ..., "multiply_adds": ...}.
    """
    main, others = along_and_aside(plan)
    row = stages_of(main)
    items, x, place, top = [], MARGIN, {}, 58.0
    for number, stage in enumerate(row):
        width = max(LEAST, width_of(stage.title, 10, "bold") + 16, width_of(shape_words(stage.shape), 8.5) + 16)
        if number:
            items.append(Line(((x, top + HEIGHT / 2), (x + GAP, top + HEIGHT / 2)), theme.line, 1.2, arrow=True))
            x += GAP
        items += stage_box(stage, x, top, width, most, theme)
        place |= {module.name: x + width / 2 for module in stage.modules}
        x += width
    items += under(others, place, top + HEIGHT, theme)
    width = max(x - MARGIN, width_of(title, 16, "bold"), width_of(subtitle, 9))
    bottom = top + HEIGHT + (SIDE + 26 if others else 0)
    key, height = legend(MARGIN, bottom + 18, width, (), theme, with_bars=True, sides=bool(others))
    return Scene(width + 2 * MARGIN, bottom + 18 + height + MARGIN, theme.paper,
                 [Text(MARGIN, 24, title, 16, theme.ink, bold=True, anchor="start"),
                  Text(MARGIN, 42, subtitle, 9, theme.faint, anchor="start"), *items, *key], f"{title}: {subtitle}")


def stage_box(stage, x, y, width, most, theme):
    kinds = {module.units[0].kind for module in stage.modules if module.parameters and len(module.units) == 1}
    whole = all(len(module.units) == 1 for module in stage.modules if module.parameters)
    fill, stroke = theme.kinds[kinds.pop()] if whole and len(kinds) == 1 else theme.module
    if stage.modules[0].units[0].kind == "input":
        fill, stroke = theme.kinds["input"]
    items = [Box(x, y, width, HEIGHT, fill, stroke, 1.2, name=stage.modules[0].name,
                 tip=f"{stage.title}: {shape_words(stage.shape)}, {stage.parameters:,} parameters, "
                     f"{stage.multiply_adds:,} multiply-adds"),
             Text(x + width / 2, y + 14, stage.title, 10, theme.ink, bold=True),
             Text(x + width / 2, y + 28, shape_words(stage.shape), 8.5, theme.ink)]
    return items + bars(x + 8, y + 39, stage, most, theme, length=LEAST - 16 - width_of("888 M", SMALL) - 4)


def under(others, place, y, theme):
    """Return side classifiers under the middle of the stage that they read."""
    items, right = [], 0.0
    for module in others:
        middle = next((place[name] for name in module.reads if name in place), MARGIN + LEAST)
        x = max(middle - LEAST / 2, right)
        items += [Line(((middle, y), (middle, y + 12), (x + LEAST / 2, y + 12), (x + LEAST / 2, y + 26))
                       if abs(middle - x - LEAST / 2) > 0.5 else ((middle, y), (middle, y + 26)),
                       theme.line, dashed=True, arrow=True),
                  Box(x, y + 26, LEAST, SIDE, *theme.module, dashed=True, name=module.name),
                  Text(x + LEAST / 2, y + 38, module.name, 9, theme.ink, bold=True)]
        if module.loss_weight is not None:
            items.append(Text(x + LEAST / 2, y + 51, f"loss x {module.loss_weight:g}", SMALL, theme.faint))
        right = x + LEAST + 8
    return items
