"""python -m zoo.export RUN --format F: the network of a run as a file for other programs, with the same answers."""

import json
import os
import shutil
import sys
import warnings
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from zoo import cli, device
from zoo.errors import UserError, unknown
from zoo.files import expanded, write_text, written_whole


@dataclass(frozen=True)
class Format:
    ending: str  # of its name
    words: str
    packages: tuple = ()  # that it needs beyond those that zoo needs
    by_tensorflow: bool = False  # alone can write it


FORMATS = {
    "keras": Format(".keras", "Keras's own, which zoo.load and zoo.predict read"),
    "weights": Format(".weights.h5", "the weights alone, for zoo.build"),
    "onnx": Format(".onnx", "for ONNX Runtime and others", ("tf2onnx", "onnx", "onnxruntime"), True),
    "saved_model": Format("-saved_model", "a folder for TensorFlow Serving", (), True),
    "litert": Format(".tflite", "for phones and small machines, once called TensorFlow Lite", (), True)}
CHECKPOINTS = ("best", "last")
LABELS = "labels.txt"
PIXELS = "raw pixels of 0 to 255; their scaling is inside"
NOISE, SAMPLES = 8, 24  # pictures that are compared: of noise, and of the run's training
TOLERANCE = 1e-4  # of probabilities: other programs add in another order


def parser():
    made = cli.Parser(prog="python -m zoo.export", description="Write the network of a run for other programs: "
                      "from raw pixels to probabilities, with the names of its classes.")
    made.add_argument("run", metavar="RUN", help="a run directory")
    made.add_argument("--format", metavar="|".join(FORMATS), required=True,
                      help="; ".join(f"{name}: {each.words}" for name, each in FORMATS.items()))
    made.add_argument("-o", "--output", metavar="PATH", help="default: the run's name with the format's ending")
    made.add_argument("--checkpoint", metavar="|".join(CHECKPOINTS), default="best",
                      help="the epoch that was best by validation, or the last; default: best")
    cli.add_gpu(made)
    return made


# ----------------------------------------------------------------------------------------------- before a backend loads

def check_packages(name):
    """Raise UserError where a package is missing that the format needs."""
    missing = [each for each in FORMATS[name].packages if not find_spec(each)]
    if missing:
        raise UserError(f"--format {name} needs {', '.join(missing)}: pip install {' '.join(missing)}")


def output_of(text, run, name):
    """Return the Path to write; UserError where nothing can be, or where a folder stands in its place."""
    ending = FORMATS[name].ending
    path = expanded(text) if text else Path(run.resolve().name + ending)
    if name != "saved_model" and not path.name.endswith(ending):
        raise UserError(f"a file of format {name} ends in {ending}; given {str(path)!r}")
    if path.is_dir() or (name == "saved_model" and path.exists()):
        raise UserError(f"{path} is there already; give another name with -o")
    if not path.parent.is_dir():
        raise UserError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    if not os.access(path.parent, os.W_OK):
        raise UserError(f"cannot write {path}: the folder {path.parent.resolve()} is not yours to write to")
    return path


def facts_of(run, checkpoint):
    """Return what run.json says; UserError for what is no run, or has no such checkpoint yet."""
    from zoo.pictures import rundir

    facts = rundir.read_facts(run)
    if not (run / "checkpoints" / f"{checkpoint}.npz").is_file():
        raise UserError(f"{run} has no checkpoint {checkpoint!r} yet: no epoch of it has finished")
    return facts


# ------------------------------------------------------------------------------------------------------------ the model

def in_float32(model):
    """Return `model`, or one with its weights that computes in float32 throughout where it does not."""
    import keras

    if {layer.compute_dtype for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)} == {"float32"}:
        return model

    def copy(operation):
        config = operation.get_config()
        return type(operation).from_config({**config, "dtype": "float32"} if isinstance(operation, keras.layers.Layer)
                                           else config)

    exact = keras.models.clone_model(model, clone_function=copy)
    exact.set_weights(model.get_weights())
    return exact


def pictures_of(run, shape):
    """Return pictures to compare the answers for: noise, and what the run keeps of its training, uint8 (n, *shape)."""
    import numpy as np
    from zoo.pictures import rundir

    noise = np.random.default_rng(0).integers(0, 256, (NOISE, *shape), np.uint8)
    kept = rundir.read_samples(run, sys.maxsize)
    return noise if kept is None or kept[0].shape[1:] != shape else np.concatenate([noise, kept[0][:SAMPLES]])


# ------------------------------------------------------------------------------------- the formats: written, and asked

def write_keras(model, path, names, about):
    model.save(path)


def write_weights(model, path, names, about):
    model.save_weights(path)


def write_onnx(model, path, names, about):
    import onnx

    model.export(path, format="onnx", verbose=False)
    made = onnx.load(path)
    for each in (*made.graph.input, *made.graph.output):
        each.type.tensor_type.shape.dim[0].dim_param = "number"
    onnx.helper.set_model_props(made, {"labels": json.dumps(names), **about})
    onnx.save(made, path)


def write_saved_model(model, path, names, about):
    model.export(path, format="tf_saved_model", verbose=False)
    extra = path / "assets.extra"  # the place for what is not TensorFlow's
    extra.mkdir()
    write_text(extra / LABELS, "\n".join(names) + "\n")
    write_text(extra / "about.json", json.dumps(about, indent=1) + "\n")


def write_litert(model, path, names, about):
    model.export(path, format="litert", verbose=False)
    with zipfile.ZipFile(path, "a") as archive:  # behind the model, where LiteRT's metadata has its files too
        archive.writestr(LABELS, "\n".join(names) + "\n")
        archive.writestr("about.json", json.dumps(about, indent=1) + "\n")


def ask_keras(path, model):
    from zoo.training.saved import load

    again = load(path)
    return lambda pictures: again.predict(pictures, verbose=0)


def ask_weights(path, model):
    import keras

    empty = keras.models.clone_model(model)
    empty.load_weights(path)
    return lambda pictures: empty.predict(pictures, verbose=0)


def ask_onnx(path, model):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda pictures: session.run(None, {session.get_inputs()[0].name: pictures})[0]


def ask_saved_model(path, model):
    import keras

    layer = keras.layers.TFSMLayer(path, call_endpoint="serve")
    return lambda pictures: keras.ops.convert_to_numpy(layer(pictures))


def ask_litert(path, model):
    interpreter = sys.modules["tensorflow"].lite.Interpreter(str(path))  # which is loaded: it has written the file

    def answer(pictures):
        put, taken = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
        interpreter.resize_tensor_input(put, pictures.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(put, pictures)
        interpreter.invoke()
        return interpreter.get_tensor(taken)

    return answer


WAYS = {"keras": (write_keras, ask_keras), "weights": (write_weights, ask_weights), "onnx": (write_onnx, ask_onnx),
        "saved_model": (write_saved_model, ask_saved_model), "litert": (write_litert, ask_litert)}


def apart(ask, expected, pictures):
    """Return how far a file's probabilities are from those expected at most, asked for all at once and one by one."""
    import numpy as np

    found = np.asarray(ask(pictures)), np.concatenate([ask(each[None]) for each in pictures[-2:]])
    if found[0].shape != expected.shape or not all(np.isfinite(each).all() for each in found):
        return np.inf
    return float(max(np.abs(found[0] - expected).max(), np.abs(found[1] - expected[-2:]).max()))


def exported(model, name, path, names, about, pictures):
    """Write `model` to `path` whole, or not at all where it gives other answers; return how far they are apart."""
    import keras

    write, ask = WAYS[name]
    # called, not predicted: Keras writes no ONNX of a model that was never called
    expected = keras.ops.convert_to_numpy(model(pictures, training=False))

    def made(scratch):
        with device.quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the converters' own, about NumPy and about names to come
            write(model, scratch, names, about)
            far = apart(ask(scratch, model), expected, pictures)
        if not far <= TOLERANCE:
            raise UserError(f"the {name} file gives other answers than the run, {far:.2g} apart; nothing was written")
        return far

    if name != "saved_model":
        with written_whole(path) as scratch:
            return made(scratch)
    scratch = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        far = made(scratch)
        os.replace(scratch, path)
        return far
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def command(argv):
    arguments = parser().parse_intermixed_args(argv)
    name, run = arguments.format, expanded(arguments.run)
    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    if arguments.checkpoint not in CHECKPOINTS:
        raise unknown("checkpoint", arguments.checkpoint, CHECKPOINTS)
    check_packages(name)
    facts = facts_of(run, arguments.checkpoint)
    path = output_of(arguments.output, run, name)
    chosen = cli.choose_device(arguments.gpu, arguments.backend)
    if FORMATS[name].by_tensorflow and chosen[0] != "tensorflow":
        raise UserError(f"--format {name} is written by TensorFlow, whatever trained the run; add --backend tensorflow")
    cli.load(*chosen)

    from zoo.training import saved, trainee

    model = in_float32(trainee.main(saved.load(run, arguments.checkpoint)))
    names = [" ".join(str(each).split()) for each in facts["dataset"]["label_names"]]
    if len(names) != model.output_shape[-1]:
        raise UserError(f"{run / 'run.json'} is damaged: it names {len(names)} classes, and the network has "
                        f"{model.output_shape[-1]}")
    about = {"network": facts["network"], "dataset": facts["dataset"]["name"], "preprocessing": PIXELS}
    pictures = pictures_of(run, tuple(model.input_shape[1:]))
    far = exported(model, name, path, names, about, pictures)
    said = f"{path}: {PIXELS}; {len(pictures)} pictures got the same answers, at most {far:.1g} apart"
    if name in ("keras", "weights"):  # which have no place for them
        beside = path.with_name(path.name.removesuffix(FORMATS[name].ending) + f".{LABELS}")
        write_text(beside, "\n".join(names) + "\n")
        said += f"; the classes: {beside}"
    print(said)


def main(argv=None):
    return cli.run(command, argv)


if __name__ == "__main__":
    sys.exit(main())
