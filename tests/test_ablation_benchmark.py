"""The table of what each remedy gives is that of benchmarks/ablation.csv, and each way is another way."""

from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import module_at

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    return module_at(BENCHMARKS / "ablation.py")


def test_the_page_has_the_table(benchmark):
    text = (BENCHMARKS.parent / "docs" / "speed.md").read_text(encoding="utf-8")
    table = "\n".join(benchmark.format_markdown_table())
    assert f"<!-- python benchmarks/ablation.py --table -->\n{table}\n<!-- end -->" in text


def test_everything_was_measured(benchmark):
    assert [(case[0], what, way) for case, what, ways in benchmark.CASES for way in (benchmark.BASELINE, *ways)] == [
        (row["network"], row["what"], row["way"]) for row in benchmark.read_rows()]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="is TensorFlow's alone")
def test_each_way_of_asking_answers(benchmark, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for way in (benchmark.BASELINE, "weights as constants", "XLA"):
        done, seconds = benchmark.prepare_inference("lenet5", 4, {}, 8, way)["inference"]()
        assert done == 8 and seconds > 0, way


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="is TensorFlow's alone")
def test_each_way_of_predicting_predicts(benchmark, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for way in (benchmark.BASELINE, benchmark.TRAINING_BATCHES, benchmark.ONE_BATCH, benchmark.SEVERAL_STEPS,
                benchmark.ONE_FUNCTION):
        with benchmark.apply_variant(way):
            images, seconds = benchmark.prepare_prediction("lenet5", 4, {}, 8, way)["predict"]()
        assert images == 8 and seconds > 0, way


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="is TensorFlow's alone")
def test_each_way_changes_something_for_as_long_as_it_is_taken(benchmark):
    from zoo.models import resnet
    from zoo.training import cpu_kernels, evaluation, optimizers, prefetch, trainer
    from zoo.training.batches import TrainingBatches

    def now():
        return (resnet.conv_no_bias, trainer.compile_model, trainer.compute_steps_per_execution,
                cpu_kernels.use_fast_kernels, optimizers.CoupledWeightDecay, prefetch.prefetch_batches,
                evaluation.compute_inference_batch_size, TrainingBatches.__getitem__)

    before = now()
    for way in {way for _, _, ways in benchmark.CASES for way in ways} - {
            "weights as constants", benchmark.ONE_FUNCTION}:
        with benchmark.apply_variant(way):
            assert sum(one is not other for one, other in zip(now(), before, strict=True)) == 1, way
        assert now() == before


def test_layers_of_zeros_are_the_same_convolution(benchmark):
    from zoo.models import resnet

    images, found = np.random.default_rng(0).random((2, 9, 9, 3), np.float32), []
    for way in (benchmark.BASELINE, "layers of zeros"):
        with benchmark.apply_variant(way):
            image = keras.Input((9, 9, 3))
            found.append(keras.Model(image, resnet.conv_no_bias(image, 4, 3, name="conv")))
    ours, theirs = found
    assert len(theirs.layers) == len(ours.layers) + 1
    theirs.set_weights(ours.get_weights())
    assert np.asarray(ours(images)) == pytest.approx(np.asarray(theirs(images)), rel=1e-5, abs=1e-6)
