"""What a model for texts classifies: text files, token ids and labelled texts. No backend is loaded."""

import os
from collections import namedtuple

import numpy as np

from zoo.data import text_files
from zoo.data.text_loading import load_labeled_texts
from zoo.data.vocabulary import FIRST_WORD, read_vocabulary
from zoo.errors import UserError
from zoo.runs.image_reader import prepare_file_batches
from zoo.training.backend import import_keras
from zoo.utils.io import expand_user

MAX_TEXTS_PER_CHUNK = 1024  # texts in memory

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
        return text_files.find_text_files(paths), ()

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
        """Return an iterator of batches int32 (n, length) of what `Run.predict` takes: paths, or token ids."""
        if isinstance(texts, (str, os.PathLike)):
            texts = [texts]
        if isinstance(texts, (list, tuple)) and texts and isinstance(texts[0], (str, os.PathLike)):
            return prepare_file_batches(self, texts)
        return iter([self.check_tokens(texts)])

    def check_tokens(self, tokens):
        """Return token ids int32 (n, length); UserError for another array."""
        array, size = np.asarray(tokens), len(self.vocabulary.words) + FIRST_WORD
        if array.dtype.kind not in "iu" or array.ndim != 2 or array.shape[1] != self.length or not array.size:
            raise UserError(f"a run on texts classifies text files, or token ids, integers (n, {self.length}); got "
                            f"{array.dtype} {array.shape}")
        if array.min() < 0 or array.max() >= size:
            raise UserError(f"token ids must be from 0 to {size - 1}; got {array.min()} to {array.max()}")
        return array.astype(np.int32)

    def load_labeled(self, source, class_names, split_name, data_dir=None):
        """Return the LabeledImages of a source; see `load_labeled_texts`."""
        if data_dir is not None:
            raise UserError("data_dir=... is for the run's own data; omit it")
        return load_labeled_texts(source, class_names, self.length, self.vocabulary, split_name)


def make_text_reader(run, config):
    """Return the TextReader of a run; config: its run.json."""
    (length,) = config["dataset"]["shape"]
    return TextReader(length, read_vocabulary(run))


def inspect_text(run, text, checkpoint):
    """Return the TextInspection of a `Run` for the text file at the path `text`; see `Run.inspect`."""
    reader = make_text_reader(run.path, run.config)
    if not isinstance(text, (str, os.PathLike)):
        raise UserError(f"a run on texts inspects a text file, given by its path; got {type(text).__name__}")
    prepared = reader.prepare_text(text_files.read_text_file(expand_user(text)))
    import_keras()

    from zoo.runs.text_inspection import TextInspection, load_searched_texts
    from zoo.training.model_loading import load_run_model

    tokens, source = load_searched_texts(run)
    model = load_run_model(run.path, checkpoint)
    return TextInspection(model, reader, run.class_names, prepared, os.path.basename(text), tokens, source,
                          f"{run.config['model']} on {run.config['dataset']['name']}")
