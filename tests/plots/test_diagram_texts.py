"""Networks as dot and as Mermaid: what Graphviz and GitHub are told."""

import functools
import re

import hostile
import pydot
import pytest
from helpers import slow_if_sibling
from subjects import make_summary_and_graph

from zoo import registry
from zoo.analysis import summary
from zoo.analysis.modules import build_module_graph
from zoo.diagrams.dot import to_dot
from zoo.diagrams.mermaid import MAX_CHARACTERS, MAX_EDGES, escape_mermaid, to_mermaid

NETWORKS = sorted(registry.MODELS)
DETAILS = ("stages", "blocks", "layers")

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")  # pydot's, of the parser it uses


def unquote(name):
    return re.sub(r"\\(.)", r"\1", name[1:-1])


@functools.cache
def parse(text):
    (graph,) = pydot.graph_from_dot_data(text)
    return graph


def list_nodes(graph):
    """Return {name: node} of a graph and its clusters."""
    found = {unquote(node.get_name()): node for node in graph.get_nodes() if node.get_name() not in ("node", "edge")}
    for inner in graph.get_subgraphs():
        found |= list_nodes(inner)
    return found


def list_clusters(graph):
    """Return the labels of all clusters."""
    return [label for inner in graph.get_subgraphs() for label in (unquote(inner.get_label()), *list_clusters(inner))]


def list_repeats(labels):
    """Return [(how often, title)] of the modules that are labeled as repeats."""
    found = [re.fullmatch(r"(\d+)\W*x?\W*(\w+)", label) for label in labels]
    return [(int(match[1]), match[2]) for match in found if match]


def list_edges(graph):
    return {(unquote(edge.get_source()), unquote(edge.get_destination())): edge for edge in graph.get_edges()}


# ------------------------------------------------------------------------------------------------------------- dot

# Figure 2 of the paper with 28x28 images; parameters with three digits, in thousands: k
LENET5_NODES = [["image", "28x28x1"], ["C1", "28x28x6, pooled to 14x14x6", "156"],
                ["C3", "10x10x16, pooled to 5x5x16", "2.42 k"], ["C5", "120", "48.1 k"], ["F6", "84", "10.2 k"],
                ["output", "10", "850"]]
LENET5_EDGES = {("image", "C1"): "28x28x1", ("C1", "C3"): "14x14x6", ("C3", "C5"): "400", ("C5", "F6"): "120",
                ("F6", "output"): "84"}


def remove_units(label):
    """Return the lines of a label without the word after its number of parameters."""
    return [re.sub(r"^([\d.]+(?: k)?) \w+$", r"\1", line) for line in label]


def test_lenet5_as_dot():
    text = to_dot(make_summary_and_graph("lenet5")[1], "LeNet-5", "stages")
    assert text.startswith('digraph "LeNet-5" {') and "rankdir=LR;" in text
    graph = parse(text)
    assert [remove_units(node.get_label()[1:-1].split(r"\n")) for node in list_nodes(graph).values()] == LENET5_NODES
    assert {ends: unquote(edge.get_label()).strip() for ends, edge in list_edges(graph).items()} == LENET5_EDGES


@pytest.mark.parametrize("detail", DETAILS)
@pytest.mark.parametrize("name", ["lenet5", "googlenet", "inception_v3", "resnet34"])
def test_dot_parses_back(name, detail):
    text = to_dot(make_summary_and_graph(name)[1], name, detail)
    assert parse(text).to_string() == text


def test_every_layer_and_every_connection_is_in_the_dot_of_the_layers():
    found, plan = make_summary_and_graph("inception_v3")
    graph = parse(to_dot(plan, "inception_v3", "layers"))
    assert list_nodes(graph).keys() == {layer.name for layer in found.layers}
    assert list_edges(graph).keys() == {(source, layer.name) for layer in found.layers for source in layer.inputs}


@pytest.mark.slow  # every network
def test_the_clusters_of_the_layers_are_modules_and_repeats():
    _, plan = make_summary_and_graph("inception_resnet_v2")
    labels = list_clusters(parse(to_dot(plan, "inception_resnet_v2", "layers")))
    assert {(10, "block35"), (20, "block17"), (9, "block8")} <= {*list_repeats(labels)}
    assert {"block35_10", "stem", "mixed7a"} <= set(labels)
    assert len(labels) == len(set(labels))


def test_auxiliary_classifiers_are_dashed_and_show_their_loss_weight():
    _, plan = make_summary_and_graph("googlenet")
    for detail in ("stages", "blocks"):
        graph = parse(to_dot(plan, "googlenet", detail))
        nodes = list_nodes(graph)
        assert all("0.3" in nodes[side].get_label() and "dashed" in nodes[side].get_style()
                   for side in ("aux1", "aux2"))
        assert {edge for edge, drawn in list_edges(graph).items() if drawn.get_style() == "dashed"} == {
            (source, side) for side in ("aux1", "aux2") for source, target in list_edges(graph) if target == side}
    graph = parse(to_dot(plan, "googlenet", "layers"))
    assert {edge for edge, drawn in list_edges(graph).items() if drawn.get_style() == "dashed"} == {
        ("4a", "aux1_pool"), ("4d", "aux2_pool")}
    assert all(any(side in label and "0.3" in label for label in list_clusters(graph)) for side in ("aux1", "aux2"))


def test_edges_show_the_shape_where_it_changes():
    edges = list_edges(parse(to_dot(make_summary_and_graph("vgg16")[1], "vgg16", "layers")))
    assert unquote(edges["image", "conv1_1"].get_label()) == " 224x224x3 "
    assert edges["conv1_1", "conv1_2"].get_label() is None
    assert unquote(edges["conv1_2", "pool1"].get_label()) == " 224x224x64 "


def test_an_auxiliary_classifier_reads_what_is_inside_a_stage():
    edges = list_edges(parse(to_dot(make_summary_and_graph("googlenet")[1], "googlenet", "stages")))
    assert unquote(edges["4a", "aux1"].get_label()) == " 14x14x512 "
    assert unquote(edges["4a", "aux2"].get_label()) == " 14x14x528 "


def test_hostile_names_stay_names_in_dot():
    graph = parse(to_dot(hostile.make_module_graph(), 'a "title"\\', "layers"))
    assert list(list_nodes(graph)) == [re.sub(r"[\t\n\u2028]", " ", name) for name in hostile.NAMES]
    label = list_nodes(graph)["&amp;&lt;"].get_label()
    assert label.startswith('"&amp;amp;&amp;lt;')  # which Graphviz reads as the name


# --------------------------------------------------------------------------------------------------------- mermaid

NODE = re.compile(r' *(n\d+)\["([^"]*)"\]:::(\w+)')
SUBGRAPH = re.compile(r' *subgraph (m\d+)\["([^"]*)"\]')
EDGE = re.compile(r'    (n\d+) (-->|-\.->)(\|"([^"]*)"\|)? (n\d+)')
STYLE = re.compile(r"    (classDef (\w+) [\w#:,. -]+|class [\w,]+ (\w+)|%% .+)")


def read(text):
    """Return (nodes {id: label}, subgraphs {id: label}, edges [(from, to)]); every line must be of a known kind."""
    nodes, groups, edges, depth, styles, used = {}, {}, [], 0, set(), set()
    assert text.startswith("---\ntitle: ")
    for line in text.splitlines()[4:]:
        if match := NODE.fullmatch(line):
            assert match[1] not in nodes
            nodes[match[1]] = match[2]
            used.add(match[3])
        elif match := SUBGRAPH.fullmatch(line):
            assert match[1] not in groups
            groups[match[1]] = match[2]
            depth += 1
        elif line.strip() == "end":
            depth -= 1
            assert depth >= 0
        elif match := EDGE.fullmatch(line):
            assert match[1] in nodes and match[5] in nodes
            edges.append((match[1], match[5]))
        else:
            match = STYLE.fullmatch(line)
            assert match, line
            styles |= {match[2]} - {None}
            used |= {match[3]} - {None}
    assert depth == 0 and used == styles
    return nodes, groups, edges


def test_lenet5_as_mermaid():
    text = to_mermaid(make_summary_and_graph("lenet5")[1], "LeNet-5", "stages")
    assert text.splitlines()[1:4] == ['title: "LeNet-5"', "---", "flowchart LR"]
    nodes = {key: label.split("<br>") for key, label in read(text)[0].items()}
    assert [*map(remove_units, nodes.values())] == LENET5_NODES
    edges = [match for match in map(EDGE.fullmatch, text.splitlines()) if match]
    assert {(nodes[match[1]][0], nodes[match[5]][0]): match[4] for match in edges} == LENET5_EDGES


@pytest.mark.parametrize("detail", DETAILS)
@pytest.mark.parametrize("name", slow_if_sibling(NETWORKS))
def test_mermaid_is_well_formed_and_within_what_github_draws(name, detail):
    text = to_mermaid(make_summary_and_graph(name)[1], name, detail)
    nodes, _, edges = read(text)
    assert len(text) <= MAX_CHARACTERS and len(edges) <= MAX_EDGES
    assert {end for edge in edges for end in edge} == nodes.keys()


def test_every_layer_and_module_is_in_the_mermaid_of_the_layers():
    found, plan = make_summary_and_graph("inception_v3")
    nodes, groups, edges = read(to_mermaid(plan, "inception_v3", "layers"))
    names = [label.split("<br>")[0] for label in nodes.values()]
    assert sorted(names) == sorted(layer.name for layer in found.layers)
    assert len(edges) == sum(len(layer.inputs) for layer in found.layers)
    several = {module.name for module in plan.unfolded_modules
               if sum(len(unit.layers) for unit in module.fused_layers) > 1}
    assert several - {"aux1"} <= set(groups.values())
    assert any("aux1" in label and "0.4" in label for label in groups.values())


def test_modules_that_repeat_are_drawn_once_where_mermaid_would_refuse_them_all():
    _, plan = make_summary_and_graph("inception_resnet_v2")
    text = to_mermaid(plan, "inception_resnet_v2", "layers")
    nodes, groups, _ = read(text)
    assert "%% " in text  # a line that says so
    assert {(10, "block35"), (20, "block17"), (9, "block8")} == {*list_repeats(groups.values())}
    assert not any(label.startswith("block35_2_") for label in nodes.values())


def test_hostile_names_stay_names_in_mermaid():
    nodes, _, _ = read(to_mermaid(hostile.make_module_graph(), 'a "title"\n---\nx', "layers"))
    shown = [re.sub(r"#(\d+);", lambda match: chr(int(match[1])), label.split("<br>")[0]) for label in nodes.values()]
    assert shown == [re.sub(r"[\t\n\u2028]", " ", name) for name in hostile.NAMES]


@pytest.mark.parametrize("words, text", [
    ("block35_1", "block35_1"), ("5 to 12", "5 to 12"), ("2.42 k", "2.42 k"), ("_private_", "#95;private#95;"),
    ("1. first", "1#46; first"), ("- item", "#45; item"), ("a*b", "a#42;b"), ("<b>", "#60;b#62;"), ('"', "#34;")])
def test_what_might_be_markdown_is_escaped(words, text):
    assert escape_mermaid(words) == text


# ------------------------------------------------------------------------------------------------------------ both

@pytest.mark.parametrize("write", [to_dot, to_mermaid])
def test_the_same_network_gives_the_same_text(write):
    _, plan = make_summary_and_graph("googlenet")
    again = build_module_graph(summary.summarize_model_config(registry.resolve_model_config("googlenet", aux=True)),
                               registry.get_model_info("googlenet").aux_loss_weights)
    for detail in DETAILS:
        assert write(plan, "googlenet", detail) == write(again, "googlenet", detail)
