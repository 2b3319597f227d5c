"""zoo.fit on texts in memory, and with a Keras model of the user's own on texts."""

import re

import keras
import numpy as np
import pytest
from helpers import check_message, make_topic_texts

import zoo
from zoo.cli import train
from zoo.errors import UserError


def test_a_run_on_arrays_is_resumed_with_the_same_arrays(tmp_path):
    texts, topics = zip(*make_topic_texts(60), strict=True)
    data = texts, [int(topic == "sailing") for topic in topics]
    run = zoo.fit("text_cnn", data, class_names=["cooking", "sailing"], epochs=1, lr_schedule="constant", width=0.1,
                  warmup_epochs=0.0, output_dir=tmp_path, name="a", verbose=False, sequence_length=30, vocabulary=60)
    with pytest.raises(UserError) as error:
        run.resume(epochs=2)
    check_message(error.value, tmp_path / "a", "texts")
    resumed = run.resume(epochs=2, dataset=data, verbose=False)
    assert resumed.history["epoch"] == [1, 2] and resumed.class_names == ["cooking", "sailing"]


def test_a_run_on_token_ids(topics, review, tmp_path):
    split = zoo.load_data(topics, shape=(30,), vocabulary=60).train
    ids, labels = split.batch(np.arange(100))
    run = zoo.fit("text_cnn", (ids, labels), epochs=1, vocabulary=60, width=0.05, learning_rate=1e-6, name="a",
                  output_dir=tmp_path, verbose=False)
    assert run.config["dataset"]["shape"] == [30] and run.config["dataset"]["kind"] == "arrays"
    assert run.predict(ids[:3]).shape == (3, 2) and run.evaluate((ids, labels))["total"] == 100
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert re.search("<p>(#[0-9]+ )+#[0-9]+</p>", page)
    for do in (run.predict, run.inspect):
        with pytest.raises(UserError) as error:
            do(review)
        check_message(error.value, "token ids", "words.txt")
    vocabulary = zoo.load_data(topics, shape=(30,), vocabulary=60).files["words.txt"]
    (run.path / "words.txt").write_text(vocabulary)  # as the message says
    assert run.predict(review).shape == (1, 2)


def test_a_run_on_token_ids_in_a_file(topics, tmp_path):
    dataset = zoo.load_data(topics, shape=(30,), vocabulary=60, limit=100)
    (ids, labels), (test_ids, test_labels) = (split.batch(np.arange(len(split))) for split in (dataset.train,
                                                                                               dataset.test))
    np.savez(tmp_path / "ids.npz", x_train=ids, y_train=labels, x_test=test_ids, y_test=test_labels)
    assert train.main(["text_cnn", "--data", str(tmp_path / "ids.npz"), "--model-option", "vocabulary=60", "--width",
                       "0.05", "--epochs", "1", "--set", "lr_schedule=constant", "--warmup-epochs", "0",
                       "--output-dir", str(tmp_path), "--name", "a"]) == 0
    run = zoo.Run(tmp_path / "a")
    assert run.config["dataset"]["kind"] == "npz" and run.config["dataset"]["vocabulary"] == 60
    assert run.evaluate()["accuracy"] == run.evaluate(tmp_path / "ids.npz")["accuracy"]
    assert run.resume(epochs=2, verbose=False).history["epoch"] == [1, 2]


def make_own_model(output="softmax", padding="valid", **inputs):
    tokens = keras.Input((None,), **inputs)
    x = keras.layers.SpatialDropout1D(0.1)(keras.layers.Embedding(60, 16)(tokens))
    x = keras.layers.Conv1D(8, 3, activation="relu", padding=padding, name="conv")(x)
    outputs = keras.layers.Dense(2, activation=output)(keras.layers.GlobalMaxPooling1D()(x))
    return keras.Model(tokens, outputs, name="mine")


def test_a_model_of_the_users_own(topics, review, tmp_path):
    run = zoo.fit(make_own_model(), topics, sequence_length=30, epochs=8, batch_size=16, output_dir=tmp_path,
                  name="own", verbose=False)
    assert run.result["test_accuracy_best"] > 0.95
    assert (run.config["dataset"]["vocabulary"], run.config["dataset"]["shape"]) == (60, [30])
    assert run.evaluate()["accuracy"] == run.result["test_accuracy_best"]
    model = run.load_model()
    assert model.input_shape == (None, 30) and model.input.dtype == "int32"
    assert run.predict(review, top_k=1)[0][0][0] == "sailing"
    # by hand, for one filter
    table, (kernel, bias) = model.get_layer("embedding").get_weights()[0], model.get_layer("conv").get_weights()
    tokens = zoo.load_data(topics, shape=(30,), vocabulary=60).train.images[:]
    windows = np.lib.stride_tricks.sliding_window_view(tokens, 3, axis=1)
    windows = windows[(windows >= 2).all(axis=2)]
    responses = np.tensordot(table[windows], kernel[..., 5], 2) + bias[5]
    words = (run.path / "words.txt").read_text().splitlines()
    (text, response), = run.inspect(review).ngrams(1)["conv"][5]
    assert text == " ".join(words[token - 4] for token in windows[responses.argmax()])
    assert response == pytest.approx(responses.max(), rel=1e-4)


def test_convolutions_with_padding_have_no_n_grams(topics, review, tmp_path):
    run = zoo.fit(make_own_model(None, "same", dtype="int32"), topics, limit=40, epochs=1, output_dir=tmp_path,
                  name="own", verbose=False)
    assert run.load_model().input_shape == (None, 100)
    inspection = run.inspect(review)
    assert inspection.ngrams() == {} and len(inspection.prediction()) == 2
    assert inspection.report(tmp_path / "look.html").exists()


@pytest.mark.parametrize("make, data, parts", [
    (lambda: make_own_model("sigmoid"), "topics", ("mine", "sigmoid", "Dense(2)")),
    (make_own_model, "digits", ("digits", "images", "texts", "imdb")),
    (lambda: keras.Sequential([keras.Input((30,)), keras.layers.Dense(2)]), "topics", ("(None, 30)", "Embedding")),
    (make_own_model, "dataset", ("vocabulary=61", "vocabulary=60")),
    (lambda: keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]), "dataset",
     ("images", "texts", "(28, 28, 1)", "(30,)")),
])
def test_refused_models_of_the_users_own(make, data, parts, topics, tmp_path):
    sources = {"topics": topics, "dataset": zoo.load_data(topics, shape=(30,), vocabulary=61)}
    with pytest.raises(UserError) as error:
        zoo.fit(make(), sources.get(data, data), output_dir=tmp_path / "runs")
    check_message(error.value, *parts)
    assert not (tmp_path / "runs").exists()
