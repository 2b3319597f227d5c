"""LeNet-5's output layer."""

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable("zoo")
class RBF(layers.Layer):
    """Minus the squared Euclidean distance to each class's code: the nearer, the greater, as logits are.

        y[i] = -sum over j of (x[j] - codes[i][j])**2

    (batch, units) -> (batch, classes) float32, for `codes` of classes rows of units numbers, +1 or -1. They are the
    weight "codes", which is not trained. LeCun, Bottou, Bengio and Haffner 1998, 10.1109/5.726791, equation 7, where
    the sign is plus. Computed in float32 whatever the policy, and left so: of distances of some hundreds half
    precision would keep whole numbers at best.
    """

    def __init__(self, codes, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.code_rows = tuple(tuple(float(value) for value in row) for row in codes)
        if len({len(row)
                for row in self.code_rows}) != 1 or {abs(value) for row in self.code_rows for value in row} != {1.0}:
            raise ValueError("codes holds a row of +1 and -1 for each class, all of one length")

    def build(self, input_shape):
        shape = len(self.code_rows), len(self.code_rows[0])
        if len(input_shape) != 2 or input_shape[-1] != shape[1]:
            raise ValueError(f"codes of {shape[1]} units take inputs (batch, {shape[1]}); given {tuple(input_shape)}")

        def given(shape, dtype=None):
            return ops.convert_to_tensor(np.array(self.code_rows), dtype)

        self.codes = self.add_weight(shape=shape, initializer=given, dtype="float32", autocast=False, trainable=False,
                                     name="codes")

    def call(self, x):
        # the differences, not |x|^2 - 2xc + |c|^2, in which the digits of a small distance cancel
        return -ops.sum(ops.square(ops.expand_dims(ops.cast(x, "float32"), 1) - self.codes), axis=-1)

    def get_config(self):
        return {**super().get_config(), "codes": [list(row) for row in self.code_rows]}
