import subprocess
import sys
from pathlib import Path

import pytest

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "unpack.py"


@pytest.fixture(scope="session")
def real_data(tmp_path_factory):
    """A folder with the real MNIST, CIFAR-10 and CIFAR-100."""
    if not REAL.exists():
        pytest.skip("the real pictures are not here: no ../shared/data/unpack.py")
    folder = tmp_path_factory.mktemp("real")
    run = subprocess.run([sys.executable, REAL, folder], capture_output=True, text=True)
    if run.returncode:
        pytest.skip(f"the real pictures could not be unpacked: {run.stderr.strip().splitlines()[-1]}")
    return folder


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    from zoo.datasets.load import load
    return load("digits", data_dir=tmp_path_factory.mktemp("empty"))


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch, tmp_path):
    """No test finds the user's own data, and none goes through a proxy."""
    monkeypatch.delenv("ZOO_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras-home"))
    monkeypatch.setenv("no_proxy", "*")
