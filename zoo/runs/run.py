"""`Run`: a run directory as an object. Creating one reads run.json only; everything else is read on demand."""

from functools import cached_property

from zoo.errors import UserError, unknown_name_error
from zoo.training import finetuning, run_config, run_directory, run_files
from zoo.training.backend import current_backend, import_keras
from zoo.training.stopping import DEFAULT_CHECKPOINT_MINUTES
from zoo.utils.io import expand_user


class Run:
    """A training run: its configuration, its history and its result, and what can be done with its model.

    `zoo.fit` returns one; `zoo.Run("runs/mine")` opens an existing one. Everything is read from the run directory on
    demand, so a `Run` that another process is still training shows its current progress.

    Args:
        path: the run directory, str or Path.

    Attributes:
        path: Path of the run directory, as given; absolute once the working directory has changed.
        config: dict, the contents of run.json.
        reason: why training stopped before the last epoch: "interrupted", "out of time", "stopped by a callback",
            "the loss is not finite", "out of memory" or "an exception: ..."; None for a run that is finished or
            running, or that was killed.

    Raises:
        UserError: `path` is not a run directory, or its run.json is damaged.

    Example:

    >>> run = zoo.Run("runs/mine")
    >>> run.status, run.result["test_accuracy_best"]
    ('finished', 0.976)
    """

    def __init__(self, path):
        self._path = expand_user(path)
        self._absolute_path = self._path.absolute()
        self.config = run_files.read_config(self.path)

    def __fspath__(self):
        """The path of the run directory, so that a Run is accepted wherever a path is."""
        return str(self.path)

    @property
    def path(self):
        return self._path if self._path.absolute() == self._absolute_path else self._absolute_path

    @property
    def name(self):
        """The name of the run directory."""
        return self.path.name

    @property
    def status(self):
        """"finished", "running" (in this or another process), "stopped", or "new" if there is no checkpoint yet."""
        run_files.check_run_directory(self.path)
        if (self.path / "result.json").exists():
            return "finished"
        if run_directory.is_run_locked(self.path):
            return "running"
        stage_dirs = (self.path, self.path / finetuning.FIRST_STAGE_DIR)
        has_checkpoint = any((directory / "checkpoints" / "last.npz").exists() for directory in stage_dirs)
        return "stopped" if has_checkpoint else "new"

    @property
    def reason(self):
        return run_files.read_config(self.path).get("stop_reason")

    @property
    def history(self):
        """The metrics per epoch: {column of history.csv: list of numbers}; {} before the first epoch."""
        run_files.check_run_directory(self.path)
        rows = run_files.read_history_rows(self.path)
        return {column: [row[column] for row in rows] for column in rows[0]} if rows else {}

    @property
    def result(self):
        """The contents of result.json: test_accuracy_best, test_accuracy_last, best_epoch, per_class, ...; or None."""
        run_files.check_run_directory(self.path)
        return run_files.read_result(self.path)

    @cached_property
    def class_names(self):
        """The names of the classes, in the order of the model's outputs."""
        return [str(name) for name in self.config["dataset"]["class_names"]]

    def load_model(self, checkpoint="best"):
        """Return the trained model.

        Args:
            checkpoint: "best", the weights of the epoch with the highest validation accuracy, or "last".

        Returns:
            A keras.Model from raw images (n, height, width, channels) uint8, or token ids (n, length) int32, to
            probabilities (n, classes) float32.

        Raises:
            UserError: there is no such checkpoint yet.
        """
        from zoo.training.model_loading import load_run_model

        self._check_checkpoint(checkpoint)
        return load_run_model(self.path, checkpoint)

    def evaluate(self, data=None, *, split="test", checkpoint="best", data_dir=None, labels_from=None,
                 invalid_images="error", batch_size=None):
        """Evaluate the model on labeled images, or texts for a run on texts.

        Args:
            data: None for the run's own data; or other labeled images, anything that `zoo.load_data` takes. Of a
                source with splits, `split` is evaluated; of a folder of class folders, a pair (images, labels) or an
                .npz file with one pair, every image. An .npz file has the arrays x_test and y_test, or test_images and
                test_labels; docs/report.md lists the others. The classes of folders and datasets are matched to the
                run's by name; the labels of arrays are indices into `class_names`. Images in a folder are resized.
                For a run on texts, a folder of class folders with .txt files, a .csv file, "imdb", or a pair
                (texts, labels); the words are those of the run.
            split: "test", "validation" or "train". The test split is for the final evaluation: do not use it for model
                selection.
            checkpoint: "best" or "last".
            data_dir: the folder with the run's data, if it has been moved; or with the files of a named dataset.
            labels_from: for a folder of images as `data`, "folder" or "filename", as for `zoo.load_data`; None: as in
                training.
            invalid_images: for a folder as `data`, "error", or "skip" to skip unreadable files; a note lists them.
            batch_size: batch size; None: the training batch size, which reproduces result.json to the last digit.

        Returns:
            A dict: loss, the mean cross-entropy; accuracy; ece, the expected calibration error; correct and total,
            the numbers of correct predictions and of images; macro_precision, macro_recall and macro_f1, means over
            the classes that have images; per_class_metrics, a list of dicts with class, images (for texts, texts),
            precision, recall and f1, where a quotient with denominator 0 is 0; per_class_correct and per_class_total,
            lists of correct and total per class in the order of `class_names`; with 100 classes or more top5, the top-5
            accuracy; notes, a list of lines on what limits these numbers, such as that the run was trained on the same
            images.

        Raises:
            UserError: the data is not found, has a class unknown to the run, or another image shape.
        """
        from zoo.runs import evaluation

        self._check_checkpoint(checkpoint)
        images = evaluation.load_images(self.path, self.config, data, split, data_dir, labels_from, invalid_images)
        return evaluation.evaluate_run(self.path, self.config, images, checkpoint, batch_size)

    def predict(self, images, *, top_k=None, checkpoint="best"):
        """Classify images, or texts with a run on texts.

        Args:
            images: a path or a list of paths of image files, or of folders of them, of any size; a Pillow image or a
                list of them, of any size; or an array (n, height, width), (n, height, width, 1) or (n, height, width,
                3), or of one image, (height, width), (height, width, 1) or (height, width, 3), of the model's input
                size: integers or floats from 0 to 255, floats of at most 1, or bool. Grayscale is converted to RGB, or
                RGB to grayscale, as the model requires; three grayscale images for an RGB model need the shape (3,
                height, width, 1). For a run on texts, a path or a list of paths of UTF-8 text files, or of folders of
                .txt files; a text or a list of texts, str of which at least one has a space and none is an existing
                path; an array of str (n,), of any texts; or token ids, integers (n, length).
            top_k: None for all probabilities, or how many of the most probable classes to return for each image.
            checkpoint: "best" or "last".

        Returns:
            Probabilities float32 (n, classes), n = 1 for one image; with `top_k`, for each image a list of (class name,
            probability), the most probable first.

        Raises:
            UserError: a file cannot be read, or the array has an unsupported shape, dtype or range.
        """
        from zoo.runs.prediction import predict_images

        return predict_images(self, images, top_k, checkpoint)

    def plot(self, what="curves"):
        """Draw one of the plots of the run from its files; a notebook shows it.

        Args:
            what: "curves", loss and accuracy of each epoch; "confusion", the confusion matrix of the test split;
                "misclassified", the misclassified test images of the highest confidence; "samples", training images.

        Returns:
            A matplotlib Figure.

        Raises:
            UserError: the plot is unknown, or the run has no data for it yet.
        """
        from zoo.reports.run_outputs import plot_run

        return plot_run(self.path, what)

    def inspect(self, image, *, checkpoint="best"):
        """Visualize the model's feature maps, filters, and which pixels are evidence for which class, for one image.

        Args:
            image: the path of an image file, a Pillow image, or an array uint8 (height, width, channels), of any size;
                for a run on texts, a text, or the path of a text file.
            checkpoint: "best" or "last".

        Returns:
            An `Inspection`, whose methods return matplotlib Figures: prediction(), features(), filters(),
            gradcam(), saliency(), occlusion() and hypercolumn(); report("look.html") writes all of them as one page.
            For a run on texts a `TextInspection`: prediction(), ngrams(), the n-grams that activate each filter most,
            text_ngrams() and report("look.html").

        Raises:
            UserError: the image cannot be read, or the checkpoint does not exist.

        Example:

        >>> run.inspect("three.png").gradcam()
        """
        self._check_checkpoint(checkpoint)
        return run_files.get_run_modality(self.config).get_function("inspect")(self, image, checkpoint)

    def export(self, format, output=None, *, checkpoint="best"):
        """Export the trained model to a file for other programs, and verify that it gives the same probabilities.

        Args:
            format: "keras", "weights", "onnx", "saved_model" or "litert"; see docs/export.md.
            output: str or path; default: the run's name with the format's suffix, in the working directory.
            checkpoint: "best" or "last".

        Returns:
            The Path of the exported model.

        Raises:
            UserError: unknown format or checkpoint, a missing package, or a file that cannot be written.

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
        """Raise UserError unless `checkpoint` is the name of an existing checkpoint of the run."""
        if checkpoint not in run_config.CHECKPOINTS:
            raise unknown_name_error("checkpoint", checkpoint, run_config.CHECKPOINTS)
        run_files.check_run_directory(self.path)
        run_config.find_checkpoint(self.path, checkpoint)

    def report(self):
        """Regenerate the plots and the HTML report from the run's files; return the path of report.html."""
        from zoo.reports.run_outputs import draw_run

        return draw_run(self.path)[-1]

    def resume(self, *, epochs=None, dataset=None, data_dir=None, gpu=None, max_seconds=None,
               checkpoint_minutes=DEFAULT_CHECKPOINT_MINUTES, callbacks=None, log=None, verbose=True):
        """Resume training from the last checkpoint, exactly as if it had never stopped (bit for bit on the CPU).

        Args:
            epochs: None, or a larger number than before, if the recipe's learning-rate schedule does not depend on it.
            dataset: the data, if the run was trained on arrays, which the run directory does not contain.
            data_dir, gpu, max_seconds, checkpoint_minutes, callbacks, log, verbose: as for `zoo.fit`.

        Returns:
            A `Run` of the same directory.

        Raises:
            UserError: a setting that the run does not allow to change, or other data than it was trained on.
        """
        from zoo.runs.fitting import resume_run

        return resume_run(self, epochs=epochs, dataset=dataset, data_dir=data_dir, gpu=gpu, max_seconds=max_seconds,
                          checkpoint_minutes=checkpoint_minutes, callbacks=callbacks, log=log, verbose=verbose)

    def __repr__(self):
        try:
            return f"<zoo.Run {str(self.path)!r}: {self.summary()}>"
        except UserError as error:  # a deleted or damaged run is displayed, too
            return f"<zoo.Run: {error}>"

    def summary(self):
        """Return one line: model, dataset, status, and the accuracy so far."""
        history, result = self.history, self.result
        status, reason = self.status, self.reason
        if reason:
            status = reason if reason.startswith(status) else f"{status} ({reason})"  # "stopped by a callback"
        parts = [f"{self.config.get('model')} on {self.config['dataset'].get('name')}", status]
        if history:
            parts.append(f"epoch {history['epoch'][-1]} of {self.config.get('recipe', {}).get('epochs', '?')}")
        if result:
            parts.append(f"test accuracy {result['test_accuracy_best']:.2%}")
        elif history:
            parts.append(f"validation accuracy {max(history['val_accuracy']):.2%}")
        return ", ".join(parts)

    def _repr_html_(self):
        """Return the HTML for a notebook: the summary, the curves so far, and a link to the report."""
        from zoo.reports.run_summary import render_run_summary

        try:
            return render_run_summary(self.path, self.summary())
        except UserError:  # IPython displays __repr__ instead
            return None
