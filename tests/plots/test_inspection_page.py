"""The page of an inspection, tested in a browser, and the command that writes it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from matplotlib import cbook
from helpers import check_text
from PIL import Image

from zoo import registry
from zoo.cli import visualize
from zoo.plots.inspected_model import InspectedModel
from zoo.plots.inspection import ImageInspection
from zoo.reports import inspection

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = ("</script><script>window.broken = 1</script>", "<img src=x onerror='window.broken = 2'>",
           "tab\tline\nend\u202e{{7*7}}")


def make_model():
    """Return a model of three feature maps, the first of them dead, two feature maps of half the size, and scores."""
    image = keras.Input((12, 16, 1), dtype="uint8", name="image")
    x = layers.Conv2D(3, 1, activation="relu", name="conv1")(layers.Rescaling(1 / 255, name="preprocessing")(image))
    x = layers.Conv2D(2, 3, strides=2, padding="same", name="conv2")(x)
    x = layers.Dense(3, name="fc")(layers.Flatten(name="flat")(x))
    model = keras.Model(image, layers.Softmax(name="predictions")(x), name="toy")
    model.get_layer("conv1").set_weights([np.array([-1, 1, 2], "float32").reshape(1, 1, 1, 3), np.zeros(3)])
    return model


@pytest.fixture(scope="module")
def page_path(tmp_path_factory):
    """Write the page of a model whose classes have hostile names, and return its path."""
    path = tmp_path_factory.mktemp("page") / "look.html"
    pixels = np.arange(192, dtype=np.uint8).reshape(12, 16, 1) + 20
    subject = InspectedModel(make_model(), HOSTILE, "toy<b>", "weights of \u202etoy.keras")
    inspection.write_inspection_page(ImageInspection(subject, pixels, "all", '"onload="ramp.png'), 8, path)
    return path


@pytest.fixture
def browser(browser, page_path):
    """Open the page in the browser; afterwards there must be no error and no request."""
    browser.prefer("light")
    browser.open(page_path.as_uri())
    yield browser
    assert browser.errors == [] and browser.value("window.broken") is None
    assert {address.partition(":")[0] for address in browser.requested_urls} <= {"file", "data"}
    assert sum(address.startswith("file:") for address in browser.requested_urls) == 1


def test_the_page_loads_nothing_and_has_no_untrusted_element(page_path):
    text = page_path.read_text()
    assert "http:" not in text and "https:" not in text and text.count("<script") == 2 and "<img src=x" not in text
    assert "<b>" not in text and '"onload' not in text and "\u202e" not in text and "end\\u202e{{7*7}}" in text
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none'; img-src data:;") and "unsafe" not in policy


@pytest.mark.parametrize("is_random", [False, True])
def test_random_weights_are_marked_by_their_field(is_random):
    subject = InspectedModel(make_model(), None, "toy", "trained on RANDOM dots", is_random)
    page = inspection.render_inspection_page(ImageInspection(subject, np.zeros((12, 16, 1), np.uint8), ["fc"], ""), 8)
    assert ('class="untrained"' in page) is is_random


def middle(browser, selector):
    return browser.value(f"""(() => {{
        const element = document.querySelector({json.dumps(selector)});
        element.scrollIntoView({{ block: "center" }});
        const box = element.getBoundingClientRect();
        return [box.left + box.width / 2, box.top + box.height / 2];
    }})()""")


def set_value(browser, element_id, value, event):
    browser.value(f"""(() => {{
        const element = document.getElementById({json.dumps(element_id)});
        element.value = {json.dumps(value)};
        element.dispatchEvent(new Event({json.dumps(event)}));
    }})()""")


def test_attributions_are_laid_over_the_image(browser):
    kinds = browser.value("[...document.querySelectorAll('#input h3')].map((each) => each.textContent)")
    assert [kind.lower() for kind in kinds] == ["grad-cam", "saliency", "occlusion", "hypercolumn"]
    count = browser.value("document.querySelectorAll('[data-overlay]').length")
    assert count == 1 + 3 * 3 + 1
    sources, texts = set(), set()
    for index in range(count - 1):
        browser.click(*middle(browser, f'[data-overlay="{index}"]'))
        source, is_shown, has_size, description = browser.value(
            "[overlay.src, !overlay.hidden, overlay.naturalWidth === image.naturalWidth,"
            " document.getElementById('overlay-description').textContent]")
        assert source.startswith("data:image/png") and is_shown and has_size and description
        sources.add(source)
        texts.add(description)
    assert len(sources) > 4
    browser.click(*middle(browser, '[data-overlay="-1"]'))
    assert browser.value("overlay.hidden")
    assert browser.value("document.getElementById('overlay-description').textContent") not in {"", *texts}
    assert browser.value("document.querySelectorAll('[aria-pressed=true]').length") == 1


def test_the_opacity_of_an_overlay(browser):
    browser.value("opacity.value = 20; opacity.dispatchEvent(new Event('input'))")
    assert browser.value("getComputedStyle(overlay).opacity") == "0.2"


def test_stepping_through_the_layers(browser):
    def get_layer():
        """Return [name of the layer, its number, number of layers]."""
        heading = browser.value("document.getElementById('layer-name').textContent")
        return [heading.split()[0], *map(int, re.findall(r"\d+", heading.partition(" ")[2]))]

    assert get_layer() == ["preprocessing", 1, 6] and browser.value("previous.disabled")
    browser.click(*middle(browser, "#next"))
    assert get_layer() == ["conv1", 2, 6]
    values = re.findall(r"\d+", browser.value("document.getElementById('layer-summary').textContent"))
    assert values == ["1", "1", "3", "12", "16", "3", "1", "0"]  # 1x1, 3 filters; 12x16, 3 maps: 1 dead, 0 constant
    values = browser.value("[...document.querySelectorAll('.tile .channel')].map((each) => each.textContent)")
    assert [text.split()[0] for text in values] == ["0", "1", "2"]
    assert browser.value("document.querySelectorAll('.tile.dead').length") == 1
    browser.press("ArrowRight")
    assert get_layer() == ["conv2", 3, 6]
    browser.press("ArrowLeft")
    browser.press("ArrowLeft")
    browser.press("ArrowLeft")  # no further
    assert get_layer() == ["preprocessing", 1, 6]
    set_value(browser, "layer-select", "4", "change")
    assert get_layer() == ["fc", 5, 6]
    assert browser.value("document.querySelectorAll('#feature-maps .strip').length") == 1
    set_value(browser, "layer-slider", "5", "input")
    assert get_layer() == ["predictions", 6, 6] and browser.value("next.disabled")


def test_a_map_is_enlarged(browser):
    browser.click(*middle(browser, "#next"))
    browser.click(*middle(browser, ".tile:nth-child(2)"))
    assert not browser.value("enlarged.hidden")
    # 20 and 211
    check_text(browser.value("enlarged.querySelector('p').textContent"), "conv1", "1", "0.07843", "0.8275")
    assert browser.value("getComputedStyle(enlarged.querySelector('.image')).backgroundImage.startsWith('url')")
    assert browser.value("enlarged.querySelector('.image').clientWidth") > 300
    browser.press("ArrowRight")
    assert browser.value("enlarged.hidden")


def test_the_filters_are_drawn(browser):
    assert browser.value("document.querySelectorAll('#filter-images .image').length") == 3


def test_the_page_fits_400_pixels(browser):
    browser.call("Emulation.setDeviceMetricsOverride", width=400, height=740, deviceScaleFactor=1, mobile=True)
    try:
        assert browser.value("document.documentElement.scrollWidth") <= 400
    finally:
        browser.call("Emulation.setDeviceMetricsOverride", width=1400, height=900, deviceScaleFactor=1, mobile=False)


# --------------------------------------------------------------------------------------------------------- the command

@pytest.fixture(scope="module")
def hopper():
    return str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))


def run_visualize(capsys, *arguments):
    """Return (status, output) of the command."""
    status = visualize.main([*map(str, arguments), "--gpu", "none"])
    output = capsys.readouterr()
    return status, output.out + output.err


def test_an_output_folder_has_the_page_and_all_plots(tmp_path, hopper, capsys):
    folder = tmp_path / "look"
    status, output = run_visualize(capsys, "lenet5", "--image", hopper, "-o", folder)
    assert status == 0 and output.count("\n") == 8
    assert {path.name
            for path in folder.iterdir()} == {"look.html", *(f"{kind}.png" for kind in visualize.PLOT_DESCRIPTIONS)}
    assert '<span class="untrained">' in (folder / "look.html").read_text()  # random weights
    for kind in visualize.PLOT_DESCRIPTIONS:
        assert min(Image.open(folder / f"{kind}.png").size) > 200


def test_the_bundled_weights_recognize_a_five(tmp_path, capsys):
    """The digit and its scaling: with pixels on another scale than in training, the prediction is wrong."""
    from zoo.data.datasets import load_dataset_by_name

    split = load_dataset_by_name("digits").test
    index = int(np.flatnonzero(split.labels == 5)[0])
    Image.fromarray(split.batch([index])[0][0, ..., 0]).save(tmp_path / "five.png")
    arguments = ("--image", tmp_path / "five.png", "-o", tmp_path / "look.html")
    status, output = run_visualize(capsys, "lenet5", "--weights", "mnist", *arguments)
    assert status == 0
    check_text(output, "lenet5", "mnist", "0.1307", "0.3081")
    bars = re.findall(r"<th scope=row>(\d)</th>.*?<td>([\d.]+)%</td>", (tmp_path / "look.html").read_text())
    assert bars[0][0] == "5" and float(bars[0][1]) > 99
    status, output = run_visualize(capsys, tmp_path, "--weights", "mnist", *arguments)
    assert status == 2
    check_text(output, str(tmp_path), "run.json")


@pytest.mark.parametrize("arguments", [["--plot", "feature-maps", "-o", "feature-maps.png"],
                                       ["--plot", "feature-maps", "-o", "."], ["-o", "."],
                                       ["--plot", "feature-maps", "-o", "link.png"]])
def test_the_image_is_not_overwritten(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.new("L", (28, 28)).save("feature-maps.png")
    (tmp_path / "link.png").symlink_to("feature-maps.png")
    before = (tmp_path / "feature-maps.png").read_bytes()
    status, output = run_visualize(capsys, "lenet5", "--image", "feature-maps.png", *arguments)
    assert status == 2
    check_text(output, "--image")
    assert output.count("\n") == 1 and (tmp_path / "feature-maps.png").read_bytes() == before


@pytest.mark.parametrize("size", [999_999, pytest.param(20_000, marks=pytest.mark.slow)])
def test_an_image_that_needs_too_much_memory(size, tmp_path, hopper, capsys):
    """The first needs 12 TB, which is refused immediately; for the second the backend requests 1 TB of weights."""
    status, output = run_visualize(capsys, "lenet5", "--image", hopper, "--image-size", size, "-o",
                                   tmp_path / "look.html")
    assert status == 5 and output.startswith("error: ") and output.count("\n") == 1
    check_text(output, "--image-size", "--width", "--layers")
    assert not list(tmp_path.iterdir())


def test_a_custom_model_of_any_size(tmp_path, hopper, capsys):
    image = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="c")(layers.Rescaling(1 / 255)(image))
    x = layers.Dense(2, activation="softmax")(layers.GlobalMaxPooling2D()(x))
    keras.Model(image, x).save(tmp_path / "my.keras")
    arguments = (tmp_path / "my.keras", "--image", hopper, "--plot", "gradcam", "-o", tmp_path / "cam.svg")
    status, output = run_visualize(capsys, *arguments)
    assert status == 2
    check_text(output, "--image-size")
    (tmp_path / "my.labels.txt").write_text("tabby\nfox\n")
    status, output = run_visualize(capsys, *arguments, "--image-size", "40x30")
    assert "tabby" in (tmp_path / "cam.svg").read_text()
    assert status == 0 and "my.keras" in output and (tmp_path / "cam.svg").read_text().startswith("<?xml")


INVALID_ARGUMENTS = [
    (["resnet43"], ("'resnet43'", "'resnet44'")),
    (["./nowhere"], ("./nowhere", ".keras")),
    (["lenet5", "--image", "nowhere.png"], ("nowhere.png",)),
    (["lenet5", "--image", "."], ("--image", ".")),
    (["lenet5", "--image", __file__], (__file__,)),
    (["lenet5", "--num-maps", "0"], ("--num-maps", "1", "1024", "'0'")),
    (["lenet5", "--plot", "gradcan"], ("'gradcan'", "'gradcam'")),
    (["lenet5", "--layers", "C1,,C3"], ("--layers", "all", "stages", "'C1,,C3'")),
    (["lenet5", "-o", "no/where/look.html"], ("no/where",)),
    (["lenet5", "-o", "look.txt"], ("--plot", ".html", "'look.txt'")),
    (["lenet5", "--plot", "feature-maps", "-o", "maps.html"], (".png", "'maps.html'")),
    (["googlenet", "--aux"], ("--aux",)),
    (["lenet5", "--weights", "imagnet"], ("'imagnet'",)),
    (["vgg16", "--weights", "imagenet", "--classes", "5"], ("'imagenet'", "1000", "5")),
    (["lenet5", "--plot", "filters", "--layers", "C3"], ("--layers", "hypercolumn", "--plot filters")),
    (["lenet5", "--plot", "prediction", "--layers", "stages"], ("--layers", "hypercolumn", "--plot prediction")),
    (["lenet5", "--plot", "gradcam", "--layers", "all"], ("--plot gradcam", "--layers", "'all'")),
    (["lenet5", "--plot", "saliency", "--num-maps", "3"], ("--num-maps", "--plot feature-maps", "--plot saliency")),
    (["lenet5", "--plot", "filters", "--target-classes", "3"], ("--target-classes", "occlusion", "--plot filters")),
    (["lenet5", "--target-classes", "3,"], ("--target-classes", "'3,'")),
    (["lenet5", "--checkpoint", "last"], ("--checkpoint", "lenet5")),
    (["."], ("run.json",))]


def test_invalid_arguments_are_refused_before_a_backend_loads(hopper, tmp_path):
    commands = [[*arguments, *([] if "--image" in arguments else ["--image", hopper])]
                for arguments, _ in INVALID_ARGUMENTS]
    program = ("import json, sys\nfrom zoo.cli import visualize\nfor arguments in json.loads(sys.argv[1]):\n"
               "    print(visualize.main(arguments), 'keras' in sys.modules)")
    process = subprocess.run([sys.executable, "-c", program, json.dumps(commands)], cwd=tmp_path, capture_output=True,
                             text=True, env={"PYTHONPATH": str(ROOT), "PATH": ""})
    assert process.stdout.splitlines() == ["2 False"] * len(commands), process.stdout + process.stderr
    for line, (_, pins) in zip(process.stderr.splitlines(), INVALID_ARGUMENTS, strict=True):
        assert line.startswith("error: ")
        check_text(line, *pins)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments, pins", [
    (["--layers", "S2,c3"], ("'c3'", "'C3'", "S2", "S4")),
    (["--target-classes", "10"], ("10",)),
    (["--plot", "gradcam", "--layers", "F6"], ("Grad-CAM", "F6")),
    (["--plot", "hypercolumn", "--layers", "F6,C5"], ("hypercolumn", "F6", "C5"))])
def test_invalid_arguments_that_need_the_model(arguments, pins, hopper, tmp_path, capsys):
    status, output = run_visualize(capsys, "lenet5", "--image", hopper, "-o", tmp_path / "out", *arguments)
    assert status == 2 and output.count("\n") == 1
    check_text(output, *pins)


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.select_models("image"))
def test_every_network_with_an_image_of_64_pixels(name, tmp_path, hopper, capsys):
    spec = registry.get_model_info(name)
    size = min(64, spec.max_size or 64)
    image = tmp_path / "image.png"
    Image.open(hopper).resize((64, 64)).save(image)
    width = [] if spec.fixed_width else ["--width", "0.25"]
    arguments = ("--image", image, "--image-size", size, "--classes", 10, *width, "-o", tmp_path / "look")
    status, output = run_visualize(capsys, name, *arguments)
    assert status == 0 and output.count("\n") == 8, output
    assert len(list((tmp_path / "look").iterdir())) == 8
