"""AlexNet in one tower, as torchvision has it.

Krizhevsky 2014, 'One weird trick for parallelizing convolutional neural networks', arXiv:1404.5997, which merges the
towers of the network of 2012; the widths are those of the author's program cuda-convnet2, layers-imagenet-1gpu.cfg. At
224x224:

    conv1  11x11/4   55x55x64    pool1  27x27x64            conv4  3x3  13x13x256
    conv2  5x5       27x27x192   pool2  13x13x192           conv5  3x3  13x13x256    pool5  6x6x256
    conv3  3x3       13x13x384                              fc6    4096    fc7  4096    fc8  one unit per class

conv1 has a padding of 2; pooling is 3x3 with stride 2. Weights are initialized as in 2012: N(0, 0.01), the biases of
conv2, conv4, conv5 and the hidden fully connected layers as 1, the others as 0.

stem="small", our own, for images of about 32x32 (28,714,826 parameters with 10 classes): conv1 is 5x5 with stride 1 and
zero padding; feature maps of 32x32, 15x15, 7x7, 3x3.

Other implementations: torchvision's has dropout before fc6 and fc7, which changes training but not inference, and
adaptive average pooling to 6x6 before fc6; its published weights fit ours at 224x224.

Differences from the paper: local response normalization is left out, as in torchvision's. The output is a softmax; the
paper has a logistic unit for each class.
"""

from keras import layers

from zoo.layers.blocks import scale_width
from zoo.models.alexnet import get_layer_arguments, head, small_stem  # noqa: F401  this model has the same head

#                           conv1 conv2 conv3 conv4 conv5  fc6   fc7   (filters, units)
TABLES = {"alexnet_2014": ((64,   192,  384,  256,  256), (4096, 4096))}


def paper_stem(image, filters):
    x = layers.ZeroPadding2D(2, name="conv1_pad")(image)
    return layers.Conv2D(filters, 11, 4, **get_layer_arguments(0), name="conv1")(x)


STEMS = {"paper": paper_stem, "small": small_stem}


def max_pool(x, index):
    return layers.MaxPooling2D(3, 2, name=f"pool{index}")(x)


def backbone(image, table, *, width, stem):
    conv1, conv2, conv3, conv4, conv5 = (scale_width(filters, width) for filters in table[0])
    x = max_pool(STEMS[stem](image, conv1), 1)
    x = layers.Conv2D(conv2, 5, padding="same", **get_layer_arguments(1), name="conv2")(x)
    x = max_pool(x, 2)
    x = layers.Conv2D(conv3, 3, padding="same", **get_layer_arguments(0), name="conv3")(x)
    x = layers.Conv2D(conv4, 3, padding="same", **get_layer_arguments(1), name="conv4")(x)
    x = layers.Conv2D(conv5, 3, padding="same", **get_layer_arguments(1), name="conv5")(x)
    return max_pool(x, 5)
