"""Golden messages: the messages that users see most often, word for word. All other tests pin only flags and values."""

import shutil

import numpy as np
import pytest

import zoo
from zoo.__main__ import main
from zoo.training.run_directory import lock_run

MODELS = ", ".join(sorted(zoo.list_models()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write a finished run, a run in use, a folder without images, and a folder that is not a run."""
    folder = tmp_path_factory.mktemp("messages")
    zoo.fit("lenet5", "digits", limit=20, epochs=1, output_dir=folder / "runs", name="mine")
    shutil.copytree(folder / "runs" / "mine", folder / "runs" / "busy")
    (folder / "runs" / "busy" / "result.json").unlink()
    np.savez(folder / "two.npz", x_train=np.zeros((40, 28, 28), np.uint8), y_train=np.arange(40) % 2)
    (folder / "new.csv").write_text("text,label\ngood,1\nbad,0\n")
    (folder / "empty").mkdir()
    (folder / "taken").mkdir()
    (folder / "taken" / "diary").touch()
    with lock_run(folder / "runs" / "busy"):
        yield folder


@pytest.mark.parametrize("arguments, status, line", [
    # names that do not exist
    ("trian lenet5", 2, "unknown command 'trian'; did you mean 'train'? (available: compare, "
     "diagram, doctor, evaluate, export, extract-features, finetune, list, lr-find, predict, recipes, report, "
     "selftest, summary, train, visualize)"),
    ("train resnet43", 2, "unknown model 'resnet43'; did you mean 'resnet44'?"),
    ("train transformer", 2, f"unknown model 'transformer'; available: {MODELS}"),
    ("train lenet5 --dataset cifar11", 2, "unknown dataset 'cifar11'; did you mean 'cifar10'? (available: "
     "cifar10, cifar100, digits, fashion_mnist, imdb, mnist); there is no folder, .npz or .csv file 'cifar11' either"),
    ("train lenet5 --epcohs 3", 2, "unrecognized option or argument '--epcohs'; did you mean --epochs?"),
    ("train lenet5 --num-epochs 5", 2, "zoo.train has no --num-epochs; type --epochs 5"),
    ("export runs/mine --format onx", 2, "unknown format 'onx'; did you mean 'onnx'? (available: keras, litert, "
     "onnx, saved_model, weights)"),
    # values that make no sense
    ("train lenet5 --epochs 0", 2, "epochs must be an integer from 1 to 1,000,000; got 0"),
    ("train lenet5 --lr fast", 2, "--lr must be a number; got 'fast'"),
    ("summary vgg16 --image-size 8", 2, "vgg16 requires images of at least 16 pixels in height and width; got 8x8; "
     "enlarge the images"),
    ("train lenet5 --gpu 0", 2, "there is no GPU 0: nvidia-smi lists no GPU on this machine; use --gpu none"),
    # data, weights and files that are missing
    ("train lenet5 --dataset mnist --data-dir nowhere", 2, "the data directory nowhere does not exist"),
    ("train lenet5 --data empty", 2, "empty contains no images in class folders, such as cat and dog; if the files "
     "are named like cat.123.jpg, give --labels-from filename"),
    ("finetune resnet18 --dataset digits", 2, "there are no weights 'imagenet' for resnet18, only for vgg16, vgg19, "
     "inception_v3, inception_resnet_v2, xception, resnet50, resnet101, resnet152, resnet50_v2, resnet101_v2, "
     "resnet152_v2; give --weights cifar10 or none, or a file"),
    ("predict lenet5 cat.png", 2, "lenet5 is neither a run directory nor an existing .keras file; a model's name "
     "needs --weights mnist"),
    ("predict runs/mine cat.png", 2, "cat.png does not exist; give image files, or folders of them"),
    ("diagram vgg16 -o there/vgg16.svg", 2, "cannot write there/vgg16.svg: the folder there does not exist; create it "
     "first, or give the name of a file with the suffix .svg, .png, .pdf, .dot, .mmd or .html"),
    ("train lenet5 --dataset new.csv", 2, "lenet5 classifies images, and new.csv has texts; use images, such as "
     "digits, mnist, fashion_mnist, cifar10, cifar100, or a folder of them; for new.csv, "
     "use a model such as text_cnn or text_cnn_kim"),
    ("train text_cnn --dataset two.npz", 2, "text_cnn classifies texts, and two.npz has images; use texts, such as "
     "imdb, or a folder of them; for two.npz, use a model such as lenet5 or lenet5_1998"),
    # runs
    ("train lenet5 --dataset two.npz --epochs 1 --name mine", 2, "runs/mine was started with the dataset digits, 20 "
     "images for train, but TWO has 32; give --dataset digits, or start a new run with another --name"),
    ("train lenet5 --output-dir . --name taken", 2, "taken already exists and is not a run; choose another --name"),
    ("train lenet5 --name mine --limit 20 --epochs 1 --seed 3", 2, "runs/mine was started with seed 0, given 3; pass "
     "the original values to resume it, or start a new run with another --name"),
    ("train --resume runs/mine --lr 1", 2, "--resume continues a run with its own settings, --learning-rate cannot be "
     "given; allowed are --epochs, --gpu, --backend, --data-dir, --max-seconds, --checkpoint-minutes, --log, "
     "--hosts and --host-index"),
    ("train --resume runs/nothing", 2, "runs/nothing is not a run directory: there is no such folder"),
    ("train --resume runs/busy", 6, "another process is using runs/busy; wait for it to finish, or choose another "
     "--name"),
])
def test_a_message(arguments, status, line, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", str(folder))  # without nvidia-smi
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert main(arguments.split()) == status
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"error: {line.replace('TWO', str(folder / 'two.npz'))}\n")
