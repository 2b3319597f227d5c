"""A network with layer names that break careless writers of HTML, JavaScript, DOT and Mermaid."""

from dataclasses import replace

from zoo import registry
from zoo.analysis.modules import build_module_graph
from zoo.analysis.summary import summarize_model_config

NAMES = ("</script><script>window.broken = 1</script>", "<img src=x onerror='window.broken = 2'>", "<!--<script>",
         '"];x["', "end", "a:b", "${window.broken = 3}", "'); window.broken = 4; ('", "back\\slash\\", "tab\tline\nend",
         "__proto__", "constructor", "100%%{}", "graph", "1. first", "**bold** `code` #35;", "&amp;&lt;", "é漢字\u2028")


def make_summary():
    """Return the ModelSummary of a chain of layers with these names; the third one also reads the first."""
    model = summarize_model_config(registry.resolve_model_config("lenet5"))
    layers = []
    for index, name in enumerate(NAMES):
        reads = NAMES[max(index - 1, 0):index] + (NAMES[:1] if index == 2 else ())
        kind = ("InputLayer", "Conv2D", "Add")[index] if index < 3 else "Dense"
        layers.append(replace(model.layers[1], name=name, class_name=kind, shape=(8, 8, 3), inputs=reads))
    return replace(model, layers=tuple(layers), stages=())


def make_module_graph():
    return build_module_graph(make_summary())
