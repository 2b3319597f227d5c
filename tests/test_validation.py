"""Parsing and type checks of option values, and messages about unknown names."""

import numpy as np
import pytest
from helpers import check_message

from zoo.errors import UserError, unknown_name_error
from zoo.utils.validation import parse_assignments, check_type, parse_value


def check_refused(parts, function, *arguments):
    with pytest.raises(UserError) as error:
        function(*arguments)
    check_message(error.value, *parts.split())


@pytest.mark.parametrize("text, default, value", [
    ("true", False, True), ("True", False, True), ("yes", False, True), ("1", False, True),
    ("false", True, False), ("NO", True, False), ("0", True, False),
    ("32", 1, 32), ("-3", 1, -3),
    ("0.5", 1.0, 0.5), ("1e-4", 1.0, 1e-4), ("3", 1.0, 3.0),
    ("adam", "sgd", "adam"), ("3", "sgd", "3"), ("", "sgd", ""),
])
def test_parse_value(text, default, value):
    parsed = parse_value("--set x", text, default)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize("text, default, parts", [
    ("maybe", True, "--set x true false 'maybe'"),
    ("", True, "--set x true false ''"),
    ("2", True, "--set x true false '2'"),
    ("1.5", 1, "--set x '1.5'"),
    ("1e3", 1, "--set x '1e3'"),
    ("", 1, "--set x ''"),
    ("nan", 1, "--set x 'nan'"),
    ("fast", 1.0, "--set x 'fast'"),
    ("nan", 1.0, "--set x 'nan'"),
    ("inf", 1.0, "--set x 'inf'"),
    ("1e999", 1.0, "--set x '1e999'"),
])
def test_parse_value_refuses(text, default, parts):
    check_refused(parts, parse_value, "--set x", text, default)


def test_a_whole_number_too_large_for_a_float():
    assert parse_value("--set x", "1" + 400 * "0", 1) == 10**400


@pytest.mark.parametrize("value, default, expected", [
    (True, False, True), (3, 1, 3), (3, 1.0, 3.0), ("a", "b", "a"), (np.True_, False, True), (np.int64(3), 1, 3),
    (np.int32(3), 1.0, 3.0), (np.float32(0.5), 1.0, 0.5), (np.str_("a"), "b", "a")])
def test_check_type(value, default, expected):
    checked = check_type("x", value, default)
    assert checked == expected
    assert type(checked) is type(default)


@pytest.mark.parametrize("value, default, parts", [
    (1, True, "x bool 1"),
    (True, 1, "x int True"),
    (True, 1.0, "x float True"),
    (1.0, 1, "x int 1.0"),
    (None, "a", "x str None"),
    (np.True_, 1, "x int True"),
    (np.float64(1), 1, "x int 1.0"),
])
def test_check_type_refuses(value, default, parts):
    check_refused(parts, check_type, "x", value, default)


DEFAULTS = {"dropout": 0.5, "batch_norm": False, "label": ""}


def test_parse_assignments():
    assert parse_assignments("--model-option", [], DEFAULTS) == {}
    pairs = ["batch_norm=true", "dropout=0", "label=a=b"]
    assert parse_assignments("--model-option", pairs, DEFAULTS) == {"batch_norm": True, "dropout": 0.0, "label": "a=b"}


@pytest.mark.parametrize("pairs, parts", [
    (["dropout"], "--model-option NAME=VALUE 'dropout'"),
    (["dropuot=0.1"], "--model-option 'dropuot' batch_norm dropout label"),
    (["=1"], "--model-option '' batch_norm dropout label"),
    (["dropout=0.1", "dropout=0.2"], "--model-option dropout"),
    (["dropout=high"], "--model-option dropout 'high'"),
])
def test_parse_assignments_refuses(pairs, parts):
    check_refused(parts, parse_assignments, "--model-option", pairs, DEFAULTS)


def test_an_unknown_name():
    message = str(unknown_name_error("network", "resnet43", ["vgg16", "alexnet", "resnet34"]))
    check_message(message, "network", "'resnet43'", "alexnet", "resnet34", "vgg16")
    check_message(message[:message.index("alexnet")], "resnet34")  # the nearest, before all of them
    message = str(unknown_name_error("network", "y", ["vgg16", "alexnet", "resnet34"]))
    assert message.count("resnet34") == message.count("vgg16") == message.count("alexnet") == 1  # none is near
    check_message(unknown_name_error("option", "x", []), "option", "'x'")
