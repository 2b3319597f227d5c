"""Data sets: what each is (`info`), and reading it from the disk or the network (`load`)."""
