"""The floors of the house: who may import whom, and what may be used where."""

import ast
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "zoo"
FACTS = {"registry", "devices", "env", "errors", "utils"}  # floor 0
PACKAGES = {"layers": 1, "models": 2, "analysis": 3, "data": 3, "weights": 4, "training": 5, "exporters": 6, "plots": 6,
            "diagrams": 7, "reports": 8, "runs": 9, "cli": 10}
COMMANDS = 10  # argparse lives there and nowhere else
DOORS = 11  # zoo itself, zoo.train, zoo.__main__
# where Keras has no public name: its engine for several devices, data without autotuning, a fused normalisation, the
# values that several hosts exchange
BACKENDS = dict.fromkeys(("training/distribution/mirrored.py", "training/prefetch_tensorflow.py",
                          "training/cpu_kernels.py"), "tensorflow") | {"training/distribution/multihost.py": "jax"}
AT_THE_DOOR = "zoo.env"  # zoo itself imports it: what TensorFlow reads must be set before it is imported
# on the commands' floor, and no command themselves
FRONT = {"common", "train_args", "reporting", "flag_hints", "help_text", "parser", "training_command", "unknown_flags"}


@dataclass(frozen=True)
class Import:
    target: str  # zoo.utils.io, keras.layers
    name: str  # what `from target import name` takes out of it, or ""
    line: int
    at_module_level: bool


def module_of(path):
    """'models/vgg.py' -> 'zoo.models.vgg', 'models/__init__.py' -> 'zoo.models'."""
    parts = ("zoo", *Path(path).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path, tree, modules):
    """Every import of a file, wherever it stands; importlib's too, as far as the name is written out."""
    package = module_of(path) if Path(path).name == "__init__.py" else module_of(path).rpartition(".")[0]
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    deferred = {id(inner) for node in ast.walk(tree) if isinstance(node, functions) or is_for_type_checkers(node)
                for inner in ast.walk(node)}
    for node in ast.walk(tree):
        where = (getattr(node, "lineno", 0), id(node) not in deferred)
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, "", *where) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join(above + ([base] if base else []))
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield Import(inner, "", *where) if inner in modules else Import(base, alias.name, *where)
        elif isinstance(node, ast.Call) and node.args and called(node) in ("import_module", "__import__"):
            first = node.args[0]
            text = first.values[0] if isinstance(first, ast.JoinedStr) else first
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield Import(text.value.rstrip("."), "" if text is first else "*", *where)


def is_for_type_checkers(node):
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def called(call):
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def room(module):
    """The part of zoo that a module is in: 'zoo.models.vgg' -> 'models', 'zoo' -> ''."""
    return (module.split(".") + [""])[1]


def floor(module):
    name = room(module)
    return 0 if name in FACTS else PACKAGES.get(name, DOORS)


def is_command(module):
    return module.startswith("zoo.cli.") and module.split(".")[2] not in FRONT


def may_import(module, target):
    """From the floors below, from its own package; the single modules of floor 0 and of the top are one each."""
    same = room(module) == room(target) or floor(module) == 0
    return floor(target) < floor(module) or (same and floor(target) == floor(module))


def faults(sources):
    """Return a line for each breach of the rules in {path under zoo/: text}."""
    modules = {module_of(path) for path in sources}
    found, edges = [], {}
    for path, text in sources.items():
        tree = ast.parse(text)
        module, here = module_of(path), room(module_of(path))
        level = floor(module)
        taken = list(imports(path, tree, modules))
        edges[module] = {each.target for each in taken if each.at_module_level and each.target in modules}

        def fault(line, arguments, path=path):
            found.append(f"zoo/{path}:{line}: {arguments}")

        for each in taken:
            root, private = each.target.split(".")[0], f"{each.target}.{each.name}.".startswith("keras.src.")
            if module == "zoo":
                if each.at_module_level and each.target != AT_THE_DOOR and root not in sys.stdlib_module_names:
                    fault(each.line, f"zoo itself imports {each.target} when it is imported")
            elif root == "zoo":
                if each.target == "zoo":
                    if level < COMMANDS and each.name and not each.name.startswith("__"):
                        fault(each.line, "imports zoo's front door")
                elif is_command(each.target) and level < DOORS:
                    fault(each.line, f"imports the command {each.target}")
                elif not may_import(module, each.target):
                    fault(each.line, f"floor {level} imports {each.target} of floor {floor(each.target)}")
            elif level == 0 and root not in sys.stdlib_module_names:
                fault(each.line, f"floor 0 imports {root}")
            if root in ("tensorflow", "jax", "torch") and BACKENDS.get(path) != root:
                fault(each.line, f"imports the backend {root}")
            if root == "argparse" and (level < COMMANDS or module == "zoo"):
                fault(each.line, "imports argparse")
            if root == "matplotlib" and here not in ("plots", "diagrams", "reports"):
                fault(each.line, "imports matplotlib")
            if private:
                fault(each.line, "imports Keras's private keras.src")
            if root == "os" and each.name in ("environ", "getenv", "environb") and here not in ("env", "devices"):
                fault(each.line, "reads the environment")
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if (node.value.id, node.attr) == ("keras", "src"):
                    fault(node.lineno, "uses Keras's private keras.src")
                if node.value.id == "zoo" and level < COMMANDS and not node.attr.startswith("__") \
                        and node.attr not in {*FACTS, *PACKAGES}:
                    fault(node.lineno, "uses zoo's front door")
                if node.value.id == "os" and node.attr in ("environ", "getenv", "environb") \
                        and here not in ("env", "devices"):
                    fault(node.lineno, "reads the environment")
    return found + [f"a circle: {' -> '.join(circle)}" for circle in circles(edges)]


def circles(edges):
    """The circles among {module: the modules it imports}, each from its first name to itself again."""
    found, done = [], set()

    def walk(module, way):
        if module in way:
            found.append([*way[way.index(module):], module])
        elif module not in done:
            for target in sorted(edges.get(module, ())):
                walk(target, [*way, module])
            done.add(module)

    for module in sorted(edges):
        walk(module, [])
    return found


@pytest.fixture(scope="module")
def sources():
    return {str(path.relative_to(ROOT)): path.read_text() for path in sorted(ROOT.rglob("*.py"))}


def test_the_house_keeps_its_floors(sources):
    assert len(sources) > 30  # it is our files that are walked
    assert faults(sources) == []


BREACHES = {
    "upwards": ({"layers/blocks.py": "from zoo.models import vgg", "models/vgg.py": ""},
                "floor 1 imports zoo.models.vgg of floor 2"),
    "upwards in a function": ({"data/datasets.py": "def f():\n    from zoo.training.trainer import fit"},
                              "floor 3 imports zoo.training.trainer of floor 5"),
    "upwards by a relative import": ({"models/vgg.py": "from ..training import run", "training/run.py": ""},
                                     "floor 2 imports zoo.training.run of floor 5"),
    "upwards by importlib": ({"layers/blocks.py": "import importlib\nimportlib.import_module('zoo.models.vgg')"},
                             "floor 1 imports zoo.models.vgg of floor 2"),
    "upwards by importlib, in part": ({"layers/blocks.py": "import importlib\nimportlib.import_module(f'zoo.models.{x}')"},
                                      "floor 1 imports zoo.models of floor 2"),
    "one floor up": ({"data/datasets.py": "import zoo.weights.maps"}, "floor 3 imports zoo.weights.maps of floor 4"),
    "from floor 0": ({"registry.py": "import zoo.layers.blocks"}, "floor 0 imports zoo.layers.blocks of floor 1"),
    "a library on floor 0": ({"devices.py": "import numpy.linalg"}, "floor 0 imports numpy"),
    "a command": ({"cli/evaluate.py": "from zoo.cli.train import main", "cli/train.py": ""},
                  "imports the command zoo.cli.train"),
    "a command from below": ({"reports/run_outputs.py": "from zoo.cli import train", "cli/train.py": ""},
                             "imports the command zoo.cli.train"),
    "the front door": ({"training/trainer.py": "from zoo import build"}, "imports zoo's front door"),
    "the front door, by attribute": ({"training/trainer.py": "import zoo\nzoo.build('vgg16')"},
                                     "uses zoo's front door"),
    "work at import": ({"__init__.py": "import keras"}, "zoo itself imports keras when it is imported"),
    "argparse": ({"training/run.py": "from argparse import ArgumentParser"}, "imports argparse"),
    "matplotlib": ({"cli/train.py": "def f():\n    import matplotlib.pyplot as plt"}, "imports matplotlib"),
    "environment": ({"training/run.py": "import os\nos.environ['HOME']"}, "reads the environment"),
    "environment, one variable": ({"cli/train.py": "import os\nos.getenv('HOME')"}, "reads the environment"),
    "environment by name": ({"utils/io.py": "from os import environ"}, "reads the environment"),
    "a backend": ({"training/trainer.py": "def f():\n    import tensorflow as tf"}, "imports the backend tensorflow"),
    "a part of a backend": ({"layers/layers.py": "from jax import numpy"}, "imports the backend jax"),
    "private Keras": ({"layers/layers.py": "from keras.src.layers import Layer"}, "imports Keras's private keras.src"),
    "private Keras by name": ({"layers/layers.py": "from keras import src"}, "imports Keras's private keras.src"),
    "private Keras by attribute": (
        {"layers/layers.py": "import keras\nkeras.src.layers"}, "uses Keras's private keras.src"),
}


@pytest.mark.parametrize("files, arguments", BREACHES.values(), ids=BREACHES)
def test_the_walker_catches(files, arguments):
    (found,) = faults(files)
    assert found.endswith(f": {arguments}")


def test_the_walker_catches_a_circle():
    files = {"layers/a.py": "from zoo.layers import b", "layers/b.py": "from .c import x",
             "layers/c.py": "import zoo.layers.a"}
    assert faults(files) == ["a circle: zoo.layers.a -> zoo.layers.b -> zoo.layers.c -> zoo.layers.a"]
    files["layers/c.py"] = "def f():\n    import zoo.layers.a"
    assert faults(files) == []


def test_the_walker_lets_pass_what_is_right():
    assert faults({
        "__init__.py": "from zoo import env\ndef build():\n    from zoo.models.builder import build",
        "registry.py": "import math\nfrom zoo.errors import UserError",
        "models/vgg.py": "from keras import layers\nfrom zoo.models import builder\nfrom zoo.layers.blocks import scaled",
        "models/builder.py": "import importlib\nimportlib.import_module(f'zoo.models.{x}')",
        "training/run.py": "from zoo import __version__\nfrom zoo.data.datasets import load",
        "training/trainer.py": "import zoo\nimport zoo.data.datasets\nzoo.__version__, zoo.data.datasets.load",
        "plots/figures.py": "from matplotlib.figure import Figure",
        "env.py": "import os\nos.environ.get('ZOO_DATA')",
        "train.py": "from zoo.cli.train import main",
        "cli/train.py": "import argparse\nfrom zoo.cli import common\nfrom zoo.plots import figure",
        "__main__.py": "import importlib\nimportlib.import_module(f'zoo.cli.{command}')",
    }) == []


def test_import_zoo_loads_nothing_heavy():
    heavy = ["keras", "tensorflow", "jax", "torch", "numpy", "matplotlib", "jinja2"]
    code = f"import sys, zoo; zoo.list_models(); print([name for name in {heavy} if name in sys.modules])"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT.parent, check=True)
    assert process.stdout == "[]\n"


def test_no_public_function_bears_the_name_of_a_module(sources):
    import zoo

    assert {"build", "describe", "fit", "Run", "load", "list_models"} <= set(zoo.__all__)
    assert set(zoo.__all__) & {room(module_of(path)) for path in sources} == set()


def test_editors_see_the_names_that_are_imported_late(sources):
    import zoo

    (block,) = [node for node in ast.parse(sources["__init__.py"]).body if isinstance(node, ast.If)]
    assert {alias.name: node.module for node in block.body for alias in node.names} == zoo._LAZY_IMPORTS


def test_the_catalogue_and_the_files_of_the_networks_are_the_same_set(sources):
    from zoo.registry import MODELS

    files = {Path(path).stem for path in sources if path.startswith("models/")} - {
        "__init__", "builder"}
    assert {spec.module for spec in MODELS.values()} == files


def test_every_command_is_listed(sources):
    from zoo.__main__ import COMMANDS as listed

    assert {Path(path).stem for path in sources if is_command(module_of(path))} == {
        name.replace("-", "_") for name in listed}
