"""Pictures that are read again and again: by any number of threads the same, broken ones left out, or named."""

import re
import shutil
import threading

import numpy as np
import pytest
from helpers import check_message
from PIL import Image

from zoo.data import image_files, image_folder, parallel_io
from zoo.errors import UserError

SHAPE = (12, 16, 3)


@pytest.fixture
def place(tmp_path):
    """Two classes of ten pictures each, JPEGs and PNGs of several sizes, all different."""
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for index in range(10):
            pixels = rng.integers(0, 256, (20 + index, 24, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / label / f"{index}.{'jpg' if index % 2 else 'png'}")
    return tmp_path / "pets"


def truncated(path):
    """Cut a file in the middle of its pixels: its beginning is that of a picture."""
    path.write_bytes(path.read_bytes()[:-200])


def contents(found):
    return [(images.tobytes(), labels.tolist()) for images, labels in
            (split.batch(np.arange(len(split))) for split in (found.train, found.validation, found.test))]


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_pictures_are_the_same_with_any_number_of_threads(place, threads):
    kept = image_folder.load_image_folder(place, SHAPE)
    read = image_folder.load_image_folder(place, SHAPE, max_cache_bytes=0, workers=threads)
    assert contents(read) == contents(kept)
    rows = np.array([5, 0, 0, 11])
    assert np.array_equal(read.train.batch(rows)[0], kept.train.batch(rows)[0])
    first = np.asarray(Image.open(place / "cat" / "0.png").resize((16, 12), Image.Resampling.BILINEAR, reducing_gap=3))
    assert any(np.array_equal(first, each) for split in (read.train, read.validation, read.test)
               for each in split.batch(np.arange(len(split)))[0])


def test_a_step_is_the_same_whoever_is_fast(place):
    """Batches of the fourth epoch, asked for in another order, with numbers of augmentation."""
    from zoo.training import augmentation
    from zoo.training.batches import TrainingBatches

    def batches(threads):
        split = image_folder.load_image_folder(place, SHAPE, max_cache_bytes=0, workers=threads).train
        return TrainingBatches(split, 2, 5, 3, augmentation.parse_augmentation("flip crop=2"))

    one, many = batches(1), batches(5)
    for step in (12, 15, 13):
        (pixels, numbers), targets = one[step]
        (other, others), truth = many[step]
        assert np.array_equal(pixels, other) and np.array_equal(numbers, others) and np.array_equal(targets, truth)
    assert len({one[step][0][0].tobytes() for step in range(16)}) == 16  # an order of its own in each epoch


def test_who_fails_is_told_in_order():
    def task(place):
        if place % 5 == 3:
            raise UserError("no picture")

    for threads in (1, 3):
        assert parallel_io.run_in_threads(task, 20, threads) == [3, 8, 13, 18]
    assert parallel_io.run_in_threads(task, 0, 2) == []


def test_threads_work_at_the_same_time_and_end():
    meeting = threading.Barrier(3, timeout=10)
    before = threading.active_count()
    assert parallel_io.run_in_threads(lambda place: meeting.wait() and None, 3, 3) == []
    assert threading.active_count() == before


def test_a_mistake_of_ours_is_no_broken_picture():
    asked = []

    def task(place):
        asked.append(place)
        raise TypeError("ours")

    with pytest.raises(TypeError, match="ours"):
        parallel_io.run_in_threads(task, 1000, 1)
    assert asked == [0]


@pytest.fixture
def broken(place):
    """Three files of `place` that are none; also a copy of the folder without them."""
    shutil.copytree(place, place.parent / "mended")
    truncated(place / "cat" / "3.jpg")
    (place / "cat" / "4.png").write_text("a text that is called a picture")
    (place / "dog" / "5.jpg").write_bytes(b"")
    for name in ("cat/3.jpg", "cat/4.png", "dog/5.jpg"):
        (place.parent / "mended" / name).unlink()
    return place


@pytest.mark.parametrize("in_memory", [0, image_folder.MAX_CACHE_BYTES])
def test_broken_files_are_left_out_as_though_they_were_not_there(broken, in_memory):
    found = image_folder.load_image_folder(broken, SHAPE, invalid_images="skip", max_cache_bytes=in_memory)
    assert contents(found) == contents(image_folder.load_image_folder(broken.parent / "mended", SHAPE))
    assert [len(each) for each in (found.train, found.validation, found.test)] == [15, 1, 1]
    check_message(found.notes[0], 3, "cat/3.jpg, cat/4.png, dog/5.jpg")


def test_broken_files_are_refused(broken):
    with pytest.raises(UserError) as error:
        image_folder.load_image_folder(broken, SHAPE)
    check_message(error.value, 3, "cat/3.jpg", "cat/4.png", "dog/5.jpg", "--invalid-images skip")
    with pytest.raises(UserError) as error:
        image_folder.load_image_folder(broken, SHAPE, max_cache_bytes=0)
    check_message(error.value, 2, "cat/4.png", "dog/5.jpg", "--invalid-images skip")
    with pytest.raises(UserError) as error:
        image_folder.load_image_folder(broken, SHAPE, invalid_images="skipp")
    check_message(error.value, "'skipp'", "'skip'")
    for path in broken.rglob("*.*"):
        path.write_bytes(b"")
    with pytest.raises(UserError) as error:
        image_folder.load_image_folder(broken, SHAPE, invalid_images="skip")
    check_message(error.value, 20)


def test_what_is_whole_leaves_no_note(place):
    assert image_folder.load_image_folder(place, SHAPE, invalid_images="skip").notes == image_folder.load_image_folder(place, SHAPE).notes
    assert contents(image_folder.load_image_folder(place, SHAPE, invalid_images="skip")) == contents(image_folder.load_image_folder(place, SHAPE))


@pytest.mark.parametrize("harm", [truncated, lambda path: path.unlink()])
def test_a_picture_that_becomes_unreadable_is_named(place, harm):
    split = image_folder.load_image_folder(place, SHAPE, max_cache_bytes=0).train
    row = split.labels.tolist().index(1)
    for path in (place / "dog").iterdir():
        harm(path)
    with pytest.raises(UserError) as error:
        split.batch([row])
    check_message(error.value, 1, "--invalid-images skip")
    assert re.search(r"/dog/\d\.(jpg|png)\b", str(error.value))


def test_pictures_at_any_depth_come_by_name(tmp_path):
    """In the order of their folders' names, not of their paths' letters: x before x-y, whatever a slash is worth."""
    for name in ("x-y/1.png", "x/2.png", "x.png", "a.PNG", "x/z/0.png", "x/.hidden.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "x")
    skipped = image_files.SkippedEntries()
    assert [*image_files.walk_images(tmp_path, skipped)] == ["a.PNG", "x/2.png", "x/z/0.png", "x-y/1.png", "x.png"]
    assert skipped.links == ["link"] and skipped.extensions == {".txt": 1}


def test_names_that_are_no_unicode(place):
    path = bytes(place / "cat" / "0.png").replace(b"0.png", b"\xff\xe9.png")
    (place / "cat" / "0.png").rename(path.decode("utf-8", "surrogateescape"))
    assert len(image_folder.load_image_folder(place, SHAPE, max_cache_bytes=0).train) == 16
