"""The gate of highway networks."""

import keras
from keras import layers


@keras.saving.register_keras_serializable("zoo")
class Highway(layers.Layer):
    """Combine the transform of a highway layer with its input: y = transformed * gate + x * (1 - gate).

    Called on [x, transformed, gate], three tensors of the same shape as the output; the gate is in [0, 1].
    Srivastava, Greff and Schmidhuber 2015, 'Training Very Deep Networks', arXiv:1507.06228, equation 3.
    """

    def call(self, inputs):
        x, transformed, gate = inputs
        return transformed * gate + x * (1 - gate)
