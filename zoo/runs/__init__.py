"""Training runs: a session, which trains into a run directory, and `Run`, which reads it."""
