"""Which n-grams activate each filter of a text model most: a filter over n tokens responds to each n-gram of a text."""

from dataclasses import dataclass

import keras
import numpy as np

from zoo.analysis.graph import get_layer_calls

BATCH_SIZE = 256
MIN_TOKEN = 2  # n-grams with padding or the start token are left out


@dataclass(frozen=True)
class FilterResponses:
    """The n-grams with the highest responses of each filter of a layer.

    Attributes:
        layer: name of the convolution.
        ngrams: for each filter a list of (token ids, response), the highest response first, without duplicates.
    """

    layer: str
    ngrams: tuple


def find_token_convolutions(model):
    """Return [(embedding, convolution)] of the Conv1D layers that read an embedding, or its dropout.

    Those whose outputs do not belong to n-grams one by one are left out: with padding, strides or dilation.
    """
    calls, convolutions = get_layer_calls(model), []
    for call in calls.values():
        if isinstance(call.layer, keras.layers.Conv1D) and reads_ngrams(call.layer):
            source = calls[call.input_calls[0]]
            while isinstance(source.layer, keras.layers.Dropout):
                source = calls[source.input_calls[0]]
            if isinstance(source.layer, keras.layers.Embedding):
                convolutions.append((source.layer, call.layer))
    return convolutions


def reads_ngrams(layer):
    """Return whether every output of a Conv1D layer is the response to one n-gram."""
    return (layer.padding, layer.strides, layer.dilation_rate) == ("valid", (1,), (1,))


def find_top_ngrams(model, tokens, count):
    """Return a FilterResponses for each convolution over tokens.

    Args:
        model: a keras.Model of token ids int32 (n, length).
        tokens: the texts to search, int32 (n, length).
        count: number of n-grams of each filter; a filter that responds to fewer has fewer.
    """
    return [rank_ngrams(convolution.name, convolution.kernel_size[0], tokens,
                        compute_responses(embedding, convolution, tokens), count)
            for embedding, convolution in find_token_convolutions(model)]


def compute_responses(embedding, convolution, tokens):
    """Return the outputs of a convolution over tokens int32 (n, length), float32 (n, positions, filters)."""
    batches = [tokens[start:start + BATCH_SIZE] for start in range(0, len(tokens), BATCH_SIZE)]
    return np.concatenate([keras.ops.convert_to_numpy(keras.ops.cast(convolution(embedding(batch)), "float32"))
                           for batch in batches])


def rank_ngrams(layer, window, tokens, responses, count):
    """Return the FilterResponses of a layer from its responses float (n, positions, filters)."""
    windows = np.lib.stride_tricks.sliding_window_view(tokens, window, axis=1)  # (n, positions, window)
    is_ngram = (windows >= MIN_TOKEN).all(axis=2)
    unique, inverse = np.unique(windows[is_ngram], axis=0, return_inverse=True)
    values = responses[is_ngram]  # (number of n-grams, filters)
    if not len(values):
        return FilterResponses(layer, ((),) * responses.shape[2])
    first = np.zeros(len(unique), np.int64)
    first[inverse.ravel()] = np.arange(len(values))  # equal n-grams have equal responses
    values = values[first]
    top = np.argsort(-values, axis=0, kind="stable")[:count]
    return FilterResponses(layer, tuple(
        [(tuple(map(int, unique[index])), float(values[index, column])) for index in top[:, column]
         if values[index, column] > 0] for column in range(values.shape[1])))
