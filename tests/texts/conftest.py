"""The texts that runs are trained on and classify."""

import pytest
from helpers import write_topics

import zoo
from zoo.cli import train


@pytest.fixture(scope="session")
def topics(tmp_path_factory):
    return write_topics(tmp_path_factory.mktemp("texts") / "topics", 800)


@pytest.fixture
def review(tmp_path):
    path = tmp_path / "review.txt"
    path.write_text("The WIND was on the anchor, and a tide in the harbor -- unheard of!")
    return path


@pytest.fixture(scope="session")
def run(topics, tmp_path_factory):
    """Train text_cnn on the topics from the command line; other tests read the run."""
    folder = tmp_path_factory.mktemp("runs")
    assert train.main(["text_cnn", "--data", str(topics), "--sequence-length", "30", "--model-option", "vocabulary=60",
                       "--epochs", "4", "--output-dir", str(folder), "--name", "topics"]) == 0
    return zoo.Run(folder / "topics")
