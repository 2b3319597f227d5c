"""Checks of zoo's messages that stay true when a sentence is reworded."""

import re


def assert_names(text, *pins):
    """Fail unless a message has each of its flags, values and names, in any order, each of them whole: 16 is not in vgg16."""
    lacking = [pin for pin in pins if not re.search(rf"(?<![\w.]){re.escape(pin)}(?!\w|\.\d)", text)]
    assert not lacking, f"{lacking} not in {text!r}"
