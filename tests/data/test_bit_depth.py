"""Images of more than eight bits: one white level for the whole set, which the run stores."""

import numpy as np
import pytest
from helpers import check_message, check_text
from PIL import Image

from zoo.data import image_folder, image_io, labeled_images, sample_files
from zoo.errors import UserError
from zoo.modality import IMAGE


def write(folder, largest, dtype=np.uint16, ending=".png", count=10):
    """Write two classes of images whose values go from 0 to the values in `largest`."""
    folder.mkdir(exist_ok=True)
    for name, turn in (("low", 1), ("high", -1)):
        (folder / name).mkdir(exist_ok=True)
        for value in largest:
            for index in range(count):
                gradient = np.linspace(0, value, 64).reshape(8, 8)[::turn].astype(dtype)
                Image.fromarray(gradient).save(folder / name / f"{value}-{index}{ending}")
    return folder


def maxima(dataset):
    splits = (dataset.train, dataset.validation, dataset.test)
    return sorted({int(image.max()) for split in splits for image in split.batch(np.arange(len(split)))[0]})


@pytest.mark.parametrize("in_memory", [0, image_folder.MAX_CACHE_BYTES])
@pytest.mark.parametrize("largest, white, pixels", [
    ((255, 256, 4095), 4095, [16, 255]),  # 255 * 255 / 4095 is 15.9, 256 is 15.9
    ((1000, 60000), 65535, [4, 233]),  # 3.9; 233.5 is rounded to the even
    ((100,), 255, [100]),
])
def test_one_scale_for_a_set(tmp_path, largest, white, pixels, in_memory):
    dataset = image_folder.load_image_folder(write(tmp_path / "scans", largest), (8, 8, 1), max_cache_bytes=in_memory)
    assert dataset.origin["white_levels"] == {"integer": white} and maxima(dataset) == pixels
    check_text("\n".join(dataset.notes), f"0..{white}", "0..255", f"{max(largest):,}")


@pytest.mark.parametrize("largest, white, pixels", [((0.25, 1.0), 1, [64, 255]), ((0.5, 200.0), 255, [0, 200]),
                                                    ((0.25, 1.03), 1, [64, 255]), ((0.5, 2.0), 255, [0, 2])])
def test_floats(tmp_path, largest, white, pixels):
    dataset = image_folder.load_image_folder(write(tmp_path / "scans", largest, np.float32, ".tif"), (8, 8, 1))
    assert dataset.origin["white_levels"] == {"float": white} and maxima(dataset) == pixels
    assert any("above 1 " in note for note in dataset.notes) == (1.03 in largest)


def test_8_bit_images_beside_16_bit_ones_are_unchanged(tmp_path):
    write(tmp_path / "scans", (4095,))
    for name in ("low", "high"):
        Image.new("L", (8, 8), 77).save(tmp_path / "scans" / name / "eight.png")
    assert maxima(image_folder.load_image_folder(tmp_path / "scans", (8, 8, 1))) == [77, 255]
    write(tmp_path / "plain", (200,), np.uint8)
    dataset = image_folder.load_image_folder(tmp_path / "plain", (8, 8, 1))
    assert "white_levels" not in dataset.origin and not any("0..255" in note for note in dataset.notes)


def test_later_images_use_the_scale_of_the_set(tmp_path):
    folder = write(tmp_path / "scans", (255,))
    white = {"integer": 4095}
    images = labeled_images.load_labeled_images(folder, ["low", "high"], (8, 8, 1), white_levels=white)
    assert {int(image.max()) for image in images.split.batch(np.arange(20))[0]} == {16}
    assert any("0..4095" in note for note in images.notes)
    files, _ = sample_files.find_sample_files([folder / "low" / "255-0.png"], IMAGE)
    [[(_, fitted)]] = image_io.prepare_image_files(files, (8, 8, 1), white)
    assert fitted.pixels.max() == 16
    check_message(fitted.transformations, "0..4095", "0..255")
    [[(_, fitted)]] = image_io.prepare_image_files(files, (8, 8, 1))  # without a dataset: the full 16-bit range
    assert fitted.pixels.max() == 1
    check_message(fitted.transformations, "0..65535", "0..255")


def test_values_above_the_white_level_become_white(tmp_path):
    folder = write(tmp_path / "scans", (60000,))
    [[(_, fitted)]] = image_io.prepare_image_files([folder / "low" / "60000-0.png"], (8, 8, 1), {"integer": 4095})
    assert fitted.pixels.max() == 255


def test_values_of_more_than_16_bits_are_not_clipped(tmp_path):
    Image.fromarray(np.array([[2**20, 2**19]], np.int32)).save(tmp_path / "a.tif")
    [[(_, prepared)]] = image_io.prepare_image_files([tmp_path / "a.tif"], (1, 2, 1))
    assert prepared.pixels[0, :, 0].tolist() == [16, 8]  # of 2**24
    check_message(prepared.transformations, "0..16777215", "0..255")


def test_an_invalid_image_is_named(tmp_path):
    folder = write(tmp_path / "scans", (4095,))
    path = folder / "low" / "4095-3.png"
    path.write_bytes(path.read_bytes()[:60])
    for in_memory in (0, image_folder.MAX_CACHE_BYTES):
        with pytest.raises(UserError) as error:
            image_folder.load_image_folder(folder, (8, 8, 1), max_cache_bytes=in_memory)
        check_message(error.value, 1, path, "--invalid-images skip")


def test_infinite_values_do_not_set_the_scale_and_negative_ones_are_noted(tmp_path):
    folder = write(tmp_path / "scans", (1.0,), np.float32, ".tif")
    values = np.full((8, 8), 0.5, np.float32)
    values[0] = (np.inf, -np.inf, np.nan, -0.25, 0.5, 0.5, 0.5, 0.5)
    Image.fromarray(values).save(folder / "low" / "odd.tif")
    for in_memory in (0, image_folder.MAX_CACHE_BYTES):
        dataset = image_folder.load_image_folder(folder, (8, 8, 1), max_cache_bytes=in_memory)
        assert dataset.origin["white_levels"] == {"float": 1} and maxima(dataset) == [255]
        check_text("\n".join(dataset.notes), "below 0", "-0.25")
    [[(_, prepared)]] = image_io.prepare_image_files([folder / "low" / "odd.tif"], (8, 8, 1), {"float": 1})
    assert prepared.pixels[0, :5, 0].tolist() == [255, 0, 0, 0, 128]
    check_text(prepared.transformations, "below 0")
