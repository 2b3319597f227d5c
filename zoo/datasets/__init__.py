"""The pictures: what each data set is (`facts`), and reading it from the disk or the network (`load`)."""
