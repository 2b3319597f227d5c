"""Normalization layers that Keras lacks."""

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable("zoo")
class LocalResponseNormalization(layers.Layer):
    """Normalize each value by the activity of the neighboring channels at the same pixel.

        y[c] = x[c] / (bias + alpha * sum of x[i]**2) ** beta    over the `depth` channels i around c

    At both ends the sum covers the existing channels only. (..., channels) -> (..., channels), `depth` odd.
    Krizhevsky, Sutskever and Hinton 2012, 10.1145/3065386, section 3.3, with bias=2, alpha=1e-4, beta=0.75, depth=5.
    As in the paper, alpha multiplies the sum; in Caffe and PyTorch it multiplies the sum divided by `depth`: their
    1e-4 is 1e-4 / 5 here. Always computed in float32; the output has the compute dtype of the dtype policy.
    """

    def __init__(self, bias, alpha, beta, depth=5, **kwargs):
        super().__init__(autocast=False, **kwargs)  # no rounding to half precision before squaring
        if depth < 1 or depth % 2 == 0:
            raise ValueError(f"depth must be a positive odd integer; got {depth!r}")
        if bias <= 0 or alpha < 0:
            raise ValueError(f"bias must be positive and alpha non-negative; got bias={bias!r}, alpha={alpha!r}")
        self.bias, self.alpha, self.beta, self.depth = bias, alpha, beta, depth

    def build(self, input_shape):
        channels = np.arange(input_shape[-1])
        self.band_matrix = np.float32(np.abs(channels[:, None] - channels) <= self.depth // 2)

    def call(self, x):
        x = ops.cast(x, "float32")
        # Multiplying by a band matrix of ones makes a training step three to four times as fast on TensorFlow's CPU as
        # summing shifted slices, whose gradient is slow; exp and log take half of the time of a power.
        total = ops.matmul(ops.square(x), self.band_matrix)
        return ops.cast(x * ops.exp(-self.beta * ops.log(self.bias + self.alpha * total)), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(),
                "bias": self.bias, "alpha": self.alpha, "beta": self.beta, "depth": self.depth}
