"""python -m zoo export RUN --format F: the network of a run as a file for other programs, with the same answers."""

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from zoo.cli import common
from zoo.errors import UserError, unknown
from zoo.training import plan as plans
from zoo.utils.io import expanded, writable, write_text


@dataclass(frozen=True)
class Format:
    ending: str  # of its name
    words: str
    packages: tuple = ()  # that it needs beyond those that zoo needs
    by_tensorflow: bool = False  # alone can write it


FORMATS = {
    "keras": Format(".keras", "Keras's own, which zoo.load and zoo predict read"),
    "weights": Format(".weights.h5", "the weights alone, for zoo.build, without the scaling of pixels"),
    "onnx": Format(".onnx", "for ONNX Runtime and others", ("tf2onnx", "onnx", "onnxruntime"), True),
    "saved_model": Format("-saved_model", "a folder for TensorFlow Serving", (), True),
    "litert": Format(".tflite", "for phones and small machines, once called TensorFlow Lite", (), True)}
PIXELS = "raw pixels of 0 to 255; their scaling is inside"
NOISE, SAMPLES = 8, 24  # pictures that are compared: of noise, and of the run's training


def parser():
    made = common.Parser(prog="python -m zoo export", description="Write the network of a run for other programs: "
                         "from raw pixels to probabilities, with the names of its classes.")
    made.add_argument("run", metavar="RUN", help="a run directory")
    made.add_argument("--format", metavar="|".join(FORMATS), required=True,
                      help="; ".join(f"{name}: {each.words}" for name, each in FORMATS.items()))
    made.add_argument("-o", "--output", metavar="PATH", help="default: the run's name with the format's ending")
    common.add_checkpoint(made)
    common.add_gpu(made)
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
    return writable(path)


def pictures_of(run, shape):
    """Return pictures to compare the answers for: noise, and what the run keeps of its training, uint8 (n, *shape)."""
    import numpy as np

    from zoo.plots import run_files

    noise = np.random.default_rng(0).integers(0, 256, (NOISE, *shape), np.uint8)
    kept = run_files.read_samples(run, sys.maxsize)
    return noise if kept is None or kept[0].shape[1:] != shape else np.concatenate([noise, kept[0][:SAMPLES]])


def scaling_of(run, facts):
    """Return words for the scaling of the pixels that a run's weights expect, which no file of weights has inside."""
    from zoo.training import origins

    scaling = origins.find(facts["network"], str(run)).scaling
    factors, offsets = ("(" + ", ".join(f"{each:.6g}" for each in numbers) + ")"
                        for numbers in (scaling.scale, scaling.offset))
    return f"weights alone: of raw pixels, {scaling.order}, they expect x * {factors} + {offsets}"


def command(argv):
    arguments = parser().parse_intermixed_args(argv)
    name, run = arguments.format, expanded(arguments.run)
    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    checkpoint = common.checkpoint_of(arguments)
    check_packages(name)

    from zoo.plots import run_files  # NumPy, no backend

    facts = run_files.read_facts(run)
    plans.checkpoint(run, checkpoint)
    path = output_of(arguments.output, run, name)
    chosen = common.choose_device(arguments.gpu, arguments.backend)
    if FORMATS[name].by_tensorflow and chosen[0] != "tensorflow":
        raise UserError(f"--format {name} is written by TensorFlow, whatever trained the run; add --backend tensorflow")
    common.load(*chosen)

    from zoo.training import exported, saved

    model = exported.in_float32(saved.load(run, checkpoint))
    names = [" ".join(str(each).split()) for each in facts["dataset"]["label_names"]]
    if len(names) != model.output_shape[-1]:
        raise UserError(f"{run / 'run.json'} is damaged: it names {len(names)} classes, and the network has "
                        f"{model.output_shape[-1]}")
    about = {"network": facts["network"], "dataset": facts["dataset"]["name"], "preprocessing": PIXELS}
    pictures = pictures_of(run, tuple(model.input_shape[1:]))
    far = exported.written(model, name, path, names, about, pictures)
    pixels = scaling_of(run, facts) if name == "weights" else PIXELS
    said = f"{path}: {pixels}; {len(pictures)} pictures got the same answers, at most {far:.1g} apart"
    if name in ("keras", "weights"):  # which have no place for them
        beside = path.with_name(path.name.removesuffix(FORMATS[name].ending) + f".{exported.LABELS}")
        write_text(beside, "\n".join(names) + "\n")
        said += f"; the classes: {beside}"
    print(said)


def main(argv=None):
    return common.run(command, argv)


if __name__ == "__main__":
    sys.exit(main())
