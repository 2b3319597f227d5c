"""Settings from the environment: folders, the backend and oneDNN."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import check_message

from zoo import env
from zoo.errors import UserError


@pytest.fixture(autouse=True)
def clear_environment(monkeypatch, tmp_path):
    for name in ("ZOO_DATA", "KERAS_HOME", "KERAS_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_folders(monkeypatch, tmp_path):
    assert env.get_data_dir() is None
    assert env.get_keras_datasets_dir() == tmp_path / ".keras" / "datasets"
    monkeypatch.setenv("ZOO_DATA", "~/images")
    monkeypatch.setenv("KERAS_HOME", "~/elsewhere")
    assert env.get_data_dir() == tmp_path / "images"
    assert env.get_keras_home() == tmp_path / "elsewhere"
    assert env.get_keras_datasets_dir() == tmp_path / "elsewhere" / "datasets"
    monkeypatch.setenv("ZOO_DATA", "")
    assert env.get_data_dir() is None


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"backend": "tensorflow"}'])
def test_the_default_backend_is_tensorflow(tmp_path, text):
    if text is not None:
        (tmp_path / ".keras").mkdir()
        (tmp_path / ".keras" / "keras.json").write_text(text)
    assert env.select_backend() == "tensorflow"


def test_the_environment_comes_before_keras_json(monkeypatch, tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": "theano"}')
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(UserError) as error:
        env.select_backend()
    check_message(error.value, "theano", "jax", "tensorflow", "torch")
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert env.select_backend() == "tensorflow"
    monkeypatch.setenv("KERAS_BACKEND", "tensorfow")
    with pytest.raises(UserError) as error:
        env.select_backend()
    check_message(error.value, "tensorfow", "jax", "tensorflow", "torch")


def test_the_argument_comes_first(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    assert env.select_backend("tensorflow") == "tensorflow"
    with pytest.raises(UserError) as error:
        env.select_backend("pytorch")
    check_message(error.value, "pytorch", "jax", "tensorflow", "torch")
    assert os.environ["KERAS_BACKEND"] == "theano"


def test_the_backend_is_exported_for_keras(monkeypatch):
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    env.export_backend("tensorflow")
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
    monkeypatch.setitem(sys.modules, "keras", object())  # already loaded: the environment is left unchanged
    monkeypatch.setenv("KERAS_BACKEND", "as it was")
    env.export_backend("tensorflow")
    assert os.environ["KERAS_BACKEND"] == "as it was"


@pytest.mark.parametrize("call, expected", [("zoo.fit('lenet5', backend='tensorflow', gpu=7)", "None"),
                                            ("zoo.set_device(7, backend='tensorflow')", "None"),
                                            ("zoo.set_device(backend='tensorflow')", "tensorflow")])
def test_a_refused_call_exports_no_backend(call, expected):
    code = (f"import os, zoo\ntry:\n    {call}\nexcept zoo.errors.UserError as error:\n    assert '7' in str(error)\n"
            "print(os.environ.get('KERAS_BACKEND'))")
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                             cwd=Path(__file__).resolve().parents[1])
    assert (process.stdout, process.stderr) == (f"{expected}\n", "")


@pytest.mark.parametrize("backend, package", [("jax", "cnn-zoo[jax]"), ("tensorflow", "cnn-zoo")])
def test_a_backend_that_is_not_installed(monkeypatch, backend, package):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    code = ("from zoo.env import select_backend\ntry:\n    select_backend()\n"
            "except ValueError as error:\n    print(error)")
    process = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True,
                             cwd=Path(__file__).resolve().parents[1])  # -S: without site-packages
    check_message(process.stdout, backend, f"pip install '{package}'", "backend='tensorflow'")


@pytest.fixture
def without_tensorflow(monkeypatch):
    """Restore the state before `import zoo`: nothing is set, TensorFlow is not imported."""
    monkeypatch.delenv(env.ONEDNN_ENV_VAR, raising=False)
    monkeypatch.setattr(env, "_onednn_set_by", "default")
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


@pytest.mark.parametrize("machine, expected", [("x86_64", ("1", "zoo")), ("AMD64", ("1", "zoo")),
                                               ("aarch64", (None, "default")), ("arm64", (None, "default"))])
def test_onednn_is_enabled_on_x86_64_alone(without_tensorflow, monkeypatch, machine, expected):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    for _ in range(2):  # a second call, of a reloaded package perhaps, finds the first one's value
        env.enable_onednn()
        assert env.get_onednn_setting() == expected


@pytest.mark.parametrize("value", ["0", "1", "false", ""])
def test_the_users_choice_of_onednn_stays(without_tensorflow, monkeypatch, value):
    monkeypatch.setenv(env.ONEDNN_ENV_VAR, value)
    env.enable_onednn()
    assert env.get_onednn_setting() == (value, "user") and os.environ[env.ONEDNN_ENV_VAR] == value


def test_onednn_is_not_set_too_late(without_tensorflow, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", platform)  # any module: it has been imported
    env.enable_onednn()
    assert env.get_onednn_setting() == (None, "default")


@pytest.mark.skipif(platform.machine().lower() not in env.X86_64_MACHINES, reason="oneDNN is set on x86-64 alone")
@pytest.mark.parametrize("setting, expected", [(None, "1"), ("0", "0")])
def test_tensorflow_finds_the_setting_when_it_is_imported(tmp_path, setting, expected):
    for package in ("tensorflow", "keras"):  # stand-ins that print the setting
        (tmp_path / f"{package}.py").write_text(f"import os\nprint(os.environ['{env.ONEDNN_ENV_VAR}'])\n"
                                                "raise SystemExit")
    environment = {name: value for name, value in os.environ.items() if name != env.ONEDNN_ENV_VAR}
    environment |= {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(Path(__file__).resolve().parents[1])))}
    environment |= {env.ONEDNN_ENV_VAR: setting} if setting else {}
    process = subprocess.run([sys.executable, "-c", "import zoo; zoo.build('lenet5')"], capture_output=True, text=True,
                             check=True, env=environment, cwd=tmp_path)
    assert process.stdout == f"{expected}\n"
