"""LeNet-5's output layer."""

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable("zoo")
class RBF(layers.Layer):
    """The negative squared Euclidean distance to the code of each class: the closer, the larger, as for logits.

        y[i] = -sum over j of (x[j] - codes[i][j])**2

    (batch, units) -> (batch, classes) float32, for `codes` of shape (classes, units), +1 or -1, which are stored as the
    non-trainable weight "codes". LeCun, Bottou, Bengio and Haffner 1998, 10.1109/5.726791, equation 7, where the sign
    is plus. Always computed and returned in float32: half precision would represent distances of a few hundred only as
    integers, at best.
    """

    def __init__(self, codes, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.code_rows = tuple(tuple(float(value) for value in row) for row in codes)
        if (len({len(row) for row in self.code_rows}) != 1
                or {abs(value) for row in self.code_rows for value in row} != {1.0}):
            raise ValueError("codes must contain a row of +1 and -1 for each class, all of equal length")

    def build(self, input_shape):
        shape = len(self.code_rows), len(self.code_rows[0])
        if len(input_shape) != 2 or input_shape[-1] != shape[1]:
            raise ValueError(f"codes of {shape[1]} units require inputs (batch, {shape[1]}); got {tuple(input_shape)}")

        def codes_initializer(shape, dtype=None):
            return ops.convert_to_tensor(np.array(self.code_rows), dtype)

        self.codes = self.add_weight(shape=shape, initializer=codes_initializer, dtype="float32", autocast=False,
                                     trainable=False, name="codes")

    def call(self, x):
        # not |x|^2 - 2xc + |c|^2, which suffers from cancellation for small distances
        return -ops.sum(ops.square(ops.expand_dims(ops.cast(x, "float32"), 1) - self.codes), axis=-1)

    def get_config(self):
        return {**super().get_config(), "codes": [list(row) for row in self.code_rows]}
