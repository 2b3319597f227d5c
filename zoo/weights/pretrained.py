"""Published and bundled weights: URLs, hashes, and the preprocessing that they expect.

Standard library only.
"""

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

from zoo import registry
from zoo.data import dataset_info
from zoo.errors import UserError, unknown_name_error
from zoo.utils.io import expand_user, read_json

KERAS_URL = "https://storage.googleapis.com/tensorflow/keras-applications/"


@dataclass(frozen=True)
class Scaling:
    """Preprocessing from raw pixels, 0 to 255, to the input that weights expect: x * scale + offset per channel.

    Attributes:
        scale: Factor per channel, in RGB order.
        offset: Offset per channel, in RGB order.
        channel_order: Order in which the scaled channels are returned, `"rgb"`, or `"bgr"` as in OpenCV and Caffe.
    """

    scale: tuple
    offset: tuple
    channel_order: str = "rgb"


def make_standard_scaling(mean, std):
    """Return the Scaling to mean 0 and standard deviation 1.

    Args:
        mean: Mean per channel of the pixels scaled to 0..1.
        std: Standard deviation per channel of the same.
    """
    return Scaling(tuple(1 / (255 * s) for s in std), tuple(-m / s for m, s in zip(mean, std, strict=True)))


# The values that the models were trained with, as applied by keras.applications' preprocess_input and torchvision.
SYMMETRIC_SCALING = Scaling((1 / 127.5,) * 3, (-1.0,) * 3)
CAFFE_SCALING = Scaling((1.0,) * 3, (-123.68, -116.779, -103.939), "bgr")  # offsets of red, green and blue
TORCH_SCALING = make_standard_scaling((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
IDENTITY_SCALING = Scaling((1.0,) * 3, (0.0,) * 3)
PREPROCESSING = {"imagenet-caffe": CAFFE_SCALING, "imagenet-torch": TORCH_SCALING, "symmetric": SYMMETRIC_SCALING,
                 "none": IDENTITY_SCALING}
# As in training with zoo: mean 0 and standard deviation 1 over the dataset, or as recorded in a run
RUN_PREPROCESSING = "run"
# torchvision's Inception v3 converts its standardized pixels back to symmetric ones before the first layer.
KERAS_SCALINGS = {"vgg16": CAFFE_SCALING, "vgg19": CAFFE_SCALING, "inception_v3": SYMMETRIC_SCALING,
                  "inception_resnet_v2": SYMMETRIC_SCALING, "xception": SYMMETRIC_SCALING,
                  **dict.fromkeys(("resnet50", "resnet101", "resnet152"), CAFFE_SCALING),
                  **dict.fromkeys(("resnet50_v2", "resnet101_v2", "resnet152_v2"), SYMMETRIC_SCALING)}
TORCHVISION_SCALINGS = {"inception_v3": SYMMETRIC_SCALING, **dict.fromkeys(
    ("alexnet_2014", "vgg16", "vgg19", "resnet18_v1", "resnet34_v1", "resnet50", "resnet101", "resnet152"),
    TORCH_SCALING)}
# Minimum image sizes of keras.applications
KERAS_MIN_SIZE = {"vgg16": 32, "vgg19": 32, "inception_v3": 75, "inception_resnet_v2": 75, "xception": 71,
                  **dict.fromkeys(("resnet50", "resnet101", "resnet152", "resnet50_v2", "resnet101_v2",
                                   "resnet152_v2"), 32)}


def check_preprocessing(name):
    """Raise UserError unless `name` is None or the name of a preprocessing."""
    if name is not None and name not in (*PREPROCESSING, RUN_PREPROCESSING):
        raise unknown_name_error("preprocessing", name, (*PREPROCESSING, RUN_PREPROCESSING))


def get_scaling(name, channels=3):
    """Return the Scaling called `name`; raise UserError if it is not defined for this number of channels."""
    scaling = PREPROCESSING[name]
    if channels == 3:
        return scaling
    if len({*scaling.scale, *scaling.offset}) > 2 or scaling.channel_order != "rgb":
        raise UserError(f"the preprocessing {name} needs 3 channels; got {channels}; choose symmetric or none")
    return Scaling(scaling.scale[:1] * channels, scaling.offset[:1] * channels)


def describe_scaling(scaling):
    """Return a description of a Scaling, with its name if it has one."""
    first = (scaling.scale[0], scaling.offset[0], scaling.channel_order)  # it can have fewer channels than a named one
    name = next((name for name, named in PREPROCESSING.items()
                 if (named.scale[0], named.offset[0], named.channel_order) == first
                 and {*scaling.offset} <= {*named.offset}), None)
    texts = {"imagenet-caffe": "blue, green, red; minus 103.939, 116.779, 123.68", "symmetric": "x / 127.5 - 1",
             "none": "raw, 0 to 255"}
    if name in texts:
        return f"{texts[name]} ({name})"
    mean, std = ([f"{value:.4g}" for value in values] for values in (
        [-offset / (255 * scale) for scale, offset in zip(scaling.scale, scaling.offset, strict=True)],
        [1 / (255 * scale) for scale in scaling.scale]))
    order = "blue, green, red; " if scaling.channel_order == "bgr" else ""
    return (f"{order}x / 255, minus {', '.join(mean)}, divided by {', '.join(std)}" + (f" ({name})" if name else ""))


@dataclass(frozen=True)
class RemoteWeights:
    """Files that Keras downloads into its cache: `with_top` and `without_top`, each (file name, MD5)."""

    folder: str
    with_top: tuple
    without_top: tuple


@dataclass(frozen=True)
class BundledWeights:
    """Weights that are bundled with the package, for a model's preset "small".

    Attributes:
        dataset: Name of the dataset that they were trained on, which is also the name of the weights.
        path: Path of the file.
        model_config: ModelConfig of the preset.
        scaling: Scaling of the pixels that they expect.
    """

    dataset: str
    path: Path
    model_config: registry.ModelConfig
    scaling: Scaling


KERAS_FILE_INFIX = "weights_tf_dim_ordering_tf_kernels"
# The hashes that Keras 3.15 checks.
IMAGENET_WEIGHTS = {name: RemoteWeights(folder, (f"{stem}_{KERAS_FILE_INFIX}.h5", top_md5),
                                        (f"{stem}_{KERAS_FILE_INFIX}_notop.h5", no_top_md5))
                    for name, folder, stem, top_md5, no_top_md5 in (
    ("vgg16", "vgg16", "vgg16", "64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc"),
    ("vgg19", "vgg19", "vgg19", "cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6"),
    ("inception_v3", "inception_v3", "inception_v3", "9a0d58056eeedaa3f26cb7ebd46da564",
     "bcbd6486424b2319ff4ef7d526e38f63"),
    ("inception_resnet_v2", "inception_resnet_v2", "inception_resnet_v2", "e693bd0210a403b3192acc6073ad2e96",
     "d19885ff4a710c122648d3b5c3b684e4"),
    ("xception", "xception", "xception", "0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97"),
    ("resnet50", "resnet", "resnet50", "2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"),
    ("resnet101", "resnet", "resnet101", "f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21"),
    ("resnet152", "resnet", "resnet152", "100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
    ("resnet50_v2", "resnet", "resnet50v2", "3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917"),
    ("resnet101_v2", "resnet", "resnet101v2", "6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5"),
    ("resnet152_v2", "resnet", "resnet152v2", "a49b44d1979771252814e80f8ec446f9",
     "ed17cf2e0169df9d443503ef94b23b33"))}
BUNDLED_FOLDER = Path(__file__).parent  # where the bundled weights are
PRETRAINED_NAMES = ("imagenet",
                    *sorted({info.small_preset.dataset for info in registry.MODELS.values() if info.small_preset}))


def resolve_preset_config(model_info, name):
    """Return the ModelConfig of a model's preset, for the image shape and classes of the preset's dataset."""
    preset = registry.get_preset(model_info, name)
    dataset = dataset_info.get_dataset_info(preset.dataset)
    return registry.resolve_model_config(model_info.name, dataset.shape, dataset.classes, preset.width,
                                         options=preset.options)


def find_bundled_weights(model_name):
    """Return the BundledWeights of a model, whose file need not exist; None if the model has no preset."""
    model_info = registry.get_model_info(model_name)
    if model_info.small_preset is None:
        return None
    dataset = dataset_info.get_dataset_info(model_info.small_preset.dataset)
    return BundledWeights(dataset.name, BUNDLED_FOLDER / f"{model_name}-{dataset.name}.npz",
                          resolve_preset_config(model_info, "small"), make_standard_scaling(dataset.mean, dataset.std))


def find_bundled_by_path(path):
    """Return the BundledWeights whose file `path` is, or has the name of; None if it is none of them."""
    names = {path.name, path.resolve().name}
    candidates = map(find_bundled_weights, registry.MODELS)
    return next((bundled for bundled in candidates if bundled and bundled.path.name in names), None)


def list_weights_names(model_name):
    """Return the names of the weights available for a model, such as ["imagenet", "cifar10"]."""
    bundled = find_bundled_weights(model_name)
    return [*(["imagenet"] if model_name in IMAGENET_WEIGHTS else []),
            *([bundled.dataset] if bundled and bundled.path.is_file() else [])]


def is_weights_name(weights):
    """Return whether `weights` is one of PRETRAINED_NAMES; a Path, or "./imagenet", is a file or folder instead."""
    return isinstance(weights, str) and weights in PRETRAINED_NAMES


def make_weights_record(weights):
    """Return `weights` as a run records them: a name, or an absolute path, which other working directories can use."""
    return weights if is_weights_name(weights) else os.path.abspath(expand_user(weights))


def find_run(weights):
    """Return the run directory that `weights` are the path of, or of a checkpoint in; None for other weights."""
    if is_weights_name(weights):
        return None
    path = expand_user(weights)
    if path.is_file() and path.absolute().parent.name == "checkpoints":
        run = path.absolute().parent.parent
        return run if is_run_of_zoo(run) else None
    return path if (path / "run.json").is_file() else None


def is_run_of_zoo(run):
    """Return whether a folder has a run.json of zoo; other programs write files of this name, too."""
    try:
        return "model_config" in read_json(run / "run.json")
    except (OSError, ValueError, TypeError):
        return False


def is_existing_path(path):
    """Return whether a file or folder exists; raise UserError if it is in a folder that may not be entered."""
    try:
        return expand_user(path).exists()
    except OSError as error:
        raise UserError(f"weights {str(path)!r} cannot be read: {error.strerror}; change the permissions of its "
                        "folder, or give a copy") from None


def check_weights(weights, model_name):
    """Raise UserError unless `weights` is the name of weights for the model, or an existing path."""
    if is_weights_name(weights):
        get_pretrained_weights(weights, model_name)
    elif not is_existing_path(weights):
        close = difflib.get_close_matches(str(weights), PRETRAINED_NAMES, n=1)
        raise UserError(f"weights {str(weights)!r} are not found: not a file, a run, or one of "
                        + ", ".join(PRETRAINED_NAMES) + (f"; did you mean {close[0]!r}?" if close else ""))


def get_pretrained_weights(name, model_name):
    """Return the RemoteWeights or BundledWeights called `name` of a model; raise UserError if there are none."""
    pretrained = IMAGENET_WEIGHTS.get(model_name) if name == "imagenet" else find_bundled_weights(model_name)
    if pretrained is None or isinstance(pretrained, BundledWeights) and pretrained.dataset != name:
        others = f", only for {', '.join(IMAGENET_WEIGHTS)}" if name == "imagenet" else ""
        choices = [*map(repr, list_weights_names(model_name)), "None"]
        raise UserError(f"there are no weights {name!r} for {model_name}{others}; give weights={' or '.join(choices)}, "
                        "or a file")
    if isinstance(pretrained, BundledWeights) and not pretrained.path.is_file():
        raise UserError(f"{pretrained.path.name} is missing from {pretrained.path.parent}: this installation of zoo is "
                        "incomplete; reinstall zoo")
    return pretrained
