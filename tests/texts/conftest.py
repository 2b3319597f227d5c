"""The texts that runs are trained on and classify."""

import pytest
from helpers import write_topics


@pytest.fixture(scope="module")
def topics(tmp_path_factory):
    return write_topics(tmp_path_factory.mktemp("texts") / "topics", 800)


@pytest.fixture
def review(tmp_path):
    path = tmp_path / "review.txt"
    path.write_text("The WIND was on the anchor, and a tide in the harbor -- unheard of!")
    return path
