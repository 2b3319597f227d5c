"""Images that are read repeatedly: independent of the number of threads, with invalid ones skipped or named."""

import re
import shutil
import threading

import numpy as np
import pytest
from helpers import check_message
from PIL import Image

from zoo.data import image_folder, parallel_io, sample_files
from zoo.errors import UserError
from zoo.modality import IMAGE

SHAPE = (12, 16, 3)


@pytest.fixture
def pets(tmp_path):
    """Write two classes of ten images each, JPEGs and PNGs of several sizes, all different."""
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for index in range(10):
            pixels = rng.integers(0, 256, (20 + index, 24, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / label / f"{index}.{'jpg' if index % 2 else 'png'}")
    return tmp_path / "pets"


def truncate(path):
    """Truncate a file in the middle of its pixels: its header is that of an image."""
    path.write_bytes(path.read_bytes()[:-200])


def contents(dataset):
    return [(images.tobytes(), labels.tolist()) for images, labels in
            (split.batch(np.arange(len(split))) for split in (dataset.train, dataset.validation, dataset.test))]


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_images_do_not_depend_on_the_number_of_threads(pets, threads):
    cached = image_folder.load_image_folder(pets, SHAPE)
    streamed = image_folder.load_image_folder(pets, SHAPE, max_cache_bytes=0, workers=threads)
    assert contents(streamed) == contents(cached)
    indices = np.array([5, 0, 0, 11])
    assert np.array_equal(streamed.train.batch(indices)[0], cached.train.batch(indices)[0])
    first = np.asarray(Image.open(pets / "cat" / "0.png").resize((16, 12), Image.Resampling.BILINEAR, reducing_gap=3))
    assert any(np.array_equal(first, image) for split in (streamed.train, streamed.validation, streamed.test)
               for image in split.batch(np.arange(len(split)))[0])


def test_batches_do_not_depend_on_thread_timing(pets):
    """Batches of the fourth epoch, requested in a different order, with augmentation parameters."""
    from zoo.training import augmentation
    from zoo.training.batches import TrainingBatches

    def batches(threads):
        split = image_folder.load_image_folder(pets, SHAPE, max_cache_bytes=0, workers=threads).train
        return TrainingBatches(split, 2, 5, 3, augmentation.parse_augmentation("flip crop=2"))

    single, parallel = batches(1), batches(5)
    for step in (12, 15, 13):
        (pixels, parameters), targets = single[step]
        (other_pixels, other_parameters), other_targets = parallel[step]
        assert np.array_equal(pixels, other_pixels) and np.array_equal(parameters, other_parameters)
        assert np.array_equal(targets, other_targets)
    assert len({single[step][0][0].tobytes() for step in range(16)}) == 16  # each epoch has its own order


def test_failures_are_reported_in_order():
    def task(index):
        if index % 5 == 3:
            raise UserError("no image")

    for threads in (1, 3):
        assert parallel_io.run_in_threads(task, 20, threads) == [3, 8, 13, 18]
    assert parallel_io.run_in_threads(task, 0, 2) == []


def test_threads_run_concurrently_and_end():
    meeting = threading.Barrier(3, timeout=10)
    before = threading.active_count()
    assert parallel_io.run_in_threads(lambda index: meeting.wait() and None, 3, 3) == []
    assert threading.active_count() == before


def test_an_internal_error_is_not_an_invalid_image():
    calls = []

    def task(index):
        calls.append(index)
        raise TypeError("ours")

    with pytest.raises(TypeError, match="ours"):
        parallel_io.run_in_threads(task, 1000, 1)
    assert calls == [0]


@pytest.fixture
def invalid_pets(pets):
    """Make three files of `pets` invalid; also write a copy of the folder without them."""
    shutil.copytree(pets, pets.parent / "mended")
    truncate(pets / "cat" / "3.jpg")
    (pets / "cat" / "4.png").write_text("a text that is called an image")
    (pets / "dog" / "5.jpg").write_bytes(b"")
    for name in ("cat/3.jpg", "cat/4.png", "dog/5.jpg"):
        (pets.parent / "mended" / name).unlink()
    return pets


@pytest.mark.parametrize("in_memory", [0, image_folder.MAX_CACHE_BYTES])
def test_invalid_files_are_skipped_as_if_absent(invalid_pets, in_memory):
    dataset = image_folder.load_image_folder(invalid_pets, SHAPE, invalid_images="skip", max_cache_bytes=in_memory)
    assert contents(dataset) == contents(image_folder.load_image_folder(invalid_pets.parent / "mended", SHAPE))
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [15, 1, 1]
    check_message(dataset.notes[0], 3, "cat/3.jpg, cat/4.png, dog/5.jpg")


def test_invalid_files_are_refused(invalid_pets):
    with pytest.raises(UserError) as error:
        image_folder.load_image_folder(invalid_pets, SHAPE)
    check_message(error.value, 3, "cat/3.jpg", "cat/4.png", "dog/5.jpg", "--invalid-images skip")
    with pytest.raises(UserError) as error:
        image_folder.load_image_folder(invalid_pets, SHAPE, max_cache_bytes=0)
    check_message(error.value, 2, "cat/4.png", "dog/5.jpg", "--invalid-images skip")
    with pytest.raises(UserError) as error:
        image_folder.load_image_folder(invalid_pets, SHAPE, invalid_images="skipp")
    check_message(error.value, "'skipp'", "'skip'")
    for path in invalid_pets.rglob("*.*"):
        path.write_bytes(b"")
    with pytest.raises(UserError) as error:
        image_folder.load_image_folder(invalid_pets, SHAPE, invalid_images="skip")
    check_message(error.value, 20)


def test_valid_files_leave_no_note(pets):
    skipping = image_folder.load_image_folder(pets, SHAPE, invalid_images="skip")
    dataset = image_folder.load_image_folder(pets, SHAPE)
    assert skipping.notes == dataset.notes and contents(skipping) == contents(dataset)


@pytest.mark.parametrize("damage", [truncate, lambda path: path.unlink()])
def test_an_image_that_becomes_unreadable_is_named(pets, damage):
    split = image_folder.load_image_folder(pets, SHAPE, max_cache_bytes=0).train
    index = split.labels.tolist().index(1)
    for path in (pets / "dog").iterdir():
        damage(path)
    with pytest.raises(UserError) as error:
        split.batch([index])
    check_message(error.value, 1, "--invalid-images skip")
    assert re.search(r"/dog/\d\.(jpg|png)\b", str(error.value))


def test_images_at_any_depth_are_sorted_by_name(tmp_path):
    """In the order of folder names, not of path strings: x before x-y, although "/" sorts after "-"."""
    for name in ("x-y/1.png", "x/2.png", "x.png", "a.PNG", "x/z/0.png", "x/.hidden.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "x")
    skipped = sample_files.SkippedEntries()
    files = [*sample_files.walk_samples(tmp_path, IMAGE, skipped)]
    assert files == ["a.PNG", "x/2.png", "x/z/0.png", "x-y/1.png", "x.png"]
    assert skipped.links == ["link"] and skipped.extensions == {".txt": 1}


def test_file_names_that_are_not_unicode(pets):
    path = bytes(pets / "cat" / "0.png").replace(b"0.png", b"\xff\xe9.png")
    (pets / "cat" / "0.png").rename(path.decode("utf-8", "surrogateescape"))
    assert len(image_folder.load_image_folder(pets, SHAPE, max_cache_bytes=0).train) == 16
