"""zoo summary as people run it: in processes of their own."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import check_text

import zoo
from zoo import registry
from zoo.cli import common, summary
from zoo.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
# Runs the command with each list of arguments, and says what it had loaded before it was asked
SEVERAL = """
import json, sys
from zoo.cli.summary import main
for arguments in json.loads(sys.argv[1]):
    status = main(arguments)
    print("status", status, *sorted({"keras", "tensorflow", "jax", "torch", "numpy"} & set(sys.modules)), end="\\f")
"""


def asked(*several, columns="80"):
    """Return (lines of stdout, status and what is loaded after it) for each command line, and stderr's lines."""
    process = subprocess.run([sys.executable, "-c", SEVERAL, json.dumps([line.split() for line in several])],
                          capture_output=True, text=True, env={**environment(), "COLUMNS": columns}, timeout=300)
    assert process.returncode == 0, process.stderr
    said = [each.split("\n") for each in process.stdout.split("\f")[:-1]]
    return [(lines[:-1], lines[-1].split()[1:]) for lines in said], process.stderr.splitlines()


def environment():
    kept = {key: value for key, value in os.environ.items() if key not in ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND")}
    return {**kept, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def shown():
    """{command line: what it prints}: several, so that the backend loads once."""
    several = ("resnet34 --image-size 32 --classes 10", "googlenet --aux", "lenet5_1998", "alexnet --model-option groups=1 --json",
               "alexnet --batch-size 7 --memory-limit 0.5",
               "vgg16 --image-size 96x80 --channels 1 --width 0.5 --model-option batch_norm=true")
    said, errors = asked(*several)
    assert errors == [] and all(rest[0] == "0" for _, rest in said)
    return {line: lines for line, (lines, _) in zip(several, said, strict=True)}


def paragraphs(lines):
    """Return the parts between empty lines, each a list of lines."""
    return [part.split("\n") for part in "\n".join(lines).strip().split("\n\n")]


def facts(lines):
    """Return the rows above the table, {label: text}; what goes on has no label."""
    rows, label = {}, ""
    for line in paragraphs(lines)[1]:
        label = line.split()[0] if line[0] != " " else label
        rows[label] = rows.get(label, "") + line.removeprefix(label) + " "
    return {label: " ".join(text.split()) for label, text in rows.items()}


def test_what_is_shown(shown):
    lines = shown["resnet34 --image-size 32 --classes 10"]
    assert lines[0].startswith("resnet34: ")
    rows = facts(lines)
    assert rows["paper"] == ("He, Zhang, Ren, Sun 2016, 'Identity Mappings in Deep Residual Networks', "
                             "https://arxiv.org/abs/1603.05027")
    check_text(rows["input"], "32x32x3", "16")
    assert rows["classes"] == "10"
    check_text(rows["stem"], "small", "auto", "97")
    table = paragraphs(lines)[2]
    assert len({len(line) for line in table if line.split()[0] in ("fc", "conv1")}) == 1  # the columns are in line
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


def test_the_memory(shown):
    def numbers(part):
        return re.findall(r"\d[\d,.]*", " ".join(part))

    memory = zoo.describe("resnet34", (32, 32, 3), 10)["memory"]
    found = numbers(paragraphs(shown["resnet34 --image-size 32 --classes 10"])[3])
    estimates = (memory["training"]["sgd"], memory["training"]["adam"], memory["inference"])
    for place, each in enumerate(estimates):
        mebibytes, largest = f"{-(-each['bytes'] // 2**20):,}", f"{each['max_batch_size']:,}"
        assert sorted(found[4 * place:4 * place + 4]) == sorted([mebibytes, "128", largest, "8"])
    assert len(found) == 4 * len(estimates)
    lines = shown["alexnet --batch-size 7 --memory-limit 0.5"]
    found = numbers(paragraphs(lines)[3])
    for place in range(3):  # MiB, the batch and the limit: no batch fits
        assert {"7", "0.5"} < {*found[3 * place:3 * place + 3]}
    assert len(found) == 3 * 3
    assert "pool5 6x6x256 195 32 - -".split() in [line.split() for line in lines]


def test_nothing_is_wider_than_the_terminal(shown):
    for line, lines in shown.items():
        assert "--json" in line or max(map(len, lines)) <= 80
        assert not any(each != each.rstrip() for each in lines)


def test_the_side_classifiers(shown):
    text = "\n".join(shown["googlenet --aux"])
    (row,) = [row for row in facts(shown["googlenet --aux"]).values() if "aux1" in row]
    check_text(row, "aux1", "aux2")
    assert row.count("0.3") == 2
    assert re.search(r"\n\w+ +13,378,280 +1,591,044,096\n", text)
    assert text.index("\nfc ") < text.index("\naux1 ") < text.index("\naux2 ")


def test_the_options(shown):
    text = "\n".join(shown["vgg16 --image-size 96x80 --channels 1 --width 0.5 --model-option batch_norm=true"])
    rows = facts(shown["vgg16 --image-size 96x80 --channels 1 --width 0.5 --model-option batch_norm=true"])
    check_text(rows["input"], "96x80x1", "16")
    check_text(rows["options"], "batch_norm=true", "false", "dropout=0.5", "0", "1")
    check_text(rows["width"], "0.5")
    assert "stem" not in rows
    assert re.search(r"\nconv1 +96x80x32 ", text)


def test_limits(shown):
    rows = facts(shown["lenet5_1998"])
    check_text(rows["input"], "32x32x1", "28")
    assert rows["input"].count("32") == 3
    assert rows["classes"].count("10") == 2  # as many as there are, and the most that there can be
    assert any(line.startswith("60,000 ") for line in shown["lenet5_1998"])


def test_the_prose(shown):
    departures, elsewhere = (" ".join(part) for part in paragraphs(shown["googlenet --aux"])[-2:])
    description = zoo.describe("googlenet")
    assert departures.partition(": ")[2] == description["paper_differences"]
    assert elsewhere.partition(": ")[2] == description["implementation_differences"]


def test_json_is_what_describe_gives(shown):
    assert json.loads("\n".join(shown["alexnet --model-option groups=1 --json"])) == zoo.describe("alexnet", groups=1)


def test_a_narrow_and_a_wide_terminal():
    told = zoo.describe("inception_v3")
    longest = {columns: max(map(len, summary.format_description(told, columns))) for columns in (30, 80, 120, 300)}
    assert longest[30] <= longest[80] <= 80  # neither a row of the table is broken nor a link
    assert longest[120] <= summary.MAX_TEXT_WIDTH and longest[300] <= summary.MAX_TEXT_WIDTH


def test_tables_in_prose_stay_as_they_are():
    assert summary.wrap_paragraphs("one two three four\n\n  a   b\n  c   d\n\nfive", 9) == [
        "one two", "three", "four", "", "  a   b", "  c   d", "", "five"]


MISTAKES = [
    ("", ("lenet5", "lenet5_1998", "python -m zoo summary --help")),
    ("resnet43", ("'resnet43'", "'resnet34'")),
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


def test_mistakes_get_one_line_before_anything_is_loaded():
    said, errors = asked(*(arguments for arguments, _ in MISTAKES))
    assert said == [([], ["2"])] * len(MISTAKES)
    assert len(errors) == len(MISTAKES)
    for error, (_, pins) in zip(errors, MISTAKES, strict=True):
        assert error.startswith("error: ")
        check_text(error, *pins)


def test_an_unknown_backend(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorfow")
    with contextlib.redirect_stderr(io.StringIO()) as error:
        assert summary.main(["lenet5"]) == 2
    check_text(error.getvalue(), "'tensorfow'", "'tensorflow'")
    assert error.getvalue().count("\n") == 1


def test_every_option_has_words_for_its_values():
    for name, spec in registry.MODELS.items():
        told = registry.get_model_metadata(spec)
        for option, default in spec.options.items():
            assert summary.format_allowed_values(told, option, default)
            text = f"{option}={summary.format_option(default)}"
            arguments = summary.build_parser().parse_args([name, "--model-option", text])
            assert common.parse_model_config(name, arguments).options[option] == default


def test_a_model_config_is_the_papers_unless_asked():
    for name in registry.MODELS:
        assert common.parse_model_config(name,
                                         summary.build_parser().parse_args([name])) == registry.resolve_model_config(name)
    with pytest.raises(UserError):
        common.parse_model_config("lenet5", summary.build_parser().parse_args(["--image-size", "0"]))
