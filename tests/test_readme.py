"""The README and the docs agree with the commands and with the files of the repository."""

import re
import shlex
from pathlib import Path

import pytest
from test_help import parse

from zoo.__main__ import COMMANDS
from zoo.cli import predict, train, training_command

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_targets_of_links_and_images_exist(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text) + re.findall(r'src="([^"]+)"', text):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target


def test_each_image_has_a_license():
    licenses = (ROOT / "docs" / "images" / "README.md").read_text(encoding="utf-8")
    for image in (ROOT / "docs" / "images").glob("*.png"):
        assert f"| `{image.name}` |" in licenses


def test_the_commands_exist():
    for command in re.findall(r"python -m zoo[. ]([\w-]+)", README):
        assert command in COMMANDS


@pytest.mark.parametrize("line", [
    line for page in PAGES
    for line in re.findall(r"^python -m zoo\.train (\S.*)$", page.read_text("utf-8"), re.MULTILINE)])
def test_the_training_commands_parse(line):
    arguments = train.build_parser().parse_args(shlex.split(line, comments=True))
    assert arguments.resume or training_command.parse_run_config(arguments)


@pytest.mark.parametrize("line", [
    line for page in PAGES for line in re.findall(r"^python -m zoo (\S.*)$", page.read_text("utf-8"), re.MULTILINE)])
def test_the_other_commands_parse(line):
    parse(shlex.join(shlex.split(line, comments=True)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_code_compiles(page):
    for code in re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE):
        compile(code, page.name, "exec")


def test_the_three_is_a_three(capsys):
    assert predict.main(["lenet5", "--weights", "mnist", str(ROOT / "docs" / "images" / "three.png"), "--top-k", "1",
                         "--gpu", "none"]) == 0
    assert "three.png: 3 " in capsys.readouterr().out


def test_ci_runs_the_second_command():
    blocks = re.findall(r"```bash\n(python3 -m venv .*?)\n```", README)
    assert len(blocks) == 2 and all(block.startswith("python3 -m venv .venv && ") for block in blocks)
    command = re.search(r"<!-- tests -->\n```bash\n(.*?)\n```", README)[1]
    assert command == blocks[1] and command.endswith("-m pytest -n 2 --dist loadfile")
    assert "<!-- tests -->" in (ROOT / ".ci" / "run").read_text()  # the marker before the command
