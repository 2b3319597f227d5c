"""Color images of 16 bits per channel, of which Pillow alone decodes the upper bytes."""

import io
import zlib

import numpy as np
import pytest
from deep_images import make_png, make_ppm, make_tiff
from helpers import check_message, check_text
from PIL import Image

from zoo.data import image_folder, image_io
from zoo.errors import UserError

COLORS = np.array([[[0, 819, 4095], [273, 546, 4095]], [[1638, 0, 2457], [3276, 16, 4095]]], np.uint16)  # of 12 bits
COLORS_8 = [[[0, 51, 255], [17, 34, 255]], [[102, 0, 153], [204, 1, 255]]]  # 255 / 4095 of these
OPAQUE = np.full((2, 2, 1), 65535, np.uint16)
RGBA = np.concatenate([COLORS, OPAQUE], axis=2)
FILES = {
    "PNG": make_png(COLORS), "PNG with alpha": make_png(RGBA), "PPM": make_ppm(COLORS),
    "TIFF": make_tiff(COLORS, 2), "big-endian TIFF": make_tiff(COLORS, 2, ">"),
    "deflated TIFF": make_tiff(COLORS, 2, deflate=True), "deflated big-endian": make_tiff(COLORS, 2, ">", deflate=True),
    "TIFF with alpha": make_tiff(RGBA, 2, alpha=2), "associated alpha": make_tiff(RGBA, 2, alpha=1),
    "deflated associated alpha": make_tiff(RGBA, 2, ">", deflate=True, alpha=1)}


def prepare(path, channels=3, white_levels=None):
    image = image_io.load_image(path)
    return image_io.prepare_image(image, (image.height, image.width, channels), white_levels)


def write(folder, content, other=None, ending="img"):
    """Write two classes of ten files each, the first of them `other` if given."""
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for index in range(10):
            (folder / name / f"{index}.{ending}").write_bytes(other if other and (name, index) == ("a", 0) else content)
    return folder


@pytest.mark.parametrize("kind", FILES)
def test_twelve_bits_in_sixteen(kind, tmp_path):
    (tmp_path / "x").write_bytes(FILES[kind])
    prepared = prepare(tmp_path / "x", white_levels={"integer": 4095})
    assert prepared.pixels.tolist() == COLORS_8
    check_text(prepared.transformations, "0..4095", "0..255")
    assert image_io.check_image_header(tmp_path / "x") == ("integer", (2, 2), False, "alpha" in kind, False)


@pytest.mark.parametrize("is_loaded", [False, True])
@pytest.mark.parametrize("kind", FILES)
def test_pillow_images_of_their_upper_bytes_are_refused(kind, is_loaded, tmp_path):
    (tmp_path / "x").write_bytes(FILES[kind])
    with Image.open(tmp_path / "x") as image:
        if is_loaded:
            image.load()
        with pytest.raises(UserError) as error:
            image_io.prepare_pil_image(image, "the image")
    check_message(error.value, "16 bits", "path")


@pytest.mark.parametrize("kind", FILES)
def test_full_range(kind, tmp_path):
    """As Pillow converts them, up to rounding."""
    with Image.open(io.BytesIO(FILES[kind])) as image:
        expected = np.asarray(image.convert("RGB"), int)
    (tmp_path / "x").write_bytes(FILES[kind])
    assert np.abs(prepare(tmp_path / "x").pixels - expected).max() <= 1


@pytest.mark.parametrize("values", [COLORS, COLORS[..., 1]])
def test_a_transparent_color(values, tmp_path):
    """PNG's tRNS chunk, before the pixels."""
    content, color = make_png(values), np.atleast_1d(values[0, 0]).astype(">u2").tobytes()
    start = content.index(b"IDAT") - 4
    chunk = len(color).to_bytes(4, "big") + b"tRNS" + color + zlib.crc32(b"tRNS" + color).to_bytes(4, "big")
    (tmp_path / "x").write_bytes(content[:start] + chunk + content[start:])
    prepared = prepare(tmp_path / "x", white_levels={"integer": 4095})
    assert prepared.pixels[0, 0].tolist() == [255, 255, 255]
    expected = np.atleast_3d(np.array(COLORS_8)[..., 1] if values.ndim == 2 else COLORS_8)
    assert (prepared.pixels[1] == expected[1]).all()
    check_text(prepared.transformations, "white")


def test_gray_with_alpha(tmp_path):
    alpha = np.array([[65535, 0], [65535, 32768]])
    (tmp_path / "x").write_bytes(make_png(np.dstack([COLORS[..., 1], alpha])))
    prepared = prepare(tmp_path / "x", 1, {"integer": 4095})
    assert np.abs(prepared.pixels[..., 0] - [[51, 255], [0, 127.5]]).max() < 1


def test_colors_multiplied_by_alpha(tmp_path):
    half = np.concatenate([COLORS * 8, np.full((2, 2, 1), 32768)], axis=2).astype(np.uint16)  # twice that: COLORS * 16
    (tmp_path / "x").write_bytes(make_tiff(half, 2, alpha=1))
    expected = np.array(COLORS_8) / 2 + 127.5
    assert np.abs(prepare(tmp_path / "x", white_levels={"integer": 4095 * 16}).pixels - expected).max() <= 1


def test_inks(tmp_path):
    """CMYK, 0 is white; only black ink here."""
    black = np.concatenate([np.zeros((2, 2, 3)), COLORS[..., 1:2]], axis=2).astype(np.uint16)
    (tmp_path / "x").write_bytes(make_tiff(black, 5))
    assert prepare(tmp_path / "x", 1, {"integer": 4095}).pixels[..., 0].tolist() == [[204, 221], [255, 254]]


@pytest.mark.parametrize("in_memory", [0, image_folder.MAX_CACHE_BYTES])
@pytest.mark.parametrize("kind, ending", [("PNG", "png"), ("deflated TIFF", "tif"), ("PNG with alpha", "png")])
def test_one_scale_for_a_folder(kind, ending, in_memory, tmp_path):
    dark = {"png": make_png, "tif": lambda values: make_tiff(values, 2)}[ending](COLORS // 16)
    dataset = image_folder.load_image_folder(write(tmp_path / "scans", FILES[kind], dark, ending), (2, 2, 3),
                                             max_cache_bytes=in_memory)
    assert dataset.origin["white_levels"] == {"integer": 4095}
    pixels = np.concatenate([split.batch(np.arange(len(split)))[0]
                             for split in (dataset.train, dataset.validation, dataset.test)])
    assert sorted({image.max() for image in pixels}) == [16, 255]
    assert sum(image.tolist() == COLORS_8 for image in pixels) == 19
    check_text("\n".join(dataset.notes), "0..4095", "0..255", "4,095")


@pytest.mark.parametrize("in_memory", [0, image_folder.MAX_CACHE_BYTES])
@pytest.mark.parametrize("deflate", [False, True])
def test_separate_planes_of_more_than_8_bits_are_refused(deflate, in_memory, tmp_path):
    folder = write(tmp_path / "scans", make_tiff(COLORS, 2, deflate=deflate, planar=True), ending="tif")
    with pytest.raises(UserError) as error:
        image_io.load_image(folder / "a" / "0.tif")
    check_message(error.value, folder / "a" / "0.tif", "planes", "interleaved")
    with pytest.raises(UserError) as error:
        image_folder.load_image_folder(folder, (2, 2, 3), max_cache_bytes=in_memory)
    check_message(error.value, 20, "planes", "interleaved")


def test_planes_of_8_bits_are_read(tmp_path):
    (tmp_path / "x").write_bytes(make_tiff((COLORS // 16).astype(np.uint8), 2, planar=True))
    assert prepare(tmp_path / "x").pixels.tolist() == (COLORS // 16).tolist()


@pytest.mark.parametrize("values, white", [(COLORS[..., 1], 4095), ((COLORS[..., 1] / 4095).astype(np.float32), 1),
                                           ((COLORS[..., 1] // 16).astype(np.uint8), None)])
@pytest.mark.parametrize("deflate", [False, True])
def test_white_is_zero(values, white, deflate, tmp_path):
    """Of 16-bit integers and floats, too."""
    (tmp_path / "x").write_bytes(make_tiff(values, 0, deflate=deflate))
    prepared = prepare(tmp_path / "x", 1, {"integer": 4095})
    assert prepared.pixels[..., 0].tolist() == [[204, 221], [255, 254]]
    if white:
        check_text(prepared.transformations, f"0..{white}", "255..0")
    (tmp_path / "x").write_bytes(make_tiff(values, 1, deflate=deflate))
    assert prepare(tmp_path / "x", 1, {"integer": 4095}).pixels[..., 0].tolist() == [[51, 34], [0, 1]]


def test_a_dark_folder_is_noted(tmp_path):
    dark, bright = (Image.new("L", (2, 2), value) for value in (16, 200))
    for name in ("a", "b"):
        (tmp_path / "scans" / name).mkdir(parents=True)
        for index in range(10):
            dark.save(tmp_path / "scans" / name / f"{index}.png")
    notes = "\n".join(image_folder.load_image_folder(tmp_path / "scans", (2, 2, 1)).notes)
    check_text(notes, "16 of 255")
    bright.save(tmp_path / "scans" / "a" / "3.png")
    notes = "\n".join(image_folder.load_image_folder(tmp_path / "scans", (2, 2, 1)).notes)
    assert "of 255" not in notes
