"""What makes training fast changes nothing that it computes."""

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


def network(scale=True, center=True):
    keras.utils.set_random_seed(1)
    image = keras.Input((8, 8, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, dtype="float32", name="preprocessing")(image)
    x = layers.Conv2D(4, 3, name="conv")(x)
    x = layers.BatchNormalization(momentum=0.8, epsilon=1e-5, scale=scale, center=center, name="bn")(x)
    x = layers.Flatten(name="flatten")(layers.ReLU(name="relu")(x))
    x = layers.BatchNormalization(name="flat_bn")(layers.Dense(5, name="dense")(x))
    return keras.Model(image, layers.Dense(3, name="out")(x), name="small")


def after_training(model, batches, together=1, recipe=Recipe(batch_size=16, epochs=1, learning_rate=0.1)):
    trainer.compile_model(model, model, recipe, batches.steps_per_epoch, {})
    model.steps_per_execution = together
    model.fit(prefetch.prefetch_batches(batches), epochs=1, shuffle=False, verbose=0)
    return {variable.path: np.array(variable) for variable in model.variables}


@on_tensorflow
@pytest.mark.parametrize("scale, center", [(True, True), (False, True), (True, False)])
def test_the_fused_kernel_trains_as_keras_does(scale, center, monkeypatch):
    from zoo.training import cpu_kernels

    batches = TrainingBatches(SPLIT, 3, 16, 0)
    ours = after_training(network(scale, center), batches)
    monkeypatch.setattr(cpu_kernels, "use_fast_kernels", lambda network, sharing: None)
    theirs = after_training(network(scale, center), batches)
    start = {variable.path: np.array(variable) for variable in network(scale, center).variables}
    assert [*ours] == [*theirs]
    for path, array in theirs.items():
        assert ours[path] == pytest.approx(array, rel=1e-4, abs=1e-5), path  # other orders of adding, five steps
    assert np.abs(ours["bn/moving_variance"] - start["bn/moving_variance"]).max() > 0.1
    assert np.abs(ours["conv/kernel"] - start["conv/kernel"]).max() > 1e-3


@on_tensorflow
@pytest.mark.parametrize("scale, center", [(True, True), (False, True), (True, False)])
@pytest.mark.parametrize("training", [False, True])
def test_the_fused_kernel_answers_as_keras_does(scale, center, training):
    from zoo.training import cpu_kernels

    ours, theirs = network(scale, center), network(scale, center)
    for model in (ours, theirs):
        layer, rng = model.get_layer("bn"), np.random.default_rng(1)
        for variable in layer.variables:
            variable.assign(rng.random(variable.shape) + 0.5)
        layer.trainable = not training  # one that is frozen answers so in training too
    cpu_kernels.use_fast_kernels(ours, data_parallel.SINGLE_DEVICE)
    images = SPLIT.batch(np.arange(16))[0]
    found, expected = (np.asarray(keras.Model(model.input, model.get_layer("bn").output)(images, training=training))
                       for model in (ours, theirs))
    assert np.abs(found).max() > 1 and found == pytest.approx(expected, rel=1e-5, abs=1e-6)


@on_tensorflow
def test_the_fused_kernel_takes_what_sees_pictures_and_learns():
    from zoo.training import cpu_kernels

    model = network()
    model.get_layer("bn").trainable = False
    before = np.array(model.get_layer("bn").moving_mean)
    cpu_kernels.use_fast_kernels(model, data_parallel.SINGLE_DEVICE)
    cpu_kernels.use_fast_kernels(model, data_parallel.SINGLE_DEVICE)  # a second training of the same network
    assert "call" in vars(model.get_layer("bn")) and "call" not in vars(model.get_layer("flat_bn"))
    model(SPLIT.batch(np.arange(16))[0], training=True)
    assert np.array_equal(model.get_layer("bn").moving_mean, before)
    copy = keras.Model.from_config(model.get_config())
    assert "call" not in vars(copy.get_layer("bn"))


def test_the_decay_is_that_of_l2(monkeypatch):
    batches = TrainingBatches(SPLIT, 3, 16, 0)
    recipe = Recipe(batch_size=16, epochs=1, learning_rate=0.1, weight_decay=0.3)
    ours = after_training(network(), batches, recipe=recipe)
    monkeypatch.setattr(optimizers, "CoupledWeightDecay", lambda rate: keras.regularizers.L2(rate / 2))
    theirs = after_training(network(), batches, recipe=recipe)
    without = after_training(network(), batches)
    for path, array in theirs.items():
        assert ours[path] == pytest.approx(array, rel=1e-4, abs=1e-5), path
    assert np.abs(ours["conv/kernel"] - without["conv/kernel"]).max() > 1e-2


def test_rows_are_scaled_as_pixels_are():
    pixels = RNG.random((2, 4, 5, 3), np.float32)
    for layer in (layers.Rescaling(2.0, -1.0), layers.Rescaling([1.0, 2.0, 3.0], [0.1, 0.2, 0.3])):
        assert np.asarray(model_building.rescale_rows(layer,
                                                      pixels)) == pytest.approx(np.asarray(layer(pixels)), rel=1e-6)


@on_tensorflow
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("padding, strides", [("same", 1), ("valid", 2)])
def test_groups_one_by_one_answer_and_learn_as_a_grouped_convolution(bias, padding, strides):
    from zoo.training import cpu_kernels

    keras.utils.set_random_seed(2)
    layer = layers.Conv2D(6, 3, strides, padding, groups=2, use_bias=bias, activation="relu", name="conv",
                          bias_initializer="ones")
    model = keras.Sequential([keras.Input((8, 8, 4)), layer])
    x = keras.ops.convert_to_tensor(RNG.normal(size=(5, 8, 8, 4)).astype("float32"))

    def answer():
        import tensorflow as tf

        with tf.GradientTape() as tape:
            outputs = model(x)
            loss = keras.ops.sum(outputs ** 2)
        return [np.asarray(outputs), *(np.asarray(each) for each in tape.gradient(loss, layer.trainable_variables))]

    expected = answer()
    cpu_kernels.use_fast_kernels(model, data_parallel.SINGLE_DEVICE)
    assert "call" in vars(layer)
    for found, theirs in zip(answer(), expected, strict=True):
        assert np.abs(theirs).max() > 0.1 and found == pytest.approx(theirs, rel=1e-4, abs=1e-4)


@on_tensorflow
def test_several_steps_in_one_call_are_those_steps():
    batches = TrainingBatches(SPLIT, 3, 8, 0)
    one, five = (after_training(network(), batches, together) for together in (1, 5))
    assert [path for path in one if not np.array_equal(one[path], five[path])] == []


@on_tensorflow
def test_how_many_steps_in_one_call():
    small = network()  # 6*6*27*4 + 144*5 + 15 multiply-adds: 4,623
    epochs = (7, 16, 64, 96, 422, 1000, 997)
    assert [trainer.compute_steps_per_execution(small, 16, steps) for steps in epochs] == [1, 2, 8, 12, 2, 10, 1]
    assert trainer.compute_steps_per_execution(small, 10 ** 9 // 4623 // 3,
                                               1000) == 2  # three fit, and three do not divide 1,000
    assert trainer.compute_steps_per_execution(small, 10 ** 9 // 4623, 1000) == 1


def test_a_small_model_predicts_several_batches_at_once():
    small = network()  # 4,623 multiply-adds
    assert [evaluation.compute_inference_batch_size(small, size) for size in (1, 16, 128)] == [16, 256, 2048]
    assert evaluation.compute_inference_batch_size(small, 10 ** 9 // 4623 // 3) == 10 ** 9 // 4623 // 3 * 3
    assert evaluation.compute_inference_batch_size(small, 10 ** 9 // 4623 + 1) == 10 ** 9 // 4623 + 1


def test_predictions_do_not_depend_on_how_many_batches_at_once(monkeypatch):
    model = network()
    together = evaluation.predict_logits(model, SPLIT, 7)  # of 80 images; the last batch has fewer
    assert together.shape == (80, 3) and np.array_equal(together, evaluation.predict_logits(model, SPLIT, 7))
    monkeypatch.setattr(evaluation, "MAX_BATCHES", 1)
    assert together == pytest.approx(evaluation.predict_logits(model, SPLIT, 7), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("batches", [TrainingBatches(SPLIT, 3, 16, 0),
                                     TrainingBatches(SPLIT, 3, 16, 0).slice_steps(3, 9),
                                     TrainingBatches(SPLIT, 3, 24, 0, output_names=("main", "aux1")),
                                     EvaluationBatches(SPLIT, 33)])
def test_what_is_read_ahead_is_what_is_there(batches):
    read = prefetch.prefetch_batches(batches)
    read = [*read] if keras.backend.backend() == "tensorflow" else [read[index] for index in range(len(read))]
    assert len(read) == len(batches)
    for index, item in enumerate(read):
        keras.tree.assert_same_structure(item, batches[index])
        for found, there in zip(keras.tree.flatten(item), keras.tree.flatten(batches[index]), strict=True):
            found = np.asarray(found)
            assert found.dtype == there.dtype and np.array_equal(found, there)


def test_the_next_batches_are_made_meanwhile():
    made = []

    class Slow(EvaluationBatches):
        def __getitem__(self, index):
            made.append(index)
            return super().__getitem__(index)

    ahead = prefetch.PrefetchDataset(Slow(SPLIT, 20))
    ahead[0]
    for _ in range(100):
        if len(made) == 3:
            break
        time.sleep(0.05)
    assert made == [0, 1, 2]
    assert [len(ahead[index][1]) for index in (1, 2, 3)] == [20, 20, 20] and made == [0, 1, 2, 3]


def test_what_cannot_be_read_is_an_error_of_the_batch_that_it_is_in():
    class Broken(EvaluationBatches):
        def __getitem__(self, index):
            if index == 2:
                raise ValueError("the third is broken")
            return super().__getitem__(index)

    ahead = prefetch.PrefetchDataset(Broken(SPLIT, 20))
    ahead[0], ahead[1]
    with pytest.raises(ValueError, match="the third is broken"):
        ahead[2]
