"""The sparse convolution of LeNet-5's C3, each of whose output channels reads a few input channels."""

import keras
import numpy as np
from keras import activations, initializers, layers, ops


@keras.saving.register_keras_serializable("zoo")
class SparseConv2D(layers.Layer):
    """Convolution with the connections of a table: output channel j reads the input channels `table[j]` only.

    Only the connected kernels are stored: "kernel" (kernel_size, kernel_size, connections), ordered by output channel,
    then input channel, and "bias" (outputs). Stride 1, no padding:
    (batch, rows, columns, inputs) -> (batch, rows - kernel_size + 1, columns - kernel_size + 1, len(table)).
    LeCun, Bottou, Bengio and Haffner 1998, 10.1109/5.726791, section II-B and table I: 60 connections, 1,516
    parameters. Kernels are initialized uniformly within +-2.4 / F, where F is the fan-in of a unit of that output
    channel (appendix A), biases as 0. ValueError for a table with input channels that do not exist, and for an input
    smaller than the kernel.
    """

    def __init__(self, table, kernel_size, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.table = tuple(tuple(sorted(channels)) for channels in table)
        if not self.table or any(not channels or channels[0] < 0 or len(set(channels)) < len(channels)
                                 for channels in self.table):
            raise ValueError("each row of the table must contain indices of input channels, at least one and each "
                             f"once; got {table!r}")
        if kernel_size < 1:
            raise ValueError(f"kernel_size must be at least 1; got {kernel_size!r}")
        self.kernel_size = kernel_size
        self.activation = activations.get(activation)

    def build(self, input_shape):
        size, inputs, outputs = self.kernel_size, input_shape[-1], len(self.table)
        if max(map(max, self.table)) >= inputs:
            raise ValueError(f"the table reads input channel {max(map(max, self.table))}; "
                             f"there are {inputs}, counted from 0")
        if min(input_shape[1:3]) < size:
            raise ValueError(f"the input, {input_shape[1]}x{input_shape[2]}, is smaller than the kernel, {size}x{size}")
        connections = [(i, j) for j, channels in enumerate(self.table) for i in channels]
        limits = np.array([2.4 / (size * size * len(self.table[j])) for _, j in connections])
        # The product with this matrix of zeros and ones scatters the kernels into a dense one that is zero elsewhere.
        self.scatter_matrix = np.zeros((len(connections), inputs * outputs))
        for index, (i, j) in enumerate(connections):
            self.scatter_matrix[index, i * outputs + j] = 1

        def kernel_initializer(shape, dtype=None):
            return initializers.RandomUniform(-1.0, 1.0)(shape, dtype) * ops.cast(limits, dtype)

        self.kernel = self.add_weight(shape=(size, size, len(connections)), initializer=kernel_initializer,
                                      name="kernel")
        self.bias = self.add_weight(shape=(outputs,), initializer="zeros", name="bias")

    def call(self, x):
        size, inputs, outputs = self.kernel_size, x.shape[-1], len(self.table)
        dense = ops.matmul(self.kernel, ops.cast(self.scatter_matrix, self.compute_dtype))
        dense = ops.reshape(dense, (size, size, inputs, outputs))
        return self.activation(ops.conv(x, dense, padding="valid") + self.bias)

    def compute_output_shape(self, input_shape):  # with PyTorch, Keras does not infer the compute dtype
        batch, rows, columns, _ = input_shape
        return batch, rows - self.kernel_size + 1, columns - self.kernel_size + 1, len(self.table)

    def get_config(self):
        return {**super().get_config(), "table": [list(channels) for channels in self.table],
                "kernel_size": self.kernel_size, "activation": activations.serialize(self.activation)}
