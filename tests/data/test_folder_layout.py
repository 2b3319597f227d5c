"""Layouts of image folders: which folders are splits, which are classes, and which are skipped."""

import os
import shutil

import numpy as np
import pytest
from helpers import check_message, check_text, deny_access
from PIL import Image

from zoo.data import image_folder, sample_files, split_names
from zoo.errors import UserError
from zoo.modality import IMAGE


def write(folder, classes, count, ending=".png", **options):
    """Write `count` images of random noise into each class folder."""
    rng = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            image = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
            image.save(folder / name / f"{index}{ending}", **options)


def load(folder, **options):
    return image_folder.load_image_folder(folder, (8, 8, 3), **options)


def sizes(dataset):
    return [len(dataset.train), len(dataset.validation), len(dataset.test)]


def refusal_message(folder, **options):
    with pytest.raises(UserError) as error:
        load(folder, **options)
    check_message(error.value)
    return str(error.value)


@pytest.mark.parametrize("train, validation, test", [
    ("train", "val", "test"), ("TRAIN", "VAL", "TEST"), ("Training", "Validation", "Testing"),
    ("train", "valid", "test"), ("train", "dev", "test"), ("train_data", "val_data", "test_data"),
    ("training_set", "validation_set", "test_set"), ("trainset", "valset", "testset"),
    ("seg_train", "seg_val", "seg_test"), ("train2017", "val2017", "test1"),
    ("pets_train", "pets_val", "pets_test"), ("train-pets", "valid-pets", "test-pets"),
    ("01_Train", "02_Val", "03_Test"),
    ("train_dir", "validation_dir", "test_dir"), ("trainval", "dev", "hold-out"), ("tr", "vld", "te"),
    ("petsTrain", "petsValidate", "petsTest"), ("train", "validate", "test"),
    ("train", "eval", "test"), ("training", "validation", "evaluation"), ("Train images", "Val images", "Test images"),
])
def test_splits_under_the_names_that_data_sets_have(tmp_path, train, validation, test):
    for name, count in ((train, 20), (validation, 7), (test, 6)):
        write(tmp_path / name, ("oak", "pine"), count)
    dataset = load(tmp_path)
    assert dataset.info.class_names == ("oak", "pine") and sizes(dataset) == [40, 14, 12]
    notes = " ".join(dataset.notes)
    if (train, validation, test) == ("train", "val", "test"):
        assert dataset.notes == ()
    else:
        assert all(f"{name}/ is {split}" in notes for name, split in
                   ((train, "train"), (validation, "validation"), (test, "test")))


def test_a_split_inside_a_folder_of_its_own_name(tmp_path):
    """The layout of the Intel scenes: seg_train/seg_train/CLASS, and images without a class in seg_pred/seg_pred."""
    write(tmp_path / "seg_train" / "seg_train", ("sea", "street"), 20)
    write(tmp_path / "seg_test" / "seg_test", ("sea", "street"), 6)
    write(tmp_path / "seg_pred", ("seg_pred",), 5)
    dataset = load(tmp_path)
    assert dataset.info.class_names == ("sea", "street") and sizes(dataset) == [36, 4, 12]
    assert any("seg_pred/" in note and "5 images" in note for note in dataset.notes)


def test_a_class_named_train(tmp_path):
    write(tmp_path, ("bus", "car", "train"), 20)
    dataset = load(tmp_path)
    assert dataset.info.class_names == ("bus", "car", "train") and sum(sizes(dataset)) == 60


@pytest.mark.parametrize("classes", [("tester", "trains", "valley"), ("en", "te", "tr"),
                                     ("dev_board", "test_tube", "train_station")])
def test_class_names_that_only_resemble_splits(tmp_path, classes):
    write(tmp_path, classes, 10)
    assert load(tmp_path).info.class_names == classes


def test_folders_inside_a_class_are_part_of_it(tmp_path):
    write(tmp_path / "oak", ("2023", "2024"), 10)
    write(tmp_path / "pine", ("2022", "2024"), 10)
    dataset = load(tmp_path)
    assert dataset.info.class_names == ("oak", "pine") and sum(sizes(dataset)) == 40


def test_the_same_class_name_in_both_unicode_forms(tmp_path):
    write(tmp_path / "train", ("caf\u00e9", "oak"), 20)
    write(tmp_path / "test", ("cafe\u0301", "oak"), 6)  # as macOS writes it
    dataset = load(tmp_path)
    assert dataset.info.class_names == ("caf\u00e9", "oak") and sizes(dataset) == [36, 4, 12]


def test_a_test_class_without_training_images_names_a_similar_one(tmp_path):
    write(tmp_path / "train", ("Oak", "Pine"), 20)
    write(tmp_path / "test", ("oak", "pine"), 6)
    check_text(refusal_message(tmp_path), "'oak'", "'Oak'", tmp_path / "test" / "oak")


@pytest.mark.parametrize("split, ending, hint", [
    ("val", ".heic", "pillow-heif"), ("test", ".zip", ".zip"), ("eval", ".npy", ".npy"), ("Testing", ".npy", ".npy")])
def test_a_split_without_a_readable_image_is_refused(tmp_path, split, ending, hint):
    write(tmp_path / "train", ("oak", "pine"), 20)
    (tmp_path / split / "oak").mkdir(parents=True)
    (tmp_path / split / "oak" / f"1{ending}").touch()
    check_text(refusal_message(tmp_path), tmp_path / split, ending, hint)


def test_other_folders_without_images_beside_splits_are_noted(tmp_path):
    for name in ("train", "val", "test"):
        write(tmp_path / name, ("oak", "pine"), 4)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "1.xml").touch()
    (tmp_path / "evaluation").mkdir()
    check_text(" ".join(load(tmp_path).notes), "labels/", "1 .xml", "evaluation/")


@pytest.mark.parametrize("linked", [("test",), ("train", "test"), ("test/test",)])
def test_splits_whose_class_folders_are_links(tmp_path, linked):
    for name, count in (("train", 20), ("test", 6)):
        write(tmp_path / "pool" / name, ("oak", "pine"), count)
    for name in {"train", *linked}:
        for label in ("oak", "pine"):
            if name in linked:
                (tmp_path / "data" / name).mkdir(parents=True, exist_ok=True)
                (tmp_path / "data" / name / label).symlink_to(tmp_path / "pool" / name.split("/")[0] / label)
            else:
                shutil.copytree(tmp_path / "pool" / name / label, tmp_path / "data" / name / label)
    assert sizes(load(tmp_path / "data")) == [36, 4, 12]


def test_a_link_is_not_searched_deep(tmp_path):
    """It can lead anywhere, to the root of the file system for example."""
    for split in ("train", "test"):
        write(tmp_path / "data" / split, ("oak", "pine"), 10)
    (tmp_path / "data" / "extra").mkdir()
    (tmp_path / "data" / "extra" / "root").symlink_to("/")
    write(tmp_path / "pool" / "more", ("young",), 3)
    (tmp_path / "data" / "extra" / "near").symlink_to(tmp_path / "pool")
    dataset = load(tmp_path / "data")
    assert len(dataset.train) + len(dataset.validation) == 20 and len(dataset.test) == 20
    check_text(" ".join(dataset.notes), "extra/", "links")


def test_a_class_of_linked_folders_says_that_these_are_not_followed(tmp_path):
    write(tmp_path / "pool", ("young",), 10)
    write(tmp_path / "data", ("oak", "elm"), 10)
    (tmp_path / "data" / "pine").mkdir()
    (tmp_path / "data" / "pine" / "more").symlink_to(tmp_path / "pool" / "young")
    check_text(refusal_message(tmp_path / "data"), "'pine'", "pine/more", "link")


def test_classes_read_from_subfolders_alone_are_noted(tmp_path):
    """The layout of the Oxford pets as published: images/*.jpg, annotations/trimaps/*.png."""
    write(tmp_path, ("images", "annotations/trimaps", "annotations/xmls"), 10)
    [note, *_] = load(tmp_path).notes
    check_message(note, "annotations", "trimaps", "xmls")
    assert "images" not in note.replace("10 images", "")


def test_long_folder_names_are_read_fast(tmp_path, alarm):
    write(tmp_path, ("dataset" * 8 + "x", "data" * 30, "oak"), 4)
    assert len(load(tmp_path).info.class_names) == 3
    assert split_names.parse_split_name("dataset" * 4000) is None


@pytest.mark.parametrize("held_out", ["val", "test"])
def test_images_in_no_class_beside_a_split_are_noted(tmp_path, held_out):
    write(tmp_path / "train", ("oak", "pine"), 20)
    write(tmp_path, (held_out,), 9)
    dataset = load(tmp_path)
    assert dataset.info.class_names == ("oak", "pine") and sizes(dataset) == [32, 4, 4]
    assert any(f"{held_out}/" in note and "9 images" in note for note in dataset.notes)


@pytest.mark.parametrize("folders, images, names", [
    ({"train": ("a", "b"), "eval": ("a", "b")}, (), ("eval/", "validation", "test", "val")),
    ({"train": ("a", "b"), "val": ("a", "b"), "valid": ("a", "b")}, (), ("val/", "valid/")),
    ({"train": ("steam", "diesel")}, ("bus", "car"), ("train/", "bus/")),
    ({"test": ("a", "b")}, ("a", "b"), ("test/", "a/", "train/")),
    ({}, ("cat", "dog", "test"), ("test/", "test_class")),
    ({"cat": ("train", "test"), "dog": ("train", "test")}, (), ("cat/train", "test/cat")),
    ({"cat": ("train", "test"), "dog": ("train", "test")}, ("owl",), ("cat/train", "test/cat")),
    ({"color": ("oak", "pine"), "grayscale": ("oak", "pine")}, (), ("color/", "grayscale/", "oak", "pine")),
    ({"first": ("oak", "pine"), "second": ("elm", "oak", "pine")}, (), ("first/", "second/", "oak", "pine")),
    ({"bus": ("cam1", "cam2"), "car": ("cam1", "cam2"), "train": ("cam1", "cam2")}, (), ("train/", "bus/")),
    ({"pets/train": ("cat", "dog"), "pets/test": ("cat", "dog")}, ("sample",), ("pets/", "splits")),
    ({}, ("trainA", "trainB", "testA", "testB"), ("trainA/", "testA/", "train/A", "test/A")),  # of CycleGAN
    ({}, ("train_cats", "train_dogs", "val_cats", "val_dogs", "readme"), ("train_cats/", "validation/cats")),
    ({"train": ("a", "b"), "val": ("a", "b"), "test": ("a", "b"), "evaluation": ("a", "b")}, (),
     ("evaluation/", "move it out")),
])
def test_ambiguous_layouts_are_refused(tmp_path, folders, images, names):
    for name, classes in folders.items():
        write(tmp_path / name, classes, 10)
    write(tmp_path, images, 10)
    check_text(refusal_message(tmp_path), tmp_path, *names)


def test_a_class_without_test_images_is_noted(tmp_path):
    write(tmp_path / "train", ("junk", "oak", "pine"), 20)
    write(tmp_path / "val", ("junk", "oak", "pine"), 5)
    write(tmp_path / "test", ("oak", "pine"), 6)
    dataset = load(tmp_path)
    assert dataset.notes == ("no test images of junk",) and sizes(dataset) == [60, 15, 12]


def test_images_in_no_class_at_all_are_refused(tmp_path):
    write(tmp_path, ("train", "test1"), 10)
    check_text(refusal_message(tmp_path), "train/", "test1/", "labels_from='filename'")


def test_a_test_split_alone_is_refused(tmp_path):
    write(tmp_path / "test", ("a", "b"), 10)
    check_text(refusal_message(tmp_path), tmp_path, "test", "train")


def test_a_folder_around_the_folder_of_classes_is_named(tmp_path):
    write(tmp_path / "pets", ("cat", "dog"), 10)
    check_text(refusal_message(tmp_path), "'pets'", "cat", "dog", tmp_path / "pets")


def test_folders_around_the_splits_are_named(tmp_path):
    write(tmp_path / "archive" / "pets" / "train", ("cat", "dog"), 10)
    write(tmp_path / "archive" / "pets" / "test", ("cat", "dog"), 10)
    check_text(refusal_message(tmp_path), "'archive'", "train", "splits", tmp_path / "archive" / "pets")


def test_labels_from_file_names_apply_to_train_only(tmp_path):
    """The layout of Kaggle's cats and dogs: train/cat.0.jpg, test/1.jpg."""
    write(tmp_path, ("train", "test"), 10)
    for index in range(10):
        (tmp_path / "train" / f"{index}.png").rename(tmp_path / "train" / f"{('cat', 'dog')[index % 2]}.{index}.png")
        Image.new("RGB", (8, 8)).save(tmp_path / "train" / f"dog.{index + 10}.png")
        Image.new("RGB", (8, 8)).save(tmp_path / "train" / f"cat.{index + 10}.png")
    dataset = load(tmp_path, labels_from="filename")
    assert dataset.info.class_names == ("cat", "dog") and sum(sizes(dataset)) == 30
    assert any("test/" in note and "10 images" in note for note in dataset.notes)


def test_labels_from_file_names_without_train_are_ambiguous_beside_a_split(tmp_path):
    write(tmp_path, ("test",), 10)
    for index in range(10):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{('cat', 'dog')[index % 2]}.{index}.png")
    check_text(refusal_message(tmp_path, labels_from="filename"), "test/", "train/")


def test_labels_from_file_names_in_both_unicode_forms(tmp_path):
    for name, label in (("train", "caf\u00e9"), ("test", "cafe\u0301")):
        write(tmp_path, (name,), 10)
        for index in range(10):
            (tmp_path / name / f"{index}.png").rename(tmp_path / name / f"{(label, 'oak')[index % 2]}.{index}.png")
    dataset = load(tmp_path, labels_from="filename")
    assert dataset.info.class_names == ("caf\u00e9", "oak") and len(dataset.test) == 10


def test_files_of_operating_systems_and_programs_are_skipped(tmp_path):
    write(tmp_path, ("oak", "pine"), 10)
    for folder in ("oak/.ipynb_checkpoints", "pine/@eaDir", "oak/__MACOSX"):
        write(tmp_path, (folder,), 3)
    (tmp_path / "__MACOSX" / "oak").mkdir(parents=True)
    (tmp_path / "__MACOSX" / "oak" / "._0.png").write_bytes(b"\0\5\x16\7")
    (tmp_path / "oak" / "._0.png").write_bytes(b"\0\5\x16\7")
    (tmp_path / "oak" / "Thumbs.db").write_bytes(b"")
    dataset = load(tmp_path)
    assert dataset.info.class_names == ("oak", "pine") and sum(sizes(dataset)) == 20
    [note] = [note for note in dataset.notes if "__MACOSX" in note]
    check_message(note, "__MACOSX", "oak/.ipynb_checkpoints", 1)
    assert not any("Thumbs" in note or ".db" in note for note in dataset.notes)


@pytest.mark.parametrize("folder", ["runs/mine", "mine", "oak/mine"])
def test_run_directories_are_not_classes(tmp_path, folder):
    write(tmp_path, ("oak", "pine"), 10)
    write(tmp_path / folder, ("plots",), 4)
    (tmp_path / folder / "run.json").write_text("{}")
    dataset = load(tmp_path)
    assert dataset.info.class_names == ("oak", "pine") and sum(sizes(dataset)) == 20
    assert any("run" in note and folder.split("/mine")[0] in note for note in dataset.notes)


@pytest.mark.parametrize("ending, format", [(".jfif", "JPEG"), (".jpe", "JPEG"), (".apng", "PNG"), (".avif", "AVIF"),
                                            (".j2k", "JPEG2000"), (".dib", "BMP"), (".JPG", "JPEG"), (".qoi", "QOI")])
def test_extensions_of_pillow(tmp_path, ending, format):
    write(tmp_path, ("oak", "pine"), 10)
    write(tmp_path, ("oak",), 5, ending, format=format)
    assert sum(sizes(load(tmp_path))) == 25


def test_a_link_to_the_folder_itself_is_not_followed(tmp_path):
    write(tmp_path / "data", ("oak", "pine"), 10)
    write(tmp_path / "elsewhere", ("elm",), 10)
    (tmp_path / "data" / "all").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "parent").symlink_to(tmp_path)
    (tmp_path / "data" / "elm").symlink_to(tmp_path / "elsewhere" / "elm")
    dataset = load(tmp_path / "data")
    assert dataset.info.class_names == ("elm", "oak", "pine") and sum(sizes(dataset)) == 30
    assert any("all, parent" in note for note in dataset.notes)


@pytest.mark.parametrize("links, parts", [
    ({"lynx": "oak"}, ["lynx", "oak", "labels"]),
    ({"fir": "../more/elm", "elm": "../more/elm"}, ["elm", "fir", "labels"]),
    ({"young": "oak/young"}, ["young", "oak/young", "labels"]),
    ({"pine/1.png": "../oak/1.png"}, ["oak/1.png", "pine/1.png", "labels"]),
    ({"pine/copy.png": "1.png"}, ["pine/1.png", "pine/copy.png", "twice"]),
    ({"pine/a.png": "../../more/elm/1.png", "oak/a.png": "../../more/elm/1.png"}, ["oak/a.png", "pine/a.png"]),
])
def test_an_image_listed_twice_by_links_is_refused(links, parts, tmp_path):
    write(tmp_path / "data", ("oak", "oak/young", "pine"), 10)
    write(tmp_path / "more", ("elm",), 10)
    for name, target in links.items():
        (tmp_path / "data" / name).unlink(missing_ok=True)
        (tmp_path / "data" / name).symlink_to(target)
    with pytest.raises(UserError) as error:
        load(tmp_path / "data")
    check_message(error.value, *parts, tmp_path / "data", "link")


@pytest.mark.parametrize("link, target, parts", [
    ("test/pine", "../train/pine", ["train/pine", "test/pine"]),
    ("val", "test", ["val/oak", "test/oak", "validation"]),
    ("test/oak/copy.png", "../../train/oak/3.png", ["train/oak/3.png", "test/oak/copy.png"]),
])
def test_an_image_in_two_splits_by_links_is_refused(link, target, parts, tmp_path):
    for name in ("train", "test"):
        write(tmp_path / name, ("oak", "pine"), 10)
    if (tmp_path / link).is_dir():
        shutil.rmtree(tmp_path / link)
    (tmp_path / link).symlink_to(target)
    with pytest.raises(UserError) as error:
        load(tmp_path)
    check_message(error.value, *parts, "splits", "link")


def test_links_to_other_files_are_followed(tmp_path):
    """Also hard links, which are like copies, and a folder that is itself a link."""
    write(tmp_path / "store", ("oak", "pine"), 10)
    for name in ("oak", "pine"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for file in (tmp_path / "store" / name).iterdir():
            (tmp_path / "data" / name / file.name).symlink_to(file)
    os.link(tmp_path / "store" / "oak" / "1.png", tmp_path / "data" / "oak" / "hard.png")
    (tmp_path / "link").symlink_to("data")
    assert sum(sizes(load(tmp_path / "link"))) == 21


def test_broken_links_among_the_classes_are_noted(tmp_path):
    write(tmp_path, ("oak", "pine"), 10)
    (tmp_path / "elm").symlink_to(tmp_path / "unmounted" / "elm")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "oak" / "loop").symlink_to(tmp_path / "oak" / "loop")
    (tmp_path / "oak" / "loop.png").symlink_to(tmp_path / "oak" / "loop.png")
    dataset = load(tmp_path)
    assert dataset.info.class_names == ("oak", "pine") and sum(sizes(dataset)) == 20
    check_text("\n".join(dataset.notes), "elm", "loop")


@pytest.mark.parametrize("name", [".", "oak", "oak/2024"])
def test_a_folder_that_cannot_be_read_is_refused(tmp_path, name, monkeypatch):
    write(tmp_path, ("oak", "oak/2024", "pine"), 10)
    deny_access(tmp_path / name, monkeypatch)
    check_text(refusal_message(tmp_path), (tmp_path / name).resolve(), "permissions")
    with pytest.raises(UserError, match="permissions"):
        sample_files.find_sample_files([tmp_path], IMAGE)


def test_other_files_are_counted_by_extension(tmp_path):
    write(tmp_path, ("oak", "pine"), 10)
    for index in range(3):
        (tmp_path / "oak" / f"{index}.pdf").write_bytes(b"%PDF-1.4")
    (tmp_path / "pine" / "labels").write_text("")
    Image.new("RGB", (8, 8)).save(tmp_path / "stray.png")
    notes = load(tmp_path).notes
    [note] = [note for note in notes if "3 .pdf" in note]
    check_message(note, 1)
    assert any("1 image" in note for note in notes)


def test_a_class_of_unsupported_files_names_the_extension(tmp_path):
    write(tmp_path, ("oak", "pine"), 10)
    (tmp_path / "phone").mkdir()
    (tmp_path / "phone" / "1.heic").write_bytes(b"\0\0\0\x18ftypheic")
    check_text(refusal_message(tmp_path), "'phone'", tmp_path / "phone", ".heic", "pip install pillow-heif")


def test_a_class_name_that_is_not_utf8(tmp_path):
    write(tmp_path, ("oak", "pine"), 10)
    for name in (b"caf\xe9", b"caf\xe8"):
        os.rename(bytes(tmp_path / ("pine" if name == b"caf\xe9" else "oak")), bytes(tmp_path) + b"/" + name)
        write(tmp_path, ("oak",), 10)
        if name == b"caf\xe9":
            assert load(tmp_path).info.class_names == ("caf\ufffd", "oak")
    check_text(refusal_message(tmp_path), tmp_path, "'caf\ufffd'")  # caf\xe9 and caf\xe8
