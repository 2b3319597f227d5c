"""LeNet-5's squashing function and its trainable subsampling."""

import keras
from keras import activations, initializers, layers, ops


@keras.saving.register_keras_serializable("zoo")
def scaled_tanh(x):
    """1.7159 * tanh(2 * x / 3), which is 1 at 1 and -1 at -1: LeCun et al. 1998, 10.1109/5.726791, appendix A."""
    return 1.7159 * ops.tanh(x * (2 / 3))


@keras.saving.register_keras_serializable("zoo")
class TrainableSubsampling(layers.Layer):
    """Sum pooling with a trainable coefficient and bias per channel, followed by an activation.

        y = activation(coefficient * (sum of the window) + bias)    one coefficient and one bias per channel

    Windows of pool_size x pool_size do not overlap; incomplete windows at the edges are dropped.
    (batch, rows, columns, channels) -> (batch, rows // pool_size, columns // pool_size, channels).
    LeCun, Bottou, Bengio and Haffner 1998, 10.1109/5.726791, section II-B; coefficients are initialized uniformly
    within +-2.4 / F, where the fan-in F is pool_size**2 (appendix A), biases as 0. ValueError for an input smaller than
    one window.
    """

    def __init__(self, pool_size=2, activation=None, **kwargs):
        super().__init__(**kwargs)
        if pool_size < 1:
            raise ValueError(f"pool_size must be at least 1; got {pool_size!r}")
        self.pool_size = pool_size
        self.activation = activations.get(activation)

    def build(self, input_shape):
        if min(input_shape[1:3]) < self.pool_size:
            raise ValueError(f"the input, {input_shape[1]}x{input_shape[2]}, is smaller than one window, "
                             f"{self.pool_size}x{self.pool_size}")
        shape, limit = (input_shape[-1],), 2.4 / self.pool_size**2
        self.coefficient = self.add_weight(shape=shape, initializer=initializers.RandomUniform(-limit, limit),
                                           name="coefficient")
        self.bias = self.add_weight(shape=shape, initializer="zeros", name="bias")

    def call(self, x):
        total = ops.average_pool(x, self.pool_size, self.pool_size, "valid") * self.pool_size**2
        return self.activation(total * self.coefficient + self.bias)

    def compute_output_shape(self, input_shape):  # with PyTorch, Keras does not infer the compute dtype
        batch, rows, columns, channels = input_shape
        return batch, rows // self.pool_size, columns // self.pool_size, channels

    def get_config(self):
        return {**super().get_config(),
                "pool_size": self.pool_size, "activation": activations.serialize(self.activation)}
