"""Weights files that are damaged or made to harm: one line, and nothing of them is executed."""

import json
import pickle
import re
import zipfile
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


class Runs:
    """A pickle of it writes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def refused(path, *parts):
    """Check the line that refuses a file of weights, whatever the network: it names the file and not the network."""
    with pytest.raises(UserError) as error:
        zoo.build("lenet5", weights=str(path))
    check_message(error.value, path, *parts)
    assert "lenet5" not in str(error.value)
    return str(error.value)


def archive(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)


def test_a_bare_pickle(tmp_path):
    (tmp_path / "a.pt").write_bytes(pickle.dumps(Runs(tmp_path / "ran")))
    refused(tmp_path / "a.pt", "pickle.load(open('a.pt', 'rb'))", "torch.save")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_in_an_archive(tmp_path, protocol):
    archive(tmp_path / "a.pt", {"a/data.pkl": pickle.dumps({"w": Runs(tmp_path / "ran")}, protocol)})
    line = refused(tmp_path / "a.pt", "torch.load('a.pt'", "weights_only=False")
    assert re.search(r"\b(_io|io|builtins|__builtin__)\.open\b", line)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("protocol", range(2, 6))
def test_a_program_beside_the_weights(tmp_path, protocol):
    """The weights are read, the program is not run."""
    torch = pytest.importorskip("torch")
    state = {"w": torch.ones(2), "x": Runs(tmp_path / "ran"), "y": [Runs(tmp_path / "ran")]}
    for zipped in (False, True):
        torch.save(state, tmp_path / "a.pt", pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
        found, _ = state_dict.read_state_dict(tmp_path / "a.pt")
        assert found["w"].read().tolist() == [1, 1] and [*found] == ["w"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["Opaque", "rebuild"])
def test_a_pickle_cannot_change_the_stand_ins(tmp_path, name):
    """BUILD sets attributes of what it is given, of functions too."""
    target = b"cos\nsystem\n" if name == "Opaque" else b"ctorch._utils\n_rebuild_tensor_v2\n"
    before = [{**vars(each)} for each in (torch_pickle.OpaqueObject, torch_pickle.RebuildFunction)]
    archive(tmp_path / "a.pt", {"a/data.pkl": b"\x80\x02" + target + b"N}X\x04\0\0\0nameX\x01\0\0\0ys\x86b."})
    refused(tmp_path / "a.pt", "torch.save", *(["os.system"] if name == "Opaque" else ["model.state_dict()"]))
    assert [{**vars(each)} for each in (torch_pickle.OpaqueObject, torch_pickle.RebuildFunction)] == before


def test_a_name_with_lines(tmp_path):
    data = b"\x80\x04X\x04\0\0\0a\n\x1b[X\x03\0\0\0b\nc\x93."
    archive(tmp_path / "a.pt", {"a/data.pkl": data})
    refused(tmp_path / "a.pt", "a??[.b?c")


def test_groups_that_hold_one_another(tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        layers = file.create_group("layers")
        for index in range(8):
            layers[f"sequential_{index}"] = layers
    refused(tmp_path / "a.weights.h5", "groups")


def legacy(path):
    """A file of PyTorch's until 1.5, of one tensor."""
    torch = pytest.importorskip("torch")
    torch.save({"w": torch.ones(100)}, path, _use_new_zipfile_serialization=False)
    return path.read_bytes()


@pytest.mark.parametrize("fraction", [0.03, 0.1, 0.3, 0.5, 0.9, 0.999])
def test_a_truncated_legacy_file(tmp_path, fraction):
    whole = legacy(tmp_path / "a.pt")
    (tmp_path / "a.pt").write_bytes(whole[:int(len(whole) * fraction)])
    refused(tmp_path / "a.pt")


@pytest.mark.parametrize("old, new", [
    (b"ctorch\nFloatStorage", b"ctorch\nDoubleStorage"), (b"K\x64", b"K\x63"), (b"K\x64", b"J\xff\xff\xff\x7f")])
def test_a_legacy_file_that_lies(tmp_path, old, new):
    whole = legacy(tmp_path / "a.pt")
    assert old in whole
    (tmp_path / "a.pt").write_bytes(whole.replace(old, new))
    refused(tmp_path / "a.pt")


@pytest.mark.parametrize("data, parts", [
    (b"\x80\x02}r\xff\xff\xff\x7f.", ["memory"]),  # a memo of two billion places
    (b"\x80\x02cos\nsystem\n.", ["os.system", "weights_only=False"]),
    (b"\x80\x02ctorch\nFloatStorage\n)\x81.", ["NEWOBJ"]),
    (b"\x80\x02ctorch\nFloatStorage\n)R.", ["'str'"]),  # it is a name here
    (b"\x80\x02}q\x00", []),  # cut off
    (b"", []),
])
def test_pickles_that_ask_for_more(tmp_path, data, parts):
    archive(tmp_path / "a.pt", {"a/data.pkl": data})
    refused(tmp_path / "a.pt", *parts)


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
def test_tensors_that_reach_beyond_their_numbers(tmp_path, tensor, error, part):
    archive(tmp_path / "a.pt", {"a/data/0": bytes(16)})
    members = {info.filename: info for info in zipfile.ZipFile(tmp_path / "a.pt").infolist()}
    with pytest.raises(error, match=part):
        state_dict.make_lazy_tensor(tmp_path / "a.pt", f"a/data/{tensor.storage.key}", members, tensor)


@pytest.mark.parametrize("length", [0, 3, 9, 100, 2000, 4000])
def test_a_truncated_state_dict(tmp_path, length):
    (tmp_path / "a.pt").write_bytes(TINY.read_bytes()[:length])
    refused(tmp_path / "a.pt")


def with_header(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize("content", [
    with_header({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, bytes(4)),  # cut off
    with_header({"w": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}}, bytes(4)),
    with_header({"w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]}}, bytes(4)),
    with_header({"w": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}}, bytes(4)),
    with_header({"w": {"dtype": "F32"}}), with_header({"w": 3}), with_header([1]) + b"{", with_header(b"{" * 100_000),
    b"\xff" * 7 + b"\x00{}", (2**40).to_bytes(8, "little") + b"{}"])
def test_damaged_safetensors(tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)
    refused(tmp_path / "a.safetensors")


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n" * 9])
def test_what_is_no_weights_file(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    refused(tmp_path / "a")


def test_what_is_not_there(tmp_path):
    refused(tmp_path / "gone.h5", "imagenet", "cifar10", "mnist")
    refused(tmp_path, "run")


@pytest.fixture
def lenet(tmp_path):
    model = zoo.build("lenet5")
    model.save(tmp_path / "a.h5")
    model.save(tmp_path / "a.keras")
    return model


@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.9, 0.999])
def test_truncated_files_of_keras(tmp_path, lenet, fraction):
    for name in ("a.h5", "a.keras"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / f"cut-{name}").write_bytes(whole[:int(len(whole) * fraction)])
        refused(tmp_path / f"cut-{name}")


def test_links_out_of_a_file(tmp_path, lenet):
    for link in (h5py.ExternalLink(str(tmp_path / "b.h5"), "/kernel"), h5py.SoftLink("/model_weights/C3")):
        with h5py.File(tmp_path / "a.h5", "r+") as file:
            del file["model_weights/C1"]
            file["model_weights/C1"] = link
        refused(tmp_path / "a.h5", "C1", "link")


def test_numbers_in_another_file(tmp_path, lenet):
    (tmp_path / "secret").write_bytes(bytes(5 * 5 * 6 * 4))
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        layer = file["model_weights/C1"]
        name = layer.attrs["weight_names"][0]
        del layer[name]
        layer.create_dataset(name, (5, 5, 1, 6), "f4", external=[(str(tmp_path / "secret"), 0, 600)])
    refused(tmp_path / "a.h5")


def test_a_small_array_that_unpacks_to_a_large_one(tmp_path, lenet):
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        layer = file["model_weights/C1"]
        name = layer.attrs["weight_names"][0]
        del layer[name]
        layer.create_dataset(name, (5, 5, 1, 6), "f4", maxshape=(None,) * 4, chunks=(512, 512, 16, 16), compression=9)
    refused(tmp_path / "a.h5")


def test_a_huge_array_is_not_read(tmp_path, lenet):
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        layer = file["model_weights/C1"]
        name = layer.attrs["weight_names"][0]
        del layer[name]
        layer.create_dataset(name, (2**20, 2**20, 6), "f4", chunks=(64, 64, 6))  # 24 TiB, a kilobyte on the disk
    with pytest.raises(UserError) as error:
        zoo.build("lenet5", weights=str(tmp_path / "a.h5"))
    check_message(error.value, "lenet5", tmp_path / "a.h5", "C1", "1048576x1048576x6", "5x5x1x6")


def test_an_archive_that_unpacks_to_a_large_one(tmp_path):
    archive(tmp_path / "a.keras", {"config.json": "{}", "model.weights.h5": bytes(2**25)})
    refused(tmp_path / "a.keras", "model.weights.h5", "33,554,432")


def test_a_lambda_layer_is_not_run(tmp_path):
    image = keras.Input((28, 28, 1))
    x = keras.layers.Lambda(lambda x: x * 2)(image)
    keras.Model(image, keras.layers.Dense(3)(x)).save(tmp_path / "a.keras")
    refused(tmp_path / "a.keras", "Lambda")


def test_objects_in_an_npz(tmp_path):
    np.savez(tmp_path / "a.npz", **{"C1/kernel": np.array([Runs(tmp_path / "ran")], object)})
    refused(tmp_path / "a.npz", "C1/kernel.npy")
    np.savez(tmp_path / "b.npz", kernel=np.zeros(3))
    refused(tmp_path / "b.npz", "kernel.npy")
    assert not (tmp_path / "ran").exists()


def test_numbers_that_are_not_finite(tmp_path, lenet):
    before = lenet.get_weights()
    lenet.set_weights([np.full_like(each, np.nan) for each in before])
    lenet.save(tmp_path / "nan.keras")
    refused(tmp_path / "nan.keras")
