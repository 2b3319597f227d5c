"""VGG, configurations D (VGG-16) and E (VGG-19).

Simonyan and Zisserman 2014, 'Very Deep Convolutional Networks for Large-Scale Image Recognition', arXiv:1409.1556,
table 1. Every convolution is 3x3 with padding 1 and ReLU; every stage ends with a 2x2 max pool; then FC-4096, FC-4096
and FC-classes, with dropout after the first two (section 3.1).

Differences from the paper: weights are initialized with Glorot and Bengio's uniform distribution, with which, as the
paper found afterwards, no pre-training with configuration A is needed (section 3.1). Images smaller than 32 pixels,
which five pooling layers would reduce to nothing, are zero-padded to 32. batch_norm=True, which is not in the paper,
adds batch normalization after every convolution; without it these networks are hard to train from scratch.
"""

from keras import layers

from zoo.layers.blocks import conv_bn_relu, conv_relu, pad_to_min_size, scale_width

#                     conv1    conv2     conv3     conv4     conv5     (filters, layers)
TABLES = {"vgg16": ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)),  # column D
          "vgg19": ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))}  # column E

FULLY_CONNECTED = (4096, 4096)  # units, in every column


def backbone(image, table, *, width, batch_norm):
    conv = conv_bn_relu if batch_norm else conv_relu
    x = pad_to_min_size(image, 32, name="pad")
    for stage, (filters, depth) in enumerate(table, start=1):
        for index in range(1, depth + 1):
            x = conv(x, scale_width(filters, width), 3, name=f"conv{stage}_{index}")
        x = layers.MaxPooling2D(2, name=f"pool{stage}")(x)
    return x


def head(features, table, classes, *, width, dropout):
    x = layers.Flatten(name="flatten")(features)
    for index, units in zip((6, 7), FULLY_CONNECTED, strict=True):
        x = layers.Dense(scale_width(units, width), activation="relu", name=f"fc{index}")(x)
        x = layers.Dropout(dropout, name=f"drop{index}")(x)
    return layers.Dense(classes, name="fc8")(x)
