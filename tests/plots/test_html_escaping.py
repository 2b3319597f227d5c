"""Every page: untrusted text adds no element to it, and its HTML is in templates."""

import ast
import configparser
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import hostile
import jinja2
import numpy as np
import pytest
from fake_results import history_of, images_of, predictions_of
from helpers import check_text
from matplotlib.textpath import text_to_path

from zoo.diagrams.html import read_asset, render_template
from zoo.diagrams.page import render_diagram_page
from zoo.plots.font_metrics import get_font_properties
from zoo.reports import evaluation_section
from zoo.reports.comparison import render_comparison_page
from zoo.reports.run import render_run_page
from zoo.runs.comparison import group_seed_runs
from zoo.runs.comparison_table import RunSummary, build_comparison_table

ROOT = Path(__file__).resolve().parents[2]
UNTRUSTED = ("<script>alert(1)</script>", '"onmouseover="alert(1)', "'onfocus='alert(1)", "{{7*7}}", "{% raw %}",
            "a\u202eb", "c\x1bd", "e\nf\tg", "<!--", "&lt;b&gt;", "]]>", "\u2067h")


class Page(HTMLParser):
    """Parses the tags of a page with their attribute names, its texts, and the data of its script."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.data, self._script = [], [], None, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, sorted(name for name, _ in attrs)))
        self.texts += [value or "" for _, value in attrs]
        self._script = dict(attrs).get("type", "code") if tag == "script" else "style" if tag == "style" else None

    def handle_endtag(self, tag):
        self._script = None

    def handle_data(self, data):
        if self._script == "application/json":
            self.data = json.loads(data)
        elif self._script is None:
            self.texts.append(data)

    def handle_comment(self, data):
        self.tags.append(("comment", []))


def strings(data):
    """Return every string in JSON data."""
    if isinstance(data, (dict, list)):
        return [text for value in (data.values() if isinstance(data, dict) else data) for text in strings(value)]
    return [data] if isinstance(data, str) else []


def make_config(names, texts):
    return {"model": texts[0], "dataset": {"name": texts[1], "title": texts[2], "class_names": list(names)},
            "recipe": {"epochs": texts[3], texts[4]: texts[5]}, "seed": texts[6], "command": texts[7],
            "model_config": {"name": texts[8]}, texts[9]: [texts[10], texts[11]]}


def make_report(texts):
    labels, probabilities = predictions_of(len(texts), 240, 24)
    errors = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    history = history_of(3) | {f"aux{texts[0]}_loss": np.arange(3.0)}
    result = {"test_accuracy_best": 0.9, "test_accuracy_last": 0.9, "best_epoch": 2}
    return render_run_page(make_config(texts, texts), history, result, (labels, probabilities),
                           (images_of(len(errors)), errors), b"<svg/>")


def make_comparison(texts):
    result = {"test_accuracy_best": 0.9, "test_accuracy_last": 0.9, "best_epoch": 2}
    runs = [RunSummary(name, make_config(texts, texts) | {"seed": seed}, history_of(3), result)
            for seed, name in enumerate(texts)]
    return render_comparison_page(runs, build_comparison_table(runs), group_seed_runs(runs))


def make_diagram(texts):
    return render_diagram_page(hostile.make_summary(), hostile.make_module_graph(), texts[0] + texts[3] + texts[5],
                               texts[1])


@pytest.mark.parametrize("make", [make_report, make_comparison, make_diagram])
def test_untrusted_text_is_shown_and_not_executed(make):
    harmless = [f"{chr(97 + index)}{'x' * len(untrusted)}" for index, untrusted in enumerate(UNTRUSTED)]
    page, reference = Page(make(UNTRUSTED)), Page(make(harmless))
    assert page.tags == reference.tags
    assert not [name for _, names in page.tags for name in names if name.startswith("on")]
    text_content = "\n".join([*page.texts, *strings(page.data)])
    for untrusted in ("<script>alert(1)</script>", '"onmouseover="alert(1)', "{{7*7}}", r"a\u202eb"):
        assert untrusted in text_content
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text_content)


@pytest.mark.parametrize("make", [make_report, make_comparison, make_diagram])
def test_the_page_fits_400_pixels(make, browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(make(UNTRUSTED), encoding="utf-8")
    browser.call("Emulation.setDeviceMetricsOverride", width=400, height=740, deviceScaleFactor=1, mobile=True)
    try:
        browser.open(path.as_uri())
        assert browser.value("document.documentElement.scrollWidth") <= 400 and browser.errors == []
    finally:
        browser.call("Emulation.setDeviceMetricsOverride", width=1400, height=900, deviceScaleFactor=1, mobile=False)


class Layout(HTMLParser):
    """Parses the tables and images of a page outside elements with class "scroll", by their CSS class."""

    VOID = ("meta", "img", "input", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.unboxed, self.viewport, self.styles = [], [], "", ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "meta" and attrs.get("name") == "viewport":
            self.viewport = attrs["content"]
        if tag in ("table", "img") and not any("scroll" in classes for _, classes in self.open):
            self.unboxed.append(attrs.get("class") or attrs.get("id") or tag)
        if tag not in self.VOID:
            self.open.append((tag, (attrs.get("class") or "").split()))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open and self.open[-1][0] == "style":
            self.styles += data


def make_inspection(texts):
    sheet = {"name": texts[0], "description": texts[1], "sheet": "data:,", "columns": 1, "rows": 1, "aspect_ratio": 1}
    return render_template(
        "zoo.reports", "inspection.html", title=texts[0], note=texts[1], is_random=False, source=texts[2],
        image="data:,", width=448, height=448, prediction=[(name, 0.1) for name in texts], kinds={texts[3]: [(0, "a")]},
        missing=[(texts[4], texts[5])], layers=list(texts), filters={**sheet, "count": 1}, data={},
        style=read_asset("zoo.reports", "inspection.css"), script=read_asset("zoo.reports", "inspection.js"))


@pytest.mark.parametrize("make, fitted", [(make_report, set()), (make_comparison, set()), (make_diagram, set()),
                                          (make_inspection, {"bars", "image", "overlay"})])
def test_nothing_of_a_page_is_wider_than_400_pixels(make, fitted):
    """Tables and images are in scrolling boxes, or are as wide as the page: those are `fitted`."""
    page = Layout(make(UNTRUSTED))
    assert "width=device-width" in page.viewport
    assert set(page.unboxed) == fitted
    for name in fitted - {"bars"}:
        assert re.search(r"#stack img \{[^}]*width: 100%", page.styles), name
    assert "bars" not in fitted or re.search(r"\.bars \{[^}]*width: 100%", page.styles)
    if make in (make_report, make_comparison):
        assert re.search(r"\.scroll \{ overflow-x: auto", page.styles)
    rules = re.sub(r"/\*.*?\*/|max-width: \d+px|min\([^()]*\)", "", page.styles, flags=re.DOTALL)
    widths = re.findall(r"(?:width|flex-basis|flex|grid-template-columns|minmax\()[^;{}]*?(\d+)px", rules)
    assert widths and max(map(int, widths)) <= 368  # 400 less the margins of the page


def test_the_matrix_scrolls_in_its_box():
    assert re.search(r'<div class="scroll"><svg id="matrix"', make_report(UNTRUSTED))


def test_one_color_scale_for_correct_predictions_and_errors():
    labels = np.array([0] * 100 + [1] * 16 + [2])
    predicted = np.array([0] * 100 + [0] * 16 + [2])
    data = evaluation_section.get_matrix_data(["a", "b", "c"], labels, np.eye(3)[predicted])
    assert data["cells"] == [[0, 0, 100, 0.6], [1, 0, 16, 0.3], [2, 2, 1, 0.15]]  # 0.1 + 0.5 sqrt(count / 100)
    page = render_run_page({"model": "a", "dataset": {"name": "b", "class_names": ["a", "b", "c"]}},
                           predictions=(labels, np.eye(3, dtype=np.float32)[predicted]))
    legend = re.search(r'<ul class="key color-scale">(.*?)</ul>', page, re.DOTALL)[1]
    scales = [re.findall(rf'<rect class="{name}"[^>]*fill-opacity="([^"]*)"', legend)
              for name in ("correct", "incorrect")]
    assert scales[0] == scales[1] and (scales[0][0], scales[0][-1]) == ("0.1", "0.6")
    check_text(re.sub("<[^>]*>", " ", legend), "1", "100", "correct", "incorrect")


def test_a_value_that_a_template_lacks_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        render_template("zoo.diagrams", "diagram.html", title="a", subtitle="b", legend={})


def test_html_is_only_in_templates_with_escaping():
    html = re.compile(r"</?(html|head|body|header|section|div|p|span|table|t[hdr]|h\d|ul|li|button|img|a|i|b|script"
                      r"|style)[ >]", re.IGNORECASE)
    violations, files = [], [path for package in ("reports", "diagrams")
                             for path in (ROOT / "zoo" / package).rglob("*.py")]
    for path in files:
        tree = ast.parse(path.read_text("utf-8"))
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        violations += [f"{path.name}:{node.lineno}" for node in ast.walk(tree) if isinstance(node, ast.Constant)
                       and isinstance(node.value, str) and id(node) not in docs and html.search(node.value)]
    assert len(files) > 10 and violations == []
    templates = [path.read_text("utf-8") for path in (ROOT / "zoo").rglob("templates/*.html")]
    assert len(templates) > 5 and not re.search(r"\|\s*safe|autoescape", "".join(templates))


def test_templates_and_assets_are_in_the_package():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    for package in ("reports", "diagrams"):
        folder = ROOT / "zoo" / package
        packed = {path for pattern in setup["options.package_data"][f"zoo.{package}"].split(",")
                  for path in folder.glob(pattern.strip())}
        assert packed == {path for path in folder.rglob("*") if path.suffix in (".html", ".css", ".js")} != set()


def test_help_loads_no_templates():
    code = ("import sys\nfrom zoo.cli import compare, diagram, report, visualize\n"
            "for command in (compare, diagram, report, visualize):\n"
            "    try:\n        command.main(['--help'])\n    except SystemExit:\n        pass\n"
            "print('jinja2' in sys.modules, file=sys.stderr)")
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert process.stderr == "False\n" and process.stdout.count("usage:") == 4


# -------------------------------------------------------------------------------------------------- the test split

def test_precision_recall_and_f1_of_each_class():
    """Four cats, one of them predicted as a dog; two dogs, one of them predicted as a cat, and no fox."""
    labels, predicted = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 0])
    run_config = {"model": "lenet5", "dataset": {"name": "pets", "class_names": ["cat", "dog", "red_fox"]}}
    text = render_run_page(run_config, predictions=(labels, np.eye(3, dtype=np.float32)[predicted]))
    table = re.search(r'<table class="classes">(.*?)</table>', text, re.DOTALL)[1]
    rows = [re.findall(r"<t[hd][^>]*>(?:<meter[^>]*></meter><span[^>]*>)?([^<]*)", row)
            for row in table.split("<tr>")[1:]]
    assert rows[1:4] == [["cat", "4", "75.00%", "75.00%", "75.00%"], ["dog", "2", "50.00%", "50.00%", "50.00%"],
                         ["red fox", "0", "none", "none", "none"]]
    assert len(rows) == 5 and rows[4][1:] == ["6", "62.50%", "62.50%", "62.50%"]  # macro


def test_the_most_confident_errors_come_first():
    labels = np.zeros(5, int)
    probabilities = np.array([[0.4, 0.6], [0.9, 0.1], [0.05, 0.95], [0.2, 0.8], [0.3, 0.7]])
    examples = np.zeros((4, 8, 8, 1), np.uint8), np.array([0, 1, 3, 2])  # positions among the four
    data = evaluation_section.get_evaluation_data(["a", "b"], labels, probabilities, examples)
    assert data["most_confident_errors"] == [3, 2, 0]


LONG = [f"a class with a rather long name {number}" for number in range(10)] + [
    "W" * 40, "golden_retriever", "c", "Staffordshire bullterrier", *map(str, range(6))]


def test_names_beside_the_matrix_fit():
    labels = np.arange(20)
    data = evaluation_section.get_matrix_data(LONG, labels, np.eye(20))
    assert len(data["name_lines"]) == 20 and data["name_lines"][11] == ["golden retriever"]
    widths = [text_to_path.get_text_width_height_descent(line, get_font_properties(11), ismath=False)[0]
              for lines in data["name_lines"] for line in lines]
    assert max(widths) <= data["name_width"] <= 110
    assert {len(lines) for lines in data["name_lines"]} == {1, 2}  # of 12 units each, in a cell of 28
    assert evaluation_section.get_matrix_data([*LONG, "b"], labels, np.eye(21)[:20])["name_lines"] == []
