"""The plots and the report of a finished run that was killed after writing result.json and before the report."""


def draw_missing_outputs(run):
    """Draw the outputs of a finished run if its report is missing or older than its result; return their paths.

    run: Path of a run directory. Returns [] if there is nothing to draw; only otherwise is matplotlib loaded. Raises
    UserError as `zoo.reports.run_outputs.draw_run` does.
    """
    result, report = run / "result.json", run / "report.html"
    if not result.exists() or (report.exists() and report.stat().st_mtime_ns >= result.stat().st_mtime_ns):
        return []

    from zoo.reports.run_outputs import draw_run

    return draw_run(run)
