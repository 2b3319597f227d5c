"""The activation of maxout networks."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("zoo")
class Maxout(layers.Layer):
    """Maximum over groups of `pieces` consecutive channels.

        y[i] = max of x[i * pieces] .. x[i * pieces + pieces - 1]

    (..., units * pieces) -> (..., units); ValueError if the number of channels is not a multiple of `pieces`.
    Goodfellow et al. 2013, 'Maxout Networks', arXiv:1302.4389, section 3; the affine maps of the paper's h are the
    preceding Dense or Conv2D layer.
    """

    def __init__(self, pieces, **kwargs):
        super().__init__(**kwargs)
        if pieces < 1:
            raise ValueError(f"pieces must be at least 1; got {pieces!r}")
        self.pieces = pieces

    def build(self, input_shape):
        if input_shape[-1] % self.pieces:
            raise ValueError(f"Maxout with {self.pieces} pieces requires a multiple of {self.pieces} channels; "
                             f"got {input_shape[-1]}")

    def call(self, x):
        return ops.max(ops.reshape(x, (-1, *x.shape[1:-1], x.shape[-1] // self.pieces, self.pieces)), axis=-1)

    def get_config(self):
        return {**super().get_config(), "pieces": self.pieces}
