"""HTML pages that work offline, one file each: a run, a comparison of runs, a look inside a model."""
