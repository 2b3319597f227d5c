"""`Run`: a run directory as an object. Cheap to make: run.json is read, nothing else until it is asked for."""

import html
from functools import cached_property

from zoo.errors import UserError
from zoo.training import plan as plans, run_directory, run_files
from zoo.utils.io import expanded


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
        self.path = expanded(path)
        self.config = run_files.read_config(self.path)
        self.reason = reason

    @property
    def name(self):
        """The name of the run directory."""
        return self.path.name

    @property
    def status(self):
        """"finished", "running" (another process, or this one, trains it), "stopped", or "new" without an epoch."""
        if (self.path / "result.json").exists():
            return "finished"
        if run_directory.is_locked(self.path):
            return "running"
        return "stopped" if (self.path / "checkpoints" / "last.npz").exists() else "new"

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
        return [str(name) for name in self.config["dataset"]["label_names"]]

    def load_model(self, checkpoint="best"):
        """Return the trained model.

        Args:
            checkpoint: "best", the epoch with the highest validation accuracy, or "last".

        Returns:
            A keras.Model from raw images (n, height, width, channels) uint8 to probabilities (n, classes) float32.

        Raises:
            UserError: there is no such checkpoint yet.
        """
        from zoo.training.saved import load_run

        if checkpoint not in plans.CHECKPOINTS:
            raise UserError(f"checkpoint is 'best' or 'last'; given {checkpoint!r}")
        return load_run(self.path, checkpoint)

    def evaluate(self, data=None, *, split="test", checkpoint="best", data_dir=None, batch_size=128):
        """Measure the model on labelled images.

        Args:
            data: None, the run's own data; or other labelled images, whatever `zoo.load_data` takes, whose split
                `split` is measured.
            split: "test", "validation" or "train". The test split is for the end: do not choose by it.
            checkpoint: "best" or "last".
            data_dir: the folder of the run's data, where it is no longer where it was.
            batch_size: images at a time.

        Returns:
            A dict: loss, the mean cross-entropy; accuracy; ece, the expected calibration error; right and of, how many
            of how many; per_class and per_class_of, lists in the order of `class_names`; with 100 classes or more top5.

        Raises:
            UserError: the data cannot be found, or do not fit the model.
        """
        from zoo.data.loading import load_data
        from zoo.runs.data import reload_split

        shape = self.config["dataset"]["shape"]
        if data is None:
            images = reload_split(self.path, self.config, split, data_dir)
        else:
            dataset = load_data(data, data_dir=data_dir, shape=tuple(shape))
            if [*dataset.info.class_names] != self.class_names and dataset.info.classes != len(self.class_names):
                raise UserError(f"{self.path} tells {len(self.class_names)} classes apart; the data have "
                                f"{dataset.info.classes}")
            images = getattr(dataset, split)

        from zoo.training import evaluation

        plans.checkpoint(self.path, checkpoint)
        model = evaluation.reopened(self.path, self.config, checkpoint)
        return evaluation.scores(evaluation.probabilities(model, images, batch_size), images.labels)

    def predict(self, images, *, top_k=None, checkpoint="best"):
        """Classify images.

        Args:
            images: uint8 (n, height, width, channels), of the size that the model takes; or a path or a list of paths
                of image files, of any size.
            top_k: None for all probabilities, or how many classes to name for each image.
            checkpoint: "best" or "last".

        Returns:
            Probabilities float32 (n, classes); with `top_k`, for each image a list of (class name, probability), the
            most probable first.
        """
        import os

        import numpy as np

        if isinstance(images, (str, os.PathLike)):
            images = [images]
        if isinstance(images, (list, tuple)) and images and isinstance(images[0], (str, os.PathLike)):
            from zoo.data import image_io

            shape = tuple(self.config["dataset"]["shape"])
            images = np.stack([image_io.fitted(image_io.opened(path), shape).pixels
                               for path in image_io.find([os.fspath(path) for path in images])])
        probabilities = np.asarray(self.load_model(checkpoint).predict(np.asarray(images), verbose=0), np.float32)
        if top_k is None:
            return probabilities
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
        return [[(self.class_names[index], float(row[index])) for index in best]
                for row, best in zip(probabilities, order, strict=True)]

    def report(self):
        """Draw the plots and the HTML report again from the run's files; return the path of report.html."""
        from zoo.reports.run_outputs import draw_run

        return draw_run(self.path)[-1]

    def resume(self, *, epochs=None, dataset=None, data_dir=None, gpu=None, max_seconds=None, callbacks=None):
        """Train on from the last checkpoint, exactly as if training had never stopped (bit for bit on the CPU).

        Args:
            epochs: None, or more than before, where the recipe's schedule does not depend on their number.
            dataset: the data, where the run was trained on arrays, which are not kept in the run directory.
            data_dir, gpu, max_seconds, callbacks: as for `zoo.fit`.

        Returns:
            A `Run` of the same directory.
        """
        from zoo.runs.fitting import resume

        return resume(self, epochs=epochs, dataset=dataset, data_dir=data_dir, gpu=gpu, max_seconds=max_seconds,
                      callbacks=callbacks)

    def __repr__(self):
        return f"<zoo.Run {str(self.path)!r}: {self.summary()}>"

    def summary(self):
        """Return one line: model, data set, status, and the accuracy so far."""
        history, result = self.history, self.result
        words = [f"{self.config.get('network')} on {self.config['dataset'].get('name')}", self.status]
        if history:
            words.append(f"epoch {history['epoch'][-1]} of {self.config.get('recipe', {}).get('epochs', '?')}")
        if result:
            words.append(f"test accuracy {result['test_accuracy_best']:.2%}")
        elif history:
            words.append(f"validation accuracy {max(history['val_accuracy']):.2%}")
        return ", ".join(words)

    def _repr_html_(self):
        """In a notebook: the summary, and the curves as they are in the run directory."""
        import base64

        curves = self.path / "plots" / "curves.png"
        image = (f'<br><img alt="learning curves" width="640" src="data:image/png;base64,'
                 f'{base64.b64encode(curves.read_bytes()).decode()}">' if curves.exists() else "")
        return f"<b>{html.escape(str(self.path))}</b><br>{html.escape(self.summary())}{image}"
