"""A look into runs on texts: the n-grams that activate each filter most, in the run's texts and in one text."""

import json
import shutil

import numpy as np
import pytest
from helpers import check_message, check_text

import zoo
from zoo.cli import visualize

SMALL = {"sequence_length": 30, "vocabulary": 60}


def test_the_n_grams_of_every_filter(run, review, tmp_path):
    inspection = run.inspect(review)
    assert run.inspect(review.read_text()).words == inspection.words
    assert inspection.prediction()[0][0] == "sailing" and inspection.words[:3] == ["the", "wind", "was"]
    ngrams = inspection.ngrams(3)
    assert [*ngrams] == ["conv"] and len(ngrams["conv"]) == 64
    # by hand, for one filter: the responses to all windows of the training texts
    model, split = run.load_model(), zoo.load_data(run.config["dataset"]["source"], **SMALL).train
    kernel, bias = model.get_layer("conv").get_weights()
    table, tokens = model.get_layer("embedding").get_weights()[0], split.images[:]
    words = (run.path / "words.txt").read_text().splitlines()
    responses = {}
    for text in tokens:
        for window in np.lib.stride_tricks.sliding_window_view(text, 5):
            if (window >= 2).all():
                responses[" ".join(words[token - 4] for token in window)] = np.tensordot(table[window],
                                                                                         kernel[..., 7], 2) + bias[7]
    expected = sorted(((value, text) for text, value in responses.items() if value > 0), reverse=True)[:3]
    assert [text for text, _ in ngrams["conv"][7]] == [text for _, text in expected]
    np.testing.assert_allclose([value for _, value in ngrams["conv"][7]], [value for value, _ in expected], rtol=1e-4)
    assert all(text in " ".join(inspection.words) for found in inspection.text_ngrams()["conv"] for text, _ in found)


def test_a_text_shorter_than_an_n_gram_is_said_to_have_none(run, tmp_path, capsys):
    short = tmp_path / "short.txt"
    short.write_text("the wind was")
    assert not any(run.inspect(short).text_ngrams()["conv"])
    assert visualize.main([str(run.path), "--text", str(short), "-o", str(tmp_path / "look.html")]) == 0
    for text in (capsys.readouterr().err, (tmp_path / "look.html").read_text(encoding="utf-8")):
        check_text(text, "short.txt", "conv", "5", "3")


def test_the_page_of_a_look_inside(run, review, tmp_path, capsys):
    output = tmp_path / "look.html"
    assert visualize.main([str(run.path), "--text", str(review), "-o", str(output)]) == 0
    page = output.read_text(encoding="utf-8")
    check_text(page, "sailing", "review.txt", "conv", "640 training texts")
    assert page.count("<tr><th scope=row>") == 64


def test_a_look_inside_without_the_data_uses_the_saved_texts(run, review, tmp_path):
    copy = shutil.copytree(run.path, tmp_path / "copy")
    config = json.loads((copy / "run.json").read_text())
    config["dataset"]["source"] = str(tmp_path / "gone")
    (copy / "run.json").write_text(json.dumps(config))
    assert zoo.Run(copy).inspect(review).source.startswith("the 64 ")


@pytest.mark.parametrize("arguments, parts", [
    (("RUN", "--plot", "gradcam"), ("--plot", "images", "texts")),
    (("RUN", "--layers", "all"), ("--layers", "images", "texts")),
    (("text_cnn",), ("text_cnn", "run")),
    (("RUN", "--image-size", "32"), ("--image-size",)),
    (("RUN", "-o", "a.png"), (".html",)),
])
def test_refusals_of_visualize(run, review, arguments, parts, capsys):
    name, *others = arguments
    assert visualize.main([str(run.path) if name == "RUN" else name, "--text", str(review), *others]) == 2
    check_message(capsys.readouterr().err.strip(), *parts)
