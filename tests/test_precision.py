"""float32, bfloat16 and float16: dtypes of computations and variables, and exact resumption of training in them."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from helpers import check_message, check_text
from test_resume import CALM, DATA, StopAfterSteps, make_model, assert_equal_runs

from zoo import registry
from zoo.cli import train, training_command
from zoo.errors import UserError
from zoo.training import model_loading, precision, run_config as plans, trainer
from zoo.training.npz_file import read_arrays


def build_model(name, policy, **options):
    spec = registry.get_model_info(name)
    with precision.precision_scope(policy):
        model_config = registry.resolve_model_config(name, (32, 32, spec.input_shape[2]), 10, **options)
        return model_loading.build_with_preprocessing(model_config, [0.5], [0.25], None)


@pytest.mark.parametrize("policy, compute_dtype",
                         [("bfloat16", "bfloat16"), ("float16", "float16"), ("float32", "float32")])
def test_compute_dtypes_of_each_precision(policy, compute_dtype):
    model = build_model("resnet34", policy, width=0.125)
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert {layer.compute_dtype for layer in model.layers if layer.weights} == {compute_dtype}
    assert model.get_layer("preprocessing").compute_dtype == model.get_layer("predictions").compute_dtype == "float32"
    assert model.predict(np.zeros((2, 32, 32, 3), "uint8"), verbose=0).dtype == np.float32
    assert keras.config.dtype_policy().name == "float32"  # unchanged


def test_the_policy_is_restored_after_an_error():
    with pytest.raises(ZeroDivisionError), precision.precision_scope("bfloat16"):
        1 / 0
    assert keras.config.dtype_policy().name == "float32"


def test_batch_statistics_are_of_float32():
    """Moments that need float32: bfloat16 has no numbers between 256 and 258."""
    with precision.precision_scope("bfloat16"):
        layer = keras.layers.BatchNormalization(momentum=0.0)
    images = np.float32([[[[256.0]]], [[[258.0]]]])
    layer(images, training=True)
    assert float(layer.moving_mean[0]) == 257.0 and float(layer.moving_variance[0]) == 1.0


def make_float16_model(aux_names=()):
    with precision.precision_scope("float16"):
        return make_model(aux_names)


@pytest.mark.parametrize("changes", [{"ema_momentum": 0.9, "global_clipnorm": 1.0, "weight_decay": 1e-3},
                                     {"optimizer": "adamw", "lr_schedule": "plateau", "lr_patience": 1, "gamma": 0.5}])
def test_float16_scales_the_loss_and_resumes_exactly(changes, tmp_path, capsys):
    recipe = dataclasses.replace(CALM, epochs=3, learning_rate=1e-3, **changes)
    for name, sessions in (("whole", [10**6]), ("parts", [3, 9, 10**6])):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
        for steps in sessions:
            progress = trainer.train_model(make_float16_model(), DATA, recipe, 7, tmp_path / name,
                                           StopAfterSteps(steps))
    assert progress.epoch == 3
    assert_equal_runs(tmp_path / "whole", tmp_path / "parts")
    arrays = read_arrays(tmp_path / "whole" / "checkpoints" / "last.npz")
    steps_taken = int(arrays[f"optimizer/{recipe.optimizer}/iteration"])
    assert 19 <= steps_taken <= 21  # of 3 epochs of 7 steps
    # halved for each skipped step
    assert arrays["optimizer/loss_scale/dynamic_scale"] == 2.0 ** (15 - (21 - steps_taken))
    assert {array.dtype for name, array in arrays.items() if name.startswith("weights/")} == {np.dtype("float32")}
    if changes.get("ema_momentum"):
        assert np.abs(arrays["trained/conv/kernel"] - arrays["weights/conv/kernel"]).max() > 0


def test_float16_skips_a_step_whose_gradient_is_not_finite():
    model = make_float16_model()
    recipe = dataclasses.replace(CALM, lr_schedule="constant", weight_decay=0.0)
    trainer.compile_model(model, model, recipe, 7, {})
    before = [np.array(weight) for weight in model.trainable_variables]
    gradients = [np.full(weight.shape, np.inf, "float32") for weight in model.trainable_variables]
    model.optimizer.apply([keras.ops.convert_to_tensor(gradient) for gradient in gradients])
    assert all(np.array_equal(actual, expected)
               for actual, expected in zip(model.trainable_variables, before, strict=True))
    assert float(model.optimizer.dynamic_scale) == 2.0**14


def test_other_precisions_do_not_scale_the_loss():
    for policy in ("float32", "bfloat16"):
        with precision.precision_scope(policy):
            model = make_model()
        trainer.compile_model(model, model, CALM, 7, {})
        assert precision.get_inner_optimizer(model.optimizer) is model.optimizer


# The run config, and the command

def parse_config(*arguments):
    return training_command.parse_run_config(train.build_parser().parse_args(["lenet5", *arguments]))


def test_the_run_config_stores_the_precision():
    assert parse_config().precision == "float32"
    run_config = parse_config("--precision", "bfloat16")
    assert plans.serialize_run_config(run_config)["precision"] == "bfloat16"
    with pytest.raises(UserError) as error:
        plans.resume_run_config("runs/x", run_config, parse_config())
    check_message(error.value, "runs/x", "precision", "'bfloat16'", "'float32'")
    with pytest.raises(UserError) as caught:
        parse_config("--precision", "bf16")
    check_message(caught.value, "precision", "'bf16'", "'bfloat16'")


def test_the_default_precision_is_float32():
    assert plans.get_precision({}) == "float32" and plans.get_precision({"precision": "float16"}) == "float16"
    with pytest.raises(ValueError):
        plans.get_precision({"precision": "int4"})


def test_float16_without_a_gpu(capsys, tmp_path):
    assert train.main(["lenet5", "--precision", "float16", "--gpu", "none", "--limit", "20", "--output-dir",
                       str(tmp_path / "runs")]) == 2
    check_message(capsys.readouterr().err, "float16", "CPU", "--precision bfloat16", "float32")
    assert not (tmp_path / "runs").exists()


def test_a_bfloat16_run_is_loaded_in_bfloat16(tmp_path, capsys):
    arguments = ["lenet5", "--gpu", "none", "--limit", "60", "--epochs", "1", "--output-dir", str(tmp_path), "--name",
                 "x"]
    assert train.main([*arguments, "--precision", "bfloat16"]) == 0
    check_text(capsys.readouterr().out, "tensorflow", "bfloat16")
    model = model_loading.load_run_or_keras_file(tmp_path / "x")
    assert model.get_layer("C3").compute_dtype == "bfloat16"
    assert json.loads((tmp_path / "x" / "run.json").read_text())["precision"] == "bfloat16"
    assert train.main(arguments) == 2
    check_message(capsys.readouterr().err, tmp_path / "x", "precision", "'bfloat16'", "'float32'")


@pytest.mark.slow
def test_bfloat16_reaches_the_accuracy_of_float32(tmp_path, capsys):
    """lenet5 on digits, three seeds each: the means of the test accuracies are within 1%, five images of 500."""
    means = {}
    for policy in ("float32", "bfloat16"):
        accuracies = []
        for seed in range(3):
            arguments = ["lenet5", "--gpu", "none", "--precision", policy, "--seed", str(seed), "--output-dir",
                         str(tmp_path)]
            assert train.main([*arguments, "--name", f"{policy}-{seed}"]) == 0
            result = json.loads((tmp_path / f"{policy}-{seed}" / "result.json").read_text())
            accuracies.append(result["test_accuracy_best"])
        means[policy] = np.mean(accuracies)
    assert means["float32"] > 0.95
    assert abs(means["float32"] - means["bfloat16"]) < 0.01
