"""python -m zoo predict RUN IMAGE ...: classify image files with a trained model."""

import contextlib
import sys
from pathlib import Path

from zoo import registry
from zoo.analysis import predictions
from zoo.cli import common
from zoo.data import dataset_info as datasets
from zoo.errors import UserError
from zoo.training import keras_file, run_config as plans
from zoo.utils.io import expand_user, replace_surrogates
from zoo.weights import pretrained

MAX_DARK_MEAN = 0.5  # of white: pictures whose mean is under it are bright strokes on dark ground


def build_parser():
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
        self.class_names, self.polarity_note, self._shape, self._model, self.white_levels = None, "", None, None, None
        if weights is not None:
            self._read_weights_info(weights, preprocessing)
        elif preprocessing is not None:
            raise UserError("--preprocessing is for --weights of a network's name; a run and a .keras file scale "
                            "pixels themselves")
        elif path.is_dir():
            self._read_run_info()
        elif path.suffix != ".keras" or not path.is_file():
            raise UserError(f"{path} is neither a run directory nor a .keras file that is there"
                            + (f"; {format_missing_weights(str(path))}" if str(path) in registry.MODELS else ""))
        elif checkpoint != "best":
            raise UserError("--checkpoint is for runs; a .keras file holds one set of weights")
        else:
            keras_file.check_keras_file(path)
        self._device = common.select_device(gpu, backend)

    def _read_weights_info(self, weights, preprocessing):
        name = str(self.path)
        if name not in registry.MODELS and (self.path.is_dir() or self.path.suffix == ".keras" and self.path.is_file()):
            raise UserError(f"--weights is for a network's name; {name} is built already")
        if self.checkpoint != "best":
            raise UserError(f"--checkpoint is for runs; the weights {weights} are one set")
        spec = registry.get_model_info(name)
        pretrained.check_weights(weights, spec.name)
        if weights not in pretrained.PRETRAINED_NAMES and (expand_user(weights) / "run.json").is_file():
            raise UserError(f"{weights} is a run: type python -m zoo predict {weights} IMAGE")

        from zoo.weights import sources  # NumPy

        self.source = sources.resolve_weights_source(weights, spec.name).replace_preprocessing(preprocessing)
        if self.source.scaling is None and weights.endswith(".keras"):
            raise UserError(f"{weights} is a whole model: type python -m zoo predict {weights} IMAGE")
        if self.source.scaling is None:
            raise UserError(f"{weights} does not say how its pixels are scaled; give --preprocessing, such as "
                            "symmetric, or a run, or a .keras file that takes raw pixels")
        if self.source.is_scaling_assumed:
            print(f"pixels   {pretrained.describe_scaling(self.source.scaling)}"
                  + ("" if preprocessing else ", which is assumed; --preprocessing changes it"), file=sys.stderr)
        self._shape = self.source.resolve_model_config().input_shape
        if self.source.bundled_weights and is_dark_background([*datasets.get_dataset_info(weights).mean]):
            self.polarity_note = f"{weights} is bright on dark"

    def _read_run_info(self):
        from zoo.training import run_files  # NumPy, no backend

        told = run_files.read_config(self.path)
        plans.find_checkpoint(self.path, self.checkpoint)
        dataset = told["dataset"]
        self.class_names, self.white_levels = [str(name) for name in dataset["class_names"]], dataset.get("white")
        blueprint = told.get("blueprint")
        seen = dataset if told.get("finetuning") else blueprint  # a fine-tuned one enlarges the image itself
        self._shape = check_model_input_shape(self.path, seen.get("shape" if seen is dataset else "input_shape")
                                              if isinstance(blueprint, dict) else None)
        if self._shape[2] == 1 and is_dark_background(dataset.get("mean")):
            self.polarity_note = f"{dataset['name']} is bright on dark"

    @property
    def shape(self):
        if self._shape is None:
            self._load()
        return self._shape

    def _load(self):
        common.load_keras(*self._device)

        import zoo

        if self.source is not None:
            from zoo.training import class_names, finetuned_model

            source = self.source.ensure_local(include_top=True)
            blueprint = source.resolve_model_config(classes=source.count_classes())
            self._model = finetuned_model.build_pretrained_classifier(blueprint, source, "softmax")
            self.class_names = class_names.get_weights_class_names(self.source, self._model.output_shape[-1])
            return
        self._model = zoo.load(self.path, self.checkpoint)
        if len(self._model.inputs) != 1 or len(self._model.outputs) != 1 or len(self._model.output_shape) != 2:
            raise UserError(f"{self.path} does not take one picture to one row of probabilities")
        self._shape = check_model_input_shape(self.path, self._model.input_shape[1:])
        if self.class_names is None:
            self.class_names = keras_file.read_class_names(self.path, self._model.output_shape[-1])

    def __call__(self, pixels):
        """Return probabilities float (n, classes) of uint8 pixels (n, height, width, channels)."""
        import numpy as np

        if self._model is None:
            self._load()
        probable = np.asarray(self._model.predict(pixels, verbose=0), np.float64)
        if not (probable >= 0).all() or not np.allclose(probable.sum(axis=1), 1, atol=1e-3):
            raise UserError(f"{self.path} does not give probabilities, which are 0 or more and add up to 1; "
                            "let it end in a softmax")
        if self.class_names and probable.shape[1] != len(self.class_names):
            raise UserError(f"{self.path / 'run.json'} is damaged: it names {len(self.class_names)} classes, and the network "
                            f"has {probable.shape[1]}")
        return probable


def format_missing_weights(model_name):
    """Return words for what a network's name alone lacks."""
    own = pretrained.list_weights_names(model_name)
    own += ["FILE"] if model_name in {*pretrained.KERAS_SCALINGS, *pretrained.TORCHVISION_SCALINGS} else []
    if own:
        return f"a network's name needs --weights {' or '.join(own)}"
    return (f"no published weights are known for {model_name}: python -m zoo.train {model_name} makes a run, which can be "
            "given")


def is_dark_background(mean):
    """Return whether the mean of a data set's only channel, as run.json has it, is nearer to black than to white."""
    return isinstance(mean, list) and len(mean) == 1 and isinstance(mean[0], float) and mean[0] < MAX_DARK_MEAN


def check_model_input_shape(path, shape):
    """Return (height, width, channels) as ints; UserError where pictures cannot be fitted to it."""
    if (not isinstance(shape, (list, tuple)) or len(shape) != 3 or shape[2] not in (1, 3)
            or not all(isinstance(side, int) and side > 0 for side in shape)):
        raise UserError(f"{path} does not take grey or RGB pictures of one size, height x width x 1 or 3; it takes "
                        f"{shape}")
    return tuple(shape)


def format_prediction(path, prepared_image, ranked_classes, polarity_note):
    """Return the line for one image: its most probable classes, and what was done to it."""
    classes = ", ".join(f"{name} {probability:.2%}" for name, probability in ranked_classes)
    notes = [prepared_image.transformations] if prepared_image.transformations else []
    if polarity_note and prepared_image.has_bright_border:
        notes.append(f"its border is bright, and {polarity_note}: it was not inverted; invert it if its strokes are "
                     "dark on bright")
    return f"{replace_surrogates(path)}: {classes}" + (f"  ({'; '.join(notes)})" if notes else "")


def execute_predict(argv):
    arguments = build_parser().parse_intermixed_args(argv)
    top = common.parse_int("--top", arguments.top, 1)
    output = None if arguments.output is None else predictions.check_prediction_file(arguments.output)
    predictor = Predictor(Path(arguments.model).expanduser(), common.parse_checkpoint(arguments), arguments.gpu,
                          arguments.backend, arguments.weights, arguments.preprocessing)

    import numpy as np

    from zoo.data import image_files, image_io  # Pillow

    broken, (paths, notes) = 0, image_files.find_image_files(arguments.pictures)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(predictions.open_prediction_file(output))] if output else []
        writers += [stack.enter_context(predictions.open_json_predictions(sys.stdout))] if arguments.json else []
        for chunk in image_io.prepare_image_files(paths, predictor.shape, predictor.white_levels):
            good = [fitted.pixels for _, fitted in chunk if not isinstance(fitted, UserError)]
            probabilities = predictor(np.stack(good)) if good else np.empty((0, 1))
            rows = iter(predictions.rank_classes(probabilities, predictor.class_names, top))
            for path, fitted in chunk:
                if isinstance(fitted, UserError):
                    broken += 1
                    print(f"error: {fitted}", file=sys.stderr, flush=True)
                    continue
                ranked = next(rows)
                for write in writers:
                    write(path, ranked)
                if not writers:
                    print(format_prediction(path, fitted, ranked, predictor.polarity_note), flush=True)
    if output and not arguments.json:
        print(f"{output}: {len(paths) - broken:,} image{'s' * (len(paths) - broken != 1)}")
    if broken and len(paths) > 1:
        print(f"{broken} of {len(paths)} could not be read", file=sys.stderr)
    return 2 if broken else 0


def main(argv=None):
    return common.run_command(execute_predict, argv)


if __name__ == "__main__":
    sys.exit(main())
