"""Checks of zoo's messages that stay true when a sentence is reworded."""

import re


def assert_names(text, *pins):
    """Fail unless a message has all of its flags, values and names, each of them whole: there is no 16 in vgg16."""
    lacking = [pin for pin in pins if not re.search(rf"(?<![\w.]){re.escape(pin)}(?!\w|\.\d)", text)]
    assert not lacking, f"{lacking} not in {text!r}"
