"""Progress displays for training from Python, in place of lines of text. Neither a backend nor IPython is loaded."""

import sys

from zoo.errors import UserError
from zoo.utils.text import escape_unprintable

PERSISTENT_PREFIXES = ("note", "stopped")  # of lines that are still relevant after training


def make_progress_display(verbose=True):
    """Return SilentDisplay with verbose=False, LiveCurves in a notebook, else None, for text on stdout."""
    if not verbose:
        return SilentDisplay()
    return LiveCurves() if is_notebook() else None


def is_notebook():
    """Return whether this process is a notebook kernel, in which IPython is already imported."""
    ipython = sys.modules.get("IPython")
    return hasattr(ipython and ipython.get_ipython(), "kernel")


class SilentDisplay:
    """A display that shows nothing."""

    def write(self, lines):
        pass

    def callbacks(self, run):
        return []

    def show(self, run):
        pass

    def close(self, line, reason):
        pass


class LiveCurves:
    """One output area of a notebook: first the header lines, then, after each epoch, the learning curves so far."""

    def __init__(self):
        self._handle = None

    def write(self, lines):
        """Show the lines until there are curves; those with a PERSISTENT_PREFIXES prefix stay above the curves."""
        notes = [line for line in lines if line.startswith(PERSISTENT_PREFIXES)]
        others = [line for line in lines if line not in notes]
        if notes:
            print("\n".join(notes), flush=True)
        if others:
            self._update({"text/plain": "\n".join(others)}, raw=True)

    def callbacks(self, run):
        """Return the Keras callbacks that draw the curves of the run directory `run` as they grow."""
        import keras

        return [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: self.show(run))]

    def show(self, run):
        """Draw the curves from the files of a run directory; draw nothing before the first epoch has finished."""
        from zoo.reports.run_outputs import plot_run  # matplotlib

        try:
            figure = plot_run(run, "curves")
        except UserError:
            return
        self._update(figure)

    def close(self, line, reason):
        """Print the closing line if there is a `reason` why the run stopped; the curves show a test accuracy."""
        if reason:
            print(escape_unprintable(line), flush=True)

    def _update(self, content, **options):
        from IPython.display import display

        if self._handle is None:
            self._handle = display(content, display_id=True, **options)
        else:
            self._handle.update(content, **options)
