"""Images in folders: splits, classes, and refused folders."""

import numpy as np
import pytest
from helpers import check_message
from PIL import Image

from zoo.data import image_folder
from zoo.errors import UserError


def save_image(path, value, mode="RGB", size=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (size, size), value if mode == "L" else (value,) * 3).save(path)


def write_classes(root, counts, ending="png"):
    """Write classes of images whose brightness identifies them."""
    for class_index, (name, count) in enumerate(counts.items()):
        for index in range(count):
            save_image(root / name / f"{index}.{ending}", 100 * class_index + index)


def values(split):
    return split.batch(np.arange(len(split)))[0][:, 0, 0, 0].tolist()


def test_classes_without_splits_are_split_by_a_fixed_seed(tmp_path):
    write_classes(tmp_path, {"b": 20, "a": 40})
    dataset = image_folder.load_image_folder(tmp_path, (4, 6, 3))
    assert dataset.info.class_names == ("a", "b") and dataset.info.shape == (4, 6, 3) and dataset.info.classes == 2
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [48, 6, 6]
    assert sum(dataset.test.labels == 0) == 4  # in proportion
    everything = values(dataset.train) + values(dataset.validation) + values(dataset.test)
    assert sorted(everything) == sorted([*range(20), *range(100, 140)])
    images, labels = dataset.train.batch([0, 1, 2])
    assert images.shape == (3, 4, 6, 3) and images.dtype == np.uint8 and labels.dtype == np.int64
    assert [value >= 100 for value in values(dataset.train)] == [label == 0 for label in dataset.train.labels]
    assert values(image_folder.load_image_folder(tmp_path, (4, 6, 3)).test) == values(dataset.test)
    resized, note = dataset.notes
    check_message(resized, "8x8", "4x6")
    check_message(note, "test", "validation")


@pytest.mark.parametrize("max_cache_bytes", [0, image_folder.MAX_CACHE_BYTES])
def test_lossy_conversions_are_noted(tmp_path, max_cache_bytes):
    def notes(shape):
        *_, note, _ = (None, *image_folder.load_image_folder(tmp_path, shape, max_cache_bytes=max_cache_bytes).notes)
        return note

    for name in ("a", "b"):
        for index in range(10):
            save_image(tmp_path / name / f"{index}.png", 255 - index, mode="L")
    assert notes((8, 8, 1)) is None and notes((8, 8, 3)) is None
    check_message(notes((4, 4, 1)), "8x8", "4x4")
    assert "aspect" not in notes((4, 4, 1)) and "aspect" in notes((4, 6, 1))
    save_image(tmp_path / "b" / "0.png", 7)  # in color
    check_message(notes((8, 8, 1)), "grayscale", 1, 20)
    assert "8x8" not in notes((8, 8, 1)) and notes((8, 8, 3)) is None
    Image.new("RGB", (12, 10)).save(tmp_path / "b" / "1.png")
    check_message(notes((8, 8, 1)), "grayscale", 2, 20, "10x12", "8x8", "aspect")
    assert "grayscale" not in notes((8, 8, 3))


@pytest.mark.parametrize("max_cache_bytes", [0, image_folder.MAX_CACHE_BYTES])
def test_images_that_fit_after_exif_rotation_are_not_resized(tmp_path, max_cache_bytes):
    wide = Image.new("RGB", (6, 4), "white")
    exif = wide.getexif()
    exif[0x0112] = 6  # the camera was in portrait orientation
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for index in range(10):
            wide.save(tmp_path / name / f"{index}.jpg", exif=exif)
    assert len(image_folder.load_image_folder(tmp_path, (6, 4, 3), max_cache_bytes=max_cache_bytes).notes) == 1
    assert len(image_folder.load_image_folder(tmp_path, (4, 6, 3), max_cache_bytes=max_cache_bytes).notes) == 2


def test_existing_splits(tmp_path):
    write_classes(tmp_path / "train", {"a": 4, "b": 4})
    write_classes(tmp_path / "val", {"a": 2, "b": 1})
    write_classes(tmp_path / "test", {"a": 1, "b": 3})
    dataset = image_folder.load_image_folder(tmp_path, (8, 8, 3))
    assert [len(split) for split in (dataset.train, dataset.validation,
                                     dataset.test)] == [8, 3, 4] and dataset.notes == ()
    assert sorted(values(dataset.validation)) == [0, 1, 100]


def test_a_missing_split_is_taken_from_train(tmp_path):
    write_classes(tmp_path / "train", {"a": 20, "b": 20})
    write_classes(tmp_path / "validation", {"a": 5, "b": 5})
    dataset = image_folder.load_image_folder(tmp_path, (8, 8, 3))
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [36, 10, 4]
    [note] = dataset.notes
    check_message(note, "test", "train")
    assert "validation" not in note


def test_labels_from_file_names(tmp_path):
    for index in range(10):
        save_image(tmp_path / f"cat.{index}.jpg", 10)
        save_image(tmp_path / f"dog.{index}.jpg", 200)
    dataset = image_folder.load_image_folder(tmp_path, (8, 8, 3), labels_from="filename")
    assert dataset.info.class_names == ("cat", "dog")
    assert [value > 100 for value in values(dataset.train)] == [label == 1 for label in dataset.train.labels]
    with pytest.raises(UserError) as error:
        image_folder.load_image_folder(tmp_path, (8, 8, 3))
    check_message(error.value, tmp_path, 20, "--labels-from filename")
    save_image(tmp_path / "bird.jpg", 1)
    with pytest.raises(UserError) as error:
        image_folder.load_image_folder(tmp_path, (8, 8, 3), labels_from="filename")
    check_message(error.value, tmp_path / "bird.jpg", "cat.123.jpg", "--labels-from")


def test_formats_and_grayscale_images(tmp_path):
    for ending in ("png", "jpg", "bmp", "gif", "tif", "webp"):
        write_classes(tmp_path, {"a": 2, "b": 2}, ending)
    save_image(tmp_path / "a" / "grey.png", 77, "L", size=30)
    (tmp_path / "a" / "notes.txt").write_text("no image, and not named as one")
    (tmp_path / ".hidden").mkdir()
    dataset = image_folder.load_image_folder(tmp_path, (8, 8, 1))
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 25
    assert 77 in values(dataset.train) + values(dataset.validation) + values(dataset.test)


def test_a_limit_keeps_the_proportions(tmp_path):
    write_classes(tmp_path, {"a": 30, "b": 60})
    dataset = image_folder.load_image_folder(tmp_path, (8, 8, 3), limit=6)
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [6, 6, 6]
    assert sum(dataset.train.labels == 0) == 2


def test_images_that_do_not_fit_into_memory_are_read_each_time(tmp_path):
    write_classes(tmp_path, {"a": 6, "b": 6})
    cached = values(image_folder.load_image_folder(tmp_path, (8, 8, 3)).train)
    dataset = image_folder.load_image_folder(tmp_path, (8, 8, 3), max_cache_bytes=100)
    assert values(dataset.train) == cached
    (tmp_path / "a" / "0.png").write_bytes(b"")
    with pytest.raises(UserError) as error:
        image_folder.load_image_folder(tmp_path, (8, 8, 3), max_cache_bytes=100)
    check_message(error.value, 1, "a/0.png", "--invalid-images skip")


def test_unreadable_files_are_named(tmp_path):
    write_classes(tmp_path, {"a": 9, "b": 9})
    for index in range(5):
        (tmp_path / "a" / f"{index}.png").write_bytes(b"no image")
    with pytest.raises(UserError) as error:
        image_folder.load_image_folder(tmp_path, (8, 8, 3))
    check_message(error.value, 5, 2, "--invalid-images skip")
    assert str(error.value).count(".png") == 3


def test_invalid_folders_are_refused(tmp_path):
    with pytest.raises(UserError) as error:
        image_folder.load_image_folder(tmp_path / "gone", (8, 8, 3))
    check_message(error.value, tmp_path / "gone")
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError) as error:
        image_folder.load_image_folder(tmp_path / "none", (8, 8, 3))
    check_message(error.value, tmp_path / "none", "--labels-from filename")
    write_classes(tmp_path / "one", {"a": 3})
    with pytest.raises(UserError) as error:
        image_folder.load_image_folder(tmp_path / "one", (8, 8, 3))
    check_message(error.value, tmp_path / "one", "'a'")
    write_classes(tmp_path / "empty", {"a": 3})
    (tmp_path / "empty" / "b").mkdir()
    with pytest.raises(UserError) as error:
        image_folder.load_image_folder(tmp_path / "empty", (8, 8, 3))
    check_message(error.value, "'b'", tmp_path / "empty" / "b")
    write_classes(tmp_path / "strange" / "train", {"a": 3, "b": 3})
    write_classes(tmp_path / "strange" / "test", {"c": 3})
    with pytest.raises(UserError) as error:
        image_folder.load_image_folder(tmp_path / "strange", (8, 8, 3))
    check_message(error.value, "test", "'c'")
    with pytest.raises(UserError) as error:
        image_folder.load_image_folder(tmp_path / "strange", (8, 8, 3), labels_from="file")
    check_message(error.value, "'file'", "'filename'")
