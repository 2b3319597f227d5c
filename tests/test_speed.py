"""The optimizations that make training fast do not change its results."""

import time

import keras
import numpy as np
import pytest
from keras import layers

from zoo.data.splits import Split
from zoo.training import evaluation, model_building, optimizers, prefetch, trainer
from zoo.training.batches import EvaluationBatches, TrainingBatches
from zoo.training.distribution import data_parallel
from zoo.training.recipe import Recipe

on_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="is TensorFlow's alone")
RNG = np.random.default_rng(0)
SPLIT = Split(RNG.integers(0, 256, (80, 8, 8, 3), np.uint8), np.arange(80) % 3, np.arange(80))


def build_small_model(scale=True, center=True):
    keras.utils.set_random_seed(1)
    image = keras.Input((8, 8, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, dtype="float32", name="preprocessing")(image)
    x = layers.Conv2D(4, 3, name="conv")(x)
    x = layers.BatchNormalization(momentum=0.8, epsilon=1e-5, scale=scale, center=center, name="bn")(x)
    x = layers.Flatten(name="flatten")(layers.ReLU(name="relu")(x))
    x = layers.BatchNormalization(name="flat_bn")(layers.Dense(5, name="dense")(x))
    return keras.Model(image, layers.Dense(3, name="out")(x), name="small")


def train_one_epoch(model, batches, steps_per_execution=1,
                    recipe=Recipe(batch_size=16, epochs=1, learning_rate=0.1)):
    trainer.compile_model(model, model, recipe, batches.steps_per_epoch, {})
    model.steps_per_execution = steps_per_execution
    model.fit(prefetch.prefetch_batches(batches), epochs=1, shuffle=False, verbose=0)
    return {variable.path: np.array(variable) for variable in model.variables}


@on_tensorflow
@pytest.mark.parametrize("scale, center", [(True, True), (False, True), (True, False)])
def test_the_fused_kernel_trains_as_keras_does(scale, center, monkeypatch):
    from zoo.training import cpu_kernels

    batches = TrainingBatches(SPLIT, 3, 16, 0)
    actual = train_one_epoch(build_small_model(scale, center), batches)
    monkeypatch.setattr(cpu_kernels, "use_fast_kernels", lambda network, sharing: None)
    expected = train_one_epoch(build_small_model(scale, center), batches)
    start = {variable.path: np.array(variable) for variable in build_small_model(scale, center).variables}
    assert [*actual] == [*expected]
    for path, array in expected.items():
        assert actual[path] == pytest.approx(array, rel=1e-4, abs=1e-5), path  # other summation orders, five steps
    assert np.abs(actual["bn/moving_variance"] - start["bn/moving_variance"]).max() > 0.1
    assert np.abs(actual["conv/kernel"] - start["conv/kernel"]).max() > 1e-3


@on_tensorflow
@pytest.mark.parametrize("scale, center", [(True, True), (False, True), (True, False)])
@pytest.mark.parametrize("training", [False, True])
def test_the_fused_kernel_predicts_as_keras_does(scale, center, training):
    from zoo.training import cpu_kernels

    actual, reference = build_small_model(scale, center), build_small_model(scale, center)
    for model in (actual, reference):
        layer, rng = model.get_layer("bn"), np.random.default_rng(1)
        for variable in layer.variables:
            variable.assign(rng.random(variable.shape) + 0.5)
        layer.trainable = not training  # a frozen layer uses its moving statistics in training too
    cpu_kernels.use_fast_kernels(actual, data_parallel.SINGLE_DEVICE)
    images = SPLIT.batch(np.arange(16))[0]
    outputs, expected = (np.asarray(keras.Model(model.input, model.get_layer("bn").output)(images, training=training))
                       for model in (actual, reference))
    assert np.abs(outputs).max() > 1 and outputs == pytest.approx(expected, rel=1e-5, abs=1e-6)


@on_tensorflow
def test_the_fused_kernel_is_used_for_layers_on_feature_maps_only():
    from zoo.training import cpu_kernels

    model = build_small_model()
    model.get_layer("bn").trainable = False
    before = np.array(model.get_layer("bn").moving_mean)
    cpu_kernels.use_fast_kernels(model, data_parallel.SINGLE_DEVICE)
    cpu_kernels.use_fast_kernels(model, data_parallel.SINGLE_DEVICE)  # a second training of the same model
    assert "call" in vars(model.get_layer("bn")) and "call" not in vars(model.get_layer("flat_bn"))
    model(SPLIT.batch(np.arange(16))[0], training=True)
    assert np.array_equal(model.get_layer("bn").moving_mean, before)
    copy = keras.Model.from_config(model.get_config())
    assert "call" not in vars(copy.get_layer("bn"))


def test_coupled_weight_decay_equals_an_l2_penalty(monkeypatch):
    batches = TrainingBatches(SPLIT, 3, 16, 0)
    recipe = Recipe(batch_size=16, epochs=1, learning_rate=0.1, weight_decay=0.3)
    actual = train_one_epoch(build_small_model(), batches, recipe=recipe)
    monkeypatch.setattr(optimizers, "CoupledWeightDecay", lambda rate: keras.regularizers.L2(rate / 2))
    expected = train_one_epoch(build_small_model(), batches, recipe=recipe)
    without = train_one_epoch(build_small_model(), batches)
    for path, array in expected.items():
        assert actual[path] == pytest.approx(array, rel=1e-4, abs=1e-5), path
    assert np.abs(actual["conv/kernel"] - without["conv/kernel"]).max() > 1e-2


def test_rows_are_rescaled_as_pixels_are():
    pixels = RNG.random((2, 4, 5, 3), np.float32)
    for layer in (layers.Rescaling(2.0, -1.0), layers.Rescaling([1.0, 2.0, 3.0], [0.1, 0.2, 0.3])):
        rescaled = np.asarray(model_building.rescale_rows(layer, pixels))
        assert rescaled == pytest.approx(np.asarray(layer(pixels)), rel=1e-6)


@on_tensorflow
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("padding, strides", [("same", 1), ("valid", 2)])
def test_separate_groups_compute_the_outputs_and_gradients_of_a_grouped_convolution(bias, padding, strides):
    from zoo.training import cpu_kernels

    keras.utils.set_random_seed(2)
    layer = layers.Conv2D(6, 3, strides, padding, groups=2, use_bias=bias, activation="relu", name="conv",
                          bias_initializer="ones")
    model = keras.Sequential([keras.Input((8, 8, 4)), layer])
    x = keras.ops.convert_to_tensor(RNG.normal(size=(5, 8, 8, 4)).astype("float32"))

    def compute_outputs_and_gradients():
        import tensorflow as tf

        with tf.GradientTape() as tape:
            outputs = model(x)
            loss = keras.ops.sum(outputs ** 2)
        return [np.asarray(outputs),
                *(np.asarray(gradient) for gradient in tape.gradient(loss, layer.trainable_variables))]

    expected = compute_outputs_and_gradients()
    cpu_kernels.use_fast_kernels(model, data_parallel.SINGLE_DEVICE)
    assert "call" in vars(layer)
    for actual, expected_array in zip(compute_outputs_and_gradients(), expected, strict=True):
        assert np.abs(expected_array).max() > 0.1 and actual == pytest.approx(expected_array, rel=1e-4, abs=1e-4)


@on_tensorflow
def test_several_steps_in_one_call_give_the_same_weights():
    batches = TrainingBatches(SPLIT, 3, 8, 0)
    single, several = (train_one_epoch(build_small_model(), batches, steps) for steps in (1, 5))
    assert [path for path in single if not np.array_equal(single[path], several[path])] == []


@on_tensorflow
def test_number_of_steps_in_one_call():
    small = build_small_model()  # 6*6*27*4 + 144*5 + 15 multiply-adds: 4,623
    epochs = (7, 16, 64, 96, 422, 1000, 997)
    assert [trainer.compute_steps_per_execution(small, 16, steps) for steps in epochs] == [1, 2, 8, 12, 2, 10, 1]
    batch_size = 10 ** 9 // 4623 // 3  # three steps fit, but three do not divide 1,000
    assert trainer.compute_steps_per_execution(small, batch_size, 1000) == 2
    assert trainer.compute_steps_per_execution(small, 10 ** 9 // 4623, 1000) == 1


def test_a_small_model_predicts_several_batches_at_once():
    small = build_small_model()  # 4,623 multiply-adds
    assert [evaluation.compute_inference_batch_size(small, size) for size in (1, 16, 128)] == [16, 256, 2048]
    assert evaluation.compute_inference_batch_size(small, 10 ** 9 // 4623 // 3) == 10 ** 9 // 4623 // 3 * 3
    assert evaluation.compute_inference_batch_size(small, 10 ** 9 // 4623 + 1) == 10 ** 9 // 4623 + 1


def test_predictions_do_not_depend_on_how_many_batches_at_once(monkeypatch):
    model = build_small_model()
    logits = evaluation.predict_logits(model, SPLIT, 7)  # of 80 images; the last batch has fewer
    assert logits.shape == (80, 3) and np.array_equal(logits, evaluation.predict_logits(model, SPLIT, 7))
    monkeypatch.setattr(evaluation, "MAX_BATCHES", 1)
    assert logits == pytest.approx(evaluation.predict_logits(model, SPLIT, 7), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("batches", [TrainingBatches(SPLIT, 3, 16, 0),
                                     TrainingBatches(SPLIT, 3, 16, 0).slice_steps(3, 9),
                                     TrainingBatches(SPLIT, 3, 24, 0, output_names=("main", "aux1")),
                                     EvaluationBatches(SPLIT, 33)])
def test_prefetched_batches_are_the_batches(batches):
    dataset = prefetch.prefetch_batches(batches)
    if keras.backend.backend() == "tensorflow":
        prefetched = [*dataset]
    else:
        prefetched = [dataset[index] for index in range(len(dataset))]
    assert len(prefetched) == len(batches)
    for index, item in enumerate(prefetched):
        keras.tree.assert_same_structure(item, batches[index])
        for array, expected in zip(keras.tree.flatten(item), keras.tree.flatten(batches[index]), strict=True):
            array = np.asarray(array)
            assert array.dtype == expected.dtype and np.array_equal(array, expected)


def test_the_next_batches_are_loaded_in_the_background():
    indices = []

    class Slow(EvaluationBatches):
        def __getitem__(self, index):
            indices.append(index)
            return super().__getitem__(index)

    dataset = prefetch.PrefetchDataset(Slow(SPLIT, 20))
    dataset[0]
    for _ in range(100):
        if len(indices) == 3:
            break
        time.sleep(0.05)
    assert indices == [0, 1, 2]
    assert [len(dataset[index][1]) for index in (1, 2, 3)] == [20, 20, 20] and indices == [0, 1, 2, 3]


def test_a_batch_that_cannot_be_read_raises_when_it_is_requested():
    class Broken(EvaluationBatches):
        def __getitem__(self, index):
            if index == 2:
                raise ValueError("the third is broken")
            return super().__getitem__(index)

    dataset = prefetch.PrefetchDataset(Broken(SPLIT, 20))
    dataset[0], dataset[1]
    with pytest.raises(ValueError, match="the third is broken"):
        dataset[2]
