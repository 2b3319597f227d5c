"""zoo summary: its output, and what it refuses before a backend is loaded."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import check_message, check_text

import zoo
from zoo import registry
from zoo.cli import common, diagram, summary
from zoo.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
# Runs the command with each list of arguments, and prints its status and the modules loaded by then
SEVERAL = """
import json, sys
from zoo.cli.summary import main
for arguments in json.loads(sys.argv[1]):
    status = main(arguments)
    print("status", status, *sorted({"keras", "tensorflow", "jax", "torch", "numpy"} & set(sys.modules)), end="\\f")
"""


def run_summary(*command_lines, columns="80"):
    """Return [(lines of stdout, [status, *loaded modules]) for each command line], and the lines of stderr."""
    process = subprocess.run([sys.executable, "-c", SEVERAL, json.dumps([line.split() for line in command_lines])],
                             capture_output=True, text=True, env={**make_environment(), "COLUMNS": columns},
                             timeout=300)
    assert process.returncode == 0, process.stderr
    outputs_text = [text.split("\n") for text in process.stdout.split("\f")[:-1]]
    return [(lines[:-1], lines[-1].split()[1:]) for lines in outputs_text], process.stderr.splitlines()


def make_environment():
    variables = {key: value for key, value in os.environ.items()
                 if key not in ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND")}
    return {**variables, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def outputs():
    """Return {command line: lines of output}."""
    command_lines = ("resnet34 --image-size 32 --classes 10", "googlenet --aux", "lenet5_1998",
                     "alexnet --model-option groups=1 --json", "alexnet --batch-size 7 --memory-limit 0.5",
                     "vgg16 --image-size 96x80 --channels 1 --width 0.5 --model-option batch_norm=true")
    lines = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        for command_line in command_lines:
            with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
                assert summary.main(command_line.split()) == 0
            assert err.getvalue() == ""
            lines[command_line] = out.getvalue().splitlines()
    return lines


def paragraphs(lines):
    """Return the paragraphs, which empty lines separate, as lists of lines."""
    return [part.split("\n") for part in "\n".join(lines).strip().split("\n\n")]


def parse_rows(lines):
    """Return the rows above the table, {label: text}; continued lines have no label."""
    rows, label = {}, ""
    for line in paragraphs(lines)[1]:
        label = line.split()[0] if line[0] != " " else label
        rows[label] = rows.get(label, "") + line.removeprefix(label) + " "
    return {label: " ".join(text.split()) for label, text in rows.items()}


def test_the_output(outputs):
    lines = outputs["resnet34 --image-size 32 --classes 10"]
    assert lines[0].startswith("resnet34: ")
    rows = parse_rows(lines)
    assert rows["paper"] == ("He, Zhang, Ren, Sun 2016, 'Identity Mappings in Deep Residual Networks', "
                             "https://arxiv.org/abs/1603.05027")
    check_text(rows["input"], "32x32x3", "16")
    assert rows["classes"] == "10"
    check_text(rows["stem"], "small", "auto", "97")
    table = paragraphs(lines)[2]
    assert len({len(line) for line in table if line.split()[0] in ("fc", "conv1")}) == 1  # the columns are aligned
    assert [line.split() for line in table[1:-2]] == [line.split() for line in """\
conv1        32x32x64       3       1       1,728      1,769,472   0.2%
conv2        32x32x64      15       1     222,720    226,492,416  19.5%  ####
conv3        16x16x128     45       2   1,117,952    285,212,672  24.6%  #####
conv4        8x8x256      137       4   6,827,520    436,207,616  37.6%  #######
conv5        4x4x512      225       8  13,120,512    209,715,200  18.1%  ###
pool5        512          all                   -              -
fc           10           all               5,130          5,120  <0.1%
predictions  10           all                   -              -""".split("\n")]
    assert table[-2].split()[-2:] == ["21,295,562", "1,159,402,496"]
    check_text(table[-1], "21,280,330")


def test_the_memory(outputs):
    def find_numbers(part):
        return re.findall(r"\d[\d,.]*", " ".join(part))

    memory = zoo.describe("resnet34", (32, 32, 3), 10)["memory"]
    values = find_numbers(paragraphs(outputs["resnet34 --image-size 32 --classes 10"])[3])
    estimates = (memory["training"]["sgd"], memory["training"]["adam"], memory["inference"])
    for index, estimate in enumerate(estimates):
        mebibytes, largest = f"{-(-estimate['bytes'] // 2**20):,}", f"{estimate['max_batch_size']:,}"
        assert sorted(values[4 * index:4 * index + 4]) == sorted([mebibytes, "128", largest, "8"])
    assert len(values) == 4 * len(estimates)
    lines = outputs["alexnet --batch-size 7 --memory-limit 0.5"]
    values = find_numbers(paragraphs(lines)[3])
    for index in range(3):  # MiB, batch size and limit: no batch fits
        assert {"7", "0.5"} < {*values[3 * index:3 * index + 3]}
    assert len(values) == 3 * 3
    assert "pool5 6x6x256 195 32 - -".split() in [line.split() for line in lines]


def test_nothing_is_wider_than_the_terminal(outputs):
    for line, lines in outputs.items():
        assert "--json" in line or max(map(len, lines)) <= 80
        assert not any(text != text.rstrip() for text in lines)


def test_auxiliary_classifiers(outputs):
    text = "\n".join(outputs["googlenet --aux"])
    (row,) = [row for row in parse_rows(outputs["googlenet --aux"]).values() if "aux1" in row]
    check_text(row, "aux1", "aux2")
    assert row.count("0.3") == 2
    assert re.search(r"\n\w+ +13,378,280 +1,591,044,096\n", text)
    assert text.index("\nfc ") < text.index("\naux1 ") < text.index("\naux2 ")


def test_the_options(outputs):
    text = "\n".join(outputs["vgg16 --image-size 96x80 --channels 1 --width 0.5 --model-option batch_norm=true"])
    rows = parse_rows(outputs["vgg16 --image-size 96x80 --channels 1 --width 0.5 --model-option batch_norm=true"])
    check_text(rows["input"], "96x80x1", "16")
    check_text(rows["options"], "batch_norm=true", "false", "dropout=0.5", "0", "1")
    check_text(rows["width"], "0.5")
    assert "stem" not in rows
    assert re.search(r"\nconv1 +96x80x32 ", text)


def test_limits_of_sizes_and_classes(outputs):
    rows = parse_rows(outputs["lenet5_1998"])
    check_text(rows["input"], "32x32x1", "28")
    assert rows["input"].count("32") == 3
    assert rows["classes"].count("10") == 2  # the number of classes, and its maximum
    assert any(line.startswith("60,000 ") for line in outputs["lenet5_1998"])


def test_differences_from_the_paper_and_other_implementations(outputs):
    paper_differences, implementation_differences = (" ".join(part)
                                                     for part in paragraphs(outputs["googlenet --aux"])[-2:])
    description = zoo.describe("googlenet")
    assert paper_differences.partition(": ")[2] == description["paper_differences"]
    assert implementation_differences.partition(": ")[2] == description["implementation_differences"]


def test_json_is_what_describe_gives(outputs):
    assert json.loads("\n".join(outputs["alexnet --model-option groups=1 --json"])) == zoo.describe("alexnet", groups=1)


def test_a_narrow_and_a_wide_terminal():
    description = zoo.describe("inception_v3")
    longest = {columns: max(map(len, summary.format_description(description, columns)))
               for columns in (30, 80, 120, 300)}
    assert longest[30] <= longest[80] <= 80  # neither rows of the table nor links are wrapped
    assert longest[120] <= summary.MAX_TEXT_WIDTH and longest[300] <= summary.MAX_TEXT_WIDTH


def test_tables_in_text_are_not_wrapped():
    assert summary.wrap_paragraphs("one two three four\n\n  a   b\n  c   d\n\nfive", 9) == [
        "one two", "three", "four", "", "  a   b", "  c   d", "", "five"]


INVALID_ARGUMENTS = [
    ("", ("lenet5", "lenet5_1998", "python -m zoo summary --help")),
    ("resnet43", ("'resnet43'", "'resnet44'")),
    ("vgg16 vgg19", ("'vgg19'",)),
    ("vgg16 --image-size 12", ("vgg16", "16", "12x12")),
    ("vgg16 --image-size small", ("--image-size", "HEIGHTxWIDTH", "'small'")),
    ("vgg16 --image-size 32x32x3", ("--image-size", "HEIGHTxWIDTH", "'32x32x3'")),
    ("vgg16 --channels 0", ("--channels", "1", "'0'")),
    ("vgg16 --classes 1", ("--classes", "2", "'1'")),
    ("lenet5_1998 --classes 11", ("lenet5_1998", "10", "11")),
    ("vgg16 --width 0", ("width", "0.0")),
    ("vgg16 --width x", ("--width", "'x'")),
    ("vgg16 --stem small", ("vgg16", "stem", "small", "'auto'", "'paper'")),
    ("vgg16 --aux", ("vgg16", "--aux", "googlenet", "inception_v3")),
    ("vgg16 --model-option dropout", ("--model-option", "NAME=VALUE", "'dropout'")),
    ("vgg16 --model-option batchnorm=true", ("'batchnorm'", "'batch_norm'")),
    ("alexnet --model-option groups=3", ("alexnet", "groups", "1", "2", "3")),
    ("vgg16 --batch-size 0", ("--batch-size", "1", "'0'")),
    ("vgg16 --memory-limit 0", ("memory_limit_gib", "GiB", "0.0")),
    ("vgg16 --memory-limit 8GiB", ("--memory-limit", "'8GiB'")),
    ("vgg16 --jsn", ("'--jsn'", "--json")),
]


def test_invalid_arguments_get_one_line_before_anything_is_loaded():
    results, errors = run_summary(*(arguments for arguments, _ in INVALID_ARGUMENTS))
    assert results == [([], ["2"])] * len(INVALID_ARGUMENTS)
    assert len(errors) == len(INVALID_ARGUMENTS)
    for error, (_, pins) in zip(errors, INVALID_ARGUMENTS, strict=True):
        assert error.startswith("error: ")
        check_text(error, *pins)


@pytest.mark.parametrize("command", [summary, diagram])
def test_a_run_is_told_where_its_drawings_are(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "run.json").write_text("{}")
    assert command.main(["mine"]) == 2
    check_message(capsys.readouterr().err, "mine", "architecture.svg", "zoo.load('mine')")


def test_an_unknown_backend(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorfow")
    with contextlib.redirect_stderr(io.StringIO()) as error:
        assert summary.main(["lenet5"]) == 2
    check_text(error.getvalue(), "'tensorfow'", "'tensorflow'")
    assert error.getvalue().count("\n") == 1


def test_the_values_of_every_option_are_described():
    for name, spec in registry.MODELS.items():
        metadata = registry.get_model_metadata(spec)
        for option, default in spec.options.items():
            assert summary.format_allowed_values(metadata, option, default)
            text = f"{option}={summary.format_option(default)}"
            arguments = summary.build_parser().parse_args([name, "--model-option", text])
            assert common.parse_model_config(name, arguments).options[option] == default


def test_the_default_model_config_is_the_papers():
    for name in registry.MODELS:
        arguments = summary.build_parser().parse_args([name])
        assert common.parse_model_config(name, arguments) == registry.resolve_model_config(name)
    with pytest.raises(UserError):
        common.parse_model_config("lenet5", summary.build_parser().parse_args(["--image-size", "0"]))
