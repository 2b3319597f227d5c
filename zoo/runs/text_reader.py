"""What a model for texts classifies: texts, their files, token ids and labeled texts. No backend is loaded."""

import os
from collections import namedtuple

import numpy as np

from zoo.data import text_files
from zoo.data.labeled_texts import load_labeled_texts
from zoo.data.text_arrays import check_token_ids, convert_texts, has_texts
from zoo.data.vocabulary import FIRST_WORD, read_vocabulary
from zoo.errors import UserError
from zoo.modality import TEXT
from zoo.runs.image_reader import prepare_file_batches
from zoo.training.backend import import_keras
from zoo.utils.io import expand_user

MAX_TEXTS_PER_CHUNK = 1024  # texts in memory
MAX_NAME_LENGTH = 200  # characters of a name in a message

# int32 (length,), and a str that describes what was lost
PreparedText = namedtuple("PreparedText", "tokens transformations")


class TextReader:
    """Reads texts for a model; `image_reader.ImageReader` has the same methods.

    Args:
        length: of the model's input in tokens.
        vocabulary: the Vocabulary of the run.
    """

    def __init__(self, length, vocabulary):
        self.length, self.vocabulary = length, vocabulary

    def find_files(self, paths):
        """Return (files, notes) of `paths`, files or folders; UserError where there are none."""
        return text_files.find_text_files(paths)

    def prepare_text(self, text):
        """Return the PreparedText of a str."""
        tokens, num_words, num_unknown = self.vocabulary.encode(text, self.length)
        notes = [f"the last {self.length} of {num_words:,} words"] if num_words > self.length else []
        notes += [f"{num_unknown:,} of {num_words:,} words unknown"] if num_unknown else []
        return PreparedText(tokens, ", ".join(notes))

    def prepare_files(self, files):
        """Yield lists of (path, PreparedText or UserError), sized to fit memory."""
        for start in range(0, len(files), MAX_TEXTS_PER_CHUNK):
            chunk = []
            for path in files[start:start + MAX_TEXTS_PER_CHUNK]:
                try:
                    chunk.append((path, self.prepare_text(text_files.read_text_file(path))))
                except UserError as error:
                    chunk.append((path, error))
            yield chunk

    def stack(self, prepared):
        """Return a list of PreparedTexts as a batch."""
        return np.stack([text.tokens for text in prepared])

    def prepare_batches(self, texts):
        """Return an iterator of batches int32 (n, length) of what `Run.predict` takes: paths, texts, or token ids."""
        if isinstance(texts, (str, os.PathLike)):
            texts = [texts]
        is_list = isinstance(texts, (list, tuple))
        if is_list and texts and all(isinstance(text, (str, os.PathLike)) for text in texts) and not are_texts(texts):
            check_files_exist(texts)
            return prepare_file_batches(self, texts)
        if has_texts(texts):
            return iter([self.stack([self.prepare_text(text) for text in convert_texts(texts, "given")])])
        return iter([self.check_tokens(texts)])

    def check_tokens(self, tokens):
        """Return token ids int32 (n, length); UserError for another array."""
        return check_token_ids(convert_texts(tokens, "given"), self.length, len(self.vocabulary.words) + FIRST_WORD,
                               "given texts")

    def load_labeled(self, source, class_names, split_name, data_dir=None, labels_from=None, invalid_images="error"):
        """Return the LabeledImages of a source; see `load_labeled_texts`. The last two are refused: for images only."""
        for name, is_given in (("labels_from", labels_from is not None), ("invalid_images", invalid_images != "error")):
            if is_given:
                TEXT.require(f"{name}=...", "the run", "omit it")
        return load_labeled_texts(source, class_names, self.length, self.vocabulary, split_name=split_name,
                                  data_dir=data_dir)


def are_texts(values):
    """Return whether a list of str and paths holds texts: no path, no name of a text file, and a space in one."""
    return not any(is_path(value) for value in values) and any(len(value.split()) > 1 for value in values)


def is_path(value):
    """Return whether a str or PathLike is a path for certain: it exists, or has the extension of text files."""
    path = os.path.expanduser(value)
    return not isinstance(value, str) or value.endswith(text_files.EXTENSION) or os.path.exists(path)


def check_files_exist(paths):
    """Raise UserError for the first path that does not exist, which can be meant as a text."""
    missing = next((path for path in paths if not os.path.exists(os.path.expanduser(path))), None)
    if missing is not None:
        raise UserError(f"{str(missing)[:MAX_NAME_LENGTH]} does not exist; give text files or folders of them, or "
                        "texts; texts of one word are given as an array, np.array([...])")


def make_text_reader(run, config):
    """Return the TextReader of a run; config: its run.json."""
    (length,) = config["dataset"]["shape"]
    return TextReader(length, read_vocabulary(run))


def inspect_text(run, text, checkpoint):
    """Return the TextInspection of a `Run` for `text`, the path of a text file or a text; see `Run.inspect`."""
    reader = make_text_reader(run.path, run.config)
    if not isinstance(text, (str, os.PathLike)):
        raise UserError(f"a run on texts inspects a text, or a text file given by its path; got {type(text).__name__}")
    is_text = are_texts([text])
    prepared = reader.prepare_text(text if is_text else text_files.read_text_file(expand_user(text)))
    import_keras()

    from zoo.runs.text_inspection import TextInspection, load_searched_texts
    from zoo.training.model_loading import load_run_model

    tokens, source = load_searched_texts(run)
    model = load_run_model(run.path, checkpoint)
    return TextInspection(model, reader, run.class_names, prepared, "a text" if is_text else os.path.basename(text),
                          tokens, source, f"{run.config['model']} on {run.config['dataset']['name']}")
