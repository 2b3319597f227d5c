"""Architecture diagrams: modules, layout, and that nothing is drawn over anything else."""

import functools
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path
from string import ascii_lowercase

import keras
import pytest
from helpers import check_message, check_text, slow_if_sibling
from subjects import make_source

import zoo
from zoo import registry
from zoo.analysis import summary
from zoo.analysis.modules import get_module_name, build_module_graph
from zoo.cli import diagram
from zoo.diagrams.diagram import make_source_from_config, build_scene, draw_as_volumes
from zoo.diagrams.filter_table import find_filter_columns
from zoo.diagrams.layered_layout import compute_layered_layout
from zoo.diagrams.scene import Box, Line, Polygon, Text
from zoo.diagrams.theme import LIGHT
from zoo.errors import UserError
from zoo.plots.text_layout import estimate_text_width

NETWORKS = sorted(registry.MODELS)


@functools.cache
def draw_scene(name, detail):
    return build_scene(make_source(name), detail)


def build_modules(name):
    return build_module_graph(make_source(name).model_summary, make_source(name).aux_loss_weights)


# --------------------------------------------------------------------------------------------------------- modules

@pytest.mark.parametrize("layer, module", [
    ("conv1", "conv1"), ("conv1_1", "conv1_1"), ("conv1_1_bn", "conv1_1"), ("conv2_1_conv1", "conv2_1"),
    ("mixed0_2b_5x5", "mixed0"), ("3a_2b_3x3", "3a"), ("block35_1_mixed_1a_1x1", "block35_1"),
    ("block35_1", "block35_1"), ("stem_a_3x3", "stem"), ("mlpconv1_1x1_2", "mlpconv1"),
    ("conv2_block1_out", "conv2_block1"), ("aux1_fc", "aux1")])
def test_the_module_of_a_name(layer, module):
    assert get_module_name(layer) == module


def list_titles(name):
    return [(module.repeats, module.title) for module in build_modules(name).modules]


def test_repeats_are_folded():
    assert [(times, title) for times, title in list_titles("inception_resnet_v2") if times > 1] == [
        (10, "10 x block35"), (20, "20 x block17"), (9, "9 x block8")]
    assert [(times, title) for times, title in list_titles("inception_v4") if times > 1] == [
        (4, "4 x A"), (7, "7 x B"), (3, "3 x C")]
    assert [(times, title) for times, title in list_titles("vgg16") if times > 1] == [
        (2, "conv1_1 to conv1_2"), (2, "conv2_1 to conv2_2"), (3, "conv3_1 to conv3_3"), (3, "conv4_1 to conv4_3"),
        (3, "conv5_1 to conv5_3")]
    assert [(times, title) for times, title in list_titles("resnet34") if times > 1] == [
        (2, "conv2_2 to conv2_3"), (3, "conv3_2 to conv3_4"), (5, "conv4_2 to conv4_6"), (2, "conv5_2 to conv5_3")]
    ((times, title),) = [(times, title) for times, title in list_titles("xception") if times > 1]
    assert times == 8 and re.findall(r"block\d+", title) == ["block5", "block12"]


@pytest.mark.parametrize("name", slow_if_sibling(NETWORKS))
def test_modules_contain_all_layers_of_the_model(name):
    found = build_modules(name)
    assert sum(module.parameters for module in found.modules) == make_source(name).model_summary.parameters
    assert sum(module.multiply_adds for module in found.modules) == make_source(name).model_summary.multiply_adds
    layers = [layer.name for module in found.unfolded_modules for unit in module.fused_layers for layer in unit.layers]
    assert sorted(layers) == sorted(layer.name for layer in make_source(name).model_summary.layers)
    seen = set()
    for module in found.unfolded_modules:  # in an order of flow
        assert set(module.inputs) <= seen
        seen.add(module.name)


def test_a_convolution_in_groups_is_not_folded_with_one_without():
    """Krizhevsky 2012, figure 2: conv3 sees both towers, conv4 and conv5 one each."""
    numbers = {module.title: re.findall(r"\d+", module.fused_layers[0].label)
               for module in build_modules("alexnet").modules}
    assert numbers["conv3"] == ["3", "3", "384"] and numbers["conv4"] == ["3", "3", "384", "2"]


def test_gate_and_transform_are_distinguished():
    (highway, *_) = [module for module in build_modules("highway").modules if module.repeats > 1]
    transform, gate, through = [unit.label for unit in highway.fused_layers]
    assert re.findall(r"\d+", transform) == re.findall(r"\d+", gate) == ["3", "3", "32"]
    assert "sigmoid" in gate and "sigmoid" not in transform and "highway" in through.lower()


@pytest.mark.parametrize("name, module, kinds", [
    ("googlenet", "conv1", ("activation",)), ("nin", "mlpconv1", ("activation",)), ("msra_a", "fc6", ("activation",)),
    ("resnet34", "conv1", ("normalization", "activation")), ("lenet5", "output", ())])
def test_stripes_show_what_follows_a_layer(name, module, kinds):
    found = {each.name: each for each in build_modules(name).modules}[module]
    assert found.fused_layers[0].epilogue_kinds == kinds
    colors = {LIGHT.kinds[kind][1] for kind in kinds}
    assert colors <= {item.fill for item in draw_scene(name, "blocks").items if isinstance(item, Box)}


def test_auxiliary_classifiers():
    sides = {module.name: (module.inputs, module.loss_weight) for module in build_modules("googlenet").modules
             if module.loss_weight is not None}
    assert sides == {"aux1": (("4a",), 0.3), "aux2": (("4d",), 0.3)}


def build_unnamed_model():
    """Two modules of two branches each, between layers whose names Keras makes up."""
    image = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(8, 3)(image)
    for _ in range(2):
        left = keras.layers.ReLU()(keras.layers.BatchNormalization()(keras.layers.Conv2D(8, 1)(x)))
        x = keras.layers.Concatenate()([left, keras.layers.MaxPooling2D(3, 1, padding="same")(x)])
    return keras.Model(image, keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D()(x)))


def test_modules_of_automatic_names():
    found = build_module_graph(summary.summarize_model(build_unnamed_model()))
    assert [len(module.fused_layers) for module in found.unfolded_modules] == [1, 1, 3, 3, 1, 1]
    assert [layer.class_name
            for layer in found.unfolded_modules[2].fused_layers[0].layers] == ["Conv2D", "BatchNormalization", "ReLU"]


# ---------------------------------------------------------------------------------------------------------- layout

def test_layout_of_a_fork():
    sizes = dict.fromkeys("sabj", (20.0, 10.0))
    layout = compute_layered_layout(sizes, [("s", "a"), ("s", "b"), ("a", "j"), ("b", "j")], node_sep=6, rank_sep=8)
    assert layout.positions == {"s": (13.0, 0.0), "a": (0.0, 18.0), "b": (26.0, 18.0), "j": (13.0, 36.0)}
    assert (layout.width, layout.height) == (46.0, 46.0)


def test_layout_to_the_right_is_that_of_boxes_on_their_sides():
    sizes = {"s": (20.0, 10.0), "a": (30.0, 10.0), "b": (20.0, 12.0), "j": (20.0, 10.0)}
    edges = [("s", "a"), ("s", "b"), ("a", "j"), ("b", "j")]
    right = compute_layered_layout(sizes, edges, rankdir="LR")
    down = compute_layered_layout({box: (height, width) for box, (width, height) in sizes.items()}, edges)
    assert {box: (y, x) for box, (x, y) in right.positions.items()} == down.positions
    assert {edge: tuple((y, x) for x, y in way) for edge, way in right.routes.items()} == down.routes
    assert right.positions["s"][0] < right.positions["a"][0] < right.positions["j"][0]


def test_a_chain_is_drawn_in_one_line():
    """A residual block and a module of four branches: within a branch nothing goes sideways."""
    widths = (10.0, 60.0, 44.0, 80.0, 52.0, 30.0, 90.0, 41.0, 20.0)
    sizes = {box: (width, 10.0) for box, width in zip("sabcdefgj", widths, strict=True)}
    edges = [("s", "a"), ("s", "b"), ("s", "d"), ("s", "j"), ("b", "c"), ("d", "e"), ("e", "f"), ("f", "g"),
             ("a", "j"), ("c", "j"), ("g", "j")]
    routes = compute_layered_layout(sizes, edges).routes
    for edge in (("b", "c"), ("d", "e"), ("e", "f"), ("f", "g")):
        assert len({x for x, _ in routes[edge]}) == 1, edge
    assert {routes[edge][-1] for edge in edges if edge[1] == "j"} == {routes["g", "j"][-1]}  # one arrow's head


def test_lines_between_the_same_ranks_do_not_overlap():
    sizes = dict.fromkeys("sabcdjk", (40.0, 10.0))
    edges = [("s", "a"), ("s", "b"), ("s", "c"), ("s", "d"), ("a", "j"), ("c", "j"), ("d", "j"), ("b", "k"), ("c", "k"),
             ("d", "k")]  # every order of ranks has crossings
    assert overlapping_turns(compute_layered_layout(sizes, edges).routes) == []


def overlapping_turns(routes):
    """Pairs of level pieces of lines to different boxes, from different boxes, that lie upon each other."""
    level = [(edge, y1, min(x1, x2), max(x1, x2)) for edge, way in routes.items()
             for (x1, y1), (x2, y2) in itertools.pairwise(way) if y1 == y2]
    return [(one[0], other[0]) for one, other in itertools.combinations(level, 2)
            if one[0][0] != other[0][0] and one[0][1] != other[0][1] and abs(one[1] - other[1]) < 1
            and one[2] < other[3] - 1 and other[2] < one[3] - 1]


def test_layout_keeps_boxes_apart_and_lines_outside_of_boxes():
    sizes = {name: (30.0 + 7 * (number % 3), 12.0) for number, name in enumerate("abcdefghijkl")}
    edges = [("a", "b"), ("a", "c"), ("a", "d"), ("b", "e"), ("c", "f"), ("f", "g"), ("d", "h"), ("e", "i"), ("g", "i"),
             ("h", "i"), ("a", "i"), ("i", "j"), ("a", "j"), ("j", "k"), ("k", "l")]
    layout = compute_layered_layout(sizes, edges)
    boxes = {name: (x, y, x + sizes[name][0], y + sizes[name][1]) for name, (x, y) in layout.positions.items()}
    for one, other in itertools.combinations(boxes.values(), 2):
        assert not do_overlap(one, other)
    for (source, target), route in layout.routes.items():
        for name, (left, top, right, bottom) in boxes.items():
            for (x1, y1), (x2, y2) in itertools.pairwise(route):
                line = min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)
                inside = line[0] < right - 1 and line[2] > left + 1 and line[1] < bottom - 1 and line[3] > top + 1
                assert not inside, (source, target, name)


# --------------------------------------------------------------------------------------------------------- drawings

def do_overlap(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def get_text_box(text):
    """The rectangle of a text's small letters: left, top, right, bottom."""
    width = estimate_text_width(text.text, text.size, "bold" if text.bold else "normal")
    left = text.x - {"start": 0, "middle": 0.5, "end": 1}[text.anchor] * width
    return left, text.y - text.size * 0.37, left + width, text.y + text.size * 0.37


def check_words_fit_boxes(scene):
    boxes = [item for item in scene.items if isinstance(item, Box) and item.name]
    texts = [item for item in scene.items if isinstance(item, Text) and item.anchor == "middle"]
    for box in boxes:
        for text in texts:
            if box.x < text.x < box.x + box.width and box.y < text.y < box.y + box.height:
                left, _, right, _ = get_text_box(text)
                assert box.x <= left and right <= box.x + box.width, text.text


@pytest.mark.parametrize("name", slow_if_sibling(NETWORKS))
def test_texts_fit_their_boxes(name):
    for detail in ("stages", "blocks", "layers"):
        check_words_fit_boxes(draw_scene(name, detail))


@pytest.mark.parametrize("rankdir", ["TB", "LR"])
def test_long_names_fit_their_boxes(rankdir):
    image = keras.Input((16, 16, 3), name="image-of-a-plant-from-above")
    x = keras.layers.GlobalAveragePooling2D(name="average-pooling-over-all-positions-of-the-map")(image)
    x = keras.layers.Dense(9, name="hidden-layer-of-the-classifier-head")(x)
    heads = [keras.layers.Dense(size, name=f"classifier-head-for-fine-grained-{name}")(x)
             for name, size in (("species", 10), ("diseases", 4))]
    for detail in ("stages", "blocks", "layers"):
        scene = zoo.diagram(keras.Model(image, heads), detail=detail, rankdir=rankdir).scene
        check_words_fit_boxes(scene)
        assert any(text.startswith("classifier-head") for text in words_in(scene))


@pytest.mark.parametrize("name", slow_if_sibling(NETWORKS))
def test_every_layer_and_every_module_is_drawn(name):
    direction = [item.text for item in draw_scene(name, "layers").items if isinstance(item, Text)]
    assert {layer.name for layer in make_source(name).model_summary.layers} <= set(direction)
    names = {item.name for item in draw_scene(name, "blocks").items if isinstance(item, Box)}
    assert {module.name for module in build_modules(name).modules} <= names


def test_a_custom_model(tmp_path):
    model = build_unnamed_model()
    for detail in ("stages", "blocks", "layers"):
        zoo.diagram(model, tmp_path / f"{detail}.svg", detail)
        assert (tmp_path / f"{detail}.svg").read_text().startswith("<?xml") or (
            tmp_path / f"{detail}.svg").read_text().startswith("<svg")


def test_a_notebook_shows_it():
    drawing = zoo.diagram("lenet5", input_shape=(32, 32, 3), theme="dark")
    assert "<svg" in drawing._repr_svg_()
    assert "62,006" in drawing._repr_svg_()


@pytest.mark.parametrize("arguments, pins", [
    (("lenet6",), ("'lenet6'", "'lenet5'")), (("lenet5", None, "modules"), ("'modules'", "blocks")),
    (("lenet5", "a.xyz"), (".svg", "'a.xyz'")), (("lenet5", "nowhere/a.svg"), ("nowhere",)), ((3,), ("3",))])
def test_refusals(arguments, pins, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        zoo.diagram(*arguments)
    check_text(str(caught.value), *pins)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_model_whose_flow_is_code():
    class Mine(keras.Model):
        def call(self, x):
            return x

    image = keras.Input((8, 8, 3))
    for model in (Mine(), Mine(image, keras.layers.Flatten()(image))):
        with pytest.raises(UserError) as caught:
            zoo.diagram(model)
        check_text(str(caught.value), "Mine", "keras.Model(inputs, outputs)")
    with pytest.raises(UserError) as caught:
        zoo.diagram(keras.Sequential([keras.layers.Dense(10)], name="unbuilt"))
    check_text(str(caught.value), "unbuilt", "keras.Input")
    with pytest.raises(UserError, match=r"keras\.Model.*\b3\b"):
        zoo.diagram(3)


def test_auxiliary_classifiers_leave_a_folded_stage_where_they_are_read():
    scene = draw_scene("googlenet", "stages")
    (stage,) = [item for item in scene.items if isinstance(item, Box) and item.name == "4a"]
    starts = [(item.points[0][0] - stage.x) / stage.width for item in scene.items
              if isinstance(item, Line) and item.dashed]
    assert starts == pytest.approx([0.1, 0.7])  # 4a is the first of five, 4d the fourth
    direction = [item.text for item in scene.items if isinstance(item, Text)]
    assert "3.19 M" in direction
    assert all(any(name in text and "0.3" in text for text in direction) for name in ("4a", "4d"))


def test_a_stage_that_ends_with_a_pool_is_marked():
    pools = [item.x for item in draw_scene("googlenet", "stages").items
             if isinstance(item, Box) and item.fill == LIGHT.kinds["pool"][0]]
    assert len(pools) == 4 + 1  # conv1, conv2, 3a to 3b, 4a to 4e; the legend


def list_texts(name, detail):
    return [item.text for item in draw_scene(name, detail).items if isinstance(item, Text)]


def test_a_stage_shows_its_size_before_and_after_pooling():
    """Szegedy et al. 2014, table 1: inception (4e) is 14x14x832, and the max pool after it 7x7x832."""
    (stage,) = [item for item in draw_scene("googlenet", "stages").items if isinstance(item, Box) and item.name == "4a"]
    lines = [item.text for item in draw_scene("googlenet", "stages").items if isinstance(item, Text)
             and stage.x < item.x < stage.x + stage.width and stage.y < item.y < stage.y + stage.height]
    assert lines[:4] == ["4a to 4e", "5 modules", "14x14x832", "7x7x832"]
    assert lines[4:] == ["2.81 M", "550 M"]


@pytest.mark.parametrize("after_pool, sizes", [
    ((), ["8x8x4", "4x4x4"]), ((keras.layers.Dropout(0.5, name="drop"),), ["8x8x4", "4x4x4"]),
    ((keras.layers.UpSampling2D(name="up"),), ["8x8x4"]), ((keras.layers.ZeroPadding2D(name="pad"),), ["6x6x4"])])
def test_a_stage_ends_with_a_pool_only_where_its_size_stays(after_pool, sizes):
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 1, name="conv"),
                              keras.layers.MaxPooling2D(name="pool"), *after_pool])
    assert [text for text in words_in(zoo.diagram(model, detail="stages").scene)
            if re.fullmatch(r"\d+x\d+x4", text)] == sizes


GOOGLENET_TABLE = """3a 64 96 128 16 32 32
3b 128 128 192 32 96 64
4a 192 96 208 16 48 64
4b 160 112 224 24 64 64
4c 128 128 256 24 64 64
4d 112 144 288 32 64 64
4e 256 160 320 32 128 128
5a 256 160 320 32 128 128
5b 384 192 384 48 128 128"""  # Szegedy et al. 2014, table 1
INCEPTION_V2_TABLE = """3a 64 64 64 64 96 32
3b 64 64 96 64 96 64
4a 224 64 96 96 128 128
4b 192 96 128 96 128 128
4c 160 128 160 128 160 96
4d 96 128 192 160 192 96
5a 352 192 320 160 224 128"""  # Ioffe and Szegedy 2015, figure 5


@pytest.mark.parametrize("name, headings, table", [
    ("googlenet", ["#1x1", "#3x3 reduce", "#3x3", "#5x5 reduce", "#5x5", "pool proj"], GOOGLENET_TABLE),
    ("inception_v2", ["#1x1", "#3x3 reduce", "#3x3", "double #3x3 reduce", "double #3x3", "pool proj"],
     INCEPTION_V2_TABLE),
    ("inception_v3", None, "mixed4 128\nmixed5 to mixed6 160\nmixed7 192"),
    ("inception_v3", None, "mixed0 32\nmixed1 to mixed2 64"), ("nin", None, "mlpconv1 160 96\nmlpconv2 192 192"),
    ("resnet34", None,
     "conv2_2 to conv2_3 64\nconv3_2 to conv3_4 128\nconv4_2 to conv4_6 256\nconv5_2 to conv5_3 512")])
def test_the_filters_in_which_modules_differ_are_a_table(name, headings, table):
    texts = [item for item in draw_scene(name, "blocks").items if isinstance(item, Text)]
    first_row = table.splitlines()[0]
    (label,) = [item for item in texts if item.anchor == "start" and not item.bold
                and read_row(texts, item) == first_row]
    below = sorted((item for item in texts if item.x == label.x and item.anchor == "start" and not item.bold
                    and item.y >= label.y), key=lambda item: item.y)
    rows = [read_row(texts, item) for item in below][:len(table.splitlines())]
    assert rows == table.splitlines()
    assert any(item.text.endswith("reduce") for item in texts) == bool(headings)
    if headings:
        heading_y = max(item.y for item in texts if item.text == "pool proj" and item.y < label.y)
        assert [item.text for item in sorted(texts, key=lambda item: item.x) if item.y == heading_y
                and item.x > label.x] == headings


def read_row(texts, label):
    """The row of a table that begins with a label: the numbers to the right of it at the same height."""
    cells = sorted((item for item in texts if item.y == label.y and item.x > label.x and item.anchor == "middle"
                    and item.text.isdigit()), key=lambda item: item.x)
    return " ".join([label.text, *(item.text for item in cells)])


def test_a_letter_in_a_box_is_a_column_of_the_table():
    texts = list_texts("googlenet", "blocks")
    assert all(text in texts for text in ("1x1, a", "1x1, b", "3x3, c", "1x1, d", "5x5, e", "1x1, f"))
    assert not any(re.search(r"\d to \d", text) for text in texts)


def test_more_columns_than_letters():
    """Two modules of 28 parallel convolutions, each of which has another number of filters in the second module."""
    x = keras.Input((4, 4, 3), name="image")
    model_input = x
    for module in (1, 2):
        branches = [keras.layers.Conv2D(index + 40 * module + (index % 5) * module, 1, name=f"m{module}_{index:02}x")(x)
                    for index in range(28)]
        x = keras.layers.Concatenate(name=f"m{module}_out")(branches)
    modules = build_module_graph(summary.summarize_model(keras.Model(model_input, x))).modules[1:]
    columns = find_filter_columns(modules)
    assert [column.letter for column in columns] == [*ascii_lowercase, "aa", "ab"]
    assert sorted(name for column in columns for name in column.layer_names) == sorted(
        layer.name for layer in modules[0].fused_layers if layer.kind == "convolution")


def test_the_label_of_a_layer():
    assert "norm1   LRN" in list_texts("googlenet", "blocks")
    assert "pool5   global average pool" in list_texts("googlenet", "blocks")
    assert "[3x3 conv, 64] x 2" in list_texts("vgg16", "blocks")
    scales = sorted(text for text in list_texts("inception_resnet_v2", "blocks") if "residual x" in text)
    assert scales == ["add, residual x 0.1", "add, residual x 0.17", "add, residual x 0.2"]  # section 3.3, and slim's


@pytest.mark.parametrize("aux, pins", [(False, ("6,998,552", "6,379,728")), (True, ("13,378,280", "6,379,728"))])
def test_the_subtitle_names_the_parameters_of_the_auxiliary_classifiers(aux, pins):
    source = make_source_from_config(registry.resolve_model_config("googlenet", aux=aux))
    check_text(source.subtitle, *pins, "auxiliary classifiers")
    assert ("without" in source.subtitle) is not aux
    assert "auxiliary" not in make_source("vgg16").subtitle


def test_lines_of_auxiliary_classifiers_are_dashed():
    dashed = [item for item in draw_scene("googlenet", "blocks").items if isinstance(item, (Box, Line)) and item.dashed]
    assert len(dashed) == 2 + 2 + 1  # two boxes, two lines, the legend


@pytest.mark.parametrize("source", ["lenet5", None])
@pytest.mark.parametrize("keywords, pins", [
    ({"detial": "layers"}, ("'detial'", "'detail'")), ({"filename": "a.svg"}, ("filename='a.svg'", "to_file='a.svg'")),
    ({"wibble": 1}, ("'wibble'", "to_file", "detail", "style")), ({"num_classes": 5}, ("num_classes",))])
def test_unknown_keywords_are_refused(source, keywords, pins):
    with pytest.raises(UserError) as error:
        zoo.diagram(source or build_unnamed_model(), **keywords)
    check_message(error.value, *pins)


@pytest.mark.parametrize("keywords", [{"classes": 5}, {"width": 0.5}, {"input_shape": (32, 32, 3)}, {"stem": "small"},
                                      {"aux": True}])
def test_arguments_of_build_are_refused_with_a_model(keywords):
    with pytest.raises(UserError) as error:
        zoo.diagram(build_unnamed_model(), **keywords)
    check_message(error.value, *keywords, "keras.Model")


def words_in(scene):
    return [item.text for item in scene.items if isinstance(item, Text)]


@pytest.mark.parametrize("detail", ["stages", "blocks"])
def test_unknown_multiply_adds_are_not_zero(detail):
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(keras.layers.Conv2D(8, 3, name="conv1")(image))
    without_top = zoo.diagram(keras.Model(image, x), detail=detail).scene
    assert "unknown multiply-adds" in without_top.title and "unknown" in words_in(without_top)
    scene = zoo.diagram(keras.Model(image, keras.layers.Dense(40, name="fc")(x)), detail=detail).scene
    assert "320 multiply-adds without those of 1 layer" in scene.title and words_in(scene).count("unknown") == 1
    (tooltip,) = [item.tooltip for item in scene.items if isinstance(item, Box) and item.name == "conv1"]
    assert "224 parameters, unknown multiply-adds" in tooltip
    known = draw_scene("lenet5", detail)
    assert "unknown" not in known.title and "unknown" not in words_in(known)


def make_chain(*convolutions):
    """Return the modules of a chain of layers, as (names, label of the first layer)."""
    x = image = keras.Input((16, 16, 8), name="image")
    for convolution in convolutions:
        x = convolution(x)
    modules = build_module_graph(summary.summarize_model(keras.Model(image, x))).modules[1:]
    return [(module.names, module.fused_layers[0].label) for module in modules]


@pytest.mark.parametrize("keywords, label", [
    ({"dilation_rate": 2}, "3x3 conv, 8, dilation 2"), ({"dilation_rate": (1, 2)}, "3x3 conv, 8, dilation 1x2"),
    ({"padding": "valid"}, "3x3 conv, 8"), ({"use_bias": False}, "3x3 conv, 8"), ({}, "3x3 conv, 8"),
    ({"strides": 2}, "3x3 conv, 8 /2"), ({"strides": (1, 2)}, "3x3 conv, 8 /1x2"),
    ({"strides": (2, 1)}, "3x3 conv, 8 /2x1")])
def test_only_identical_convolutions_are_folded(keywords, label):
    modules = make_chain(keras.layers.Conv2D(8, 3, padding="same", name="a"),
                         keras.layers.Conv2D(8, 3, **{"padding": "same", **keywords}, name="b"))
    expected = [(("a",), "3x3 conv, 8"), (("b",), label)] if keywords else [(("a", "b"), label)]
    assert modules == expected


def make_two_outputs(make_second):
    """Return a model with the outputs digit and make_second(the input of digit), which gap gives."""
    image = keras.Input((16, 16, 3), name="image")
    x = keras.layers.GlobalAveragePooling2D(name="gap")(keras.layers.Conv2D(8, 3, name="conv")(image))
    return keras.Model(image, [keras.layers.Dense(10, name="digit")(x), make_second(x)])


def make_two_inputs():
    images = [keras.Input((16, 16, 3), name=f"image{name}") for name in "ab"]
    branches = [keras.layers.GlobalAveragePooling2D(name=f"gap{name}")(keras.layers.Conv2D(8, 3, name=f"conv{name}")(x))
                for name, x in zip("ab", images, strict=True)]
    return keras.Model(images, keras.layers.Dense(10, name="fc")(keras.layers.Concatenate(name="cat")(branches)))


def make_fork():
    image = keras.Input((16, 16, 3), name="image")
    left, right = (keras.layers.Conv2D(3, 3, padding="same", name=name)(image) for name in ("left", "right"))
    return keras.Model(image, keras.layers.Add(name="add")([left, right]))


def find_connections(scene):
    """Return the names of the boxes that the lines of a scene join, [(source, target)], in alphabetical order."""
    boxes = [item for item in scene.items if isinstance(item, Box) and item.name]

    def find_box(x, y):
        (name,) = {box.name for box in boxes if box.x - 1 <= x <= box.x + box.width + 1
                   and box.y - 1 <= y <= box.y + box.height + 5}  # 5: stripes and boxes behind
        return name

    return sorted((find_box(*item.points[0]), find_box(*item.points[-1])) for item in scene.items
                  if isinstance(item, Line) and item.arrow)


@pytest.mark.parametrize("rankdir", ["LR", "TB"])
@pytest.mark.parametrize("make, stages, blocks", [
    (lambda: make_two_outputs(keras.layers.Dense(2, name="parity")),
     "conv-digit conv-parity image-conv", "conv-gap gap-digit gap-parity image-conv"),
    (lambda: make_two_outputs(lambda x: keras.layers.Dense(2, name="parity")(keras.layers.Dense(9, name="right")(x))),
     "conv-digit conv-parity image-conv", "conv-gap gap-digit gap-parity image-conv"),
    (make_two_inputs, "conva-convb convb-fc imagea-conva imageb-convb",
     "cat-fc conva-gapa convb-gapb gapa-cat gapb-cat imagea-conva imageb-convb"),
    (make_fork, "image-left image-right left-right", "image-left image-right left-add right-add")])
def test_lines_join_what_reads_each_other(make, stages, blocks, rankdir):
    for detail, expected in (("stages", stages), ("blocks", blocks)):
        scene = zoo.diagram(make(), detail=detail, rankdir=rankdir).scene
        assert find_connections(scene) == [tuple(pair.split("-")) for pair in expected.split()]
        assert "auxiliary classifier" not in words_in(scene)


def test_the_inputs_of_a_second_output_are_named_among_the_layers():
    scene = zoo.diagram(make_two_outputs(keras.layers.Dense(2, name="parity")), detail="layers").scene
    assert "2, input: gap" in words_in(scene)


# --------------------------------------------------------------------------------------------------------- zoo diagram

@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Return a function that runs zoo diagram in tmp_path and returns (status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run_diagram(*arguments):
        status = diagram.main([*arguments])
        return status, *capsys.readouterr()

    return run_diagram


def test_the_command(tmp_path):
    done = subprocess.run([sys.executable, "-m", "zoo", "diagram", "lenet5", "--image-size", "32"], cwd=tmp_path,
                          capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})
    assert done.returncode == 0 and done.stdout.startswith("lenet5.svg") and done.stdout.count("\n") == 1
    assert "61,706" in (tmp_path / "lenet5.svg").read_text()


def test_two_side_by_side(run, tmp_path):
    status, out, _ = run("lenet5", "alexnet", "--compare", "--detail", "stages", "-o", "both.png")
    assert status == 0 and out.count("\n") == 1
    check_text(out, "both.png", "lenet5", "alexnet")
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")


def list_bars(scene):
    return [item.width for item in scene.items if isinstance(item, Box) and item.fill == LIGHT.parameters]


def test_bars_side_by_side_have_one_scale():
    alone, beside = build_scene(make_source("lenet5")), build_scene(make_source("lenet5"),
                                                                compared_sources=[make_source("alexnet")])
    assert max(list_bars(alone)) > 30 > 2 > max(list_bars(beside)[:-1])  # the last is the legend's


@pytest.mark.parametrize("name", ["lenet5", "lenet5_1998", "alexnet", "vgg16", "vgg19"])
def test_volumes(name):
    scene = draw_as_volumes(make_source(name)).scene
    direction = [item.text for item in scene.items if isinstance(item, Text)]
    shape = "x".join(map(str, make_source(name).model_summary.layers[0].shape))
    assert shape in direction
    grids = [item for item in scene.items if isinstance(item, Polygon)]
    assert len(grids) >= 2 * 5


def test_volumes_are_for_chains(run):
    status, out, err = run("googlenet", "--style", "volumes")
    assert (status, out) == (2, "") and len(err.splitlines()) == 1
    check_text(err, "volumes", "googlenet", "boxes")


@pytest.mark.parametrize("arguments, pins", [
    ([], ("lenet5", "vgg16", "python -m zoo diagram --help")), (["lenet6"], ("'lenet6'", "'lenet5'")),
    (["lenet5", "vgg16"], ("--compare", "lenet5", "vgg16")), (["lenet5", "-o", "a.gif"], (".svg", "'a.gif'")),
    (["lenet5", "--detail", "all"], ("'all'", "blocks")), (["lenet5", "--theme", "red"], ("'red'", "dark")),
    (["lenet5", "--gallery", "x"], ("--gallery", "MODEL", "--output")),
    (["lenet5", "--style", "volumes", "--compare", "alexnet"], ("--style volumes", "--compare")),
    (["lenet5", "--rankdir", "up"], ("'up'", "TB", "LR")), (["lenet5", "--direction", "right"], ("--rankdir LR",)),
    (["lenet5", "--direction=down"], ("--rankdir TB",)),
    (["lenet5", "--style", "volumes", "--rankdir", "TB"], ("volumes", "--rankdir", "--style boxes")),
    (["lenet5", "--style", "volumes", "--detail", "layers"], ("volumes", "--detail", "--style boxes")),
    (["lenet5", "--rankdir", "LR", "-o", "a.html"], (".html", "--rankdir")),
    (["--gallery", "x", "--rankdir", "LR"], ("--gallery", "--rankdir", "--style", "--compare")),
    (["lenet5", "-o", "/proc/a.svg"], ("/proc/a.svg",))])
def test_invalid_arguments(arguments, pins, run, tmp_path):
    status, _, err = run(*arguments)
    (line,) = err.splitlines()
    assert status == 2 and line.startswith("error: ")
    check_text(line, *pins)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rankdir, direction", [("LR", "LR"), ("TB", "TB"), (None, "TB")])
def test_the_text_formats_have_the_direction(rankdir, direction, tmp_path):
    zoo.diagram("lenet5", tmp_path / "a.dot", rankdir=rankdir)
    zoo.diagram("lenet5", tmp_path / "a.mmd", rankdir=rankdir)
    assert f"rankdir={direction};" in (tmp_path / "a.dot").read_text()
    assert f"\nflowchart {direction}\n" in (tmp_path / "a.mmd").read_text()


def test_volumes_in_python(tmp_path):
    drawing = zoo.diagram("lenet5", tmp_path / "a.svg", style="volumes")
    assert any(isinstance(item, Polygon) for item in drawing.scene.items)
    for file, keywords, pins in (("a.mmd", {"style": "volumes"}, (".svg", str(tmp_path / "a.mmd"))),
                                 (None, {"style": "volumes", "rankdir": "TB"}, ("rankdir=...", "style='boxes'")),
                                 (None, {"style": "volumes", "detail": "stages"}, ("detail=...", "style='boxes'")),
                                 ("a.html", {"rankdir": "LR"}, (".html", "rankdir"))):
        with pytest.raises(UserError) as caught:
            zoo.diagram("lenet5", file and tmp_path / file, **keywords)
        check_text(str(caught.value), *pins)


def test_volumes_of_wide_images_are_on_the_page():
    scene = zoo.diagram("lenet5", style="volumes", input_shape=(32, 512, 1)).scene
    points = [point for item in scene.items if isinstance(item, Polygon) for point in item.points]
    assert all(0 <= x <= scene.width for x, _ in points)
    top = min(item.y for item in scene.items if isinstance(item, Text) and "parameters" in item.text)
    bottom = min(item.y for item in scene.items if isinstance(item, Text) and "x508x6" in item.text)
    assert all(top + 5 < y < bottom - 5 for _, y in points)
    heights = [max(y for _, y in item.points) - min(y for _, y in item.points)
               for item in scene.items if isinstance(item, Polygon)]
    assert max(heights) > 60


def test_volumes_need_known_sizes():
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(8, 3, name="conv1"),
                              keras.layers.GlobalAveragePooling2D(name="pool"), keras.layers.Dense(10, name="fc")])
    with pytest.raises(UserError) as error:
        zoo.diagram(model, style="volumes")
    check_message(error.value, "volumes", model.name, "'boxes'")


@pytest.mark.parametrize("ending, begins", [
    (".svg", b"<"), (".png", b"\x89PNG"), (".pdf", b"%PDF"), (".dot", b"digraph"), (".mmd", b"---"),
    (".html", b"<!doctype html>")])
def test_every_file_format(ending, begins, tmp_path):
    zoo.diagram("lenet5", tmp_path / f"a{ending}")
    assert (tmp_path / f"a{ending}").read_bytes().lower().startswith(begins.lower())
