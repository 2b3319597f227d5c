"""Damaged and malicious weights files: one line, and nothing in them is executed."""

import io
import json
import os
import pickle
import re
import tracemalloc
import zipfile
from collections import OrderedDict
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from helpers import check_message

import zoo
from zoo.errors import UserError
from zoo.weights import state_dict, torch_pickle

TINY = Path(__file__).with_name("tiny.pt")


class WritesFile:
    """Writes a file when a pickle of it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_that_is_loaded_writes_the_file(tmp_path):
    """Otherwise the tests below, in which no file is written, would show nothing."""
    pickle.loads(pickle.dumps(WritesFile(tmp_path / "ran"))).close()
    assert (tmp_path / "ran").exists()


def check_refused(path, *parts):
    """Check the one-line error about a weights file: it names the file and not the network."""
    with pytest.raises(UserError) as error:
        zoo.build("lenet5", weights=str(path))
    check_message(error.value, path, *parts)
    assert "lenet5" not in str(error.value)
    return str(error.value)


def write_archive(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)


def test_a_bare_pickle(tmp_path):
    (tmp_path / "a.pt").write_bytes(pickle.dumps(WritesFile(tmp_path / "ran")))
    check_refused(tmp_path / "a.pt", "pickle.load(open('a.pt', 'rb'))", "torch.save")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_in_an_archive(tmp_path, protocol):
    write_archive(tmp_path / "a.pt", {"a/data.pkl": pickle.dumps({"w": WritesFile(tmp_path / "ran")}, protocol)})
    line = check_refused(tmp_path / "a.pt", f"torch.load({str(tmp_path / 'a.pt')!r}", "weights_only=False")
    assert re.search(r"\b(_io|io|builtins|__builtin__)\.open\b", line)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("protocol", range(2, 6))
def test_a_program_beside_the_weights(tmp_path, protocol):
    """The weights are loaded, the program is not executed."""
    torch = pytest.importorskip("torch")
    state = {"w": torch.ones(2), "x": WritesFile(tmp_path / "ran"), "y": [WritesFile(tmp_path / "ran")]}
    for zipped in (False, True):
        torch.save(state, tmp_path / "a.pt", pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
        tensors, _ = state_dict.read_state_dict(tmp_path / "a.pt")
        assert tensors["w"].read().tolist() == [1, 1] and [*tensors] == ["w"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["Opaque", "rebuild"])
def test_a_pickle_cannot_change_the_stand_ins(tmp_path, name):
    """BUILD sets attributes of any object, also of functions."""
    target = b"cos\nsystem\n" if name == "Opaque" else b"ctorch._utils\n_rebuild_tensor_v2\n"
    before = [{**vars(stand_in)} for stand_in in (torch_pickle.OpaqueObject, torch_pickle.RebuildFunction)]
    write_archive(tmp_path / "a.pt", {"a/data.pkl": b"\x80\x02" + target + b"N}X\x04\0\0\0nameX\x01\0\0\0ys\x86b."})
    check_refused(tmp_path / "a.pt", "torch.save", *(["os.system"] if name == "Opaque" else ["model.state_dict()"]))
    assert [{**vars(stand_in)} for stand_in in (torch_pickle.OpaqueObject, torch_pickle.RebuildFunction)] == before


def test_a_name_with_lines(tmp_path):
    data = b"\x80\x04X\x04\0\0\0a\n\x1b[X\x03\0\0\0b\nc\x93."
    write_archive(tmp_path / "a.pt", {"a/data.pkl": data})
    check_refused(tmp_path / "a.pt", "a??[.b?c")


@pytest.mark.parametrize("content, part", [
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"), (b"", "empty"),
    (b"<!DOCTYPE html><html>", "web page"), (b"\x1f\x8b\x08", "gzip"), (b"BZh91AY&SY", "bzip2"),
    (b"\xfd7zXZ\0\0\4", "xz"), (b"x.pth".ljust(257, b"\0") + b"ustar\00000", "tar"),
    (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML"),
    (b'{"weight_map": {"conv1.weight": "model-00001-of-00002.safetensors"}}', "JSON")])
def test_files_that_are_often_downloaded_instead(tmp_path, content, part):
    (tmp_path / "a.pt").write_bytes(content)
    assert "damaged" not in check_refused(tmp_path / "a.pt", part)


@pytest.mark.parametrize("member", ["model.pth", "logs/Best.H5"])
def test_weights_in_a_zip_archive(member, tmp_path):
    write_archive(tmp_path / "a.zip", {"readme.txt": b"", member: b"weights"})
    assert "damaged" not in check_refused(tmp_path / "a.zip", "unpack", member)


def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.pt")
    check_refused(tmp_path / "a.pt", "pipe")


def test_cyclic_groups(tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        layers = file.create_group("layers")
        for index in range(8):
            layers[f"sequential_{index}"] = layers
    check_refused(tmp_path / "a.weights.h5", "groups")


def write_legacy_file(path):
    """Write a file with one tensor in the format of PyTorch until 1.5; return its bytes."""
    torch = pytest.importorskip("torch")
    torch.save({"w": torch.ones(100)}, path, _use_new_zipfile_serialization=False)
    return path.read_bytes()


@pytest.mark.parametrize("fraction", [0.03, 0.1, 0.3, 0.5, 0.9, 0.999])
def test_a_truncated_legacy_file(tmp_path, fraction):
    content = write_legacy_file(tmp_path / "a.pt")
    (tmp_path / "a.pt").write_bytes(content[:int(len(content) * fraction)])
    check_refused(tmp_path / "a.pt")


@pytest.mark.parametrize("old, new", [
    (b"ctorch\nFloatStorage", b"ctorch\nDoubleStorage"), (b"K\x64", b"K\x63"), (b"K\x64", b"J\xff\xff\xff\x7f")])
def test_an_inconsistent_legacy_file(tmp_path, old, new):
    content = write_legacy_file(tmp_path / "a.pt")
    assert old in content
    (tmp_path / "a.pt").write_bytes(content.replace(old, new))
    check_refused(tmp_path / "a.pt")


@pytest.mark.parametrize("data, parts", [
    (b"\x80\x02}r\xff\xff\xff\x7f.", ["torch.save"]),  # the last of two billion entries of a memo
    (b"\x80\x02cos\nsystem\n.", ["os.system", "weights_only=False"]),
    (b"\x80\x02ctorch\nFloatStorage\n)\x81.", ["type"]),
    (b"\x80\x02ctorch\nFloatStorage\n)R.", ["'str'"]),  # a string in this reader
    (b"\x80\x02}q\x00", []),  # cut off
    (b"", []),
    (b"\x80\x02})" + b"2\x86" * 60 + b"Ns.", ["DUP"]),
])
def test_invalid_pickles(tmp_path, data, parts):
    write_archive(tmp_path / "a.pt", {"a/data.pkl": data})
    check_refused(tmp_path / "a.pt", *parts)


DOUBLED = b"(N" + b"q\0h\0\x86" * 60  # a mark, and a tuple of a tuple twice, ...: 2**60 steps for its hash
SHALLOW = b"N" + b"\x85" * 200_000  # its hash in C needs more stack than there is


@pytest.mark.parametrize("data, expected", [
    (b"\x80\x02}" + SHALLOW + b"Ns.", {}), (b"\x80\x02}" + DOUBLED + b"Nu.", {}),
    (b"\x80\x02" + DOUBLED + b"Nd.", {}), (b"\x80\x02ccollections\nOrderedDict\n](" + DOUBLED + b"Nte\x85R.", {}),
    (b"\x80\x04\x8f" + DOUBLED + b"\x90.", None), (b"\x80\x04" + DOUBLED + b"\x91.", None),
    (b"\x80\x04ca\nb\n)R" + DOUBLED + b"Nu.", None),
    (b"\x80\x02(X\x07\0\0\0storage" + DOUBLED[1:] + b"X\x01\0\0\0aNK\x01tQ.", None)])
def test_keys_whose_hash_takes_forever(data, expected, alarm):
    content, _ = torch_pickle.safe_unpickle(io.BytesIO(data))
    assert content == expected if expected is not None else isinstance(content, torch_pickle.OpaqueObject)


@pytest.mark.parametrize("protocol", range(6))
def test_keys_that_are_kept(protocol):
    table = {"a": 1, 2: "b", 2.5: [3], None: (4, (5, (6,))), ("c", 7): {True: 8}, b"d": OrderedDict([("e", 9)])}
    content, _ = torch_pickle.safe_unpickle(io.BytesIO(pickle.dumps(table, protocol)))
    if protocol < 3:
        content[b"d"] = content.pop("d", content.get(b"d"))  # bytes are a call of Python 2's encode
    assert content[("c", 7)] == {True: 8} and (content["a"], content[2], content[2.5]) == (1, "b", [3])
    assert content[None] == (4, (5, (6,)))


def test_a_numpy_scalar_of_python_2(tmp_path):
    """Its strings are bytes, among them the eight of a number."""
    scalar = (b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nU\x02f8K\0K\1\x87RU\x08\xa0\xb1\xff\0\0\0\0\0\x86R")
    content, _ = torch_pickle.safe_unpickle(io.BytesIO(b"\x80\x02}U\x01wK\x03sU\x04best" + scalar + b"s."))
    assert content["w"] == 3 and isinstance(content["best"], torch_pickle.OpaqueObject)


def test_little_is_read_of_the_byte_order(tmp_path):
    write_archive(tmp_path / "a.pt", {"a/data.pkl": pickle.dumps({}, 2), "a/byteorder": b"big" + bytes(2**26)})
    tracemalloc.start()
    try:
        line = check_refused(tmp_path / "a.pt", "big-endian", "PyTorch")
        assert tracemalloc.get_traced_memory()[1] < 2**25
    finally:
        tracemalloc.stop()
    assert "damaged" not in line


def test_tensors_of_pytorch_before_0_4(tmp_path):
    data = b"\x80\x02(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0aNK\x01(K\x01K\x02ttQ."
    write_archive(tmp_path / "a.pt", {"a/data.pkl": data})
    assert "damaged" not in check_refused(tmp_path / "a.pt", "0.4", "PyTorch")


def test_kernels_of_theano(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["layer_names"], file.attrs["backend"] = [b"C1"], b"theano"
        file.create_group("C1").attrs["weight_names"] = [b"C1/kernel:0"]
        file["C1/C1/kernel:0"] = np.zeros((5, 5, 1, 6), np.float32)
    assert "damaged" not in check_refused(tmp_path / "a.h5", "Theano", "TensorFlow")


@pytest.mark.parametrize("tensor, error, part", [
    (state_dict.PickledTensor(state_dict.PickledStorage("FloatStorage", "0", 4), 0, (2**40,), (0,)),
     torch_pickle.UnsafeTorchFileError, "tensor"),
    (state_dict.PickledTensor(state_dict.PickledStorage("FloatStorage", "0", 4), 3, (2,), (1,)),
     torch_pickle.UnsafeTorchFileError, "tensor"),
    (state_dict.PickledTensor(state_dict.PickledStorage("FloatStorage", "0", 4), -1, (2,), (1,)),
     torch_pickle.UnsafeTorchFileError, "tensor"),
    (state_dict.PickledTensor(state_dict.PickledStorage("FloatStorage", "0", 2**40), 0, (2,), (1,)), ValueError,
     "a/data/0"),
    (state_dict.PickledTensor(state_dict.PickledStorage("FloatStorage", "x", 4), 0, (2,), (1,)), ValueError,
     "a/data/x")])
def test_tensors_beyond_their_storage(tmp_path, tensor, error, part):
    write_archive(tmp_path / "a.pt", {"a/data/0": bytes(16)})
    members = {info.filename: info for info in zipfile.ZipFile(tmp_path / "a.pt").infolist()}
    with pytest.raises(error, match=part):
        state_dict.make_lazy_tensor(tmp_path / "a.pt", f"a/data/{tensor.storage.key}", members, tensor)


@pytest.mark.parametrize("length", [0, 3, 9, 100, 2000, 4000])
def test_a_truncated_state_dict(tmp_path, length):
    (tmp_path / "a.pt").write_bytes(TINY.read_bytes()[:length])
    check_refused(tmp_path / "a.pt")


def make_safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize("content", [
    make_safetensors({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, bytes(4)),  # cut off
    make_safetensors({"w": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}}, bytes(4)),
    make_safetensors({"w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]}}, bytes(4)),
    make_safetensors({"w": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}}, bytes(4)),
    make_safetensors({"w": {"dtype": "F32"}}), make_safetensors({"w": 3}), make_safetensors([1]) + b"{",
    make_safetensors(b"{" * 100_000), b"\xff" * 7 + b"\x00{}", (2**40).to_bytes(8, "little") + b"{}"])
def test_damaged_safetensors(tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)
    check_refused(tmp_path / "a.safetensors")


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n" * 9])
def test_files_that_are_not_weights(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    check_refused(tmp_path / "a")


def test_missing_files(tmp_path):
    check_refused(tmp_path / "gone.h5", "imagenet", "cifar10", "mnist")
    check_refused(tmp_path, "run")


@pytest.fixture
def saved_lenet(tmp_path):
    model = zoo.build("lenet5")
    model.save(tmp_path / "a.h5")
    model.save(tmp_path / "a.keras")
    return model


@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.9, 0.999])
def test_truncated_files_of_keras(tmp_path, saved_lenet, fraction):
    for name in ("a.h5", "a.keras"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / f"cut-{name}").write_bytes(content[:int(len(content) * fraction)])
        check_refused(tmp_path / f"cut-{name}")


def test_links_in_a_file(tmp_path, saved_lenet):
    for link in (h5py.ExternalLink(str(tmp_path / "b.h5"), "/kernel"), h5py.SoftLink("/model_weights/C3")):
        with h5py.File(tmp_path / "a.h5", "r+") as file:
            del file["model_weights/C1"]
            file["model_weights/C1"] = link
        check_refused(tmp_path / "a.h5", "C1", "link")


def test_external_storage(tmp_path, saved_lenet):
    (tmp_path / "secret").write_bytes(bytes(5 * 5 * 6 * 4))
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        layer = file["model_weights/C1"]
        name = layer.attrs["weight_names"][0]
        del layer[name]
        layer.create_dataset(name, (5, 5, 1, 6), "f4", external=[(str(tmp_path / "secret"), 0, 600)])
    check_refused(tmp_path / "a.h5")


def test_a_small_array_that_unpacks_to_a_large_one(tmp_path, saved_lenet):
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        layer = file["model_weights/C1"]
        name = layer.attrs["weight_names"][0]
        del layer[name]
        layer.create_dataset(name, (5, 5, 1, 6), "f4", maxshape=(None,) * 4, chunks=(512, 512, 16, 16), compression=9)
    check_refused(tmp_path / "a.h5")


def test_a_huge_array_is_not_read(tmp_path, saved_lenet):
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        layer = file["model_weights/C1"]
        name = layer.attrs["weight_names"][0]
        del layer[name]
        layer.create_dataset(name, (2**20, 2**20, 6), "f4", chunks=(64, 64, 6))  # 24 TiB, a kilobyte on the disk
    with pytest.raises(UserError) as error:
        zoo.build("lenet5", weights=str(tmp_path / "a.h5"))
    check_message(error.value, "lenet5", tmp_path / "a.h5", "C1", "1048576x1048576x6", "5x5x1x6")


def test_an_archive_that_unpacks_to_a_large_one(tmp_path):
    write_archive(tmp_path / "a.keras", {"config.json": "{}", "model.weights.h5": bytes(2**25)})
    check_refused(tmp_path / "a.keras", "model.weights.h5", "33,554,432")


def test_a_lambda_layer_is_not_run(tmp_path):
    image = keras.Input((28, 28, 1))
    x = keras.layers.Lambda(lambda x: x * 2)(image)
    keras.Model(image, keras.layers.Dense(3)(x)).save(tmp_path / "a.keras")
    assert "damaged" not in check_refused(tmp_path / "a.keras", "Lambda", "model.save_weights")


def test_objects_in_an_npz(tmp_path):
    np.savez(tmp_path / "a.npz", **{"C1/kernel": np.array([WritesFile(tmp_path / "ran")], object)})
    check_refused(tmp_path / "a.npz", "C1/kernel.npy")
    np.savez(tmp_path / "b.npz", state_dict=np.array(WritesFile(tmp_path / "ran"), object))
    check_refused(tmp_path / "b.npz", "state_dict.npy", "execute code", "'b.npz'", "torch.save")
    assert not (tmp_path / "ran").exists()


def test_arrays_without_the_names_of_layers(tmp_path, saved_lenet):
    np.savez(tmp_path / "numbered.npz", *saved_lenet.get_weights())
    check_refused(tmp_path / "numbered.npz", "arr_0", "save_weights", "state_dict")
    np.savez(tmp_path / "dots.npz", **{weight.path.replace("/", "."): weight.numpy() for weight in saved_lenet.weights})
    check_refused(tmp_path / "dots.npz", "C1.kernel", "save_weights")
    np.save(tmp_path / "single.npy", saved_lenet.get_weights()[0])
    check_refused(tmp_path / "single.npy", "NumPy array", "save_weights")
    np.savez(tmp_path / "images.npz", X_train=np.zeros((2, 28, 28), np.uint8), y_train=np.arange(2))
    check_refused(tmp_path / "images.npz", "X_train", "y_train", "--dataset")


def test_weights_that_are_not_finite(tmp_path, saved_lenet):
    before = saved_lenet.get_weights()
    saved_lenet.set_weights([np.full_like(array, np.nan) for array in before])
    saved_lenet.save(tmp_path / "nan.keras")
    check_refused(tmp_path / "nan.keras", "NaN", "epoch")
