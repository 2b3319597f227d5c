"""zoo info as people run it: in processes of their own."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from zoo import registry
from zoo.cli import common, info
from zoo.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
# Runs the command with each list of arguments, and says what it had loaded before it was asked
SEVERAL = """
import json, sys
from zoo.cli.info import main
for arguments in json.loads(sys.argv[1]):
    status = main(arguments)
    print("status", status, *sorted({"keras", "tensorflow", "jax", "torch", "numpy"} & set(sys.modules)), end="\\f")
"""


def asked(*several, columns="80"):
    """Return (lines of stdout, status and what is loaded after it) for each command line, and stderr's lines."""
    done = subprocess.run([sys.executable, "-c", SEVERAL, json.dumps([line.split() for line in several])],
                          capture_output=True, text=True, env={**environment(), "COLUMNS": columns}, timeout=300)
    assert done.returncode == 0, done.stderr
    said = [each.split("\n") for each in done.stdout.split("\f")[:-1]]
    return [(lines[:-1], lines[-1].split()[1:]) for lines in said], done.stderr.splitlines()


def environment():
    kept = {key: value for key, value in os.environ.items() if key not in ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND")}
    return {**kept, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def shown():
    """{command line: what it prints}: several, so that the backend loads once."""
    several = ("resnet34 --size 32 --classes 10", "googlenet --aux", "lenet5_1998", "alexnet --option groups=1 --json",
               "alexnet --batch 7 --memory 0.5",
               "vgg16 --size 96x80 --channels 1 --width 0.5 --option batch_norm=true")
    said, errors = asked(*several)
    assert errors == [] and all(rest[0] == "0" for _, rest in said)
    return {line: lines for line, (lines, _) in zip(several, said, strict=True)}


def test_what_is_shown(shown):
    assert shown["resnet34 --size 32 --classes 10"][:18] == """\
resnet34: ResNet-18 and ResNet-34 with pre-activation.

paper     He, Zhang, Ren, Sun 2016, 'Identity Mappings in Deep Residual
          Networks', https://arxiv.org/abs/1603.05027
input     32x32x3; sides of 16 pixels and more
classes   10
stem      small; auto is small where a side is under 97 pixels

stage        output     field  stride  parameters  multiply-adds  share
conv1        32x32x64       3       1       1,728      1,769,472   0.2%
conv2        32x32x64      15       1     222,720    226,492,416  19.5%  ####
conv3        16x16x128     45       2   1,117,952    285,212,672  24.6%  #####
conv4        8x8x256      137       4   6,827,520    436,207,616  37.6%  #######
conv5        4x4x512      225       8  13,120,512    209,715,200  18.1%  ###
pool5        512          all                   -              -
fc           10           all               5,130          5,120  <0.1%
predictions  10           all                   -              -
total                                  21,295,562  1,159,402,496""".split("\n")
    assert shown["resnet34 --size 32 --classes 10"][18] == "21,280,330 of the parameters are trainable"


def test_the_memory(shown):
    text = "\n".join(shown["resnet34 --size 32 --classes 10"])
    memory = zoo.describe("resnet34", (32, 32, 3), 10)["memory"]
    told = {name: f"about {-(-each['bytes'] // 2**20):,} MiB for batch 128; "
                  f"batch {each['largest_batch']:,} fits in 8 GiB"
            for name, each in (("training", memory["training"]["sgd"]), ("with Adam", memory["training"]["adam"]),
                               ("inference", memory["inference"]))}
    assert f"\n\nmemory    training: {told['training']}\n          with Adam: {told['with Adam']}\n" in text
    assert f"\n          inference: {told['inference']}\n" in text
    text = "\n".join(shown["alexnet --batch 7 --memory 0.5"])
    assert "MiB for batch 7; no batch fits in 0.5 GiB\n" in text
    assert re.search(r"\npool5 +6x6x256 +195 +32 +- +-\n", text)


def test_nothing_is_wider_than_the_terminal(shown):
    for line, lines in shown.items():
        assert "--json" in line or max(map(len, lines)) <= 80
        assert not any(each != each.rstrip() for each in lines)


def test_the_side_classifiers(shown):
    text = "\n".join(shown["googlenet --aux"])
    assert "sides     side classifiers, for training: aux1, whose loss counts 0.3, and aux2," in text
    assert "counted here" in text
    assert re.search(r"\ntotal +13,378,280  1,591,044,096\n", text)
    assert text.index("\nfc ") < text.index("\naux1 ") < text.index("\naux2 ")


def test_the_options(shown):
    text = "\n".join(shown["vgg16 --size 96x80 --channels 1 --width 0.5 --option batch_norm=true"])
    assert "input     96x80x1; sides of 16 pixels and more\n" in text
    assert "options   batch_norm=true; true or false, default false\n          dropout=0.5; 0 or more and " in text
    assert "width     0.5 times the paper's\n" in text
    assert "\nconv1        96x80x32" in text
    assert "\nstem " not in text


def test_limits(shown):
    text = "\n".join(shown["lenet5_1998"])
    assert "input     32x32x1; sides of 28 to 32 pixels\nclasses   10; 10 at most\n" in text
    assert "60,000 of the parameters are trainable" in text


def test_the_prose(shown):
    lines = shown["googlenet --aux"]
    (start,) = (number for number, line in enumerate(lines) if line.startswith("Departures from the paper: "))
    departures, elsewhere = " ".join(lines[start:]).split("  ")
    told = zoo.describe("googlenet")
    assert departures == f"Departures from the paper: {told['departures']}"
    assert elsewhere == f"Elsewhere: {told['elsewhere']}"


def test_json_is_what_describe_gives(shown):
    assert json.loads("\n".join(shown["alexnet --option groups=1 --json"])) == zoo.describe("alexnet", groups=1)


def test_a_narrow_and_a_wide_terminal():
    told = zoo.describe("inception_v3")
    longest = {columns: max(map(len, info.lines(told, columns))) for columns in (30, 80, 120, 300)}
    assert longest[30] <= longest[80] <= 80  # neither a row of the table is broken nor a link
    assert longest[120] <= info.WIDEST and longest[300] <= info.WIDEST


def test_tables_in_prose_stay_as_they_are():
    assert info.wrapped("one two three four\n\n  a   b\n  c   d\n\nfive", 9) == [
        "one two", "three", "four", "", "  a   b", "  c   d", "", "five"]


MISTAKES = [
    ("", "which network? one of lenet5, lenet5_1998"),
    ("resnet43", "no network is called 'resnet43'; did you mean 'resnet34'?"),
    ("vgg16 vgg19", "'vgg19'"),
    ("vgg16 --size 12", "vgg16 takes pictures with sides of 16 pixels and more; given 12x12"),
    ("vgg16 --size small", "--size is a side in pixels, or HEIGHTxWIDTH, such as 32 or 96x80; given 'small'"),
    ("vgg16 --size 32x32x3", "--size is a side in pixels"),
    ("vgg16 --channels 0", "--channels is a whole number of 1 or more; given '0'"),
    ("vgg16 --classes 1", "--classes is a whole number of 2 or more; given '1'"),
    ("lenet5_1998 --classes 11", "codes for 10 classes"),
    ("vgg16 --width 0", "width is a number above 0"),
    ("vgg16 --width x", "--width is a number; given 'x'"),
    ("vgg16 --stem small", "vgg16 has no small stem"),
    ("vgg16 --aux", "vgg16 has no side classifiers; --aux is for googlenet and inception_v3"),
    ("vgg16 --option dropout", "--option takes NAME=VALUE; given 'dropout'"),
    ("vgg16 --option batchnorm=true", "did you mean 'batch_norm'?"),
    ("alexnet --option groups=3", "alexnet's groups is one of 1, 2; given 3"),
    ("vgg16 --batch 0", "--batch is a whole number of 1 or more; given '0'"),
    ("vgg16 --memory 0", "memory is a number of GiB above 0, such as 8; given 0"),
    ("vgg16 --memory 8GiB", "--memory is a number; given '8GiB'"),
    ("vgg16 --jsn", "did you mean --json?"),
]


def test_mistakes_get_one_line_before_anything_is_loaded():
    said, errors = asked(*(words for words, _ in MISTAKES))
    assert said == [([], ["2"])] * len(MISTAKES)
    assert len(errors) == len(MISTAKES)
    for error, (_, words) in zip(errors, MISTAKES, strict=True):
        assert error.startswith("error: ") and words in error


def test_an_unknown_backend(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorfow")
    with contextlib.redirect_stderr(io.StringIO()) as error:
        assert info.main(["lenet5"]) == 2
    assert "did you mean 'tensorflow'?" in error.getvalue()


def test_every_option_has_words_for_its_values():
    for name, spec in registry.SPECS.items():
        told = registry.facts(spec)
        for option, default in spec.options.items():
            assert info.legal(told, option, default)
            text = f"{option}={info.written(default)}"
            arguments = info.parser().parse_args([name, "--option", text])
            assert common.blueprint_of(name, arguments).options[option] == default


def test_a_blueprint_is_the_papers_unless_asked():
    for name in registry.SPECS:
        assert common.blueprint_of(name, info.parser().parse_args([name])) == registry.blueprint(name)
    with pytest.raises(UserError):
        common.blueprint_of("lenet5", info.parser().parse_args(["--size", "0"]))
