"""Recipes: the one that a run uses, overrides on the command line, and invalid values."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import check_message

from zoo import registry
from zoo.cli.train import build_parser
from zoo.cli.training_command import parse_run_config
from zoo.data import dataset_info
from zoo.data.dataset_info import DATASETS
from zoo.data.loading import load_data
from zoo.errors import UserError
from zoo.training import augmentation
from zoo.training.header import format_header
from zoo.training.recipe import (
    Recipe,
    serialize_recipe,
    parse_named_values,
    check_recipe,
    format_recipe,
    parse_milestones,
    is_extendable,
    override_recipe,
    resolve_aux_loss_weights,
)
from zoo.training.recipes import (BASE, DIGITS_OVERRIDES, RECIPE_NAMES, MODERN_RECIPES, NOTES_RECIPE, PAPER_RECIPES,
                                  get_recipe)

ROOT = Path(__file__).resolve().parents[1]


def parse_recipe(*argv):
    arguments = build_parser().parse_args(argv)
    return parse_run_config(arguments, dataset_info.get_dataset_info(arguments.dataset)).recipe


def test_the_fields_and_their_defaults():
    assert serialize_recipe(Recipe()) == {"optimizer": "nesterov", "learning_rate": 0.1, "momentum": 0.9, "rho": 0.9,
                                          "epsilon": 1e-7, "lr_schedule": "cosine", "warmup_epochs": 1.0,
                                          "milestones": "", "gamma": 0.1, "lr_patience": 3, "min_lr": 0.0,
                                          "early_stopping_patience": 0, "early_stopping_min_delta": 0.0005,
                                          "weight_decay": 5e-4, "initializer": "paper", "initial_bias": 0.0,
                                          "global_clipnorm": 0.0, "ema_momentum": 0.0, "batch_size": 128, "epochs": 30,
                                          "loss": "cross_entropy", "label_smoothing": 0.0, "max_norm": "",
                                          "aux_loss_weights": "", "dropout": "", "augmentation": ""}
    assert BASE == Recipe()


def test_the_networks_with_recipes_are_in_the_registry():
    assert {*MODERN_RECIPES, *DIGITS_OVERRIDES} <= {*registry.MODELS} == {*PAPER_RECIPES}


@pytest.mark.parametrize("network", ["alexnet", "googlenet", "highway_mnist", "msra_a", "msra_b", "vgg16", "vgg19"])
def test_without_batch_normalization_the_learning_rate_is_a_tenth(network):
    assert get_recipe(network, "cifar10").learning_rate == 0.01


@pytest.mark.parametrize("kind", RECIPE_NAMES)
@pytest.mark.parametrize("network", registry.MODELS)
def test_every_recipe_is_valid(network, kind):
    for dataset in DATASETS:
        recipe = get_recipe(network, dataset, kind)
        check_recipe(recipe)
        resolve_aux_loss_weights(recipe, registry.get_model_info(network))
        augmentation.check_augmentation(augmentation.parse_augmentation(recipe.augmentation), DATASETS[dataset].shape)


def test_the_recipe_of_the_notes():
    """Adadelta with Keras 1's learning rate, ReduceLROnPlateau and early stopping; digits are not flipped."""
    recipe = serialize_recipe(get_recipe("vgg16", "cifar10", "notes"))
    expected = {"optimizer": "adadelta", "learning_rate": 1.0, "rho": 0.95, "lr_schedule": "plateau",
                "gamma": pytest.approx(0.70710678), "lr_patience": 3, "min_lr": 1e-6, "early_stopping_patience": 15,
                "early_stopping_min_delta": 0.0005, "augmentation": "flip rotation=25 shift=0.1", "weight_decay": 0.0}
    assert {field: recipe[field] for field in expected} == expected
    assert get_recipe("lenet5", "mnist", "notes").augmentation == "rotation=25 shift=0.1"
    assert dataclasses.replace(get_recipe("lenet5", "mnist", "notes"), augmentation="") == NOTES_RECIPE
    assert get_recipe("lenet5_1998", "mnist", "notes").loss == "map_distance"


@pytest.mark.parametrize("network, expected", [  # from the papers' sections on training
    ("alexnet", {"optimizer": "sgd", "learning_rate": 0.01, "momentum": 0.9, "weight_decay": 5e-4, "batch_size": 128}),
    ("vgg16", {"learning_rate": 0.01, "momentum": 0.9, "weight_decay": 5e-4, "batch_size": 256, "epochs": 74}),
    ("googlenet", {"momentum": 0.9, "milestones": "every 8", "gamma": 0.96, "aux_loss_weights": "aux1=0.3 aux2=0.3"}),
    ("inception_v3", {"optimizer": "rmsprop", "rho": 0.9, "epsilon": 1.0, "learning_rate": 0.045,
                      "milestones": "every 2", "gamma": 0.94, "global_clipnorm": 2.0, "label_smoothing": 0.1,
                      "batch_size": 32, "epochs": 100}),
    ("inception_resnet_v2", {"optimizer": "rmsprop", "rho": 0.9, "epsilon": 1.0, "learning_rate": 0.045}),
    ("xception", {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.045, "milestones": "every 2", "gamma": 0.94,
                  "weight_decay": 1e-5}),
    ("resnet34", {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 1e-4, "batch_size": 128,
                  "milestones": "82 123", "gamma": 0.1, "epochs": 164, "augmentation": "flip crop=4"}),
    ("resnet56", {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9, "weight_decay": 1e-4, "batch_size": 128,
                  "milestones": "91 136", "gamma": 0.1, "epochs": 182, "warmup_epochs": 0.0}),
    ("resnet110", {"milestones": "91 136", "epochs": 182, "warmup_epochs": 1.1, "augmentation": "flip crop=4"}),
    ("resnet50", {"learning_rate": 0.1, "weight_decay": 1e-4, "batch_size": 256, "lr_schedule": "plateau",
                  "gamma": 0.1, "epochs": 120}),
    ("resnet101_v2", {"learning_rate": 0.1, "weight_decay": 1e-4, "batch_size": 256, "milestones": "30 60",
                      "warmup_epochs": 0.0}),
    ("msra_a", {"learning_rate": 0.01, "momentum": 0.9, "weight_decay": 5e-4, "batch_size": 128}),
    ("lenet5", {"epochs": 20, "momentum": 0.0, "milestones": "2 5 8 12", "augmentation": ""}),
])
def test_the_recipes_of_the_papers(network, expected):
    recipe = serialize_recipe(get_recipe(network, "cifar10", "paper"))
    assert {field: recipe[field] for field in expected} == expected


def test_an_unknown_kind_names_the_nearest():
    with pytest.raises(UserError) as error:
        get_recipe("lenet5", "mnist", "papers")
    check_message(error.value, "papers", "paper")


def test_a_recipe_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        BASE.epochs = 1


@pytest.mark.parametrize("network, dataset, expected", [
    ("lenet5", "digits", {"learning_rate": 0.05, "batch_size": 32, "epochs": 15}),  # of the pair
    ("lenet5", "mnist", {"learning_rate": 0.05, "batch_size": 64, "epochs": 12}),  # of the network
    ("vgg16", "cifar10", {"optimizer": "nesterov", "learning_rate": 0.01, "weight_decay": 5e-4}),
    ("vgg19", "digits", {"optimizer": "nesterov", "learning_rate": 0.01}),
    ("resnet34", "cifar100", {"optimizer": "nesterov", "learning_rate": 0.1, "batch_size": 128, "epochs": 30}),
    ("inception_v3", "cifar10", {"learning_rate": 0.1, "label_smoothing": 0.1, "loss": "cross_entropy"}),
    ("lenet5_1998", "mnist", {"loss": "map_distance", "weight_decay": 0.0, "label_smoothing": 0.0, "max_norm": ""}),
    ("maxout", "cifar10", {"optimizer": "adam", "learning_rate": 1e-3, "weight_decay": 0.0,
                           "max_norm": "1.9365 conv1=0.9 fc4=1.9"}),
    ("maxout_mnist", "mnist", {"optimizer": "adam", "learning_rate": 1e-3, "max_norm": "1.9365 conv1=0.9"}),
    ("nin", "cifar10", {"optimizer": "adam", "learning_rate": 1e-3}),
    ("highway", "cifar10", {"optimizer": "nesterov", "learning_rate": 0.025, "weight_decay": 1e-3}),
])
def test_the_recipe_of_a_pair(network, dataset, expected):
    recipe = serialize_recipe(get_recipe(network, dataset))
    assert {field: recipe[field] for field in expected} == expected
    assert parse_recipe(network, "--dataset", dataset) == get_recipe(network, dataset)


@pytest.mark.parametrize("arguments, field, value", [
    (["--epochs", "3"], "epochs", 3),
    (["-b", "7"], "batch_size", 7),
    (["--batch-size", "7"], "batch_size", 7),
    (["--lr", "0.25"], "learning_rate", 0.25),
    (["--lr", "1"], "learning_rate", 1.0),
    (["--set", "learning_rate=0.25"], "learning_rate", 0.25),
    (["--set", "weight_decay=0"], "weight_decay", 0.0),
    (["--set", "optimizer=sgd"], "optimizer", "sgd"),
    (["--set", "lr_schedule=constant"], "lr_schedule", "constant"),
    (["--set", "warmup_epochs=0.5"], "warmup_epochs", 0.5),
    (["--set", "momentum=0"], "momentum", 0.0),
    (["--set", "label_smoothing=0.1"], "label_smoothing", 0.1),
    (["--set", "loss=map_distance"], "loss", "map_distance"),
    (["--set", "max_norm=2 fc=1"], "max_norm", "2 fc=1"),
])
def test_one_field_changes_and_no_other(arguments, field, value):
    recipe = parse_recipe("resnet34", *arguments)
    assert getattr(recipe, field) == value and type(getattr(recipe, field)) is type(value)
    base = get_recipe("resnet34", "digits")
    assert recipe == dataclasses.replace(base, **{field: value}) != base


def test_several_fields_change_together():
    recipe = parse_recipe("resnet34", "--epochs", "2", "--set", "warmup_epochs=0", "--set", "optimizer=adam", "--set",
                          "augmentation=")
    assert recipe == Recipe(epochs=2, warmup_epochs=0.0, optimizer="adam", learning_rate=0.001)


@pytest.mark.parametrize("network, arguments, fields", [
    ("resnet34", "--optimizer adam", ("adam", 0.001, 0.9, 1e-7)),
    ("resnet34", "--optimizer rmsprop --momentum 0.5", ("rmsprop", 0.001, 0.5, 1e-7)),
    ("resnet34", "--optimizer rmsprop", ("rmsprop", 0.001, 0.0, 1e-7)),
    ("resnet34", "--optimizer rmsprop --momentum 0.9 --lr 0.1", ("rmsprop", 0.1, 0.9, 1e-7)),
    ("resnet34", "--optimizer adadelta", ("adadelta", 1.0, 0.9, 1e-7)),
    ("resnet34", "--optimizer sgd", ("sgd", 0.1, 0.9, 1e-7)),
    ("nin", "--optimizer sgd", ("sgd", 0.01, 0.9, 1e-7)),
    ("nin", "--optimizer adamw", ("adamw", 0.001, 0.9, 1e-7)),
    ("inception_v3", "--recipe paper --optimizer adam", ("adam", 0.001, 0.0, 1e-7)),
    ("resnet34", "--recipe notes --optimizer adam", ("adam", 0.001, 0.9, 1e-7)),
])
def test_another_optimizer_has_its_own_learning_rate_unless_one_is_given(network, arguments, fields):
    recipe = parse_recipe(network, *arguments.split())
    assert (recipe.optimizer, recipe.learning_rate, recipe.momentum, recipe.epsilon) == fields


def test_the_header_notes_the_learning_rate_of_another_optimizer():
    config = parse_run_config(build_parser().parse_args(["resnet34", "--optimizer", "adam"]),
                              dataset_info.get_dataset_info("digits"))
    (note,) = config.notes
    check_message(note, "learning_rate", "0.001", "adam", "0.1", "nesterov")
    header = format_header(config, load_data("digits", limit=100), 1, "CPU", "runs/a")
    assert [line for line in header if note in line and line.startswith("note")]
    arguments = build_parser().parse_args(["resnet34", "--optimizer", "adam", "--lr", "0.1"])
    assert parse_run_config(arguments, dataset_info.get_dataset_info("digits")).notes == ()


@pytest.mark.parametrize("arguments, parts", [
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
    (["--set", "warmup_epochs=-1"], "warmup_epochs 0 1,000,000 -1.0"),
    (["--set", "weight_decay=-1e-4"], "weight_decay 0 1,000,000 -0.0001"),
    (["--set", "weight_decay=inf"], "--set weight_decay inf"),
    (["--set", "optimizer=lion"], "optimizer lion adadelta adam adamw nesterov rmsprop sgd"),
    (["--set", "lr_schedule=steps"], "lr_schedule steps step constant cosine one_cycle plateau"),
    (["--set", "lr_schedule=step"], "step milestones 82 123"),
    (["--set", "milestones=20 10"], "milestones 20 10"),
    (["--set", "milestones=every"], "milestones every"),
    (["--set", "milestones=every 0"], "milestones every 0"),
    (["--set", "milestones=soon"], "milestones soon"),
    (["--set", "gamma=1"], "gamma 0 1 1.0"),
    (["--set", "lr_patience=0"], "lr_patience 1 1,000,000 0"),
    (["--set", "ema_momentum=1"], "ema_momentum 0 1 1.0"),
    (["--set", "augmentation=flop"], "flop flip crop cutmix cutout mixup rotation shift"),
    (["--set", "label_smoothing=1"], "label_smoothing 0 1 1.0"),
    (["--set", "label_smoothing=-0.1"], "label_smoothing 0 1 -0.1"),
    (["--set", "label_smoothing=0.1", "--set", "loss=map_distance"], "label_smoothing cross_entropy 0 map_distance"),
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
    (["--set", "warmup_epochs=1", "--set", "warmup_epochs=2"], "--set warmup_epochs"),
])
def test_invalid_values_are_refused(arguments, parts):
    with pytest.raises(UserError) as error:
        parse_recipe("resnet34", *arguments)
    check_message(error.value, *parts.split())


def test_an_unknown_field_names_the_nearest():
    with pytest.raises(UserError) as error:
        parse_recipe("resnet34", "--set", "wieght_decay=0")
    check_message(error.value, "--set", "wieght_decay", "weight_decay")


@pytest.mark.parametrize("arguments, flag, field", [
    (["--lr", "0.1", "--set", "learning_rate=0.1"], "--lr", "learning_rate"),
    (["--epochs", "2", "--set", "epochs=3"], "--epochs", "epochs"),
    (["-b", "2", "--set", "batch_size=3"], "--batch-size", "batch_size"),
])
def test_a_field_given_in_two_ways_is_refused(arguments, flag, field):
    with pytest.raises(UserError) as error:
        parse_recipe("resnet34", *arguments)
    check_message(error.value, flag, "--set", field)


def test_override_recipe_checks_values():
    with pytest.raises(UserError, match="epochs"):
        override_recipe(BASE, {"epochs": 0})


@pytest.mark.parametrize("recipe, values", [
    (Recipe(optimizer="sgd", learning_rate=0.05, epochs=2),
     {"optimizer": "sgd", "learning_rate": "0.05", "momentum": "0.9", "lr_schedule": "cosine", "warmup_epochs": "1",
      "weight_decay": "0.0005", "batch_size": "128", "epochs": "2"}),
    (Recipe(optimizer="adam", label_smoothing=0.1, max_norm="1.9 fc=1"),
     {"optimizer": "adam", "learning_rate": "0.1", "lr_schedule": "cosine", "warmup_epochs": "1",
      "weight_decay": "0.0005", "batch_size": "128", "epochs": "30", "label_smoothing": "0.1", "max_norm": "1.9 fc=1"}),
    (Recipe(loss="map_distance"),
     {"optimizer": "nesterov", "learning_rate": "0.1", "momentum": "0.9", "lr_schedule": "cosine", "warmup_epochs": "1",
      "weight_decay": "0.0005", "batch_size": "128", "epochs": "30", "loss": "map_distance"}),
    (Recipe("rmsprop", lr_schedule="step", milestones="every 2", ema_momentum=0.9, early_stopping_patience=4),
     {"optimizer": "rmsprop", "learning_rate": "0.1", "momentum": "0.9", "rho": "0.9", "lr_schedule": "step",
      "warmup_epochs": "1", "milestones": "every 2", "gamma": "0.1", "early_stopping_patience": "4",
      "early_stopping_min_delta": "0.0005", "weight_decay": "0.0005", "ema_momentum": "0.9", "batch_size": "128",
      "epochs": "30"}),
    (Recipe(lr_schedule="plateau", augmentation="flip"),
     {"optimizer": "nesterov", "learning_rate": "0.1", "momentum": "0.9", "lr_schedule": "plateau", "gamma": "0.1",
      "lr_patience": "3", "min_lr": "0", "weight_decay": "0.0005", "batch_size": "128", "epochs": "30",
      "augmentation": "flip"}),
])
def test_the_header_has_every_field_that_has_an_effect(recipe, values):
    pattern = ".*".join(rf"\b{field}\W{{1,3}}{re.escape(value)}" for field, value in values.items())
    assert re.fullmatch(rf"\W*{pattern}\W*", format_recipe(recipe))
    absent = {*serialize_recipe(recipe)} - {*values}
    assert not [field for field in absent if re.search(rf"\b{field}\b", format_recipe(recipe))]


@pytest.mark.parametrize("text, expected", [
    ("", {}), ("  ", {}), ("1.9", {"": 1.9}), ("2", {"": 2.0}), ("fc4=1.9", {"fc4": 1.9}),
    ("1.9365 conv1=0.9  fc4=1.9", {"": 1.9365, "conv1": 0.9, "fc4": 1.9}), ("conv1=0.9 1.9", {"": 1.9, "conv1": 0.9})])
def test_parse_named_values(text, expected):
    assert parse_named_values("max_norm", text) == expected


@pytest.mark.parametrize("text, expected", [
    ("", ()), ("82 123", (82.0, 123.0)), ("1.5", (1.5,)), ("every 2", 2.0), ("every 0.5", 0.5)])
def test_parse_milestones(text, expected):
    assert parse_milestones(text) == expected


def test_extendable_schedules():
    assert [schedule for schedule in ("constant", "step", "cosine", "one_cycle", "plateau")
            if is_extendable(Recipe(lr_schedule=schedule))] == ["constant", "step", "plateau"]
    assert is_extendable(Recipe(lr_schedule="plateau", epochs=1))  # it has no warm-up


@pytest.mark.parametrize("network, aux_loss_weights, expected", [
    ("googlenet", "", {}), ("googlenet", "0.2", {"aux1": 0.2, "aux2": 0.2}),
    ("googlenet", "aux1=0.3 aux2=0.1", {"aux1": 0.3, "aux2": 0.1}),
    ("googlenet", "0.5 aux2=1", {"aux1": 0.5, "aux2": 1.0}),
    ("inception_v3", "aux1=0.4", {"aux1": 0.4}), ("resnet34", "", {})])
def test_the_weights_of_auxiliary_losses(network, aux_loss_weights, expected):
    assert resolve_aux_loss_weights(Recipe(aux_loss_weights=aux_loss_weights),
                                    registry.get_model_info(network)) == expected


@pytest.mark.parametrize("network, aux_loss_weights, parts", [
    ("resnet34", "0.3", "resnet34 aux_loss_weights="),
    ("googlenet", "aux3=0.3", "googlenet aux3 aux1 aux2"),
    ("googlenet", "aux1=0.3", "aux_loss_weights aux2=0.3")])
def test_invalid_weights_of_auxiliary_losses(network, aux_loss_weights, parts):
    with pytest.raises(UserError) as error:
        resolve_aux_loss_weights(Recipe(aux_loss_weights=aux_loss_weights), registry.get_model_info(network))
    check_message(error.value, *parts.split())


def test_recipes_import_only_the_lowest_layer():
    code = ("import sys, zoo.training.recipes; "
            "print(*sorted(name for name in sys.modules if name.partition('.')[0] not in sys.stdlib_module_names))")
    # -S: no site
    process = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert process.stderr == ""
    loaded = set(process.stdout.split()) - {"__main__"}
    assert "zoo.training.recipes" in loaded
    assert loaded <= {"zoo", "zoo.errors", "zoo.utils.validation", "zoo.registry", "zoo.catalogue",
                      "zoo.model_info", "zoo.modality", "zoo.env", "zoo.utils", "zoo.utils.io", "zoo.utils.process",
                      "zoo.utils.process_memory", "zoo.utils.text", "zoo.training", "zoo.training.augmentation",
                      "zoo.training.finetuning", "zoo.training.recipe", "zoo.training.recipes"}
