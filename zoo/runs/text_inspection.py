"""`Run.inspect` for texts: which n-grams activate each filter most, in one text and in those of a run. Loads Keras."""

import numpy as np

from zoo.analysis import ngrams, predictions
from zoo.errors import UserError
from zoo.runs.data import reload_run_split
from zoo.training import run_samples
from zoo.utils.io import check_page_path
from zoo.utils.validation import check_positive_integer

MAX_TEXTS = 1000  # texts of the run that are searched
NUM_CLASSES = 10  # classes shown
DEFAULT_COUNT = 5  # n-grams of each filter


class TextInspection:
    """A look into a model for texts: its prediction for one text, and the n-grams that activate its filters most.

    Args:
        model: keras.Model from token ids (n, length) int32 to probabilities.
        reader: the TextReader of the run.
        class_names: list of str.
        prepared: the PreparedText of the text.
        name: str, of the text.
        tokens: token ids (n, length) of the texts of the run that are searched.
        source: str, what these are.
        title: str, the run.
    """

    def __init__(self, model, reader, class_names, prepared, name, tokens, source, title):
        self._model, self._reader, self._class_names, self._tokens = model, reader, class_names, tokens
        self._prepared, self.name, self.source, self.title = prepared, name, source, title

    @property
    def words(self):
        """The words of the text as the model sees them, a list of str."""
        return self._reader.vocabulary.decode(self._prepared.tokens)

    @property
    def note(self):
        """What of the text the model does not see, and whose filters read more words than it has, a str."""
        num_words = int((self._prepared.tokens >= ngrams.MIN_TOKEN).sum())
        too_short = [f"n-grams of {convolution.name} have {convolution.kernel_size[0]} words, the text has {num_words}"
                     for _, convolution in ngrams.find_token_convolutions(self._model)
                     if convolution.kernel_size[0] > num_words]
        return "; ".join(filter(None, (self._prepared.transformations, *too_short)))

    def prediction(self):
        """Return [(class name, probability)], the most probable first."""
        probabilities = self._model.predict(self._prepared.tokens[None], verbose=0)
        return predictions.rank_classes(np.asarray(probabilities), self._class_names, NUM_CLASSES)[0]

    def ngrams(self, count=DEFAULT_COUNT):
        """Return {layer: for each filter a list of (words, response)}: the n-grams of the run's texts, highest first.

        Args:
            count: int, number of n-grams of each filter.
        """
        return self._find_ngrams(self._tokens, check_positive_integer("count", count))

    def text_ngrams(self):
        """Return {layer: for each filter [(words, response)]}: the n-gram of the text that activates it most, or []."""
        return self._find_ngrams(self._prepared.tokens[None], 1)

    def __repr__(self):
        return (f"<zoo.TextInspection of {self.name} by {self.title}: prediction(), ngrams(), text_ngrams(), "
                "report()>")

    def _find_ngrams(self, tokens, count):
        decode = self._reader.vocabulary.decode
        return {layer.layer: [[(" ".join(decode(ids)), response) for ids, response in filter_ngrams]
                              for filter_ngrams in layer.ngrams]
                for layer in ngrams.find_top_ngrams(self._model, tokens, count)}

    def report(self, to_file="look.html", count=DEFAULT_COUNT):
        """Write an HTML page with all of these; return its Path."""
        from zoo.reports.text_inspection import write_text_inspection_page

        path = check_page_path(to_file)
        write_text_inspection_page(self, check_positive_integer("count", count), path)
        return path


def load_searched_texts(run):
    """Return (token ids, description) of texts of the run: its training split, or if that is gone, the saved ones."""
    try:
        split, _ = reload_run_split(run.path, run.config, "train")
        count = min(MAX_TEXTS, len(split))
        return split.batch(np.arange(count))[0], f"{count:,} training texts"
    except UserError:
        samples = run_samples.read_samples(run.path, len(run.class_names))
        if samples is None:
            raise
        return samples[0], f"the {len(samples[0]):,} training texts that the run keeps"
