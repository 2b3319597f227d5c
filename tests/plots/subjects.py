"""The networks in the diagrams, each summarized once for all test files of a process."""

import functools

from zoo import registry
from zoo.analysis.modules import build_module_graph
from zoo.diagrams.diagram import make_source_from_config


@functools.cache
def make_source(name):
    """Return the DiagramSource of a network with its auxiliary classifiers."""
    return make_source_from_config(registry.resolve_model_config(
        name, aux=bool(registry.get_model_info(name).aux_loss_weights)))


@functools.cache
def make_summary_and_graph(name):
    """Return the ModelSummary of a network with its auxiliary classifiers, and its ModuleGraph."""
    model_summary = make_source(name).model_summary
    return model_summary, build_module_graph(model_summary, registry.get_model_info(name).aux_loss_weights)
