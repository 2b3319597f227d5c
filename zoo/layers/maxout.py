"""The unit of maxout networks."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("zoo")
class Maxout(layers.Layer):
    """The maximum over each `pieces` consecutive channels.

        y[i] = max of x[i * pieces] .. x[i * pieces + pieces - 1]

    (..., units * pieces) -> (..., units); ValueError for a number of channels that `pieces` does not divide.
    Goodfellow et al. 2013, 'Maxout Networks', arXiv:1302.4389, section 3; the affine maps of the paper's h are the
    Dense or Conv2D before it.
    """

    def __init__(self, pieces, **kwargs):
        super().__init__(**kwargs)
        if pieces < 1:
            raise ValueError(f"pieces is at least 1; given {pieces!r}")
        self.pieces = pieces

    def build(self, input_shape):
        if input_shape[-1] % self.pieces:
            raise ValueError(f"Maxout of {self.pieces} pieces takes a multiple of {self.pieces} channels; "
                             f"given {input_shape[-1]}")

    def call(self, x):
        return ops.max(ops.reshape(x, (-1, *x.shape[1:-1], x.shape[-1] // self.pieces, self.pieces)), axis=-1)

    def get_config(self):
        return {**super().get_config(), "pieces": self.pieces}
