"""Options of zoo.fit that the other files leave out: class_weight in the metrics, deterministic, checkpoint_minutes."""

import os

import keras
import pytest
from helpers import check_message

import zoo
from zoo import devices
from zoo.errors import UserError
from zoo.training.checkpoints import read_progress

FEW = {"limit": 60, "batch_size": 20, "epochs": 1, "lr_schedule": "constant", "warmup_epochs": 0.0,
       "verbose": False}  # three steps an epoch


def test_the_reported_losses_are_not_weighted(tmp_path):
    """Where the weights of the model hardly change, neither do the metrics, whatever the classes weigh."""
    runs = [zoo.fit("lenet5", "digits", class_weight=weight, augmentation="", learning_rate=1e-12,
                    output_dir=tmp_path / str(index), **FEW) for index, weight in enumerate((None, {0: 50.0, 3: 0.01}))]
    assert runs[1].config["class_weight"] == [50.0, 1.0, 1.0, 0.01, *[1.0] * 6]
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= runs[0].history.keys() == runs[1].history.keys()
    for column, values in runs[0].history.items():
        assert runs[1].history[column] == pytest.approx(values, rel=1e-5), column


def test_deterministic_is_recorded_and_not_changed_on_resuming(tmp_path):
    run = zoo.fit("lenet5", "digits", deterministic=True, output_dir=tmp_path, name="run", **FEW)
    assert run.config["deterministic"] is True
    with pytest.raises(UserError) as error:
        zoo.fit("lenet5", "digits", output_dir=tmp_path, name="run", **{**FEW, "epochs": 2})
    check_message(error.value, run.path, "deterministic", True, False)
    assert run.resume(epochs=2, verbose=False).config["deterministic"] is True


def test_the_environment_of_deterministic_kernels(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=false")
    for name in ("TF_DETERMINISTIC_OPS", "CUBLAS_WORKSPACE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    devices.set_device_environment(devices.select_gpus("none", []))
    assert "TF_DETERMINISTIC_OPS" not in os.environ and "deterministic" not in os.environ["XLA_FLAGS"]
    devices.set_device_environment(devices.select_gpus("none", []), deterministic=True)
    assert os.environ["TF_DETERMINISTIC_OPS"] == "1" and os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert os.environ["XLA_FLAGS"].split() == ["--xla_cpu_enable_fast_math=false", "--xla_gpu_deterministic_ops=true"]


class ReadProgress(keras.callbacks.Callback):
    """Records (epochs, steps of the next) of the last checkpoint after each step; None where there is none."""

    def __init__(self, path):
        super().__init__()
        self.path, self.progress = path, []

    def on_train_batch_end(self, batch, logs=None):
        self.progress.append(read_progress(self.path)[:2] if self.path.exists() else None)


def test_checkpoint_minutes_of_fit_and_resume(tmp_path):
    path = tmp_path / "run" / "checkpoints" / "last.npz"
    rare, often, resumed = (ReadProgress(path) for _ in range(3))
    zoo.fit("lenet5", "digits", output_dir=tmp_path, name="run", callbacks=[rare], **FEW)
    assert rare.progress == [None] * 3
    run = zoo.Run(tmp_path / "run").resume(epochs=2, checkpoint_minutes=1e-6, callbacks=[resumed], verbose=False)
    assert resumed.progress[:2] == [(1, 1), (1, 2)]
    path = often.path = tmp_path / "often" / "checkpoints" / "last.npz"
    zoo.fit("lenet5", "digits", output_dir=tmp_path, name="often", checkpoint_minutes=1e-6, callbacks=[often],
            **{**FEW, "epochs": 2})
    assert often.progress[:2] == [(0, 1), (0, 2)]
    assert run.history == zoo.Run(tmp_path / "often").history
