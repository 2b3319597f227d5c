"""`Run`: a run directory as an object. Cheap to make: run.json is read, nothing else until it is asked for."""

import itertools
from functools import cached_property

from zoo.errors import UserError, unknown_name_error
from zoo.training import finetuning, run_config as plans, run_directory, run_files
from zoo.training.backend import current_backend, import_keras
from zoo.utils.io import expand_user


class Run:
    """A training run: its configuration, its history and its result, and what can be done with its model.

    `zoo.fit` returns one; `zoo.Run("runs/mine")` opens one that is on the disk. Everything is read from the run
    directory when it is asked for, so a `Run` of a training that is still going on in another process shows how far
    it is.

    Args:
        path: the run directory, str or Path.

    Attributes:
        path: Path of the run directory.
        reason: why training stopped before its last epoch in the call that returned this `Run`, such as
            "out of time" or "stopped by a callback"; None otherwise.

    Raises:
        UserError: `path` is not a run directory, or its run.json is damaged.

    Example:

    >>> run = zoo.Run("runs/mine")
    >>> run.status, run.result["test_accuracy_best"]
    ('finished', 0.976)
    """

    def __init__(self, path, reason=None):
        self.path = expand_user(path)
        self.config = run_files.read_config(self.path)
        self.reason = reason

    def __fspath__(self):
        """The path of the run directory, so that a Run serves wherever a path does."""
        return str(self.path)

    @property
    def name(self):
        """The name of the run directory."""
        return self.path.name

    @property
    def status(self):
        """"finished", "running" (another process, or this one, trains it), "stopped", or "new" without an epoch."""
        if (self.path / "result.json").exists():
            return "finished"
        if run_directory.is_run_locked(self.path):
            return "running"
        begun = (self.path, self.path / finetuning.FIRST_STAGE_DIR)
        return "stopped" if any((each / "checkpoints" / "last.npz").exists() for each in begun) else "new"

    @property
    def history(self):
        """What each epoch gave: {column: list of numbers}, the columns of history.csv; {} before the first epoch."""
        rows = run_files.read_history_rows(self.path)
        return {column: [row[column] for row in rows] for column in rows[0]} if rows else {}

    @property
    def result(self):
        """What result.json says: test_accuracy_best, test_accuracy_last, best_epoch, per_class, ...; None before."""
        return run_files.read_result(self.path)

    @cached_property
    def class_names(self):
        """The names of the classes, in the order of the model's outputs."""
        return [str(name) for name in self.config["dataset"]["class_names"]]

    def load_model(self, checkpoint="best"):
        """Return the trained model.

        Args:
            checkpoint: "best", the epoch with the highest validation accuracy, or "last".

        Returns:
            A keras.Model from raw images (n, height, width, channels) uint8 to probabilities (n, classes) float32.

        Raises:
            UserError: there is no such checkpoint yet.
        """
        from zoo.training.model_loading import load_run_model

        if checkpoint not in plans.CHECKPOINTS:
            raise UserError(f"checkpoint is 'best' or 'last'; given {checkpoint!r}")
        return load_run_model(self.path, checkpoint)

    def evaluate(self, data=None, *, split="test", checkpoint="best", data_dir=None, batch_size=None):
        """Measure the model on labelled images.

        Args:
            data: None, the run's own data; or other labelled images, whatever `zoo.load_data` takes: of a source with
                splits `split` is measured; of a folder of class folders, of a pair (images, labels) and of an .npz file
                with one pair every image. An .npz file has the arrays x_test and y_test, or test_images and
                test_labels; docs/report.md names the others. The classes of folders and data sets are matched to the
                run's by name, the labels of arrays are indices into `class_names`. Images in a folder are resized.
            split: "test", "validation" or "train". The test split is for the end: do not choose by it.
            checkpoint: "best" or "last".
            data_dir: the folder of the run's data, where it is no longer where it was.
            batch_size: images at a time; None: that of the training, which gives the same numbers to the last digit.

        Returns:
            A dict: loss, the mean cross-entropy; accuracy; ece, the expected calibration error; right and of, how many
            of how many; macro_precision, macro_recall and macro_f1, means over the classes that have images;
            per_class_metrics, a list of dicts with class, images, precision, recall and f1, where a quotient without a
            denominator is 0; per_class and per_class_of, lists in the order of `class_names`; with 100 classes or more
            top5.

        Raises:
            UserError: the data cannot be found, have a class that the run does not know, or another image shape.
        """
        from zoo.runs import evaluation

        plans.find_checkpoint(self.path, checkpoint)
        if data is None:
            images = evaluation.load_own_split(self.path, self.config, split, data_dir)
        else:
            images = evaluation.load_other_images(self.path, self.config, data, split, data_dir)
        return evaluation.evaluate_run(self.path, self.config, images, checkpoint, batch_size)

    def predict(self, images, *, top_k=None, checkpoint="best"):
        """Classify images.

        Args:
            images: a path or a list of paths of image files, or of folders of them, of any size; a Pillow image or a
                list of them, of any size; or an array (n, height, width), (n, height, width, 1) or
                (n, height, width, 3), or of one image, (height, width), (height, width, 1) or (height, width, 3), of
                the size that the model takes, of integers or floats of 0 to 255, or floats of at most 1, or bool.
                Grayscale becomes RGB, or RGB grayscale, where the model takes that.
            top_k: None for all probabilities, or how many classes to name for each image.
            checkpoint: "best" or "last".

        Returns:
            Probabilities float32 (n, classes), n = 1 for one image; with `top_k`, for each image a list of (class name,
            probability), the most probable first.

        Raises:
            UserError: a file cannot be read, or the array is no such images.
        """
        import os

        import numpy as np
        from PIL import Image

        from zoo.analysis.predictions import rank_classes
        from zoo.data.model_input import prepare_image_arrays, prepare_pil_images

        if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, (int, np.integer)) or top_k < 1):
            raise UserError(f"top_k is None, or a whole number of 1 or more; given {top_k!r}")
        shape = tuple(self.config["dataset"]["shape"])
        if isinstance(images, (str, os.PathLike, Image.Image)):
            images = [images]
        if isinstance(images, (list, tuple)) and images and isinstance(images[0], (str, os.PathLike)):
            parts = self._fit_files(images, shape)
        elif isinstance(images, (list, tuple)) and images and all(isinstance(each, Image.Image) for each in images):
            parts = iter([prepare_pil_images(images, shape, self.config["dataset"].get("white"))])
        else:
            parts = iter([prepare_image_arrays(images, shape)])
        first = next(parts)  # what cannot be read is refused before a backend loads
        model = self.load_model(checkpoint)
        probabilities = np.concatenate([np.asarray(model.predict(part, verbose=0), np.float32)
                                        for part in itertools.chain([first], parts)])
        return probabilities if top_k is None else rank_classes(probabilities, self.class_names, top_k)

    def _fit_files(self, paths, shape):
        """Yield uint8 (n, *shape) of image files, as many as fit into memory at a time; UserError for a broken one."""
        import os

        import numpy as np

        from zoo.data import image_files, image_io

        files, _ = image_files.find_image_files([os.fspath(path) for path in paths])
        for chunk in image_io.prepare_image_files(files, shape, self.config["dataset"].get("white")):
            for _, fitted in chunk:
                if isinstance(fitted, UserError):
                    raise fitted
            yield np.stack([fitted.pixels for _, fitted in chunk])

    def plot(self, what="curves"):
        """Draw one of the run's plots from its files; a notebook shows it.

        Args:
            what: "curves", loss and accuracy of each epoch; "confusion", the confusion matrix of the test split;
                "mistakes", the first test images that were misclassified; "samples", training images.

        Returns:
            A matplotlib Figure.

        Raises:
            UserError: there is no such plot, or the run has no data for it yet.
        """
        from zoo.reports.run_outputs import plot_run

        return plot_run(self.path, what)

    def inspect(self, image, *, checkpoint="best"):
        """Look inside the model: what its layers make of one image, and which pixels speak for which class.

        Args:
            image: the path of an image file, a Pillow image, or an array uint8 (height, width, channels), of any size.
            checkpoint: "best" or "last".

        Returns:
            An `Inspection`, whose methods return matplotlib Figures: prediction(), features(), filters(),
            gradcam(), saliency(), occlusion() and hypercolumn(); report("look.html") writes all of them as one page.

        Raises:
            UserError: there is no such image or checkpoint.

        Example:

        >>> run.inspect("three.png").gradcam()
        """
        from zoo.runs.data import to_pil_image

        self._check_checkpoint(checkpoint)
        picture, name = to_pil_image(image)
        import_keras()

        from zoo.plots import inspected_model
        from zoo.runs.inspection import Inspection

        return Inspection(inspected_model.load_inspected_run(self.path, self.config, checkpoint), picture, name,
                          self.config["dataset"].get("white"))

    def export(self, format, output=None, *, checkpoint="best"):
        """Write the trained model as a file for other programs, checked to give the same probabilities.

        Args:
            format: "keras", "weights", "onnx", "saved_model" or "litert"; see docs/export.md.
            output: str or path; default: the run's name with the format's suffix, in the working directory.
            checkpoint: "best" or "last".

        Returns:
            The Path that was written.

        Raises:
            UserError: there is no such format or checkpoint, a package is missing, or the file cannot be written.

        Example:

        >>> run.export("onnx", "digits.onnx")
        """
        from zoo.exporters import formats

        formats.get_export_format(format)
        self._check_checkpoint(checkpoint)
        path = formats.resolve_export_path(output, self.path, format)
        formats.check_export_backend(format, current_backend())
        import_keras()

        from zoo.exporters.export import export_run

        return export_run(self.path, self.config, format, path, checkpoint).path

    def _check_checkpoint(self, checkpoint):
        """Raise UserError unless `checkpoint` names one that the run has."""
        if checkpoint not in plans.CHECKPOINTS:
            raise unknown_name_error("checkpoint", checkpoint, plans.CHECKPOINTS)
        plans.find_checkpoint(self.path, checkpoint)

    def report(self):
        """Draw the plots and the HTML report again from the run's files; return the path of report.html."""
        from zoo.reports.run_outputs import draw_run

        return draw_run(self.path)[-1]

    def resume(self, *, epochs=None, dataset=None, data_dir=None, gpu=None, max_seconds=None, callbacks=None,
               log=None, verbose=True):
        """Train on from the last checkpoint, exactly as if training had never stopped (bit for bit on the CPU).

        Args:
            epochs: None, or more than before, where the recipe's schedule does not depend on their number.
            dataset: the data, where the run was trained on arrays, which are not kept in the run directory.
            data_dir, gpu, max_seconds, callbacks, log, verbose: as for `zoo.fit`.

        Returns:
            A `Run` of the same directory.
        """
        from zoo.runs.fitting import resume_run

        return resume_run(self, epochs=epochs, dataset=dataset, data_dir=data_dir, gpu=gpu, max_seconds=max_seconds,
                          callbacks=callbacks, log=log, verbose=verbose)

    def __repr__(self):
        return f"<zoo.Run {str(self.path)!r}: {self.summary()}>"

    def summary(self):
        """Return one line: model, data set, status, and the accuracy so far."""
        history, result = self.history, self.result
        status = f"{self.status} ({self.reason})" if self.reason else self.status
        words = [f"{self.config.get('network')} on {self.config['dataset'].get('name')}", status]
        if history:
            words.append(f"epoch {history['epoch'][-1]} of {self.config.get('recipe', {}).get('epochs', '?')}")
        if result:
            words.append(f"test accuracy {result['test_accuracy_best']:.2%}")
        elif history:
            words.append(f"validation accuracy {max(history['val_accuracy']):.2%}")
        return ", ".join(words)

    def _repr_html_(self):
        """In a notebook: the summary, the curves so far, and a link to the report."""
        from zoo.reports.run_summary import render_run_summary

        return render_run_summary(self.path, self.summary())
