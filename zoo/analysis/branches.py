"""The main branch of a module graph, which the first output depends on, and the branches that it does not depend on."""

from dataclasses import replace


def split_main_and_aux(module_graph):
    """Return the modules that the main output depends on, and the others: auxiliary classifiers and other outputs."""
    main_names = find_main_names(module_graph.modules)
    return ([module for module in module_graph.modules if module.name in main_names],
            [module for module in module_graph.modules if module.name not in main_names])


def find_main_names(modules):
    """Return the names of the modules that the first output without a loss weight depends on."""
    modules_by_name = {module.name: module for module in modules}
    sources = {source for module in modules for source in module.inputs}
    output_modules = [module for module in modules if module.name not in sources]
    pending = [next((module for module in output_modules if module.loss_weight is None), output_modules[0]).name]
    main_names = set()
    while pending:
        name = pending.pop()
        if name not in main_names:
            main_names.add(name)
            pending.extend(modules_by_name[name].inputs)
    return main_names


def merge_other_branches(modules):
    """Return the modules with each branch beside the main one as a single module, called like its last module.

    They come last. Auxiliary classifiers, which have a loss weight, are single modules already.
    """
    main_names = find_main_names(modules)
    other_modules = [module for module in modules if module.name not in main_names and module.loss_weight is None]
    branches = []
    for module in other_modules:
        connected = [branch for branch in branches if any(other.name in module.inputs for other in branch)]
        branches = [branch for branch in branches if branch not in connected]
        branches.append([*(other for branch in connected for other in branch), module])
    return [*(module for module in modules if module not in other_modules), *map(_merge_modules, branches)]


def _merge_modules(modules):
    names = {module.name for module in modules}
    inputs = dict.fromkeys(source for module in modules for source in module.inputs if source not in names)
    return replace(modules[-1], fused_layers=tuple(layer for module in modules for layer in module.fused_layers),
                   parameters=sum(module.parameters for module in modules),
                   multiply_adds=sum_counts(module.multiply_adds for module in modules), inputs=tuple(inputs))


def sum_counts(counts):
    """Return the sum of multiply-adds; None if one of them is unknown."""
    counts = [*counts]
    return None if None in counts else sum(counts)
