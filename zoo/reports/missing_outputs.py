"""The plots and the report of a finished run, where a kill between result.json and the report has left them out."""


def draw_missing_outputs(run):
    """Draw a finished run whose report is missing, or older than its result; return the paths written, or [].

    run: Path of a run directory. matplotlib is loaded only where there is something to draw. UserError as for
    `zoo.reports.run_outputs.draw_run`.
    """
    result, report = run / "result.json", run / "report.html"
    if not result.exists() or (report.exists() and report.stat().st_mtime_ns >= result.stat().st_mtime_ns):
        return []

    from zoo.reports.run_outputs import draw_run

    return draw_run(run)
