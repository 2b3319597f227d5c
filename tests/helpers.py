"""Helpers that several test files use."""

import importlib.util
import os
import re
import sys

import numpy as np
import pytest
from PIL import Image

from zoo.utils.flag_names import translate_keywords

# The code of another network with other numbers: counts and shapes are always tested, the rest by the slow tests
SIBLINGS = {"vgg19", "msra_b", "resnet32", "resnet34_v1", "resnet44", "resnet56", "resnet101", "resnet101_v2",
            "resnet110", "resnet110_v2", "resnet152", "resnet152_v2"}


# These take seconds to build, or are siblings of others: counts and shapes are always tested, the rest if `slow`
LARGE = {"inception_resnet_v2", "inception_resnet_v2_paper", "inception_v2", "inception_v3", "inception_v4", "xception",
         "resnet164_v2", *SIBLINGS}


def slow_if_large(rows, large=LARGE):
    """Mark the rows of the large networks, names or tuples that begin with them."""
    rows = [row if isinstance(row, tuple) else (row,) for row in rows]
    return [pytest.param(*row, marks=[pytest.mark.slow] * (row[0] in large)) for row in rows]


def slow_if_sibling(names):
    """Mark the tests of siblings of other networks as slow."""
    return [pytest.param(name, marks=[pytest.mark.slow] * (name in SIBLINGS)) for name in names]


def module_at(path):
    """Import a file that is in no package; like a script, it can import the files beside it."""
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_message(message, *parts):
    """Assert that a message is one line that contains every one of `parts`.

    parts: not sentences, which may be reworded, but the subject of a message: flags, fields, values, names, files, and
    what to type instead. Each is a whole word: 1 does not match 10, -1 or 1.5, --lr does not match --lr-patience. For
    an exception, whose message names options as in Python, parts can be the flags that the command line shows instead.
    """
    if isinstance(message, Exception):
        text = str(message)
        assert len(text.splitlines()) == 1, text
        return check_text(f"{text}\n{translate_keywords(text)}", *parts)
    message = str(message)
    assert len(message.splitlines()) == 1, message
    check_text(message, *parts)


def check_text(text, *parts):
    """Assert that a text contains every one of `parts`; see `check_message`."""
    absent = [part for part in map(str, parts) if not re.search(_alone(part), text)]
    assert not absent, f"{absent} not in: {text}"


def _alone(part):
    """Return the pattern of a word, number, flag or path that is not part of a longer one."""
    before = r"(?<![\w-])" if part.startswith("-") else r"(?<!\w)(?<!\w-)" if part[0].isalnum() else ""
    if part[0].isdigit():
        before += r"(?<!-)(?<!\d[.,])"
    return before + re.escape(part) + (r"(?![\w-])(?![.,]\d)" if part[-1].isalnum() else "")


def deny_access(folder, monkeypatch):
    """Let os.scandir refuse a folder, as one without permission: tests can run as root, who may read everything."""
    scandir = os.scandir

    def scan(path):
        if os.path.realpath(path) == os.path.realpath(folder):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)


def write_pets(folder, shape, ending):
    """Write two classes of ten random images each into a new folder, and return it."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for index in range(10):
            Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / name / f"{index}{ending}")
    return folder


TOPIC_WORDS = {"cooking": "oven salt butter onion recipe flour garlic soup bake spice".split(),
               "sailing": "mast wind anchor harbor sail deck tide rope keel voyage".split()}
COMMON_WORDS = "the a of and to in it was that with they had for on as but".split()


def make_topic_texts(count, seed=0):
    """Return [(text, topic)] of two topics: of its words, about a third are of the topic, the others common."""
    rng, texts = np.random.default_rng(seed), []
    for index in range(count):
        topic = [*TOPIC_WORDS][index % 2]
        words = [str(rng.choice(TOPIC_WORDS[topic] if rng.random() < 1 / 3 else COMMON_WORDS))
                 for _ in range(rng.integers(8, 40))]
        texts.append((" ".join(words).capitalize() + ".", topic))
    return texts


def write_topics(folder, count=400, seed=0):
    """Write the texts of `make_topic_texts` into a new folder of class folders, and return it."""
    for index, (text, topic) in enumerate(make_topic_texts(count, seed)):
        (folder / topic).mkdir(parents=True, exist_ok=True)
        (folder / topic / f"{index}.txt").write_text(text, encoding="utf-8")
    return folder
