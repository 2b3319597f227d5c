"""python -m zoo predict RUN FILE ...: classify image or text files with a trained model."""

import contextlib
import sys

from zoo import registry
from zoo.analysis import predictions
from zoo.cli import common
from zoo.data.dataset_info import get_dataset_info
from zoo.errors import UserError
from zoo.training import keras_file, run_config
from zoo.utils.io import expand_user, replace_surrogates
from zoo.utils.text import pluralize
from zoo.weights import pretrained

MAX_DARK_MEAN = 0.5  # of white: images with a lower mean are bright strokes on a dark background


def build_parser():
    parser = common.Parser(prog="python -m zoo predict",
                           description="Classify image files with a trained model, or text files with one that was "
                                       "trained on texts: print the most probable classes of each.",
                           examples=("runs/mine cat.png", "runs/mine images/ --top-k 3 -o predictions.csv",
                                     "lenet5 --weights mnist three.png --json",
                                     "runs/reviews review.txt"))
    parser.add_argument("model", metavar="RUN|FILE.keras|MODEL",
                        help="trained model; RUN: a run directory; FILE.keras: a Keras model that takes raw pixels (0 "
                             "to 255) and returns probabilities, as python -m zoo export RUN --format keras writes it; "
                             "MODEL: the name of a model, with --weights")
    parser.add_argument("images", metavar="IMAGE", nargs="+",
                        help="image file of any size and common format, for a run on texts a UTF-8 text file, or a "
                             "folder, which is searched recursively")
    weights = parser.add_argument_group("weights")
    weights.add_argument("--weights", metavar="imagenet|cifar10|mnist|FILE",
                         help="weights for MODEL; imagenet, cifar10, mnist: published or bundled weights (python -m "
                              "zoo list shows which models have them); FILE: a weights file, see docs/weights.md")
    common.add_preprocessing(weights)
    common.add_checkpoint(weights)
    output = parser.add_argument_group("output")
    output.add_argument("--top-k", metavar="N", default="5", help="number of classes to print for each image, the most "
                                                                "probable first; default: 5")
    output.add_argument("-o", "--output", metavar="FILE.csv|FILE.json",
                        help="file to write the file name, rank, class and probability of each prediction to, in place "
                             "of lines on the terminal")
    output.add_argument("--json", action="store_true", help="print the predictions as JSON in place of lines of text")
    common.add_gpu(parser.add_argument_group("device"))
    return parser


class Predictor:
    """A model with its metadata: `reader`, which reads its input, and `class_names`.

    `class_names` is None if only the class indices are known. `polarity_note`: text that names the training images if
    these are bright on dark, or else "".
    """

    def __init__(self, path, checkpoint, gpu, backend, weights=None, preprocessing=None):
        self.path, self.checkpoint, self.source = path, checkpoint, None
        self.class_names, self.polarity_note, self._reader, self._model = None, "", None, None
        if weights is not None:
            self._read_weights_info(weights, preprocessing)
        elif preprocessing is not None:
            raise UserError("--preprocessing is only for a model's name with --weights; a run and a .keras file "
                            "scale pixels themselves")
        elif path.is_dir():
            self._read_run_info()
        elif path.suffix != ".keras" or not path.is_file():
            raise UserError(f"{path} is neither a run directory nor an existing .keras file"
                            + (f"; {format_missing_weights(str(path))}" if str(path) in registry.MODELS else ""))
        elif checkpoint != "best":
            raise UserError("--checkpoint is only for runs; a .keras file has one set of weights")
        else:
            keras_file.check_keras_file(path)
        self._device = common.select_device(gpu, backend)

    def _read_weights_info(self, weights, preprocessing):
        name = str(self.path)
        if name not in registry.MODELS and (self.path.is_dir() or self.path.suffix == ".keras" and self.path.is_file()):
            raise UserError(f"--weights is only for a model's name; {name} already has its weights")
        if self.checkpoint != "best":
            raise UserError(f"--checkpoint is only for runs; {weights} is one set of weights")
        model_info = registry.get_model_info(name)
        pretrained.check_weights(weights, model_info.name)
        run = pretrained.find_run(weights)
        if run:
            raise UserError(f"{run} is a run: type python -m zoo predict {common.format_run_arguments(run, weights)} "
                            "IMAGE")

        from zoo.weights import sources  # NumPy

        self.source = sources.resolve_weights_source(weights, model_info.name).replace_preprocessing(preprocessing)
        if self.source.scaling is None and weights.endswith(".keras"):
            raise UserError(f"{weights} is a complete model: type python -m zoo predict {weights} IMAGE")
        if self.source.scaling is None:
            raise UserError(f"{weights} does not specify its pixel scaling; give --preprocessing, such as "
                            "symmetric, or a run, or a .keras file that takes raw pixels")
        if self.source.is_scaling_assumed:
            print(f"pixels   {pretrained.describe_scaling(self.source.scaling)}"
                  + ("" if preprocessing else " (assumed; --preprocessing changes it)"), file=sys.stderr)
        self._reader = self._make_image_reader(self.source.resolve_model_config().input_shape)
        if self.source.bundled_weights and is_dark_background([*get_dataset_info(weights).mean]):
            self.polarity_note = f"{weights} is bright on dark"

    def _read_run_info(self):
        from zoo.training import run_files  # NumPy, no backend

        config = run_files.read_config(self.path)
        run_config.find_checkpoint(self.path, self.checkpoint)
        dataset = config["dataset"]
        self.class_names = [str(name) for name in dataset["class_names"]]

        from zoo.runs.data import make_reader

        self._reader = make_reader(self.path, config)
        if is_dark_background(dataset.get("mean")):
            self.polarity_note = f"{dataset['name']} is bright on dark"

    @property
    def reader(self):
        """The ImageReader or TextReader of the model."""
        if self._reader is None:
            self._load()
        return self._reader

    def _load(self):
        common.load_keras(*self._device)

        import zoo

        if self.source is not None:
            from zoo.training import class_names, finetuned_model

            source = self.source.ensure_local(include_top=True)
            model_config = source.resolve_model_config(classes=source.count_classes())
            self._model = finetuned_model.build_pretrained_classifier(model_config, source, "softmax")
            self.class_names = class_names.get_weights_class_names(self.source, self._model.output_shape[-1])
            return
        self._model = zoo.load(self.path, self.checkpoint)
        if len(self._model.inputs) != 1 or len(self._model.outputs) != 1 or len(self._model.output_shape) != 2:
            raise UserError(f"{self.path} does not map one image to one row of probabilities")
        if self._reader is None:
            self._reader = self._make_image_reader(self._model.input_shape[1:])
        if self.class_names is None:
            self.class_names = keras_file.read_class_names(self.path, self._model.output_shape[-1])

    def _make_image_reader(self, shape):
        from zoo.runs.image_reader import ImageReader, check_model_input_shape

        return ImageReader(check_model_input_shape(self.path, shape))

    def __call__(self, samples):
        """Return float probabilities (n, classes) of a batch of samples, such as uint8 (n, height, width, channels)."""
        import numpy as np

        if self._model is None:
            self._load()
        probabilities = np.asarray(self._model.predict(samples, verbose=0), np.float64)
        if not (probabilities >= 0).all() or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3):
            raise UserError(f"{self.path} does not return probabilities, which are 0 or more and sum to 1; "
                            "end the model with a softmax")
        if self.class_names and probabilities.shape[1] != len(self.class_names):
            raise UserError(f"{self.path / 'run.json'} is damaged: it has {len(self.class_names)} class names, but the "
                            f"model has {probabilities.shape[1]} classes")
        return probabilities


def format_missing_weights(model_name):
    """Return the hint on the weights that a model's name needs."""
    choices = pretrained.list_weights_names(model_name)
    choices += ["FILE"] if model_name in {*pretrained.KERAS_SCALINGS, *pretrained.TORCHVISION_SCALINGS} else []
    if choices:
        return f"a model's name needs --weights {' or '.join(choices)}"
    return (f"there are no published weights for {model_name}; train a run with python -m zoo.train {model_name}, and "
            "give its directory")


def is_dark_background(mean):
    """Return whether the mean of a grayscale dataset, as in run.json, is closer to black than to white."""
    return isinstance(mean, list) and len(mean) == 1 and isinstance(mean[0], float) and mean[0] < MAX_DARK_MEAN


def format_prediction(path, prepared, ranked_classes, polarity_note):
    """Return the line for one image or text: its most probable classes, and how it was transformed."""
    classes = ", ".join(f"{name} {probability:.2%}" for name, probability in ranked_classes)
    notes = [prepared.transformations] if prepared.transformations else []
    if polarity_note and prepared.has_bright_border:
        notes.append(f"its border is bright, and {polarity_note}: it was not inverted; invert it if its strokes are "
                     "dark on bright")
    return f"{replace_surrogates(path)}: {classes}" + (f"  ({'; '.join(notes)})" if notes else "")


def execute_predict(argv):
    arguments = build_parser().parse_intermixed_args(argv)
    top = common.parse_int("--top-k", arguments.top_k, 1)
    output = None if arguments.output is None else predictions.check_prediction_file(arguments.output)
    predictor = Predictor(expand_user(arguments.model), common.parse_checkpoint(arguments), arguments.gpu,
                          arguments.backend, arguments.weights, arguments.preprocessing)

    import numpy as np

    num_invalid, (paths, notes) = 0, predictor.reader.find_files(arguments.images)
    for note in notes:
        common.print_lines(f"note: {note}", file=sys.stderr)
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(predictions.open_prediction_file(output))] if output else []
        writers += [stack.enter_context(predictions.open_json_predictions(sys.stdout))] if arguments.json else []
        for chunk in predictor.reader.prepare_files(paths):
            valid = [prepared for _, prepared in chunk if not isinstance(prepared, UserError)]
            probabilities = predictor(predictor.reader.stack(valid)) if valid else np.empty((0, 1))
            predicted = iter(predictions.rank_classes(probabilities, predictor.class_names, top))
            for path, prepared in chunk:
                if isinstance(prepared, UserError):
                    num_invalid += 1
                    common.print_error(prepared)
                    continue
                ranked_classes = next(predicted)
                for write in writers:
                    write(path, ranked_classes)
                if not writers:
                    common.print_lines(format_prediction(path, prepared, ranked_classes, predictor.polarity_note))
    if output and not arguments.json:
        common.print_lines(f"{output}: {pluralize(len(paths) - num_invalid, 'file')}")
    if num_invalid and len(paths) > 1:
        print(f"{num_invalid} of {len(paths)} files could not be read", file=sys.stderr)
    return 2 if num_invalid else 0


def main(argv=None):
    return common.run_command(execute_predict, argv)
