"""What a run is: a session that trains into its directory, and `Run`, which reads it."""
