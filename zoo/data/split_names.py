"""The names of splits: of folders, and in the column of a .csv file."""

import re

from zoo.errors import UserError
from zoo.utils.io import replace_surrogates

# The names of split folders, case-insensitive: train, Training, training_set, seg_train, trainset, "test images", ...
SPLIT_WORDS = {"train": "train", "training": "train", "trainval": "train", "val": "validation", "valid": "validation",
               "validation": "validation", "validate": "validation", "dev": "validation", "test": "test",
               "testing": "test", "eval": "eval", "evaluation": "eval", "holdout": "eval"}
ABBREVIATIONS = {"trn": "train", "tr": "train", "vld": "validation", "tst": "test", "te": "test"}  # languages, too
COMPOUND_PATTERN = re.compile(r"(?i)(train|hold)[\W_]+(val|out)(?![a-z])")  # train_val, hold-out
FILLER_PATTERN = "(?:data|set|split|seg|images?|imgs?|dir|directory|folder|samples?)"  # dataset is data and set
WORD_PATTERN = re.compile("[a-z]+|[A-Z][a-z]+|[A-Z]+(?![a-z])")  # of pets_train, 01-Train, petsTrain
SPLIT_NAME_PATTERN = re.compile(rf"(?:{FILLER_PATTERN}[\W_]*)*"
                                rf"({'|'.join(sorted(SPLIT_WORDS, key=len, reverse=True))})"
                                rf"(?:[\W_]*{FILLER_PATTERN})*"
                                r"(?:[\W_]*\d{1,4})?")  # test1, val2017
STANDARD_SPLIT_NAMES = {"train": "train", "val": "validation", "validation": "validation",
                        "test": "test"}  # names that need no note
MAX_NAME_LENGTH = 64  # characters
FOLDER_SPLITS = ("", "train", "validation", "test")  # the split of a sample by its ID; "": the folder has no splits


def parse_split_name(name):
    """Return the split that a folder name denotes, "eval" if it can be validation or test, or None."""
    if len(name) > MAX_NAME_LENGTH:
        return None
    match = SPLIT_NAME_PATTERN.fullmatch(COMPOUND_PATTERN.sub(r"\1\2", name).lower())
    return SPLIT_WORDS[match[1]] if match else None


def parse_split_word(name):
    """Return the split that one word of a folder name denotes, such as pets_train or 01_test; None if not exactly one.

    It is weaker evidence than `parse_split_name`: train_augmented is such a name, too.
    """
    words = [word.lower() for word in WORD_PATTERN.findall(COMPOUND_PATTERN.sub(r"\1\2", name))]
    splits = {SPLIT_WORDS.get(word, ABBREVIATIONS.get(word)) for word in words} - {None}
    return splits.pop() if len(splits) == 1 else None


def split_off_word(name):
    """Return (the split that one word of a folder name denotes, the other words): ("train", "A") for trainA.

    Other than for `parse_split_word`, abbreviations are no such words.
    """
    words = WORD_PATTERN.findall(COMPOUND_PATTERN.sub(r"\1\2", name))
    splits = {SPLIT_WORDS[word.lower()] for word in words if word.lower() in SPLIT_WORDS}
    others = " ".join(word for word in words if word.lower() not in SPLIT_WORDS)
    return (splits.pop(), others) if len(splits) == 1 else (None, others)


def resolve_split_names(source, modality, splits, suffix=""):
    """Return {split: name} of {name: split}, the training split first; UserError for duplicate or ambiguous splits.

    source: the folder or file with the splits. suffix: of the names in messages.
    """
    parts = {}
    missing = [split for split in ("validation", "test") if split not in splits.values()]
    for name, split in splits.items():
        if split == "eval":
            if len(missing) != 1:
                advice = "rename it to val or test" if missing else f"move it out of {source}, or rename it"
                raise UserError(f"{source} is ambiguous: {replace_surrogates(name)}{suffix} is either the validation "
                                f"split, or the test split{'' if missing else ', of which there are others'}; {advice}")
            [split] = missing
        if split in parts:
            raise UserError(f"{source} is ambiguous: either {replace_surrogates(parts[split])}{suffix} is the {split} "
                            f"split, or {replace_surrogates(name)}{suffix} is; move the {modality.plural} into one of "
                            "them, or rename the other")
        parts[split] = name
    return {split: parts[split] for split in ("train", "validation", "test") if split in parts}
