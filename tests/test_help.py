"""--help: enough to write the right command, printed immediately, without NumPy or a backend."""

import argparse
import importlib
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.__main__ import COMMANDS, USAGE_EXAMPLES
from zoo.cli import help_text, training_command

ROOT = Path(__file__).resolve().parents[1]
PARSERS = {command: importlib.import_module(f"zoo.cli.{command.replace('-', '_')}").build_parser()
           for command in COMMANDS}
MAX_UNGROUPED = 9  # parsers with more arguments show them in groups; those of the recipe are one group


def parse(command_line):
    command, *arguments = shlex.split(command_line)
    parser = PARSERS[command]
    intermixed = command in ("predict", "export", "visualize", "diagram", "compare")
    return (parser.parse_intermixed_args if intermixed else parser.parse_args)(arguments)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_three_examples_that_parse(command):
    parser = PARSERS[command]
    lines = parser.format_help().rstrip().splitlines()
    assert len(parser.examples) >= 3
    assert lines[-len(parser.examples):] == [f"  {parser.prog} {arguments}".rstrip() for arguments in parser.examples]
    for example in parser.examples:
        parse(f"{command} {example}")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_argument_is_explained_in_groups_of_few(command):
    parser = PARSERS[command]
    actions = [action for action in parser._actions if action.help != argparse.SUPPRESS]
    assert all(action.help and len(action.help.split()) >= 3 for action in actions)
    groups = [group for group in parser._action_groups if group._group_actions]
    if len(actions) > MAX_UNGROUPED:
        assert len(groups) > 2


@pytest.mark.parametrize("example", USAGE_EXAMPLES)
def test_an_example_of_the_whole_program(example):
    parse(example)


@pytest.mark.parametrize("text, width, lines", [
    ("epochs, such as '82 123'", 20, ["epochs, such as", "'82 123'"]),
    ("a flag such as --host-index", 20, ["a flag such as", "--host-index"]),
    ("the network's own, or that of Keras's", 20, ["the network's own,", "or that of Keras's"]),
    ("  name  what it is", 14, ["  name  what", "        it is"]),
    ("  lenet5, vgg16", 12, ["  lenet5,", "  vgg16"]),
])
def test_wrapping(text, width, lines):
    assert help_text.wrap_help_line(text, width) == lines


@pytest.mark.parametrize("command, status, lines", [
    ("--version 2>&-", 0, 1), ("--version >&-", 0, 0), ("nonsense 2>&-", 2, 0), ("nonsense 0<&- >&- 2>&-", 2, 0)])
def test_closed_streams(command, status, lines):
    """Programs that start others, such as cron and services, can close them."""
    process = subprocess.run(["bash", "-c", f'"$0" -m zoo {command}', sys.executable], cwd=ROOT, capture_output=True)
    assert (process.returncode, process.stdout.count(b"\n"), process.stderr) == (status, lines, b"")


def test_help_loads_neither_numpy_nor_a_backend():
    code = ("import contextlib, io, sys\nfrom zoo.__main__ import COMMANDS, main\n"
            "for words in ([], *([command] for command in COMMANDS)):\n"
            "    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
            "        main([*words, '--help'])\n"
            "print(*{'keras', 'tensorflow', 'jax', 'torch', 'numpy', 'PIL', 'matplotlib'} & set(sys.modules))")
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (process.stdout, process.stderr) == ("\n", "")


# Tasks, and how they are typed according to --help
TASKS = [
    ("evaluate runs/mine --data other/ --json", {"data": "other/", "json": True}),
    ("evaluate runs/mine --split validation --checkpoint last", {"split": "validation", "checkpoint": "last"}),
    ("export runs/mine --format onnx --checkpoint last -o mine.onnx", {"format": "onnx", "output": "mine.onnx"}),
    ("predict xception images/ --weights imagenet --top-k 3 -o top.csv",
     {"model": "xception", "images": ["images/"], "top_k": "3", "output": "top.csv"}),
    ("visualize runs/mine --image cat.png --plot gradcam --layers conv5 -o cam.pdf",
     {"plot": "gradcam", "layers": "conv5"}),
    ("diagram vgg16 --image-size 32 --classes 10 --detail layers --theme dark -o vgg16.pdf",
     {"image_size": "32", "theme": "dark"}),
    ("summary resnet34 --batch-size 64 --memory-limit 24", {"batch_size": "64", "memory_limit": "24"}),
    ("extract-features vgg16 --dataset pets/ --labels-from filename --feature-layer pool4 --pooling none -o pool4.npz",
     {"labels_from": "filename", "pooling": "none"}),
    ("compare runs/a runs/b -o page.html", {"runs": ["runs/a", "runs/b"]}),
    ("recipes vgg16 cifar100 --recipe paper", {"recipe": "paper"}),
    ("train --resume runs/mine --epochs 60 --gpu none", {"resume": "runs/mine", "network": None}),
    ("train lenet5 --runs 5 --seed 10", {"runs": "5", "seed": "10"}),
    ("train resnet34 --dataset cifar10 --gpu 0,1 --log tensorboard --log wandb --name mine --output-dir /data/runs",
     {"gpu": "0,1", "log": ["tensorboard", "wandb"]}),
]


@pytest.mark.parametrize("command_line, values", TASKS)
def test_a_task(command_line, values):
    arguments = vars(parse(command_line))
    assert {name: arguments[name] for name in values} == values


RECIPES = [  # (command, fields of the recipe in its run config)
    ("train resnet34 --dataset cifar10 --gpu 3 --label-smoothing 0.1 --early-stopping-patience 5",
     {"label_smoothing": 0.1, "early_stopping_patience": 5}),
    ("train resnet34 --dataset cifar10 --optimizer sgd --momentum 0.9 --lr 0.1 --warmup-epochs 0 --lr-schedule step "
     "--milestones '82 123' --gamma 0.1 --epochs 164 --weight-decay 1e-4",
     {"optimizer": "sgd", "learning_rate": 0.1, "milestones": "82 123", "epochs": 164, "weight_decay": 1e-4}),
    ("train vgg16 --dataset cifar10 --augmentation 'flip crop=4 mixup=0.2' --ema-momentum 0.999 "
     "--model-option batch_norm=true --width 0.5",
     {"augmentation": "flip crop=4 mixup=0.2", "ema_momentum": 0.999}),
    ("train googlenet --dataset cifar100 --label-mode coarse --aux-loss-weights 0.2 --limit 1000 "
     "--gpu none --max-seconds 3600",
     {"aux_loss_weights": "0.2"}),
    ("train lenet5 --dataset mnist --recipe paper --batch-size 64", {"batch_size": 64, "optimizer": "sgd"}),
    ("train lenet5 --lr-schedule plateau --lr-patience 4 --gamma 0.5 --min-lr 1e-5",
     {"lr_schedule": "plateau", "lr_patience": 4, "gamma": 0.5, "min_lr": 1e-5}),
    ("finetune lenet5 --dataset digits --weights mnist --freeze none --two-stage --head-epochs 3 --epochs 10",
     {"optimizer": "adam", "epochs": 10}),
]


@pytest.mark.parametrize("command_line, fields", RECIPES)
def test_a_task_of_training(command_line, fields):
    recipe = training_command.parse_run_config(parse(command_line)).recipe
    assert {name: getattr(recipe, name) for name in fields} == fields
