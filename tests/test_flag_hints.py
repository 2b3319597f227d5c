"""Flags that people bring from elsewhere, and flags of recipe fields: what they are answered, what they change."""

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.__main__ import COMMANDS
from zoo.cli import asked, finetune, train, training_command, unknown_flags
from zoo.cli.flag_hints import HINTS
from zoo.errors import UserError
from zoo.training import recipe as recipes

ROOT = Path(__file__).resolve().parents[1]
# Enough that the parser has nothing else to say
ENOUGH = {"train": ["lenet5"], "finetune": ["lenet5"], "extract": ["lenet5"], "draw": ["lenet5"], "info": ["lenet5"],
          "show": ["runs/x", "--image", "x.png"], "evaluate": ["runs/x"], "predict": ["runs/x", "x.png"],
          "lr-find": ["lenet5"], "export": ["runs/x", "--format", "onnx"], "compare": ["runs/x", "runs/y"],
          "plot": ["runs/x"]}


PARSERS = {command: importlib.import_module(f"zoo.cli.{command.replace('-', '_')}").parser() for command in COMMANDS}
OPTIONS = {command: parser._option_string_actions for command, parser in PARSERS.items()}


def cases(hint):
    """Yield (flag, command) for each flag of a row and each command that the row is for and that lacks the flag."""
    for name in hint.flags.split():
        for command, options in OPTIONS.items():
            if hint.reply.startswith("--"):
                here = all(word in options for word in hint.reply.split() if word.startswith("--"))
            else:
                here = command in (hint.commands.split() or COMMANDS)
            if here and name.replace("-", "") not in {option.replace("-", "") for option in options}:
                yield f"-{name}" if len(name) == 1 else f"--{name}", command


def refused(command, words):
    with pytest.raises(UserError) as caught:
        PARSERS[command].parse_args(words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def replacement(line):
    return shlex.split(line.split("; type ", 1)[1])


def test_the_table_has_many_habits():
    assert len({name for hint in HINTS for name in hint.flags.split()}) > 300


@pytest.mark.parametrize("hint", HINTS, ids=[f"{hint.flags.split()[0]}-{hint.reply[:30]}" for hint in HINTS])
def test_a_row_of_the_table(hint):
    own = 0
    for flag, command in cases(hint):
        forms = [[flag, *filter(None, [hint.example])]] + [[f"{flag}={hint.example}"]] * bool(hint.example)
        for words in forms:
            line = refused(command, [*ENOUGH.get(command, []), *words])
            assert re.match(rf"zoo[. ]{command} has no {flag}(; type --|: [^-])", line)
            if re.match(rf"zoo[. ]{command} has no {flag};", line):
                PARSERS[command].parse_args([*ENOUGH.get(command, []), *replacement(line)])
            else:
                check_flags(line.split(": ", 1)[1], command)
        own += said_by(flag, command, hint.example) is hint
    assert own, "for no command, or behind other rows"


def check_flags(sentence, command):
    """Flags are those of the command that the sentence has named last; at first, of the one that was typed."""
    for module, flag in re.findall(r"python -m zoo[. ](\w+)|(--[a-z][a-z-]*)", sentence):
        command = module or command
        assert not flag or flag in OPTIONS[command]


def said_by(flag, command, example):
    """Return the row that answers."""
    options = {option: action.metavar for option, action in OPTIONS[command].items()}
    return next(hint for hint in HINTS
                if unknown_flags.key(flag) in map(unknown_flags.key, hint.flags.split())
                and unknown_flags.applies(hint, f"zoo {command}", example or None, options))


@pytest.mark.parametrize("command, words, line", [
    ("train", "lenet5 --device cpu", "zoo.train has no --device; type --gpu none"),
    ("train", "lenet5 --device 0", "zoo.train has no --device; type --gpu 0"),
    ("train", "lenet5 --device=cuda:1", "zoo.train has no --device; type --gpu 1"),
    ("train", "lenet5 --device 0,1", "zoo.train has no --device; type --gpu 0,1"),
    ("train", "--device cpu lenet5", "zoo.train has no --device; type --gpu none"),
    ("train", "lenet5 --num-epochs 5", "zoo.train has no --num-epochs; type --epochs 5"),
    ("train", "lenet5 --num_epochs=5", "zoo.train has no --num_epochs; type --epochs 5"),
    ("train", "lenet5 --num-epochs", "zoo.train has no --num-epochs; type --epochs N"),
    ("train", "lenet5 --batch_size 64", "zoo.train has no --batch_size; type --batch-size 64"),
    ("train", "lenet5 --Batchsize 64", "zoo.train has no --Batchsize; type --batch-size 64"),
    ("train", "lenet5 -lr 0.1", "zoo.train has no -lr; type --lr 0.1"),
    ("train", "lenet5 -bs 64", "zoo.train has no -bs; type --batch-size 64"),
    ("train", "lenet5 epochs=5", "zoo.train has no epochs=5; type --epochs 5"),
    ("train", "lenet5 --pretrained", "zoo.train has no --pretrained; type --weights imagenet"),
    ("train", "lenet5 --patience 7", "zoo.train has no --patience: to end training early type --stop-patience 7; "
     "--lr-patience 7 is for --schedule plateau"),
    ("train", "googlenet --aux", "zoo.train has no --aux; type --sides 0.3"),
    ("train", "lenet5 --data-path pets", "zoo.train has no --data-path; type --data pets"),
    ("train", "lenet5 --img-size 64", "zoo.train has no --img-size; type --image-size 64"),
    ("train", "--model resnet34", "zoo.train has no --model: it comes first, without a flag: python -m zoo.train "
     "resnet34"),
    ("train", "lenet5 --workers 4", "zoo.train has no --workers: zoo reads batches ahead by itself; leave it out"),
    ("train", "lenet5 --scheduler StepLR --epohcs 5", "zoo.train has no --scheduler; type --schedule step --drops "
     "'82 123'"),
    ("finetune", "vgg16 --pretrained --data pets", "zoo finetune has no --pretrained; type --weights imagenet"),
    ("finetune", "vgg16 --checkpoint runs/x", "zoo finetune has no --checkpoint: to resume a run: --resume runs/x; to "
     "start from its weights: --weights runs/x"),
    ("finetune", "vgg16 --head 128", "zoo finetune has no --head; type --head-layers 128"),
    ("predict", "runs/x x.png --device 0", "zoo predict has no --device; type --gpu 0"),
    ("predict", "runs/x x.png --top-k 3", "zoo predict has no --top-k; type --top 3"),
    ("evaluate", "--model runs/x", "zoo evaluate has no --model: the run comes first, without a flag: python -m "
     "zoo evaluate runs/x"),
    ("export", "runs/x --onnx", "zoo export has no --onnx; type --format onnx"),
    ("info", "lenet5 --imgsz 64", "zoo info has no --imgsz; type --size 64"),
    ("list", "--device cpu", "zoo list has no --device: it needs no GPU; leave it out"),
    # not in the table: by spelling
    ("train", "lenet5 --epcohs 3", "no option or argument '--epcohs' is known; did you mean --epochs?"),
    ("train", "lenet5 vgg16", "no option or argument 'vgg16' is known; see python -m zoo.train --help"),
])
def test_an_answer(command, words, line):
    words = shlex.split(words)
    if command in ("predict", "export"):
        with pytest.raises(UserError) as caught:
            PARSERS[command].parse_intermixed_args(words)
        assert str(caught.value) == line
    else:
        assert refused(command, words) == line


@pytest.mark.parametrize("words", ["train lenet5 --num-epochs 5", "export runs/x --onnx",
                                   "predict --device cpu runs/x x.png"])
def test_a_hint_is_one_line_with_status_2_before_anything_is_loaded(words):
    command, *arguments = words.split()
    code = ("import importlib, sys\nstatus = importlib.import_module('zoo.cli.' + sys.argv[1]).main(sys.argv[2:])\n"
            "print(*{'keras', 'tensorflow', 'jax', 'torch', 'numpy'} & set(sys.modules))\nsys.exit(status)")
    done = subprocess.run([sys.executable, "-c", code, command, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "\n")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: zoo{'.' if command == 'train' else ' '}{command} has no --")


# Flags of recipe fields

VALUES = {"optimizer": "adam", "learning_rate": "0.02", "momentum": "0.8", "rho": "0.7", "epsilon": "1e-6",
          "schedule": "plateau", "warmup": "2", "drops": "3 5", "factor": "0.5", "patience": "4", "floor": "1e-5",
          "stop_patience": "6", "stop_delta": "0.01", "weight_decay": "1e-3", "initializer": "orthogonal",
          "initial_bias": "0.1", "clip_norm": "2", "ema": "0.99", "batch_size": "64", "epochs": "7",
          "loss": "map_distance", "smoothing": "0.1", "max_norm": "1.9 conv1=0.9", "sides": "aux1=0.3 aux2=0.2",
          "dropout": "0.2", "augment": "rotation=15"}
FLAGS = {"patience": "--lr-patience"}  # every other: its name


def plan(*words):
    return training_command.plan_of(train.parser().parse_args(["googlenet", "--dataset", "cifar10", "--gpu", "none",
                                                               *words]))


def test_every_field_has_a_value_here():
    assert [*VALUES] == [*recipes.as_dict(recipes.Recipe())]


@pytest.mark.parametrize("field", VALUES)
def test_a_field_by_its_flag_is_as_by_set(field):
    flag = FLAGS.get(field, "--" + field.replace("_", "-"))
    by_flag = plan(flag, VALUES[field])
    assert by_flag == plan("--set", f"{field}={VALUES[field]}")
    assert by_flag != plan()


@pytest.mark.parametrize("words, field, value", [
    (("--lr", "0.02"), "learning_rate", 0.02),
    (("-b", "64"), "batch_size", 64),
    (("--label-smoothing=0.1",), "smoothing", 0.1),
    (("--weight-decay", "1e-3"), "weight_decay", 0.001),
    (("--lr", "0.1", "--lr", "0.02"), "learning_rate", 0.02),
    (("--augment", ""), "augment", ""),
])
def test_short_forms(words, field, value):
    assert getattr(plan(*words).recipe, field) == value


@pytest.mark.parametrize("words, line", [
    ("--lr 0.1 --learning-rate 0.2", "--lr 0.1 and --learning-rate 0.2 are the same field; give one of them"),
    ("--optimizer sgd --set optimizer=adam", "--optimizer sgd and --set optimizer=adam are the same field; give one of "
     "them"),
    ("--learning-rate fast", "--learning-rate is a number; given 'fast'"),
    ("-b many", "--batch-size is a whole number; given 'many'"),
    ("--smoothing 1", "smoothing is 0 or more, and less than 1; given 1.0"),
    ("--optimizer adma", "no optimizer is called 'adma'; did you mean 'adam'? (there are: adadelta, adam, adamw, "
     "nesterov, rmsprop, sgd)"),
])
def test_mistakes_with_the_flags(words, line):
    with pytest.raises(UserError) as caught:
        plan(*words.split())
    assert str(caught.value) == line


@pytest.mark.parametrize("words, said", [("--optimizer sgd", "--optimizer"), ("--lr-patience 3", "--lr-patience"),
                                         ("--set optimizer=sgd", "--set")])
def test_a_run_that_goes_on_keeps_its_recipe(words, said):
    argv = ["--resume", "runs/nothing", *words.split()]
    with pytest.raises(UserError, match=rf"^--resume goes on with a run as it was begun, {said} cannot be given; "):
        asked.resumed(train.parser(), train.parser().parse_args(argv), argv)


def test_finetune_and_train_are_the_same_program_with_other_defaults():
    arguments = finetune.parser().parse_args(
        ["vgg16", "--data", "digits", "--optimizer", "adamw", "--learning-rate", "0.02", "--label-smoothing", "0.1"])
    recipe = training_command.plan_of(arguments).recipe
    assert (recipe.optimizer, recipe.learning_rate, recipe.smoothing, recipe.epochs) == ("adamw", 0.02, 0.1, 10)
    assert {*finetune.parser()._option_string_actions} == {*train.parser()._option_string_actions}


def test_each_field_says_what_it_means():
    shown = " ".join(train.parser().format_help().split())
    for field in recipes.FIELDS.values():
        assert field.metadata["help"] in shown
