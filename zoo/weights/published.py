"""What authors have published: addresses, hashes, and how pixels are scaled for it. Standard library only."""

import difflib
from dataclasses import dataclass

from zoo.errors import UserError
from zoo.files import expanded

KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/"


@dataclass(frozen=True)
class Scaling:
    """From raw pixels, 0 to 255, to what weights expect: x * scale + offset, a number a channel, then in `order`.

    order: "rgb", or "bgr", as OpenCV and Caffe have the channels.
    """

    scale: tuple
    offset: tuple
    order: str = "rgb"


def standard(mean, std):
    """Return the Scaling to mean 0 and deviation 1 of pixels with these on the scale 0..1, numbers a channel."""
    return Scaling(tuple(1 / (255 * each) for each in std), tuple(-m / s for m, s in zip(mean, std, strict=True)))


# The values that the networks were trained with, as keras.applications' preprocess_input and torchvision apply them.
SYMMETRIC = Scaling((1 / 127.5,) * 3, (-1.0,) * 3)
CAFFE = Scaling((1.0,) * 3, (-123.68, -116.779, -103.939), "bgr")  # the offsets are of red, green and blue
TORCH = standard((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# torchvision's Inception v3 turns its standard pixels back into symmetric ones before the first layer.
OF_KERAS = {"vgg16": CAFFE, "vgg19": CAFFE, "inception_v3": SYMMETRIC, "inception_resnet_v2": SYMMETRIC,
            "xception": SYMMETRIC}
OF_TORCH = {"alexnet_2014": TORCH, "vgg16": TORCH, "vgg19": TORCH, "inception_v3": SYMMETRIC}
# keras.applications'
LEAST_SIDE = {"vgg16": 32, "vgg19": 32, "inception_v3": 75, "inception_resnet_v2": 75, "xception": 71}


@dataclass(frozen=True)
class Fetched:
    """A file that Keras fetches into its cache: `with_top` and `without`, each (file, MD5)."""

    folder: str
    with_top: tuple
    without: tuple


@dataclass(frozen=True)
class Shipped:
    """A file beside this one, for pictures of one shape."""

    file: str
    input_shape: tuple
    classes: int
    scaling: Scaling


KERNELS = "weights_tf_dim_ordering_tf_kernels"
# The hashes are those that Keras 3.15 checks.
IMAGENET = {name: Fetched(name, (f"{name}_{KERNELS}.h5", whole), (f"{name}_{KERNELS}_notop.h5", body))
            for name, whole, body in (
    ("vgg16", "64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc"),
    ("vgg19", "cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6"),
    ("inception_v3", "9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63"),
    ("inception_resnet_v2", "e693bd0210a403b3192acc6073ad2e96", "d19885ff4a710c122648d3b5c3b684e4"),
    ("xception", "0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97"))}
SHIPPED = {"lenet5": Shipped("lenet5-mnist.npz", (28, 28, 1), 10, standard((0.1307,), (0.3081,)))}
NAMES = {"imagenet": IMAGENET, "mnist": SHIPPED}


def check(weights, network):
    """Raise UserError unless `weights` is a name that is published for the network, or a path where something is."""
    if weights in NAMES:
        find(weights, network)
    elif not expanded(weights).exists():
        close = difflib.get_close_matches(str(weights), NAMES, n=1)
        raise UserError(f"there are no weights {str(weights)!r}: no file, no run, and none of {', '.join(NAMES)}"
                        + (f"; did you mean {close[0]!r}?" if close else ""))


def find(name, network):
    """Return the published weights of a network, Fetched or Shipped; UserError where there are none of that name."""
    if network not in NAMES[name]:
        own = [f"{each!r}" for each, networks in NAMES.items() if network in networks]
        raise UserError(f"there are no weights {name!r} for {network}, but for {', '.join(NAMES[name])}; give weights="
                        f"{' or '.join([*own, 'None (--weights none)'])}, or a file")
    return NAMES[name][network]
