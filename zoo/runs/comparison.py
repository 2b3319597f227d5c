"""`zoo.compare_runs`: several runs side by side. No backend is loaded."""

import os

from zoo.errors import UserError
from zoo.plots import run_comparison
from zoo.plots.comparison_curves import plot_run_comparison
from zoo.plots.figures import save_png
from zoo.reports.comparison import render_comparison_page, render_comparison_table
from zoo.reports.embedding import to_data_uri
from zoo.runs.run import Run
from zoo.utils.io import expand_user, check_writable, write_text, atomic_write
from zoo.utils.table import format_table

COMPARISON_SUFFIXES = (".png", ".html")


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
        check_comparison_path(to_file)
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
        self._runs = run_comparison.read_run_summaries(paths)
        self.columns, self.rows = run_comparison.build_comparison_table(self._runs)

    @property
    def has_curves(self):
        """Whether an epoch of any of the runs has finished."""
        return any(run.history for run in self._runs)

    def plot(self):
        """Return the matplotlib Figure of the validation curves of all runs."""
        if not self.has_curves:
            raise UserError("no epoch of these runs has finished: there are no curves to draw")
        return plot_run_comparison(self._runs)

    def save(self, path):
        """Write the curves as .png, or a page with the table, the spread and the curves as .html; return its Path."""
        path = check_comparison_path(path)
        if path.suffix.lower() == ".html":
            write_text(path, render_comparison_page(self._runs))
            return path
        figure = self.plot()
        with atomic_write(path) as scratch:
            save_png(figure, scratch)
        return path

    def __str__(self):
        parts = ["\n".join(align_columns([self.columns, *self.rows]))]
        _, lacking = run_comparison.find_differing_fields(self._runs)
        if lacking:
            parts.append(f"note: not every run.json tells of {', '.join(lacking)}: other versions of zoo wrote them")
        parts += [f"{group.summary}\n  ({', '.join(group.names)})"
                  for group in run_comparison.group_seed_runs(self._runs)]
        return "\n\n".join(parts)

    def __repr__(self):
        return f"<zoo.Comparison of {', '.join(run.name for run in self._runs)}>"

    def _repr_html_(self):
        html = render_comparison_table(self._runs)
        if not self.has_curves:
            return html
        content, size = self.plot()._repr_png_()
        return f'{html}<img alt="curves" width="{size["width"]}" src="{to_data_uri(content, "image/png")}">'


def check_comparison_path(path):
    """Return `path` as a Path that can be written; UserError where its suffix is unknown or its folder is missing."""
    if expand_user(path).suffix.lower() not in COMPARISON_SUFFIXES:
        raise UserError(f"the picture's ending says what it is, {' or '.join(COMPARISON_SUFFIXES)}; given {str(path)!r}")
    return check_writable(path)


def align_columns(rows):
    """Return the lines of a table, head first: columns as wide as they must be, numbers to the right."""
    columns = enumerate(zip(*rows[1:], strict=True))
    return format_table(rows, [index for index, column in columns if all(cell[:1] in "-0123456789" for cell in column)])
