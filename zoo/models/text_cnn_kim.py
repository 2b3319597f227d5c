"""The convolutional network for sentence classification, with random embeddings (the paper's CNN-rand).

Kim 2014, 'Convolutional Neural Networks for Sentence Classification', arXiv:1408.5882, section 2, figure 1 and section
3.1. Filters over 3, 4 and 5 words, 100 of each, slide over the embedded words; of each filter only the maximum over the
text is kept (max-over-time pooling), and the 300 maxima are classified. It takes token ids, (n, length) int32; for a
length of 100:

    embedding       300 numbers a token  100x300
    windows_conv3   100 filters           98x100    windows_pool3  100
    windows_conv4   100 filters           97x100    windows_pool4  100
    windows_conv5   100 filters           96x100    windows_pool5  100
    windows_concat  the maxima               300    fc             one unit per class

Embeddings are drawn from U(-0.25, 0.25), as in the author's code. The maximum norm of fc, 3, is part of the recipe
`paper`.

Differences from the paper: its lengths and vocabularies are those of each dataset, 20,000 tokens and a length of 100
are ours; padding is a token with an embedding of its own, where the author's code keeps it at zero; the embeddings
pretrained with word2vec, which the paper's other three variants start from, are not included.
"""

import keras
from keras import layers

from zoo.layers.blocks import scale_width

#                          embedding  windows    filters of each
TABLES = {"text_cnn_kim": (300,       (3, 4, 5), 100)}
MAX_EMBEDDING = 0.25  # of the initial values


def backbone(tokens, table, *, width, vocabulary):
    dimensions, windows, filters = table
    x = layers.Embedding(vocabulary, scale_width(dimensions, width), name="embedding", embeddings_initializer=
                         keras.initializers.RandomUniform(-MAX_EMBEDDING, MAX_EMBEDDING))(tokens)
    maxima = []
    for window in windows:
        responses = layers.Conv1D(scale_width(filters, width), window, activation="relu",
                                  name=f"windows_conv{window}")(x)
        maxima.append(layers.GlobalMaxPooling1D(name=f"windows_pool{window}")(responses))
    return layers.Concatenate(name="windows_concat")(maxima)


def head(features, table, classes, *, width, dropout):
    x = layers.Dropout(dropout, name="fc_dropout")(features)
    return layers.Dense(classes, name="fc")(x)
