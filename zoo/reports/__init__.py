"""Self-contained HTML pages that work offline: a run, a comparison of runs, an inspection of a model."""
