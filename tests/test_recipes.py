"""Recipes: which one a run takes, what the command line may change of it, and what is refused."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from zoo import catalog
from zoo.errors import UserError
from zoo.train import parser, recipe_of
from zoo.training.recipes import BASE, BY_NETWORK, BY_PAIR, Recipe, as_dict, described, find, norms, overridden

ROOT = Path(__file__).resolve().parents[1]


def asked(*words):
    return recipe_of(parser().parse_args(words))


def test_the_fields_and_their_defaults():
    assert as_dict(Recipe()) == {
        "optimizer": "nesterov", "learning_rate": 0.1, "momentum": 0.9, "schedule": "cosine", "warmup": 1.0,
        "weight_decay": 5e-4, "batch_size": 128, "epochs": 30, "loss": "cross_entropy", "smoothing": 0.0,
        "max_norm": ""}
    assert BASE == Recipe()


def test_every_network_with_a_recipe_is_in_the_catalogue():
    assert {*BY_NETWORK, *(network for network, _ in BY_PAIR)} <= {*catalog.SPECS}


@pytest.mark.parametrize("network", ["alexnet", "googlenet", "highway_mnist", "msra_a", "msra_b", "vgg16", "vgg19"])
def test_without_batch_normalisation_the_rate_is_a_tenth(network):
    assert find(network, "cifar10").learning_rate == 0.01


@pytest.mark.parametrize("recipe", [BASE, *BY_NETWORK.values(), *BY_PAIR.values()])
def test_what_is_listed_passes_the_check(recipe):
    assert overridden(recipe, {}) == recipe


def test_a_recipe_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        BASE.epochs = 1


@pytest.mark.parametrize("network, dataset, expected", [
    ("lenet5", "digits", {"learning_rate": 0.05, "batch_size": 32, "epochs": 15}),  # the pair's
    ("lenet5", "mnist", {"learning_rate": 0.05, "batch_size": 64, "epochs": 12}),  # the network's
    ("vgg16", "cifar10", {"optimizer": "nesterov", "learning_rate": 0.01, "weight_decay": 5e-4}),
    ("vgg19", "digits", {"optimizer": "nesterov", "learning_rate": 0.01}),
    ("resnet34", "cifar100", {"optimizer": "nesterov", "learning_rate": 0.1, "batch_size": 128, "epochs": 30}),
    ("inception_v3", "cifar10", {"learning_rate": 0.1, "smoothing": 0.1, "loss": "cross_entropy"}),
    ("lenet5_1998", "mnist", {"loss": "map_distance", "weight_decay": 0.0, "smoothing": 0.0, "max_norm": ""}),
    ("maxout", "cifar10", {"optimizer": "adam", "learning_rate": 1e-3, "weight_decay": 0.0, "max_norm": "1.9365 conv1=0.9 fc4=1.9"}),
    ("maxout_mnist", "mnist", {"optimizer": "adam", "learning_rate": 1e-3, "max_norm": "1.9365 conv1=0.9"}),
    ("nin", "cifar10", {"optimizer": "adam", "learning_rate": 1e-3}),
    ("highway", "cifar10", {"optimizer": "nesterov", "learning_rate": 0.025, "weight_decay": 1e-3}),
])
def test_the_recipe_of_a_pair(network, dataset, expected):
    recipe = as_dict(find(network, dataset))
    assert {field: recipe[field] for field in expected} == expected
    assert asked(network, "--dataset", dataset) == find(network, dataset)


@pytest.mark.parametrize("words, field, value", [
    (["--epochs", "3"], "epochs", 3),
    (["-b", "7"], "batch_size", 7),
    (["--batch-size", "7"], "batch_size", 7),
    (["--lr", "0.25"], "learning_rate", 0.25),
    (["--lr", "1"], "learning_rate", 1.0),
    (["--set", "learning_rate=0.25"], "learning_rate", 0.25),
    (["--set", "weight_decay=0"], "weight_decay", 0.0),
    (["--set", "optimizer=sgd"], "optimizer", "sgd"),
    (["--set", "schedule=constant"], "schedule", "constant"),
    (["--set", "warmup=0.5"], "warmup", 0.5),
    (["--set", "momentum=0"], "momentum", 0.0),
    (["--set", "smoothing=0.1"], "smoothing", 0.1),
    (["--set", "loss=map_distance"], "loss", "map_distance"),
    (["--set", "max_norm=2 fc=1"], "max_norm", "2 fc=1"),
])
def test_one_field_changes_and_no_other(words, field, value):
    recipe = asked("resnet34", *words)
    assert getattr(recipe, field) == value and type(getattr(recipe, field)) is type(value)
    assert recipe == dataclasses.replace(BASE, **{field: value}) != BASE


def test_several_fields_change_together():
    assert asked("resnet34", "--epochs", "2", "--set", "warmup=0", "--set", "optimizer=adam") == Recipe(
        epochs=2, warmup=0.0, optimizer="adam")


@pytest.mark.parametrize("words, said", [
    (["--lr", "1e39"], "learning_rate is more than 0, and at most 1,000,000; given 1e+39"),
    (["--lr", "1_0"], "--lr is a number; given '1_0'"),
    (["--epochs", "0"], "epochs is a whole number from 1 to 1,000,000; given 0"),
    (["--epochs", "-1"], "epochs is a whole number from 1 to 1,000,000; given -1"),
    (["--epochs", "1.5"], "--epochs is a whole number; given '1.5'"),
    (["--epochs", "ten"], "--epochs is a whole number; given 'ten'"),
    (["-b", "-5"], "batch_size is a whole number from 1 to 1,000,000; given -5"),
    (["-b", "0"], "batch_size is a whole number from 1 to 1,000,000; given 0"),
    (["--lr", "nan"], "--lr is a finite number; given 'nan'"),
    (["--lr", "inf"], "--lr is a finite number; given 'inf'"),
    (["--lr", "1e999"], "--lr is a finite number; given '1e999'"),
    (["--lr", "0"], "learning_rate is more than 0, and at most 1,000,000; given 0.0"),
    (["--lr", "-0.1"], "learning_rate is more than 0, and at most 1,000,000; given -0.1"),
    (["--lr", "fast"], "--lr is a number; given 'fast'"),
    (["--set", "momentum=1"], "momentum is 0 or more and less than 1; given 1.0"),
    (["--set", "momentum=-0.1"], "momentum is 0 or more and less than 1; given -0.1"),
    (["--set", "momentum=nan"], "--set momentum is a finite number; given 'nan'"),
    (["--set", "warmup=-1"], "warmup is 0 or more, and at most 1,000,000; given -1.0"),
    (["--set", "weight_decay=-1e-4"], "weight_decay is 0 or more, and at most 1,000,000; given -0.0001"),
    (["--set", "weight_decay=inf"], "--set weight_decay is a finite number; given 'inf'"),
    (["--set", "optimizer=adamw"], "optimizer is one of sgd, nesterov, adam; given 'adamw'"),
    (["--set", "schedule=step"], "schedule is one of constant, cosine; given 'step'"),
    (["--set", "smoothing=1"], "smoothing is 0 or more and less than 1; given 1.0"),
    (["--set", "smoothing=-0.1"], "smoothing is 0 or more and less than 1; given -0.1"),
    (["--set", "smoothing=0.1", "--set", "loss=map_distance"],
     "smoothing is for the loss cross_entropy alone; set it to 0 with the loss map_distance"),
    (["--set", "loss=hinge"], "loss is one of cross_entropy, map_distance; given 'hinge'"),
    (["--set", "max_norm=long"], "max_norm is a number; given 'long'"),
    (["--set", "max_norm=nan"], "max_norm is a finite number; given 'nan'"),
    (["--set", "max_norm=0"], "max_norm is more than 0, and at most 1,000,000; given '0'"),
    (["--set", "max_norm=1 2"], "max_norm has two numbers for all layers; give one"),
    (["--set", "max_norm=a=1 a=1"], "max_norm has a twice; give one"),
    (["--set", "max_norm=a=-1"], "max_norm is more than 0, and at most 1,000,000; given 'a=-1'"),
    (["--set", "max_norm=1.9 conv1="], "max_norm conv1 is a number; given ''"),
    (["--set", "max_norm=conv1=0.9,fc4=1"], "max_norm conv1 is a number; given '0.9,fc4=1'"),
    (["--set", "max_norm==0.9"], "max_norm takes NUMBER and LAYER=NUMBER, such as '1.9 conv1=0.9'; given '=0.9'"),
    (["--set", "epochs=true"], "--set epochs is a whole number; given 'true'"),
    (["--set", "epochs"], "--set takes NAME=VALUE; given 'epochs'"),
    (["--set", "warmup=1", "--set", "warmup=2"], "--set warmup is given twice; give it once"),
])
def test_what_makes_no_sense_is_refused(words, said):
    with pytest.raises(UserError) as error:
        asked("resnet34", *words)
    assert str(error.value) == said


def test_an_unknown_field_names_the_nearest():
    with pytest.raises(UserError, match="'wieght_decay'; did you mean 'weight_decay'"):
        asked("resnet34", "--set", "wieght_decay=0")


@pytest.mark.parametrize("words, flag, field", [
    (["--lr", "0.1", "--set", "learning_rate=0.1"], "--lr", "learning_rate"),
    (["--epochs", "2", "--set", "epochs=3"], "--epochs", "epochs"),
    (["-b", "2", "--set", "batch_size=3"], "--batch-size", "batch_size"),
])
def test_a_field_given_in_two_ways_is_refused(words, flag, field):
    with pytest.raises(UserError) as error:
        asked("resnet34", *words)
    for part in (flag, f"--set {field}", "give one of them"):
        assert part in str(error.value)


def test_overridden_checks_too():
    with pytest.raises(UserError, match="epochs"):
        overridden(BASE, {"epochs": 0})


def test_the_header_tells_every_field_that_has_an_effect():
    assert described(Recipe(optimizer="sgd", learning_rate=0.05, epochs=2)) == (
        "optimizer sgd, learning_rate 0.05, momentum 0.9, schedule cosine, warmup 1, weight_decay 0.0005, "
        "batch_size 128, epochs 2")
    assert described(Recipe(optimizer="adam", smoothing=0.1, max_norm="1.9 fc=1")) == (
        "optimizer adam, learning_rate 0.1, schedule cosine, warmup 1, weight_decay 0.0005, batch_size 128, epochs 30, "
        "smoothing 0.1, max_norm 1.9 fc=1")
    assert described(Recipe(loss="map_distance")).endswith(", epochs 30, loss map_distance")


@pytest.mark.parametrize("text, expected", [
    ("", {}), ("  ", {}), ("1.9", {"": 1.9}), ("2", {"": 2.0}), ("fc4=1.9", {"fc4": 1.9}),
    ("1.9365 conv1=0.9  fc4=1.9", {"": 1.9365, "conv1": 0.9, "fc4": 1.9}), ("conv1=0.9 1.9", {"": 1.9, "conv1": 0.9})])
def test_norms(text, expected):
    assert norms(text) == expected


def test_recipes_need_nothing_but_floor_0():
    ask = ("import sys, zoo.training.recipes; "
           "print(*sorted(name for name in sys.modules if name.partition('.')[0] not in sys.stdlib_module_names))")
    run = subprocess.run([sys.executable, "-S", "-c", ask], cwd=ROOT, capture_output=True, text=True)  # -S: no site
    assert run.stderr == ""
    loaded = set(run.stdout.split()) - {"__main__"}
    assert "zoo.training.recipes" in loaded
    assert loaded <= {"zoo", "zoo.errors", "zoo.values", "zoo.catalog", "zoo.files", "zoo.training",
                      "zoo.training.recipes"}
