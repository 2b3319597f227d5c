"""Flags known from other programs, and flags of recipe fields: the hints and the effects."""

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import check_message

from zoo.__main__ import COMMANDS
from zoo.cli import finetune, train, train_args, training_command, unknown_flags
from zoo.cli.flag_hints import HINTS
from zoo.errors import UserError
from zoo.training import recipe as recipes
from zoo.utils.flag_names import get_flag
from zoo.utils.keyword_hints import find_reply
from zoo.utils.synonyms import KEYWORDS_BY_SYNONYM, SYNONYMS, normalize

ROOT = Path(__file__).resolve().parents[1]
# Arguments with which the parser reports nothing else
ENOUGH = {"train": ["lenet5"], "finetune": ["lenet5"], "extract-features": ["lenet5"],
          "diagram": ["lenet5"], "summary": ["lenet5"],
          "visualize": ["runs/x", "--image", "x.png"], "evaluate": ["runs/x"], "predict": ["runs/x", "x.png"],
          "lr-find": ["lenet5"], "export": ["runs/x", "--format", "onnx"], "compare": ["runs/x", "runs/y"],
          "report": ["runs/x"]}


PARSERS = {command: importlib.import_module(f"zoo.cli.{command.replace('-', '_')}").build_parser()
           for command in COMMANDS}
OPTIONS = {command: parser._option_string_actions for command, parser in PARSERS.items()}


def cases(hint):
    """Yield (flag, command) for the flags of a hint and the commands that it applies to and that lack the flag."""
    for name in hint.flags.split():
        for command, options in OPTIONS.items():
            if hint.reply.startswith("--"):
                applies = all(argument in options for argument in hint.reply.split() if argument.startswith("--"))
            else:
                applies = command in (hint.commands.split() or COMMANDS)
            is_synonym = unknown_flags.find_option(name, options)
            if applies and not is_synonym and normalize(name) not in map(normalize, options):
                yield f"-{name}" if len(name) == 1 else f"--{name}", command


def refusal_message(command, arguments):
    parser = PARSERS[command]
    with pytest.raises(UserError) as error:
        (parser.parse_intermixed_args if command in ("predict", "export") else parser.parse_args)(arguments)
    return str(error.value)


def make_replacement(hint, value, command):
    """Return the flags that a hint suggests, with the value of the flag."""
    group = re.fullmatch(hint.value_pattern, value) if hint.value_pattern else None
    value = group[1] if group and group.groups() else value
    reply = hint.reply.replace("{WEIGHTS}", "mnist" if "lenet5" in ENOUGH.get(command, []) else "imagenet")
    return re.sub(r"\{([^}]*)\}", lambda match: shlex.quote(value) if value else match[1], reply)


def test_the_table_has_many_flags():
    assert len({normalize(name) for hint in HINTS for name in hint.flags.split()} | {*KEYWORDS_BY_SYNONYM}) > 400


@pytest.mark.parametrize("keyword", SYNONYMS)
def test_a_synonym_is_answered_as_a_flag_and_as_a_keyword(keyword):
    flag = get_flag(keyword)
    for name in SYNONYMS[keyword].split():
        assert find_reply(name, 7, ["sparkle", keyword]) == f"; give {keyword}=7"
        synonym = f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}"
        for command, options in OPTIONS.items():
            if flag in options and normalize(name) not in map(normalize, options):
                check_message(refusal_message(command, [*ENOUGH.get(command, []), synonym, "7"]), synonym, f"{flag} 7")


def test_a_name_is_a_synonym_of_one_keyword():
    names = [normalize(name) for names in SYNONYMS.values() for name in names.split()]
    assert len(names) == len({*names})


FIT_ARGUMENTS = ("gpu", "freeze", "precision", "ema_momentum", "aux_loss_weights", "early_stopping_patience", "weights",
                 "augmentation", "verbose", "optimizer", "class_weight")


@pytest.mark.parametrize("name, value, reply", [
    ("use_gpu", False, "gpu='none'"), ("use_cuda", False, "gpu='none'"), ("use_gpu", True, "gpu=0"),
    ("cuda", False, "gpu='none'"), ("cuda", True, "gpu=0"), ("cuda", 1, "gpu=1"), ("no_cuda", True, "gpu='none'"),
    ("gpus", -1, "gpu='all'"), ("gpus", 0, "gpu='none'"), ("gpus", None, "gpu=None"), ("devices", "auto", "gpu='auto'"),
    ("freeze_backbone", False, "freeze='none'"), ("freeze_backbone", True, "freeze='all'"),
    ("freeze_layers", True, "freeze='all'"), ("freeze_layers", "conv1", "freeze='conv1'"),
    ("amp", False, "precision='float32'"), ("amp", True, "precision='bfloat16'"),
    ("dtype", "mixed_float16", "precision='float16'"), ("ema", False, "ema_momentum=0.0"),
    ("aux_logits", False, "aux_loss_weights=''"), ("early_stopping", True, "early_stopping_patience=5"),
    ("early_stopping", False, "early_stopping_patience=0"), ("patience", 3, "early_stopping_patience=3"),
    ("pretrained", None, "weights=None"), ("load_weights", False, "weights=None"),
    ("pretrained_weights", "a.h5", "weights='a.h5'"), ("transfer_learning", True, "weights='mnist'"),
    ("cutout", True, "augmentation='cutout=8'"),
    ("data_augmentation", False, "augmentation=''"), ("progress_bar", False, "verbose=False"),
    ("progress_bar", True, "verbose=True"), ("quiet", True, "verbose=False"), ("dtype", None, "precision='float32'"),
    ("balanced", False, "class_weight=None")])
def test_a_switch_is_answered_by_what_it_says(name, value, reply):
    assert find_reply(name, value, FIT_ARGUMENTS, ["mnist"]).partition(", the index")[0] == f"; give {reply}"


@pytest.mark.parametrize("name, value", [
    ("no_cuda", False), ("cpu", False), ("device", "mps"), ("accelerator", "tpu"), ("mixup", 0.0), ("rotation", 0),
    ("random_crop", False), ("nesterov", False)])
def test_a_switch_that_zoo_does_not_need(name, value):
    reply = find_reply(name, value, FIT_ARGUMENTS)
    assert "omit it" in reply and "give" not in reply


@pytest.mark.parametrize("hint", HINTS, ids=[f"{hint.flags.split()[0]}-{hint.reply[:30]}" for hint in HINTS])
def test_a_row_of_the_table(hint):
    num_answers = 0
    for flag, command in cases(hint):
        forms = [[flag, *filter(None, [hint.example])]] + [[f"{flag}={hint.example}"]] * bool(hint.example)
        for arguments in forms:
            line = refusal_message(command, [*ENOUGH.get(command, []), *arguments])
            check_message(line, flag)
            answering_hint = find_hint(flag, command, hint.example)
            if answering_hint.reply.startswith("--"):
                check_message(line, make_replacement(answering_hint, hint.example, command))
                PARSERS[command].parse_args([*ENOUGH.get(command, []),
                                             *shlex.split(make_replacement(answering_hint, hint.example, command))])
            else:
                check_flags(line, command, flag)
        num_answers += answering_hint is hint
    assert num_answers, "for no command, or behind other rows"


def check_flags(message, command, typed):
    """Check that every flag belongs to the command that the message named last, or else to the one that was typed."""
    for module, flag in re.findall(r"python -m zoo[. ](\w+)|(--[a-z][a-z-]*)", message.replace(typed, "", 1)):
        command = module or command
        assert not flag or flag in OPTIONS[command]


def find_hint(flag, command, example):
    """Return the hint that answers."""
    options = {option: action.metavar for option, action in OPTIONS[command].items()}
    return next(hint for hint in HINTS
                if normalize(flag) in map(normalize, hint.flags.split())
                and unknown_flags.is_applicable(hint, f"zoo {command}", example or None, options))


@pytest.mark.parametrize("command, arguments, parts", [
    ("train", "lenet5 --device cpu", ["--device", "--gpu none"]),
    ("train", "lenet5 --device 0", ["--device", "--gpu 0"]),
    ("train", "lenet5 --device=cuda:1", ["--device", "--gpu 1"]),
    ("train", "lenet5 --device 0,1", ["--device", "--gpu 0,1"]),
    ("train", "--device cpu lenet5", ["--device", "--gpu none"]),
    ("train", "lenet5 --num-epochs 5", ["--num-epochs", "--epochs 5"]),
    ("train", "lenet5 --num_epochs=5", ["--num_epochs", "--epochs 5"]),
    ("train", "lenet5 --num-epochs", ["--num-epochs", "--epochs N"]),
    ("train", "lenet5 --batch_size 64", ["--batch_size", "--batch-size 64"]),
    ("train", "lenet5 --Batchsize 64", ["--Batchsize", "--batch-size 64"]),
    ("train", "lenet5 -lr 0.1", ["-lr", "--lr 0.1"]),
    ("train", "lenet5 -bs 64", ["-bs", "--batch-size 64"]),
    ("train", "lenet5 epochs=5", ["epochs=5", "--epochs 5"]),
    ("train", "lenet5 --pretrained", ["--pretrained", "--weights mnist"]),
    ("train", "--pretrained nin", ["--pretrained", "--weights cifar10"]),
    ("train", "text_cnn --pretrained", ["--pretrained", "--weights FILE"]),
    ("train", "lenet5 --patience 7",
     ["--patience", "--early-stopping-patience 7", "--lr-patience 7", "--lr-schedule plateau"]),
    ("train", "googlenet --aux", ["--aux", "--aux-loss-weights 0.3"]),
    ("train", "lenet5 d/pets", ["d/pets", "--data d/pets"]),
    ("finetune", "vgg16 pets.npz --epochs 1", ["pets.npz", "--data pets.npz"]),
    ("train", "lenet5 cifar10", ["cifar10", "--data cifar10"]),
    ("train", "lenet5 --data-path pets", ["--data-path", "--data pets"]),
    ("train", "lenet5 --img-size 64", ["--img-size", "--image-size 64"]),
    ("train", "--model resnet34", ["--model", "python -m zoo.train resnet34"]),
    ("train", "lenet5 --workers 4", ["--workers"]),
    ("train", "lenet5 --scheduler StepLR --epohcs 5", ["--scheduler", "--lr-schedule step --milestones '82 123'"]),
    ("finetune", "vgg16 --pretrained --data pets", ["--pretrained", "--weights imagenet"]),
    ("finetune", "vgg16 --checkpoint runs/x", ["--checkpoint", "--resume runs/x", "--weights runs/x"]),
    ("finetune", "vgg16 --head 128", ["--head", "--head-layers 128"]),
    ("predict", "runs/x x.png --device 0", ["--device", "--gpu 0"]),
    ("predict", "runs/x x.png --top 3", ["--top", "--top-k 3"]),
    ("evaluate", "--model runs/x", ["--model", "python -m zoo evaluate runs/x"]),
    ("export", "runs/x --onnx", ["--onnx", "--format onnx"]),
    ("summary", "lenet5 --imgsz 64", ["--imgsz", "--image-size 64"]),
    ("list", "--device cpu", ["--device"]),
    # not in the table: by spelling
    ("train", "lenet5 --epcohs 3", ["--epcohs", "--epochs"]),
    ("train", "lenet5 vgg16", ["vgg16", "python -m zoo.train --help"]),
])
def test_an_answer(command, arguments, parts):
    check_message(refusal_message(command, shlex.split(arguments)), *parts)


@pytest.mark.parametrize("arguments", ["train lenet5 --workers 4", "list --device cpu"])
def test_unneeded_flags_have_no_replacement(arguments):
    command, *arguments = arguments.split()
    assert re.findall("--[a-z]+", refusal_message(command, arguments)) == [argument for argument in arguments
                                                                           if argument.startswith("--")]


@pytest.mark.parametrize("command_line, flag, instead", [
    ("train lenet5 --num-epochs 5", "--num-epochs", "--epochs 5"),
    ("export runs/x --onnx", "--onnx", "--format onnx"),
    ("predict --device cpu runs/x x.png", "--device", "--gpu none")])
def test_a_hint_is_one_line_with_status_2_before_anything_is_loaded(command_line, flag, instead):
    command, *arguments = command_line.split()
    code = ("import importlib, sys\nstatus = importlib.import_module('zoo.cli.' + sys.argv[1]).main(sys.argv[2:])\n"
            "print(*{'keras', 'tensorflow', 'jax', 'torch', 'numpy'} & set(sys.modules))\nsys.exit(status)")
    process = subprocess.run([sys.executable, "-c", code, command, *arguments], cwd=ROOT, capture_output=True,
                             text=True)
    assert (process.returncode, process.stdout) == (2, "\n")
    assert process.stderr.startswith("error: ")
    check_message(process.stderr, flag, instead)


# Flags of recipe fields

VALUES = {"optimizer": "adam", "learning_rate": "0.02", "momentum": "0.8", "rho": "0.7", "epsilon": "1e-6",
          "lr_schedule": "plateau", "warmup_epochs": "2", "milestones": "3 5", "gamma": "0.5", "lr_patience": "4",
          "min_lr": "1e-5", "early_stopping_patience": "6", "early_stopping_min_delta": "0.01", "weight_decay": "1e-3",
          "initializer": "orthogonal", "initial_bias": "0.1", "global_clipnorm": "2", "ema_momentum": "0.99",
          "batch_size": "64", "epochs": "7", "loss": "map_distance", "label_smoothing": "0.1",
          "max_norm": "1.9 conv1=0.9", "aux_loss_weights": "aux1=0.3 aux2=0.2", "dropout": "0.2",
          "augmentation": "rotation=15"}
# What a field has an effect with, where it has none with the default recipe
CONDITIONS = {"rho": "--optimizer adadelta", "epsilon": "--optimizer adadelta", "milestones": "--recipe paper",
              "gamma": "--lr-schedule plateau", "lr_patience": "--lr-schedule plateau",
              "min_lr": "--lr-schedule plateau", "early_stopping_min_delta": "--early-stopping-patience 3"}



def parse_config(*arguments):
    return training_command.parse_run_config(train.build_parser().parse_args(["googlenet", "--dataset", "cifar10",
                                                                              "--gpu", "none", *arguments]))


def test_every_field_is_tested():
    assert [*VALUES] == [*recipes.serialize_recipe(recipes.Recipe())]


@pytest.mark.parametrize("field", VALUES)
def test_a_field_by_its_flag_is_as_by_set(field):
    flag = "--" + field.replace("_", "-")
    conditions = CONDITIONS.get(field, "").split()
    by_flag = parse_config(*conditions, flag, VALUES[field])
    assert by_flag == parse_config(*conditions, "--set", f"{field}={VALUES[field]}")
    assert by_flag != parse_config(*conditions)


def test_the_dropout_is_an_option_of_the_model_alone():
    """As in Python, so that a run that was started either way can be resumed the other way."""
    config = parse_config("--dropout", "0.2")
    assert config == parse_config("--model-option", "dropout=0.2")
    assert (config.model_config.options["dropout"], config.recipe.dropout) == (0.2, "")


@pytest.mark.parametrize("arguments, field, value", [
    (("--lr", "0.02"), "learning_rate", 0.02),
    (("-b", "64"), "batch_size", 64),
    (("--label-smoothing=0.1",), "label_smoothing", 0.1),
    (("--weight-decay", "1e-3"), "weight_decay", 0.001),
    (("--lr", "0.1", "--lr", "0.02"), "learning_rate", 0.02),
    (("--augmentation", ""), "augmentation", ""),
])
def test_short_forms(arguments, field, value):
    assert getattr(parse_config(*arguments).recipe, field) == value


@pytest.mark.parametrize("arguments, parts", [
    ("--lr 0.1 --learning-rate 0.2", ["--lr 0.1", "--learning-rate 0.2"]),
    ("--optimizer sgd --set optimizer=adam", ["--optimizer sgd", "--set optimizer=adam"]),
    ("--learning-rate fast", ["--learning-rate", "fast"]),
    ("-b many", ["--batch-size", "many"]),
    ("--label-smoothing 1", ["label_smoothing", 0, 1, "1.0"]),
    ("--optimizer adma", ["optimizer", "adma", "adadelta", "adam", "adamw", "nesterov", "rmsprop", "sgd"]),
])
def test_invalid_values_of_the_flags(arguments, parts):
    with pytest.raises(UserError) as error:
        parse_config(*arguments.split())
    check_message(error.value, *parts)


@pytest.mark.parametrize("arguments, flag", [("--optimizer sgd", "--optimizer"), ("--lr-patience 3", "--lr-patience"),
                                             ("--set optimizer=sgd", "--set")])
def test_a_resumed_run_keeps_its_recipe(arguments, flag):
    argv = ["--resume", "runs/nothing", *arguments.split()]
    with pytest.raises(UserError) as error:
        train_args.parse_resume(train.build_parser(), train.build_parser().parse_args(argv), argv)
    check_message(error.value, "--resume", flag, "--epochs", "--gpu", "--data-dir")


def test_finetune_is_train_with_other_defaults():
    arguments = finetune.build_parser().parse_args(
        ["vgg16", "--data", "digits", "--optimizer", "adamw", "--learning-rate", "0.02", "--label-smoothing", "0.1"])
    recipe = training_command.parse_run_config(arguments).recipe
    assert (recipe.optimizer, recipe.learning_rate, recipe.label_smoothing, recipe.epochs) == ("adamw", 0.02, 0.1, 10)
    assert {*finetune.build_parser()._option_string_actions} == {*train.build_parser()._option_string_actions}


def test_each_field_has_its_help_text():
    text = " ".join(train.build_parser().format_help().split())
    for field in recipes.RECIPE_FIELDS.values():
        assert field.metadata["help"] in text
