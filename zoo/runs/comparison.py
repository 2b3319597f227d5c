"""`zoo.compare_runs`: several runs side by side. No backend is loaded."""

import os

from zoo.errors import UserError
from zoo.plots import run_comparison
from zoo.plots.comparison_curves import overlaid
from zoo.plots.figure import save_png
from zoo.reports.comparison import comparing, fragment
from zoo.reports.embedding import data_address
from zoo.runs.run import Run
from zoo.utils.io import expanded, writable, write_text, written_whole
from zoo.utils.table import format_table

SUFFIXES = (".png", ".html")


def compare_runs(runs, to_file=None):
    """Compare runs: what they differ in, what came out, and mean and standard deviation where only the seed differs.

    Args:
        runs: a list of `zoo.Run`s or paths of run directories, two or more, finished or not.
        to_file: None, or a path: .png for the validation curves of all runs, .html for a page with the table, too.

    Returns:
        A `Comparison`, which a notebook shows: `columns` and `rows` of the table, `plot()`, a matplotlib Figure, and
        `save(path)`; `print` gives the text of `zoo compare`.

    Raises:
        zoo.errors.UserError: there are fewer than two runs, one is not a run directory, or the file cannot be written.

    Example:

    >>> runs = [zoo.fit("lenet5", "digits", epochs=3, seed=seed) for seed in range(3)]
    >>> print(zoo.compare_runs(runs, "comparison.html"))
    """
    if to_file is not None:
        check_suffix(to_file)
    comparison = Comparison(runs)
    if to_file is not None:
        comparison.save(to_file)
    return comparison


class Comparison:
    """Runs side by side: a table, the spread over seeds, and curves. A notebook shows all three, `print` the text.

    Args:
        runs: run directories or `zoo.Run`s, two or more, finished or not.

    Attributes:
        columns: list of str, the names of the table's columns.
        rows: list of lists of str, a row for each run.
    """

    def __init__(self, runs):
        if isinstance(runs, (str, os.PathLike, Run)):
            raise UserError(f"runs are a list of runs or of run directories; given {runs!r}")
        paths = [run.path if isinstance(run, Run) else run for run in runs]
        if len(paths) < 2:
            raise UserError(f"name two runs or more; given {paths[0] if paths else 'none'}")
        self._runs = run_comparison.read(paths)
        self.columns, self.rows = run_comparison.table(self._runs)

    @property
    def has_curves(self):
        """Whether an epoch of any of the runs has finished."""
        return any(run.history for run in self._runs)

    def plot(self):
        """Return the matplotlib Figure of the validation curves of all runs."""
        if not self.has_curves:
            raise UserError("no epoch of these runs has finished: there are no curves to draw")
        return overlaid(self._runs)

    def save(self, path):
        """Write the curves as .png, or a page with the table, the spread and the curves as .html; return its Path."""
        path = check_suffix(path)
        if path.suffix.lower() == ".html":
            write_text(path, comparing(self._runs))
            return path
        figure = self.plot()
        with written_whole(path) as scratch:
            save_png(figure, scratch)
        return path

    def __str__(self):
        parts = ["\n".join(aligned([self.columns, *self.rows]))]
        _, lacking = run_comparison.differences(self._runs)
        if lacking:
            parts.append(f"note: not every run.json tells of {', '.join(lacking)}: other versions of zoo wrote them")
        parts += [f"{group.words}\n  ({', '.join(group.names)})" for group in run_comparison.groups(self._runs)]
        return "\n\n".join(parts)

    def __repr__(self):
        return f"<zoo.Comparison of {', '.join(run.name for run in self._runs)}>"

    def _repr_html_(self):
        html = fragment(self._runs)
        if not self.has_curves:
            return html
        content, size = self.plot()._repr_png_()
        return f'{html}<img alt="curves" width="{size["width"]}" src="{data_address(content, "image/png")}">'


def check_suffix(path):
    """Return `path` as a Path that can be written; UserError where its suffix is unknown or its folder is missing."""
    if expanded(path).suffix.lower() not in SUFFIXES:
        raise UserError(f"the picture's ending says what it is, {' or '.join(SUFFIXES)}; given {str(path)!r}")
    return writable(path)


def aligned(rows):
    """Return the lines of a table, head first: columns as wide as they must be, numbers to the right."""
    columns = enumerate(zip(*rows[1:], strict=True))
    return format_table(rows, [index for index, column in columns if all(cell[:1] in "-0123456789" for cell in column)])
