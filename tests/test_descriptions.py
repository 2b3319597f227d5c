"""zoo.describe of every network: counts, stages, receptive fields, memory, and docs/networks.md, which is made of them.

Some take seconds to describe: the tests share one description of each.
"""

import functools
import importlib
import json
import math
import re
from pathlib import Path

import pytest
from helpers import module_at, slow_if_sibling

import zoo
from zoo import registry
from zoo.analysis.layer_memory import LAYER_MEMORY_RULES

FACTS = {name: facts for file in sorted({spec.module for spec in registry.MODELS.values()})
         for name, facts in importlib.import_module(f"papers.{file}").FACTS.items()}
NETWORKS = [*registry.MODELS]
NETWORKS_WITH_AUX = [name for name, spec in registry.MODELS.items() if spec.aux_loss_weights]


@functools.cache
def describe_cached(name, *arguments, **keywords):
    return zoo.describe(name, *arguments, **keywords)


# ------------------------------------------------------------------------------------------------- graph and counts

@pytest.mark.parametrize("name", NETWORKS)
def test_the_graph_of_every_network_is_connected(name):
    layers = [layer for stage in describe_cached(name)["stages"] for layer in stage["layers"]]
    names = [layer["name"] for layer in layers]
    (image,) = {input_name for layer in layers for input_name in layer["inputs"]} - {*names}
    assert all(layer["inputs"] for layer in layers)
    # only the last is not read
    assert {input_name for layer in layers for input_name in layer["inputs"]} == {image, *names[:-1]}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_its_papers_multiply_adds(name):
    description = describe_cached(name)
    assert description["multiply_adds"] == FACTS[name].multiply_adds
    assert (description["parameters"], description["trainable_parameters"]) == FACTS[name].parameters
    assert description["layers_without_macs"] == []


@pytest.mark.parametrize("name", NETWORKS)
def test_the_stages_sum_to_the_totals(name):
    description = describe_cached(name)
    for count in ("parameters", "trainable_parameters", "multiply_adds"):
        assert sum(stage[count] for stage in description["stages"]) == description[count]
        for stage in description["stages"]:
            assert sum(layer[count] for layer in stage["layers"]) == stage[count]
    names = [layer["name"] for stage in description["stages"] for layer in stage["layers"]]
    assert len(names) == len(set(names)) and {name.partition("_")[0] for name in names} == {
        stage["name"] for stage in description["stages"]}
    assert description["stages"][-1]["shape"] == [description["classes"]]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_description_can_be_serialized_as_json(name):
    description = describe_cached(name)
    assert json.loads(json.dumps(description, allow_nan=False)) == description


@pytest.mark.parametrize("name", NETWORKS)
def test_the_docstring_sections_of_every_network(name):
    description = describe_cached(name)
    assert description["summary"].endswith((".", ":")) and description["paper_differences"].endswith(".")
    assert not any("  " in paragraph or "\n" in paragraph
                   for part in ("summary", "paper_differences", "implementation_differences")
                   for paragraph in description[part].split("\n\n") if not paragraph.startswith(" "))


@pytest.mark.parametrize("name", NETWORKS_WITH_AUX)
def test_auxiliary_classifiers(name):
    without_aux, with_aux = describe_cached(name), zoo.describe(name, aux=True)
    assert without_aux["aux_loss_weights"] == with_aux["aux_loss_weights"] == FACTS[name].aux_loss_weights
    names = [stage["name"] for stage in with_aux["stages"]]
    assert names == [stage["name"] for stage in without_aux["stages"]] + [*FACTS[name].aux_loss_weights]
    assert with_aux["parameters"] > without_aux["parameters"]


# ------------------------------------------------------------------------------------------------- receptive fields

def compute_field(*windows, field=1, stride=1):
    """Return the receptive field and the stride after a sequence of (kernel, stride)."""
    for kernel, step in windows:
        field, stride = field + (kernel - 1) * stride, stride * step
    return field, stride


CONV, POOL = (3, 1), (2, 2)
STEM = compute_field((3, 2), CONV, CONV, (3, 2), (1, 1), CONV, (3, 2))  # of Inception v3


@pytest.mark.parametrize("name, stage, field, stride", [
    ("lenet5", "C1", 5, 1), ("lenet5", "S2", 6, 2), ("lenet5", "C3", 14, 2), ("lenet5", "S4", 16, 4),
    ("lenet5_1998", "S4", 16, 4),
    ("alexnet", "pool5", 195, 32),  # 11/4, 3/2: 19, 8; 5: 51; 3/2: 67, 16; 3, 3, 3: 163; 3/2
    ("vgg16", "pool5", 212, 32),
    ("vgg19", "pool5", *compute_field(*[CONV, CONV, POOL] * 2, *[CONV, CONV, CONV, CONV, POOL] * 3)),
    ("nin", "mlpconv3", *compute_field((5, 1), (3, 2), (5, 1), (3, 2), (3, 1))),
    ("resnet34", "pool1", 11, 4),
    ("resnet34", "conv2", *compute_field((7, 2), (3, 2), *[CONV] * 6)),
    ("resnet34", "conv5", *compute_field((7, 2), (3, 2), *[CONV] * 6, (3, 2), *[CONV] * 7, (3, 2), *[CONV] * 11, (3, 2),
                                         *[CONV] * 5)),
    ("resnet34", "conv5", 899, 32),
    ("resnet50", "conv5", *compute_field((7, 2), (3, 2), *[CONV] * 3, (1, 2), *[CONV] * 4, (1, 2), *[CONV] * 6, (1, 2),
                                         *[CONV] * 3)),
    ("resnet20", "conv4", *compute_field(CONV, *[CONV] * 6, (3, 2), *[CONV] * 5, (3, 2), *[CONV] * 5)),
    ("resnet20", "conv4", 1 + 2 * 7 + 2 + 2 * 10 + 4 + 4 * 10, 4),
    ("inception_v3", "stem", *STEM),
    ("inception_v3", "mixed0", STEM[0] + 4 * 8, 8),  # 5x5, or two 3x3
    ("inception_v3", "mixed3", STEM[0] + 3 * 4 * 8 + 4 * 8, 16),  # 3x3 and 3x3 with stride 2
    ("inception_v3", "mixed7", 159 + 4 * 2 * 6 * 16, 16),  # 7x1 and 1x7 twice
    ("inception_v3", "mixed8", 927 + (6 + 2) * 16, 32),
    ("inception_v3", "mixed10", 1055 + 2 * (2 + 2) * 32, 32),  # 3x3, then 1x3 and 3x1 in parallel
])
def test_networks_against_arithmetic(name, stage, field, stride):
    (stage_info,) = (candidate for candidate in describe_cached(name)["stages"] if candidate["name"] == stage)
    assert (stage_info["receptive_field"], stage_info["output_stride"]) == ([field] * 2, [stride] * 2)


@pytest.mark.parametrize("name", slow_if_sibling(NETWORKS))
def test_every_layer_of_every_network_is_known(name):
    description = describe_cached(name)
    for stage in description["stages"]:
        assert (stage["receptive_field"], stage["output_stride"]) == (
            stage["layers"][-1]["receptive_field"], stage["layers"][-1]["output_stride"])
        for layer in stage["layers"]:
            if len(layer["shape"]) == (3 if len(description["input_shape"]) == 3 else 2):  # feature maps
                field, stride = layer["receptive_field"][0], layer["output_stride"][0]
                assert 0 < field and stride in (1, 2, 4, 8, 16, 32)
            else:
                assert (layer["receptive_field"], layer["output_stride"]) == ("all", None)  # the whole image


# ------------------------------------------------------------------------------------------------------------ memory

@pytest.mark.parametrize("name", slow_if_sibling(NETWORKS))
def test_the_memory_of_every_network(name):
    memory = describe_cached(name)["memory"]
    image = memory["image"]
    input_bytes = 4 * math.prod(describe_cached(name)["input_shape"])
    assert input_bytes < image["saved_activations"] <= image["training"]
    assert image["inference"] < image["training"]
    assert memory["parameters"] == 4 * describe_cached(name)["parameters"]
    assert (memory["batch_size"], memory["limit_gib"]) == (128, 8)
    assert memory["inference"]["bytes"] < memory["training"]["sgd"]["bytes"] < memory["training"]["adam"]["bytes"]
    assert 0 < memory["training"]["adam"]["max_batch_size"] <= memory["training"]["sgd"]["max_batch_size"]
    assert memory["training"]["sgd"]["max_batch_size"] < memory["inference"]["max_batch_size"]


@pytest.mark.parametrize("name", slow_if_sibling(NETWORKS))
def test_the_memory_rule_of_every_layer_is_known(name):
    classes = [layer_class for kinds in LAYER_MEMORY_RULES
               for layer_class in (kinds if isinstance(kinds, tuple) else (kinds,))]
    known_names = {"Activation", *(layer_class.__name__ for layer_class in classes)}
    assert {layer["class_name"] for stage in describe_cached(name)["stages"]
            for layer in stage["layers"]} <= known_names


# -------------------------------------------------------------------------------------------------- docs/networks.md

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture(scope="module")
def networks():
    return module_at(DOCS / "networks.py")


@pytest.fixture(scope="module")
def page():
    return (DOCS / "networks.md").read_text(encoding="utf-8")


def test_the_page_is_up_to_date(networks, page):
    generated = networks.page(describe_cached)
    assert generated.splitlines() == page.splitlines(), "run python docs/networks.py"
    assert generated == page


def test_every_paper_has_its_text(networks):
    assert sorted(networks.BROUGHT) == sorted({spec.module for spec in registry.MODELS.values()})


def test_every_network_has_its_table(page):
    headings = re.findall(r"^##+ (\S+)$", page, re.MULTILINE)
    assert sorted(headings) == sorted(registry.MODELS)
    assert [*re.findall(r"^\| \[(\S+)\]\(#\1\) \|", page, re.MULTILINE)] == [*registry.MODELS]
    for name, facts in FACTS.items():
        section = page.split(f"# {name}\n", 1)[1]
        rows = re.findall(r"^\| (\S+) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \|$", section.split("\n#", 1)[0],
                          re.MULTILINE)
        assert [row[0] for row in rows if row[0] in facts.stages] == [*facts.stages]
        assert all(paper == computed for stage, paper, computed, *_ in rows if stage in facts.stages)


def test_the_check_option(networks, page, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(networks, "page", lambda: page)
    assert networks.main(["--check"]) == 0
    monkeypatch.setattr(networks, "PAGE", tmp_path / "networks.md")
    assert networks.main(["--check"]) == 1 and "networks.md" in capsys.readouterr().err
    assert networks.main([]) == 0 and networks.main(["--check"]) == 0
    assert networks.main(["--chek"]) == 2
