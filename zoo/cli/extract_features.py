"""python -m zoo extract-features MODEL: extract image features with a pretrained model, without its classifier."""

import os
import sys
import zipfile

from zoo import registry
from zoo.cli import common, dataset_args, help_text
from zoo.data.dataset_info import SPLITS
from zoo.data.sources import get_path_kind
from zoo.errors import UserError
from zoo.modality import IMAGE
from zoo.utils.flag_names import translate_note
from zoo.utils.io import expand_user, check_writable, atomic_write

POOLINGS = ("avg", "max", "none")


def build_parser():
    parser = common.Parser(
        prog="python -m zoo extract-features",
        usage="%(prog)s MODEL --dataset NAME|FOLDER|FILE.npz [-o FILE] [OPTION ...]",
        description="Extract image features with a pretrained model, without its classifier, into an .npz file with "
                    "the arrays features, labels, class_names, files and splits.",
        epilog=help_text.join_sections(help_text.format_models(), help_text.format_datasets(),
                                       help_text.format_model_options()),
        examples=("xception --dataset pets/ -o features.npz",
                  "resnet18 --dataset cifar10 --weights cifar10 --limit 500",
                  "vgg16 --dataset pets/ --feature-layer pool4 --pooling none"))
    parser.add_argument("network", metavar="MODEL", help="name of the model; all names are listed below")
    data = parser.add_argument_group("data")
    dataset_args.add_images(
        data, "images; NAME: a dataset, see below; FOLDER: your own images in a folder for each class; FILE.npz: "
              "arrays x_train, y_train, ... or train_images, train_labels, ...; required",
        sources="NAME|FOLDER|FILE.npz")
    data.add_argument("--limit", metavar="N", help="maximum number of images in each split of a dataset or .npz file; "
                                                   "default: all")
    model = parser.add_argument_group("model")
    model.add_argument("--weights", metavar="imagenet|cifar10|mnist|none|RUN|FILE", default="imagenet",
                       help="weights of the model; imagenet, cifar10, mnist: published or bundled weights (python -m "
                            "zoo list shows which models have them); RUN: the directory of a run; FILE: a weights "
                            "file, see docs/weights.md; none: random weights; default: imagenet")
    common.add_preprocessing(model)
    common.add_architecture(model, "that of the weights, or 1")
    features = parser.add_argument_group("features")
    features.add_argument("--feature-layer", metavar="LAYER", default="",
                          help="name of the layer whose output is written (python -m zoo diagram MODEL --detail layers "
                               "shows the names); default: the last layer before the classifier")
    features.add_argument("--pooling", metavar="|".join(POOLINGS), default="avg",
                          help="how feature maps become a vector; avg: global average pooling; max: global max "
                               "pooling; none: keep height and width; default: avg")
    features.add_argument("-o", "--output", metavar="FILE.npz", default="features.npz",
                          help="file to write; default: features.npz")
    device = parser.add_argument_group("device")
    device.add_argument("-b", "--batch-size", metavar="N", default="32",
                        help="number of images in a batch; default: 32")
    common.add_gpu(device)
    return parser


class ImageSet:
    """Images in the order in which they are written: `files` (n,) names, `splits` (n,) names, `labels` (n,) int64."""

    def __init__(self, images, labels, class_names, files, splits, dataset_info, notes):
        self.images, self.labels, self.class_names, self.files = images, labels, class_names, files
        self.splits, self.dataset_info, self.notes = splits, dataset_info, notes

    def __len__(self):
        return len(self.labels)


def load_folder_images(arguments, shape, source):
    """Return the ImageSet of all images of a folder, sorted by name.

    source: the WeightsSource, None for random weights.
    """
    from zoo.data import folder_listing, image_folder, split_names
    from zoo.data.folder_images import FolderImages
    from zoo.training import run_files

    white_levels = run_files.read_white_levels(source.run) if source and source.run else None
    index = folder_listing.list_samples(expand_user(arguments.dataset), IMAGE, arguments.labels_from)
    index, notes = image_folder.filter_invalid_images(index, shape, arguments.invalid_images)
    files = [os.fsdecode(file) for file in index.files]
    splits = [split_names.FOLDER_SPLITS[split_id] for split_id in index.split_ids]
    images = FolderImages(index, shape, white_levels=white_levels)
    return ImageSet(images, index.labels, index.class_names, files, splits, None, (*index.notes, *notes, *images.notes))


def load_dataset_images(arguments, limit):
    """Return the ImageSet of a dataset: its splits one after the other; the file names are SPLIT/INDEX."""
    import numpy as np

    dataset = dataset_args.load_images(arguments, limit, {})
    splits = [(name, getattr(dataset, name)) for name in SPLITS]
    images = np.concatenate([split.batch(np.arange(len(split)))[0] for _, split in splits])
    files = [f"{name}/{index}" for name, split in splits for index in range(len(split))]
    return ImageSet(images, np.concatenate([split.labels for _, split in splits]), dataset.info.class_names, files,
                    [name for name, split in splits for _ in range(len(split))], dataset.info, dataset.notes)


def execute_extract_features(argv):
    arguments = build_parser().parse_args(argv)
    if arguments.pooling not in POOLINGS:
        raise UserError(f"--pooling must be one of {', '.join(POOLINGS)}; got {arguments.pooling!r}")
    batch_size = common.parse_int("--batch-size", arguments.batch_size, 1, 2**20)
    limit = dataset_args.parse_limit(arguments)
    if arguments.dataset is None:
        raise UserError("no images are specified; give --dataset NAME, FOLDER or FILE.npz")
    model_info = registry.get_model_info(arguments.network)
    model_info.modality.require("extracting features", model_info.name, "use zoo.features, in Python")
    dataset_args.check_images(arguments)
    is_folder = get_path_kind(arguments.dataset) == "folder"
    if limit and is_folder:
        raise UserError("--limit is only for a dataset, but --dataset is a folder; omit it")
    output = check_features_path(arguments.output)
    architecture = common.parse_architecture(arguments)

    from zoo.training import pretrained_backbone

    if arguments.weights == "none" and arguments.preprocessing:
        raise UserError("--preprocessing is only for weights, and --weights is none; omit it")
    backbone_weights = pretrained_backbone.find_backbone_weights(arguments.network, arguments.weights, *architecture)
    backbone_weights = backbone_weights.replace_preprocessing(arguments.preprocessing)
    shape = backbone_weights.get_image_shape(registry.get_model_info(arguments.network),
                                             common.get_image_size(arguments))
    backend, device = common.select_device(arguments.gpu, arguments.backend)
    image_set = (load_folder_images(arguments, shape, backbone_weights.source) if is_folder
                 else load_dataset_images(arguments, limit))
    shape = image_set.dataset_info.shape if image_set.dataset_info else shape
    device_name = common.load_keras(backend, device)
    model, lines = build_feature_model(arguments, backbone_weights.ensure_local(), shape, image_set)
    lines += [f"{'device':8} {device_name}, {backend}", *(f"{'note':8} {note}" for note in image_set.notes)]
    common.print_lines(*map(translate_note, lines))
    features = extract_features(model, image_set, batch_size)
    write_features(output, features, image_set)
    common.print_lines(f"{'written':8} {output}: features {'x'.join(map(str, features.shape))}, "
                       f"{len(image_set.class_names)} classes")


def check_features_path(path):
    """Return the path of the .npz file to write; UserError if it cannot be written."""
    if expand_user(path).suffix != ".npz":
        raise UserError(f"features are written as .npz; got -o {path}")
    output = check_writable(path)
    if output.exists() and not is_features_file(output):
        raise UserError(f"{path} already exists, and is not a features file; give another name")
    return output


def is_features_file(path):
    """Return whether a file has been written by this command."""
    try:
        with zipfile.ZipFile(path) as file:
            return "features.npy" in file.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def build_feature_model(arguments, origin, shape, image_set):
    """Return (model from raw uint8 pixels to features, header lines that describe it)."""
    import keras

    from zoo.training import finetuned_model, finetuning, pretrained_backbone
    from zoo.weights import pretrained

    classes = max(2, len(image_set.class_names))
    max_classes = registry.get_model_info(arguments.network).max_classes or classes
    model_config, factor, scaling = pretrained_backbone.resolve_model_input(arguments.network, shape, origin,
                                                                            min(classes, max_classes))
    scaling = resolve_extraction_scaling(scaling, image_set.dataset_info, model_config.input_shape[2])
    config = finetuning.FineTuneConfig(origin.name, (), "avg", arguments.feature_layer, "", factor, scaling.scale,
                                       scaling.offset, scaling.channel_order)
    keras.utils.set_random_seed(0)
    full_model, backbone = finetuned_model.build_finetuning_model(model_config, config, shape, classes, None)
    lines = origin.load_into(backbone, model_config)
    feature_map = full_model.get_layer("head_pool").input
    pools = {"avg": keras.layers.GlobalAveragePooling2D, "max": keras.layers.GlobalMaxPooling2D}
    output = pools[arguments.pooling](dtype="float32")(feature_map) if arguments.pooling != "none" else feature_map
    layer_name = arguments.feature_layer or backbone.layers[-1].name
    size = f"{'x'.join(map(str, shape))}" + (f", upsampled {factor} times" if factor > 1 else "")
    lines.insert(0, f"{'pixels':8} {pretrained.describe_scaling(scaling)}")
    lines.append(f"{'features':8} {layer_name} of {model_config.model_info.name}, images {size}")
    return keras.Model(full_model.input, output), lines


def resolve_extraction_scaling(scaling, dataset_info, channels):
    """Return the Scaling of the weights, or of the dataset, or else, for a folder, to -1..1."""
    from zoo.training import pretrained_backbone
    from zoo.weights import pretrained

    if scaling is None and dataset_info is None:
        return pretrained.make_standard_scaling((0.5,) * channels, (0.5,) * channels)
    return pretrained_backbone.resolve_pixel_scaling(scaling, dataset_info, channels)


def extract_features(model, image_set, batch_size):
    """Return the float32 features of all images, computed batch by batch."""
    import numpy as np

    batches = []
    for start in range(0, len(image_set), batch_size):
        pixels = image_set.images[np.arange(start, min(start + batch_size, len(image_set)))]
        batches.append(np.asarray(model.predict_on_batch(pixels), np.float32))
        if sys.stdout.isatty():
            print(f"{min(start + batch_size, len(image_set)):,} of {len(image_set):,}", end="\r", flush=True)
    return np.concatenate(batches)


def write_features(path, features, image_set):
    """Write the file, names as text and never as Python objects, so that numpy.load reads it without pickle."""
    import numpy as np

    with atomic_write(path) as scratch, open(scratch, "wb") as file:
        np.savez(file, features=features, labels=image_set.labels.astype(np.int64),
                 class_names=np.array([*map(str, image_set.class_names)]), files=np.array(image_set.files),
                 splits=np.array(image_set.splits))


def main(argv=None):
    return common.run_command(execute_extract_features, argv)
