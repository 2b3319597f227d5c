"""The options that select images or texts, shared by the commands that load them."""

from dataclasses import replace

from zoo import registry
from zoo.cli import common
from zoo.data import dataset_info
from zoo.data.sources import get_path_kind
from zoo.errors import UserError
from zoo.modality import override_size
from zoo.training.run_config_factory import check_modality, check_source_modality, refuse_finetuning
from zoo.weights import pretrained


def add_images(group, description, default=None, sources="NAME|FOLDER|FILE.npz|FILE.csv"):
    """Add the options that select the images; see `check_images` and `load_images`.

    description: help text of --dataset, whose default is `default`; sources: its values.
    """
    group.add_argument("--dataset", "--data", metavar=sources, default=default,
                       help=description)
    group.add_argument("--data-dir", metavar="DIR",
                       help="folder with the files of a named dataset, as published, packed or unpacked; default: the "
                            "folder in the environment variable ZOO_DATA, or else Keras's cache, or else a download")
    group.add_argument("--image-size", metavar="N|HxW",
                       help="size in pixels to which the images of a folder are resized, such as 64, or 96x80 (height "
                            "x width); default: the size of the weights; without weights 32 if the model has a small "
                            "stem, or else the paper's size")
    common.add_sequence_length(group, "100")
    group.add_argument("--labels-from", metavar="folder|filename", default="folder",
                       help="where the class of an image in a folder is read from; folder: the folder that contains "
                            "it, such as cat/123.jpg; filename: the start of its file name, such as cat.123.jpg; "
                            "default: folder")
    add_invalid_images(group)


def add_invalid_images(group):
    group.add_argument("--invalid-images", metavar="error|skip", default="error",
                       help="how to handle files in a folder that cannot be decoded; error: stop with a message; "
                            "skip: exclude them, which reads every file once in advance; default: error")


def check_images(arguments):
    """Check the options of `add_images` and --weights before any file is read; UserError if one makes no sense."""
    model_info = registry.get_model_info(arguments.network)
    override_size(model_info.input_shape, model_info.name, common.get_image_size(arguments),
                  common.get_sequence_length(arguments))
    for flag, default in (("labels_from", "folder"), ("invalid_images", "error")):
        if getattr(arguments, flag) != default:
            model_info.modality.require(f"{flag}=...", model_info.name, "omit it")
    if arguments.weights != "none":
        refuse_finetuning(model_info)
        pretrained.check_weights(arguments.weights, model_info.name)
    kind = get_path_kind(arguments.dataset)
    if kind != "name":
        check_source_modality(model_info, arguments.dataset)
        return
    check_modality(model_info, dataset_info.DATASETS[arguments.dataset])
    for flag, default in (("--image-size", None), ("--labels-from", "folder"), ("--invalid-images", "error")):
        if getattr(arguments, flag.strip("-").replace("-", "_")) != default:
            raise UserError(f"{flag} is only for a folder of images, but {arguments.dataset} is a dataset; omit it")


def get_named_dataset_info(arguments):
    """Return the DatasetInfo of the dataset that --dataset names, with --label-mode and --sequence-length."""
    info = dataset_info.get_dataset_info(arguments.dataset)
    shape = override_size(info.shape, info.name, None, common.get_sequence_length(arguments))
    return replace(dataset_info.select_label_set(info, arguments.label_mode), shape=shape)


def parse_limit(arguments):
    """Return the number of --limit, None without it."""
    return None if arguments.limit is None else common.parse_int("--limit", arguments.limit, 1)


def load_images(arguments, limit, source_arguments):
    """Return the Dataset that the options of `add_images` select.

    source_arguments: of the model, see `run_config_factory.get_source_arguments`.
    """
    from zoo.data.loading import load_data

    return load_data(arguments.dataset, data_dir=arguments.data_dir, limit=limit,
                     label_mode=getattr(arguments, "label_mode", "fine"), image_size=common.get_image_size(arguments),
                     sequence_length=common.get_sequence_length(arguments), labels_from=arguments.labels_from,
                     invalid_images=arguments.invalid_images, **source_arguments)
