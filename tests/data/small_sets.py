"""Small sets of random images, written in the formats in which the real datasets are published."""

import gzip
import io
import pickle
import struct
import tarfile

import numpy as np


def random_images(count, shape, columns, seed=0):
    """Return (labels uint8 (count, columns), images uint8 (count, *shape)), with the classes of each column in turn."""
    images = np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)
    labels = np.stack([np.arange(count) % classes for classes in columns], axis=1).astype(np.uint8)
    return labels, images


MNIST = {"train": random_images(100, (28, 28, 1), (10,), 1), "test": random_images(30, (28, 28, 1), (10,), 2)}
CIFAR10 = {"train": random_images(100, (32, 32, 3), (10,), 3), "test": random_images(30, (32, 32, 3), (10,), 4)}
CIFAR100 = {"train": random_images(200, (32, 32, 3), (20, 100), 5),
            "test": random_images(100, (32, 32, 3), (20, 100), 6)}


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def idx_images(images):
    return struct.pack(">4I", 2051, *images.shape[:3]) + images.tobytes()


def idx_labels(labels):
    return struct.pack(">2I", 2049, len(labels)) + labels[:, 0].tobytes()


def write_idx(folder, splits=MNIST, ending="", rename=str):
    """Write IDX files; `rename` maps each standard file name to the one used, without changing the contents."""
    for name, split in (("train", "train"), ("t10k", "test")):
        labels, images = splits[split]
        write(folder / f"{name}-images-idx3-ubyte{ending}", idx_images(images))
        write(folder / f"{name}-labels-idx1-ubyte{ending}", idx_labels(labels))
        for kind in ("images-idx3", "labels-idx1"):
            file = f"{name}-{kind}-ubyte{ending}"
            if rename(file) != file:
                data = (folder / file).read_bytes()
                (folder / file).unlink()
                (folder / rename(file)).parent.mkdir(exist_ok=True)
                (folder / rename(file)).write_bytes(data)


def write_npz(path, splits=MNIST):
    path.parent.mkdir(parents=True, exist_ok=True)
    (y_train, x_train), (y_test, x_test) = splits["train"], splits["test"]
    np.savez(path, x_train=x_train[..., 0], y_train=y_train[:, 0], x_test=x_test[..., 0], y_test=y_test[:, 0])


def planes(images):
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1)


def binary(labels, images):
    return np.concatenate([labels, planes(images)], axis=1).tobytes()


def python3_batch(labels, images, protocol=4):
    """Return the bytes of a batch that was read in Python 3 with encoding="bytes" and pickled again."""
    names = (b"labels",) if labels.shape[1] == 1 else (b"coarse_labels", b"fine_labels")
    batch = {b"batch_label": b"a part", b"data": np.ascontiguousarray(planes(images))}
    batch |= {name: column.tolist() for name, column in zip(names, labels.T)}
    return pickle.dumps(batch, protocol)


def python2_batch(labels, images):
    """Return the bytes that Python 2 and the NumPy of 2009 wrote, protocol 2: their str are BINSTRINGs."""
    def encode_string(data):
        return b"T" + struct.pack("<I", len(data)) + data

    def encode_number(value):
        return b"M" + struct.pack("<H", value)

    dtype = (b"cnumpy\ndtype\n" + encode_string(b"u1") + encode_number(0) + encode_number(1) + b"\x87R"
             b"(" + encode_number(3) + encode_string(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff" + encode_number(0)
             + b"tb")
    shape = encode_number(len(images)) + encode_number(3072) + b"\x86"
    array = (b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + encode_number(0) + b"\x85"
             + encode_string(b"b") + b"\x87R"
             b"(" + encode_number(1) + shape + dtype + b"\x89" + encode_string(planes(images).tobytes()) + b"tb")
    names = (b"labels",) if labels.shape[1] == 1 else (b"coarse_labels", b"fine_labels")
    columns = b"".join(encode_string(name) + b"](" + b"".join(encode_number(label) for label in column.tolist()) + b"e"
                       for name, column in zip(names, labels.T))
    return b"\x80\x02}(" + encode_string(b"data") + array + columns + b"u."


def files10(encode, ending="", splits=CIFAR10):
    """Return {file name: bytes} of CIFAR-10: five batches and one for the test."""
    fifths = zip(*(np.split(array, 5) for array in splits["train"]))
    files = {f"data_batch_{k}{ending}": encode(*fifth) for k, fifth in enumerate(fifths, start=1)}
    return files | {f"test_batch{ending}": encode(*splits["test"])}


def files100(encode, ending="", splits=CIFAR100):
    """Return {file name: bytes} of CIFAR-100."""
    return {f"train{ending}": encode(*splits["train"]), f"test{ending}": encode(*splits["test"])}


def write_folder(folder, files):
    for name, data in files.items():
        write(folder / name, data)


def write_archive(path, folder, files, packing="gz"):
    """Write a .tar.gz (a .tar without packing) with its members in `folder`, and a readme, as published."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, f"w:{packing}") as archive:
        for name, data in {"readme.html": b"for people", **files}.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
