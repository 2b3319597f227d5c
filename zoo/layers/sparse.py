"""The convolution of LeNet-5's C3, whose maps see a few maps each."""

import keras
import numpy as np
from keras import activations, initializers, layers, ops


@keras.saving.register_keras_serializable("zoo")
class SparseConv2D(layers.Layer):
    """A convolution with the links of a table: output map j sees the input maps `table[j]`, and no others.

    Only the linked kernels are stored: "kernel" (kernel_size, kernel_size, links), ordered by output map, then input
    map, and "bias" (outputs). Stride 1, no padding:
    (batch, rows, columns, inputs) -> (batch, rows - kernel_size + 1, columns - kernel_size + 1, len(table)).
    LeCun, Bottou, Bengio and Haffner 1998, 10.1109/5.726791, section II-B and table I: 60 links, 1,516 parameters.
    Kernels start uniform within 2.4 / F, F = the inputs of one unit of that output map (appendix A), biases at 0.
    ValueError for a table that sees maps which are not there, and for a grid smaller than the kernel.
    """

    def __init__(self, table, kernel_size, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.table = tuple(tuple(sorted(maps)) for maps in table)
        if not self.table or any(not maps or maps[0] < 0 or len(set(maps)) < len(maps) for maps in self.table):
            raise ValueError(f"each row of the table holds the numbers of some input maps, each once; given {table!r}")
        if kernel_size < 1:
            raise ValueError(f"kernel_size is at least 1; given {kernel_size!r}")
        self.kernel_size = kernel_size
        self.activation = activations.get(activation)

    def build(self, input_shape):
        side, inputs, outputs = self.kernel_size, input_shape[-1], len(self.table)
        if max(map(max, self.table)) >= inputs:
            raise ValueError(f"the table sees input map {max(map(max, self.table))}; "
                             f"there are {inputs}, counted from 0")
        if min(input_shape[1:3]) < side:
            raise ValueError(f"a grid of {input_shape[1]}x{input_shape[2]} is smaller than the kernel, {side}x{side}")
        links = [(i, j) for j, maps in enumerate(self.table) for i in maps]
        limits = np.array([2.4 / (side * side * len(self.table[j])) for _, j in links])
        # A product with these zeros and ones puts each kernel at its place in the dense one; others are zero.
        self.scatter_matrix = np.zeros((len(links), inputs * outputs))
        for link, (i, j) in enumerate(links):
            self.scatter_matrix[link, i * outputs + j] = 1

        def within_limits(shape, dtype=None):
            return initializers.RandomUniform(-1.0, 1.0)(shape, dtype) * ops.cast(limits, dtype)

        self.kernel = self.add_weight(shape=(side, side, len(links)), initializer=within_limits, name="kernel")
        self.bias = self.add_weight(shape=(outputs,), initializer="zeros", name="bias")

    def call(self, x):
        side, inputs, outputs = self.kernel_size, x.shape[-1], len(self.table)
        dense = ops.matmul(self.kernel, ops.cast(self.scatter_matrix, self.compute_dtype))
        dense = ops.reshape(dense, (side, side, inputs, outputs))
        return self.activation(ops.conv(x, dense, padding="valid") + self.bias)

    def compute_output_shape(self, input_shape):  # on PyTorch Keras does not infer the policy's type by itself
        batch, rows, columns, _ = input_shape
        return batch, rows - self.kernel_size + 1, columns - self.kernel_size + 1, len(self.table)

    def get_config(self):
        return {**super().get_config(), "table": [list(maps) for maps in self.table],
                "kernel_size": self.kernel_size, "activation": activations.serialize(self.activation)}
