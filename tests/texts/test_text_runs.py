"""Runs on texts: trained, resumed, evaluated, predicted, reported and exported."""

import csv
import json
import re
import shutil

import keras
import numpy as np
import pytest
from helpers import check_message, check_text, make_topic_texts, write_topics
from test_imdb import write_files

import zoo
from zoo.cli import diagram, evaluate, export, predict, train
from zoo.errors import UserError
from zoo.registry import select_models
from zoo.training.npz_file import read_arrays

SMALL = {"sequence_length": 30, "vocabulary": 60}


def test_two_topics_are_distinguished(run):
    assert run.status == "finished" and run.result["test_accuracy_best"] > 0.95
    assert run.config["dataset"]["shape"] == [30]
    assert run.config["model_config"]["options"] == {"vocabulary": 60, "dropout": True}


def test_the_run_keeps_its_words(run):
    words = (run.path / "words.txt").read_text().splitlines()
    assert len(words) == 36 and {"the", "oven", "keel"} < {*words}  # all of both topics and the common ones


@pytest.mark.parametrize("name", select_models("text"))
@pytest.mark.parametrize("recipe", ["modern", "paper", "notes"])
def test_an_epoch_of_every_recipe(name, recipe, topics, tmp_path):
    run = zoo.fit(name, topics, recipe=recipe, epochs=1, limit=60, width=0.1, output_dir=tmp_path, verbose=False,
                  **SMALL)
    assert run.status == "finished" and len(run.history["epoch"]) == 1
    assert run.load_model().input_shape == (None, 30)


def test_the_maximum_norm_of_kims_recipe(topics, tmp_path):
    run = zoo.fit("text_cnn_kim", topics, recipe="paper", epochs=2, max_norm="fc=0.05", limit=100, output_dir=tmp_path,
                  verbose=False, **SMALL)
    kernel = run.load_model("last").get_layer("fc").get_weights()[0]
    norms = np.linalg.norm(kernel, axis=0)
    assert (norms < 0.0501).all() and norms.max() > 0.04


def test_a_file_in_imdbs_format_trains_to_the_end(tmp_path, capsys):
    folder = write_files(tmp_path / "data", 1000, 60)
    assert train.main(["text_cnn", "--dataset", "imdb", "--data-dir", str(folder), "--sequence-length", "15", "--width",
                       "0.5", "--model-option", "vocabulary=10", "--epochs", "4", "--lr", "0.005", "--output-dir",
                       str(tmp_path), "--name", "a"]) == 0
    run = zoo.Run(tmp_path / "a")
    assert run.result["test_accuracy_best"] > 0.7  # of 60 texts; in each, one word decides
    assert run.evaluate()["accuracy"] == run.result["test_accuracy_best"]  # the files are found again
    assert run.evaluate("imdb", data_dir=folder)["accuracy"] == run.result["test_accuracy_best"]
    shutil.move(folder, tmp_path / "moved")
    assert run.evaluate(data_dir=tmp_path / "moved")["accuracy"] == run.result["test_accuracy_best"]
    assert (run.path / "words.txt").read_text() == "the\na\ngreat\nawful\nfilm\nrare\n"


def test_an_interrupted_run_resumes_bit_for_bit(topics, tmp_path):
    class StopInTheSecondEpoch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 7:  # of five a epoch
                self.model.stop_training = True

    arguments = {"limit": 300, "epochs": 3, "width": 0.2, "output_dir": tmp_path, "verbose": False, **SMALL}
    whole = zoo.fit("text_cnn", topics, name="whole", **arguments)
    stopped = zoo.fit("text_cnn", topics, name="stopped", callbacks=[StopInTheSecondEpoch()], **arguments)
    assert stopped.status == "stopped"
    (stopped.path / "words.txt").unlink()  # as if it had been killed before it was written
    resumed = stopped.resume(verbose=False)
    assert resumed.status == "finished" and resumed.history == whole.history
    expected, actual = (read_arrays(run.path / "checkpoints" / "last.npz") for run in (whole, resumed))
    assert expected.keys() == actual.keys()
    assert all(np.array_equal(expected[name], actual[name]) for name in expected if name.startswith("weights/"))
    assert (resumed.path / "words.txt").read_bytes() == (whole.path / "words.txt").read_bytes()


def test_other_texts_are_refused_on_resuming(topics, tmp_path):
    folder = shutil.copytree(topics, tmp_path / "topics")
    arguments = {"limit": 60, "width": 0.1, "name": "a", "output_dir": tmp_path, "verbose": False, **SMALL}
    zoo.fit("text_cnn", folder, epochs=1, lr_schedule="constant", warmup_epochs=0.0, **arguments)
    for path in folder.rglob("*.txt"):
        path.write_text(f"{path.read_text()} more")
    with pytest.raises(UserError) as error:
        zoo.Run(tmp_path / "a").resume(epochs=2)
    check_message(error.value, tmp_path / "a", folder)


def test_evaluating(run, topics, tmp_path, capsys):
    assert run.evaluate()["accuracy"] == run.result["test_accuracy_best"]
    assert run.evaluate(split="validation")["total"] == 80
    assert evaluate.main([str(run.path), "--data", str(topics), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["total"] == 800 and scores["accuracy"] > 0.95
    assert run.evaluate(zoo.load_data(topics, shape=(30,), vocabulary=60))["total"] == 80
    new = write_topics(tmp_path / "new", 60, seed=1)
    assert run.evaluate(new)["total"] == 60 and run.evaluate(new)["accuracy"] > 0.9


def write_npz(path):
    np.savez(path, x_test=np.zeros((4, 28, 28), np.uint8), y_test=[0, 1, 0, 1])
    return path


def test_evaluating_on_other_texts(run, tmp_path, capsys):
    """The output says what they are and that they are not the run's own; arrays give the same as files."""
    pairs = make_topic_texts(60, seed=2)
    with open(tmp_path / "new.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *pairs])
    assert evaluate.main([str(run.path), "--data", str(tmp_path / "new.csv")]) == 0
    out = capsys.readouterr().out
    check_text(out, "60 texts", str(tmp_path / "new.csv"), "not the run's own")
    assert re.search(r"class +texts +precision", out) and "images" not in out
    scores = run.evaluate(tmp_path / "new.csv")
    assert [(row["class"], row["texts"]) for row in scores["per_class_metrics"]] == [("cooking", 30), ("sailing", 30)]
    texts, topics = zip(*pairs, strict=True)
    assert run.evaluate((texts, [int(topic == "sailing") for topic in topics])) == scores


def test_the_class_table_of_the_result_counts_texts(run):
    assert [{**row, "recall": None, "precision": None, "f1": None} for row in run.result["per_class_metrics"]] == [
        {"class": name, "texts": 40, "recall": None, "precision": None, "f1": None} for name in ("cooking", "sailing")]


@pytest.mark.parametrize("make, parts", [
    (lambda folder: write_topics(folder / "t", 4) and (folder / "t" / "sailing").rename(folder / "t" / "happy").parent,
     ("'happy'",)),
    (lambda folder: "cifar10", ("cifar10", "images", "texts", "imdb")),
    (lambda folder: (np.zeros((4, 30)), [0, 1, 0, 1]), ("token ids", "float64")),
    (lambda folder: write_npz(folder / "a.npz"), ("images", "texts", "a.npz", "imdb")),
    (lambda folder: zoo.load_data(write_topics(folder / "t", 40), shape=(30,), vocabulary=10), (".csv",)),
])
def test_refusals_of_evaluate(run, make, parts, tmp_path):
    with pytest.raises(UserError) as error:
        run.evaluate(make(tmp_path))
    check_message(error.value, *parts)


def test_predicting(run, review, topics, capsys):
    assert predict.main([str(run.path), str(review), "--top-k", "1"]) == 0
    line = capsys.readouterr().out.strip()
    assert line.startswith(f"{review}: sailing ")
    check_text(line, "1 of 14 words unknown")
    probabilities = run.predict(review)
    assert probabilities.shape == (1, 2) and probabilities[0, 1] > 0.5
    assert run.predict([topics / "sailing", review]).shape == (401, 2)
    words = (run.path / "words.txt").read_text().splitlines()
    ids = [1, *(words.index(word) + 4 if word in words else 2 for word in
                "the wind was on the anchor and a tide in the harbor unheard of".split())]
    tokens = np.array([[0] * (30 - len(ids)) + ids])
    np.testing.assert_allclose(run.predict(tokens), probabilities, rtol=1e-5)


def test_texts_and_files_have_the_same_predictions(run, review, tmp_path):
    texts = [review.read_text(), "the oven"]
    expected = run.predict(review)
    np.testing.assert_array_equal(run.predict(texts[0]), expected)
    probabilities = run.predict(texts)
    np.testing.assert_allclose(probabilities[:1], expected, rtol=1e-5)
    np.testing.assert_array_equal(run.predict(np.array(texts)), probabilities)
    assert run.predict(np.array(["keel", "oven"])).shape == (2, 2)
    assert [row[0][0] for row in run.predict(["keel", "oven and stove"], top_k=1)] == ["sailing", "cooking"]
    (tmp_path / "my folder").mkdir()
    with pytest.raises(UserError) as error:  # not a text, since it exists
        run.predict(str(tmp_path / "my folder"))
    check_message(error.value, "my folder", ".txt")


@pytest.mark.parametrize("texts, parts", [
    ("keel", ("keel", "np.array([...])")), (["my review.txt", "a text"], ("my review.txt",)), ([], ("token ids",)),
    ([3, "a b"], ("token ids",)), ([["a", "b"]], ("token ids",)),
])
def test_refused_texts(run, texts, parts):
    with pytest.raises(UserError) as error:
        run.predict(texts)
    check_message(error.value, *parts)


def test_refusals_of_predict(run, tmp_path, capsys):
    (tmp_path / "a.txt").write_bytes(b"\xff\xff")
    assert predict.main([str(run.path), str(tmp_path / "a.txt")]) == 2
    check_message(capsys.readouterr().err.strip(), "a.txt", "UTF-8")
    for tokens, parts in ((np.zeros((1, 29), int), (30, 29)), (np.full((1, 30), 60), (60,)),
                          (np.zeros((1, 30)), (30,))):
        with pytest.raises(UserError) as error:
            run.predict(tokens)
        check_message(error.value, *parts)
    (tmp_path / "empty").mkdir()
    (tmp_path / "new.csv").write_text("text,label\na,b\n")
    for name, part in (("empty", ".txt"), ("new.csv", "table")):
        with pytest.raises(UserError) as error:
            run.predict(tmp_path / name)
        check_message(error.value, name, part)


def test_the_report_shows_misclassified_texts(topics, tmp_path):
    run = zoo.fit("text_cnn", topics, epochs=1, limit=60, width=0.05, learning_rate=1e-6, output_dir=tmp_path, name="a",
                  verbose=False, **SMALL)
    page = (run.path / "report.html").read_text(encoding="utf-8")
    arrays = read_arrays(run.path / "samples.npz")
    words = (run.path / "words.txt").read_text().splitlines()
    assert len(arrays["misclassified_indices"])
    for index, tokens in zip(arrays["misclassified_indices"][:24], arrays["misclassified_images"], strict=False):
        text = " ".join(words[token - 4] for token in tokens if token > 3)
        article = page.split(f'id="text-{index}"')[1].split("</article>")[0]
        assert text in article
    assert not re.search(r"(?<![-\w])images", page.split("<script")[0].split("</style>")[1])
    assert sorted(path.name for path in (run.path / "plots").iterdir()) == ["architecture.svg", "confusion.png",
                                                                            "curves.png"]
    assert run.plot("confusion") is not None
    with pytest.raises(UserError) as error:
        run.plot("samples")
    check_message(error.value, "'samples'", "texts", "curves", "confusion")


def test_words_in_the_report_are_escaped(tmp_path):
    folder = tmp_path / "hostile"
    for index, (text, topic) in enumerate(make_topic_texts(40)):
        (folder / topic).mkdir(parents=True, exist_ok=True)
        (folder / topic / f"{index}.txt").write_text(f"{text} ‹b› '\u202e'", encoding="utf-8")
    run = zoo.fit("text_cnn", folder, epochs=1, width=0.05, output_dir=tmp_path, learning_rate=1e-6, verbose=False,
                  **SMALL)
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert 'id="text-' in page and "\u202e" not in page and r"&#39;\u202e&#39;" in page


def test_a_damaged_word_list_is_reported(run, review, tmp_path):
    copy = shutil.copytree(run.path, tmp_path / "copy")
    (copy / "words.txt").unlink()
    with pytest.raises(UserError) as error:
        zoo.Run(copy).predict(review)
    check_message(error.value, "words.txt")


def classify_with_litert(path, tokens):
    """Return the probabilities of token ids by TensorFlow Lite, one text at a time."""
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    probabilities = []
    for row in tokens:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], row[None])
        interpreter.invoke()
        probabilities.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    return np.array(probabilities)


def classify_with_onnx(path, tokens):
    """Return the probabilities of token ids by ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    return session.run(None, {session.get_inputs()[0].name: tokens})[0]


EXPORTS = {  # format: (suffix, the probabilities of token ids by the runtime that reads the file)
    "keras": (".keras", lambda path, tokens: keras.saving.load_model(path)(tokens)),
    "weights": (".weights.h5", lambda path, tokens: zoo.build("text_cnn", (30,), 2, vocabulary=60,
                                                              weights=str(path))(tokens)),
    "saved_model": ("", lambda path, tokens: next(iter(keras.layers.TFSMLayer(
        path, call_endpoint="serving_default")(tokens).values()))),
    "litert": (".tflite", classify_with_litert), "onnx": (".onnx", classify_with_onnx)}


@pytest.mark.parametrize("format", EXPORTS)
def test_exporting(run, topics, format, tmp_path, capsys):
    if format == "onnx":
        pytest.importorskip("tf2onnx")
        pytest.importorskip("onnxruntime")
    suffix, classify = EXPORTS[format]
    assert export.main([str(run.path), "--format", format, "-o", f"{tmp_path / 'a'}{suffix}"]) == 0
    check_text(capsys.readouterr().out, "32 texts", "token ids", "words.txt")
    tokens = zoo.load_data(topics, shape=(30,), vocabulary=60).test.images[:8]
    expected = run.predict(tokens)
    assert np.ptp(expected[:, 0]) > 0.5
    assert np.asarray(classify(f"{tmp_path / 'a'}{suffix}", tokens)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", select_models("text"))
def test_drawing(name, tmp_path):
    assert diagram.main([name, "-o", str(tmp_path / "a.svg"), "--sequence-length", "50"]) == 0
    check_text((tmp_path / "a.svg").read_text(), "50x256" if name == "text_cnn" else "50x300")
