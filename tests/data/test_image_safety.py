"""Files that are not images, whatever their names: refused immediately, in one line; nothing is run or written."""

import os
import socket
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import check_message
from PIL import BmpImagePlugin, Image, features

from zoo.data import image_folder, image_formats, image_io, sample_files
from zoo.data.loading import load_data
from zoo.errors import UserError
from zoo.modality import IMAGE

POSTSCRIPT = b"""%%!PS-Adobe-3.0 EPSF-3.0
%%%%BoundingBox: 0 0 10 10
(%s) (w) file (owned) writestring
showpage
"""


def write(folder, classes=("a", "b"), count=10):
    for class_index, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            Image.new("RGB", (8, 8), (20 * class_index, 10 * index, 0)).save(folder / name / f"{index}.png")


@pytest.mark.parametrize("content", [
    POSTSCRIPT, b"\xc5\xd0\xd3\xc6" + b"\0" * 40, b"\xd7\xcd\xc6\x9a\0\0" + b"\0" * 80,  # WMF
    b"\x01\0\0\0" + b"\0" * 36 + b" EMF" + b"\0" * 60, b"%PDF-1.4\n", b"\x1c\x01\x5a" + b"\0" * 60,  # IPTC
    b"\0\0\x01\xb3" + b"\0" * 20, b"BUFR" + b"\0" * 40, b"\x89HDF\r\n\x1a\n" + b"\0" * 40])  # MPEG
def test_formats_that_are_programs_are_not_opened(tmp_path, content):
    owned = tmp_path / "owned"
    content = content % bytes(owned) if content is POSTSCRIPT else content
    (tmp_path / "evil.png").write_bytes(content)
    for function in (image_io.load_image, image_io.check_image_header):
        with pytest.raises(UserError) as error:
            function(tmp_path / "evil.png")
        check_message(error.value, tmp_path / "evil.png")
    assert not owned.exists()


def test_a_folder_with_a_program_as_an_image_is_refused(tmp_path):
    write(tmp_path / "data")
    owned = tmp_path / "owned"
    (tmp_path / "data" / "a" / "evil.png").write_bytes(POSTSCRIPT % bytes(owned))
    for in_memory in (0, image_folder.MAX_CACHE_BYTES):
        with pytest.raises(UserError) as error:
            image_folder.load_image_folder(tmp_path / "data", (8, 8, 3), max_cache_bytes=in_memory)
        check_message(error.value, 1, "evil.png", "--invalid-images skip")
    assert not owned.exists()


def test_no_format_that_runs_other_programs_is_listed():
    image_formats.load_pillow_plugins()
    formats = {*image_formats.list_image_formats()}
    assert not {"EPS", "FPX", "WMF", "EMF", "PDF", "IPTC", "MPEG", "BUFR", "GRIB", "HDF5"} & formats
    assert {"PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"} <= formats
    endings = image_formats.list_image_extensions()
    assert {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".pgm", ".mpo"} <= endings
    assert not {".eps", ".ps", ".pdf", ".wmf", ".emf", ".h5", ".mpg"} & endings
    assert (".avif" in endings) == features.check("avif")


def make_special_files(folder):
    """Create files without readable bytes, each named like an image."""
    os.mkfifo(folder / "pipe.png")
    (folder / "link.png").symlink_to(folder / "pipe.png")
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "nothing.png").symlink_to(folder / "not-there")
    listener = socket.socket(socket.AF_UNIX)
    before = os.getcwd()
    os.chdir(folder)  # the path of a socket can have at most 108 bytes
    listener.bind("socket.png")
    os.chdir(before)
    return listener


def test_pipes_and_devices_are_skipped_in_a_folder_and_refused_by_name(tmp_path, alarm):
    write(tmp_path / "data")
    with make_special_files(tmp_path / "data" / "a"):
        dataset = image_folder.load_image_folder(tmp_path / "data", (8, 8, 3))
        assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 20
        [note] = [note for note in dataset.notes if "a/device.png" in note]
        check_message(note, "device", 2)
        files, notes = sample_files.find_sample_files([tmp_path / "data"], IMAGE)
        assert len(files) == 20 and "a/device.png" in notes[0]
        names = ("pipe.png", "link.png", "device.png", "nothing.png", "socket.png")
        files, _ = sample_files.find_sample_files([tmp_path / "data" / "a" / name for name in names], IMAGE)
        for path, kind in zip(files, ("pipe", "pipe", "device", "No such file", "socket"), strict=True):
            with pytest.raises(UserError) as error:
                image_io.load_image(path)
            check_message(error.value, path, kind)


def test_a_pipe_named_npz_is_refused_immediately(tmp_path, alarm):
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(UserError) as error:
        load_data(tmp_path / "pipe.npz")
    check_message(error.value, tmp_path / "pipe.npz", "pipe")


def test_formats_of_an_installed_plugin_are_listed(tmp_path, monkeypatch):
    def register_heif_opener():
        Image.register_open("HEIF", BmpImagePlugin.BmpImageFile, lambda prefix: prefix[4:8] == b"ftyp")
        Image.register_extension("HEIF", ".heic")

    for table in ("OPEN", "EXTENSION"):
        monkeypatch.setattr(Image, table, dict(getattr(Image, table)))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    monkeypatch.setitem(sys.modules, "pillow_heif", SimpleNamespace(register_heif_opener=register_heif_opener))
    image_formats.load_pillow_plugins.cache_clear()
    assert ".heic" in image_formats.list_image_extensions() and "HEIF" in image_formats.list_image_formats()
    monkeypatch.undo()
    assert ".heic" not in image_formats.list_image_extensions()


@pytest.mark.parametrize("exif", [b"Exif\0\0IIU\0\x18\0\0\0", b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff",
                                  b"Exif\0\0" + b"\xff" * 50])
def test_a_jpeg_with_damaged_exif_is_read_without_rotation(tmp_path, exif):
    Image.new("L", (6, 2), 99).save(tmp_path / "odd.jpg", exif=exif, dpi=(72, 72))
    image = image_io.load_image(tmp_path / "odd.jpg")
    assert image.size == (6, 2) and set(np.asarray(image).ravel()) == {99}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_exif(tmp_path, orientation):
    """The rotations of the standard, written out for the corners of an image."""
    corners = np.array([[0, 60], [120, 180], [240, 255]], np.uint8)
    upright = {1: corners, 2: corners[:, ::-1], 3: corners[::-1, ::-1], 4: corners[::-1],
               5: corners.T, 6: corners[::-1].T, 7: corners[::-1, ::-1].T, 8: corners[:, ::-1].T}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(corners).save(tmp_path / "photo.png", exif=exif)
    assert np.array_equal(np.asarray(image_io.load_image(tmp_path / "photo.png")), upright)
