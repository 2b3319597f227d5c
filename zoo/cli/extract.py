"""python -m zoo extract NET: what a trained network makes of pictures, before its top: rows of numbers, in a file."""

import os
import sys
import zipfile

from zoo.cli import common, help_text
from zoo.data import info as datasets
from zoo.errors import UserError
from zoo.utils.io import expanded, writable, written_whole

POOLINGS = ("avg", "max", "none")
SPLITS = ("train", "validation", "test")


def parser():
    made = common.Parser(
        prog="python -m zoo extract", usage="%(prog)s NET --dataset NAME|FOLDER|FILE.npz [-o FILE] [OPTION ...]",
        description="Extract image features with a pretrained network, without its classifier, into an .npz file with "
                    "the arrays features, labels, label_names, files and splits.",
        epilog=help_text.sections(help_text.networks(), f"data sets:\n  {', '.join(datasets.DATASETS)}",
                                  help_text.model_options()),
        examples=("xception --dataset pets/ -o features.npz",
                  "resnet18 --dataset cifar10 --weights cifar10 --limit 500",
                  "vgg16 --dataset pets/ --feature-layer pool4 --pooling none"))
    made.add_argument("network", metavar="NET", help="name of the network; all names are listed below")
    data = made.add_argument_group("data")
    common.add_images(data, "images; NAME: a data set, see below; FOLDER: your own images in a folder for each class; "
                            "FILE.npz: arrays x_train, y_train, ... or train_images, train_labels, ...; required")
    data.add_argument("--limit", metavar="N", help="maximum number of images in each split of a data set or .npz file; "
                                                   "default: all")
    model = made.add_argument_group("model")
    model.add_argument("--weights", metavar="imagenet|cifar10|mnist|none|RUN|FILE", default="imagenet",
                       help="weights of the network; imagenet, cifar10, mnist: published or bundled weights (python -m "
                            "zoo list shows which networks have them); RUN: the directory of a run; FILE: a weights "
                            "file, see docs/weights.md; none: random weights; default: imagenet")
    common.add_preprocessing(model)
    common.add_architecture(model, "that of the weights, or 1")
    features = made.add_argument_group("features")
    features.add_argument("--feature-layer", metavar="LAYER", default="",
                          help="name of the layer whose output is written (python -m zoo draw NET --detail layers "
                               "shows the names); default: the last layer before the classifier")
    features.add_argument("--pooling", metavar="|".join(POOLINGS), default="avg",
                          help="how feature maps become a vector; avg: global average pooling; max: global max "
                               "pooling; none: keep height and width; default: avg")
    features.add_argument("-o", "--output", metavar="FILE.npz", default="features.npz",
                          help="file to write; default: features.npz")
    device = made.add_argument_group("device")
    device.add_argument("-b", "--batch-size", metavar="N", default="32",
                        help="number of images in a batch; default: 32")
    common.add_gpu(device)
    return made


class Pictures:
    """Pictures in the order in which they are written: `files` (n,) names, `splits` (n,) names, `labels` (n,) int64."""

    def __init__(self, images, labels, label_names, files, splits, facts, notes):
        self.images, self.labels, self.label_names, self.files = images, labels, label_names, files
        self.splits, self.facts, self.notes = splits, facts, notes

    def __len__(self):
        return len(self.labels)


def of_folder(arguments, shape):
    """Return the Pictures of a folder: all of them, in the order of their names."""
    from zoo.data import image_folder
    from zoo.data.folder_images import Images
    from zoo.training import run_files

    run = expanded(arguments.weights)
    white = run_files.read_config(run)["dataset"].get("white") if run.is_dir() else None
    found = image_folder.index(expanded(arguments.dataset), arguments.labels_from)
    found, notes = image_folder.readable(found, shape, arguments.invalid_images)
    files = [os.fsdecode(file) for file in found.files]
    splits = [image_folder.PLACES[place] for place in found.places]
    images = Images(found, shape, white=white)
    return Pictures(images, found.classes, found.names, files, splits, None, (*found.notes, *notes, *images.notes))


def of_dataset(arguments, limit):
    """Return the Pictures of a data set: its splits one after the other; their files are numbers in the split."""
    import numpy as np

    dataset = common.load_images(arguments, limit, None)
    parts = [(name, getattr(dataset, name)) for name in SPLITS]
    images = np.concatenate([split.batch(np.arange(len(split)))[0] for _, split in parts])
    files = [f"{name}/{number}" for name, split in parts for number in range(len(split))]
    return Pictures(images, np.concatenate([split.labels for _, split in parts]), dataset.facts.label_names, files,
                    [name for name, split in parts for _ in range(len(split))], dataset.facts, ())


def command(argv):
    arguments = parser().parse_args(argv)
    if arguments.pooling not in POOLINGS:
        raise UserError(f"--pooling is one of {', '.join(POOLINGS)}; given {arguments.pooling!r}")
    batch_size = common.whole_number("--batch-size", arguments.batch_size, 1, 2**20)
    limit = None if arguments.limit is None else common.whole_number("--limit", arguments.limit, 1)
    if arguments.dataset is None:
        raise UserError("which images? give --dataset NAME, FOLDER or FILE.npz")
    common.check_images(arguments)
    is_folder = expanded(arguments.dataset).is_dir() and not common.is_named(arguments.dataset)
    if limit and is_folder:
        raise UserError("--limit is for a data set; of a folder all images are written")
    output = checked_output(arguments.output)
    form = common.form_of(arguments)

    from zoo import registry
    from zoo.training import origins

    if arguments.weights == "none" and arguments.preprocessing:
        raise UserError("--preprocessing is for weights, and there are none; leave it out")
    origin = origins.find(arguments.network, arguments.weights, *form).rescale(arguments.preprocessing)
    shape = origin.folder_shape(registry.find(arguments.network), common.image_size_of(arguments))
    backend, chosen = common.choose_device(arguments.gpu, arguments.backend)
    found = of_folder(arguments, shape) if is_folder else of_dataset(arguments, limit)
    shape = found.facts.shape if found.facts else shape
    where = common.load(backend, chosen)
    model, lines = model_of(arguments, origin.here(), shape, found)
    lines += [f"{'device':8} {where}, {backend}", *(f"{'note':8} {note}" for note in found.notes)]
    print("\n".join(lines), flush=True)
    features = extracted(model, found, batch_size)
    write(output, features, found)
    print(f"{'written':8} {output}: features {'x'.join(map(str, features.shape))}, of {len(found.label_names)} classes")


def checked_output(path):
    """Return the path of the .npz file to write; UserError where it cannot be."""
    if expanded(path).suffix != ".npz":
        raise UserError(f"the features are written as .npz; given -o {path}")
    output = writable(path)
    if output.exists() and not is_features(output):
        raise UserError(f"{path} is there already, and no file of features; give another name")
    return output


def is_features(path):
    """Return whether a file is one that this command has written."""
    try:
        with zipfile.ZipFile(path) as file:
            return "features.npy" in file.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def model_of(arguments, origin, shape, found):
    """Return (model from raw pixels uint8 to features, lines that say how it was made)."""
    import keras

    from zoo.training import finetuned_model, finetuning, origins
    from zoo.weights import pretrained

    classes = max(2, len(found.label_names))
    blueprint, factor, scaling = origins.seen(arguments.network, shape, origin, min(classes, most(arguments.network)))
    scaling = published_or_plain(scaling, found.facts, blueprint.input_shape[2])
    config = finetuning.FineTuneConfig(origin.said, (), "avg", arguments.feature_layer, "", factor, scaling.scale,
                                       scaling.offset, scaling.order)
    keras.utils.set_random_seed(0)
    network, body = finetuned_model.build(blueprint, config, shape, classes, None)
    lines = origin.fill(body, blueprint)
    read = network.get_layer("head_pool").input
    pools = {"avg": keras.layers.GlobalAveragePooling2D, "max": keras.layers.GlobalMaxPooling2D}
    output = pools[arguments.pooling](dtype="float32")(read) if arguments.pooling != "none" else read
    layer = arguments.feature_layer or body.layers[-1].name
    seen = f"{'x'.join(map(str, shape))}" + (f", enlarged {factor} times" if factor > 1 else "")
    lines.insert(0, f"{'pixels':8} {pretrained.describe_scaling(scaling)}")
    lines.append(f"{'features':8} {layer} of {blueprint.spec.name}, pictures {seen}")
    return keras.Model(network.input, output), lines


def most(network):
    from zoo import registry

    return registry.find(network).most_classes or sys.maxsize


def published_or_plain(scaling, facts, channels):
    """Return the Scaling of the weights, of the data set, or for a folder to -1..1."""
    from zoo.training import origins
    from zoo.weights import pretrained

    if scaling is None and facts is None:
        return pretrained.standard((0.5,) * channels, (0.5,) * channels)
    return origins.scaling_for(scaling, facts, channels)


def extracted(model, found, batch_size):
    """Return the features float32 of all pictures, batch by batch."""
    import numpy as np

    rows = []
    for start in range(0, len(found), batch_size):
        pixels = found.images[np.arange(start, min(start + batch_size, len(found)))]
        rows.append(np.asarray(model.predict_on_batch(pixels), np.float32))
        if sys.stdout.isatty():
            print(f"{min(start + batch_size, len(found)):,} of {len(found):,}", end="\r", flush=True)
    return np.concatenate(rows)


def write(path, features, found):
    """Write the file: names as text, never as Python objects, so that numpy.load reads it as it is."""
    import numpy as np

    with written_whole(path) as scratch, open(scratch, "wb") as file:
        np.savez(file, features=features, labels=found.labels.astype(np.int64),
                 label_names=np.array([*map(str, found.label_names)]), files=np.array(found.files),
                 splits=np.array(found.splits))


def main(argv=None):
    return common.run(command, argv)


if __name__ == "__main__":
    sys.exit(main())
