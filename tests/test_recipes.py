"""Recipes: which one a run takes, what the command line may change of it, and what is refused."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import check_message

from zoo import registry
from zoo.cli.train import parser
from zoo.cli.training_command import plan_of
from zoo.data import info
from zoo.data.info import DATASETS
from zoo.errors import UserError
from zoo.training import augmentation
from zoo.training.recipe import (
    Recipe,
    as_dict,
    by_name,
    check,
    described,
    differences,
    drops,
    goes_on,
    overridden,
    side_weights,
)
from zoo.training.recipes import BASE, DIGITS, KINDS, MODERN, NOTES, PAPER, find

ROOT = Path(__file__).resolve().parents[1]


def asked(*words):
    arguments = parser().parse_args(words)
    return plan_of(arguments, info.find(arguments.dataset)).recipe


def test_the_fields_and_their_defaults():
    assert as_dict(Recipe()) == {
        "optimizer": "nesterov", "learning_rate": 0.1, "momentum": 0.9, "rho": 0.9, "epsilon": 1e-7,
        "schedule": "cosine", "warmup": 1.0, "drops": "", "factor": 0.1, "patience": 3, "floor": 0.0,
        "stop_patience": 0, "stop_delta": 0.0005, "weight_decay": 5e-4, "initializer": "paper",
        "initial_bias": 0.0, "clip_norm": 0.0, "ema": 0.0, "batch_size": 128, "epochs": 30, "loss": "cross_entropy",
        "smoothing": 0.0, "max_norm": "", "sides": "", "dropout": "", "augment": ""}
    assert BASE == Recipe()


def test_the_networks_with_recipes_are_those_of_the_catalogue():
    assert {*MODERN, *DIGITS} <= {*registry.SPECS} == {*PAPER}


@pytest.mark.parametrize("network", ["alexnet", "googlenet", "highway_mnist", "msra_a", "msra_b", "vgg16", "vgg19"])
def test_without_batch_normalisation_the_rate_is_a_tenth(network):
    assert find(network, "cifar10").learning_rate == 0.01


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("network", registry.SPECS)
def test_what_is_listed_passes_the_check(network, kind):
    for dataset in DATASETS:
        recipe = find(network, dataset, kind)
        check(recipe)
        side_weights(recipe, registry.find(network))
        augmentation.check(augmentation.parse(recipe.augment), DATASETS[dataset].shape)


def test_the_notes():
    """Adadelta with Keras 1's rate, the plateau, the early end; digits are not mirrored."""
    recipe = as_dict(find("vgg16", "cifar10", "notes"))
    expected = {"optimizer": "adadelta", "learning_rate": 1.0, "rho": 0.95, "schedule": "plateau",
                "factor": pytest.approx(0.70710678), "patience": 3, "floor": 1e-6, "stop_patience": 15,
                "stop_delta": 0.0005, "augment": "flip rotation=25 shift=0.1", "weight_decay": 0.0}
    assert {field: recipe[field] for field in expected} == expected
    assert find("lenet5", "mnist", "notes").augment == "rotation=25 shift=0.1"
    assert dataclasses.replace(find("lenet5", "mnist", "notes"), augment="") == NOTES
    assert find("lenet5_1998", "mnist", "notes").loss == "map_distance"


@pytest.mark.parametrize("network, expected", [  # from the papers' sections on training
    ("alexnet", {"optimizer": "sgd", "learning_rate": 0.01, "momentum": 0.9, "weight_decay": 5e-4, "batch_size": 128}),
    ("vgg16", {"learning_rate": 0.01, "momentum": 0.9, "weight_decay": 5e-4, "batch_size": 256, "epochs": 74}),
    ("googlenet", {"momentum": 0.9, "drops": "every 8", "factor": 0.96, "sides": "aux1=0.3 aux2=0.3"}),
    ("inception_v3", {"optimizer": "rmsprop", "rho": 0.9, "epsilon": 1.0, "learning_rate": 0.045, "drops": "every 2",
                      "factor": 0.94, "clip_norm": 2.0, "smoothing": 0.1, "batch_size": 32, "epochs": 100}),
    ("inception_resnet_v2", {"optimizer": "rmsprop", "rho": 0.9, "epsilon": 1.0, "learning_rate": 0.045}),
    ("xception", {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.045, "drops": "every 2", "factor": 0.94,
                  "weight_decay": 1e-5}),
    ("resnet34", {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 1e-4, "batch_size": 128,
                  "drops": "82 123", "factor": 0.1, "epochs": 164, "augment": "flip crop=4"}),
    ("msra_a", {"learning_rate": 0.01, "momentum": 0.9, "weight_decay": 5e-4, "batch_size": 128}),
    ("lenet5", {"epochs": 20, "momentum": 0.0, "drops": "2 5 8 12", "augment": ""}),
])
def test_the_papers(network, expected):
    recipe = as_dict(find(network, "cifar10", "paper"))
    assert {field: recipe[field] for field in expected} == expected


def test_an_unknown_kind_names_the_nearest():
    with pytest.raises(UserError) as error:
        find("lenet5", "mnist", "papers")
    check_message(error.value, "papers", "paper")


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
    ("maxout", "cifar10", {"optimizer": "adam", "learning_rate": 1e-3, "weight_decay": 0.0,
                           "max_norm": "1.9365 conv1=0.9 fc4=1.9"}),
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
    base = find("resnet34", "digits")
    assert recipe == dataclasses.replace(base, **{field: value}) != base
    assert differences(recipe, base) == {field: value}


def test_several_fields_change_together():
    found = asked("resnet34", "--epochs", "2", "--set", "warmup=0", "--set", "optimizer=adam", "--set", "augment=")
    assert found == Recipe(epochs=2, warmup=0.0, optimizer="adam")


@pytest.mark.parametrize("words, parts", [
    (["--lr", "1e39"], "learning_rate 0 1,000,000 1e+39"),
    (["--lr", "1_0"], "--lr 1_0"),
    (["--epochs", "0"], "epochs 1 1,000,000 0"),
    (["--epochs", "-1"], "epochs 1 1,000,000 -1"),
    (["--epochs", "1.5"], "--epochs 1.5"),
    (["--epochs", "ten"], "--epochs ten"),
    (["-b", "-5"], "batch_size 1 1,000,000 -5"),
    (["-b", "0"], "batch_size 1 1,000,000 0"),
    (["--lr", "nan"], "--lr nan"),
    (["--lr", "inf"], "--lr inf"),
    (["--lr", "1e999"], "--lr 1e999"),
    (["--lr", "0"], "learning_rate 0 1,000,000 0.0"),
    (["--lr", "-0.1"], "learning_rate 0 1,000,000 -0.1"),
    (["--lr", "fast"], "--lr fast"),
    (["--set", "momentum=1"], "momentum 0 1 1.0"),
    (["--set", "momentum=-0.1"], "momentum 0 1 -0.1"),
    (["--set", "momentum=nan"], "--set momentum nan"),
    (["--set", "warmup=-1"], "warmup 0 1,000,000 -1.0"),
    (["--set", "weight_decay=-1e-4"], "weight_decay 0 1,000,000 -0.0001"),
    (["--set", "weight_decay=inf"], "--set weight_decay inf"),
    (["--set", "optimizer=lion"], "optimizer lion adadelta adam adamw nesterov rmsprop sgd"),
    (["--set", "schedule=steps"], "schedule steps step constant cosine one_cycle plateau"),
    (["--set", "schedule=step"], "step drops 82 123"),
    (["--set", "drops=20 10"], "drops 20 10"),
    (["--set", "drops=every"], "drops every"),
    (["--set", "drops=every 0"], "drops every 0"),
    (["--set", "drops=soon"], "drops soon"),
    (["--set", "factor=1"], "factor 0 1 1.0"),
    (["--set", "patience=0"], "patience 1 1,000,000 0"),
    (["--set", "ema=1"], "ema 0 1 1.0"),
    (["--set", "augment=flop"], "flop flip crop cutmix cutout mixup rotation shift"),
    (["--set", "smoothing=1"], "smoothing 0 1 1.0"),
    (["--set", "smoothing=-0.1"], "smoothing 0 1 -0.1"),
    (["--set", "smoothing=0.1", "--set", "loss=map_distance"], "smoothing cross_entropy 0 map_distance"),
    (["--set", "loss=hinge"], "loss hinge cross_entropy map_distance"),
    (["--set", "initializer=he"], "initializer he glorot_normal glorot_uniform he_normal he_uniform lecun_normal "
     "lecun_uniform orthogonal paper"),
    (["--set", "initial_bias=inf"], "--set initial_bias inf"),
    (["--set", "max_norm=long"], "max_norm long"),
    (["--set", "max_norm=nan"], "max_norm nan"),
    (["--set", "max_norm=0"], "max_norm 1,000,000 0"),
    (["--set", "max_norm=1 2"], "max_norm"),
    (["--set", "max_norm=a=1 a=1"], "max_norm a"),
    (["--set", "max_norm=a=-1"], "max_norm 0 1,000,000 a=-1"),
    (["--set", "max_norm=1.9 conv1="], "max_norm conv1 ''"),
    (["--set", "max_norm=conv1=0.9,fc4=1"], "max_norm conv1 0.9,fc4=1"),
    (["--set", "max_norm==0.9"], "max_norm NUMBER NAME=NUMBER =0.9"),
    (["--set", "epochs=true"], "--set epochs true"),
    (["--set", "epochs"], "--set NAME=VALUE epochs"),
    (["--set", "warmup=1", "--set", "warmup=2"], "--set warmup"),
])
def test_what_makes_no_sense_is_refused(words, parts):
    with pytest.raises(UserError) as error:
        asked("resnet34", *words)
    check_message(error.value, *parts.split())


def test_an_unknown_field_names_the_nearest():
    with pytest.raises(UserError) as error:
        asked("resnet34", "--set", "wieght_decay=0")
    message = str(error.value)
    check_message(message, "--set", "wieght_decay", "batch_size")
    check_message(message[:message.index("batch_size")], "weight_decay")  # before the list of all fields


@pytest.mark.parametrize("words, flag, field", [
    (["--lr", "0.1", "--set", "learning_rate=0.1"], "--lr", "learning_rate"),
    (["--epochs", "2", "--set", "epochs=3"], "--epochs", "epochs"),
    (["-b", "2", "--set", "batch_size=3"], "--batch-size", "batch_size"),
])
def test_a_field_given_in_two_ways_is_refused(words, flag, field):
    with pytest.raises(UserError) as error:
        asked("resnet34", *words)
    check_message(error.value, flag, "--set", field)


def test_overridden_checks_too():
    with pytest.raises(UserError, match="epochs"):
        overridden(BASE, {"epochs": 0})


@pytest.mark.parametrize("recipe, shown", [
    (Recipe(optimizer="sgd", learning_rate=0.05, epochs=2),
     {"optimizer": "sgd", "learning_rate": "0.05", "momentum": "0.9", "schedule": "cosine", "warmup": "1",
      "weight_decay": "0.0005", "batch_size": "128", "epochs": "2"}),
    (Recipe(optimizer="adam", smoothing=0.1, max_norm="1.9 fc=1"),
     {"optimizer": "adam", "learning_rate": "0.1", "schedule": "cosine", "warmup": "1", "weight_decay": "0.0005",
      "batch_size": "128", "epochs": "30", "smoothing": "0.1", "max_norm": "1.9 fc=1"}),
    (Recipe(loss="map_distance"),
     {"optimizer": "nesterov", "learning_rate": "0.1", "momentum": "0.9", "schedule": "cosine", "warmup": "1",
      "weight_decay": "0.0005", "batch_size": "128", "epochs": "30", "loss": "map_distance"}),
    (Recipe("rmsprop", schedule="step", drops="every 2", ema=0.9, stop_patience=4),
     {"optimizer": "rmsprop", "learning_rate": "0.1", "momentum": "0.9", "rho": "0.9", "schedule": "step",
      "warmup": "1", "drops": "every 2", "factor": "0.1", "stop_patience": "4", "stop_delta": "0.0005",
      "weight_decay": "0.0005", "ema": "0.9", "batch_size": "128", "epochs": "30"}),
    (Recipe(schedule="plateau", augment="flip"),
     {"optimizer": "nesterov", "learning_rate": "0.1", "momentum": "0.9", "schedule": "plateau", "factor": "0.1",
      "patience": "3", "floor": "0", "weight_decay": "0.0005", "batch_size": "128", "epochs": "30",
      "augment": "flip"}),
])
def test_the_header_has_every_field_that_has_an_effect(recipe, shown):
    pattern = ".*".join(rf"\b{field}\W{{1,3}}{re.escape(value)}" for field, value in shown.items())
    assert re.fullmatch(rf"\W*{pattern}\W*", described(recipe))
    absent = {*as_dict(recipe)} - {*shown}
    assert not [field for field in absent if re.search(rf"\b{field}\b", described(recipe))]


@pytest.mark.parametrize("text, expected", [
    ("", {}), ("  ", {}), ("1.9", {"": 1.9}), ("2", {"": 2.0}), ("fc4=1.9", {"fc4": 1.9}),
    ("1.9365 conv1=0.9  fc4=1.9", {"": 1.9365, "conv1": 0.9, "fc4": 1.9}), ("conv1=0.9 1.9", {"": 1.9, "conv1": 0.9})])
def test_numbers_by_name(text, expected):
    assert by_name("max_norm", text) == expected


@pytest.mark.parametrize("text, expected", [
    ("", ()), ("82 123", (82.0, 123.0)), ("1.5", (1.5,)), ("every 2", 2.0), ("every 0.5", 0.5)])
def test_drops(text, expected):
    assert drops(text) == expected


def test_which_runs_can_become_longer():
    assert [schedule for schedule in ("constant", "step", "cosine", "one_cycle", "plateau")
            if goes_on(Recipe(schedule=schedule))] == ["constant", "step", "plateau"]


@pytest.mark.parametrize("network, sides, expected", [
    ("googlenet", "", {}), ("googlenet", "0.2", {"aux1": 0.2, "aux2": 0.2}),
    ("googlenet", "aux1=0.3 aux2=0.1", {"aux1": 0.3, "aux2": 0.1}),
    ("googlenet", "0.5 aux2=1", {"aux1": 0.5, "aux2": 1.0}),
    ("inception_v3", "aux1=0.4", {"aux1": 0.4}), ("resnet34", "", {})])
def test_the_weights_of_the_side_losses(network, sides, expected):
    assert side_weights(Recipe(sides=sides), registry.find(network)) == expected


@pytest.mark.parametrize("network, sides, parts", [
    ("resnet34", "0.3", "resnet34 sides="),
    ("googlenet", "aux3=0.3", "googlenet aux3 aux1 aux2"),
    ("googlenet", "aux1=0.3", "sides aux2=0.3")])
def test_side_losses_that_cannot_be(network, sides, parts):
    with pytest.raises(UserError) as error:
        side_weights(Recipe(sides=sides), registry.find(network))
    check_message(error.value, *parts.split())


def test_recipes_need_nothing_but_floor_0():
    ask = ("import sys, zoo.training.recipes; "
           "print(*sorted(name for name in sys.modules if name.partition('.')[0] not in sys.stdlib_module_names))")
    run = subprocess.run([sys.executable, "-S", "-c", ask], cwd=ROOT, capture_output=True, text=True)  # -S: no site
    assert run.stderr == ""
    loaded = set(run.stdout.split()) - {"__main__"}
    assert "zoo.training.recipes" in loaded
    assert loaded <= {"zoo", "zoo.errors", "zoo.utils.validation", "zoo.registry", "zoo.utils", "zoo.utils.io",
                      "zoo.utils.process", "zoo.env", "zoo.training", "zoo.training.augmentation",
                      "zoo.training.finetuning", "zoo.training.recipe", "zoo.training.recipes"}
