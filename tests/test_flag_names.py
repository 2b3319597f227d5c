"""Messages that name options: Python's keywords in the library, flags on the command line."""

import ast
import re
from pathlib import Path

import pytest
from helpers import check_message

import zoo
from zoo.__main__ import main
from zoo.errors import UserError
from zoo.utils.flag_names import translate_keywords, translate_note

PACKAGE = Path(zoo.__file__).parent


@pytest.mark.parametrize("message, expected", [
    ("choose another name=..., please", "choose another --name, please"),
    ("give gpu='none'", "give --gpu none"),
    ("give gpu=[0, 1]; no more", "give --gpu 0,1; no more"),
    ("pass batch_size=62 or 64", "pass --batch-size 62 or 64"),
    ("give precision='bfloat16' or 'float32'", "give --precision bfloat16 or float32"),
    ("a lower learning_rate=... may help", "a lower --lr may help"),
    ("give initializer='he_normal', or batch_norm=True",
     "give --initializer he_normal, or --model-option batch_norm=true"),
    ("give name='my run'", "give --name 'my run'"),
    ("try width=0.5.", "try --width 0.5."),
    ("give another output=...", "give another --output"),
    ("omit rankdir=..., or use style='boxes'", "omit --rankdir, or use --style boxes"),
    ("start with host_index=0; hosts='slurm' requires srun", "start with --host-index 0; --hosts slurm requires srun"),
    ("--set batch_size=3 and --model-option scale=true", "--set batch_size=3 and --model-option scale=true"),
    ("runs/limit=3 and 'name=a' and my_name=b and XLA=1", "runs/limit=3 and 'name=a' and my_name=b and XLA=1"),
])
def test_a_keyword_becomes_a_flag(message, expected):
    assert translate_keywords(message) == expected


def find_flags_in_errors(code):
    """Yield the texts with a flag, such as --gpu or -o, of the UserErrors that a module raises."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "UserError":
            yield from (part.value for part in ast.walk(node) if isinstance(part, ast.Constant)
                        and isinstance(part.value, str) and re.search(r"(?<![\w-])-(-[a-z]|[a-z]\b)", part.value))


def test_errors_below_the_command_line_name_keywords():
    assert [*find_flags_in_errors("raise UserError(f'{x}; give --gpu')")] == ["; give --gpu"]
    assert [*find_flags_in_errors("raise UserError('a -o b')")] == ["a -o b"]
    files = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "cli" and path.name != "__main__.py"]
    assert len(files) > 100
    assert {path: texts for path in files if (texts := [*find_flags_in_errors(path.read_text("utf-8"))])} == {}


def test_only_the_notes_of_a_header_are_translated():
    assert translate_note("note     give data_dir=...") == "note     give --data-dir"
    assert translate_note("run      name=a") == "run      name=a"


@pytest.mark.parametrize("call, arguments, keyword, flag", [
    (lambda: zoo.fit("lenet5", "digits", name="a/b"), "train lenet5 --name a/b", "name='a/b'", "--name a/b"),
    (lambda: zoo.fit("lenet5", "digits", gpu=0), "train lenet5 --gpu 0", "gpu='none'", "--gpu none"),
    (lambda: zoo.fit("lenet5", "digits", gpu="x"), "train lenet5 --gpu x", "gpu='x'", "--gpu x"),
    (lambda: zoo.fit("lenet5", "."), "train lenet5 --dataset .", "labels_from='filename'", "--labels-from filename"),
    (lambda: zoo.build("nin", weights="imagenet"), "finetune nin --dataset digits", "weights='cifar10' or None",
     "--weights cifar10 or none"),
    (lambda: zoo.build("resnet110", weights="imagenet"), "finetune resnet110 --dataset digits",
     "weights=None", "--weights none"),
    (lambda: zoo.diagram("lenet5", style="volumes", rankdir="TB"), "diagram lenet5 --style volumes --rankdir TB",
     "rankdir=...", "--rankdir"),
    (lambda: zoo.fit("lenet5", "digits", freeze="all"), "train lenet5 --freeze all", "freeze=...", "--freeze"),
    (lambda: zoo.fit("lenet5", "digits", head_layers="x"), "train lenet5 --head-layers x", "head_layers=...",
     "--head-layers"),
])
def test_keywords_in_python_and_flags_on_the_command_line(call, arguments, keyword, flag, tmp_path, monkeypatch,
                                                          capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))  # without nvidia-smi
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(UserError) as error:
        call()
    check_message(error.value, keyword)
    assert "--" not in str(error.value)
    assert main(arguments.split()) == 2
    line = capsys.readouterr().err
    check_message(line.removesuffix("\n"), flag)
    assert keyword not in line
