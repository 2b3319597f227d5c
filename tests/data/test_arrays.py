"""Datasets from arrays and from .npz files: accepted inputs, splits, and refused inputs."""

import numpy as np
import pytest
from helpers import check_message, check_text

from zoo.data import arrays as array_data
from zoo.data.arrays import load_arrays, load_npz
from zoo.data.labeled_images import load_labeled_images
from zoo.errors import UserError

LABELS = np.arange(40) % 2


def make_images(count, *shape, dtype=np.uint8, first=0):
    """Return images of one constant value each: first, first + 1, ..., which identifies the image."""
    values = np.arange(first, first + count).astype(dtype)
    return np.broadcast_to(values.reshape(-1, *[1] * len(shape)), (count, *shape)).copy()


def values(split):
    return split.images[:][:, 0, 0, 0].tolist()


def train_pair(count=40, *shape):
    return make_images(count, *(shape or (4, 6, 3))), np.arange(count) % 2


@pytest.mark.parametrize("shape, expected", [
    ((4, 6), (4, 6, 1)),
    ((4, 6, 1), (4, 6, 1)),
    ((4, 6, 3), (4, 6, 3)),
])
def test_images_get_a_channel_axis(shape, expected):
    dataset = load_arrays((make_images(40, *shape), LABELS))
    assert dataset.info.shape == expected
    assert dataset.train.images[0].shape == expected and dataset.train.images[0].dtype == np.uint8


def test_missing_splits_are_stratified_and_disjoint():
    labels = np.repeat([0, 1], [40, 80])
    dataset = load_arrays((make_images(120, 2, 2), labels))
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [96, 12, 12]
    assert [int((part.labels == 0).sum()) for part in (dataset.train, dataset.validation, dataset.test)] == [32, 4, 4]
    everything = values(dataset.train) + values(dataset.validation) + values(dataset.test)
    assert sorted(everything) == list(range(120))
    assert [value >= 40 for value in values(dataset.train)] == (dataset.train.labels == 1).tolist()
    [note] = dataset.notes
    check_message(note, "test", "validation", 12)
    assert note.count("12") == 2
    reloaded = load_arrays((make_images(120, 2, 2), labels))
    assert values(reloaded.train) == values(dataset.train) and values(reloaded.test) == values(dataset.test)


def test_the_random_split_is_reproducible():
    """The split is pinned, not derived, so that accuracies of different releases are comparable."""
    dataset = load_arrays(train_pair(20))
    assert (values(dataset.test), values(dataset.validation)) == ([15, 12], [0, 5])


def test_an_explicit_split_keeps_its_order():
    dataset = load_arrays(train_pair(), (make_images(4, 4, 6, 3, first=100), [1, 0, 0, 1]),
                          (make_images(3, 4, 6, 3, first=200), [1, 1, 0]))
    assert values(dataset.train) == list(range(40)) and dataset.train.labels.tolist() == LABELS.tolist()
    assert values(dataset.validation) == [100, 101, 102, 103] and dataset.validation.labels.tolist() == [1, 0, 0, 1]
    assert values(dataset.test) == [200, 201, 202] and dataset.notes == ()


def test_one_missing_split_takes_a_tenth():
    dataset = load_arrays(train_pair(), test=(make_images(3, 4, 6, 3), [1, 1, 0]))
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [36, 4, 3]
    [note] = dataset.notes
    check_message(note, "validation", 4, "train")


def test_a_limit_keeps_the_proportions():
    labels = np.repeat([0, 1], [40, 80])
    test = make_images(30, 2, 2, first=120), np.repeat([0, 1], [10, 20])
    full, dataset = (load_arrays((make_images(120, 2, 2), labels), test=test, limit=limit) for limit in (None, 6))
    for part in (dataset.train, dataset.validation, dataset.test):
        assert len(part) == 6 and (part.labels == 0).sum() == 2
    assert min(values(dataset.test)) >= 120 and values(dataset.train) == values(full.train)[:6]
    assert dataset.info == full.info and full.info.train == 108  # the info describes the full set
    with pytest.raises(UserError) as error:
        load_arrays(train_pair(), limit=0)
    check_message(error.value, "limit", 0)


@pytest.mark.parametrize("labels", [
    LABELS[:, None],
    np.eye(2)[LABELS],
    np.eye(2, dtype=bool)[LABELS],
    np.eye(2, dtype=np.uint8)[LABELS],
    LABELS.astype(np.uint8),
    LABELS.astype(np.float32),
    LABELS.tolist(),
], ids=["(n, 1)", "one-hot", "one-hot bool", "one-hot uint8", "uint8", "float32", "list"])
def test_labels_of_any_form_are_the_same(labels):
    images = make_images(40, 2, 2)
    reference, dataset = load_arrays((images, LABELS)), load_arrays((images, labels))
    assert dataset.train.labels.dtype == np.int64 and dataset.info == reference.info
    for split in ("train", "validation", "test"):
        assert getattr(dataset, split).labels.tolist() == getattr(reference, split).labels.tolist()
        assert values(getattr(dataset, split)) == values(getattr(reference, split))


def test_class_names():
    assert load_arrays(train_pair()).info.class_names == ("0", "1")
    info = load_arrays(train_pair(), class_names=np.array(["cat", "dog"])).info
    assert info.class_names == ("cat", "dog") and info.classes == 2 and type(info.class_names[0]) is str
    assert load_arrays(train_pair(), class_names=["cafe\u0301", "tea"]).info.class_names == ("caf\u00e9", "tea")


def test_mean_and_std_of_each_channel():
    images = np.zeros((4, 1, 1, 3), np.uint8)
    images[:, 0, 0, 0] = 0, 255, 0, 255
    images[:, 0, 0, 1] = 51, 51, 102, 102
    held_out = make_images(2, 1, 1, 3, first=200), [0, 1]
    info = load_arrays((images, [0, 0, 1, 1]), held_out, held_out).info
    assert info.mean == (0.5, 0.3, 0.0)
    assert info.std == (0.5, 0.1, 0.0039)  # no channel is divided by 0
    images = np.random.default_rng(0).integers(0, 256, (200, 5, 5, 3), np.uint8)
    info = load_arrays((images, np.arange(200) % 2), make_held_out((5, 5, 3)), make_held_out((5, 5, 3))).info
    assert info.mean == pytest.approx(images.mean((0, 1, 2)) / 255, abs=5.1e-5)
    assert info.std == pytest.approx(images.std((0, 1, 2)) / 255, abs=5.1e-5)


def make_held_out(shape):
    return make_images(2, *shape, first=2), [0, 1]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_of_0_to_1_become_0_to_255(dtype):
    images = (make_images(256, 2, 2) / 255).astype(dtype)
    dataset = load_arrays((images, np.arange(256) % 2), make_held_out((2, 2)), make_held_out((2, 2)))
    assert values(dataset.train) == list(range(256))
    (note,) = dataset.notes
    check_message(note, "train", 1, 255)


def test_floats_of_0_to_255_are_rounded():
    images = make_images(40, 2, 2, dtype=np.float32) + np.float32(0.3)
    dataset = load_arrays((images, LABELS), make_held_out((2, 2)), make_held_out((2, 2)))
    assert values(dataset.train) == list(range(40))
    (note,) = dataset.notes
    check_message(note, "train", "39.3", 255)


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.int64, np.uint64])
def test_other_integers(dtype):
    dataset = load_arrays((make_images(40, 2, 2, dtype=dtype), LABELS))
    assert dataset.train.images[:].dtype == np.uint8 and len(dataset.notes) == 1
    assert sorted(values(dataset.test)) == sorted(values(load_arrays((make_images(40, 2, 2), LABELS)).test))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_whole_numbers_of_0_and_1_are_noted(dtype):
    """As an integer, 1 is nearly black; as a float, it is white."""
    images = make_images(40, 2, 2, dtype=dtype) % dtype(2)
    dataset = load_arrays((images, LABELS), (images, LABELS), (images, LABELS))
    assert values(dataset.train) == [0, 1] * 20
    [note] = dataset.notes
    check_message(note, "train", "validation", "test", 0, 1, 255)
    bright = np.where(images == 1, 2, images).astype(dtype)
    assert load_arrays((bright, LABELS), (images, LABELS), (images, LABELS)).notes == ()


def test_true_is_white():
    images = make_images(40, 2, 2) % 2 == 1
    dataset = load_arrays((images, LABELS), (images, LABELS), (images, LABELS))
    assert values(dataset.train) == [0, 255] * 20
    [note] = dataset.notes
    check_message(note, "train", "bool", 255)


def test_images_are_indexed_like_an_array():
    dataset = load_arrays(train_pair(20))
    images, order = dataset.train.images, values(dataset.train)
    assert len(images) == len(dataset.train) == 16
    assert images[3].shape == (4, 6, 3) and images[3][0, 0, 0] == order[3] and images[-1][0, 0, 0] == order[-1]
    assert images[2:5].shape == (3, 4, 6, 3) and images[2:5][:, 0, 0, 0].tolist() == order[2:5]
    assert images[[4, 1]][:, 0, 0, 0].tolist() == [order[4], order[1]]
    assert images[np.arange(16) < 2].shape == (2, 4, 6, 3)
    assert np.asarray(images).shape == (16, 4, 6, 3) and [image[0, 0, 0] for image in images] == order
    with pytest.raises(IndexError):
        images[16]


@pytest.mark.parametrize("arguments, parts", [
    ({"train": np.zeros((4, 2, 2))}, ("train", "ndarray")),
    ({"train": (np.zeros((4, 2, 2)),)}, ("train", "tuple", 1)),
    ({"train": ([[[1, 2]], [[1]]], [0, 1])}, ("train", "array")),
    ({"train": (np.zeros((4, 2)), [0, 1, 0, 1])}, ("train", "(4, 2)")),
    ({"train": (np.zeros((4, 2, 2, 3, 1)), [0, 1, 0, 1])}, ("train", "(4, 2, 2, 3, 1)")),
    ({"train": (np.zeros((0, 2, 2)), [])}, ("train", "(0, 2, 2)")),
    ({"train": (np.zeros((4, 0, 2)), [0, 1, 0, 1])}, ("train", "(4, 0, 2)")),
    ({"train": (np.zeros((4, 5, 5, 2)), [0, 1, 0, 1])}, ("train", "(4, 5, 5, 2)", 1, 3)),
    ({"train": (np.zeros((4, 5, 5, 4)), [0, 1, 0, 1])}, ("train", "(4, 5, 5, 4)", 1, 3)),
    ({"train": (np.zeros((4, 3, 5, 5)), [0, 1, 0, 1])}, ("train", "(4, 3, 5, 5)", "axis 1")),
    ({"train": (np.full((4, 2, 2), "a"), [0, 1, 0, 1])}, ("images", "<U1", "uint8")),
    ({"train": (np.full((4, 2, 2), -0.5), [0, 1, 0, 1])}, ("images", "-0.5", 255)),
    ({"train": (np.full((4, 2, 2), 255.5), [0, 1, 0, 1])}, ("images", "255.5", 255)),
    ({"train": (np.full((4, 2, 2), 256), [0, 1, 0, 1])}, ("images", 256, 255)),
    ({"train": (np.full((4, 2, 2), -1), [0, 1, 0, 1])}, ("images", "-1", 255)),
    ({"train": (np.full((4, 2, 2), np.nan), [0, 1, 0, 1])}, ("images", "NaN", 0)),
    ({"train": (np.zeros((4, 2, 2)), [0, 1, 0, 1]),
      "test": ([np.zeros((2, 2))] * 2 + [np.diag([1, np.nan])], [0, 1, 0])},
     ("test", "NaN", 2)),
    ({"train": (np.full((4, 2, 2), np.inf), [0, 1, 0, 1])}, ("images", "inf", 255)),
    ({"train": (np.zeros((4, 2, 2)), [0, 1, 0])}, ("4 images", "3 labels")),
    ({"train": (np.zeros((4, 2, 2)), [0, 1, 0, 1.5])}, ("labels", 3, "1.5")),
    ({"train": (np.zeros((4, 2, 2)), [0, 1, -2, 1])}, ("labels", 2, "-2")),
    ({"train": (np.zeros((4, 2, 2)), [0, 1, np.nan, 1])}, ("labels", 2, "nan")),
    ({"train": (np.zeros((4, 2, 2)), [0, 1, 0, 2**40])}, ("labels", 3, 2**40)),
    ({"train": (np.zeros((4, 2, 2)), ["a", "b", "a", "b"])},
     ("labels", "<U1", "class_names", "np.unique(labels, return_inverse=True)")),
    ({"train": [(np.zeros((2, 2)), 0), (np.zeros((2, 2)), 1), (np.zeros((2, 2)), 0)]}, ("list", 3, "(image, label)")),
    ({"train": (np.zeros((4, 2, 2)), [1, 2, 3, 1])}, ("labels", "subtract 1")),
    ({"train": (np.zeros((4, 2, 2)), [1, 2, 2, 1]), "class_names": ["a", "b"]}, ("labels", "subtract 1")),
    ({"train": (np.zeros((4, 2, 2)), np.zeros((4, 2, 2)))}, ("labels", "(4, 2, 2)")),
    ({"train": (np.zeros((4, 2, 2)), np.zeros((4, 0)))}, ("labels", "(4, 0)")),
    ({"train": (np.zeros((3, 2, 2)), [[1, 0], [1, 1], [0, 1]])}, ("(3, 2)", "row 1", "several labels per image")),
    ({"train": (np.zeros((3, 2, 2)), [[1, 0], [0, 1], [0, 0]])}, ("(3, 2)", 2, "[0, 0]")),
    ({"train": (np.zeros((2, 2, 2)), [[0.25, 0.75], [0, 1]])}, ("(2, 2)", 0, "[0.25, 0.75]")),
    ({"train": (np.zeros((4, 2, 2)), [3, 3, 3, 3])}, ("labels", 3)),
    ({"train": (np.zeros((4, 2, 2)), [0, 2, 0, 2])}, ("label", 1, 3)),
    ({"train": (np.zeros((4, 2, 2)), [0, 1, 0, 2**31 - 1])}, ("label", 2, 2**31)),
    ({"train": train_pair(), "test": (make_images(1, 4, 6, 3), [5])}, ("test", 5, 1)),
    ({"train": train_pair(), "validation": (make_images(1, 4, 6, 3), [2])}, ("validation", 2, 1)),
    ({"train": (make_images(6, 2, 2), range(6))}, ("label", "'0'", 1, "test", "validation")),
    ({"train": train_pair(2)}, (2,)),
    ({"train": train_pair(), "class_names": ["a"]}, ("class_names", 1, 2)),
    ({"train": train_pair(), "class_names": ["a", "b", "c"]}, ("class_names", 3, 2, "'c'")),
    ({"train": train_pair(), "class_names": ["a", "a"]}, ("class_names", "'a'")),
    ({"train": train_pair(), "class_names": "ab"}, ("class_names", "'ab'")),
    ({"train": train_pair(), "class_names": {"dog": 1, "cat": 0}}, ("class_names", "'dog'")),
    ({"train": train_pair(), "class_names": {"dog"}}, ("class_names", "{'dog'}")),
    ({"train": train_pair(), "class_names": [1, 2]}, ("class_names", "[1, 2]")),
    ({"train": train_pair(), "class_names": 10}, ("class_names", 10)),
    ({"train": train_pair(), "class_names": ["caf\u00e9", "cafe\u0301"]}, ("class_names", "'caf\u00e9'")),
    ({"train": train_pair(), "validation": (make_images(2, 4, 6, 1), [0, 1])},
     ("validation", "(4, 6, 1)", "(4, 6, 3)")),
    ({"train": train_pair(), "test": (make_images(2, 6, 4, 3), [0, 1])},
     ("test", "(6, 4, 3)", "(4, 6, 3)")),
    ({"train": (make_images(40, 2, 2) / 39, LABELS), "test": (make_images(2, 2, 2) + 7.0, [0, 1])},
     ("train", 1, "test", 8, 255)),
])
def test_invalid_arrays_are_refused(arguments, parts):
    with pytest.raises(UserError) as error:
        load_arrays(**arguments)
    check_message(error.value, *parts)


LAYOUTS = {
    "keras": ("x_train", "y_train", "x_test", "y_test"),
    "medmnist": ("train_images", "train_labels", "test_images", "test_labels"),
}
VALIDATION = {"keras": ("x_val", "y_val"), "medmnist": ("val_images", "val_labels")}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(layout, save, tmp_path):
    held_out = make_images(3, 4, 6, 3, first=100), np.array([[1], [0], [1]])
    split_arrays = dict(zip(LAYOUTS[layout], (*train_pair(), *held_out), strict=True))
    save(tmp_path / "pets.npz", **split_arrays)
    dataset = load_npz(tmp_path / "pets.npz", limit=20, class_names=["cat", "dog"])
    assert (dataset.info.name, dataset.source) == ("pets", str(tmp_path / "pets.npz"))
    assert dataset.info.class_names == ("cat", "dog")
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [20, 4, 3]
    assert values(dataset.test) == [100, 101, 102] and dataset.test.labels.tolist() == [1, 0, 1]

    save(tmp_path / "pets.npz", **split_arrays, **dict(zip(VALIDATION[layout], held_out, strict=True)))
    dataset = load_npz(str(tmp_path / "pets.npz"))
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [40, 3, 3]
    assert dataset.notes == ()


@pytest.mark.parametrize("images, labels", [("x_valid", "y_valid"), ("X_Validation", "Y_Validation"),
                                            ("x_dev", "y_dev")])
def test_npz_with_a_validation_split_under_another_name(images, labels, tmp_path):
    np.savez(tmp_path / "pets.npz", X_train=make_images(40, 4, 4), y_train=LABELS,
             **{images: make_images(8, 4, 4), labels: LABELS[:8], "ids": np.arange(40)})
    dataset = load_npz(tmp_path / "pets.npz")
    assert len(dataset.validation) == 8 and len(dataset.train) == 36
    check_text(dataset.notes[0], "ids")
    assert not any(images in note for note in dataset.notes)
    held_out = load_labeled_images(tmp_path / "pets.npz", ["0", "1"], (4, 4, 1), split_name="validation")
    assert held_out.split.labels.tolist() == [0, 1, 0, 1, 0, 1, 0, 1]


def test_npz_has_an_absolute_source_and_no_published_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("mnist.npz", x_train=make_images(40, 28, 28), y_train=LABELS)
    dataset = load_npz("mnist.npz")
    assert (dataset.info.name, dataset.source) == ("mnist.npz", str(tmp_path / "mnist.npz"))


@pytest.mark.parametrize("change, parts", [
    (lambda path: path.unlink(), ("No such file",)),
    (lambda path: path.write_bytes(b"not an archive"), (14,)),
    (lambda path: path.write_bytes(path.read_bytes()[:-40]), ("bytes",)),
    (lambda path: path.write_bytes(path.read_bytes().replace(b"\x93NUMPY", b"\x93NUMBY")), ("x_train.npy",)),
    (lambda path: np.savez(path), ("x_train", "train_images")),
    (lambda path: np.savez(path, images=[1], labels=[0]), ("images, labels", "x_train", "train_images")),
    (lambda path: np.savez(path, **{f"a{i}": [1] for i in range(50)}), ("a11, ...", "x_train", "train_images")),
    (lambda path: np.savez(path, **{"conv1.weight": [1], "bn1.running_mean": [1]}),
     ("conv1.weight", "weights of a model", "--weights", "x_train")),
    (lambda path: np.savez(path, **{"weights/C1/kernel": [1]}), ("weights/C1/kernel", "weights of a model")),
    (lambda path: np.savez(path, **{"C1/kernel:0": [1], "C1/bias:0": [1]}), ("weights of a model", "--weights")),
    (lambda path: np.savez(path, x_train=make_images(4, 2, 2)), ("y_train",)),
    (lambda path: np.savez(path, train_images=make_images(4, 2, 2), train_labels=[0, 1, 0, 1], val_labels=[1]),
     ("val_images",)),
    (lambda path: np.savez(path, x_train=np.array([{}]), y_train=[0]), ("Python objects",)),
    (lambda path: np.savez(path, x_train=make_images(4, 2, 2), y_train=[0, 1, 0]), ("4 images", "3 labels")),
])
def test_npz_that_is_refused(change, parts, tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, x_train=make_images(40, 2, 2), y_train=LABELS)
    change(path)
    with pytest.raises(UserError) as error:
        load_npz(path)
    check_message(error.value, path, *parts)


def test_npz_larger_than_the_memory_is_refused_unread(tmp_path, monkeypatch):
    path = tmp_path / "own.npz"
    np.savez_compressed(path, x_train=np.zeros((40, 100, 100), np.uint8), y_train=LABELS)
    monkeypatch.setattr(array_data, "get_total_memory", lambda: 100_000)
    with pytest.raises(UserError) as error:
        load_npz(path)
    check_message(error.value, path, "100,000")
