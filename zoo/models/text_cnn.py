"""A convolutional text classifier: one convolution over the embedded words, a small pool and two dense layers.

From lecture notes of 2016 to 2018, section 5.3.8, a simplification of Kim 2014, 'Convolutional Neural Networks for
Sentence Classification', arXiv:1408.5882 (text_cnn_kim). It takes token ids, (n, length) int32; for a length of 100:

    embedding  256 numbers a token       100x256       fc1  256 units
    conv       64 filters over 5 tokens   96x64        fc2  one unit per class
    pool       maximum over 2             48x64

Dropout follows the embedding, the pool and fc1. 20,000 tokens and a length of 100 are ours: the notes leave them to the
caller.

Differences from the paper: one width of filters, 5, where the paper has 3, 4 and 5; a maximum over two neighboring
positions, where the paper takes it over the whole text, so that fc1 grows with the length, which is fixed; a hidden
dense layer; dropout in three places; no limit on the norm of the weights; embeddings of 256 numbers, not 300.
"""

from keras import layers

from zoo.layers.blocks import scale_width

#                      embedding  conv: filters, tokens  pool  fc1
TABLES = {"text_cnn": (256,       64, 5,                 2,    256)}
EMBEDDING_DROPOUT, POOL_DROPOUT, FC1_DROPOUT = 0.5, 0.5, 0.3


def backbone(tokens, table, *, width, vocabulary, dropout):
    dimensions, filters, window, pool_size, _ = table
    x = layers.Embedding(vocabulary, scale_width(dimensions, width), name="embedding")(tokens)
    if dropout:
        x = layers.Dropout(EMBEDDING_DROPOUT, name="embedding_dropout")(x)
    x = layers.Conv1D(scale_width(filters, width), window, activation="relu", name="conv")(x)
    return layers.MaxPooling1D(pool_size, name="pool")(x)


def head(features, table, classes, *, width, dropout):
    x = layers.Dropout(POOL_DROPOUT, name="pool_dropout")(features) if dropout else features
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(scale_width(table[-1], width), activation="relu", name="fc1")(x)
    if dropout:
        x = layers.Dropout(FC1_DROPOUT, name="fc1_dropout")(x)
    return layers.Dense(classes, name="fc2")(x)
