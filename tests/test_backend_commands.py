"""Train, evaluate and predict with the command line on the backends that are not the default."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.data.datasets import load_dataset_by_name

ROOT = Path(__file__).resolve().parents[1]
# Runs several commands in one process: a backend takes seconds to load
ALL = """
import importlib, json, sys
for module, *arguments in json.loads(sys.argv[1]):
    status = importlib.import_module(module).main(arguments)
    print(f"status {status}", flush=True)
"""


def run_commands(folder, *commands):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "KERAS_HOME": str(folder / "keras")}
    environment.pop("KERAS_BACKEND", None)
    process = subprocess.run([sys.executable, "-c", ALL, json.dumps(commands)], cwd=folder, env=environment,
                             capture_output=True, text=True, encoding="utf-8", timeout=300)
    assert process.returncode == 0, process.stderr
    outputs = process.stdout.split("status 0\n")
    assert len(outputs) == len(commands) + 1, process.stdout + process.stderr
    return outputs[:-1]


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_train_evaluate_predict(backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"pip install '.[{backend}]' for {backend}")
    digits = load_dataset_by_name("digits").test
    Image.fromarray(digits.batch(np.array([0]))[0][0, ..., 0]).save(tmp_path / "digit.png")
    backend_arguments = ("--gpu", "none", "--backend", backend)
    run_arguments = ("--output-dir", ".", "--name", "run")
    train_output, resume_output, evaluate_output, predict_output = run_commands(
        tmp_path, ("zoo.cli.train", "lenet5", "--limit", "300", "--batch-size", "100", "--epochs", "1", "--recipe",
                   "notes", *run_arguments, *backend_arguments),  # three whole batches: each size is compiled
        ("zoo.cli.train", "--resume", "run", "--epochs", "2", *backend_arguments),
        ("zoo.cli.evaluate", "run", *backend_arguments),
        ("zoo.cli.predict", "run", "digit.png", "--top-k", "1", *backend_arguments))
    assert backend in train_output.splitlines()[2] and "1/1" in train_output and "2/2" in resume_output
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["test_accuracy_best"] > 0.2  # chance is 0.1
    assert f"{result['test_accuracy_best']:.2%}" in evaluate_output
    assert re.fullmatch(r"digit\.png: \d \d+\.\d\d%\n", predict_output)
