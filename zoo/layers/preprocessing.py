"""Preprocessing of raw pixels for models with external weights."""

import keras
from keras import layers, ops

RESCALING_LAYERS = ("Rescaling", "Normalization", "PixelScaling")  # classes; a model with one takes raw pixels


@keras.saving.register_keras_serializable("zoo")
class PixelScaling(layers.Layer):
    """Compute x * scale + offset per channel: (n, height, width, channels) in [0, 255] -> float32.

    scale, offset: one number per channel, in the order red, green, blue if there are three; grayscale images, with one
    channel, are broadcast to that many channels.
    channel_order: "rgb", or "bgr", which reverses the channels of the output.
    """

    def __init__(self, scale, offset, channel_order="rgb", **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        if channel_order not in ("rgb", "bgr") or len(scale) != len(offset):
            raise ValueError("channel_order must be rgb or bgr, and scale and offset of equal length; got "
                             f"{channel_order!r}, {scale} and {offset}")
        self.scale, self.offset, self.channel_order = [*map(float, scale)], [*map(float, offset)], channel_order

    def call(self, x):
        scale, offset = (ops.convert_to_tensor(values, "float32") for values in (self.scale, self.offset))
        x = ops.cast(x, "float32") * scale + offset
        return ops.flip(x, axis=-1) if self.channel_order == "bgr" else x

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], len(self.scale))

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "offset": self.offset, "channel_order": self.channel_order}
