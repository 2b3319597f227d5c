"""The addition in networks with scaled residuals, and the padding of shortcuts without weights."""

import keras
from keras import layers, ops


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


@keras.saving.register_keras_serializable("zoo")
class ChannelPadding(layers.Layer):
    """Append channels of zeros up to `channels`.

    (..., up to `channels`) -> (..., `channels`); ValueError if the input has more. He et al. 2015, 'Deep Residual
    Learning for Image Recognition', arXiv:1512.03385, section 3.3: option A, a shortcut that adds no parameters where
    the number of channels increases.
    """

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        if channels < 1:
            raise ValueError(f"channels must be at least 1; got {channels!r}")
        self.channels = channels

    def build(self, input_shape):
        if input_shape[-1] > self.channels:
            raise ValueError(f"ChannelPadding to {self.channels} channels requires at most as many; got "
                             f"{input_shape[-1]}")

    def call(self, x):
        return ops.pad(x, [(0, 0)] * (len(x.shape) - 1) + [(0, self.channels - x.shape[-1])])

    def get_config(self):
        return {**super().get_config(), "channels": self.channels}
