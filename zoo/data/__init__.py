"""Datasets: their metadata (`dataset_info`), and loading them from any source (`loading`)."""
