"""Normalisation that Keras lacks."""

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable("zoo")
class LocalResponseNormalization(layers.Layer):
    """Divide each value by what the neighbouring channels hold at its pixel.

        y[c] = x[c] / (bias + alpha * sum of x[i]**2) ** beta    over the `depth` channels i around c

    At both ends the sum runs over the channels that are there. (..., channels) -> (..., channels), `depth` odd.
    Krizhevsky, Sutskever and Hinton 2012, 10.1145/3065386, section 3.3, with bias=2, alpha=1e-4, beta=0.75, depth=5.
    As in the paper, alpha multiplies the sum; in Caffe and PyTorch it multiplies the sum divided by `depth`: their
    1e-4 is 1e-4 / 5 here. Computed in float32 whatever the policy; the output has the policy's type.
    """

    def __init__(self, bias, alpha, beta, depth=5, **kwargs):
        super().__init__(autocast=False, **kwargs)  # no rounding to half precision before the squares
        if depth < 1 or depth % 2 == 0:
            raise ValueError(f"depth is an odd number of channels; given {depth!r}")
        if bias <= 0 or alpha < 0:
            raise ValueError(f"bias is above 0 and alpha not below it; given bias={bias!r}, alpha={alpha!r}")
        self.bias, self.alpha, self.beta, self.depth = bias, alpha, beta, depth

    def build(self, input_shape):
        channel = np.arange(input_shape[-1])
        self.band_matrix = np.float32(np.abs(channel[:, None] - channel) <= self.depth // 2)

    def call(self, x):
        x = ops.cast(x, "float32")
        # One product with a band of ones: on TensorFlow's CPU a training step takes a third to a quarter of the time of
        # summing shifted slices, whose gradient is slow; exp and log take half of the time of a power.
        total = ops.matmul(ops.square(x), self.band_matrix)
        return ops.cast(x * ops.exp(-self.beta * ops.log(self.bias + self.alpha * total)), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(),
                "bias": self.bias, "alpha": self.alpha, "beta": self.beta, "depth": self.depth}
