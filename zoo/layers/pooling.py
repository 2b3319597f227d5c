"""Pooling layers that Keras lacks: Caffe's, whose last windows can extend over the edge, and spatial pyramids."""

import keras
import numpy as np
from keras import layers, ops


def compute_ceil_windows(size, pool_size, stride):
    """Return the window size along an axis of `size` pixels, and the number of pixels in each window.

    Caffe's arithmetic without padding: the number of windows is rounded up, a last window that would start outside is
    left out, and a window larger than `size` shrinks to it.
    """
    pool_size = min(pool_size, size)
    starts = [start for start in range(0, size - pool_size + stride, stride) if start < size]
    return pool_size, [min(pool_size, size - start) for start in starts]


class CeilPooling2D(layers.Layer):
    """Base class of the two ceil-mode pooling layers, which implement `call`."""

    def __init__(self, pool_size, strides, **kwargs):
        super().__init__(**kwargs)
        if pool_size < 1 or strides < 1:
            raise ValueError(f"pool_size and strides must be at least 1; got {pool_size!r} and {strides!r}")
        self.pool_size, self.strides = pool_size, strides

    def compute_windows(self, x):
        """Return the window size (rows, columns), and the numbers of pixels in each window along both axes."""
        return zip(*(compute_ceil_windows(size, self.pool_size, self.strides) for size in x.shape[1:3]), strict=True)

    def pad_for_windows(self, x, window_size, pixel_counts, value):
        """Pad `x` with `value` right and below, where the last windows extend over the edge."""
        paddings = [(0, size - counts[-1]) for size, counts in zip(window_size, pixel_counts, strict=True)]
        return ops.pad(x, [(0, 0), *paddings, (0, 0)], constant_values=value) if any(map(any, paddings)) else x

    def get_config(self):
        return {**super().get_config(), "pool_size": self.pool_size, "strides": self.strides}


@keras.saving.register_keras_serializable("zoo")
class CeilMaxPooling2D(CeilPooling2D):
    """Caffe's max pooling: windows that extend over the right or lower edge take the maximum of the pixels inside.

    (batch, rows, columns, channels) -> the same with ceil((size - pool_size) / strides) + 1 rows and columns; one less
    if the last window would start outside, and 1 if `size` is smaller than the window. No padding, as in Caffe's
    pooling_layer.cpp with pad 0 and pylearn2's mlp.max_pool_c01b. Keras's "same" gives other sizes: a size of 33 with
    windows of 4 and strides of 2 gives 16 here, 17 there.
    """

    def call(self, x):
        window_size, pixel_counts = self.compute_windows(x)
        padded = self.pad_for_windows(x, window_size, pixel_counts, -np.inf)
        return ops.max_pool(padded, window_size, self.strides, "valid")


@keras.saving.register_keras_serializable("zoo")
class CeilAveragePooling2D(CeilPooling2D):
    """Caffe's average pooling: windows that extend over the right or lower edge take the mean of the pixels inside.

    (batch, rows, columns, channels) -> the same with the rows and columns of CeilMaxPooling2D; as in Caffe's
    pooling_layer.cpp with pad 0.
    """

    def call(self, x):
        window_size, pixel_counts = self.compute_windows(x)
        padded = self.pad_for_windows(x, window_size, pixel_counts, 0)
        mean = ops.average_pool(padded, window_size, self.strides, "valid")
        fractions = np.outer(*pixel_counts) / np.prod(window_size)  # the fraction of each window inside the image
        return mean / ops.cast(fractions[:, :, None], mean.dtype) if fractions.min() < 1 else mean


@keras.saving.register_keras_serializable("zoo")
class SpatialPyramidPooling2D(layers.Layer):
    """Max pooling over the bins of several grids, concatenated: a fixed output size for any image size.

    A level of n has n x n bins; bin i along an axis of h pixels covers floor(i * h / n) .. ceil((i + 1) * h / n), so
    that bins overlap if n does not divide h, and repeat pixels if h is smaller than n.
    (batch, rows, columns, channels) -> (batch, channels * sum of n * n), by level in the order of `bins`, then row,
    column, channel. He, Zhang, Ren and Sun 2014, 'Spatial Pyramid Pooling in Deep Convolutional Networks for Visual
    Recognition', arXiv:1406.4729, appendix A; (7, 3, 2, 1) are the bins of arXiv:1502.01852.
    """

    def __init__(self, bins=(7, 3, 2, 1), **kwargs):
        super().__init__(**kwargs)
        self.bins = tuple(bins)
        if not self.bins or min(self.bins) < 1:
            raise ValueError(f"bins must contain a number of bins, at least 1, for each level; got {bins!r}")

    def call(self, x):
        levels = [compute_band_maxima(compute_band_maxima(x, n, axis=1), n, axis=2)  # over rows, then columns
                  for n in self.bins]
        return ops.concatenate([ops.reshape(level, (-1, n * n * x.shape[-1]))
                                for n, level in zip(self.bins, levels, strict=True)], axis=-1)

    def get_config(self):
        return {**super().get_config(), "bins": list(self.bins)}


def compute_band_maxima(x, n, axis):
    """Return `x` with `axis` replaced by the maxima over its n bands."""
    size = x.shape[axis]
    bands = [(slice(None),) * axis + (slice(i * size // n, -(-(i + 1) * size // n)),) for i in range(n)]
    return ops.stack([ops.max(x[band], axis=axis) for band in bands], axis=axis)
