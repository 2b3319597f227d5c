"""The addition in networks with scaled residuals."""

import keras
from keras import layers


@keras.saving.register_keras_serializable("zoo")
class ScaledAdd(layers.Layer):
    """x + scale * residual: scaling down the residual keeps the training of very wide networks stable.

    Called on [x, residual], two tensors of the same shape as the output. Szegedy et al. 2016, 'Inception-v4,
    Inception-ResNet and the Impact of Residual Connections on Learning', arXiv:1602.07261, section 3.3: 0.1 to 0.3.
    """

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, inputs):
        x, residual = inputs
        return x + self.scale * residual

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}
