"""Blocks that more than one paper uses: a tensor goes in, a tensor comes out, every layer has its name.

`bn` and `bn_relu` have PyTorch's constants (epsilon 1e-5, and Keras's momentum 0.9, which is PyTorch's 0.1).
"""

from keras import initializers, layers


def make_he_fan_out_initializer():
    """Return a new initializer, as fb.resnet.torch draws weights: one that layers share gives all the same numbers."""
    return initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def scale_width(width_in_paper, width, groups=1):
    """Return a hidden width times the width multiplier: a multiple of `groups`, at least one a group."""
    return max(groups, int(width_in_paper * width) // groups * groups)


def pad_to_min_size(x, min_size, *, name):
    """Pad with zeros, the odd one right and below, up to `side` pixels; a picture as large as that stays as it is."""
    missing = [max(0, min_size - size) for size in x.shape[1:3]]
    if not any(missing):
        return x
    return layers.ZeroPadding2D([(short // 2, short - short // 2) for short in missing], name=name)(x)


def conv_relu(x, filters, kernel_size, *, padding="same", name):
    """Convolution with bias, then ReLU."""
    return layers.Conv2D(filters, kernel_size, padding=padding, activation="relu", name=name)(x)


def conv_bn_relu(x, filters, kernel_size, *, name):
    """Convolution with bias, batch normalisation, ReLU, at the same size."""
    x = layers.Conv2D(filters, kernel_size, padding="same", name=name)(x)
    return bn_relu(x, name=name)


def bn_relu(x, *, name):
    """Batch normalisation, then ReLU: NAME_bn and NAME_relu."""
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def conv_no_bias(x, filters, kernel_size, stride=1, *, name):
    """Convolution without bias, zeros padded alike on both sides as Caffe and PyTorch do, He's initialisation.

    Keras's "same" does so where the stride is 1; where it is 2 and the side even, it pads only right and below.
    """
    padding = "same" if stride == 1 else "valid"
    if kernel_size > 1 and stride > 1:
        x = layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(x)
    return layers.Conv2D(filters, kernel_size, stride, padding, use_bias=False,
                         kernel_initializer=make_he_fan_out_initializer(), name=name)(x)


def inception_conv(x, filters, kernel_size, stride=1, padding="same", *, scale, name):
    """Convolution without bias, batch normalisation with the constants of tf-slim and keras.applications, ReLU.

    `scale` False leaves out the normalisation's gamma, which the next layer's kernel can take over.
    """
    x = layers.Conv2D(filters, kernel_size, stride, padding=padding, use_bias=False, name=name)(x)
    x = layers.BatchNormalization(momentum=0.99, epsilon=1e-3, scale=scale, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
