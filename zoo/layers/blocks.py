"""Blocks that several papers use: functions from a tensor to a tensor, with named layers.

`bn_relu` and `conv_bn_relu` use PyTorch's constants (epsilon 1e-5, and momentum 0.9 in Keras, which is 0.1 in PyTorch).
"""

from keras import initializers, layers

from zoo.layers.residual import ChannelPadding


def make_he_fan_out_initializer():
    """Return a new He initializer as in fb.resnet.torch; a shared one would give all layers the same values."""
    return initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def scale_width(width_in_paper, width, groups=1):
    """Return a hidden width times the multiplier `width`, as a multiple of `groups` and at least `groups`."""
    return max(groups, int(width_in_paper * width) // groups * groups)


def pad_to_min_size(x, min_size, *, name):
    """Zero-pad height and width to at least `min_size` pixels, an odd pixel right and below."""
    paddings = [max(0, min_size - size) for size in x.shape[1:3]]
    if not any(paddings):
        return x
    return layers.ZeroPadding2D([(padding // 2, padding - padding // 2) for padding in paddings], name=name)(x)


def conv_relu(x, filters, kernel_size, *, padding="same", name):
    """Apply convolution with bias, and ReLU."""
    return layers.Conv2D(filters, kernel_size, padding=padding, activation="relu", name=name)(x)


def conv_bn_relu(x, filters, kernel_size, *, name):
    """Apply convolution with bias and "same" padding, batch normalization, and ReLU."""
    x = layers.Conv2D(filters, kernel_size, padding="same", name=name)(x)
    return bn_relu(x, name=name)


def bn_relu(x, *, momentum=0.9, epsilon=1e-5, name):
    """Apply batch normalization, NAME_bn, and ReLU, NAME_relu."""
    x = layers.BatchNormalization(momentum=momentum, epsilon=epsilon, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def conv_symmetric(x, filters, kernel_size, stride=1, *, use_bias, name):
    """Apply convolution with symmetric zero padding as in Caffe and PyTorch, and He initialization.

    Keras's "same" padding is symmetric for stride 1; for stride 2 and an even size it pads only right and below.
    """
    padding = "same" if stride == 1 else "valid"
    if kernel_size > 1 and stride > 1:
        x = layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(x)
    return layers.Conv2D(filters, kernel_size, stride, padding, use_bias=use_bias,
                         kernel_initializer=make_he_fan_out_initializer(), name=name)(x)


def conv_no_bias(x, filters, kernel_size, stride=1, *, name):
    """Apply convolution without bias, with symmetric zero padding and He initialization."""
    return conv_symmetric(x, filters, kernel_size, stride, use_bias=False, name=name)


def inception_conv(x, filters, kernel_size, stride=1, padding="same", *, scale, name):
    """Apply convolution without bias, batch normalization and ReLU, with the constants of tf-slim and
    keras.applications.

    `scale=False` leaves out gamma, which the kernel of the next layer can absorb.
    """
    x = layers.Conv2D(filters, kernel_size, stride, padding=padding, use_bias=False, name=name)(x)
    x = layers.BatchNormalization(momentum=0.99, epsilon=1e-3, scale=scale, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def pad_shortcut(x, filters, stride, *, name):
    """Take every `stride`-th pixel and append channels of zeros, up to `filters`: option A of He et al. 2015."""
    x = layers.AveragePooling2D(1, stride, name=f"{name}_subsample")(x)  # windows of one pixel
    return ChannelPadding(filters, name=f"{name}_shortcut")(x)
