"""Pooling that Keras lacks: Caffe's, whose last windows may hang over the edge, and the spatial pyramid."""

import keras
import numpy as np
from keras import layers, ops


def compute_ceil_windows(size, pool_size, stride):
    """Return along one side of `size` pixels: the window's size, and how many pixels each window holds.

    Caffe's arithmetic without padding: the number of windows is rounded up, a last one that would start outside is
    left out, and a window larger than the side shrinks to it.
    """
    pool_size = min(pool_size, size)
    starts = [start for start in range(0, size - pool_size + stride, stride) if start < size]
    return pool_size, [min(pool_size, size - start) for start in starts]


class CeilPooling2D(layers.Layer):
    """What the two have in common; the subclass has call."""

    def __init__(self, pool_size, strides, **kwargs):
        super().__init__(**kwargs)
        if pool_size < 1 or strides < 1:
            raise ValueError(f"pool_size and strides are at least 1; given {pool_size!r} and {strides!r}")
        self.pool_size, self.strides = pool_size, strides

    def compute_windows(self, x):
        """Return (rows, columns) of a window, and the pixels that each holds, along the rows and the columns."""
        return zip(*(compute_ceil_windows(size, self.pool_size, self.strides) for size in x.shape[1:3]), strict=True)

    def pad_for_windows(self, x, window_size, pixel_counts, value):
        """Return `x` with `value` right and below, where the last windows hang over."""
        over = [(0, side - pixels[-1]) for side, pixels in zip(window_size, pixel_counts, strict=True)]
        return ops.pad(x, [(0, 0), *over, (0, 0)], constant_values=value) if any(map(any, over)) else x

    def get_config(self):
        return {**super().get_config(), "pool_size": self.pool_size, "strides": self.strides}


@keras.saving.register_keras_serializable("zoo")
class CeilMaxPooling2D(CeilPooling2D):
    """Caffe's maximum pooling: windows that hang over the right or lower edge take the maximum of what is there.

    (batch, rows, columns, channels) -> the same with ceil((side - pool_size) / strides) + 1 for each side; less one
    where the last window would start outside, and 1 where the side is smaller than the window. Without padding:
    Caffe's pooling_layer.cpp with pad 0, pylearn2's mlp.max_pool_c01b. Keras's "same" is another grid: a side of 33
    with windows of 4 and strides of 2 gives 16 here, 17 there.
    """

    def call(self, x):
        pool, held = self.compute_windows(x)
        return ops.max_pool(self.pad_for_windows(x, pool, held, -np.inf), pool, self.strides, "valid")


@keras.saving.register_keras_serializable("zoo")
class CeilAveragePooling2D(CeilPooling2D):
    """Caffe's average pooling: windows that hang over the right or lower edge take the mean of the pixels there.

    (batch, rows, columns, channels) -> the same with the sides of CeilMaxPooling2D. Caffe's pooling_layer.cpp with
    pad 0.
    """

    def call(self, x):
        pool, held = self.compute_windows(x)
        mean = ops.average_pool(self.pad_for_windows(x, pool, held, 0), pool, self.strides, "valid")
        share = np.outer(*held) / np.prod(pool)  # of a window's pixels, those that are there
        return mean / ops.cast(share[:, :, None], mean.dtype) if share.min() < 1 else mean


@keras.saving.register_keras_serializable("zoo")
class SpatialPyramidPooling2D(layers.Layer):
    """The maximum of each bin of several grids over the picture, whatever its size, one after the other.

    A level of n has n x n bins; bin i of a side of h pixels covers floor(i * h / n) .. ceil((i + 1) * h / n), so that
    bins share pixels where n does not divide h, and repeat them where h is smaller than n.
    (batch, rows, columns, channels) -> (batch, channels * sum of n * n), by level in the order of `bins`, then row,
    column, channel. He, Zhang, Ren and Sun 2014, 'Spatial Pyramid Pooling in Deep Convolutional Networks for Visual
    Recognition', arXiv:1406.4729, appendix A; (7, 3, 2, 1) are the bins of arXiv:1502.01852.
    """

    def __init__(self, bins=(7, 3, 2, 1), **kwargs):
        super().__init__(**kwargs)
        self.bins = tuple(bins)
        if not self.bins or min(self.bins) < 1:
            raise ValueError(f"bins holds a number of bins, at least 1, for each level; given {bins!r}")

    def call(self, x):
        levels = [compute_band_maxima(compute_band_maxima(x, n, axis=1), n, axis=2)
                  for n in self.bins]  # a bin's maximum: of rows, then columns
        return ops.concatenate([ops.reshape(level, (-1, n * n * x.shape[-1]))
                                for n, level in zip(self.bins, levels, strict=True)], axis=-1)

    def get_config(self):
        return {**super().get_config(), "bins": list(self.bins)}


def compute_band_maxima(x, n, axis):
    """Return `x` with `axis` replaced by the maxima over its n bands."""
    size = x.shape[axis]
    bands = [(slice(None),) * axis + (slice(i * size // n, -(-(i + 1) * size // n)),) for i in range(n)]
    return ops.stack([ops.max(x[band], axis=axis) for band in bands], axis=axis)
