"""Modules grouped into stages: consecutive ones with the same name prefix and feature map size."""

import re
from dataclasses import dataclass

from zoo.analysis.branches import sum_counts


@dataclass(frozen=True)
class ModuleStage:
    modules: tuple
    parameters: int
    multiply_adds: int | None  # None: unknown for a layer

    @property
    def module_names(self):
        """The names of the modules with weights; without one, of the first module."""
        names = [name for module in self.modules for name in module.names if has_weights(module)]
        return names or [self.modules[0].name]

    @property
    def title(self):
        """The common prefix of the modules' names: 'conv2' of conv2_1 to conv2_3; else '4a to 4e'."""
        names = self.module_names
        prefixes = {name.rpartition("_")[0] for name in names}
        if len(names) == 1:
            return names[0]
        return prefixes.pop() if len(prefixes) == 1 and all(prefixes) else f"{names[0]} to {names[-1]}"

    @property
    def contents(self):
        """What a title of several modules stands for: '2 layers', '3 modules'; "" for one module."""
        if len(self.module_names) == 1:
            return ""
        has_single_layers = all(len(module.fused_layers) == 1 for module in self.modules if has_weights(module))
        return f"{len(self.module_names)} {'layers' if has_single_layers else 'modules'}"

    @property
    def shape(self):
        """The shape of the last feature map; without one, of the last output."""
        return next((module.shape for module in reversed(self.modules) if len(module.shape) > 1),
                    self.modules[-1].shape)

    @property
    def has_final_pool(self):
        """Whether the last feature map is the output of a pooling layer."""
        return self._pool_index is not None

    @property
    def shape_before_pool(self):
        """The shape of the feature map that the final pooling layer reads; without one, `shape`."""
        return self.modules[self._pool_index - 1].shape if self._pool_index else self.shape

    @property
    def _pool_index(self):
        """The index of the final pooling layer, after which no layer has weights or another size; None without one."""
        feature_maps = [(index, module) for index, module in enumerate(self.modules) if len(module.shape) > 1]
        for index, module in reversed(feature_maps):
            if has_weights(module) or module.shape != self.shape:
                return None
            if module.fused_layers[0].kind == "pool":
                return index
        return None


def group_stages(modules):
    """Return the ModuleStages; modules without weights or with the same name prefix join the previous stage."""
    groups = []
    for module in modules:
        if groups and module.fused_layers[0].kind != "input" and (not has_weights(module) or (
                groups[-1][0].fused_layers[0].kind != "input" and is_same_stage(groups[-1], module))):
            groups[-1].append(module)
        else:
            groups.append([module])
    return [ModuleStage(tuple(group), sum(module.parameters for module in group),
                        sum_counts(module.multiply_adds for module in group))
            for group in groups]


def has_weights(module):
    """Return whether a module has parameters in more than normalization layers."""
    return module.parameters > 0 and any(fused_layer.kind != "normalization" for fused_layer in module.fused_layers)


def is_same_stage(group, module):
    last = ([member for member in group if has_weights(member)] or group)[-1]
    return get_name_prefix(last.name) == get_name_prefix(module.name) and last.shape[:-1] == module.shape[:-1]


def get_name_prefix(name):
    """Return the common name prefix of a stage's modules: mixed of mixed4, 4 of 4a, fc of fc6, conv2 of conv2_1."""
    if name[0].isdigit():
        return re.match(r"\d+", name)[0]
    stem, suffix = re.fullmatch(r"(.*?)(_?\d*)", name).groups()
    return name.rpartition("_")[0] if suffix.startswith("_") else stem
