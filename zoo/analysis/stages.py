"""Modules grouped into stages: those of one family and one feature map, with what belongs to them."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class ModuleStage:
    modules: tuple
    parameters: int
    multiply_adds: int

    @property
    def title(self):
        names = [name for module in self.modules for name in module.names if has_weights(module)]
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
        return next((module.shape for module in reversed(self.modules) if len(module.shape) > 1),
                    self.modules[-1].shape)

    @property
    def has_final_pool(self):
        """Whether the last grid is that after a pool."""
        return any(module.fused_layers[0].kind == "pool" and len(module.shape) > 1 for module in self.modules
                   if not has_weights(module))


def group_stages(modules):
    """Return the modules as Stages: those that are not weighty belong to the one before, as do those of one family."""
    groups = []
    for module in modules:
        if groups and module.fused_layers[0].kind != "input" and (not has_weights(module) or (
                groups[-1][0].fused_layers[0].kind != "input" and is_same_stage(groups[-1], module))):
            groups[-1].append(module)
        else:
            groups.append([module])
    return [ModuleStage(tuple(group), sum(each.parameters for each in group), sum(each.multiply_adds for each in group))
            for group in groups]


def has_weights(module):
    """Whether a module is more than a layer without parameters or a normalisation."""
    return module.parameters > 0 and any(unit.kind != "normalisation" for unit in module.fused_layers)


def is_same_stage(group, module):
    last = [each for each in group if has_weights(each)] or group
    return get_name_prefix(last[-1].name) == get_name_prefix(module.name) and last[-1].shape[:-1] == module.shape[:-1]


def get_name_prefix(name):
    """Return what the names of a stage's modules share: mixed of mixed4, 4 of 4a, fc of fc6, conv2 of conv2_1."""
    if name[0].isdigit():
        return re.match(r"\d+", name)[0]
    stem, number = re.fullmatch(r"(.*?)(_?\d*)", name).groups()
    return name.rpartition("_")[0] if number.startswith("_") else stem
