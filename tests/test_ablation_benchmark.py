"""Every case of benchmarks/ablation.py is measured, and each variant changes exactly one thing."""

import json
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import module_at

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    return module_at(BENCHMARKS / "ablation.py")


def test_everything_was_measured(benchmark):
    assert [(case[0], task, variant) for case, task, variants in benchmark.CASES
            for variant in (benchmark.BASELINE, *variants)] == [
        (row["model"], row["task"], row["variant"]) for row in benchmark.read_rows()]


def test_one_task_is_measured_and_the_rows_of_the_others_are_kept(benchmark, monkeypatch, tmp_path):
    monkeypatch.setattr(benchmark, "CSV_PATH", tmp_path / "ablation.csv")
    monkeypatch.setattr(benchmark, "CASES", ((benchmark.LENET, "training", ()), (benchmark.LENET, "inference", ())))
    speeds = iter((100.0, 200.0, 300.0))

    def fake_run(command, **_):
        return subprocess.CompletedProcess(command, 0, json.dumps({"baseline": [next(speeds)]}), "")

    monkeypatch.setattr(benchmark.subprocess, "run", fake_run)
    for arguments in ([], ["inference"]):
        monkeypatch.setattr("sys.argv", ["ablation.py", *arguments])
        benchmark.main()
    assert [(row["task"], row["median"]) for row in benchmark.read_rows()] == [("training", "100.0"),
                                                                               ("inference", "300.0")]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="is TensorFlow's alone")
def test_each_inference_variant_runs(benchmark, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for variant in (benchmark.BASELINE, "weights as constants", "XLA"):
        num_images, seconds = benchmark.prepare_inference("lenet5", 4, {}, 8, variant)["inference"]()
        assert num_images == 8 and seconds > 0, variant


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="is TensorFlow's alone")
def test_each_prediction_variant_runs(benchmark, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for variant in (benchmark.BASELINE, benchmark.TRAINING_BATCHES, benchmark.ONE_BATCH, benchmark.SEVERAL_STEPS,
                    benchmark.ONE_FUNCTION):
        with benchmark.apply_variant(variant):
            num_images, seconds = benchmark.prepare_prediction("lenet5", 4, {}, 8, variant)["predict"]()
        assert num_images == 8 and seconds > 0, variant


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="is TensorFlow's alone")
def test_each_variant_changes_one_thing_within_its_context(benchmark):
    from zoo.models import resnet
    from zoo.training import cpu_kernels, evaluation, optimizers, prefetch, trainer
    from zoo.training.batches import TrainingBatches

    def get_attributes():
        return (resnet.conv_no_bias, trainer.compile_model, trainer.compute_steps_per_execution,
                cpu_kernels.use_fast_kernels, optimizers.CoupledWeightDecay, prefetch.prefetch_batches,
                evaluation.compute_inference_batch_size, TrainingBatches.__getitem__)

    before = get_attributes()
    for variant in {variant for _, _, variants in benchmark.CASES for variant in variants} - {
            "weights as constants", benchmark.ONE_FUNCTION}:
        with benchmark.apply_variant(variant):
            assert sum(current is not original
                       for current, original in zip(get_attributes(), before, strict=True)) == 1, variant
        assert get_attributes() == before


def test_zero_padding_layers_give_the_same_convolution(benchmark):
    from zoo.models import resnet

    images, models = np.random.default_rng(0).random((2, 9, 9, 3), np.float32), []
    for variant in (benchmark.BASELINE, "ZeroPadding2D layers"):
        with benchmark.apply_variant(variant):
            image = keras.Input((9, 9, 3))
            models.append(keras.Model(image, resnet.conv_no_bias(image, 4, 3, name="conv")))
    baseline, padded = models
    assert len(padded.layers) == len(baseline.layers) + 1
    padded.set_weights(baseline.get_weights())
    assert np.asarray(baseline(images)) == pytest.approx(np.asarray(padded(images)), rel=1e-5, abs=1e-6)
