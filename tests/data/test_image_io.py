"""Image files of every mode are converted to the input shape of a network."""

import numpy as np
import pytest
from helpers import check_message
from PIL import Image

from zoo.data import image_folder, image_io, model_input, sample_files
from zoo.errors import UserError
from zoo.modality import IMAGE

GRAY = np.arange(0, 240, 15, dtype=np.uint8).reshape(4, 4)  # 0, 15, ..., 225
RED = np.full((4, 4, 3), (255, 0, 0), np.uint8)


def fit(image, channels=1):
    return image_io.prepare_image(image, (4, 4, channels))


def test_an_image_that_fits_is_unchanged():
    assert np.array_equal(fit(Image.fromarray(GRAY)).pixels[..., 0],
                          GRAY) and fit(Image.fromarray(GRAY)).transformations == ""
    assert np.array_equal(fit(Image.fromarray(RED), 3).pixels,
                          RED) and fit(Image.fromarray(RED), 3).transformations == ""


def test_colors_become_luma_and_grayscale_becomes_three_equal_channels():
    red = fit(Image.fromarray(RED))
    assert set(red.pixels.ravel()) == {76}  # 0.299 * 255
    assert len(red.transformations.splitlines()) == 1
    gray = fit(Image.fromarray(GRAY), 3)
    assert np.array_equal(gray.pixels, np.dstack([GRAY] * 3))
    assert len(gray.transformations.splitlines()) == 1 and gray.transformations != red.transformations


def test_sixteen_bits_and_floats():
    for values, scale in ((GRAY.astype(np.uint16) * 257, "0..65535"), (GRAY.astype(np.float32) / 255, "0..1"),
                          (GRAY.astype(np.int32) * 257, "0..65535")):
        prepared = fit(Image.fromarray(values))
        assert np.array_equal(prepared.pixels[..., 0], GRAY)
        check_message(prepared.transformations, scale, "0..255")


def test_transparent_pixels_are_composited_over_white():
    ink = np.zeros((4, 4, 4), np.uint8)  # black, and transparent
    ink[0, 0, 3] = 255
    prepared = fit(Image.fromarray(ink), 3)
    assert prepared.pixels[0, 0].tolist() == [0, 0, 0] and (prepared.pixels.reshape(-1, 3)[1:] == 255).all()
    check_message(prepared.transformations, "white")
    half = fit(Image.fromarray(np.full((4, 4, 2), (0, 128), np.uint8), "LA"))
    assert set(half.pixels.ravel()) == {127} and half.transformations == prepared.transformations


def test_palettes_and_bits():
    palette = Image.fromarray(RED).quantize(2)
    assert palette.mode == "P" and np.array_equal(fit(palette, 3).pixels, RED)
    bits = fit(Image.fromarray(GRAY > 100))
    assert set(bits.pixels.ravel()) == {0, 255} and bits.transformations == ""


def test_other_sizes_are_resized_with_antialiasing():
    checks = np.kron(np.indices((4, 4)).sum(axis=0) % 2 * 200, np.ones((2, 2))).astype(np.uint8)
    prepared = fit(Image.fromarray(np.repeat(checks, 3, axis=1)))
    check_message(prepared.transformations, "8x24", "4x4")
    fine = (np.indices((12, 12)).sum(axis=0) % 2 * 200).astype(np.uint8)
    blended = fit(Image.fromarray(fine)).pixels.astype(int)
    assert abs(blended - 100).max() <= 3  # the mean of black and bright; single pixels would be 0 or 200
    blur = fit(Image.fromarray(np.full((40, 40), 99, np.uint8)))
    assert (blur.pixels == 99).all()
    check_message(blur.transformations, "40x40", "4x4")
    assert fit(Image.fromarray(np.full((1, 1), 7, np.uint8))).pixels.max() == 7


def test_a_bright_border_is_detected():
    ring = np.zeros((4, 4), np.uint8)
    ring[1:3, 1:3] = 255
    assert not fit(Image.fromarray(ring)).has_bright_border and fit(Image.fromarray(255 - ring)).has_bright_border


def test_exif_orientation_is_applied(tmp_path):
    wide = Image.fromarray(np.zeros((2, 6), np.uint8))
    exif = wide.getexif()
    exif[0x0112] = 6  # the camera was in portrait orientation
    wide.save(tmp_path / "photo.jpg", exif=exif)
    assert image_io.load_image(tmp_path / "photo.jpg").size == (2, 6)


def test_the_header_has_the_orientation_of_the_image(tmp_path):
    """Of EXIF and of XMP data; invalid data does not matter."""
    wide = Image.fromarray(np.zeros((2, 6), np.uint8))
    xmp = (b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/'
           b'1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
           b'tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>')
    wide.save(tmp_path / "plain.jpg")
    plain = (tmp_path / "plain.jpg").read_bytes()
    (tmp_path / "xmp.jpg").write_bytes(plain[:2] + b"\xff\xe1" + (len(xmp) + 2).to_bytes(2, "big") + xmp + plain[2:])
    for name, exif in (("junk.png", b"Exif\0\0junkjunk"), ("turned.png", b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0"
                                                          b"\x01\0\0\0\x06\0\0\0\0\0\0\0")):
        wide.save(tmp_path / name, exif=exif)
    for name, size in (("plain.jpg", (2, 6)), ("xmp.jpg", (6, 2)), ("junk.png", (2, 6)), ("turned.png", (6, 2))):
        assert image_io.check_image_header(tmp_path / name).size == size
        assert image_io.load_image(tmp_path / name).size == size[::-1]


@pytest.mark.parametrize("content", [b"", b"words", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff\xe0" + b"\0" * 50,
                                     b"BM" + b"\xff" * 60, b"II*\0" + b"\xff" * 40, b"RIFF\0\0\0\0WEBPVP8 "])
def test_files_that_are_not_images_are_refused(tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(UserError) as error:
        image_io.load_image(tmp_path / "x.png")
    check_message(error.value, tmp_path / "x.png")


def test_damaged_images_are_read_or_refused(tmp_path):
    """No other exception, whichever bytes are changed or cut off."""
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8))
    num_refused = 0
    for ending in ("png", "jpg", "gif", "bmp", "webp", "tif"):
        noise.save(tmp_path / f"whole.{ending}")
        content = (tmp_path / f"whole.{ending}").read_bytes()
        for attempt in range(40):
            damaged = bytearray(content[: rng.integers(1, len(content))] if attempt % 2 else content)
            for offset in rng.integers(0, len(damaged), 4):
                damaged[offset] = rng.integers(256)
            (tmp_path / f"x.{ending}").write_bytes(damaged)
            try:
                fit(image_io.load_image(tmp_path / f"x.{ending}"))
            except UserError:
                num_refused += 1
    assert num_refused > 60


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    Image.fromarray(np.zeros((11, 10), np.uint8)).save(tmp_path / "large.png")
    for function in (image_io.load_image, image_io.check_image_header):  # of memory, and of streamed folders
        with pytest.raises(UserError) as error:
            function(tmp_path / "large.png")
        check_message(error.value, tmp_path / "large.png", "pixels")


@pytest.mark.parametrize("name, num_frames", [("a.tif", 3), ("a.gif", 2), ("a.webp", 2), ("a.png", 2), ("a.tif", 1),
                                              ("a.gif", 1), ("a.jpg", 1)])
def test_the_first_of_several_frames_is_noted(name, num_frames, tmp_path):
    first, *others = [Image.fromarray(GRAY // (index + 1)).convert("RGB") for index in range(num_frames)]
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for index in range(10):
            first.save(tmp_path / label / f"{index}{name[1:]}", **({"save_all": True, "append_images": others}
                                                                   if others else {}))
    prepared = fit(image_io.load_image(tmp_path / "a" / f"0{name[1:]}"), 3)
    assert ("several frames" in prepared.transformations) == (num_frames > 1)
    for max_cache_bytes in (0, image_folder.MAX_CACHE_BYTES):
        notes = " ".join(image_folder.load_image_folder(tmp_path, (4, 4, 3), max_cache_bytes=max_cache_bytes).notes)
        assert ("20 of 20 images have several frames" in notes) == (num_frames > 1)


def test_channels_first_are_refused_where_they_are_ambiguous():
    assert model_input.prepare_image_arrays(np.zeros((3, 4, 4), np.uint8), (4, 4, 1)).shape == (3, 4, 4, 1)
    assert model_input.prepare_image_arrays(np.zeros((1, 4, 4), np.uint8), (4, 4, 3)).shape == (1, 4, 4, 3)
    with pytest.raises(UserError) as error:
        model_input.prepare_image_arrays(np.zeros((3, 4, 4), np.uint8), (4, 4, 3))
    check_message(error.value, "(3, 4, 4)", "transpose(1, 2, 0)", "images[..., None]")


def test_images_of_folders_are_found_once_and_in_order(tmp_path):
    for name in ("b.PNG", "a/c.jpeg", ".hidden.png", "a/x.txt", "a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    files, notes = sample_files.find_sample_files([tmp_path / "b.PNG", tmp_path, tmp_path / "a.txt"], IMAGE)
    assert [str(path.relative_to(tmp_path)) for path in files] == ["b.PNG", "a/c.jpeg", "a.txt"]
    assert "2 .txt" in notes[0] and len(notes) == 1
    again, _ = sample_files.find_sample_files([tmp_path / "b.PNG", tmp_path / "a" / "c.jpeg", tmp_path / "b.PNG"],
                                              IMAGE)
    assert [path.name for path in again] == ["b.PNG", "c.jpeg", "b.PNG"]  # a row for each
