"""Which n-grams fire each filter of a text model most: a filter over n tokens responds to every n-gram of a text."""

from dataclasses import dataclass

import keras
import numpy as np

from zoo.analysis.graph import get_layer_calls

PREDICT_BATCH_SIZE = 256
MIN_TOKEN = 2  # n-grams with padding or the start token are left out


@dataclass(frozen=True)
class FilterResponses:
    """The n-grams with the highest responses of each filter of a layer.

    Attributes:
        layer: name of the convolution.
        window: number of tokens that a filter reads.
        ngrams: for each filter a list of (token ids, response), the highest response first, without duplicates.
    """

    layer: str
    window: int
    ngrams: tuple


def find_token_convolutions(model):
    """Return the names of the convolutions over tokens: Conv1D layers that read the embedding, or its dropout."""
    calls, names = get_layer_calls(model), []
    for (name, _), call in calls.items():
        if isinstance(call.layer, keras.layers.Conv1D):
            source = calls[call.input_calls[0]]
            while isinstance(source.layer, keras.layers.Dropout):
                source = calls[source.input_calls[0]]
            if isinstance(source.layer, keras.layers.Embedding):
                names.append(name)
    return names


def find_top_ngrams(model, tokens, count):
    """Return a FilterResponses for each convolution over tokens.

    Args:
        model: a keras.Model of token ids int32 (n, length).
        tokens: the texts to search, int32 (n, length).
        count: number of n-grams of each filter; a filter that responds to fewer has fewer.
    """
    names = find_token_convolutions(model)
    reader = keras.Model(model.input, [model.get_layer(name).output for name in names])
    outputs = reader.predict(tokens, batch_size=PREDICT_BATCH_SIZE, verbose=0)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return [rank_ngrams(name, model.get_layer(name).kernel_size[0], tokens, responses, count)
            for name, responses in zip(names, outputs, strict=True)]


def rank_ngrams(layer, window, tokens, responses, count):
    """Return the FilterResponses of a layer from its responses float (n, positions, filters)."""
    windows = np.lib.stride_tricks.sliding_window_view(tokens, window, axis=1)  # (n, positions, window)
    is_ngram = (windows >= MIN_TOKEN).all(axis=2)
    unique, inverse = np.unique(windows[is_ngram], axis=0, return_inverse=True)
    values = responses[is_ngram]  # (number of n-grams, filters)
    if not len(values):
        return FilterResponses(layer, window, ((),) * responses.shape[2])
    first = np.zeros(len(unique), np.int64)
    first[inverse.ravel()] = np.arange(len(values))  # equal n-grams have equal responses
    values = values[first]
    top = np.argsort(-values, axis=0, kind="stable")[:count]
    return FilterResponses(layer, window, tuple(
        [(tuple(map(int, unique[index])), float(values[index, column])) for index in top[:, column]
         if values[index, column] > 0] for column in range(values.shape[1])))
