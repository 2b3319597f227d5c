"""The report of a run: the contents of the file, and its behavior in a browser, if Chromium is installed."""

import base64
import io
import json
import re

import numpy as np
import pytest
from fake_results import history_of
from helpers import check_text
from PIL import Image

from zoo.errors import UserError
from zoo.reports import charts
from zoo.reports.run_outputs import draw_run
from zoo.training.calibration import Reliability

HOSTILE = ("</script><script>window.broken = 1</script>", "<img src=x onerror='window.broken = 2'>", "<!--<script>",
           "__proto__", "\"><b>", "${window.broken = 3}", "&amp;&lt;", "é漢字\u2028", "tab\tline\nend", "constructor")


def write_report(run):
    draw_run(run)
    return (run / "report.html").read_text(encoding="utf-8")


def parse_page_data(text):
    return json.loads(re.search(r'<script type="application/json" id="page-data">(.*?)</script>', text, re.DOTALL)[1])


def parse_metrics(text):
    """Return the metrics at the top of the page, [(value, label)]."""
    metrics = re.search(r'<ul id="metrics">(.*?)</ul>', text, re.DOTALL)[1]
    return re.findall(r"<li><b>([^<]*)</b> <span>([^<]*)</span></li>", metrics)


def update_config(run, **entries):
    """Update entries of run.json."""
    path = run / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


# -------------------------------------------------------------------------------------------------------- the file

def test_the_headline_numbers_come_first(make_run):
    text = write_report(make_run())
    metrics = parse_metrics(text)
    assert [value for value, _ in metrics[:2]] == ["94.80%", "94.00%"] and "61,706" in dict(metrics)
    check_text(metrics[0][1], "5")
    assert text.index("94.00%") < text.index('id="curves"') < text.index('id="confusion"')
    check_text(re.search(r'<span class="finished">([^<]*)</span>', text)[1], "6")


def test_top_5_is_shown_if_it_was_measured(make_run):
    run = make_run()
    without = parse_metrics(write_report(run))
    path = run / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"test_top5_best": 0.991, "test_top5_last": 0.99}))
    metrics = parse_metrics(write_report(run))
    assert "99.10%" in dict(metrics) and len(metrics) > len(without)


def test_an_unfinished_run_has_a_report_of_its_files(make_run):
    run = make_run(epochs=3)
    update_config(run, recipe={"epochs": 9})
    for name in ("result.json", "predictions.npz", "samples.npz"):
        (run / name).unlink()
    text = write_report(run)
    check_text(re.search(r'<span class="unfinished">([^<]*)</span>', text)[1], "3", "9")
    check_text(parse_metrics(text)[0][1], "3")
    assert "94.80%" not in text and 'id="confusion"' not in text and 'id="calibration"' not in text
    assert 'id="recipe"' in text


def test_the_page_loads_no_external_resource(make_run):
    run = make_run()
    (run / "plots").mkdir()
    (run / "plots" / "architecture.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>x</script></svg>")
    text = write_report(run)
    sources = re.findall(r'(?:src|href|action)="([^"]*)"', text)
    assert len(sources) == 1 and sources[0].startswith("data:image/svg+xml;base64,")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none'; img-src data:;") and "unsafe" not in policy
    text = text.replace("http://www.w3.org/2000/svg", "")  # a namespace, which is not fetched
    assert "http:" not in text and "https:" not in text and "@import" not in text


def test_the_data_has_the_images_and_their_probabilities(make_run):
    run = make_run()
    data = parse_page_data(write_report(run))
    samples, predictions = np.load(run / "samples.npz"), np.load(run / "predictions.npz")
    images = data["images"]
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(images["sheet"].partition(",")[2]))))
    for position, (label, index, top) in enumerate(images["items"]):
        row, column = divmod(position, images["columns"])
        tile = sheet[28 * row:28 * row + 28, 28 * column:28 * column + 28]
        assert np.array_equal(tile, samples["confusion_images"][position][..., 0])
        assert index == samples["confusion_indices"][position] and label == predictions["labels"][index]
        assert top[0][0] == predictions["probabilities"][index].argmax() and top[0][1] == 0.7
    counts = np.zeros((10, 10), int)
    for row, column, count, _ in data["matrix"]["cells"]:
        counts[row, column] = count
    labels, predicted = predictions["labels"], predictions["probabilities"].argmax(axis=1)
    assert np.array_equal(counts, [[((labels == i) & (predicted == j)).sum() for j in range(10)] for i in range(10)])


def test_color_images_that_are_not_square(make_run):
    run = make_run(shape=(20, 32, 3))
    images = parse_page_data(write_report(run))["images"]
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(images["sheet"].partition(",")[2]))))
    assert (images["height"], images["width"]) == (20, 32)
    assert np.array_equal(sheet[:20, :32], np.load(run / "samples.npz")["confusion_images"][0])


def test_further_columns_of_the_history_are_drawn(make_run):
    run = make_run()
    history = history_of(6)
    history |= {"aux1_loss": history["loss"] + 1, "aux1_accuracy": history["accuracy"] / 2}
    table = zip(*history.values(), strict=True)
    rows = "".join(",".join([str(int(row[0])), *map(str, row[1:])]) + "\n" for row in table)
    (run / "history.csv").write_text(",".join(history) + "\n" + rows)
    names_by_chart = [chart["names"] for chart in parse_page_data(write_report(run))["charts"]]
    assert [len(names) for names in names_by_chart] == [3, 3, 1] and all("aux1" in names[2]
                                                                         for names in names_by_chart[:2])


def test_losses_that_are_not_finite_leave_a_gap():
    chart = charts.draw_line_chart("Loss", [("a", "o0", np.array([1.0, np.nan, np.inf, 3.0, 2.0]))], False, 0)
    assert chart.values == [["1.0000", "none", "none", "3.0000", "2.0000"]]
    assert chart.svg.count("<polyline") == 1 and chart.svg.count("<circle") == 3
    nothing = charts.draw_line_chart("Loss", [("a", "o0", np.full(3, np.nan))], False, 0)
    assert "nan" not in nothing.svg and charts.get_last_value(nothing.values[0]) == "none"


def test_the_points_of_a_curve_are_at_their_values():
    """Four epochs of 0, 1, 2 and 4: equal steps to the right, and steps up of 1 : 1 : 2."""
    chart = charts.draw_line_chart("Loss", [("a", "o0", np.array([0.0, 1.0, 2.0, 4.0]))], False, 0)
    points = re.search(r'points="([^"]*)"', chart.svg)[1]
    x, y = np.array([point.split(",") for point in points.split()], float).T
    assert np.diff(x) == pytest.approx([np.diff(x)[0]] * 3, abs=0.11)
    assert np.diff(y) == pytest.approx([np.diff(y)[0], np.diff(y)[0], 2 * np.diff(y)[0]], abs=0.11) and y[0] > y[1]


def test_the_bars_of_the_reliability_diagram():
    bins = Reliability(np.array([0, 0, 0, 4, 6]), np.array([0, 0, 0, 0.7, 0.9]), np.array([0, 0, 0, 0.5, 1.0]))
    svg = charts.draw_reliability_diagram(bins)
    heights = re.findall(r'class="accuracy" x="[^"]*" y="[^"]*" width="[^"]*" height="([^"]*)"', svg)
    assert [float(height) for height in heights] == [0.5 * charts.RELIABILITY_SIZE, charts.RELIABILITY_SIZE]
    assert svg.count("gap overconfident") == 1 and svg.count("gap underconfident") == 1
    check_text(re.search("<title>(.*?)</title>", svg)[1], "4", "70.0%", "50.0%")


@pytest.mark.parametrize("entries", [{"recipe": {}}, {"command": ""}, {"versions": {}}, {"limit": None},
                                   {"others": ["a"]}, {"others": None},
                                   {"model_config": {"options": {"a": [1, {"b": None}]}}}])
def test_entries_of_any_kind_are_shown(make_run, entries):
    run = make_run(epochs=1)
    update_config(run, **entries)
    assert 'id="data"' in write_report(run)


def test_hostile_text_adds_no_element_to_the_page(make_run):
    run = make_run(names=HOSTILE)
    update_config(run, model=HOSTILE[1], command=HOSTILE[0], device=HOSTILE[2], recipe={HOSTILE[1]: HOSTILE[4]})
    text = write_report(run)
    assert text.count("<script") == 2 and text.count("</script>") == 2
    assert "<img" not in text and "<b>window" not in text and "<!--" not in text
    assert parse_page_data(text)["matrix"]["class_names"][:2] == list(HOSTILE[:2])


def test_a_damaged_run_has_no_report(make_run):
    run = make_run()
    (run / "samples.npz").write_bytes(b"PK")
    with pytest.raises(UserError):
        draw_run(run)
    assert not (run / "report.html").exists()


# ----------------------------------------------------------------------------------------------------- the browser

@pytest.fixture
def show(browser):
    """Return a function that opens the report of a run; the browser must log no error and no request."""
    def open_report(run):
        draw_run(run)
        browser.prefer("light")
        browser.open((run / "report.html").as_uri())
        return browser

    yield open_report
    assert browser.errors == []
    assert {address.partition(":")[0] for address in browser.requested_urls} <= {"file", "data"}
    assert sum(address.startswith("file:") for address in browser.requested_urls) == 1
    assert browser.value("window.broken") is None


def get_cell_center(browser, row, column):
    """Scroll the matrix into view and return the center of a cell."""
    return browser.value(f"""(() => {{
        const matrix = document.getElementById("matrix");
        matrix.scrollIntoView({{ block: "center" }});
        const ground = matrix.querySelector(".background").getBoundingClientRect(), side = ground.width / 10;
        return [ground.left + ({column} + 0.5) * side, ground.top + ({row} + 0.5) * side];
    }})()""")


def get_tiles(browser):
    """Return (lines, whether the image is drawn) for each image beside the matrix."""
    return browser.value("""[...document.querySelectorAll("#cell-images .tile")].map((tile) => {
        const image = tile.querySelector(".image"), style = getComputedStyle(image);
        return [tile.innerText.split("\\n").filter(Boolean), style.backgroundImage.startsWith('url("data:image/png')
            && image.clientWidth > 50 && image.clientHeight > 50];
    })""")


def expected_indices(run, row, column):
    predictions = np.load(run / "predictions.npz")
    labels, predicted = predictions["labels"], predictions["probabilities"].argmax(axis=1)
    indices = np.load(run / "samples.npz")["confusion_indices"]
    return [int(i) for i in indices if (labels[i], predicted[i]) == (row, column)]


def get_shown_indices(browser):
    """Return the indices in the test split of the images that are shown."""
    return browser.value("""[...document.querySelectorAll("#cell-images .image")].map(
        (image) => Number(image.getAttribute("aria-label").match(/\\d+/)[0]))""")


def get_cell_numbers(browser):
    """Return the numbers in the summary of a cell: for numeric class names, the classes and then the counts."""
    summary = browser.value("document.getElementById('cell-summary').textContent")
    return [int(number) for number in re.findall(r"\d+", summary)]


def test_a_click_on_a_cell_shows_its_images(make_run, show):
    run = make_run()
    browser = show(run)
    predictions = np.load(run / "predictions.npz")
    errors = np.flatnonzero(predictions["probabilities"].argmax(axis=1) != predictions["labels"])
    for index in (errors[0], errors[5]):
        row, column = int(predictions["labels"][index]), int(predictions["probabilities"][index].argmax())
        browser.click(*get_cell_center(browser, row, column))
        assert sorted(get_shown_indices(browser)) == expected_indices(run, row, column)
        for lines, is_drawn in get_tiles(browser):
            assert is_drawn and lines[0].endswith(f" {row}") and lines[1] == f"{column} 70.0%" and len(lines) == 4
        assert sorted(get_cell_numbers(browser)[:2]) == sorted([row, column])


def test_the_image_shown_is_the_one_of_the_test_split(make_run, show):
    """The images of the run are uniform grays: the screen must show the gray of the image that the label names."""
    run = make_run()
    arrays = dict(np.load(run / "samples.npz"))
    grays = 40 + 5 * np.arange(len(arrays["confusion_images"]), dtype=np.uint8)
    images = arrays["confusion_images"] * 0 + grays[:, None, None, None]
    np.savez(run / "samples.npz", **arrays | {"confusion_images": images})
    browser = show(run)
    indices = arrays["confusion_indices"].tolist()
    labels = np.load(run / "predictions.npz")["labels"]
    error = int(np.load(run / "samples.npz")["misclassified_indices"][3])
    predicted = int(np.load(run / "predictions.npz")["probabilities"][error].argmax())
    browser.click(*get_cell_center(browser, int(labels[error]), predicted))
    x, y = browser.value("""(() => {
        const image = document.querySelector("#cell-images .image");
        image.scrollIntoView({ block: "center" });
        const box = image.getBoundingClientRect();
        return [box.left + box.width / 2, box.top + box.height / 2];
    })()""")
    screen = np.asarray(Image.open(io.BytesIO(browser.screenshot())).convert("L"))
    assert abs(int(screen[int(y), int(x)]) - grays[indices.index(get_shown_indices(browser)[0])]) <= 1


def test_an_empty_cell_is_described_as_such(make_run, show):
    run = make_run(num_errors=3)
    browser = show(run)
    predictions = np.load(run / "predictions.npz")
    pairs = {(i, j) for i, j in zip(predictions["labels"], predictions["probabilities"].argmax(axis=1), strict=True)}
    row, column = next((i, j) for i in range(10) for j in range(10) if i != j and (i, j) not in pairs)
    browser.click(*get_cell_center(browser, row, column))
    assert sorted(get_cell_numbers(browser)) == sorted([row, column, 0]) and get_tiles(browser) == []


def test_the_matrix_by_keyboard(make_run, show):
    run = make_run()
    browser = show(run)
    browser.value("matrix.focus()")
    row, column = browser.value("document.querySelector('[data-cell]').dataset.cell").split(",")
    for key in ["ArrowUp"] * int(row) + ["ArrowLeft"] * int(column):  # from the cell that is selected at first
        browser.press(key)
    browser.press("ArrowLeft")  # no further
    browser.press("Enter")
    is_correct = np.load(run / "predictions.npz")["probabilities"][::10].argmax(axis=1) == 0  # labels are 0, 1, ..., 9
    assert {0, int(is_correct.sum())} <= {*get_cell_numbers(browser)}
    assert sorted(get_shown_indices(browser)) == expected_indices(run, 0, 0)
    browser.press("ArrowRight")
    assert sorted(get_cell_numbers(browser)[:2]) == [0, 1]


def test_the_list_of_frequent_confusions(make_run, show):
    run = make_run()
    browser = show(run)
    first = browser.value("document.querySelector('[data-cell]').dataset.cell")
    row, column = map(int, first.split(","))
    # it is open when the page opens
    assert sorted(get_shown_indices(browser)) == expected_indices(run, row, column) != []
    row, column = map(int, browser.value("document.querySelectorAll('[data-cell]')[2].dataset.cell").split(","))
    browser.value("document.querySelectorAll('[data-cell]')[2].click()")
    assert sorted(get_shown_indices(browser)) == expected_indices(run, row, column) != []


def test_the_most_confident_errors_are_drawn(make_run, show):
    browser = show(make_run())
    assert browser.value("document.querySelectorAll('#misclassified .tile .image').length") == 24


def test_a_curve_shows_the_values_of_the_epoch_under_the_pointer(make_run, show):
    run = make_run()
    browser = show(run)
    history = history_of(6)
    box = browser.value("""(() => {
        const chart = document.querySelector(".chart");
        chart.scrollIntoView({ block: "center" });
        const box = chart.getBoundingClientRect(), scale = box.width / chart.viewBox.baseVal.width;
        const { left, right } = chart.dataset;
        return [box.left + left * scale, box.left + right * scale, box.top + box.height / 2];
    })()""")
    left, right, middle = box
    for epoch in (1, 4, 6):
        browser.mouse("mouseMoved", left + (right - left) * (epoch - 0.5) / 6, middle)
        texts = browser.value("[...document.querySelectorAll('figure')[0].querySelectorAll('output, .epoch')]"
                             ".map((each) => each.textContent)")
        assert texts[1:] == [f"{history['loss'][epoch - 1]:.4f}", f"{history['val_loss'][epoch - 1]:.4f}"]
        check_text(texts[0], str(epoch))
    browser.mouse("mouseMoved", 2, 2)
    assert not re.search(r"\d", browser.value("document.querySelector('.epoch').textContent"))  # at the end
    browser.value("document.querySelector('.chart').focus()")
    browser.press("ArrowLeft")
    browser.press("ArrowLeft")
    check_text(browser.value("document.querySelector('.epoch').textContent"), "5")


def test_the_command_is_copied(make_run, show):
    run = make_run()
    update_config(run, command="python -m zoo.train lenet5 --set 'a=<b>'")
    browser = show(run)
    before = browser.value("copy.textContent")
    browser.value("copy.click()")
    assert browser.value("new Promise((done) => setTimeout(() => done(copy.textContent), 200))") not in ("", before)
    code = browser.value("document.querySelector('.command code').textContent")
    assert code == "python -m zoo.train lenet5 --set 'a=<b>'"


def test_hostile_names_are_shown_as_they_are(make_run, show):
    run = make_run(names=HOSTILE)
    browser = show(run)
    predictions = np.load(run / "predictions.npz")
    index = int(np.load(run / "samples.npz")["misclassified_indices"][0])
    row, column = int(predictions["labels"][index]), int(predictions["probabilities"][index].argmax())
    browser.click(*get_cell_center(browser, row, column))
    assert get_tiles(browser)[0][0][0].endswith(f" {HOSTILE[row]}")


@pytest.mark.parametrize("scheme, light", [("light", True), ("dark", False)])
def test_the_page_follows_the_preferred_color_scheme(make_run, show, scheme, light):
    browser = show(make_run())
    browser.prefer(scheme)
    red = browser.value("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
    assert (int(red) > 200) == light


@pytest.mark.parametrize("names", [tuple("0123456789"), tuple(f"a rather long name {i}" for i in range(40))],
                         ids=["10 classes", "40 classes"])
def test_the_page_fits_a_phone(make_run, show, names):
    browser = show(make_run(names=names))
    browser.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True)
    try:
        assert browser.value("document.documentElement.scrollWidth") <= 360
    finally:
        browser.call("Emulation.setDeviceMetricsOverride", width=1400, height=900, deviceScaleFactor=1, mobile=False)


def test_the_names_of_20_classes_do_not_overlap(make_run, show):
    browser = show(make_run(names=tuple(f"a rather long name {i}" for i in range(20))))
    boxes = browser.value("""[...document.querySelectorAll("#matrix .name")].map((name) => {
        const { left, top, right, bottom } = name.getBoundingClientRect();
        return [left, top, right, bottom];
    })""")
    frame = browser.value("(({ left, top, right, bottom }) => [left, top, right, bottom])"
                          "(matrix.getBoundingClientRect())")
    assert len(boxes) >= 40
    for index, (left, top, right, bottom) in enumerate(boxes):
        assert left >= frame[0] and top >= frame[1] and right <= frame[2] and bottom <= frame[3]
        for other in boxes[index + 1:]:  # lines of one name may touch
            assert left >= other[2] - 3 or right <= other[0] + 3 or top >= other[3] - 3 or bottom <= other[1] + 3


def test_a_matrix_of_3_classes_is_not_as_wide_as_the_page(make_run, show):
    browser = show(make_run(names=("cat", "dog", "fox")))
    assert 30 <= browser.value("document.querySelector('#matrix .background').getBoundingClientRect().width / 3") <= 60


def test_a_cell_is_as_dark_as_its_count_whether_correct_or_not(make_run, show):
    browser = show(make_run())
    cells = browser.value("""(() => {
        const cells = [...document.querySelectorAll("#matrix .correct, #matrix .incorrect")];
        return cells.map((cell) => [Number(cell.nextSibling.textContent), Number(cell.getAttribute("fill-opacity"))]);
    })()""")
    cells.sort()
    assert cells[0][0] < cells[-1][0] == 50
    for (count, shade), (more, darker) in zip(cells, cells[1:], strict=False):
        assert (shade < darker) == (count < more)
