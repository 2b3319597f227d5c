"""python -m zoo predict RUN IMAGE ...: classify image files with a trained model."""

import contextlib
import sys
from pathlib import Path

from zoo import registry
from zoo.analysis import predictions
from zoo.cli import common
from zoo.data import info as datasets
from zoo.errors import UserError
from zoo.training import keras_file, plan as plans
from zoo.utils.io import expanded, legible
from zoo.weights import pretrained

DARK = 0.5  # of white: pictures whose mean is under it are bright strokes on dark ground


def parser():
    made = common.Parser(prog="python -m zoo predict",
                         description="Classify image files with a trained model: print the most probable classes of "
                                     "each.",
                         examples=("runs/mine cat.png", "runs/mine images/ --top 3 -o predictions.csv",
                                   "lenet5 --weights mnist three.png --json"))
    made.add_argument("model", metavar="RUN|FILE.keras|NET",
                      help="trained model; RUN: a run directory; FILE.keras: a Keras model that takes raw pixels (0 to "
                           "255) and returns probabilities, as python -m zoo export RUN --format keras writes it; NET: "
                           "the name of a network, with --weights")
    made.add_argument("pictures", metavar="IMAGE", nargs="+",
                      help="image file of any size and common format, or a folder, which is searched recursively")
    weights = made.add_argument_group("weights")
    weights.add_argument("--weights", metavar="imagenet|cifar10|mnist|FILE",
                         help="weights for NET; imagenet, cifar10, mnist: published or bundled weights (python -m zoo "
                              "list shows which networks have them); FILE: a weights file, see docs/weights.md")
    common.add_preprocessing(weights)
    common.add_checkpoint(weights)
    output = made.add_argument_group("output")
    output.add_argument("--top", metavar="N", default="5", help="number of classes to print for each image, the most "
                                                                "probable first; default: 5")
    output.add_argument("-o", "--output", metavar="FILE.csv|FILE.json",
                        help="file to write the file name, rank, class and probability of each prediction to, in place "
                             "of lines on the terminal")
    output.add_argument("--json", action="store_true", help="print the predictions as JSON in place of lines of text")
    common.add_gpu(made.add_argument_group("device"))
    return made


class Predictor:
    """A model with what is known of it: `shape` (height, width, channels) of its pictures, `names` of its classes.

    `names` is None where only their numbers are known; `ground` says which pictures a run has learnt from, in words,
    where these are bright on dark; `white` how it scaled images of more than eight bits, None where it had none.
    """

    def __init__(self, path, checkpoint, gpu, backend, weights=None, preprocessing=None):
        self.path, self.checkpoint, self.source = path, checkpoint, None
        self.names, self.ground, self._shape, self._model, self.white = None, "", None, None, None
        if weights is not None:
            self._know_weights(weights, preprocessing)
        elif preprocessing is not None:
            raise UserError("--preprocessing is for --weights of a network's name; a run and a .keras file scale "
                            "pixels themselves")
        elif path.is_dir():
            self._know_run()
        elif path.suffix != ".keras" or not path.is_file():
            raise UserError(f"{path} is neither a run directory nor a .keras file that is there"
                            + (f"; {needed(str(path))}" if str(path) in registry.SPECS else ""))
        elif checkpoint != "best":
            raise UserError("--checkpoint is for runs; a .keras file holds one set of weights")
        else:
            keras_file.check(path)
        self._device = common.choose_device(gpu, backend)

    def _know_weights(self, weights, preprocessing):
        name = str(self.path)
        if name not in registry.SPECS and (self.path.is_dir() or self.path.suffix == ".keras" and self.path.is_file()):
            raise UserError(f"--weights is for a network's name; {name} is built already")
        if self.checkpoint != "best":
            raise UserError(f"--checkpoint is for runs; the weights {weights} are one set")
        spec = registry.find(name)
        pretrained.check(weights, spec.name)
        if weights not in pretrained.NAMES and (expanded(weights) / "run.json").is_file():
            raise UserError(f"{weights} is a run: type python -m zoo predict {weights} IMAGE")

        from zoo.weights import sources  # NumPy

        self.source = sources.find(weights, spec.name).rescale(preprocessing)
        if self.source.scaling is None and weights.endswith(".keras"):
            raise UserError(f"{weights} is a whole model: type python -m zoo predict {weights} IMAGE")
        if self.source.scaling is None:
            raise UserError(f"{weights} does not say how its pixels are scaled; give --preprocessing, such as "
                            "symmetric, or a run, or a .keras file that takes raw pixels")
        if self.source.is_assumed:
            print(f"pixels   {pretrained.describe_scaling(self.source.scaling)}"
                  + ("" if preprocessing else ", which is assumed; --preprocessing changes it"), file=sys.stderr)
        self._shape = self.source.resolve_blueprint().input_shape
        if self.source.bundled and dark([*datasets.find(weights).mean]):
            self.ground = f"{weights} is bright on dark"

    def _know_run(self):
        from zoo.training import run_files  # NumPy, no backend

        told = run_files.read_config(self.path)
        plans.checkpoint(self.path, self.checkpoint)
        dataset = told["dataset"]
        self.names, self.white = [str(name) for name in dataset["label_names"]], dataset.get("white")
        blueprint = told.get("blueprint")
        seen = dataset if told.get("finetuning") else blueprint  # a fine-tuned one enlarges the image itself
        self._shape = checked_shape(self.path, seen.get("shape" if seen is dataset else "input_shape")
                                    if isinstance(blueprint, dict) else None)
        if self._shape[2] == 1 and dark(dataset.get("mean")):
            self.ground = f"{dataset['name']} is bright on dark"

    @property
    def shape(self):
        if self._shape is None:
            self._load()
        return self._shape

    def _load(self):
        common.load(*self._device)

        import zoo

        if self.source is not None:
            from zoo.training import class_names, finetuned_model

            source = self.source.here(include_top=True)
            blueprint = source.resolve_blueprint(classes=source.count_classes())
            self._model = finetuned_model.with_own_top(blueprint, source, "softmax")
            self.names = class_names.of_weights(self.source, self._model.output_shape[-1])
            return
        self._model = zoo.load(self.path, self.checkpoint)
        if len(self._model.inputs) != 1 or len(self._model.outputs) != 1 or len(self._model.output_shape) != 2:
            raise UserError(f"{self.path} does not take one picture to one row of probabilities")
        self._shape = checked_shape(self.path, self._model.input_shape[1:])
        if self.names is None:
            self.names = keras_file.class_names(self.path, self._model.output_shape[-1])

    def __call__(self, pixels):
        """Return probabilities float (n, classes) of uint8 pixels (n, height, width, channels)."""
        import numpy as np

        if self._model is None:
            self._load()
        probable = np.asarray(self._model.predict(pixels, verbose=0), np.float64)
        if not (probable >= 0).all() or not np.allclose(probable.sum(axis=1), 1, atol=1e-3):
            raise UserError(f"{self.path} does not give probabilities, which are 0 or more and add up to 1; "
                            "let it end in a softmax")
        if self.names and probable.shape[1] != len(self.names):
            raise UserError(f"{self.path / 'run.json'} is damaged: it names {len(self.names)} classes, and the network "
                            f"has {probable.shape[1]}")
        return probable


def needed(network):
    """Return words for what a network's name alone lacks."""
    own = pretrained.list_names(network)
    own += ["FILE"] if network in {*pretrained.OF_KERAS, *pretrained.OF_TORCH} else []
    if own:
        return f"a network's name needs --weights {' or '.join(own)}"
    return (f"no published weights are known for {network}: python -m zoo.train {network} makes a run, which can be "
            "given")


def dark(mean):
    """Return whether the mean of a data set's only channel, as run.json has it, is nearer to black than to white."""
    return isinstance(mean, list) and len(mean) == 1 and isinstance(mean[0], float) and mean[0] < DARK


def checked_shape(path, shape):
    """Return (height, width, channels) as ints; UserError where pictures cannot be fitted to it."""
    if (not isinstance(shape, (list, tuple)) or len(shape) != 3 or shape[2] not in (1, 3)
            or not all(isinstance(side, int) and side > 0 for side in shape)):
        raise UserError(f"{path} does not take grey or RGB pictures of one size, height x width x 1 or 3; it takes "
                        f"{shape}")
    return tuple(shape)


def said(path, fitted, ranked, ground):
    """Return the line for one image: its most probable classes, and what was done to it."""
    classes = ", ".join(f"{name} {probability:.2%}" for name, probability in ranked)
    notes = [fitted.done] if fitted.done else []
    if ground and fitted.bright:
        notes.append(f"its border is bright, and {ground}: it was not inverted; invert it if its strokes are "
                     "dark on bright")
    return f"{legible(path)}: {classes}" + (f"  ({'; '.join(notes)})" if notes else "")


def command(argv):
    arguments = parser().parse_intermixed_args(argv)
    top = common.whole_number("--top", arguments.top, 1)
    output = None if arguments.output is None else predictions.check_output(arguments.output)
    predictor = Predictor(Path(arguments.model).expanduser(), common.checkpoint_of(arguments), arguments.gpu,
                          arguments.backend, arguments.weights, arguments.preprocessing)

    import numpy as np

    from zoo.data import image_files, image_io  # Pillow

    broken, (paths, notes) = 0, image_files.find(arguments.pictures)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(predictions.prediction_file(output))] if output else []
        writers += [stack.enter_context(predictions.json_predictions(sys.stdout))] if arguments.json else []
        for chunk in image_io.fit_files(paths, predictor.shape, predictor.white):
            good = [fitted.pixels for _, fitted in chunk if not isinstance(fitted, UserError)]
            probabilities = predictor(np.stack(good)) if good else np.empty((0, 1))
            rows = iter(predictions.rank_classes(probabilities, predictor.names, top))
            for path, fitted in chunk:
                if isinstance(fitted, UserError):
                    broken += 1
                    print(f"error: {fitted}", file=sys.stderr, flush=True)
                    continue
                ranked = next(rows)
                for write in writers:
                    write(path, ranked)
                if not writers:
                    print(said(path, fitted, ranked, predictor.ground), flush=True)
    if output and not arguments.json:
        print(f"{output}: {len(paths) - broken:,} image{'s' * (len(paths) - broken != 1)}")
    if broken and len(paths) > 1:
        print(f"{broken} of {len(paths)} could not be read", file=sys.stderr)
    return 2 if broken else 0


def main(argv=None):
    return common.run(command, argv)


if __name__ == "__main__":
    sys.exit(main())
