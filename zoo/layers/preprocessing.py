"""What raw pixels go through before a network that others have trained."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("zoo")
class PixelScaling(layers.Layer):
    """x * scale + offset, channel by channel, in the order asked: (n, height, width, channels) of 0..255, to float32.

    scale, offset: a number a channel, of red, green and blue where there are three; grey pictures, of one channel,
    become as many as these are. order: "rgb", or "bgr", which turns the channels round at the end.
    """

    def __init__(self, scale, offset, channel_order="rgb", **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        if channel_order not in ("rgb", "bgr") or len(scale) != len(offset):
            raise ValueError(f"order is rgb or bgr, and scale as long as offset; given {channel_order!r}, {scale} and {offset}")
        self.scale, self.offset, self.channel_order = [*map(float, scale)], [*map(float, offset)], channel_order

    def call(self, x):
        x = ops.cast(x, "float32") * ops.convert_to_tensor(self.scale, "float32") + ops.convert_to_tensor(
            self.offset, "float32")
        return ops.flip(x, axis=-1) if self.channel_order == "bgr" else x

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], len(self.scale))

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "offset": self.offset, "channel_order": self.channel_order}
