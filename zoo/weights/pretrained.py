"""What authors have published and what comes with zoo: addresses, hashes, and how pixels are scaled for it.

Standard library only.
"""

import difflib
from dataclasses import dataclass
from pathlib import Path

from zoo import registry
from zoo.data import info
from zoo.errors import UserError, unknown
from zoo.utils.io import expanded

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
RAW = Scaling((1.0,) * 3, (0.0,) * 3)
PREPROCESSING = {"imagenet-caffe": CAFFE, "imagenet-torch": TORCH, "symmetric": SYMMETRIC, "none": RAW}
OF_RUN = "run"  # as zoo.train scales: to mean 0 and standard deviation 1 of the data set, or as a run of zoo did
# torchvision's Inception v3 turns its standard pixels back into symmetric ones before the first layer.
OF_KERAS = {"vgg16": CAFFE, "vgg19": CAFFE, "inception_v3": SYMMETRIC, "inception_resnet_v2": SYMMETRIC,
            "xception": SYMMETRIC}
OF_TORCH = {"alexnet_2014": TORCH, "vgg16": TORCH, "vgg19": TORCH, "inception_v3": SYMMETRIC}
# keras.applications'
LEAST_SIDE = {"vgg16": 32, "vgg19": 32, "inception_v3": 75, "inception_resnet_v2": 75, "xception": 71}


def check_preprocessing(name):
    """Raise UserError unless `name` is None or one of the ways in which pixels are scaled."""
    if name is not None and name not in (*PREPROCESSING, OF_RUN):
        raise unknown("preprocessing", name, (*PREPROCESSING, OF_RUN))


def named_scaling(name, channels=3):
    """Return the Scaling called `name` for images with as many channels; UserError where they have no such."""
    scaling = PREPROCESSING[name]
    if channels == 3:
        return scaling
    if len({*scaling.scale, *scaling.offset}) > 2 or scaling.order != "rgb":
        raise UserError(f"the preprocessing {name} is for 3 channels; given {channels}; choose symmetric or none")
    return Scaling(scaling.scale[:1] * channels, scaling.offset[:1] * channels)


def describe_scaling(scaling):
    """Return words for what is done to pixels, with its name where it has one."""
    name = next((name for name, each in PREPROCESSING.items() if (each.scale[0], each.offset[0], each.order) == (
        scaling.scale[0], scaling.offset[0], scaling.order) and {*scaling.offset} <= {*each.offset}), None)
    words = {"imagenet-caffe": "blue, green, red; minus 103.939, 116.779, 123.68", "symmetric": "x / 127.5 - 1",
             "none": "raw, 0 to 255"}
    if name in words:
        return f"{words[name]} ({name})"
    mean, std = ([f"{each:.4g}" for each in values] for values in (
        [-offset / (255 * scale) for scale, offset in zip(scaling.scale, scaling.offset, strict=True)],
        [1 / (255 * scale) for scale in scaling.scale]))
    order = "blue, green, red; " if scaling.order == "bgr" else ""
    return (f"{order}x / 255, minus {', '.join(mean)}, divided by {', '.join(std)}" + (f" ({name})" if name else ""))


@dataclass(frozen=True)
class Fetched:
    """A file that Keras fetches into its cache: `with_top` and `without`, each (file, MD5)."""

    folder: str
    with_top: tuple
    without: tuple


@dataclass(frozen=True)
class Bundled:
    """Weights that come with the package, of a network's preset "small", which `blueprint` is.

    dataset: the name of the data set that they were trained on, which is also the name of the weights.
    """

    dataset: str
    path: Path
    blueprint: registry.Blueprint
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
FOLDER = Path(__file__).parent  # where the bundled weights are
NAMES = ("imagenet", *sorted({spec.small.dataset for spec in registry.SPECS.values() if spec.small}))


def resolve_preset(spec, name):
    """Return the Blueprint of a network's preset, for the images and classes of the preset's data set."""
    preset = registry.preset(spec, name)
    dataset = info.find(preset.dataset)
    return registry.blueprint(spec.name, dataset.shape, dataset.classes, preset.width, options=preset.options)


def find_bundled(network):
    """Return the Bundled weights of a network, whose file need not be there; None where it has no preset."""
    spec = registry.find(network)
    if spec.small is None:
        return None
    dataset = info.find(spec.small.dataset)
    return Bundled(dataset.name, FOLDER / f"{network}-{dataset.name}.npz", resolve_preset(spec, "small"),
                   standard(dataset.mean, dataset.std))


def list_names(network):
    """Return the names of the weights that there are for a network, such as ["imagenet", "cifar10"]."""
    bundled = find_bundled(network)
    return [*(["imagenet"] if network in IMAGENET else []),
            *([bundled.dataset] if bundled and bundled.path.is_file() else [])]


def check(weights, network):
    """Raise UserError unless `weights` is a name that is published for the network, or a path where something is."""
    if weights in NAMES:
        find(weights, network)
    elif not expanded(weights).exists():
        close = difflib.get_close_matches(str(weights), NAMES, n=1)
        raise UserError(f"there are no weights {str(weights)!r}: no file, no run, and none of {', '.join(NAMES)}"
                        + (f"; did you mean {close[0]!r}?" if close else ""))


def find(name, network):
    """Return the weights of a network called `name`, Fetched or Bundled; UserError where there are none."""
    known = IMAGENET.get(network) if name == "imagenet" else find_bundled(network)
    if known is None or isinstance(known, Bundled) and known.dataset != name:
        others = f", but for {', '.join(IMAGENET)}" if name == "imagenet" else ""
        own = [*map(repr, list_names(network)), "None (--weights none)"]
        raise UserError(f"there are no weights {name!r} for {network}{others}; give weights={' or '.join(own)}, or a "
                        "file")
    if isinstance(known, Bundled) and not known.path.is_file():
        raise UserError(f"{known.path.name} is missing from {known.path.parent}: this installation of zoo is not "
                        "complete; reinstall zoo")
    return known
