"""The layers of the package: which modules may import which, and what may be used where."""

import ast
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "zoo"
FOUNDATION_MODULES = {"registry", "catalogue", "model_info", "modality", "devices", "env", "errors", "utils"}  # layer 0
PACKAGES = {"layers": 1, "models": 2, "analysis": 3, "data": 3, "weights": 4, "training": 5, "exporters": 6, "plots": 6,
            "diagrams": 7, "reports": 8, "runs": 9, "cli": 10}
COMMAND_LAYER = 10  # the only one with argparse
ENTRY_POINTS = 11  # zoo itself, zoo.train, zoo.__main__
# where Keras has no public name: distribution over devices, data without autotuning, a fused normalization,
# the values that several hosts exchange
BACKENDS = dict.fromkeys(("training/distribution/tensorflow_strategy.py", "training/prefetch.py",
                          "training/cpu_kernels.py"), "tensorflow") | {"training/distribution/multihost.py": "jax"}
# imported by zoo itself: the variables that TensorFlow reads must be set before it is imported
IMPORTED_BY_ZOO = "zoo.env"
# on the layer of the commands, but not commands
SHARED_CLI_MODULES = {"common", "train_args", "reporting", "flag_hints", "help_text", "parser", "training_command",
                      "training_parser", "unknown_flags", "dataset_args", "visualize_parser", "multi_seed"}


@dataclass(frozen=True)
class Import:
    target: str  # zoo.utils.io, keras.layers
    name: str  # the name in `from target import name`, or ""
    line: int
    at_module_level: bool


def get_module_name(path):
    """'models/vgg.py' -> 'zoo.models.vgg', 'models/__init__.py' -> 'zoo.models'."""
    parts = ("zoo", *Path(path).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def find_imports(path, tree, modules):
    """Yield every import of a file, also in functions, and importlib calls as far as the name is a literal."""
    package = get_module_name(path) if Path(path).name == "__init__.py" else get_module_name(path).rpartition(".")[0]
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    deferred = {id(inner) for node in ast.walk(tree) if isinstance(node, functions) or is_for_type_checkers(node)
                for inner in ast.walk(node)}
    for node in ast.walk(tree):
        position = (getattr(node, "lineno", 0), id(node) not in deferred)
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, "", *position) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join(above + ([base] if base else []))
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield Import(inner, "", *position) if inner in modules else Import(base, alias.name, *position)
        elif isinstance(node, ast.Call) and node.args and get_called_name(node) in ("import_module", "__import__"):
            first = node.args[0]
            text = first.values[0] if isinstance(first, ast.JoinedStr) else first
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield Import(text.value.rstrip("."), "" if text is first else "*", *position)


def is_for_type_checkers(node):
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def get_called_name(call):
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def get_package(module):
    """Return the package of zoo that a module is in: 'zoo.models.vgg' -> 'models', 'zoo' -> ''."""
    return (module.split(".") + [""])[1]


def get_layer(module):
    name = get_package(module)
    return 0 if name in FOUNDATION_MODULES else PACKAGES.get(name, ENTRY_POINTS)


def is_command(module):
    return module.startswith("zoo.cli.") and module.split(".")[2] not in SHARED_CLI_MODULES


def is_import_allowed(module, target):
    """Allow imports from lower layers and from the same package; the modules of layer 0 count as one package."""
    is_same_package = get_package(module) == get_package(target) or get_layer(module) == 0
    return get_layer(target) < get_layer(module) or (is_same_package and get_layer(target) == get_layer(module))


def find_violations(sources):
    """Return a line for each violation of the rules in {path under zoo/: text}."""
    modules = {get_module_name(path) for path in sources}
    violations, edges = [], {}
    for path, text in sources.items():
        tree = ast.parse(text)
        module, package = get_module_name(path), get_package(get_module_name(path))
        layer = get_layer(module)
        file_imports = list(find_imports(path, tree, modules))
        edges[module] = {imported.target for imported in file_imports if imported.at_module_level
                         and imported.target in modules}

        def report(line, message, path=path):
            violations.append(f"zoo/{path}:{line}: {message}")

        for imported in file_imports:
            root = imported.target.split(".")[0]
            private = f"{imported.target}.{imported.name}.".startswith("keras.src.")
            if module == "zoo":
                if (imported.at_module_level and imported.target != IMPORTED_BY_ZOO
                        and root not in sys.stdlib_module_names):
                    report(imported.line, f"zoo itself imports {imported.target} when it is imported")
            elif root == "zoo":
                if imported.target == "zoo":
                    if layer < COMMAND_LAYER and imported.name and not imported.name.startswith("__"):
                        report(imported.line, "imports zoo's front door")
                elif is_command(imported.target) and layer < ENTRY_POINTS:
                    report(imported.line, f"imports the command {imported.target}")
                elif not is_import_allowed(module, imported.target):
                    report(imported.line,
                           f"layer {layer} imports {imported.target} of layer {get_layer(imported.target)}")
            elif layer == 0 and root not in sys.stdlib_module_names:
                report(imported.line, f"layer 0 imports {root}")
            if root in ("tensorflow", "jax", "torch") and BACKENDS.get(path) != root:
                report(imported.line, f"imports the backend {root}")
            if root == "argparse" and (layer < COMMAND_LAYER or module == "zoo"):
                report(imported.line, "imports argparse")
            if root == "matplotlib" and package not in ("plots", "diagrams", "reports"):
                report(imported.line, "imports matplotlib")
            if private:
                report(imported.line, "imports Keras's private keras.src")
            if root == "os" and imported.name in ("environ", "getenv",
                                                  "environb") and package not in ("env", "devices"):
                report(imported.line, "reads the environment")
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if (node.value.id, node.attr) == ("keras", "src"):
                    report(node.lineno, "uses Keras's private keras.src")
                if node.value.id == "zoo" and layer < COMMAND_LAYER and not node.attr.startswith("__") \
                        and node.attr not in {*FOUNDATION_MODULES, *PACKAGES}:
                    report(node.lineno, "uses zoo's front door")
                if node.value.id == "os" and node.attr in ("environ", "getenv", "environb") \
                        and package not in ("env", "devices"):
                    report(node.lineno, "reads the environment")
    return violations + [f"a cycle: {' -> '.join(cycle)}" for cycle in find_cycles(edges)]


def find_cycles(edges):
    """Return the cycles in {module: imported modules}, each from its first name back to itself."""
    cycles, visited = [], set()

    def walk(module, chain):
        if module in chain:
            cycles.append([*chain[chain.index(module):], module])
        elif module not in visited:
            for target in sorted(edges.get(module, ())):
                walk(target, [*chain, module])
            visited.add(module)

    for module in sorted(edges):
        walk(module, [])
    return cycles


@pytest.fixture(scope="module")
def sources():
    return {str(path.relative_to(ROOT)): path.read_text() for path in sorted(ROOT.rglob("*.py"))}


def test_imports_respect_the_layers(sources):
    assert len(sources) > 30  # the files of zoo are found
    assert find_violations(sources) == []


VIOLATIONS = {
    "upwards": ({"layers/blocks.py": "from zoo.models import vgg", "models/vgg.py": ""},
                "layer 1 imports zoo.models.vgg of layer 2"),
    "upwards in a function": ({"data/datasets.py": "def f():\n    from zoo.training.trainer import fit"},
                              "layer 3 imports zoo.training.trainer of layer 5"),
    "upwards by a relative import": ({"models/vgg.py": "from ..training import run", "training/run.py": ""},
                                     "layer 2 imports zoo.training.run of layer 5"),
    "upwards by importlib": ({"layers/blocks.py": "import importlib\nimportlib.import_module('zoo.models.vgg')"},
                             "layer 1 imports zoo.models.vgg of layer 2"),
    "upwards by importlib, in part": ({"layers/blocks.py": "import importlib\n"
                                                           "importlib.import_module(f'zoo.models.{x}')"},
                                      "layer 1 imports zoo.models of layer 2"),
    "one layer up": ({"data/datasets.py": "import zoo.weights.maps"}, "layer 3 imports zoo.weights.maps of layer 4"),
    "from layer 0": ({"registry.py": "import zoo.layers.blocks"}, "layer 0 imports zoo.layers.blocks of layer 1"),
    "a library on layer 0": ({"devices.py": "import numpy.linalg"}, "layer 0 imports numpy"),
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


@pytest.mark.parametrize("files, message", VIOLATIONS.values(), ids=VIOLATIONS)
def test_the_checker_finds_a_violation(files, message):
    (violation,) = find_violations(files)
    assert violation.endswith(f": {message}")


def test_the_checker_finds_a_cycle():
    files = {"layers/a.py": "from zoo.layers import b", "layers/b.py": "from .c import x",
             "layers/c.py": "import zoo.layers.a"}
    assert find_violations(files) == ["a cycle: zoo.layers.a -> zoo.layers.b -> zoo.layers.c -> zoo.layers.a"]
    files["layers/c.py"] = "def f():\n    import zoo.layers.a"
    assert find_violations(files) == []


def test_the_checker_accepts_valid_imports():
    assert find_violations({
        "__init__.py": "from zoo import env\ndef build():\n    from zoo.models.builder import build",
        "registry.py": "import math\nfrom zoo.errors import UserError",
        "models/vgg.py": ("from keras import layers\nfrom zoo.models import builder\n"
                          "from zoo.layers.blocks import scaled"),
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


def test_no_public_function_has_the_name_of_a_module(sources):
    import zoo

    assert {"build", "describe", "fit", "Run", "load", "list_models"} <= set(zoo.__all__)
    assert set(zoo.__all__) & {get_package(get_module_name(path)) for path in sources} == set()


def test_editors_see_the_lazily_imported_names(sources):
    import zoo

    (block,) = [node for node in ast.parse(sources["__init__.py"]).body if isinstance(node, ast.If)]
    assert {alias.name: node.module for node in block.body for alias in node.names} == zoo._LAZY_IMPORTS


def test_the_registry_and_the_model_files_agree(sources):
    from zoo.catalogue import MODELS

    files = {Path(path).stem for path in sources if path.startswith("models/")} - {
        "__init__", "builder"}
    assert {spec.module for spec in MODELS.values()} == files


def test_every_command_is_listed(sources):
    from zoo.__main__ import COMMANDS as listed

    assert {Path(path).stem for path in sources if is_command(get_module_name(path))} == {
        name.replace("-", "_") for name in listed}
