"""The page of a network: what is in the file, and what it does in a browser, clicked through where Chromium is."""

import functools
import json
import re
from html.parser import HTMLParser

import hostile
import keras
import pytest
from subjects import make_summary_and_graph

from zoo import registry
from zoo.analysis import summary
from zoo.analysis.modules import build_module_graph
from zoo.diagrams.page import render_diagram_page
from zoo.diagrams.theme import DARK, LIGHT

SMALLEST_ZOOM_STEP = 1.1


@functools.cache
def render(name, theme=None):
    theme = {"light": LIGHT, "dark": DARK, None: None}[theme]
    return render_diagram_page(*make_summary_and_graph(name), name, f"what is said of {name}", theme)


class Elements(HTMLParser):
    """The start tags of a page with their attributes, and its texts by the tag that they are in."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self._open = [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)


def read_data(text):
    return json.loads(re.search(r'<script type="application/json" id="network">(.*?)</script>', text, re.DOTALL)[1])


# -------------------------------------------------------------------------------------------------------- the file

def test_every_layer_is_in_the_page_with_its_details():
    found, plan = make_summary_and_graph("inception_v3")
    data = read_data(render("inception_v3"))
    assert [layer["name"] for layer in data["layers"]] == [layer.name for layer in found.layers]
    assert [layer["parameters"] for layer in data["layers"]] == [layer.parameters for layer in found.layers]
    assert data["totals"]["parameters"] == found.parameters
    members = [number for module in data["modules"] for one in module["each"] for number in one["layers"]]
    assert sorted(members) == list(range(len(found.layers)))
    assert [one["name"] for module in data["modules"] for one in module["each"]] == [
        name for module in plan.modules for name in module.names]


def test_an_expanded_module_has_room_for_all_its_repeats():
    data = read_data(render("inception_resnet_v2"))
    for module in data["modules"]:
        if "inside" in module:
            units = data["insides"][module["inside"]]["units"]
            assert {len(one["layers"]) for one in module["each"]} == {sum(unit[3] for unit in units)}


def test_the_page_of_784_layers_is_small():
    assert len(render("inception_resnet_v2").encode()) < 300_000


def test_the_page_makes_no_requests():
    elements = Elements(render("googlenet"))
    assert not [tag for tag, attributes in elements.tags if attributes.keys() & {"src", "href", "action", "data"}]
    assert not {tag for tag, _ in elements.tags} & {"link", "img", "iframe", "object", "embed", "base"}
    assert "@import" not in render("googlenet") and "url(http" not in render("googlenet")
    (policy,) = [attributes["content"] for tag, attributes in elements.tags
                 if attributes.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy


def test_the_same_network_gives_the_same_page():
    again = summary.summarize_model_config(registry.resolve_model_config("googlenet", aux=True))
    plan = build_module_graph(again, registry.get_model_info("googlenet").aux_loss_weights)
    assert render_diagram_page(again, plan, "googlenet", "what is said of googlenet") == render("googlenet")


def test_hostile_names_add_no_element_to_the_page():
    text = render_diagram_page(hostile.make_summary(), hostile.make_module_graph(), *hostile.NAMES[:2])
    tags = [tag for tag, _ in Elements(text).tags]
    assert tags == [tag for tag,
                    _ in Elements(render_diagram_page(hostile.make_summary(), hostile.make_module_graph(), "title",
                                                      "subtitle")).tags]
    assert tags.count("script") == 2 and "img" not in tags
    assert [layer["name"] for layer in read_data(text)["layers"]] == [
        name.replace("\t", r"\t").replace("\n", r"\n").replace("\u2028", r"\u2028") for name in hostile.NAMES]


# ----------------------------------------------------------------------------------------------------- the browser

@pytest.fixture
def show(browser, tmp_path):
    """Return a function that opens a page's text; at the end the browser must not complain, nor have asked for more."""
    path = tmp_path / "page.html"

    def open_page(text):
        path.write_text(text, encoding="utf-8")
        browser.prefer("light")
        browser.open(path.as_uri())
        return browser

    yield open_page
    assert browser.errors == []
    assert [address for address in browser.requested_urls if not address.startswith("data:")] == [path.as_uri()]


def get_center(browser, selector):
    """Return the point on the screen that is the middle of an element."""
    return browser.value(f"""(() => {{
        const area = document.querySelector({json.dumps(selector)}).getBoundingClientRect();
        return [area.x + area.width / 2, area.y + area.height / 2]; }})()""")


def click(browser, selector):
    browser.click(*get_center(browser, selector))


def get_box(browser, name):
    """Return the selector of a module's box, or of a layer's where no module on the page has the name."""
    key = browser.value(f"""(() => {{
        const named = each => each.name === {json.dumps(name)}, module = `m${{modules.findIndex(named)}}`;
        return placed.has(module) ? module : `l${{layers.findIndex(named)}}`; }})()""")
    return f'[data-key="{key}"]'


def list_keys(browser):
    return browser.value("[...document.querySelectorAll('.box')].map(node => node.dataset.key)")


def read_panel(browser):
    """Return the panel's {what: value}, with its title as "name"."""
    return browser.value("""(() => {
        const found = {name: document.querySelector("#facts h2").textContent};
        for (const key of document.querySelectorAll("#facts dt")) found[key.textContent] = key.nextSibling.textContent;
        return found; })()""")


def get_camera(browser):
    """Return (x, y, scale) of the drawing."""
    return tuple(map(float, re.findall(r"-?[\d.]+", browser.value(
        "document.getElementById('view').getAttribute('transform')"))))


def test_at_first_all_modules_are_collapsed_and_the_model_is_described(show):
    found, plan = make_summary_and_graph("googlenet")
    browser = show(render("googlenet"))
    assert len(list_keys(browser)) == len(plan.modules)
    told = read_panel(browser)
    assert told["name"] == "googlenet"
    assert {str(len(found.layers)), f"{found.parameters:,}", f"{found.multiply_adds:,}"} <= {*told.values()}


def test_a_click_expands_a_module_and_its_layers_show_their_details(show):
    found, _ = make_summary_and_graph("googlenet")
    layer = next(layer for layer in found.layers if layer.name == "3a_2b_3x3")
    browser = show(render("googlenet"))
    assert browser.value(f"document.querySelector({json.dumps(get_box(browser, '3a_2b_3x3'))})") is None
    click(browser, f"{get_box(browser, '3a')} .toggle")
    inside = [number for number, each in enumerate(found.layers) if each.name == "3a" or each.name.startswith("3a_")]
    assert {f"l{number}" for number in inside} <= set(list_keys(browser))
    click(browser, get_box(browser, "3a_2b_3x3"))
    told = read_panel(browser)
    assert told["name"] == "3a_2b_3x3"
    assert {"Conv2D", "28x28x128", f"{layer.parameters:,}", f"{layer.multiply_adds:,}", "128", "3x3", "1x1"} <= {
        *told.values()}
    assert browser.value("document.querySelector('#facts ul button').textContent") == layer.inputs[0]


def test_a_click_on_a_module_shows_its_fraction(show):
    _, plan = make_summary_and_graph("googlenet")
    module = next(module for module in plan.modules if module.name == "aux1")
    browser = show(render("googlenet"))
    click(browser, get_box(browser, "aux1"))
    told = read_panel(browser)
    assert told["name"] == "aux1" and "0.3" in told.values()
    # pool 4x4x512, convolution 4x4x128, flattened 2048, dense 1024 and its dropout, dense 1000 and its softmax
    memory = f"{4 * (8192 + 2048 + 2048 + 2 * 1024 + 2 * 1000) / 1e3:.1f} kB ("
    assert any(value.startswith(memory) for value in told.values())
    assert any(value.startswith(f"{module.parameters:,} (24%)") for value in told.values())


def test_repeats_expand_in_two_steps(show):
    browser = show(render("inception_resnet_v2"))
    before = len(list_keys(browser))
    click(browser, f"{get_box(browser, 'block35_1')} .toggle")
    assert len(list_keys(browser)) == before + 10
    key = browser.value("`m${modules.findIndex(module => module.name === 'block35_1')}.1`")
    click(browser, f'[data-key="{key}"] .toggle')
    layers = sum(layer.name.startswith("block35_2_") or layer.name == "block35_2"
                 for layer in make_summary_and_graph("inception_resnet_v2")[0].layers)
    assert len(list_keys(browser)) == before + 10 + layers


def test_expand_all_and_collapse_all(show):
    found, plan = make_summary_and_graph("inception_resnet_v2")
    browser = show(render("inception_resnet_v2"))
    click(browser, "#expand-all")
    assert {f"l{number}" for number in range(len(found.layers))} <= set(list_keys(browser))
    assert len(list_keys(browser)) == len(set(list_keys(browser)))
    click(browser, "#collapse-all")
    assert len(list_keys(browser)) == len(plan.modules)


@pytest.mark.parametrize("name", ["googlenet", "inception_resnet_v2", "vgg16", "resnet34"])
def test_expanded_boxes_do_not_overlap_and_texts_fit(show, name):
    browser = show(render(name))
    click(browser, "#expand-all")
    overlaps = browser.value("""(() => {
        const leaves = [...placed].filter(([key]) => !opened.has(key)), found = [];
        for (const [at, [key, a]] of leaves.entries()) for (const [other, b] of leaves.slice(at + 1))
            if (a.x + a.width > b.x + 0.1 && b.x + b.width > a.x + 0.1 && a.y + a.height > b.y + 0.1
                && b.y + b.height > a.y + 0.1) found.push([key, other]);
        return found; })()""")
    assert overlaps == []
    wide = browser.value("""[...document.querySelectorAll(".box")].filter(node => {
        const room = node.querySelector("rect").getBBox();
        return [...node.querySelectorAll(":scope > text")].map(text => text.getBBox()).some(
            area => area.x < room.x || area.x + area.width > room.x + room.width);
        }).map(node => node.dataset.key)""")
    assert wide == []


def test_the_search_marks_layers_and_enter_goes_to_them(show):
    found, _ = make_summary_and_graph("inception_resnet_v2")
    browser = show(render("inception_resnet_v2"))
    browser.press("/")
    browser.type("BLOCK17_7_mixed_2b")
    hits = [layer.name for layer in found.layers if "block17_7_mixed_2b" in layer.name]
    assert re.findall(r"\d+", browser.value("document.getElementById('found').textContent")) == [
        str(len(hits)), str(len(found.layers))]
    assert browser.value("[...document.querySelectorAll('.hit')].map(node => node.dataset.key)") == [
        browser.value("`m${modules.findIndex(module => module.name === 'block17_1')}`")]
    browser.press("Enter")
    assert read_panel(browser)["name"] == hits[0]
    assert browser.value("document.querySelectorAll('.hit').length") == len(hits)
    x, y = get_center(browser, get_box(browser, hits[0]))
    assert 0 < x < 1090 and 60 < y < 860  # it is in sight
    browser.press("Enter")
    assert read_panel(browser)["name"] == hits[1]
    browser.press("Escape")
    assert browser.value("document.querySelectorAll('.hit').length") == 0


def test_the_wheel_zooms_about_the_mouse_and_buttons_and_keys_zoom(show):
    browser = show(render("vgg16"))
    x, y = get_center(browser, get_box(browser, "pool3"))
    _, _, before = get_camera(browser)
    browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=-300)
    _, _, scale = get_camera(browser)
    assert scale > before * SMALLEST_ZOOM_STEP
    assert get_center(browser, get_box(browser, "pool3")) == pytest.approx([x, y], abs=0.5)
    click(browser, "#zoom-in")
    assert get_camera(browser)[2] > scale * SMALLEST_ZOOM_STEP
    click(browser, "#zoom-out")
    assert get_camera(browser)[2] == pytest.approx(scale, rel=1e-3)
    browser.press("+")
    assert get_camera(browser)[2] > scale * SMALLEST_ZOOM_STEP
    browser.press("-")
    browser.press("-")
    assert get_camera(browser)[2] < scale
    click(browser, "#fit")
    assert get_center(browser, get_box(browser, "predictions"))[1] < 860


def test_a_drag_moves_the_drawing_and_is_no_click(show):
    browser = show(render("vgg16"))
    x, y = get_center(browser, get_box(browser, "pool3"))
    browser.drag((x, y), (x - 120, y + 45))
    assert get_center(browser, get_box(browser, "pool3")) == pytest.approx([x - 120, y + 45], abs=0.5)
    assert read_panel(browser)["name"] == "vgg16"
    browser.click(x - 120, y + 45)
    assert read_panel(browser)["name"] == "pool3"


def test_a_module_stays_where_it_is_when_it_expands(show):
    browser = show(render("googlenet"))
    where = (f"(() => {{ const area = document.querySelector({json.dumps(get_box(browser, '4c'))}).firstChild"
             ".getBoundingClientRect(); return [area.x, area.y]; })()")
    before = browser.value(where)
    click(browser, f"{get_box(browser, '4c')} .toggle")
    assert browser.value(where) == pytest.approx(before, abs=1)


def test_the_keyboard_reaches_every_box(show):
    found, plan = make_summary_and_graph("lenet5")
    browser = show(render("lenet5"))
    browser.value("document.querySelector('.box').focus()")
    names = []
    for _ in plan.modules:
        browser.press("ArrowDown")
        names.append(read_panel(browser)["name"])
    assert names == [layer.name for layer in found.layers][1:] + [found.layers[-1].name]
    assert browser.value("document.querySelectorAll('.box[tabindex=\"0\"]').length") == 1


def test_the_keyboard_collapses_and_expands(show):
    browser = show(render("googlenet"))
    click(browser, get_box(browser, "3a"))
    before = len(list_keys(browser))
    browser.press("ArrowRight")
    assert len(list_keys(browser)) == before + 8
    browser.press("ArrowRight")
    assert read_panel(browser)["name"] == "3a_1a_1x1"
    browser.press("ArrowLeft")
    assert read_panel(browser)["name"] == "3a"
    browser.press("ArrowLeft")
    assert len(list_keys(browser)) == before
    browser.press("e")
    assert len(list_keys(browser)) > 100
    browser.press("c")
    assert len(list_keys(browser)) == before


def test_what_a_layer_reads_is_one_click_away(show):
    browser = show(render("googlenet"))
    click(browser, get_box(browser, "aux1"))
    browser.value("reveal(layers.findIndex(layer => layer.name === 'aux1_pool'))")
    click(browser, "#facts ul button")
    assert read_panel(browser)["name"] == "4a" and "Concatenate" in read_panel(browser).values()


@pytest.mark.parametrize("theme, preferred, paper", [
    (None, "light", LIGHT.background), (None, "dark", DARK.background), ("light", "dark", LIGHT.background),
    ("dark", "light", DARK.background)])
def test_light_and_dark(show, theme, preferred, paper):
    browser = show(render("lenet5", theme))
    browser.prefer(preferred)
    red, green, blue = (int(paper[place:place + 2], 16) for place in (1, 3, 5))
    assert browser.value("getComputedStyle(document.body).backgroundColor") == f"rgb({red}, {green}, {blue})"


def test_hostile_names_run_nothing(show):
    browser = show(render_diagram_page(hostile.make_summary(), hostile.make_module_graph(), *hostile.NAMES[:2]))
    click(browser, "#expand-all")
    for place, name in enumerate(hostile.NAMES):
        browser.value(f"reveal({place})")
        escaped = name.replace("\t", r"\t").replace("\n", r"\n").replace("\u2028", r"\u2028")
        assert read_panel(browser)["name"] == escaped
    browser.press("/")
    browser.type("<img src=x")
    browser.press("Enter")
    assert browser.value("typeof window.broken") == "undefined"
    assert browser.value("document.querySelectorAll('img, #facts script, #view script').length") == 0
    assert browser.value("document.title") == hostile.NAMES[0]


def write_page_with_unknown_counts():
    image = keras.Input((None, 8), name="tokens")
    x = keras.layers.GlobalMaxPooling1D(name="pool")(keras.layers.Conv1D(4, 3, name="conv1")(image))
    found = summary.summarize_model(keras.Model(image, keras.layers.Dense(40, name="fc")(x)))
    return render_diagram_page(found, build_module_graph(found), "title", "subtitle")


def test_unknown_multiply_adds_are_unknown_in_the_data():
    data = read_data(write_page_with_unknown_counts())
    assert [module["short"] for module in data["modules"]] == [["0", "0"], ["100", "unknown"], ["0", "0"],
                                                               ["200", "160"]]
    assert [module.get("multiplyAdds") for module in data["modules"]] == [0, None, 0, 160]
    assert data["totals"]["uncounted"] == 1


def test_unknown_multiply_adds_in_the_browser(show):
    browser = show(write_page_with_unknown_counts())
    assert read_panel(browser)["layers not counted"] == "1"
    click(browser, get_box(browser, "conv1"))
    assert read_panel(browser)["multiply-adds"] == "unknown"
    assert browser.value("document.querySelectorAll('rect.bar-multiplyAdds').length") == 1  # of fc
    click(browser, get_box(browser, "fc"))
    assert read_panel(browser)["multiply-adds"] == "160"


def test_large_numbers_have_no_exponent(show):
    browser = show(render("lenet5"))
    assert browser.value("[formatFraction(4, 4), formatFraction(1, 128), formatMemory(3e8, 6e8)]") == [
        "4 (100%)", "1 (0.78%)", "1,200 MB (50%)"]
