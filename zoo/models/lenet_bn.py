"""A small network with batch normalization in up to four places, from lecture notes (section 5.13.4).

It illustrates Ioffe and Szegedy 2015, 'Batch Normalization: Accelerating Deep Network Training by Reducing Internal
Covariate Shift', arXiv:1502.03167; the network itself is in no paper. At 32x32x3, with the options in brackets:

    conv1  96 of 11x11             32x32x96     [bn_after_conv1]
    pool1  2x2 max pool, then tanh 16x16x96     [bn_after_pool1], before the tanh
    conv2  120 of 1x1, linear      16x16x120    [bn_after_conv2]
    fc3    one unit per class, batch normalization, ReLU
    fc4    one unit per class      [dense_at_the_end]

The ReLU after fc3 clamps the logits: no class gets less than exp(0) before softmax divides, and an image whose logits
are all clamped gets the same probability for every class and no gradient. dense_at_the_end fixes that. Without
bn_after_conv2, conv2 and fc3 are one linear map in two steps. The bias of a layer before batch normalization has no
effect.

Other implementations: the lecture notes call it LeNet-5, which it is not: it has one convolution larger than 1x1, one
pooling layer, and no F6. They fit an augmentation generator, but then train on the original images.

Differences from the paper: the paper has no such network; it is from the lecture notes. Batch normalization has Keras's
constants, as there: momentum 0.99, epsilon 1e-3.
"""

from keras import layers

from zoo.layers.blocks import scale_width

#                      conv1     conv2   (filters, kernel)
TABLES = {"lenet5_bn": ((96, 11), (120, 1))}


def backbone(image, table, *, width, bn_after_conv1, bn_after_pool1):
    (conv1, kernel1), (conv2, kernel2) = table
    x = layers.Conv2D(scale_width(conv1, width), kernel1, padding="same", name="conv1")(image)
    if bn_after_conv1:
        x = layers.BatchNormalization(name="conv1_bn")(x)
    x = layers.MaxPooling2D(2, name="pool1")(x)
    if bn_after_pool1:
        x = layers.BatchNormalization(name="pool1_bn")(x)
    x = layers.Activation("tanh", name="pool1_tanh")(x)
    return layers.Conv2D(scale_width(conv2, width), kernel2, name="conv2")(x)


def head(features, table, classes, *, width, bn_after_conv2, dense_at_the_end):
    x = layers.BatchNormalization(name="conv2_bn")(features) if bn_after_conv2 else features
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(classes, name="fc3")(x)
    x = layers.BatchNormalization(name="fc3_bn")(x)
    x = layers.ReLU(name="fc3_relu")(x)
    return layers.Dense(classes, name="fc4")(x) if dense_at_the_end else x
