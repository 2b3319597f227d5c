"""A run in a notebook: its summary, its curves and a link to its report, as HTML."""

import os
from pathlib import Path
from urllib.parse import quote

from zoo.diagrams.html import render_template
from zoo.errors import UserError
from zoo.reports.embedding import to_data_uri
from zoo.reports.run_outputs import plot_run


def render_run_summary(run, summary):
    """Return the HTML for the run directory `run`, a Path; `summary`: a line of text that describes the run."""
    curves, size, problem = None, {}, ""
    try:
        content, size = plot_run(run, "curves")._repr_png_()
        curves = to_data_uri(content, "image/png")
    except UserError as error:
        problem = str(error)
    report, link = make_report_link(run / "report.html")
    return render_template("zoo.reports", "run_summary.html", run=run, summary=summary, report=report, link=link,
                           problem=problem, curves=curves, width=size.get("width"))


def make_report_link(report):
    """Return (path, URL) of a report, or (None, None) if it does not exist.

    The URL is relative to the working directory, and None for a report outside it.
    """
    if not report.is_file():
        return None, None
    relative = Path(os.path.relpath(report))
    return (report, None) if relative.parts[0] == ".." else (relative, quote(relative.as_posix()))
