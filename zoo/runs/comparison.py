"""`zoo.compare_runs`: compare several runs, and group those that differ only in the seed. No backend is loaded."""

import os
from collections import namedtuple

from zoo.errors import UserError
from zoo.plots.comparison_curves import plot_run_comparison
from zoo.plots.figures import write_png
from zoo.reports.comparison import render_comparison_page, render_comparison_table
from zoo.reports.embedding import to_data_uri
from zoo.runs.comparison_table import (
    build_comparison_table,
    find_differing_fields,
    read_run_summaries,
    to_json_key,
)
from zoo.runs.run import Run
from zoo.utils.io import check_writable, expand_user, write_text
from zoo.utils.numbers import format_mean_std
from zoo.utils.table import format_table
from zoo.utils.text import pluralize

# runs that differ only in the seed; best, last: test accuracies of both checkpoints, as fractions
SeedGroup = namedtuple("SeedGroup", "summary names best last")

COMPARISON_SUFFIXES = (".png", ".html")


def compare_runs(runs, to_file=None):
    """Compare runs: differing settings, results, and mean and standard deviation where only the seed differs.

    Args:
        runs: a list of `zoo.Run`s or paths of run directories, two or more, finished or not.
        to_file: None, or a path: .png for the validation curves of all runs, .html for a page with the table and the
            curves.

    Returns:
        A `Comparison`, which a notebook shows: `columns` and `rows` of the table, `plot()`, which returns a matplotlib
        Figure, and `save(path)`; `print` prints the text of `zoo compare`.

    Raises:
        zoo.errors.UserError: fewer than two runs, a path that is not a run directory, or an unwritable file.

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
    """A comparison of runs: a table, the spread over seeds, and curves. A notebook shows all three, `print` the text.

    Args:
        runs: run directories or `zoo.Run`s, two or more, finished or not.

    Attributes:
        columns: list of str, the names of the table's columns.
        rows: list of lists of str, one row per run.
    """

    def __init__(self, runs):
        if isinstance(runs, (str, os.PathLike, Run)):
            raise UserError(f"runs must be a list of runs or of run directories; got {runs!r}")
        paths = [run.path if isinstance(run, Run) else run for run in runs]
        if len(paths) < 2:
            raise UserError(f"comparing requires two or more runs; got {paths[0] if paths else 'none'}")
        self._runs = read_run_summaries(paths)
        self._seed_groups = group_seed_runs(self._runs)
        self._table = build_comparison_table(self._runs)
        self.columns, self.rows = self._table

    @property
    def has_curves(self):
        """Whether any of the runs has finished an epoch."""
        return any(run.history for run in self._runs)

    def plot(self):
        """Return the matplotlib Figure of the validation curves of all runs."""
        if not self.has_curves:
            raise UserError("none of these runs has finished an epoch: there are no curves to draw")
        return plot_run_comparison(self._runs, [group.summary for group in self._seed_groups])

    def save(self, path):
        """Write the curves as .png, or a page with table, spread and curves as .html; return the Path of the file."""
        path = check_comparison_path(path)
        if path.suffix.lower() == ".html":
            write_text(path, render_comparison_page(self._runs, self._table, self._seed_groups))
            return path
        write_png(self.plot(), path)
        return path

    def __str__(self):
        parts = ["\n".join(align_columns([self.columns, *self.rows]))]
        _, missing_fields = find_differing_fields(self._runs)
        if missing_fields:
            parts.append(f"note: not every run.json has {', '.join(missing_fields)}: other versions of zoo wrote them")
        parts += [f"{group.summary}\n  ({', '.join(group.names)})" for group in self._seed_groups]
        return "\n\n".join(parts)

    def __repr__(self):
        return f"<zoo.Comparison of {', '.join(run.name for run in self._runs)}>"

    def _repr_html_(self):
        html = render_comparison_table(self._table, self._seed_groups)
        if not self.has_curves:
            return html
        content, size = self.plot()._repr_png_()
        return f'{html}<img alt="curves" width="{size["width"]}" src="{to_data_uri(content, "image/png")}">'


# Entries of run.json, and of its dataset, in which runs of a SeedGroup can differ: the seed, and how, where and with
# which versions they were trained
VARYING_ENTRIES = ("format", "command", "seed", "device", "cpu", "versions", "commit", "stop_reason")
VARYING_DATASET_ENTRIES = ("title", "source", "notes")


def group_seed_runs(runs):
    """Return a SeedGroup for each set of two or more finished runs that differ only in the seed."""
    groups = {}
    for run in runs:
        if run.result:
            settings = {name: value for name, value in run.config.items() if name not in VARYING_ENTRIES}
            settings["dataset"] = {name: value for name, value in run.config["dataset"].items()
                                   if name not in VARYING_DATASET_ENTRIES}
            groups.setdefault(to_json_key(settings), {}).setdefault(
                to_json_key(run.config.get("seed")), run)  # a repeated seed is the same run, not another one
    return [_make_seed_group([*runs_by_seed.values()]) for runs_by_seed in groups.values() if len(runs_by_seed) > 1]


def _make_seed_group(runs):
    best, last = ([run.result[f"test_accuracy_{checkpoint}"] for run in runs] for checkpoint in ("best", "last"))
    config = runs[0].config
    summary = (f"{config['model']} on {config['dataset']['name']}, {pluralize(len(runs), 'seed')}: test accuracy "
               f"{format_mean_std(best)} (best checkpoint), {format_mean_std(last)} (last checkpoint)")
    return SeedGroup(summary, [run.name for run in runs], best, last)


def check_comparison_path(path):
    """Return `path` as a writable Path; UserError for an unknown suffix or a missing folder."""
    if expand_user(path).suffix.lower() not in COMPARISON_SUFFIXES:
        raise UserError(f"the file name must end in {' or '.join(COMPARISON_SUFFIXES)}; got {str(path)!r}")
    return check_writable(path)


def align_columns(rows):
    """Return the lines of a table, header first, with columns of minimum width and numbers aligned to the right."""
    columns = enumerate(zip(*rows[1:], strict=True))
    return format_table(rows, [index for index, column in columns if all(cell[:1] in "-0123456789" for cell in column)])
